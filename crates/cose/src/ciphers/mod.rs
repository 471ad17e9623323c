//! The ciphers of both providers, from the crates of the RustCrypto project.
//!
//! Each cipher is one state that works over the whole family of AES key lengths, so that three key lengths
//! do not cost three copies of the code.

mod aead;
mod aes;
mod cbc;
mod ctr;

use alloc::{boxed::Box, vec, vec::Vec};

use aes_kw::{AesKw, InnerInit as _};
use zeroize::Zeroizing;

use self::{
    aead::{Aead, Opening, Sealing},
    aes::Aes,
    cbc::{CbcDecryption, CbcEncryption},
    ctr::Counter,
};
use crate::{
    Error, SymmetricKey,
    encrypt::{Ciphers, ContentAlgorithm, Decryptor, Encryptor, KeyWrap},
};

/// What AES and ChaCha20 take in at once: an AES block, and the tag of both authenticated ciphers.
const BLOCK: usize = 16;

pub(crate) struct SharedCiphers;

impl Ciphers for SharedCiphers {
    fn decryptor(
        &self,
        algorithm: ContentAlgorithm,
        key: &SymmetricKey,
        iv: &[u8],
        associated: &[u8],
    ) -> Result<Box<dyn Decryptor>, Error> {
        check(algorithm, key, iv, associated)?;
        let key = key.secret_bytes();
        Ok(match algorithm {
            ContentAlgorithm::A128Ctr | ContentAlgorithm::A192Ctr | ContentAlgorithm::A256Ctr => {
                Box::new(Counter::new(Aes::new(key)?, &block(iv)?))
            }
            ContentAlgorithm::A128Cbc | ContentAlgorithm::A192Cbc | ContentAlgorithm::A256Cbc => {
                Box::new(CbcDecryption::new(Aes::new(key)?, &block(iv)?))
            }
            ContentAlgorithm::A128Gcm | ContentAlgorithm::A192Gcm | ContentAlgorithm::A256Gcm => {
                Box::new(Opening::new(Aead::gcm(key, iv, associated)?))
            }
            ContentAlgorithm::ChaCha20Poly1305 => {
                Box::new(Opening::new(Aead::chacha(key, iv, associated)?))
            }
        })
    }

    fn encryptor(
        &self,
        algorithm: ContentAlgorithm,
        key: &SymmetricKey,
        iv: &[u8],
        associated: &[u8],
    ) -> Result<Box<dyn Encryptor>, Error> {
        check(algorithm, key, iv, associated)?;
        let key = key.secret_bytes();
        Ok(match algorithm {
            ContentAlgorithm::A128Ctr | ContentAlgorithm::A192Ctr | ContentAlgorithm::A256Ctr => {
                Box::new(Counter::new(Aes::new(key)?, &block(iv)?))
            }
            ContentAlgorithm::A128Cbc | ContentAlgorithm::A192Cbc | ContentAlgorithm::A256Cbc => {
                Box::new(CbcEncryption::new(Aes::new(key)?, &block(iv)?))
            }
            ContentAlgorithm::A128Gcm | ContentAlgorithm::A192Gcm | ContentAlgorithm::A256Gcm => {
                Box::new(Sealing::new(Aead::gcm(key, iv, associated)?))
            }
            ContentAlgorithm::ChaCha20Poly1305 => {
                Box::new(Sealing::new(Aead::chacha(key, iv, associated)?))
            }
        })
    }

    fn wrap(
        &self,
        algorithm: KeyWrap,
        kek: &SymmetricKey,
        key: &SymmetricKey,
    ) -> Result<Vec<u8>, Error> {
        let kek = key_wrap(algorithm, kek)?;
        let key = key.secret_bytes();
        if !WRAPPED_KEY_LENGTHS.contains(&key.len()) {
            return Err(Error::Misuse("AES-KW wraps keys of 16 to 64 bytes"));
        }
        let mut wrapped = vec![0; key.len() + 8];
        kek.wrap_key(key, &mut wrapped)
            .map_err(|_| Error::Misuse("AES-KW wraps multiples of 8 bytes"))?;
        Ok(wrapped)
    }

    fn unwrap(
        &self,
        algorithm: KeyWrap,
        kek: &SymmetricKey,
        wrapped: &[u8],
    ) -> Result<SymmetricKey, Error> {
        let kek = key_wrap(algorithm, kek)?;
        let length = wrapped.len().checked_sub(8).ok_or(Error::BadCiphertext)?;
        if !WRAPPED_KEY_LENGTHS.contains(&length) {
            return Err(Error::BadCiphertext);
        }
        let mut key = Zeroizing::new(vec![0; length]);
        kek.unwrap_key(wrapped, &mut key)
            .map_err(|_| Error::BadCiphertext)?;
        Ok(SymmetricKey::new(&key[..]))
    }
}

/// Keys of algorithms, in bytes; what is longer is no key.
const WRAPPED_KEY_LENGTHS: core::ops::RangeInclusive<usize> = 16..=64;

fn key_wrap(algorithm: KeyWrap, kek: &SymmetricKey) -> Result<AesKw<Aes>, Error> {
    let kek = kek.secret_bytes();
    if kek.len() != algorithm.key_len() {
        return Err(Error::Misuse("the key-encryption key has another length"));
    }
    Ok(AesKw::inner_init(Aes::new(kek)?))
}

/// Refuses what would make the algorithm another one.
fn check(
    algorithm: ContentAlgorithm,
    key: &SymmetricKey,
    iv: &[u8],
    associated: &[u8],
) -> Result<(), Error> {
    if key.secret_bytes().len() != algorithm.key_len() {
        return Err(Error::Misuse("the content key has another length"));
    }
    if iv.len() != algorithm.iv_len() {
        return Err(Error::Misuse("the IV has another length"));
    }
    if !associated.is_empty() && !algorithm.is_authenticated() {
        return Err(Error::Misuse("the cipher takes no additional data"));
    }
    Ok(())
}

fn block(iv: &[u8]) -> Result<[u8; BLOCK], Error> {
    iv.try_into()
        .map_err(|_| Error::Misuse("the IV has another length"))
}

/// Appends `input` to `output` and hands out the copy, to be transformed in place.
fn append<'o>(input: &[u8], output: &'o mut Vec<u8>) -> &'o mut [u8] {
    let start = output.len();
    output.extend_from_slice(input);
    output.get_mut(start..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ContentAlgorithm::*;

    fn hex(text: &str) -> Vec<u8> {
        base16ct::mixed::decode_vec(text).unwrap()
    }

    /// Runs `input` through in pieces of `piece` bytes.
    fn decrypt(
        algorithm: ContentAlgorithm,
        [key, iv, associated]: [&[u8]; 3],
        input: &[u8],
        piece: usize,
    ) -> Result<Vec<u8>, Error> {
        let mut decryptor =
            SharedCiphers.decryptor(algorithm, &SymmetricKey::new(key), iv, associated)?;
        let mut output = Vec::new();
        for piece in input.chunks(piece) {
            let before = output.len();
            decryptor.update(piece, &mut output)?;
            assert!(output.len() - before <= piece.len() + BLOCK);
        }
        decryptor.finish(&mut output)?;
        Ok(output)
    }

    fn encrypt(
        algorithm: ContentAlgorithm,
        [key, iv, associated]: [&[u8]; 3],
        input: &[u8],
        piece: usize,
    ) -> Vec<u8> {
        let key = SymmetricKey::new(key);
        let mut encryptor = SharedCiphers
            .encryptor(algorithm, &key, iv, associated)
            .unwrap();
        let mut output = Vec::new();
        for piece in input.chunks(piece) {
            encryptor.update(piece, &mut output).unwrap();
        }
        encryptor.finish(&mut output).unwrap();
        output
    }

    fn check(algorithm: ContentAlgorithm, inputs: [&[u8]; 3], plaintext: &[u8], expected: &[u8]) {
        for piece in 1..=plaintext.len() + 1 {
            let ciphertext = encrypt(algorithm, inputs, plaintext, piece);
            // NIST's examples of AES-CBC have no padding, which is a block of its own.
            assert_eq!(ciphertext.get(..expected.len()), Some(expected));
            let length = algorithm.ciphertext_len(plaintext.len() as u64);
            assert_eq!(ciphertext.len() as u64, length);
            let again = decrypt(algorithm, inputs, &ciphertext, piece);
            assert_eq!(again.as_deref(), Ok(plaintext));
        }
    }

    // req: SUIT-ENC-020
    #[test]
    fn nist_sp_800_38a() {
        let keys = [
            hex("2b7e151628aed2a6abf7158809cf4f3c"),
            hex("8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"),
            hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"),
        ];
        let plaintext = hex(concat!(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
        ));
        let counter = hex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        let ctr = [
            concat!(
                "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff",
                "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee"
            ),
            concat!(
                "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94",
                "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050"
            ),
            concat!(
                "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5",
                "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"
            ),
        ];
        let iv = hex("000102030405060708090a0b0c0d0e0f");
        let cbc = [
            concat!(
                "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2",
                "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7"
            ),
            concat!(
                "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
                "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd"
            ),
            concat!(
                "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
                "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b"
            ),
        ];
        for (at, key) in keys.iter().enumerate() {
            let algorithm = [A128Ctr, A192Ctr, A256Ctr][at];
            check(algorithm, [key, &counter, &[]], &plaintext, &hex(ctr[at]));
            let algorithm = [A128Cbc, A192Cbc, A256Cbc][at];
            check(algorithm, [key, &iv, &[]], &plaintext, &hex(cbc[at]));
        }
    }

    // req: SUIT-ENC-020
    #[test]
    fn the_counter_carries_over_the_whole_block() {
        let key = [7; 16];
        let mut last = [0xff; 16];
        let stream = encrypt(A128Ctr, [&key, &last, &[]], &[0; 32], 32);
        let zero = encrypt(A128Ctr, [&key, &[0; 16], &[]], &[0; 16], 16);
        assert_eq!(stream[16..], zero);
        last[0] = 0;
        let mut next = [0; 16];
        next[0] = 1;
        let stream = encrypt(A128Ctr, [&key, &last, &[]], &[0; 32], 32);
        assert_eq!(
            stream[16..],
            encrypt(A128Ctr, [&key, &next, &[]], &[0; 16], 16)
        );
    }

    #[test]
    fn aes_gcm_is_that_of_its_specification() {
        // The GCM specification of McGrew and Viega, test cases 4, 10 and 16.
        let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let iv = hex("cafebabefacedbaddecaf888");
        let associated = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let plaintext = hex(concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ));
        for (algorithm, expected) in [
            (
                A128Gcm,
                concat!(
                    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e",
                    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
                    "5bc94fbc3221a5db94fae95ae7121a47"
                ),
            ),
            (
                A192Gcm,
                concat!(
                    "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c",
                    "7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710",
                    "2519498e80f1478f37ba55bd6d27618c"
                ),
            ),
            (
                A256Gcm,
                concat!(
                    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
                    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
                    "76fc6ece0f4e1768cddf8853bb2d551b"
                ),
            ),
        ] {
            let key = &key[..algorithm.key_len()];
            check(
                algorithm,
                [key, &iv, &associated],
                &plaintext,
                &hex(expected),
            );
        }
    }

    #[test]
    fn rfc_8439_section_2_8_2() {
        let key: Vec<u8> = (0x80..=0x9f).collect();
        let iv = hex("070000004041424344454647");
        let associated = hex("50515253c0c1c2c3c4c5c6c7");
        let plaintext = b"Ladies and Gentlemen of the class of '99: If I could offer you only one \
                          tip for the future, sunscreen would be it.";
        let expected = hex(concat!(
            "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6",
            "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36",
            "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc",
            "3ff4def08e4b7a9de576d26586cec64b6116",
            "1ae10b594f09e26a7e902ecbd0600691"
        ));
        let inputs = [&key[..], &iv, &associated];
        check(ChaCha20Poly1305, inputs, plaintext, &expected);
    }

    #[test]
    fn rfc_3394_section_4() {
        let kek: Vec<u8> = (0..32).collect();
        let key = hex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
        for (algorithm, key_len, expected) in [
            (
                KeyWrap::A128Kw,
                16,
                "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5",
            ),
            (
                KeyWrap::A192Kw,
                16,
                "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d",
            ),
            (
                KeyWrap::A256Kw,
                16,
                "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7",
            ),
            (
                KeyWrap::A256Kw,
                32,
                "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
            ),
        ] {
            let kek = SymmetricKey::new(&kek[..algorithm.key_len()]);
            let key = SymmetricKey::new(&key[..key_len]);
            let mut wrapped = SharedCiphers.wrap(algorithm, &kek, &key).unwrap();
            assert_eq!(wrapped, hex(expected));
            let again = SharedCiphers.unwrap(algorithm, &kek, &wrapped).unwrap();
            assert_eq!(again.secret_bytes(), key.secret_bytes());
            for at in 0..wrapped.len() {
                for bit in 0..8 {
                    wrapped[at] ^= 1 << bit;
                    let outcome = SharedCiphers.unwrap(algorithm, &kek, &wrapped);
                    assert_eq!(outcome.err(), Some(Error::BadCiphertext));
                    wrapped[at] ^= 1 << bit;
                }
                let outcome = SharedCiphers.unwrap(algorithm, &kek, &wrapped[..at]);
                assert_eq!(outcome.err(), Some(Error::BadCiphertext));
            }
        }
    }

    #[test]
    fn lengths_that_are_not_the_algorithms_are_refused() {
        for algorithm in ContentAlgorithm::ALL {
            let (key, iv) = (algorithm.key_len(), algorithm.iv_len());
            for (key, iv) in [
                (key + 8, iv),
                (key - 1, iv),
                (key, iv - 1),
                (key, 28 - iv),
                (0, 0),
            ] {
                let (key, iv) = (SymmetricKey::new(vec![0; key]), vec![0; iv]);
                assert!(SharedCiphers.decryptor(algorithm, &key, &iv, &[]).is_err());
                assert!(SharedCiphers.encryptor(algorithm, &key, &iv, &[]).is_err());
            }
            let (key, iv) = (SymmetricKey::new(vec![0; key]), vec![0; iv]);
            let outcome = SharedCiphers.decryptor(algorithm, &key, &iv, b"header");
            assert_eq!(outcome.is_ok(), algorithm.is_authenticated());
        }
        for wrap in KeyWrap::ALL {
            let key = SymmetricKey::new(vec![1; 16]);
            for length in [0, 15, wrap.key_len() + 1, 64] {
                let kek = SymmetricKey::new(vec![1; length]);
                assert!(SharedCiphers.wrap(wrap, &kek, &key).is_err());
                assert!(SharedCiphers.unwrap(wrap, &kek, &[0; 24]).is_err());
            }
            let kek = SymmetricKey::new(vec![1; wrap.key_len()]);
            for length in [0, 8, 17, 72] {
                let key = SymmetricKey::new(vec![1; length]);
                assert!(SharedCiphers.wrap(wrap, &kek, &key).is_err());
            }
        }
    }

    #[test]
    fn only_pkcs_7_is_padding() {
        let (key, iv) = ([3; 16], [0; 16]);
        // Each byte of the last block is under control through the block before it.
        let padded = |last: [u8; 16]| {
            let zeros = decrypt(
                A128Cbc,
                [&key, &iv, &[]],
                &encrypt(A128Cbc, [&key, &iv, &[]], &[], 1),
                1,
            );
            assert_eq!(zeros, Ok(Vec::new()));
            let block = &encrypt(A128Cbc, [&key, &iv, &[]], &[], 1)[..];
            // The block decrypts to sixteen bytes 16 under a zero IV.
            let iv: Vec<u8> = last.iter().map(|byte| byte ^ 16).collect();
            decrypt(A128Cbc, [&key, &iv, &[]], block, 5)
        };
        for padding in 1..=16_u8 {
            let mut last = [0xaa; 16];
            last[16 - usize::from(padding)..].fill(padding);
            assert_eq!(
                padded(last).as_deref(),
                Ok(&last[..16 - usize::from(padding)])
            );
            for at in 16 - usize::from(padding)..16 {
                let mut wrong = last;
                wrong[at] ^= 0x20;
                assert_eq!(padded(wrong), Err(Error::BadCiphertext));
            }
        }
        for padding in [0, 17, 0x80, 0xff] {
            assert_eq!(padded([padding; 16]), Err(Error::BadCiphertext));
        }
        for length in [0, 1, 15, 17, 31] {
            let outcome = decrypt(A128Cbc, [&key, &iv, &[]], &vec![0; length], 4);
            assert_eq!(outcome, Err(Error::BadCiphertext));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_chunking_is_the_same(
            data in proptest::collection::vec(proptest::num::u8::ANY, 0..100),
            associated in proptest::collection::vec(proptest::num::u8::ANY, 0..40),
            one in 1..80_usize,
            two in 1..80_usize,
        ) {
            for algorithm in ContentAlgorithm::ALL {
                let (key, iv) = (vec![9; algorithm.key_len()], vec![8; algorithm.iv_len()]);
                let associated = match algorithm.is_authenticated() {
                    true => &associated[..],
                    false => &[],
                };
                let inputs = [&key[..], &iv, associated];
                let ciphertext = encrypt(algorithm, inputs, &data, one);
                assert_eq!(ciphertext, encrypt(algorithm, inputs, &data, two));
                assert_eq!(decrypt(algorithm, inputs, &ciphertext, two).as_ref(), Ok(&data));
                if algorithm.is_authenticated() {
                    for end in 0..ciphertext.len() {
                        let outcome = decrypt(algorithm, inputs, &ciphertext[..end], one);
                        assert_eq!(outcome, Err(Error::BadCiphertext));
                    }
                }
            }
        }
    }
}
