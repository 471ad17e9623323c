//! What services cost, in fuel.
//!
//! WebAssembly instructions are charged by the interpreter, about one unit each. A service call costs the host work
//! too; without a price, a loop of signatures would be nearly free. Prices are rough: the number of
//! instructions that take as long.

use wasmi::{Caller, Error, TrapCode};

/// Every call across the boundary.
pub(super) const CALL: u64 = 50;
/// Each byte that is copied across the boundary, or hashed.
pub(super) const BYTE: u64 = 1;
/// Reading from the sealed storage.
pub(super) const READ: u64 = 10_000;
/// Writing to the sealed storage; the commit is part of the price.
pub(super) const WRITE: u64 = 50_000;
/// A signature, or making a key.
pub(super) const SIGN: u64 = 200_000;
/// A log line.
pub(super) const LOG: u64 = 5_000;

/// `units` for each of `count` bytes.
pub(super) fn per(count: u32, units: u64) -> u64 {
    u64::from(count).saturating_mul(units)
}

/// Takes `units`, or traps if there are not so many left.
pub(super) fn charge<T>(caller: &mut Caller<'_, T>, units: u64) -> Result<(), Error> {
    let left = caller.get_fuel()?.checked_sub(units);
    caller.set_fuel(left.unwrap_or(0))?;
    match left {
        Some(_) => Ok(()),
        None => Err(TrapCode::OutOfFuel.into()),
    }
}
