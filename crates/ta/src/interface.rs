//! The contract between a TA and the TEE: ABI version 1.
//!
//! A TA written in Rust needs nothing of this module; TEEs and SDKs for other languages do. `examples/c` holds a C
//! header of the same contract.
//!
//! Within one version, imports and optional exports are added, and none is changed or taken away. A TEE refuses to
//! install a TA that imports what it does not offer, so a TA never finds out at run time.
//!
//! # What a TA exports
//!
//! | Export | Type | Meaning |
//! |---|---|---|
//! | `memory` | memory | the TA's only memory |
//! | `tee_abi_v1` | `() -> ()` | never called; its name states the ABI version |
//! | `tee_create` | `() -> i32` | create the instance |
//! | `tee_open_session` | `(input_len: i32) -> i32` | open the session |
//! | `tee_invoke_command` | `(command: i32, input_len: i32) -> i32` | handle a command |
//! | `tee_close_session` | `() -> ()` | close the session |
//! | `tee_destroy` | `() -> ()` | end the instance |
//! | `tee_migrate` | `(input_len: i32) -> i32` | optional: bring what is stored up to date |
//!
//! The `i32` results are [result codes](crate::ResultCode). Other exports are allowed and ignored.
//!
//! `tee_migrate` is called in an instance of its own, between its `tee_create` and `tee_destroy`, before the first
//! session after the TA was installed or updated. Its input is empty after an installation; after an update, it is the
//! sequence number of the manifest whose code ran last, 8 bytes, big-endian. It is a transaction like a command. If it
//! fails, no session opens, and it is called again at the next attempt.
//!
//! # What a TA may import, all from module `tee`
//!
//! | Import | Type |
//! |---|---|
//! | `take` | `(to, len) -> i32` |
//! | `output` | `(from, len) -> i32` |
//! | `input_read` | `(to, len) -> i64` |
//! | `output_write` | `(from, len) -> i32` |
//! | `client` | `() -> i64` |
//! | `cancelled` | `() -> i32` |
//! | `commit` | `() -> i32` |
//! | `object_create` | `(storage, name, name_len, data, data_len) -> i32` |
//! | `object_size` | `(storage, name, name_len) -> i64` |
//! | `object_read` | `(storage, name, name_len) -> i64` |
//! | `object_read_at` | `(storage, name, name_len, offset, len) -> i64` |
//! | `object_write` | `(storage, name, name_len, data, data_len) -> i32` |
//! | `object_write_at` | `(storage, name, name_len, offset, data, data_len) -> i32` |
//! | `object_truncate` | `(storage, name, name_len, size) -> i32` |
//! | `object_rename` | `(storage, name, name_len, new, new_len) -> i32` |
//! | `object_delete` | `(storage, name, name_len) -> i32` |
//! | `object_list` | `(storage) -> i64` |
//! | `personalization_read` | `(name, name_len) -> i64` |
//! | `personalization_list` | `() -> i64` |
//! | `key_generate` | `(name, name_len, algorithm) -> i32` |
//! | `key_derive` | `(name, name_len, algorithm, info, info_len) -> i32` |
//! | `key_agree` | `(name, name_len, algorithm, own, own_len, peer, peer_len, info, info_len) -> i32` |
//! | `key_import` | `(name, name_len, personalization, personalization_len) -> i32` |
//! | `key_public` | `(name, name_len) -> i64` |
//! | `key_sign` | `(name, name_len, data, data_len) -> i64` |
//! | `key_verify` | `(name, name_len, data, data_len, signature, signature_len) -> i32` |
//! | `key_mac` | `(name, name_len, data, data_len) -> i64` |
//! | `key_mac_verify` | `(name, name_len, data, data_len, mac, mac_len) -> i32` |
//! | `key_seal` | `(name, name_len, associated, associated_len, data, data_len) -> i64` |
//! | `key_open` | `(name, name_len, associated, associated_len, data, data_len) -> i64` |
//! | `key_delete` | `(name, name_len) -> i32` |
//! | `key_list` | `() -> i64` |
//! | `verify` | `(key, key_len, data, data_len, signature, signature_len) -> i32` |
//! | `digest` | `(algorithm, data, data_len) -> i64` |
//! | `attest` | `(nonce, nonce_len, key, key_len) -> i64` |
//! | `call` | `(service, service_len, command, input, input_len) -> i64` |
//! | `random` | `(to, len) -> ()` |
//! | `time` | `() -> i64` |
//! | `time_system` | `() -> i64` |
//! | `time_persistent` | `() -> i64` |
//! | `time_persistent_set` | `(seconds: i64) -> i32` |
//! | `log` | `(text, len) -> ()` |
//!
//! Parameters are `i32` where nothing else is said; `offset`, `size` and `seconds` are `i64`. Addresses, lengths,
//! offsets and sizes are unsigned. A range that is not inside the TA's memory is a programming error and traps: the
//! session dies.
//!
//! # Bytes into the TA
//!
//! The TEE never writes into a TA's memory unasked. It lays the bytes on a tray and tells their length: as
//! `input_len`, or in an `i64` answer. The TA makes room and calls `take` with that length, which empties
//! the tray; [`BAD_PARAMETERS`](crate::ResultCode::BAD_PARAMETERS) if the lengths differ. Every call that answers `i64`
//! replaces what lies on the tray.
//!
//! An `i64` answer holds a [result code](crate::ResultCode) in its upper and a length in its lower half:
//! see [`Answer`]. There are three exceptions: `input_read` has written the bytes to `to` already, `object_size` tells
//! a size, and neither lays anything on the tray; `time` and `time_system` answer plain numbers, the one seconds since
//! 1970, the other milliseconds since some moment, which never go back while the session is open. `time_persistent` lays
//! 8 bytes on the tray, seconds, big-endian.
//!
//! Where input is streamed to a command, its `input_len` is 0. `input_read` waits for the next bytes, and reads at most
//! `len` of them; none are left once it reads 0. It answers [`CANCEL`](crate::ResultCode::CANCEL) if nobody sends them any
//! more.
//!
//! # Bytes out of the TA
//!
//! `output` sets the output of the running command; a second call replaces the first. It is
//! delivered only if the command returns success. `output_write` appends to it instead; where output is streamed, what
//! it appends leaves the TEE at once, whatever the command returns later.
//!
//! # Who calls
//!
//! `client` tells who opened the session, as [`encode_client`] writes it. That a Trusted Application calls, and
//! which, is the TEE's own knowledge. The user of an Untrusted Application is what the broker says, which is outside.
//!
//! # Cancellation and time
//!
//! `cancelled` is 1 once somebody wants the running command to end. A TA that does not end it within
//! [`CANCEL_GRACE_MS`], or runs beyond the time that its security domain allows, dies: the command is undone, and
//! the caller receives [`CANCEL`](crate::ResultCode::CANCEL) or [`TARGET_DEAD`](crate::ResultCode::TARGET_DEAD).
//!
//! # Commands are transactions
//!
//! What a command changes is kept if it returns success, and undone otherwise. Somebody who can end a command at a
//! moment of his choice, by cancelling it for instance, could so undo what it did. `commit` keeps what the running
//! command changed so far, whatever becomes of it: a TA that counts wrong guesses counts the guess, commits, and then
//! looks. In `tee_migrate`, which is one step, it answers [`BAD_STATE`](crate::ResultCode::BAD_STATE).
//!
//! # Objects
//!
//! `storage` is [`STORAGE_PRIVATE`] for the TA's own objects, or [`STORAGE_SHARED`] for those that all TAs of its
//! security domain share. The domain says which names are shared; for others a call answers
//! [`ACCESS_DENIED`](crate::ResultCode::ACCESS_DENIED).
//!
//! `object_create` and `object_rename` answer [`ACCESS_CONFLICT`](crate::ResultCode::ACCESS_CONFLICT) if the new name
//! exists; `object_write` replaces the whole or creates it. `object_write_at` and `object_truncate` work on what exists,
//! and fill with zeros what lies between the old end and the new data. `object_read_at` reads up to the end.
//!
//! # Keys
//!
//! Keys have names of their own, and one algorithm each, which is one of the `ALGORITHM_` numbers of this module.
//! Private and secret keys never leave the TEE.
//!
//! - `key_derive` makes a symmetric key out of a secret that only this TA on this device has, and `info`: the same
//!   again, whenever it is asked.
//! - `key_agree` makes a symmetric key by Diffie-Hellman of the key `own` with the public `COSE_Key` `peer`, and HKDF with
//!   SHA-256 and `info`.
//! - `key_import` takes over a private or symmetric `COSE_Key` that came as Personalization Data. Its `alg` says what it is
//!   for.
//! - `key_seal` answers a nonce of 12 bytes, the ciphertext, and a tag of 16 bytes; `key_open` wants the same.
//! - `verify` checks a signature with a public `COSE_Key` of the TA's choice.
//!
//! What exists already answers [`ACCESS_CONFLICT`](crate::ResultCode::ACCESS_CONFLICT), a key of another kind
//! [`BAD_STATE`](crate::ResultCode::BAD_STATE), a wrong signature
//! [`SIGNATURE_INVALID`](crate::ResultCode::SIGNATURE_INVALID), a wrong MAC
//! [`MAC_INVALID`](crate::ResultCode::MAC_INVALID), and what does not open
//! [`CIPHERTEXT_INVALID`](crate::ResultCode::CIPHERTEXT_INVALID).
//!
//! # Attestation
//!
//! `attest` answers an Entity Attestation Token (RFC 9711), signed by the TEE: which device, which TA in which version, of
//! which security domain, with the digest of its code. It holds `nonce` (8 to 64 bytes), and the public half of the signing
//! key `key` as its `cnf` claim, unless `key_len` is 0.
//!
//! # Calls to other Trusted Applications
//!
//! `call` invokes a command of a service that a security domain exposes: `DOMAIN/NAME`. The service runs in an instance
//! of its own, for this one command: its `client` is the TA that calls, and what it changes is kept if it
//! succeeds, whatever becomes of the caller's command. It has the fuel and the time of its own security domain, so that no caller
//! can choose when it ends; the caller pays a fixed price. A service that
//! does not exist, or is not for the caller's domain, answers
//! [`ITEM_NOT_FOUND`](crate::ResultCode::ITEM_NOT_FOUND) in both cases. One that waits for the caller, or that would be too
//! many calls in a row, answers [`BUSY`](crate::ResultCode::BUSY); so do shared objects, while a TA of the same domain waits.

/// The version of the ABI that this crate speaks.
pub const ABI_VERSION: u32 = 1;

/// The only module a TA may import from.
pub const IMPORT_MODULE: &str = "tee";

/// What precedes the version in the name of the export that states it.
pub const ABI_EXPORT_PREFIX: &str = "tee_abi_v";

/// The most bytes in the name of an object, a key or personalization data; the least is 1.
pub const MAX_NAME_LEN: usize = 64;

/// The most bytes of a log line that the TEE keeps; the rest is cut.
pub const MAX_LOG_LEN: usize = 256;

/// Milliseconds that a cancelled command has to come to its own end.
pub const CANCEL_GRACE_MS: u64 = 500;

/// The `storage` of the TA's own objects.
pub const STORAGE_PRIVATE: u32 = 0;
/// The `storage` of the objects that the TAs of a security domain share.
pub const STORAGE_SHARED: u32 = 1;

/// Signatures: ECDSA with SHA-256 on P-256 (ESP256). COSE's number, as all but one here.
pub const ALGORITHM_ESP256: i32 = -9;
/// Signatures: Ed25519.
pub const ALGORITHM_ED25519: i32 = -19;
/// Message authentication: HMAC with SHA-256, 32 bytes of key and of MAC.
pub const ALGORITHM_HMAC_256: i32 = 5;
/// Authenticated encryption: AES-128-GCM.
pub const ALGORITHM_A128GCM: i32 = 1;
/// Authenticated encryption: AES-256-GCM.
pub const ALGORITHM_A256GCM: i32 = 3;
/// Authenticated encryption: ChaCha20/Poly1305.
pub const ALGORITHM_CHACHA20_POLY1305: i32 = 24;
/// Key agreement: Diffie-Hellman and HKDF with SHA-256, on P-256.
pub const ALGORITHM_ECDH_P256: i32 = -25;
/// Key agreement: Diffie-Hellman and HKDF with SHA-256, on Curve25519. COSE has one number for all curves; this one is
/// for private use.
pub const ALGORITHM_ECDH_X25519: i32 = -65_537;

/// Digest: SHA-256.
pub const ALGORITHM_SHA_256: i32 = -16;
/// Digest: SHA-384.
pub const ALGORITHM_SHA_384: i32 = -43;
/// Digest: SHA-512.
pub const ALGORITHM_SHA_512: i32 = -44;

/// The most bytes in the name of a service, `DOMAIN/NAME`: a security domain in three others, each name of 64 bytes.
pub const MAX_SERVICE_LEN: usize = 324;

/// What a service that returns data answers: how it went, and how many bytes lie on the tray.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// How it went.
    pub code: crate::ResultCode,
    /// Bytes on the tray; 0 unless `code` is success.
    pub len: u32,
}

impl Answer {
    /// The `i64` that crosses the boundary.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        u64::from(self.code.0) << 32 | u64::from(self.len)
    }

    /// Reads the `i64` that crossed the boundary.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = bits.to_be_bytes();
        Self {
            code: crate::ResultCode(u32::from_be_bytes([a, b, c, d])),
            len: u32::from_be_bytes([e, f, g, h]),
        }
    }
}

/// Whether `name` may name an object, a key or personalization data.
#[must_use]
pub fn is_valid_name(name: &str) -> bool {
    (1..=MAX_NAME_LEN).contains(&name.len())
}

/// Writes names the way `object_list`, `personalization_list` and `key_list` answer them: each is one length byte and then its bytes.
///
/// Names that are not [valid](is_valid_name) are left out.
#[must_use]
pub fn encode_names<'a>(names: impl IntoIterator<Item = &'a str>) -> alloc::vec::Vec<u8> {
    let mut bytes = alloc::vec::Vec::new();
    for name in names.into_iter().filter(|name| is_valid_name(name)) {
        if let Ok(len) = u8::try_from(name.len()) {
            bytes.push(len);
            bytes.extend_from_slice(name.as_bytes());
        }
    }
    bytes
}

/// Reads what [`encode_names`] wrote; `None` if it is not that.
#[must_use]
pub fn decode_names(mut bytes: &[u8]) -> Option<alloc::vec::Vec<alloc::string::String>> {
    let mut names = alloc::vec::Vec::new();
    while let Some((&len, rest)) = bytes.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(len))?;
        names.push(core::str::from_utf8(name).ok()?.into());
        bytes = rest;
    }
    Some(names)
}

/// Who opened a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Client {
    /// Nobody who could be named.
    Unknown,
    /// An Untrusted Application, run by the user with this number (as the broker says).
    User(u32),
    /// A Trusted Application.
    Application {
        /// Its security domain; empty for the device administrator's.
        domain: alloc::string::String,
        /// Its component identifier, as text.
        component: alloc::string::String,
    },
}

/// Writes who opened a session, as `client` answers it: a byte for the kind, then for
///
/// - 0 (unknown) nothing,
/// - 1 (a user) four bytes, big-endian,
/// - 2 (a Trusted Application) one byte with the length of the domain's name, that name, and the component identifier
///   as text.
///
/// A TA whose domain's name has more than 255 bytes, which no TEE allows, is unknown.
#[must_use]
pub fn encode_client(client: &Client) -> alloc::vec::Vec<u8> {
    match client {
        Client::Unknown => alloc::vec![0],
        Client::User(user) => [&[1][..], &user.to_be_bytes()].concat(),
        Client::Application { domain, component } => match u8::try_from(domain.len()) {
            Ok(length) => [&[2, length][..], domain.as_bytes(), component.as_bytes()].concat(),
            // Never as somebody else.
            Err(_) => encode_client(&Client::Unknown),
        },
    }
}

/// Reads what [`encode_client`] wrote; `None` if it is not that.
#[must_use]
pub fn decode_client(bytes: &[u8]) -> Option<Client> {
    let (kind, rest) = bytes.split_first()?;
    match kind {
        0 if rest.is_empty() => Some(Client::Unknown),
        1 => Some(Client::User(u32::from_be_bytes(rest.try_into().ok()?))),
        2 => {
            let (length, rest) = rest.split_first()?;
            let (domain, component) = rest.split_at_checked(usize::from(*length))?;
            Some(Client::Application {
                domain: core::str::from_utf8(domain).ok()?.into(),
                component: core::str::from_utf8(component).ok()?.into(),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResultCode;

    #[test]
    fn answers_survive_the_boundary() {
        for code in [
            ResultCode::SUCCESS,
            ResultCode::ITEM_NOT_FOUND,
            ResultCode(1),
        ] {
            for len in [0, 1, u32::MAX] {
                let answer = Answer { code, len };
                assert_eq!(Answer::from_bits(answer.to_bits()), answer);
            }
        }
    }

    #[test]
    fn clients_survive_the_boundary() {
        let application = Client::Application {
            domain: "acme".into(),
            component: "acme/door-lock".into(),
        };
        for client in [Client::Unknown, Client::User(u32::MAX), application] {
            assert_eq!(decode_client(&encode_client(&client)), Some(client));
        }
        for bytes in [&[][..], &[0, 0], &[1, 0], &[2], &[2, 9, b'a'], &[3]] {
            assert_eq!(decode_client(bytes), None);
        }
    }

    #[test]
    fn names_survive_the_boundary() {
        let names = ["a", "counter", "ü"];
        assert_eq!(decode_names(&encode_names(names)).unwrap(), names);
        assert_eq!(decode_names(&[]).unwrap().len(), 0);
        assert_eq!(decode_names(&[3, b'a']), None);
        assert_eq!(decode_names(&[1, 0xFF]), None);
    }
}
