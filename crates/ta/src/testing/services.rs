use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Session,
    state::{self, domain_of},
};
use crate::{
    ResultCode, TrustedApplication,
    interface::{Client, MAX_NAME_LEN, MAX_SERVICE_LEN},
};

/// A TA that other domains may call.
pub(super) struct Service {
    domains: Vec<String>,
    run: Run,
}

/// Runs one command in an instance of its own: the service, who calls, the command and its input.
type Run = fn(&str, Client, u32, &[u8]) -> Result<Vec<u8>, ResultCode>;

pub(super) fn expose<T: TrustedApplication>(service: &str, domains: &[&str]) {
    let exposed = Service {
        domains: domains.iter().map(ToString::to_string).collect(),
        run: run::<T>,
    };
    state::with(|tee| tee.services.insert(service.into(), exposed));
}

fn run<T: TrustedApplication>(
    service: &str,
    client: Client,
    command: u32,
    input: &[u8],
) -> Result<Vec<u8>, ResultCode> {
    let mut session = Session::<T>::open_as(service.into(), client, b"")?;
    let output = session.invoke(command, input);
    session.close();
    output
}

pub(super) fn call(service: &str, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode> {
    let is_name = |part: &str| (1..=MAX_NAME_LEN).contains(&part.len());
    match service.split_once('/') {
        Some((domain, name)) if is_name(domain) && is_name(name) => {}
        _ => return Err(ResultCode::BAD_PARAMETERS),
    }
    debug_assert!(service.len() <= MAX_SERVICE_LEN, "two names and a slash");
    let (run, client) = state::with(|tee| {
        let caller = domain_of(tee.application());
        let found = tee.services.get(service);
        let found = found.filter(|found| found.domains.iter().any(|domain| domain == caller));
        let found = found.ok_or(ResultCode::ITEM_NOT_FOUND)?;
        if tee.calls.iter().any(|call| call.application == service) {
            return Err(ResultCode::BUSY);
        }
        let client = Client::Application {
            domain: caller.into(),
            component: tee.application().into(),
        };
        Ok((found.run, client))
    })?;
    run(service, client, command, input)
}
