use alloc::{
    collections::BTreeMap,
    string::{String, ToString},
    vec::Vec,
};
use core::cell::RefCell;
use std::{
    thread_local,
    time::{SystemTime, UNIX_EPOCH},
};

use p256::ecdsa::{Signature, SigningKey, signature::Signer};

use crate::{
    ResultCode,
    interface::{self, ALGORITHM_ESP256, MAX_LOG_LEN},
};

thread_local! {
    static TEE: RefCell<Tee> = RefCell::default();
}

#[derive(Default)]
pub(super) struct Tee {
    pub(super) stored: Stored,
    pub(super) personalization: BTreeMap<String, Vec<u8>>,
    pub(super) log: Vec<String>,
    pub(super) time: Option<u64>,
}

/// What a transaction covers.
#[derive(Default, Clone)]
pub(super) struct Stored {
    objects: BTreeMap<String, Vec<u8>>,
    keys: BTreeMap<String, SigningKey>,
}

pub(super) fn with<R>(use_it: impl FnOnce(&mut Tee) -> R) -> R {
    TEE.with_borrow_mut(use_it)
}

fn checked(name: &str) -> Result<&str, ResultCode> {
    if interface::is_valid_name(name) {
        Ok(name)
    } else {
        Err(ResultCode::BAD_PARAMETERS)
    }
}

fn with_key<R>(name: &str, use_it: impl FnOnce(&SigningKey) -> R) -> Result<R, ResultCode> {
    let name = checked(name)?;
    with(|tee| tee.stored.keys.get(name).map(use_it)).ok_or(ResultCode::ITEM_NOT_FOUND)
}

pub(crate) fn object_read(name: &str) -> Result<Vec<u8>, ResultCode> {
    let name = checked(name)?;
    with(|tee| tee.stored.objects.get(name).cloned()).ok_or(ResultCode::ITEM_NOT_FOUND)
}

pub(crate) fn object_write(name: &str, data: &[u8]) -> Result<(), ResultCode> {
    let name = checked(name)?;
    with(|tee| tee.stored.objects.insert(name.into(), data.into()));
    Ok(())
}

pub(crate) fn object_delete(name: &str) -> Result<(), ResultCode> {
    let name = checked(name)?;
    with(|tee| tee.stored.objects.remove(name)).ok_or(ResultCode::ITEM_NOT_FOUND)?;
    Ok(())
}

pub(crate) fn object_list() -> Result<Vec<u8>, ResultCode> {
    Ok(with(|tee| {
        interface::encode_names(tee.stored.objects.keys().map(String::as_str))
    }))
}

pub(crate) fn personalization_read(name: &str) -> Result<Vec<u8>, ResultCode> {
    let name = checked(name)?;
    with(|tee| tee.personalization.get(name).cloned()).ok_or(ResultCode::ITEM_NOT_FOUND)
}

pub(crate) fn key_generate(name: &str, algorithm: i32) -> Result<(), ResultCode> {
    let name = checked(name)?;
    if algorithm != ALGORITHM_ESP256 {
        return Err(ResultCode::NOT_SUPPORTED);
    }
    // Not every 32 bytes are a P-256 private key, but all except about one in 2^32 are.
    let key = loop {
        let mut secret = [0; 32];
        random(&mut secret);
        if let Ok(key) = SigningKey::from_slice(&secret) {
            break key;
        }
    };
    with(|tee| match tee.stored.keys.contains_key(name) {
        true => Err(ResultCode::ACCESS_CONFLICT),
        false => {
            tee.stored.keys.insert(name.into(), key);
            Ok(())
        }
    })
}

pub(crate) fn key_public(name: &str) -> Result<Vec<u8>, ResultCode> {
    with_key(name, |key| {
        let point = key.verifying_key().to_sec1_point(false);
        // { 1 (kty): 2 (EC2), -1 (crv): 1 (P-256), -2: x, -3: y }
        let mut cose_key = Vec::from([0xA4, 0x01, 0x02, 0x20, 0x01]);
        for (label, coordinate) in [(0x21, point.x()), (0x22, point.y())] {
            cose_key.extend_from_slice(&[label, 0x58, 32]);
            cose_key.extend_from_slice(coordinate.map(AsRef::as_ref).unwrap_or_default());
        }
        cose_key
    })
}

pub(crate) fn key_sign(name: &str, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    with_key(name, |key| {
        let signature: Signature = key.try_sign(data).map_err(|_| ResultCode::GENERIC)?;
        Ok(signature.to_vec())
    })?
}

pub(crate) fn key_delete(name: &str) -> Result<(), ResultCode> {
    let name = checked(name)?;
    with(|tee| tee.stored.keys.remove(name)).ok_or(ResultCode::ITEM_NOT_FOUND)?;
    Ok(())
}

#[expect(
    clippy::panic,
    reason = "as the real one: a TA does not survive a failure of randomness"
)]
pub(crate) fn random(out: &mut [u8]) {
    if let Err(error) = getrandom::fill(out) {
        panic!("the system has no randomness to give: {error}");
    }
}

pub(crate) fn time() -> u64 {
    with(|tee| tee.time).unwrap_or_else(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    })
}

pub(crate) fn log(text: &str) {
    let mut line = text.to_string();
    while line.len() > MAX_LOG_LEN {
        line.pop();
    }
    with(|tee| tee.log.push(line));
}
