//! Keys that never leave the TEE, and digests.

use tamarack_ta::interface::IMPORT_MODULE as TEE;
use wasmi::{Error, Linker};

use super::{Guest, Host, Range, answer, answer_names, code, fuel, name, service};
use crate::services::KeyAlgorithm;

pub(super) fn link(linker: &mut Linker<Host>) -> Result<(), Error> {
    linker
        .func_wrap(TEE, "key_generate", key_generate)?
        .func_wrap(TEE, "key_derive", key_derive)?
        .func_wrap(TEE, "key_agree", key_agree)?
        .func_wrap(TEE, "key_import", key_import)?
        .func_wrap(TEE, "key_public", key_public)?
        .func_wrap(TEE, "key_sign", key_sign)?
        .func_wrap(TEE, "key_verify", key_verify)?
        .func_wrap(TEE, "key_mac", key_mac)?
        .func_wrap(TEE, "key_mac_verify", key_mac_verify)?
        .func_wrap(TEE, "key_seal", key_seal)?
        .func_wrap(TEE, "key_open", key_open)?
        .func_wrap(TEE, "key_delete", key_delete)?
        .func_wrap(TEE, "key_list", key_list)?
        .func_wrap(TEE, "verify", verify)?
        .func_wrap(TEE, "digest", digest)?;
    Ok(())
}

/// Making a key and writing it.
const MAKE: u64 = fuel::SIGN + fuel::WRITE;

/// Reading a key and using it, over the bytes of `ranges`.
fn using<const N: usize>(units: u64, ranges: [Range; N]) -> u64 {
    ranges.iter().fold(fuel::READ + units, |sum, range| {
        sum.saturating_add(fuel::per(range.len, fuel::BYTE))
    })
}

fn key_generate(mut guest: Guest<'_>, at: u32, len: u32, algorithm: i32) -> Result<u32, Error> {
    let at = Range::new(at, len);
    let done = service(&mut guest, MAKE, |memory, tee| {
        Ok(tee.key_generate(name(at, memory)?, KeyAlgorithm::of(algorithm)?)?)
    })?;
    Ok(code(done))
}

fn key_derive(
    mut guest: Guest<'_>,
    at: u32,
    len: u32,
    algorithm: i32,
    info: u32,
    info_len: u32,
) -> Result<u32, Error> {
    let (at, info) = (Range::new(at, len), Range::new(info, info_len));
    let done = service(&mut guest, using(MAKE, [info]), |memory, tee| {
        let info = info.of(memory)?;
        Ok(tee.key_derive(name(at, memory)?, KeyAlgorithm::of(algorithm)?, info)?)
    })?;
    Ok(code(done))
}

#[expect(clippy::too_many_arguments, reason = "the interface has so many")]
fn key_agree(
    mut guest: Guest<'_>,
    at: u32,
    len: u32,
    algorithm: i32,
    own: u32,
    own_len: u32,
    peer: u32,
    peer_len: u32,
    info: u32,
    info_len: u32,
) -> Result<u32, Error> {
    let (at, own) = (Range::new(at, len), Range::new(own, own_len));
    let (peer, info) = (Range::new(peer, peer_len), Range::new(info, info_len));
    let done = service(&mut guest, using(MAKE, [peer, info]), |memory, tee| {
        let (peer, info) = (peer.of(memory)?, info.of(memory)?);
        let (at, own) = (name(at, memory)?, name(own, memory)?);
        Ok(tee.key_agree(at, KeyAlgorithm::of(algorithm)?, own, peer, info)?)
    })?;
    Ok(code(done))
}

fn key_import(
    mut guest: Guest<'_>,
    at: u32,
    len: u32,
    data: u32,
    data_len: u32,
) -> Result<u32, Error> {
    let (at, data) = (Range::new(at, len), Range::new(data, data_len));
    let done = service(&mut guest, using(MAKE, []), |memory, tee| {
        Ok(tee.key_import(name(at, memory)?, name(data, memory)?)?)
    })?;
    Ok(code(done))
}

fn key_public(mut guest: Guest<'_>, at: u32, len: u32) -> Result<u64, Error> {
    let at = Range::new(at, len);
    let found = service(&mut guest, fuel::READ, |memory, tee| {
        Ok(tee.key_public(name(at, memory)?)?)
    })?;
    answer(&mut guest, found)
}

fn key_sign(
    mut guest: Guest<'_>,
    at: u32,
    len: u32,
    data: u32,
    data_len: u32,
) -> Result<u64, Error> {
    let (at, data) = (Range::new(at, len), Range::new(data, data_len));
    let found = service(&mut guest, using(fuel::SIGN, [data]), |memory, tee| {
        let data = data.of(memory)?;
        Ok(tee.key_sign(name(at, memory)?, data)?)
    })?;
    answer(&mut guest, found)
}

fn key_verify(
    mut guest: Guest<'_>,
    at: u32,
    len: u32,
    data: u32,
    data_len: u32,
    signature: u32,
    signature_len: u32,
) -> Result<u32, Error> {
    let (at, data) = (Range::new(at, len), Range::new(data, data_len));
    let signature = Range::new(signature, signature_len);
    let price = using(fuel::SIGN, [data, signature]);
    let done = service(&mut guest, price, |memory, tee| {
        let (data, signature) = (data.of(memory)?, signature.of(memory)?);
        Ok(tee.key_verify(name(at, memory)?, data, signature)?)
    })?;
    Ok(code(done))
}

fn key_mac(
    mut guest: Guest<'_>,
    at: u32,
    len: u32,
    data: u32,
    data_len: u32,
) -> Result<u64, Error> {
    let (at, data) = (Range::new(at, len), Range::new(data, data_len));
    let found = service(&mut guest, using(0, [data]), |memory, tee| {
        let data = data.of(memory)?;
        Ok(tee.key_mac(name(at, memory)?, data)?)
    })?;
    answer(&mut guest, found)
}

fn key_mac_verify(
    mut guest: Guest<'_>,
    at: u32,
    len: u32,
    data: u32,
    data_len: u32,
    mac: u32,
    mac_len: u32,
) -> Result<u32, Error> {
    let (at, data) = (Range::new(at, len), Range::new(data, data_len));
    let mac = Range::new(mac, mac_len);
    let done = service(&mut guest, using(0, [data, mac]), |memory, tee| {
        let (data, mac) = (data.of(memory)?, mac.of(memory)?);
        Ok(tee.key_mac_verify(name(at, memory)?, data, mac)?)
    })?;
    Ok(code(done))
}

fn key_seal(
    mut guest: Guest<'_>,
    at: u32,
    len: u32,
    associated: u32,
    associated_len: u32,
    data: u32,
    data_len: u32,
) -> Result<u64, Error> {
    let (at, data) = (Range::new(at, len), Range::new(data, data_len));
    let associated = Range::new(associated, associated_len);
    let found = service(&mut guest, using(0, [associated, data]), |memory, tee| {
        let (associated, data) = (associated.of(memory)?, data.of(memory)?);
        Ok(tee.key_seal(name(at, memory)?, associated, data)?)
    })?;
    answer(&mut guest, found)
}

fn key_open(
    mut guest: Guest<'_>,
    at: u32,
    len: u32,
    associated: u32,
    associated_len: u32,
    data: u32,
    data_len: u32,
) -> Result<u64, Error> {
    let (at, data) = (Range::new(at, len), Range::new(data, data_len));
    let associated = Range::new(associated, associated_len);
    let found = service(&mut guest, using(0, [associated, data]), |memory, tee| {
        let (associated, data) = (associated.of(memory)?, data.of(memory)?);
        Ok(tee.key_open(name(at, memory)?, associated, data)?)
    })?;
    answer(&mut guest, found)
}

fn key_delete(mut guest: Guest<'_>, at: u32, len: u32) -> Result<u32, Error> {
    let at = Range::new(at, len);
    let done = service(&mut guest, fuel::WRITE, |memory, tee| {
        Ok(tee.key_delete(name(at, memory)?)?)
    })?;
    Ok(code(done))
}

fn key_list(mut guest: Guest<'_>) -> Result<u64, Error> {
    let found = service(&mut guest, fuel::READ, |_, tee| Ok(tee.key_names()?))?;
    answer_names(&mut guest, found)
}

fn verify(
    mut guest: Guest<'_>,
    key: u32,
    key_len: u32,
    data: u32,
    data_len: u32,
    signature: u32,
    signature_len: u32,
) -> Result<u32, Error> {
    let (key, data) = (Range::new(key, key_len), Range::new(data, data_len));
    let signature = Range::new(signature, signature_len);
    let price = using(fuel::SIGN, [key, data, signature]);
    let done = service(&mut guest, price, |memory, tee| {
        let (key, data) = (key.of(memory)?, data.of(memory)?);
        Ok(tee.verify(key, data, signature.of(memory)?)?)
    })?;
    Ok(code(done))
}

fn digest(mut guest: Guest<'_>, algorithm: i32, data: u32, data_len: u32) -> Result<u64, Error> {
    let data = Range::new(data, data_len);
    let price = fuel::per(data_len, fuel::BYTE);
    let found = service(&mut guest, price, |memory, tee| {
        Ok(tee.digest(algorithm, data.of(memory)?)?)
    })?;
    answer(&mut guest, found)
}
