//! What belongs to the running command: its input, its output, who wants it, and whether still.

use tamarack_ta::{
    ResultCode,
    interface::{Answer, IMPORT_MODULE as TEE, encode_client},
};
use wasmi::{Error, Linker};
use zeroize::Zeroizing;

use super::{Guest, Host, Range, answer, fuel, service, services, split};

pub(super) fn link(linker: &mut Linker<Host>) -> Result<(), Error> {
    linker
        .func_wrap(TEE, "take", take)?
        .func_wrap(TEE, "output", output)?
        .func_wrap(TEE, "input_read", input_read)?
        .func_wrap(TEE, "output_write", output_write)?
        .func_wrap(TEE, "client", client)?
        .func_wrap(TEE, "cancelled", cancelled)?
        .func_wrap(TEE, "commit", commit)?;
    Ok(())
}

fn take(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u32, Error> {
    fuel::charge(&mut guest, fuel::CALL + fuel::per(len, fuel::BYTE))?;
    let (memory, host) = split(&mut guest)?;
    let to = Range::new(start, len).of_mut(memory)?;
    if to.len() != host.tray.len() {
        return Ok(ResultCode::BAD_PARAMETERS.0);
    }
    to.copy_from_slice(&host.tray);
    host.tray = Zeroizing::default();
    Ok(ResultCode::SUCCESS.0)
}

fn output(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u32, Error> {
    fuel::charge(&mut guest, fuel::CALL + fuel::per(len, fuel::BYTE))?;
    let (memory, host) = split(&mut guest)?;
    let bytes = Range::new(start, len).of(memory)?;
    if bytes.len() > host.quota.output_bytes {
        return Ok(ResultCode::EXCESS_DATA.0);
    }
    host.output = Zeroizing::new(bytes.to_vec());
    Ok(ResultCode::SUCCESS.0)
}

fn input_read(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u64, Error> {
    fuel::charge(&mut guest, fuel::CALL + fuel::per(len, fuel::BYTE))?;
    let (memory, host) = split(&mut guest)?;
    let to = Range::new(start, len).of_mut(memory)?;
    let read = match &mut host.stream {
        Some(stream) => stream.read(to, &host.watch),
        None => Ok(0),
    };
    // Who waits too long for input is ended like who computes too long.
    host.watch.check()?;
    let found = read.map(|count| u32::try_from(count).unwrap_or(len));
    Ok(Answer {
        code: ResultCode::of(&found),
        len: found.unwrap_or(0),
    }
    .to_bits())
}

fn output_write(mut guest: Guest<'_>, start: u32, len: u32) -> Result<u32, Error> {
    fuel::charge(&mut guest, fuel::CALL + fuel::per(len, fuel::BYTE))?;
    let (memory, host) = split(&mut guest)?;
    let bytes = Range::new(start, len).of(memory)?;
    let done = match &mut host.stream {
        Some(stream) => {
            let sent = stream.send(bytes, &host.watch);
            host.watch.check()?;
            sent
        }
        None if host.output.len().saturating_add(bytes.len()) > host.quota.output_bytes => {
            Err(ResultCode::EXCESS_DATA)
        }
        None => {
            host.output.extend_from_slice(bytes);
            Ok(())
        }
    };
    Ok(super::code(done))
}

fn client(mut guest: Guest<'_>) -> Result<u64, Error> {
    fuel::charge(&mut guest, fuel::CALL)?;
    let found = services(&mut guest.data_mut().services).map(|tee| encode_client(tee.client()));
    answer(&mut guest, found)
}

fn cancelled(mut guest: Guest<'_>) -> Result<u32, Error> {
    fuel::charge(&mut guest, fuel::CALL)?;
    Ok(u32::from(guest.data().watch.is_cancelled()))
}

fn commit(mut guest: Guest<'_>) -> Result<u32, Error> {
    let done = service(&mut guest, fuel::WRITE, |_, tee| Ok(tee.commit_early()?))?;
    Ok(super::code(done))
}
