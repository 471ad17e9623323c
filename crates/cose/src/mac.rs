use alloc::vec::Vec;

use subtle::ConstantTimeEq;

use crate::{
    CryptoProvider, Error, Headers, KeyError, KeyId, MacAlgorithm, SymmetricKey,
    cbor::{self, DecodeError, Limits, Problem, Reader, Type, Writer},
    header,
    sign1::{one_payload, write_unprotected},
    signed::tag,
};

/// A secret key and the one MAC algorithm that it is for.
///
/// A key of its own type: a public key can't be taken for a secret by a message that names another
/// algorithm.
#[derive(Debug, Clone)]
pub struct MacKey {
    algorithm: MacAlgorithm,
    key: SymmetricKey,
}

impl MacKey {
    /// What the key id is a MAC of. No MAC_structure begins with this byte, so it is the MAC of no message.
    const ID: &'static [u8] = b"tamarack key id";

    /// A key for an algorithm.
    ///
    /// # Errors
    ///
    /// [`KeyError::Unsupported`] if the key is shorter than the algorithm's hash: it would be the weakest
    /// part.
    pub fn new(algorithm: MacAlgorithm, key: SymmetricKey) -> Result<Self, KeyError> {
        match key.secret_bytes().len() >= algorithm.tag_len() {
            true => Ok(Self { algorithm, key }),
            false => Err(KeyError::Unsupported(
                "an HMAC key that is shorter than the hash".into(),
            )),
        }
    }

    /// A fresh key of the algorithm's hash length.
    ///
    /// # Errors
    ///
    /// [`Error::Crypto`] if the source of randomness fails.
    pub fn generate(crypto: &CryptoProvider, algorithm: MacAlgorithm) -> Result<Self, Error> {
        let mut key = zeroize::Zeroizing::new([0; 64]);
        crypto.random.fill(&mut *key)?;
        let key = SymmetricKey::new(key.get(..algorithm.tag_len()).unwrap_or_default());
        Ok(Self { algorithm, key })
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> MacAlgorithm {
        self.algorithm
    }

    /// A name for the key that says nothing about it: the first 32 bytes of the key's MAC of a fixed
    /// text.
    #[must_use]
    pub fn key_id(&self, crypto: &CryptoProvider) -> KeyId {
        let id = self.tag(crypto, Self::ID);
        let first = id.as_ref().first_chunk().copied().unwrap_or_default();
        KeyId::from(first)
    }

    fn tag(&self, crypto: &CryptoProvider, message: &[u8]) -> crate::DigestValue {
        let key = self.key.secret_bytes();
        crypto.macs.hmac(self.algorithm, key, message)
    }

    /// Compares in constant time.
    pub(crate) fn check(
        &self,
        crypto: &CryptoProvider,
        message: &[u8],
        tag: &[u8],
    ) -> Result<(), Error> {
        match self.tag(crypto, message).as_ref().ct_eq(tag).into() {
            true => Ok(()),
            false => Err(Error::BadSignature),
        }
    }
}

/// A received COSE_Mac0 (RFC 9052 section 6.2), not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mac0<'a> {
    headers: Headers<'a>,
    payload: Option<&'a [u8]>,
    tag: &'a [u8],
}

impl<'a> Mac0<'a> {
    /// Decodes a COSE_Mac0, tagged (17) or not, with the default [`Limits`].
    ///
    /// # Errors
    ///
    /// If the bytes do not pass the strict door or are another structure.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        const RULE: &str = "COSE_Mac0";
        cbor::check(bytes, &Limits::default())?;
        let mut reader = Reader::new(bytes);
        if reader.peek(RULE)? == Type::Tag && reader.tag(RULE)? != tag::MAC0 {
            return Err(DecodeError::new(0, RULE, Problem::Expected("tag 17")).into());
        }
        reader.array_of(4, "an array of 4", RULE)?;
        let headers = Headers::read(&mut reader)?;
        let payload = match reader.take_null() {
            true => None,
            false => Some(reader.bytes("COSE_Mac0 / payload")?),
        };
        let tag = reader.bytes("COSE_Mac0 / tag")?;
        Ok(Self {
            headers,
            payload,
            tag,
        })
    }

    /// The header parameters.
    #[must_use]
    pub fn headers(&self) -> &Headers<'a> {
        &self.headers
    }

    /// The attached payload, which nothing vouches for before [`verify`](Self::verify).
    #[must_use]
    pub fn unverified_payload(&self) -> Option<&'a [u8]> {
        self.payload
    }

    /// Verifies the MAC with `key` and returns the payload that it covers.
    ///
    /// `detached` is the payload of an object that carries none; it must be `None` for one that does.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if the algorithm is not the key's; [`Error::BadSignature`];
    /// [`Error::Payload`] if the payload is attached and detached, or neither; or what
    /// [`Headers::mac_algorithm`] says.
    pub fn verify<'p>(
        &self,
        crypto: &CryptoProvider,
        key: &MacKey,
        detached: Option<&'p [u8]>,
    ) -> Result<&'p [u8], Error>
    where
        'a: 'p,
    {
        if self.headers.mac_algorithm()? != key.algorithm {
            return Err(Error::UnknownKey);
        }
        let payload = one_payload(self.payload, detached)?;
        let message = to_be_maced("MAC0", self.headers.protected, payload);
        key.check(crypto, &message, self.tag)?;
        Ok(payload)
    }
}

/// The MAC_structure of RFC 9052 section 6.3 with empty external data.
fn to_be_maced(context: &str, protected: &[u8], payload: &[u8]) -> Vec<u8> {
    Writer::build(|w| {
        w.array(4)
            .text(context)
            .bytes(protected)
            .bytes(&[])
            .bytes(payload);
    })
}

/// Makes a tagged COSE_Mac0 over a payload that is not part of it; `key_id` goes into the unprotected
/// header.
#[must_use]
pub fn mac0_detached(
    crypto: &CryptoProvider,
    key: &MacKey,
    payload: &[u8],
    key_id: Option<&[u8]>,
) -> Vec<u8> {
    let protected = header::protected(key.algorithm.cose_id());
    let code = key.tag(crypto, &to_be_maced("MAC0", &protected, payload));
    Writer::build(|w| {
        w.tag(tag::MAC0).array(4).bytes(&protected);
        write_unprotected(w, key_id);
        w.null().bytes(code.as_ref());
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn providers() -> [CryptoProvider; 2] {
        [crate::rustcrypto::provider(), crate::aws_lc::provider()]
    }

    fn key(algorithm: MacAlgorithm, byte: u8) -> MacKey {
        MacKey::new(algorithm, SymmetricKey::new([byte; 64])).unwrap()
    }

    // RFC 4231, test case 2 with the key that is allowed here would be too short; case 6 has 131 bytes.
    #[test]
    fn the_mac_is_that_of_rfc_4231() {
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let expected = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        for crypto in providers() {
            let key = SymmetricKey::new([0xaa; 131]);
            let key = MacKey::new(MacAlgorithm::Hmac256, key).unwrap();
            let tag = key.tag(&crypto, message);
            assert_eq!(base16ct::lower::encode_string(tag.as_ref()), expected);
        }
    }

    // req: SUIT-MTI-005
    #[test]
    fn providers_verify_each_other() {
        for maker in providers() {
            for algorithm in MacAlgorithm::ALL {
                let ours = key(algorithm, 1);
                let message = mac0_detached(&maker, &ours, b"payload", Some(b"kid-1"));
                for checker in providers() {
                    let mac = Mac0::decode(&message).unwrap();
                    assert_eq!(mac.headers().key_id(), Some(&b"kid-1"[..]));
                    let verify = |key: &MacKey, payload: Option<&'static [u8]>| {
                        mac.verify(&checker, key, payload).map(drop)
                    };
                    assert_eq!(verify(&ours, Some(b"payload")), Ok(()));
                    assert_eq!(verify(&ours, Some(b"paylord")), Err(Error::BadSignature));
                    assert_eq!(
                        verify(&key(algorithm, 2), Some(b"payload")),
                        Err(Error::BadSignature)
                    );
                    assert_eq!(verify(&ours, None), Err(Error::Payload("missing")));
                    for other in MacAlgorithm::ALL {
                        if other != algorithm {
                            let other = key(other, 1);
                            assert_eq!(verify(&other, Some(b"payload")), Err(Error::UnknownKey));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_tag_that_is_cut_short() {
        let crypto = crate::rustcrypto::provider();
        let ours = key(MacAlgorithm::Hmac256, 1);
        let message = |algorithm: i64, length: usize| {
            let protected = header::protected(algorithm);
            let tag = ours.tag(&crypto, &to_be_maced("MAC0", &protected, b"payload"));
            Writer::build(|w| {
                w.tag(tag::MAC0).array(4).bytes(&protected).map(0).null();
                w.bytes(&tag.as_ref()[..length]);
            })
        };
        let verify = |message: &[u8]| {
            Mac0::decode(message)?
                .verify(&crypto, &ours, Some(b"payload"))
                .map(drop)
        };
        assert_eq!(verify(&message(5, 32)), Ok(()));
        for length in 0..32 {
            assert_eq!(verify(&message(5, length)), Err(Error::BadSignature));
        }
        // HMAC 256/64 and AES-MAC.
        for (algorithm, length) in [(4, 8), (4, 32), (14, 32), (-9, 32)] {
            assert_eq!(
                verify(&message(algorithm, length)),
                Err(Error::AlgorithmUnsupported(algorithm))
            );
        }
    }

    #[test]
    fn keys_are_long_enough_and_show_nothing() {
        for algorithm in MacAlgorithm::ALL {
            let short = SymmetricKey::new(alloc::vec![1; algorithm.tag_len() - 1]);
            assert!(MacKey::new(algorithm, short).is_err());
        }
        let [one, two] = providers();
        let ours = key(MacAlgorithm::Hmac512, 0xab);
        assert!(!alloc::format!("{ours:?}").contains("ab, ab"));
        assert_eq!(ours.key_id(&one), ours.key_id(&two));
        let fresh = MacKey::generate(&one, MacAlgorithm::Hmac256).unwrap();
        assert_ne!(fresh.key_id(&one), ours.key_id(&one));
    }
}
