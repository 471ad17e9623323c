//! Calls from one Trusted Application to a service of another one's security domain.

use std::time::Duration;

use tamarack_agent::{
    platform::{Storage, View},
    state::{DomainRecord, Record},
};
use tamarack_suit::ComponentId;
use tamarack_ta::{ResultCode, interface::Client};
use zeroize::Zeroizing;

use super::{
    Inner,
    prepare::find,
    sessions::{TurnKey, allowance, wait_for},
};
use crate::{
    runtime::{Allowance, Cancellation, Input, Watch},
    services::{Caller, Directory, code},
};

/// Applications that wait for each other at most.
const MAX_DEPTH: usize = 4;

/// How long a service may be busy with others. Two applications that call each other at the same time would
/// otherwise wait for ever.
const PATIENCE: Duration = Duration::from_millis(1000);

impl Directory for Inner {
    fn call(
        &self,
        callers: &[Caller],
        name: &str,
        command: u32,
        input: &[u8],
        caller_has: &mut Allowance,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let caller = callers.last().ok_or(ResultCode::BAD_STATE)?;
        if callers.len() >= MAX_DEPTH {
            return Err(ResultCode::BUSY);
        }
        let view = self.around.store.view().map_err(code)?;
        let (domain, component) = service(&*view, caller, name)?;
        // It would see what it did before it waited, or not, as it happens.
        if callers.iter().any(|caller| caller.component == component) {
            return Err(ResultCode::BUSY);
        }
        let application = find(&*view, &component).map_err(|error| error.result_code())?;
        // The prefix of a domain inside that one would make it another's application.
        if application.record.domain != domain {
            return Err(ResultCode::ITEM_NOT_FOUND);
        }
        let ready = self
            .prepare(&*view, application)
            .map_err(|error| error.result_code())?;
        drop(view);
        let turn = self.sessions().turn(ready.turn());
        let held = matches!(ready.turn(), TurnKey::Domain(domain)
            if callers.iter().any(|caller| caller.domain == domain));
        // A service that is interrupted at a moment of its caller's choice could be made to forget what it was about
        // to note, a wrong guess for instance: it has the fuel and the time of its own domain. What it costs the
        // caller does not tell what it did.
        let mut own = allowance(&ready.application.quota, Cancellation::default());
        own.log_lines = caller_has.log_lines;
        let patience = Watch::new(
            PATIENCE.min(caller_has.watch.left()),
            Cancellation::default(),
        );
        let _turn = match held {
            true => None,
            false => Some(wait_for(&turn, &patience)?),
        };
        let client = Client::Application {
            domain: caller.domain.clone(),
            component: caller.component.to_string(),
        };
        let answer = self
            .migrate(&ready, callers, &mut own)
            .map_err(|error| error.result_code())
            .and_then(|()| {
                let services = self.services(&ready, client, callers);
                let mut session = ready.module.open_session(services, &[], &mut own)?;
                let answer = session.invoke(command, Input::Whole(input), &mut own);
                session.close(&mut own);
                answer
            });
        caller_has.log_lines = own.log_lines;
        answer
    }
}

/// The security domain that exposes a service, and the application behind it, if the caller may call it.
fn service<'a>(
    view: &dyn View,
    caller: &Caller,
    name: &'a str,
) -> Result<(&'a str, ComponentId), ResultCode> {
    let (domain, service) = name.rsplit_once('/').ok_or(ResultCode::ITEM_NOT_FOUND)?;
    let record = DomainRecord::load(view, domain.as_bytes()).map_err(code)?;
    let found = record.and_then(|record| {
        let service = record.domain.service(service)?;
        let admitted = caller.domain == domain || service.admits(&caller.domain);
        admitted.then(|| (domain, service.component.clone()))
    });
    // That there is one is nothing to those who may not call it.
    found.ok_or(ResultCode::ITEM_NOT_FOUND)
}
