//! The functions behind the import module `tee`.

use core::fmt;

use tamarack_ta::{
    ResultCode,
    interface::{
        ALGORITHM_ESP256, Answer, IMPORT_MODULE, MAX_LOG_LEN, encode_names, is_valid_name,
    },
};
use wasmi::{Caller, Engine, Error, Linker, Memory, StoreLimits, TrapCode};

use super::{Quota, Services, fuel, guest::Range};

/// What belongs to one instance of a TA on the TEE's side.
pub(super) struct Host {
    /// `None` only while a module is tried out, when none of its code runs.
    pub(super) services: Option<Box<dyn Services>>,
    pub(super) quota: Quota,
    pub(super) limits: StoreLimits,
    pub(super) memory: Option<Memory>,
    /// Bytes that wait for the TA to `take` them.
    pub(super) tray: Vec<u8>,
    /// What the running call set as its output.
    pub(super) output: Vec<u8>,
    /// Log lines that the running call may still write.
    pub(super) log_lines: u32,
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
    linker
        .func_wrap(IMPORT_MODULE, "take", take)?
        .func_wrap(IMPORT_MODULE, "output", output)?
        .func_wrap(IMPORT_MODULE, "object_read", object_read)?
        .func_wrap(IMPORT_MODULE, "object_write", object_write)?
        .func_wrap(IMPORT_MODULE, "object_delete", object_delete)?
        .func_wrap(IMPORT_MODULE, "object_list", object_list)?
        .func_wrap(IMPORT_MODULE, "personalization_read", personalization_read)?
        .func_wrap(IMPORT_MODULE, "key_generate", key_generate)?
        .func_wrap(IMPORT_MODULE, "key_public", key_public)?
        .func_wrap(IMPORT_MODULE, "key_sign", key_sign)?
        .func_wrap(IMPORT_MODULE, "key_delete", key_delete)?
        .func_wrap(IMPORT_MODULE, "random", random)?
        .func_wrap(IMPORT_MODULE, "time", time)?
        .func_wrap(IMPORT_MODULE, "log", log)?;
    Ok(linker)
}

/// The TA's memory and the TEE's side of it.
fn split<'a>(guest: &'a mut Guest<'_>) -> Result<(&'a mut [u8], &'a mut Host), Error> {
    // Exported memory was checked when the module was loaded.
    let memory = guest.data().memory.ok_or(TrapCode::MemoryOutOfBounds)?;
    Ok(memory.data_and_store_mut(guest))
}

fn services(host: &mut Option<Box<dyn Services>>) -> Result<&mut dyn Services, ResultCode> {
    match host {
        Some(services) => Ok(services.as_mut()),
        None => Err(ResultCode::BAD_STATE),
    }
}

fn name_in(memory: &[u8], range: Range) -> Result<Result<&str, ResultCode>, Error> {
    let name = core::str::from_utf8(range.of(memory)?).ok();
    Ok(name
        .filter(|name| is_valid_name(name))
        .ok_or(ResultCode::BAD_PARAMETERS))
}

fn code(result: Result<(), ResultCode>) -> u32 {
    ResultCode::of(&result).0
}

/// Runs a service that takes a name.
fn named<R>(
    guest: &mut Guest<'_>,
    name: Range,
    price: u64,
    call: impl FnOnce(&mut dyn Services, &str) -> Result<R, ResultCode>,
) -> Result<Result<R, ResultCode>, Error> {
    fuel::charge(guest, fuel::CALL + price)?;
    let (memory, host) = split(guest)?;
    Ok(name_in(memory, name)?.and_then(|name| call(services(&mut host.services)?, name)))
}

/// Runs a service that takes a name and data.
fn named_with_data<R>(
    guest: &mut Guest<'_>,
    name: Range,
    data: Range,
    price: u64,
    call: impl FnOnce(&mut dyn Services, &str, &[u8]) -> Result<R, ResultCode>,
) -> Result<Result<R, ResultCode>, Error> {
    fuel::charge(guest, fuel::CALL + price + fuel::per(data.len, fuel::BYTE))?;
    let (memory, host) = split(guest)?;
    let data = data.of(memory)?;
    Ok(name_in(memory, name)?.and_then(|name| call(services(&mut host.services)?, name, data)))
}

/// Lays what a service found on the tray.
fn answer(guest: &mut Guest<'_>, found: Result<Vec<u8>, ResultCode>) -> Result<u64, Error> {
    let (code, bytes) = match found {
        Ok(bytes) => (ResultCode::SUCCESS, bytes),
        Err(code) => (ResultCode::of::<()>(&Err(code)), Vec::new()),
    };
    // Nothing longer than the 32-bit address space of the TA could have been stored by it.
    let len = u32::try_from(bytes.len()).map_err(|_| TrapCode::MemoryOutOfBounds)?;
    fuel::charge(guest, fuel::per(len, fuel::BYTE))?;
    guest.data_mut().tray = bytes;
    Ok(Answer { code, len }.to_bits())
}

fn take(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u32, Error> {
    fuel::charge(&mut guest, fuel::CALL + fuel::per(len, fuel::BYTE))?;
    let (memory, host) = split(&mut guest)?;
    let to = Range::new(start, len).of_mut(memory)?;
    if to.len() != host.tray.len() {
        return Ok(ResultCode::BAD_PARAMETERS.0);
    }
    to.copy_from_slice(&host.tray);
    host.tray = Vec::new();
    Ok(ResultCode::SUCCESS.0)
}

fn output(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u32, Error> {
    fuel::charge(&mut guest, fuel::CALL + fuel::per(len, fuel::BYTE))?;
    let (memory, host) = split(&mut guest)?;
    let bytes = Range::new(start, len).of(memory)?;
    if bytes.len() > host.quota.output_bytes {
        return Ok(ResultCode::EXCESS_DATA.0);
    }
    host.output = bytes.to_vec();
    Ok(ResultCode::SUCCESS.0)
}

fn object_read(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u64, Error> {
    let found = named(
        &mut guest,
        Range::new(start, len),
        fuel::READ,
        |tee, name| tee.object_read(name),
    )?;
    answer(&mut guest, found)
}

fn object_write(
    mut guest: Guest<'_>,
    name: u32,
    name_len: u32,
    data: u32,
    data_len: u32,
) -> Result<u32, Error> {
    let (name, data) = (Range::new(name, name_len), Range::new(data, data_len));
    let done = named_with_data(&mut guest, name, data, fuel::WRITE, |tee, name, data| {
        tee.object_write(name, data)
    })?;
    Ok(code(done))
}

fn object_delete(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u32, Error> {
    let name = Range::new(start, len);
    let done = named(&mut guest, name, fuel::WRITE, |tee, name| {
        tee.object_delete(name)
    })?;
    Ok(code(done))
}

fn object_list(mut guest: Guest<'_>) -> Result<u64, Error> {
    fuel::charge(&mut guest, fuel::CALL + fuel::READ)?;
    let found = services(&mut guest.data_mut().services)
        .and_then(Services::object_names)
        .map(|names| encode_names(names.iter().map(String::as_str)));
    answer(&mut guest, found)
}

fn personalization_read(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u64, Error> {
    let name = Range::new(start, len);
    let found = named(&mut guest, name, fuel::READ, |tee, name| {
        tee.personalization_read(name)
    })?;
    answer(&mut guest, found)
}

fn key_generate(mut guest: Guest<'_>, start: u32, len: u32, algorithm: i32) -> Result<u32, Error> {
    let name = Range::new(start, len);
    let done = named(&mut guest, name, fuel::SIGN + fuel::WRITE, |tee, name| {
        if algorithm != ALGORITHM_ESP256 {
            return Err(ResultCode::NOT_SUPPORTED);
        }
        tee.key_generate(name)
    })?;
    Ok(code(done))
}

fn key_public(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u64, Error> {
    let found = named(
        &mut guest,
        Range::new(start, len),
        fuel::READ,
        |tee, name| tee.key_public(name),
    )?;
    answer(&mut guest, found)
}

fn key_sign(
    mut guest: Guest<'_>,
    name: u32,
    name_len: u32,
    data: u32,
    data_len: u32,
) -> Result<u64, Error> {
    let (name, data) = (Range::new(name, name_len), Range::new(data, data_len));
    let price = fuel::READ + fuel::SIGN;
    let found = named_with_data(&mut guest, name, data, price, |tee, name, data| {
        tee.key_sign(name, data)
    })?;
    answer(&mut guest, found)
}

fn key_delete(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u32, Error> {
    let done = named(
        &mut guest,
        Range::new(start, len),
        fuel::WRITE,
        |tee, name| tee.key_delete(name),
    )?;
    Ok(code(done))
}

fn random(mut guest: Guest<'_>, start: u32, len: u32) -> Result<(), Error> {
    fuel::charge(&mut guest, fuel::CALL + fuel::per(len, fuel::BYTE))?;
    let (memory, host) = split(&mut guest)?;
    let out = Range::new(start, len).of_mut(memory)?;
    services(&mut host.services)
        .and_then(|tee| tee.random(out))
        .map_err(|code| Error::new(format!("no randomness: {code}")))
}

fn time(mut guest: Guest<'_>) -> Result<u64, Error> {
    fuel::charge(&mut guest, fuel::CALL)?;
    Ok(services(&mut guest.data_mut().services).map_or(0, Services::now))
}

fn log(mut guest: Guest<'_>, start: u32, len: u32) -> Result<(), Error> {
    fuel::charge(&mut guest, fuel::CALL + fuel::LOG)?;
    let (memory, host) = split(&mut guest)?;
    let text = Range::new(start, len).of(memory)?;
    let Some(left) = host.log_lines.checked_sub(1) else {
        return Ok(());
    };
    host.log_lines = left;
    let text = String::from_utf8_lossy(text.get(..MAX_LOG_LEN).unwrap_or(text));
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if let Ok(tee) = services(&mut host.services) {
        tee.log(&line);
    }
    Ok(())
}
