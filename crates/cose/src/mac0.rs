use alloc::vec::Vec;

use crate::{
    CryptoProvider, Error, Headers, MacKey,
    cbor::{self, DecodeError, Limits, Problem, Reader, Type, Writer},
    header,
    sign1::{one_payload, to_be_authenticated, write_unprotected},
    signed::tag,
};

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
        if reader.peek() == Type::Tag && reader.tag(RULE)? != tag::MAC0 {
            return Err(DecodeError::new(0, RULE, Problem::Expected("tag 17")).into());
        }
        reader.array_of(4, "an array of 4", RULE)?;
        let headers = Headers::read(&mut reader)?;
        let payload = reader.bytes_or_null("COSE_Mac0 / payload")?;
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
        if self.headers.mac_algorithm()? != key.algorithm() {
            return Err(Error::UnknownKey);
        }
        let payload = one_payload(self.payload, detached)?;
        let message = to_be_authenticated("MAC0", self.headers.protected, payload);
        key.check(crypto, &message, self.tag)?;
        Ok(payload)
    }
}

/// Makes a tagged COSE_Mac0 with `payload` attached; `key_id` goes into the unprotected header.
#[must_use]
pub fn mac0(
    crypto: &CryptoProvider,
    key: &MacKey,
    payload: &[u8],
    key_id: Option<&[u8]>,
) -> Vec<u8> {
    encode(crypto, key, payload, key_id, |w| w.bytes(payload))
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
    encode(crypto, key, payload, key_id, Writer::null)
}

fn encode(
    crypto: &CryptoProvider,
    key: &MacKey,
    payload: &[u8],
    key_id: Option<&[u8]>,
    write_payload: impl FnOnce(&mut Writer) -> &mut Writer,
) -> Vec<u8> {
    let protected = header::protected(key.algorithm().cose_id());
    let code = key.tag(crypto, &to_be_authenticated("MAC0", &protected, payload));
    Writer::build(|w| {
        w.tag(tag::MAC0).array(4).bytes(&protected);
        write_unprotected(w, key_id, &[]);
        write_payload(w).bytes(code.as_ref());
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MacAlgorithm, SymmetricKey};

    fn providers() -> [CryptoProvider; 2] {
        [crate::rustcrypto::provider(), crate::aws_lc::provider()]
    }

    fn key(algorithm: MacAlgorithm, byte: u8) -> MacKey {
        MacKey::new(algorithm, SymmetricKey::new([byte; 64])).unwrap()
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
            let tag = ours.tag(
                &crypto,
                &to_be_authenticated("MAC0", &protected, b"payload"),
            );
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
}
