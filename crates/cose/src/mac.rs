use alloc::vec::Vec;

use crate::{
    CryptoProvider, Error, Headers, MacAlgorithm, MacKey, MacWrappingKey,
    cbor::{self, DecodeError, Limits, Problem, Reader, Type, Writer},
    encrypt::{RecipientAlgorithm, RecipientInfo, read_recipients, write_recipient},
    header,
    sign1::{one_payload, to_be_authenticated},
    signed::tag,
};

/// A received COSE_Mac (RFC 9052 section 6.1), not verified yet: a MAC whose key the recipients find out,
/// by holding it (direct) or by unwrapping it (AES-KW).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mac<'a> {
    headers: Headers<'a>,
    payload: Option<&'a [u8]>,
    tag: &'a [u8],
    recipients: Vec<RecipientInfo<'a>>,
}

impl<'a> Mac<'a> {
    /// Decodes a COSE_Mac, tagged (97) or not, with the default [`Limits`] and at most
    /// [`MAX_RECIPIENTS`](crate::encrypt::MAX_RECIPIENTS) recipients.
    ///
    /// # Errors
    ///
    /// If the bytes do not pass the strict door or are another structure.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        const RULE: &str = "COSE_Mac";
        cbor::check(bytes, &Limits::default())?;
        let mut reader = Reader::new(bytes);
        if reader.peek() == Type::Tag && reader.tag(RULE)? != tag::MAC {
            return Err(DecodeError::new(0, RULE, Problem::Expected("tag 97")).into());
        }
        reader.array_of(5, "an array of 5", RULE)?;
        let headers = Headers::read(&mut reader)?;
        let payload = reader.bytes_or_null("COSE_Mac / payload")?;
        let tag = reader.bytes("COSE_Mac / tag")?;
        let recipients = read_recipients(&mut reader, "COSE_Mac / recipients")?;
        Ok(Self {
            headers,
            payload,
            tag,
            recipients,
        })
    }

    /// The header parameters of the MAC.
    #[must_use]
    pub fn headers(&self) -> &Headers<'a> {
        &self.headers
    }

    /// Who the MAC is for.
    #[must_use]
    pub fn recipients(&self) -> &[RecipientInfo<'a>] {
        &self.recipients
    }

    /// The attached payload, which nothing vouches for before it is verified.
    #[must_use]
    pub fn unverified_payload(&self) -> Option<&'a [u8]> {
        self.payload
    }

    /// Verifies the MAC as the recipient at `index`, which holds the MAC key itself (direct). It must be the
    /// only recipient (RFC 9052 section 8.5.1).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if the recipient is not such a one, or the algorithm not the key's;
    /// [`Error::BadSignature`]; [`Error::Payload`]; or what [`Headers::mac_algorithm`] says.
    pub fn verify_direct(
        &self,
        crypto: &CryptoProvider,
        index: usize,
        key: &MacKey,
        detached: Option<&[u8]>,
    ) -> Result<(), Error> {
        let algorithm = self.headers.mac_algorithm()?;
        match self.recipients.as_slice() {
            [one]
                if index == 0
                    && one.algorithm() == Some(RecipientAlgorithm::Direct)
                    && one.encrypted_key()?.is_empty()
                    && key.algorithm() == algorithm =>
            {
                self.check(crypto, key, detached)
            }
            _ => Err(Error::UnknownKey),
        }
    }

    /// Verifies the MAC as the recipient at `index`, to which the MAC key was wrapped under `key`.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if the recipient is not such a one, or the algorithm not the key's;
    /// [`Error::BadSignature`], also if there is no MAC key in what was wrapped; [`Error::Payload`]; or what
    /// [`Headers::mac_algorithm`] says.
    pub fn verify_wrapped(
        &self,
        crypto: &CryptoProvider,
        index: usize,
        key: &MacWrappingKey,
        detached: Option<&[u8]>,
    ) -> Result<(), Error> {
        let algorithm = self.headers.mac_algorithm()?;
        let wrap = key.algorithm();
        let recipient = self.recipients.get(index).ok_or(Error::UnknownKey)?;
        if recipient.algorithm() != Some(RecipientAlgorithm::KeyWrap(wrap)) {
            return Err(Error::UnknownKey);
        }
        let wrapped = recipient.encrypted_key()?;
        let unwrapped = crypto.ciphers.unwrap(wrap, key.key(), wrapped).ok();
        let key = unwrapped
            .and_then(|key| MacKey::new(algorithm, key).ok())
            .ok_or(Error::BadSignature)?;
        self.check(crypto, &key, detached)
    }

    fn check(
        &self,
        crypto: &CryptoProvider,
        key: &MacKey,
        detached: Option<&[u8]>,
    ) -> Result<(), Error> {
        let payload = one_payload(self.payload, detached)?;
        let message = to_be_authenticated("MAC", self.headers.protected, payload);
        key.check(crypto, &message, self.tag)
    }
}

/// Makes a tagged COSE_Mac over a payload that is not part of it, with a fresh key that is wrapped to each
/// of `recipients`: a wrapping key, and the name by which the recipient knows it.
///
/// Each recipient learns the key of the MAC, and with it can MAC other payloads for the others. Make a MAC
/// for each where they don't trust one another.
///
/// # Errors
///
/// [`Error::Crypto`] if the source of randomness fails.
pub fn mac_detached(
    crypto: &CryptoProvider,
    algorithm: MacAlgorithm,
    recipients: &[(&MacWrappingKey, Option<&[u8]>)],
    payload: &[u8],
) -> Result<Vec<u8>, Error> {
    let key = MacKey::generate(crypto, algorithm)?;
    let protected = header::protected(algorithm.cose_id());
    let code = key.tag(crypto, &to_be_authenticated("MAC", &protected, payload));
    let mut infos = Writer::new();
    infos.array(recipients.len());
    for (wrapping, key_id) in recipients {
        let wrap = wrapping.algorithm();
        let wrapped = crypto.ciphers.wrap(wrap, wrapping.key(), key.key())?;
        let to = RecipientAlgorithm::KeyWrap(wrap);
        write_recipient(&mut infos, to, *key_id, &wrapped);
    }
    Ok(Writer::build(|w| {
        w.tag(tag::MAC).array(5).bytes(&protected).map(0).null();
        w.bytes(code.as_ref()).raw(&infos.into_bytes());
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SymmetricKey, encrypt::MAX_RECIPIENTS};

    fn providers() -> [CryptoProvider; 2] {
        [crate::rustcrypto::provider(), crate::aws_lc::provider()]
    }

    fn wrapping(bytes: usize, byte: u8) -> MacWrappingKey {
        MacWrappingKey::new(SymmetricKey::new(alloc::vec![byte; bytes])).unwrap()
    }

    #[test]
    fn each_recipient_unwraps_the_key() {
        let keys = [wrapping(16, 1), wrapping(24, 2), wrapping(32, 3)];
        let recipients = [
            (&keys[0], None),
            (&keys[1], Some(&b"kid-2"[..])),
            (&keys[2], None),
        ];
        for maker in providers() {
            for algorithm in MacAlgorithm::ALL {
                let message = mac_detached(&maker, algorithm, &recipients, b"payload").unwrap();
                let mac = Mac::decode(&message).unwrap();
                assert_eq!(mac.recipients().len(), 3);
                assert_eq!(mac.recipients()[1].key_id(), Some(&b"kid-2"[..]));
                for checker in providers() {
                    let verify = |index, key: &MacWrappingKey, payload: &'static [u8]| {
                        mac.verify_wrapped(&checker, index, key, Some(payload))
                    };
                    for (index, key) in keys.iter().enumerate() {
                        assert_eq!(verify(index, key, b"payload"), Ok(()));
                        assert_eq!(verify(index, key, b"paylord"), Err(Error::BadSignature));
                        let other = (index + 1) % 3;
                        assert_eq!(verify(other, key, b"payload"), Err(Error::UnknownKey));
                        assert_eq!(verify(3, key, b"payload"), Err(Error::UnknownKey));
                        let stranger = wrapping(16 + 8 * index, 9);
                        assert_eq!(
                            verify(index, &stranger, b"payload"),
                            Err(Error::BadSignature)
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_direct_recipient_stands_alone_with_nothing_encrypted() {
        let crypto = crate::rustcrypto::provider();
        let key = MacKey::new(MacAlgorithm::Hmac256, SymmetricKey::new([1; 32])).unwrap();
        let protected = header::protected(5);
        let tag = key.tag(&crypto, &to_be_authenticated("MAC", &protected, b"payload"));
        let message = |recipients: &[(&[u8], i64, &[u8])]| {
            Writer::build(|w| {
                w.tag(tag::MAC).array(5).bytes(&protected).map(0).null();
                w.bytes(tag.as_ref()).array(recipients.len());
                for (protected, algorithm, encrypted) in recipients {
                    w.array(3).bytes(protected).map(1).int(1).int(*algorithm);
                    w.bytes(encrypted);
                }
            })
        };
        let verify = |message: &[u8]| {
            Mac::decode(message)?.verify_direct(&crypto, 0, &key, Some(b"payload"))
        };
        assert_eq!(verify(&message(&[(b"", -6, b"")])), Ok(()));
        for wrong in [
            message(&[(b"", -6, b""), (b"", -6, b"")]),
            message(&[(b"", -6, b"key")]),
            message(&[(b"", -3, b"")]),
            message(&[(&[0xa1, 0x01, 0x25], -6, b"")]),
        ] {
            assert_eq!(verify(&wrong), Err(Error::UnknownKey));
        }
        assert!(Mac::decode(&message(&[])).is_err());
        let many: Vec<_> = (0..=MAX_RECIPIENTS)
            .map(|_| (&b""[..], -6, &b""[..]))
            .collect();
        assert!(Mac::decode(&message(&many)).is_err());
        // The structure is part of what is MACed: a COSE_Mac0 can't be made one.
        let plain = crate::mac0_detached(&crypto, &key, b"payload", None);
        let mut moved = message(&[(b"", -6, b"")]);
        let at = moved.windows(32).position(|w| w == tag.as_ref()).unwrap();
        moved[at..at + 32].copy_from_slice(&plain[plain.len() - 32..]);
        assert_eq!(verify(&moved), Err(Error::BadSignature));
    }
}
