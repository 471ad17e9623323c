//! What several attempts are made of.

use tamarack_ta::{
    ResultCode, Vec, format,
    interface::{
        ALGORITHM_ECDH_P256, ALGORITHM_ECDH_X25519, ALGORITHM_ESP256, ALGORITHM_HMAC_256,
        ALGORITHM_SHA_256, Answer, STORAGE_PRIVATE,
    },
};

use crate::{Outcome, raw};

/// The address and the length of a slice.
pub(crate) fn at(bytes: &[u8]) -> (u32, u32) {
    (bytes.as_ptr() as u32, bytes.len() as u32)
}

/// What an import made of an attempt that answers a code only.
pub(crate) fn done(code: u32) -> Outcome {
    match ResultCode(code) {
        ResultCode::SUCCESS => Outcome::Succeeded(Vec::new()),
        code => Outcome::Refused(code),
    }
}

/// What an import made of an attempt that lays something on the tray.
pub(crate) fn fetched(answer: u64) -> Outcome {
    let answer = Answer::from_bits(answer);
    if answer.code != ResultCode::SUCCESS {
        return Outcome::Refused(answer.code);
    }
    let mut loot = Vec::new();
    loot.resize(answer.len as usize, 0);
    let (to, len) = at(&loot);
    match ResultCode(raw::take(to, len)) {
        ResultCode::SUCCESS => Outcome::Succeeded(loot),
        code => Outcome::Refused(code),
    }
}

/// An attempt that may go through, as it harms only who makes it.
pub(crate) fn harmless(_: impl Sized) -> Outcome {
    Outcome::Nothing
}

/// An attempt that succeeded if `loot` is not empty.
pub(crate) fn nothing_in(loot: Vec<u8>) -> Outcome {
    match loot.is_empty() {
        true => Outcome::Nothing,
        false => Outcome::Succeeded(loot),
    }
}

/// The first of the attempts that succeeded; if none did, the last.
pub(crate) fn all(attempts: impl IntoIterator<Item = Outcome>) -> Outcome {
    let mut last = Outcome::Nothing;
    for outcome in attempts {
        if let Outcome::Succeeded(_) = outcome {
            return outcome;
        }
        last = outcome;
    }
    last
}

pub(crate) fn read(storage: u32, name: &[u8]) -> Outcome {
    let (name, len) = at(name);
    fetched(raw::object_read(storage, name, len))
}

pub(crate) fn write(name: &[u8], data: &[u8]) -> u32 {
    let ((name, name_len), (data, data_len)) = (at(name), at(data));
    raw::object_write(STORAGE_PRIVATE, name, name_len, data, data_len)
}

pub(crate) fn delete(name: &[u8]) -> u32 {
    let (name, len) = at(name);
    raw::object_delete(STORAGE_PRIVATE, name, len)
}

/// Writes an object of its own under such a name and deletes it again: whoever else has one of that name keeps it.
pub(crate) fn own(name: &[u8]) -> Outcome {
    match ResultCode(write(name, b"mine now")) {
        ResultCode::SUCCESS => harmless(delete(name)),
        // A TEE may refuse names; it need not.
        _ => Outcome::Nothing,
    }
}

pub(crate) fn personalization(name: &[u8]) -> Outcome {
    let (name, len) = at(name);
    fetched(raw::personalization_read(name, len))
}

pub(crate) fn sign(name: &[u8]) -> Outcome {
    let ((name, name_len), (data, data_len)) = (at(name), at(b"a contract"));
    fetched(raw::key_sign(name, name_len, data, data_len))
}

pub(crate) fn mac(name: &[u8]) -> Outcome {
    let ((name, name_len), (data, data_len)) = (at(name), at(b"a contract"));
    fetched(raw::key_mac(name, name_len, data, data_len))
}

pub(crate) fn seal(name: &[u8]) -> Outcome {
    let ((name, name_len), (data, data_len)) = (at(name), at(b"a secret"));
    fetched(raw::key_seal(name, name_len, 0, 0, data, data_len))
}

pub(crate) fn unseal(name: &[u8], sealed: &[u8]) -> Outcome {
    let ((name, name_len), (data, data_len)) = (at(name), at(sealed));
    fetched(raw::key_open(name, name_len, 0, 0, data, data_len))
}

pub(crate) fn public(name: &[u8]) -> Outcome {
    let (name, len) = at(name);
    fetched(raw::key_public(name, len))
}

pub(crate) fn generate(name: &[u8], algorithm: i32) -> u32 {
    let (name, len) = at(name);
    raw::key_generate(name, len, algorithm)
}

/// Does something with a fresh key of its own, which is then deleted.
pub(crate) fn with_key(algorithm: i32, attempt: impl FnOnce(&[u8]) -> Outcome) -> Outcome {
    let name = b"attacker's";
    let made = ResultCode(generate(name, algorithm));
    if made != ResultCode::SUCCESS {
        return Outcome::Refused(made);
    }
    let outcome = attempt(name);
    let (name, len) = at(name);
    raw::key_delete(name, len);
    outcome
}

/// Agrees with a public key of the attacker's choice.
pub(crate) fn agree(own: &[u8], algorithm: i32, peer: &[u8]) -> Outcome {
    let ((name, name_len), (own, own_len), (peer, peer_len)) = (at(b"agreed"), at(own), at(peer));
    done(raw::key_agree(
        name, name_len, algorithm, own, own_len, peer, peer_len, 0, 0,
    ))
}

/// A point of small order on Curve25519, which makes every secret the same.
pub(crate) fn agree_with_zero() -> Outcome {
    let peer = [&[0xA3, 1, 1, 0x20, 4, 0x21, 0x58, 32][..], &[0; 32]].concat();
    with_key(ALGORITHM_ECDH_X25519, |own| {
        agree(own, ALGORITHM_HMAC_256, &peer)
    })
}

/// A point that is not on P-256, which would tell the private key bit by bit.
pub(crate) fn agree_off_the_curve() -> Outcome {
    let head = &[0xA4, 1, 2, 0x20, 1, 0x21, 0x58, 32][..];
    let peer = [head, &[1; 32], &[0x22, 0x58, 32], &[2; 32]].concat();
    with_key(ALGORITHM_ECDH_P256, |own| {
        agree(own, ALGORITHM_HMAC_256, &peer)
    })
}

pub(crate) fn call(service: &[u8], command: u32, input: &[u8]) -> Outcome {
    let ((service, service_len), (input, input_len)) = (at(service), at(input));
    fetched(raw::call(service, service_len, command, input, input_len))
}

pub(crate) fn attest(nonce: &[u8], key: &[u8]) -> Outcome {
    let ((nonce, nonce_len), (key, key_len)) = (at(nonce), at(key));
    fetched(raw::attest(nonce, nonce_len, key, key_len))
}

/// Lays `len` bytes on the tray, which are its own.
pub(crate) fn fill_tray(len: usize) {
    let mut data = Vec::new();
    data.resize(len, 7);
    write(b"tray", &data);
    let (name, name_len) = at(b"tray");
    raw::object_read(STORAGE_PRIVATE, name, name_len);
    // The tray is full; deleting lays nothing on it.
    delete(b"tray");
}

/// Takes `len` bytes from the tray.
pub(crate) fn take(len: usize) -> Outcome {
    let mut loot = Vec::new();
    loot.resize(len, 0);
    let (to, len) = at(&loot);
    match ResultCode(raw::take(to, len)) {
        ResultCode::SUCCESS => Outcome::Succeeded(loot),
        code => Outcome::Refused(code),
    }
}

/// The first bytes in fresh memory that somebody left there.
pub(crate) fn leftovers() -> Outcome {
    let Some(start) = raw::grow(4) else {
        return Outcome::Nothing;
    };
    nothing_in(
        (start..raw::memory_len())
            .map(raw::peek)
            .filter(|byte| *byte != 0)
            .collect(),
    )
}

/// Does it until it is refused.
pub(crate) fn until_refused(attempt: impl Fn(u32) -> u32) -> Outcome {
    (0..u32::MAX)
        .map(|number| ResultCode(attempt(number)))
        .find(|code| *code != ResultCode::SUCCESS)
        .map_or(Outcome::Nothing, Outcome::Refused)
}

pub(crate) fn fill_storage() -> Outcome {
    let mut data = Vec::new();
    data.resize(1 << 20, 0x5A);
    until_refused(|number| write(format!("filler {number}").as_bytes(), &data))
}

pub(crate) fn fill_names() -> Outcome {
    until_refused(|number| write(format!("name {number}").as_bytes(), b""))
}

pub(crate) fn fill_keys() -> Outcome {
    until_refused(|number| generate(format!("key {number}").as_bytes(), ALGORITHM_ESP256))
}

/// Commits before each part that would be too much; what is kept then is deleted again.
pub(crate) fn fill_storage_by_commits() -> Outcome {
    let mut data = Vec::new();
    data.resize(1 << 20, 0x5A);
    let name = |number: u32| format!("committed {number}");
    let outcome = until_refused(|number| match write(name(number).as_bytes(), &data) {
        0 => raw::commit(),
        refused => refused,
    });
    (0..u32::MAX).find(|number| delete(name(*number).as_bytes()) != 0);
    outcome
}

/// Where [`commit_in_migration`] notes what it was answered.
const MIGRATION: &[u8] = b"migration";

/// Commits while it migrates. The answer is stored for the attempt that tells of it.
pub(crate) fn commit_in_migration() {
    let code = raw::commit();
    write(MIGRATION, &code.to_be_bytes());
}

/// What [`commit_in_migration`] was answered.
pub(crate) fn committed_in_migration() -> Outcome {
    match read(STORAGE_PRIVATE, MIGRATION) {
        Outcome::Succeeded(code) => match code.try_into() {
            Ok(code) => done(u32::from_be_bytes(code)),
            Err(odd) => Outcome::Succeeded(odd),
        },
        refused => refused,
    }
}

/// Has the storage written for ever.
pub(crate) fn commit_for_ever() -> Outcome {
    loop {
        write(b"committed", b"x");
        raw::commit();
    }
}

pub(crate) fn recurse(depth: u32) -> u32 {
    match core::hint::black_box(depth) {
        0 => 0,
        depth => recurse(depth.wrapping_add(1)).wrapping_mul(3) ^ depth,
    }
}

pub(crate) fn run_for_ever() -> Outcome {
    loop {
        core::hint::black_box(raw::memory_len());
    }
}

pub(crate) fn digest_for_ever() -> Outcome {
    loop {
        raw::digest(ALGORITHM_SHA_256, 0, raw::memory_len());
    }
}

/// Grows the memory for as long as that is allowed.
pub(crate) fn grow_for_ever() -> Outcome {
    for _ in 0..=65_536 {
        if raw::grow(16).is_none() {
            return Outcome::Refused(ResultCode::OUT_OF_MEMORY);
        }
    }
    Outcome::Succeeded(Vec::new())
}

/// Looks whether the time ever goes back, and tries to set it.
pub(crate) fn turn_back_time() -> Outcome {
    let mut latest = raw::time();
    raw::time_persistent_set(0);
    for _ in 0..100 {
        let now = raw::time();
        if now < latest {
            return Outcome::Succeeded(now.to_be_bytes().into());
        }
        latest = now;
    }
    Outcome::Nothing
}

/// Goes on after it was cancelled, and writes what it should not.
pub(crate) fn ignore_cancellation() -> Outcome {
    loop {
        let cancelled = raw::cancelled();
        write(b"after the end", &cancelled.to_be_bytes());
    }
}

/// Writes over what the TEE said about the client, and asks again.
pub(crate) fn forge_client() -> Outcome {
    let Outcome::Succeeded(mut first) = fetched(raw::client()) else {
        return Outcome::Nothing;
    };
    let honest = first.clone();
    first.clear();
    first.extend_from_slice(&[2, 4]);
    first.extend_from_slice(b"acmeacme/vault");
    raw::output(at(&first).0, at(&first).1);
    match fetched(raw::client()) {
        Outcome::Succeeded(second) if second != honest => Outcome::Succeeded(second),
        _ => Outcome::Nothing,
    }
}

pub(crate) fn log_lines(lines: u32) {
    for number in 0..lines {
        let line = format!("flood {number}");
        let (text, len) = at(line.as_bytes());
        raw::log(text, len);
    }
}
