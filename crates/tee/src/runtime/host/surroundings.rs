//! What is around a TA: randomness, time, the operator's log, a Verifier, and other TAs.

use tamarack_ta::{
    ResultCode,
    interface::{IMPORT_MODULE as TEE, MAX_LOG_LEN, MAX_SERVICE_LEN},
};
use wasmi::{Error, Linker};

use super::{Guest, Host, Range, Stop, answer, code, fuel, name, service, services, split, text};
use crate::runtime::allowance::{Allowance, End};

pub(super) fn link(linker: &mut Linker<Host>) -> Result<(), Error> {
    linker
        .func_wrap(TEE, "random", random)?
        .func_wrap(TEE, "time", time)?
        .func_wrap(TEE, "time_system", time_system)?
        .func_wrap(TEE, "time_persistent", time_persistent)?
        .func_wrap(TEE, "time_persistent_set", time_persistent_set)?
        .func_wrap(TEE, "log", log)?
        .func_wrap(TEE, "attest", attest)?
        .func_wrap(TEE, "call", call)?;
    Ok(())
}

fn random(mut guest: Guest<'_>, start: u32, len: u32) -> Result<(), Error> {
    fuel::charge(&mut guest, fuel::CALL + fuel::per(len, fuel::BYTE))?;
    let (memory, host) = split(&mut guest)?;
    let out = Range::new(start, len).of_mut(memory)?;
    services(&mut host.services)
        .and_then(|tee| tee.random(out))
        .map_err(|_| End::NoRandomness.into())
}

fn time(mut guest: Guest<'_>) -> Result<u64, Error> {
    let now = service(&mut guest, 0, |_, tee| Ok(tee.now()))?;
    Ok(now.unwrap_or(0))
}

fn time_system(mut guest: Guest<'_>) -> Result<u64, Error> {
    let now = service(&mut guest, 0, |_, tee| Ok(tee.system_time()))?;
    Ok(now.unwrap_or(0))
}

fn time_persistent(mut guest: Guest<'_>) -> Result<u64, Error> {
    let found = service(&mut guest, fuel::READ, |_, tee| Ok(tee.persistent_time()?))?;
    let found = found.map(|seconds| seconds.to_be_bytes().to_vec());
    answer(&mut guest, found)
}

fn time_persistent_set(mut guest: Guest<'_>, seconds: u64) -> Result<u32, Error> {
    let done = service(&mut guest, fuel::WRITE, |_, tee| {
        Ok(tee.set_persistent_time(seconds)?)
    })?;
    Ok(code(done))
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
    let lines = host.last_words.hear(line);
    if let Ok(tee) = services(&mut host.services) {
        for line in lines {
            tee.log(&line);
        }
    }
    Ok(())
}

fn attest(
    mut guest: Guest<'_>,
    nonce: u32,
    nonce_len: u32,
    key: u32,
    key_len: u32,
) -> Result<u64, Error> {
    let (nonce, key) = (Range::new(nonce, nonce_len), Range::new(key, key_len));
    let found = service(&mut guest, fuel::READ + fuel::ATTEST, |memory, tee| {
        let key = match key.len {
            0 => None,
            _ => Some(name(key, memory)?),
        };
        Ok(tee.attest(nonce.of(memory)?, key)?)
    })?;
    answer(&mut guest, found)
}

fn call(
    mut guest: Guest<'_>,
    at: u32,
    len: u32,
    command: u32,
    input: u32,
    input_len: u32,
) -> Result<u64, Error> {
    let (at, input) = (Range::new(at, len), Range::new(input, input_len));
    let price = fuel::SESSION.saturating_add(fuel::per(input_len, fuel::BYTE));
    let mut allowance = Allowance {
        fuel: fuel::all(&guest).saturating_sub(price),
        log_lines: guest.data().log_lines,
        watch: guest.data().watch.clone(),
    };
    let found = service(&mut guest, price, |memory, tee| {
        let name = text(at, memory)?.filter(|name| name.len() <= MAX_SERVICE_LEN);
        let name = name.ok_or(Stop::Code(ResultCode::BAD_PARAMETERS))?;
        Ok(tee.call(name, command, input.of(memory)?, &mut allowance)?)
    })?;
    guest.data_mut().log_lines = allowance.log_lines;
    guest.data().watch.check()?;
    answer(&mut guest, found)
}
