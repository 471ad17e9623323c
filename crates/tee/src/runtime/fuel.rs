//! What services cost, in fuel, and how fuel reaches the interpreter.
//!
//! WebAssembly instructions are charged by the interpreter, about one unit each. A service call costs the host work
//! too; without a price, a loop of signatures would be nearly free. Prices are rough: the number of
//! instructions that take as long.
//!
//! The interpreter gets its fuel in slices: each time one is used up, the TEE has its say about time and cancellation.

use wasmi::{AsContextMut, Caller, Error};

use super::{allowance::End, host::Host};

/// Fuel between two looks at the clock: some milliseconds.
const SLICE: u64 = 2_000_000;

/// Every call across the boundary.
pub(super) const CALL: u64 = 50;
/// Each byte that is copied across the boundary, or hashed.
pub(super) const BYTE: u64 = 1;
/// Reading from the sealed storage.
pub(super) const READ: u64 = 10_000;
/// Opening one more name where names are listed.
pub(super) const NAME: u64 = 2_000;
/// An attestation: a signature, and perhaps a report of slow hardware.
pub(super) const ATTEST: u64 = 5_000_000;
/// Writing to the sealed storage; the commit is part of the price.
pub(super) const WRITE: u64 = 50_000;
/// A signature, its verification, or making a key.
pub(super) const SIGN: u64 = 200_000;
/// A session of another TA.
pub(super) const SESSION: u64 = 100_000;
/// A log line.
pub(super) const LOG: u64 = 5_000;

/// `units` for each of `count` bytes.
pub(super) fn per(count: u32, units: u64) -> u64 {
    u64::from(count).saturating_mul(units)
}

/// Gives the interpreter `fuel` for a call, a slice of it at first.
pub(super) fn fill(store: &mut wasmi::Store<Host>, fuel: u64) -> Result<(), Error> {
    store.data_mut().reserve = fuel.saturating_sub(SLICE);
    store.set_fuel(fuel.min(SLICE))
}

/// What is left of the fuel of a call.
pub(super) fn left(store: &wasmi::Store<Host>) -> u64 {
    let slice = store.get_fuel().unwrap_or_default();
    store.data().reserve.saturating_add(slice)
}

/// The next slice, of `required` units at least.
pub(super) fn refill(store: &mut wasmi::Store<Host>, required: u64) -> Result<(), Error> {
    let left = left(store);
    if left < required {
        return Err(End::OutOfFuel.into());
    }
    let slice = left.min(SLICE.max(required));
    store.data_mut().reserve = left.saturating_sub(slice);
    store.set_fuel(slice)
}

/// Takes `units` for a service, or ends the call if there are not so many left, or its time is over.
pub(super) fn charge(caller: &mut Caller<'_, Host>, units: u64) -> Result<(), Error> {
    let slice = caller.get_fuel()?;
    if let Some(rest) = slice.checked_sub(units) {
        return caller.set_fuel(rest);
    }
    let mut context = caller.as_context_mut();
    let host = context.data_mut();
    host.watch.check()?;
    let left = host.reserve.saturating_add(slice).checked_sub(units);
    host.reserve = left.unwrap_or(0).saturating_sub(SLICE);
    context.set_fuel(left.unwrap_or(0).min(SLICE))?;
    match left {
        Some(_) => Ok(()),
        None => Err(End::OutOfFuel.into()),
    }
}

/// All that is left, for somebody else to use.
pub(super) fn all(caller: &Caller<'_, Host>) -> u64 {
    let slice = caller.get_fuel().unwrap_or_default();
    caller.data().reserve.saturating_add(slice)
}
