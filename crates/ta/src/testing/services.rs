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
    interface::{Client, MAX_SERVICE_LEN},
};

/// A TA that other domains may call.
pub(super) struct Service {
    domains: Vec<String>,
    run: Run,
}

/// Calls that may wait for each other, as in the TEE of this repository.
const MAX_DEPTH: usize = 4;

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
    if service.len() > MAX_SERVICE_LEN {
        return Err(ResultCode::BAD_PARAMETERS);
    }
    let owner = service.rsplit_once('/').map(|(domain, _)| domain);
    let (run, client) = state::with(|tee| {
        let caller = domain_of(tee.application());
        let found = tee.services.get(service);
        let admits = |found: &&Service| found.domains.iter().any(|domain| domain == caller);
        let found = found.filter(|found| owner == Some(caller) || admits(found));
        let found = found.ok_or(ResultCode::ITEM_NOT_FOUND)?;
        let waits = tee.calls.iter().any(|call| call.application == service);
        if waits || tee.calls.len() >= MAX_DEPTH {
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
