//! The attempts: one list, from which their table, [`ATTEMPTS`] and the commands are made.

use tamarack_ta::ResultCode;
#[cfg(target_family = "wasm")]
use tamarack_ta::interface::{
    ALGORITHM_A256GCM, ALGORITHM_ECDH_P256, ALGORITHM_ED25519, ALGORITHM_ESP256,
    ALGORITHM_HMAC_256, ALGORITHM_SHA_256, STORAGE_PRIVATE, STORAGE_SHARED,
};

use crate::{Attempt, Expected};
#[cfg(target_family = "wasm")]
use crate::{
    Outcome,
    raw::{self, memory_len},
    tricks::*,
};

macro_rules! attempts {
    ($($number:literal, $what:literal, $expected:expr => $attempt:expr;)*) => {
        /// All attempts, in the order of their numbers.
        ///
        /// | Number | Attempt | Expected |
        /// |---|---|---|
        $(#[doc = concat!("| ", $number, " | ", $what, " | `", stringify!($expected), "` |")])*
        pub const ATTEMPTS: &[Attempt] = &[
            $(Attempt { number: $number, what: $what, expected: $expected },)*
        ];

        /// Tries one.
        #[cfg(target_family = "wasm")]
        pub(crate) fn attempt(number: u32) -> Result<Outcome, ResultCode> {
            match number {
                $($number => Ok($attempt),)*
                _ => Err(ResultCode::NOT_SUPPORTED),
            }
        }
    };
}

const NOT_FOUND: Expected = Expected::Refused(&[ResultCode::ITEM_NOT_FOUND]);
const BAD_NAME: Expected = Expected::Refused(&[ResultCode::BAD_PARAMETERS]);
const NO_SUCH_SERVICE: Expected =
    Expected::Refused(&[ResultCode::ITEM_NOT_FOUND, ResultCode::BAD_PARAMETERS]);
const WRONG_KIND: Expected = Expected::Refused(&[ResultCode::BAD_STATE]);
const BAD_LENGTH: Expected = Expected::Refused(&[ResultCode::BAD_PARAMETERS]);

attempts! {
    // Objects of others.
    1, "read the vault's object `count` by its plain name", NOT_FOUND => read(STORAGE_PRIVATE, b"count");
    2, "read it by a path from the root of all components", NOT_FOUND => read(STORAGE_PRIVATE, b"acme/vault/count");
    3, "read it by a path through the parent", NOT_FOUND => read(STORAGE_PRIVATE, b"../vault/count");
    4, "read it by an absolute path", NOT_FOUND => read(STORAGE_PRIVATE, b"/acme/vault/count");
    5, "read it by a path of another system", NOT_FOUND => read(STORAGE_PRIVATE, b"..\\..\\acme\\vault\\count");
    6, "read it by a name with a NUL behind it", NOT_FOUND => read(STORAGE_PRIVATE, b"count\0");
    7, "read it by a name that splits at a NUL", NOT_FOUND => read(STORAGE_PRIVATE, b"acme/vault\0count");
    8, "read it by a name that only looks the same", NOT_FOUND => read(STORAGE_PRIVATE, "ｃount".as_bytes());
    9, "read it by a name in the storage's own form", NOT_FOUND => all([read(STORAGE_PRIVATE, b"ocount"), read(STORAGE_PRIVATE, b"kvault")]);
    10, "read an object without a name", BAD_NAME => read(STORAGE_PRIVATE, b"");
    11, "read an object with a name that is too long", BAD_NAME => read(STORAGE_PRIVATE, &[b'a'; 65]);
    12, "read an object with a name that is no text", BAD_NAME => read(STORAGE_PRIVATE, b"\xFFcount");
    13, "read it in a storage that does not exist", Expected::AnyRefusal => read(2, b"count");
    14, "read it in a storage with the highest number", Expected::AnyRefusal => read(u32::MAX, b"count");
    15, "read a shared object that is not shared", Expected::Refused(&[ResultCode::ACCESS_DENIED]) => read(STORAGE_SHARED, b"count");
    16, "write a shared object that is not shared", Expected::Refused(&[ResultCode::ACCESS_DENIED]) => {
        let (name, len) = at(b"acme/vault/count");
        done(raw::object_write(STORAGE_SHARED, name, len, name, len))
    };
    17, "write under the names of the vault's object", Expected::Harmless => all([own(b"count"), own(b"acme/vault/count"), own(b"../vault/count")]);
    18, "delete the vault's object", NOT_FOUND => all([done(delete(b"acme/vault/count")), done(delete(b"count"))]);
    19, "rename an object of its own to the path of the vault's", Expected::Harmless => {
        write(b"mine", b"x");
        let ((name, name_len), (new, new_len)) = (at(b"mine"), at(b"acme/vault/count"));
        raw::object_rename(STORAGE_PRIVATE, name, name_len, new, new_len);
        harmless((delete(b"mine"), delete(b"acme/vault/count")))
    };
    20, "list objects of others", Expected::Harmless => match fetched(raw::object_list(STORAGE_PRIVATE)) {
        Outcome::Succeeded(names) if names.windows(5).any(|part| part == b"count") => Outcome::Succeeded(names),
        _ => Outcome::Nothing,
    };
    21, "read behind the end of an object of its own", Expected::Harmless => {
        write(b"short", b"x");
        let (name, len) = at(b"short");
        let loot = all([1, u64::MAX, 1 << 32].map(|offset| match fetched(raw::object_read_at(STORAGE_PRIVATE, name, len, offset, u32::MAX)) {
            Outcome::Succeeded(loot) => nothing_in(loot),
            _ => Outcome::Nothing,
        }));
        delete(b"short");
        loot
    };
    22, "write at the end of all numbers", Expected::RefusedOrDies => {
        write(b"short", b"x");
        let (name, len) = at(b"short");
        all([u64::MAX, u64::MAX - 1, 1 << 62].map(|offset| done(raw::object_write_at(STORAGE_PRIVATE, name, len, offset, name, len))))
    };
    23, "make an object larger than any storage", Expected::RefusedOrDies => {
        write(b"short", b"x");
        let (name, len) = at(b"short");
        all([u64::MAX, 1 << 62, 1 << 40].map(|size| done(raw::object_truncate(STORAGE_PRIVATE, name, len, size))))
    };

    // Keys of others, and keys for what they are not for.
    24, "sign with the vault's key by its plain name", NOT_FOUND => sign(b"vault");
    25, "sign with it by its path", NOT_FOUND => all([sign(b"acme/vault/vault"), sign(b"../vault/vault"), sign(b"/acme/vault/vault")]);
    26, "take the public half of the vault's key for its own", NOT_FOUND => public(b"vault");
    27, "read a key of its own as an object", NOT_FOUND => with_key(ALGORITHM_ESP256, |name| all([
        read(STORAGE_PRIVATE, name), read(STORAGE_PRIVATE, &[b"k", name].concat()), read(STORAGE_PRIVATE, &[b"key/", name].concat()),
    ]));
    28, "export a secret key as if it were public", WRONG_KIND => with_key(ALGORITHM_HMAC_256, public);
    29, "export a sealing key as if it were public", WRONG_KIND => with_key(ALGORITHM_A256GCM, public);
    30, "sign with a key for agreement", WRONG_KIND => with_key(ALGORITHM_ECDH_P256, sign);
    31, "sign with a key for MACs", WRONG_KIND => with_key(ALGORITHM_HMAC_256, sign);
    32, "MAC with a signing key", WRONG_KIND => with_key(ALGORITHM_ED25519, mac);
    33, "MAC with a sealing key", WRONG_KIND => with_key(ALGORITHM_A256GCM, mac);
    34, "seal with a key for MACs", WRONG_KIND => with_key(ALGORITHM_HMAC_256, seal);
    35, "agree with a signing key", WRONG_KIND => with_key(ALGORITHM_ESP256, |name| match public(name) {
        Outcome::Succeeded(own) => agree(name, ALGORITHM_HMAC_256, &own),
        other => other,
    });
    36, "agree with a point of small order", Expected::AnyRefusal => agree_with_zero();
    37, "agree with a point that is not on the curve", Expected::AnyRefusal => agree_off_the_curve();
    38, "open what was not sealed", Expected::Refused(&[ResultCode::CIPHERTEXT_INVALID]) => with_key(ALGORITHM_A256GCM, |name| all([
        unseal(name, &[0; 60]), unseal(name, &[0; 27]), unseal(name, b""),
    ]));
    39, "make a key over one that exists", Expected::Refused(&[ResultCode::ACCESS_CONFLICT]) => with_key(ALGORITHM_ESP256, |name| done(generate(name, ALGORITHM_HMAC_256)));
    40, "make a key of an algorithm that does not exist", Expected::Refused(&[ResultCode::NOT_SUPPORTED]) => all([0, -1, i32::MIN, i32::MAX, -65_535].map(|algorithm| done(generate(b"odd", algorithm))));
    41, "derive a signing key of a secret of its choice", Expected::AnyRefusal => {
        let (name, len) = at(b"derived");
        done(raw::key_derive(name, len, ALGORITHM_ESP256, name, len))
    };
    42, "make keys with odd names", BAD_NAME => all([&b""[..], &[b'k'; 65], b"\xC3\x28", b"\xED\xA0\x80"].map(|name| done(generate(name, ALGORITHM_ESP256))));
    43, "list keys of others", Expected::Harmless => match fetched(raw::key_list()) {
        Outcome::Succeeded(names) if names.windows(5).any(|part| part == b"vault") => Outcome::Succeeded(names),
        _ => Outcome::Nothing,
    };
    44, "delete the vault's key", NOT_FOUND => {
        let (name, len) = at(b"vault");
        done(raw::key_delete(name, len))
    };
    45, "import a key from Personalization Data of others", NOT_FOUND => {
        let ((name, name_len), (from, from_len)) = (at(b"stolen"), at(b"greeting"));
        done(raw::key_import(name, name_len, from, from_len))
    };

    // Personalization Data of others.
    46, "read the greeting of hello by its plain name", NOT_FOUND => personalization(b"greeting");
    47, "read the greeting of hello by its path", Expected::Refused(&[ResultCode::ITEM_NOT_FOUND, ResultCode::BAD_PARAMETERS]) => all([
        personalization(b"acme/hello/greeting"), personalization(b"../../acme/hello/greeting"), personalization(b"../hello/greeting"),
    ]);
    48, "read its own code, manifest and parent as Personalization Data", Expected::Refused(&[ResultCode::ITEM_NOT_FOUND, ResultCode::BAD_PARAMETERS]) => all([
        personalization(b"suit"), personalization(b"."), personalization(b".."), personalization(b"/"), personalization(b"\0"),
    ]);
    49, "list Personalization Data of others", Expected::Harmless => match fetched(raw::personalization_list()) {
        Outcome::Succeeded(names) if names.windows(8).any(|part| part == b"greeting") => Outcome::Succeeded(names),
        _ => Outcome::Nothing,
    };

    // Services that are not for it.
    50, "call an application that is no service", NOT_FOUND => all([call(b"acme/vault", 1, b"x"), call(b"acme/hello", 1, b"x")]);
    51, "call what does not exist, and learn that from the answer", NOT_FOUND => call(b"nobody/nothing", 1, b"");
    52, "call by names that are no service's", NO_SUCH_SERVICE => all([
        &b""[..], b"/", b"acme", b"acme/", b"/vault", b"acme//vault", b"acme/vault\0", b"\xFF/\xFE", &[b'a'; 400],
        b"evil/attacker/../../acme/vault", b"evil/../acme/vault",
    ].map(|name| call(name, 1, b"")));
    53, "call itself through the service that it is", Expected::RefusedOrDies => match call(b"evil/attacker", 1, b"") {
        // A TEE may run it in another instance: then that one is refused what this one is.
        Outcome::Succeeded(inner) => Outcome::from_bytes(&inner).unwrap_or(Outcome::Succeeded(inner)),
        other => other,
    };
    54, "call itself for ever", Expected::RefusedOrDies => match call(b"evil/attacker", 54, b"") {
        Outcome::Succeeded(inner) => Outcome::from_bytes(&inner).unwrap_or(Outcome::Succeeded(inner)),
        other => other,
    };
    55, "let a service die of an input that is as large as its memory", Expected::RefusedOrDies => {
        let (service, len) = at(b"acme/vault");
        fetched(raw::call(service, len, 1, 0, memory_len()))
    };

    // The tray, and memory.
    56, "take more than lies on the tray", BAD_LENGTH => { fill_tray(8); take(9) };
    57, "take less than lies on the tray", BAD_LENGTH => { fill_tray(8); take(7) };
    58, "take the same twice", BAD_LENGTH => { fill_tray(8); take(8); take(8) };
    59, "take what an earlier command left on the tray", BAD_LENGTH => all([1, 8, 32, 64, 4096].map(take));
    60, "take across the end of its memory", Expected::Dies => { fill_tray(64); done(raw::take(memory_len() - 32, 64)) };
    61, "take to the last addresses there are", Expected::Dies => { fill_tray(64); done(raw::take(u32::MAX - 31, 64)) };
    62, "take four gigabytes", Expected::Dies => { fill_tray(64); done(raw::take(1, u32::MAX)) };
    63, "output what lies behind its memory", Expected::Dies => done(raw::output(memory_len(), 64));
    64, "output more than there is", Expected::Dies => done(raw::output(0, u32::MAX));
    65, "output what wraps around the end of all addresses", Expected::Dies => done(raw::output(u32::MAX - 7, 16));
    66, "write an object from behind its memory", Expected::Dies => {
        let (name, len) = at(b"leak");
        done(raw::object_write(STORAGE_PRIVATE, name, len, memory_len() - 1, 2))
    };
    67, "name an object by what lies behind its memory", Expected::Dies => fetched(raw::object_read(STORAGE_PRIVATE, memory_len() - 1, 5));
    68, "sign what lies behind its memory", Expected::Dies => with_key(ALGORITHM_ESP256, |name| {
        let (name, len) = at(name);
        fetched(raw::key_sign(name, len, memory_len(), 1))
    });
    69, "digest all addresses", Expected::Dies => fetched(raw::digest(ALGORITHM_SHA_256, 0, u32::MAX));
    70, "let random bytes fall outside its memory", Expected::Dies => { raw::random(memory_len() - 1, 2); Outcome::Nothing };
    71, "log what lies outside its memory", Expected::Dies => { raw::log(u32::MAX - 3, 4); Outcome::Nothing };
    72, "read input to outside its memory", Expected::Dies => fetched(raw::input_read(memory_len(), 1));
    73, "write output from outside its memory", Expected::Dies => done(raw::output_write(memory_len(), 1));
    74, "read memory that is not its own", Expected::Dies => nothing_in([raw::peek(memory_len()), raw::peek(u32::MAX)].into());
    75, "find what somebody left in fresh memory", Expected::Harmless => leftovers();
    76, "use a digest that does not exist", Expected::Refused(&[ResultCode::NOT_SUPPORTED]) => fetched(raw::digest(0, 0, 1));

    // More than its share.
    77, "run for ever", Expected::Dies => run_for_ever();
    78, "call itself without an end", Expected::Dies => nothing_in(recurse(1).to_be_bytes().into());
    79, "grow its memory to four gigabytes at once", Expected::Refused(&[ResultCode::OUT_OF_MEMORY]) => match raw::grow(65_000) {
        None => Outcome::Refused(ResultCode::OUT_OF_MEMORY),
        Some(start) => Outcome::Succeeded(start.to_be_bytes().into()),
    };
    80, "grow its memory bit by bit", Expected::Refused(&[ResultCode::OUT_OF_MEMORY]) => grow_for_ever();
    81, "fill the storage", Expected::RefusedOrDies => fill_storage();
    82, "fill the storage with names", Expected::RefusedOrDies => fill_names();
    83, "fill the storage with keys", Expected::RefusedOrDies => fill_keys();
    84, "make the TEE compute for ever", Expected::Dies => digest_for_ever();
    85, "flood the log", Expected::Harmless => { log_lines(500); Outcome::Nothing };
    86, "write lines of others into the log", Expected::Harmless => {
        let (text, len) = at(b"innocent\r\n2026-01-01T00:00:00Z ERROR tamarack: acme/vault leaked its key\x1b[2J\x1b]0;owned\x07\xFF");
        raw::log(text, len);
        Outcome::Nothing
    };
    87, "write a line of many megabytes into the log", Expected::Harmless => { raw::log(0, memory_len()); Outcome::Nothing };
    88, "output all of its memory", Expected::RefusedOrDies => {
        while raw::grow(16).is_some() {}
        done(raw::output(0, memory_len()))
    };

    // Time, cancellation, identity.
    89, "turn back the time", Expected::Harmless => turn_back_time();
    90, "go on after it was cancelled", Expected::Dies => ignore_cancellation();
    91, "forge who its client is", Expected::Harmless => forge_client();
    92, "read input that was not streamed to it", Expected::Harmless => {
        let mut buffer = [0; 64];
        raw::input_read(buffer.as_mut_ptr() as u32, 64);
        nothing_in(buffer.into_iter().filter(|byte| *byte != 0).collect())
    };

    // Attestation.
    93, "attest without a nonce", BAD_LENGTH => attest(b"", b"");
    94, "attest with a nonce that is too short", BAD_LENGTH => attest(b"1234567", b"");
    95, "attest with a nonce that is too long", BAD_LENGTH => attest(&[0; 65], b"");
    96, "attest the vault's key as its own", NOT_FOUND => all([attest(b"12345678", b"vault"), attest(b"12345678", b"acme/vault/vault")]);
    97, "attest a secret key", Expected::AnyRefusal => with_key(ALGORITHM_HMAC_256, |name| attest(b"12345678", name));
    98, "attest a key that is not for signatures", Expected::AnyRefusal => with_key(ALGORITHM_ECDH_P256, |name| attest(b"12345678", name));
    99, "attest with a nonce from behind its memory", Expected::Dies => fetched(raw::attest(memory_len(), 32, 0, 0));

    // Commits of its own choice.
    100, "commit in the middle of a migration", WRONG_KIND => committed_in_migration();
    101, "commit again and again", Expected::Dies => commit_for_ever();
    102, "fill the storage commit by commit", Expected::RefusedOrDies => fill_storage_by_commits();
}
