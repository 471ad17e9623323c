//! The functions of the seam, answered here.

use alloc::{string::String, vec::Vec};

use sha2::Digest as _;

use super::{
    cose,
    keys::{self, Key},
    services, session,
    state::{Address, AfterCommit, Tee, Value, checked, with},
};
use crate::{
    ResultCode, cose as sign1,
    interface::{
        self, ALGORITHM_SHA_256, ALGORITHM_SHA_384, ALGORITHM_SHA_512, Client, MAX_LOG_LEN,
    },
};

/// Claims of the token (RFC 9711), and their labels.
mod claim {
    pub(super) const IAT: u64 = 6;
    pub(super) const CNF: u64 = 8;
    pub(super) const NONCE: u64 = 10;
    pub(super) const UEID: u64 = 256;
    pub(super) const SUBMODS: u64 = 266;
    pub(super) const MEASUREMENTS: u64 = 273;
    /// For private use.
    pub(super) const SECURITY_DOMAIN: i64 = -70_001;
}

pub(crate) fn input_read(out: &mut [u8]) -> Result<usize, ResultCode> {
    with(|tee| match tee.calls.last_mut() {
        Some(call) => call.input.read(out),
        None => Ok(0),
    })
}

pub(crate) fn output_write(bytes: &[u8]) -> Result<(), ResultCode> {
    with(|tee| {
        let call = tee.calls.last_mut().ok_or(ResultCode::BAD_STATE)?;
        call.output.extend_from_slice(bytes);
        Ok(())
    })
}

pub(crate) fn client() -> Result<Vec<u8>, ResultCode> {
    with(|tee| {
        let client = tee.calls.last().map(|call| &call.client);
        Ok(interface::encode_client(client.unwrap_or(&Client::Unknown)))
    })
}

pub(crate) fn cancelled() -> bool {
    with(|tee| match &mut tee.cancel_after {
        Some(0) => true,
        Some(polls) => {
            *polls -= 1;
            false
        }
        None => false,
    })
}

pub(crate) fn commit() -> Result<(), ResultCode> {
    match with(Tee::commit_early)? {
        AfterCommit::GoesOn => Ok(()),
        AfterCommit::Ends => session::end(),
    }
}

/// Changes an object, or makes one of `None`.
fn change_object(
    storage: u32,
    name: &str,
    change: impl FnOnce(Option<Vec<u8>>) -> Result<Vec<u8>, ResultCode>,
) -> Result<(), ResultCode> {
    with(|tee| {
        let address = tee.object(storage, name)?;
        let changed = change(object_at(tee, &address))?;
        tee.set(address, Some(Value::Object(changed)));
        Ok(())
    })
}

fn object_at(tee: &Tee, address: &Address) -> Option<Vec<u8>> {
    match tee.get(address) {
        Some(Value::Object(data)) => Some(data.clone()),
        _ => None,
    }
}

pub(crate) fn object_read(storage: u32, name: &str) -> Result<Vec<u8>, ResultCode> {
    with(|tee| {
        let address = tee.object(storage, name)?;
        object_at(tee, &address).ok_or(ResultCode::ITEM_NOT_FOUND)
    })
}

pub(crate) fn object_size(storage: u32, name: &str) -> Result<u64, ResultCode> {
    let data = object_read(storage, name)?;
    u64::try_from(data.len()).map_err(|_| ResultCode::OVERFLOW)
}

pub(crate) fn object_read_at(
    storage: u32,
    name: &str,
    offset: u64,
    len: usize,
) -> Result<Vec<u8>, ResultCode> {
    let data = object_read(storage, name)?;
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    Ok(data.into_iter().skip(offset).take(len).collect())
}

pub(crate) fn object_create(storage: u32, name: &str, data: &[u8]) -> Result<(), ResultCode> {
    change_object(storage, name, |before| match before {
        None => Ok(data.into()),
        Some(_) => Err(ResultCode::ACCESS_CONFLICT),
    })
}

pub(crate) fn object_write(storage: u32, name: &str, data: &[u8]) -> Result<(), ResultCode> {
    change_object(storage, name, |_| Ok(data.into()))
}

/// The most bytes of an object here: what a quota would refuse anyway is not tried.
const MAX_OBJECT: u64 = 1 << 30;

fn size_of(bytes: u64) -> Result<usize, ResultCode> {
    match usize::try_from(bytes) {
        Ok(size) if bytes <= MAX_OBJECT => Ok(size),
        _ => Err(ResultCode::STORAGE_NO_SPACE),
    }
}

pub(crate) fn object_write_at(
    storage: u32,
    name: &str,
    offset: u64,
    data: &[u8],
) -> Result<(), ResultCode> {
    change_object(storage, name, |before| {
        let mut object = before.ok_or(ResultCode::ITEM_NOT_FOUND)?;
        let len = u64::try_from(data.len()).ok();
        let end = len.and_then(|len| offset.checked_add(len));
        let end = size_of(end.ok_or(ResultCode::OVERFLOW)?)?;
        let start = size_of(offset)?;
        object.resize(end.max(object.len()), 0);
        if let Some(place) = object.get_mut(start..end) {
            place.copy_from_slice(data);
        }
        Ok(object)
    })
}

pub(crate) fn object_truncate(storage: u32, name: &str, size: u64) -> Result<(), ResultCode> {
    change_object(storage, name, |before| {
        let mut object = before.ok_or(ResultCode::ITEM_NOT_FOUND)?;
        object.resize(size_of(size)?, 0);
        Ok(object)
    })
}

pub(crate) fn object_rename(storage: u32, name: &str, new: &str) -> Result<(), ResultCode> {
    with(|tee| {
        let (from, to) = (tee.object(storage, name)?, tee.object(storage, new)?);
        let data = object_at(tee, &from).ok_or(ResultCode::ITEM_NOT_FOUND)?;
        if tee.get(&to).is_some() {
            return Err(ResultCode::ACCESS_CONFLICT);
        }
        tee.set(from, None);
        tee.set(to, Some(Value::Object(data)));
        Ok(())
    })
}

fn delete(tee: &mut Tee, address: Address) -> Result<(), ResultCode> {
    match tee.get(&address) {
        Some(_) => {
            tee.set(address, None);
            Ok(())
        }
        None => Err(ResultCode::ITEM_NOT_FOUND),
    }
}

pub(crate) fn object_delete(storage: u32, name: &str) -> Result<(), ResultCode> {
    with(|tee| {
        let address = tee.object(storage, name)?;
        delete(tee, address)
    })
}

pub(crate) fn object_list(storage: u32) -> Result<Vec<u8>, ResultCode> {
    with(|tee| tee.object_names(storage))
}

pub(crate) fn personalization_read(name: &str) -> Result<Vec<u8>, ResultCode> {
    with(|tee| {
        let of = (tee.application().into(), checked(name)?.into());
        let data = tee.personalization.get(&of).cloned();
        data.ok_or(ResultCode::ITEM_NOT_FOUND)
    })
}

pub(crate) fn personalization_list() -> Result<Vec<u8>, ResultCode> {
    with(|tee| {
        let names = tee.personalization.keys();
        let own = names.filter(|(application, _)| application == tee.application());
        Ok(interface::encode_names(own.map(|(_, name)| name.as_str())))
    })
}

/// Keeps a key under a name that has none.
fn keep_key(name: &str, key: Key) -> Result<(), ResultCode> {
    with(|tee| {
        let address = tee.key(name)?;
        if tee.get(&address).is_some() {
            return Err(ResultCode::ACCESS_CONFLICT);
        }
        tee.set(address, Some(Value::Key(key)));
        Ok(())
    })
}

fn key(name: &str) -> Result<Key, ResultCode> {
    with(|tee| match tee.get(&tee.key(name)?) {
        Some(Value::Key(key)) => Ok(key.clone()),
        _ => Err(ResultCode::ITEM_NOT_FOUND),
    })
}

pub(crate) fn key_generate(name: &str, algorithm: i32) -> Result<(), ResultCode> {
    keep_key(checked(name)?, Key::generate(algorithm)?)
}

pub(crate) fn key_derive(name: &str, algorithm: i32, info: &[u8]) -> Result<(), ResultCode> {
    let name = checked(name)?;
    let secret = with(|tee| keys::derive(&tee.root, &[tee.application().as_bytes()]));
    let derived = keys::derive(&secret, &[&algorithm.to_be_bytes(), info]);
    keep_key(name, Key::symmetric(algorithm, &derived)?)
}

pub(crate) fn key_agree(
    name: &str,
    algorithm: i32,
    own: &str,
    peer: &[u8],
    info: &[u8],
) -> Result<(), ResultCode> {
    let name = checked(name)?;
    keep_key(name, key(own)?.agree(algorithm, peer, info)?)
}

pub(crate) fn key_import(name: &str, personalization: &str) -> Result<(), ResultCode> {
    let name = checked(name)?;
    keep_key(
        name,
        Key::from_cose_key(&personalization_read(personalization)?)?,
    )
}

pub(crate) fn key_public(name: &str) -> Result<Vec<u8>, ResultCode> {
    key(name)?.public_key()
}

pub(crate) fn key_sign(name: &str, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    key(name)?.sign(data)
}

pub(crate) fn key_verify(name: &str, data: &[u8], signature: &[u8]) -> Result<(), ResultCode> {
    key(name)?.verify(data, signature)
}

pub(crate) fn key_mac(name: &str, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    key(name)?.mac(data)
}

pub(crate) fn key_mac_verify(name: &str, data: &[u8], mac: &[u8]) -> Result<(), ResultCode> {
    key(name)?.mac_verify(data, mac)
}

pub(crate) fn key_seal(name: &str, associated: &[u8], data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    key(name)?.seal(associated, data)
}

pub(crate) fn key_open(name: &str, associated: &[u8], data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    key(name)?.open(associated, data)
}

pub(crate) fn key_delete(name: &str) -> Result<(), ResultCode> {
    with(|tee| {
        let address = tee.key(name)?;
        delete(tee, address)
    })
}

pub(crate) fn key_list() -> Result<Vec<u8>, ResultCode> {
    Ok(with(|tee| tee.key_names()))
}

pub(crate) fn verify(key: &[u8], data: &[u8], signature: &[u8]) -> Result<(), ResultCode> {
    keys::verify(key, data, signature)
}

pub(crate) fn digest(algorithm: i32, data: &[u8]) -> Result<Vec<u8>, ResultCode> {
    match algorithm {
        ALGORITHM_SHA_256 => Ok(sha2::Sha256::digest(data).to_vec()),
        ALGORITHM_SHA_384 => Ok(sha2::Sha384::digest(data).to_vec()),
        ALGORITHM_SHA_512 => Ok(sha2::Sha512::digest(data).to_vec()),
        _ => Err(ResultCode::NOT_SUPPORTED),
    }
}

pub(crate) fn attest(nonce: &[u8], key_name: &str) -> Result<Vec<u8>, ResultCode> {
    if !(8..=64).contains(&nonce.len()) {
        return Err(ResultCode::BAD_PARAMETERS);
    }
    let key = match key_name {
        "" => None,
        name => match key(name)? {
            key @ (Key::Esp256(_) | Key::Ed25519(_)) => Some(key.public_key()?),
            _ => return Err(ResultCode::BAD_STATE),
        },
    };
    with(|tee| {
        // A random UEID (RFC 9711 section 4.2.1).
        let ueid = [&[1], &tee.device[..]].concat();
        let application = cose::write(|w| {
            w.map(2 + u64::from(key.is_some()))?;
            if let Some(key) = &key {
                // { 1 (COSE_Key): key }
                w.u64(claim::CNF)?.map(1)?.u64(1)?;
                w.writer_mut().extend_from_slice(key);
            }
            w.u64(claim::MEASUREMENTS)?.array(1)?;
            w.array(2)?
                .u64(COSWID)?
                .bytes(&measurement(tee.application()))?;
            w.i64(claim::SECURITY_DOMAIN)?.str(tee.domain())?;
            Ok(())
        });
        let claims = cose::write(|w| {
            w.map(4)?.u64(claim::IAT)?.u64(tee.clock.now())?;
            w.u64(claim::NONCE)?.bytes(nonce)?;
            w.u64(claim::UEID)?.bytes(&ueid)?;
            w.u64(claim::SUBMODS)?.map(1)?.str(tee.application())?;
            w.writer_mut().extend_from_slice(&application);
            Ok(())
        });
        // { 1 (alg): -9 (ESP256) }
        let protected = [0xA1, 0x01, 0x28];
        let signed = sign1::to_be_signed(&protected, &claims);
        let signature = tee.attester.sign(&signed)?;
        Ok(sign1::message(&protected, &claims, &signature))
    })
}

/// The content format of a measurement.
const COSWID: u64 = 600;

/// What runs as the application, in version 1. As there is no code that could be hashed, its digest is zeros.
fn measurement(name: &str) -> Vec<u8> {
    cose::write(|w| {
        w.map(2)?.u8(1)?.array(2)?.str(name)?;
        // Version scheme 1: multipart numeric (RFC 9393).
        w.array(2)?.str("1")?.u8(1)?;
        w.u8(2)?.array(2)?.u8(1)?.bytes(&[0; 32])?;
        Ok(())
    })
}

pub(crate) fn call(service: &str, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode> {
    services::call(service, command, input)
}

pub(crate) fn random(out: &mut [u8]) {
    keys::fill(out);
}

pub(crate) fn time() -> u64 {
    with(|tee| tee.clock.now())
}

pub(crate) fn time_system() -> u64 {
    let milliseconds = with(|tee| tee.clock.system()).as_millis();
    u64::try_from(milliseconds).unwrap_or(u64::MAX)
}

pub(crate) fn time_persistent() -> Result<Vec<u8>, ResultCode> {
    with(|tee| {
        let Some(Value::Time { set, at }) = tee.get(&tee.persistent_time()) else {
            return Err(ResultCode::TIME_NOT_SET);
        };
        let passed = tee.clock.now().checked_sub(*at);
        let passed = passed.ok_or(ResultCode::TIME_NEEDS_RESET)?;
        let now = set.checked_add(passed).ok_or(ResultCode::OVERFLOW)?;
        Ok(now.to_be_bytes().into())
    })
}

pub(crate) fn time_persistent_set(seconds: u64) -> Result<(), ResultCode> {
    with(|tee| {
        let at = tee.clock.now();
        let value = Value::Time { set: seconds, at };
        tee.set(tee.persistent_time(), Some(value));
    });
    Ok(())
}

pub(crate) fn log(text: &str) {
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    while line.len() > MAX_LOG_LEN {
        line.pop();
    }
    with(|tee| tee.log.push(line));
}
