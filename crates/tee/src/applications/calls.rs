//! Calls from one Trusted Application to a service of another one's security domain.

use std::{
    sync::{Mutex, MutexGuard, TryLockError},
    thread,
    time::{Duration, Instant},
};

use tamarack_agent::{
    platform::Storage,
    state::{DomainRecord, Record},
};
use tamarack_ta::{ResultCode, interface::Client};
use zeroize::Zeroizing;

use super::{Inner, sessions::TurnKey};
use crate::{
    runtime::{Allowance, Input},
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
        allowance: &mut Allowance,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let caller = callers.last().ok_or(ResultCode::BAD_STATE)?;
        if callers.len() >= MAX_DEPTH {
            return Err(ResultCode::BUSY);
        }
        let component = self.service(caller, name)?;
        // It would see what it did before it waited, or not, as it happens.
        if callers.iter().any(|caller| caller.component == component) {
            return Err(ResultCode::BUSY);
        }
        let ready = self
            .prepare(&component)
            .map_err(|error| error.result_code())?;
        let (domain, _) = name.rsplit_once('/').unwrap_or_default();
        // The prefix of a domain inside that one would make it another's application.
        if ready.record.domain != domain {
            return Err(ResultCode::ITEM_NOT_FOUND);
        }
        let turn = self.sessions().turn(ready.turn());
        let held = matches!(ready.turn(), TurnKey::Domain(domain)
            if callers.iter().any(|caller| caller.domain == domain));
        let _turn = match held {
            true => None,
            false => Some(wait_for(&turn, allowance)?),
        };
        // No more than its own domain allows, and no more than the caller has left.
        let spare = allowance.fuel.saturating_sub(ready.quota.fuel);
        allowance.fuel = allowance.fuel.min(ready.quota.fuel);
        let client = Client::Application {
            domain: caller.domain.clone(),
            component: caller.component.to_string(),
        };
        let answer = self
            .migrate(&ready, callers, allowance)
            .map_err(|error| error.result_code())
            .and_then(|()| {
                let services = self.services(&ready, client, callers);
                let mut session = ready.module.open_session(services, &[], allowance)?;
                let answer = session.invoke(command, Input::Whole(input), allowance);
                session.close(allowance);
                answer
            });
        allowance.fuel = allowance.fuel.saturating_add(spare);
        answer
    }
}

impl Inner {
    /// The application behind a service, if the caller may call it.
    fn service(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<tamarack_suit::ComponentId, ResultCode> {
        let (domain, service) = name.rsplit_once('/').ok_or(ResultCode::ITEM_NOT_FOUND)?;
        let view = self.around.store.view().map_err(code)?;
        let record = DomainRecord::load(&*view, domain.as_bytes()).map_err(code)?;
        let found = record.and_then(|record| {
            let service = record.domain.service(service)?;
            let admitted = caller.domain == domain || service.admits(&caller.domain);
            admitted.then(|| service.component.clone())
        });
        // That there is one is nothing to those who may not call it.
        found.ok_or(ResultCode::ITEM_NOT_FOUND)
    }
}

/// Takes a turn, or gives up after a while.
fn wait_for<'a>(
    turn: &'a Mutex<()>,
    allowance: &Allowance,
) -> Result<MutexGuard<'a, ()>, ResultCode> {
    let patience = PATIENCE.min(allowance.watch.left());
    let begun = Instant::now();
    loop {
        match turn.try_lock() {
            Ok(guard) => return Ok(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Ok(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if begun.elapsed() > patience => {
                return Err(ResultCode::BUSY);
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
        }
    }
}
