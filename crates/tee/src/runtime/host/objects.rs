//! Persistent objects, and Personalization Data.

use tamarack_ta::{
    ResultCode,
    interface::{Answer, IMPORT_MODULE as TEE},
};
use wasmi::{Error, Linker};

use super::{Guest, Host, Range, answer, answer_names, code, fuel, name, service};
use crate::services::Area;

pub(super) fn link(linker: &mut Linker<Host>) -> Result<(), Error> {
    linker
        .func_wrap(TEE, "object_create", object_create)?
        .func_wrap(TEE, "object_size", object_size)?
        .func_wrap(TEE, "object_read", object_read)?
        .func_wrap(TEE, "object_read_at", object_read_at)?
        .func_wrap(TEE, "object_write", object_write)?
        .func_wrap(TEE, "object_write_at", object_write_at)?
        .func_wrap(TEE, "object_truncate", object_truncate)?
        .func_wrap(TEE, "object_rename", object_rename)?
        .func_wrap(TEE, "object_delete", object_delete)?
        .func_wrap(TEE, "object_list", object_list)?
        .func_wrap(TEE, "personalization_read", personalization_read)?
        .func_wrap(TEE, "personalization_list", personalization_list)?;
    Ok(())
}

/// Charges for what is stored as an object, which is read, copied and written again as a whole.
fn charge_for_whole(guest: &mut Guest<'_>, storage: u32, at: Range) -> Result<(), Error> {
    let size = service(guest, fuel::READ, |memory, tee| {
        Ok(tee.object_size(Area::of(storage)?, name(at, memory)?)?)
    })?;
    // What is wrong with the call, the call itself says.
    let size = u32::try_from(size.unwrap_or(0)).unwrap_or(u32::MAX);
    fuel::charge(guest, fuel::per(size, fuel::BYTE))
}

/// The price of writing `len` bytes.
fn writing(len: u32) -> u64 {
    fuel::WRITE.saturating_add(fuel::per(len, fuel::BYTE))
}

fn object_create(
    mut guest: Guest<'_>,
    storage: u32,
    at: u32,
    len: u32,
    data: u32,
    data_len: u32,
) -> Result<u32, Error> {
    let (at, data) = (Range::new(at, len), Range::new(data, data_len));
    let done = service(&mut guest, writing(data_len), |memory, tee| {
        let data = data.of(memory)?;
        Ok(tee.object_create(Area::of(storage)?, name(at, memory)?, data)?)
    })?;
    Ok(code(done))
}

fn object_size(mut guest: Guest<'_>, storage: u32, at: u32, len: u32) -> Result<u64, Error> {
    let at = Range::new(at, len);
    let found = service(&mut guest, fuel::READ, |memory, tee| {
        Ok(tee.object_size(Area::of(storage)?, name(at, memory)?)?)
    })?;
    let len = found.and_then(|size| u32::try_from(size).map_err(|_| ResultCode::OVERFLOW));
    Ok(Answer {
        code: ResultCode::of(&len),
        len: len.unwrap_or(0),
    }
    .to_bits())
}

fn object_read(mut guest: Guest<'_>, storage: u32, at: u32, len: u32) -> Result<u64, Error> {
    let at = Range::new(at, len);
    let found = service(&mut guest, fuel::READ, |memory, tee| {
        Ok(tee.object_read(Area::of(storage)?, name(at, memory)?)?)
    })?;
    answer(&mut guest, found)
}

fn object_read_at(
    mut guest: Guest<'_>,
    storage: u32,
    at: u32,
    len: u32,
    offset: u64,
    count: u32,
) -> Result<u64, Error> {
    let at = Range::new(at, len);
    let found = service(&mut guest, fuel::READ, |memory, tee| {
        Ok(tee.object_read_at(Area::of(storage)?, name(at, memory)?, offset, count)?)
    })?;
    answer(&mut guest, found)
}

fn object_write(
    mut guest: Guest<'_>,
    storage: u32,
    at: u32,
    len: u32,
    data: u32,
    data_len: u32,
) -> Result<u32, Error> {
    let (at, data) = (Range::new(at, len), Range::new(data, data_len));
    let done = service(&mut guest, writing(data_len), |memory, tee| {
        let data = data.of(memory)?;
        Ok(tee.object_write(Area::of(storage)?, name(at, memory)?, data)?)
    })?;
    Ok(code(done))
}

fn object_write_at(
    mut guest: Guest<'_>,
    storage: u32,
    at: u32,
    len: u32,
    offset: u64,
    data: u32,
    data_len: u32,
) -> Result<u32, Error> {
    let (at, data) = (Range::new(at, len), Range::new(data, data_len));
    charge_for_whole(&mut guest, storage, at)?;
    let done = service(&mut guest, writing(data_len), |memory, tee| {
        let data = data.of(memory)?;
        Ok(tee.object_write_at(Area::of(storage)?, name(at, memory)?, offset, data)?)
    })?;
    Ok(code(done))
}

fn object_truncate(
    mut guest: Guest<'_>,
    storage: u32,
    at: u32,
    len: u32,
    size: u64,
) -> Result<u32, Error> {
    let at = Range::new(at, len);
    charge_for_whole(&mut guest, storage, at)?;
    let done = service(&mut guest, fuel::WRITE, |memory, tee| {
        Ok(tee.object_truncate(Area::of(storage)?, name(at, memory)?, size)?)
    })?;
    Ok(code(done))
}

fn object_rename(
    mut guest: Guest<'_>,
    storage: u32,
    at: u32,
    len: u32,
    new: u32,
    new_len: u32,
) -> Result<u32, Error> {
    let (at, new) = (Range::new(at, len), Range::new(new, new_len));
    charge_for_whole(&mut guest, storage, at)?;
    let done = service(&mut guest, fuel::WRITE, |memory, tee| {
        let (at, new) = (name(at, memory)?, name(new, memory)?);
        Ok(tee.object_rename(Area::of(storage)?, at, new)?)
    })?;
    Ok(code(done))
}

fn object_delete(mut guest: Guest<'_>, storage: u32, at: u32, len: u32) -> Result<u32, Error> {
    let at = Range::new(at, len);
    let done = service(&mut guest, fuel::WRITE, |memory, tee| {
        Ok(tee.object_delete(Area::of(storage)?, name(at, memory)?)?)
    })?;
    Ok(code(done))
}

fn object_list(mut guest: Guest<'_>, storage: u32) -> Result<u64, Error> {
    let found = service(&mut guest, fuel::READ, |_, tee| {
        Ok(tee.object_names(Area::of(storage)?)?)
    })?;
    answer_names(&mut guest, found)
}

fn personalization_read(mut guest: Guest<'_>, at: u32, len: u32) -> Result<u64, Error> {
    let at = Range::new(at, len);
    let found = service(&mut guest, fuel::READ, |memory, tee| {
        Ok(tee.personalization_read(name(at, memory)?)?)
    })?;
    answer(&mut guest, found)
}

fn personalization_list(mut guest: Guest<'_>) -> Result<u64, Error> {
    let found = service(&mut guest, fuel::READ, |_, tee| {
        Ok(tee.personalization_names()?)
    })?;
    answer_names(&mut guest, found)
}
