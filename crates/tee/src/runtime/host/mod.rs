//! The functions behind the import module `tee`.

mod command;
mod keys;
mod objects;
mod surroundings;

use core::fmt;

use tamarack_ta::{
    ResultCode,
    interface::{Answer, encode_names, is_valid_name},
};
use wasmi::{Caller, Engine, Error, Linker, Memory, StoreLimits, TrapCode};
use zeroize::Zeroizing;

use super::{
    Quota, allowance::Watch, fuel, guest::Range, last_words::LastWords, stream::OpenStream,
};
use crate::services::TaServices;

/// What belongs to one instance of a TA on the TEE's side.
pub(super) struct Host {
    /// `None` only while a module is tried out, when none of its code runs.
    pub(super) services: Option<TaServices>,
    pub(super) quota: Quota,
    pub(super) limits: StoreLimits,
    pub(super) memory: Option<Memory>,
    /// Bytes that wait for the TA to `take` them.
    pub(super) tray: Zeroizing<Vec<u8>>,
    /// What the running call set as its output.
    pub(super) output: Zeroizing<Vec<u8>>,
    /// Where input and output of the running call are streamed.
    pub(super) stream: Option<OpenStream>,
    /// Log lines that the running call may still write.
    pub(super) log_lines: u32,
    /// What the running call said of a panic.
    pub(super) last_words: LastWords,
    /// Fuel of the running call that the interpreter does not have yet.
    pub(super) reserve: u64,
    /// Until when the running call may take.
    pub(super) watch: Watch,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What crosses the boundary may be secret.
        f.debug_struct("Host")
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

type Guest<'a> = Caller<'a, Host>;

/// A linker that offers all of [`IMPORTS`](super::imports::IMPORTS).
pub(super) fn linker(engine: &Engine) -> Result<Linker<Host>, Error> {
    let mut linker = Linker::new(engine);
    command::link(&mut linker)?;
    objects::link(&mut linker)?;
    keys::link(&mut linker)?;
    surroundings::link(&mut linker)?;
    Ok(linker)
}

/// What keeps a service from its answer: a mistake that the TA does not survive, or a result code.
enum Stop {
    Trap(Error),
    Code(ResultCode),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Trap(error)
    }
}

impl From<ResultCode> for Stop {
    fn from(code: ResultCode) -> Self {
        Self::Code(code)
    }
}

/// The TA's memory and the TEE's side of it.
fn split<'a>(guest: &'a mut Guest<'_>) -> Result<(&'a mut [u8], &'a mut Host), Error> {
    // Exported memory was checked when the module was loaded.
    let memory = guest.data().memory.ok_or(TrapCode::MemoryOutOfBounds)?;
    Ok(memory.data_and_store_mut(guest))
}

fn services(host: &mut Option<TaServices>) -> Result<&mut TaServices, ResultCode> {
    host.as_mut().ok_or(ResultCode::BAD_STATE)
}

/// Runs a service at the price of `units`; it finds what the TA passed in its memory.
fn service<R>(
    guest: &mut Guest<'_>,
    units: u64,
    run: impl FnOnce(&[u8], &mut TaServices) -> Result<R, Stop>,
) -> Result<Result<R, ResultCode>, Error> {
    fuel::charge(guest, fuel::CALL.saturating_add(units))?;
    let (memory, host) = split(guest)?;
    // Services take longer than instructions of their price may.
    host.watch.check()?;
    let ran = services(&mut host.services).map_err(Stop::from);
    match ran.and_then(|tee| run(memory, tee)) {
        Ok(found) => Ok(Ok(found)),
        Err(Stop::Code(code)) => Ok(Err(code)),
        Err(Stop::Trap(error)) => Err(error),
    }
}

/// The name in a range of the TA's memory.
fn name(range: Range, memory: &[u8]) -> Result<&str, Stop> {
    text(range, memory)?
        .filter(|name| is_valid_name(name))
        .ok_or(Stop::Code(ResultCode::BAD_PARAMETERS))
}

fn text(range: Range, memory: &[u8]) -> Result<Option<&str>, Error> {
    Ok(core::str::from_utf8(range.of(memory)?).ok())
}

/// The result code of a service that answers nothing else.
fn code(result: Result<(), ResultCode>) -> u32 {
    ResultCode::of(&result).0
}

/// Lays names that a service found on the tray; each costs what it took to open it.
fn answer_names(
    guest: &mut Guest<'_>,
    found: Result<Vec<String>, ResultCode>,
) -> Result<u64, Error> {
    let count = found.as_ref().map_or(0, Vec::len);
    let count = u32::try_from(count).map_err(|_| TrapCode::MemoryOutOfBounds)?;
    fuel::charge(guest, fuel::per(count, fuel::NAME))?;
    let found = found.map(|names| encode_names(names.iter().map(String::as_str)));
    answer(guest, found)
}

/// Lays what a service found on the tray.
fn answer(
    guest: &mut Guest<'_>,
    found: Result<impl Into<Zeroizing<Vec<u8>>>, ResultCode>,
) -> Result<u64, Error> {
    let (code, bytes) = match found {
        Ok(bytes) => (ResultCode::SUCCESS, bytes.into()),
        Err(code) => (ResultCode::of::<()>(&Err(code)), Zeroizing::default()),
    };
    // Nothing longer than the 32-bit address space of the TA could have been stored by it.
    let len = u32::try_from(bytes.len()).map_err(|_| TrapCode::MemoryOutOfBounds)?;
    fuel::charge(guest, fuel::per(len, fuel::BYTE))?;
    guest.data_mut().tray = bytes;
    Ok(Answer { code, len }.to_bits())
}
