use alloc::vec::Vec;

use crate::{
    CryptoProvider, Error, Headers, KeyId, PublicKey, Signer,
    cbor::{DecodeError, Problem, Reader, Writer},
    header,
    sign1::{certificates, one_payload, write_unprotected},
    signed::{candidates, names, tag},
};

/// More signatures than any suite list needs; each costs a verification.
const MAX_SIGNATURES: usize = 8;

/// A received COSE_Sign (RFC 9052 section 4.1), not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign<'a> {
    headers: Headers<'a>,
    payload: Option<&'a [u8]>,
    signatures: Vec<(Headers<'a>, &'a [u8])>,
}

impl<'a> Sign<'a> {
    /// Reads the signatures that follow headers and payload.
    pub(crate) fn read(
        headers: Headers<'a>,
        payload: Option<&'a [u8]>,
        reader: &mut Reader<'a>,
    ) -> Result<Self, DecodeError> {
        let count = reader.array("COSE_Sign / signatures")?;
        if !(1..=MAX_SIGNATURES).contains(&count) {
            let problem = Problem::OutOfBounds("1 to 8 signatures");
            return Err(reader.error("COSE_Sign / signatures", problem));
        }
        let mut signatures = Vec::new();
        for _ in 0..count {
            reader.array_of(3, "an array of 3", "COSE_Signature")?;
            let headers = Headers::read(reader)?;
            signatures.push((headers, reader.bytes("COSE_Signature / signature")?));
        }
        Ok(Self {
            headers,
            payload,
            signatures,
        })
    }

    /// The headers of each signature.
    pub fn signatures(&self) -> impl Iterator<Item = &Headers<'a>> {
        self.signatures.iter().map(|(headers, _)| headers)
    }

    /// The attached payload, which nothing vouches for before [`verify`](Self::verify).
    #[must_use]
    pub fn unverified_payload(&self) -> Option<&'a [u8]> {
        self.payload
    }

    /// Verifies with those of `trusted` that made a signature; returns the first that did, and the payload.
    ///
    /// A signature under an algorithm that is not supported, or by a key that is not trusted, is passed
    /// over. Every other one must verify, and there must be one.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if no signature could be checked, [`Error::BadSignature`] if one that
    /// could be checked fails.
    // req: TEEP-COSE-011
    pub fn verify<'p>(
        &self,
        crypto: &CryptoProvider,
        trusted: &[PublicKey],
        detached: Option<&'p [u8]>,
    ) -> Result<(PublicKey, &'p [u8]), Error>
    where
        'a: 'p,
    {
        self.headers.critical.check()?;
        let payload = one_payload(self.payload, detached)?;
        let mut verified = None;
        for (headers, signature) in &self.signatures {
            let algorithm = match headers.algorithm() {
                Ok(algorithm) => algorithm,
                Err(Error::CriticalHeader(label)) => return Err(Error::CriticalHeader(label)),
                Err(_) => continue,
            };
            let message = to_be_signed(self.headers.protected, headers.protected, payload);
            let fits = |key: &PublicKey| crypto.signatures.verify(key, &message, signature).is_ok();
            let candidates = candidates(crypto, trusted, algorithm, headers.key_id());
            match candidates.iter().find(|key| fits(key)) {
                Some(key) => verified = verified.or(Some(**key)),
                // Only a signature that names one of our keys is wrong; another may be somebody else's.
                None if headers.key_id().is_some()
                    && candidates
                        .iter()
                        .any(|key| names(crypto, headers.key_id(), key)) =>
                {
                    return Err(Error::BadSignature);
                }
                None => {}
            }
        }
        Ok((verified.ok_or(Error::UnknownKey)?, payload))
    }

    /// As [`Signed::verify_at`](crate::Signed::verify_at).
    pub(crate) fn verify_at(
        &self,
        crypto: &CryptoProvider,
        index: usize,
        key: &PublicKey,
        detached: Option<&[u8]>,
    ) -> Result<(), Error> {
        self.headers.critical.check()?;
        let (headers, signature) = self.signatures.get(index).ok_or(Error::UnknownKey)?;
        if headers.algorithm()? != key.algorithm() {
            return Err(Error::UnknownKey);
        }
        let payload = one_payload(self.payload, detached)?;
        let message = to_be_signed(self.headers.protected, headers.protected, payload);
        crypto.signatures.verify(key, &message, signature)
    }
}

/// The Sig_structure of RFC 9052 section 4.4 for one signature of a COSE_Sign.
fn to_be_signed(body: &[u8], signer: &[u8], payload: &[u8]) -> Vec<u8> {
    Writer::build(|w| {
        w.array(5)
            .text("Signature")
            .bytes(body)
            .bytes(signer)
            .bytes(&[])
            .bytes(payload);
    })
}

/// Makes a tagged COSE_Sign with `payload` attached and one signature by each signer.
///
/// # Errors
///
/// If a signer fails.
pub fn sign(
    crypto: &CryptoProvider,
    signers: &[&dyn Signer],
    payload: &[u8],
) -> Result<Vec<u8>, Error> {
    encode(crypto, signers, payload, |w| w.bytes(payload))
}

/// Makes a tagged COSE_Sign over a payload that is not part of it, with one signature by each signer.
///
/// # Errors
///
/// If a signer fails.
pub fn sign_detached(
    crypto: &CryptoProvider,
    signers: &[&dyn Signer],
    payload: &[u8],
) -> Result<Vec<u8>, Error> {
    encode(crypto, signers, payload, Writer::null)
}

fn encode(
    crypto: &CryptoProvider,
    signers: &[&dyn Signer],
    payload: &[u8],
    write_payload: impl FnOnce(&mut Writer) -> &mut Writer,
) -> Result<Vec<u8>, Error> {
    let mut signatures = Writer::new();
    signatures.array(signers.len());
    for signer in signers {
        let protected = header::protected(signer.public_key().algorithm().cose_id());
        let signature = signer.sign(&to_be_signed(&[], &protected, payload))?;
        signatures.array(3).bytes(&protected);
        let key_id = KeyId::of(signer.public_key(), crypto);
        write_unprotected(
            &mut signatures,
            Some(key_id.as_bytes()),
            certificates(*signer),
        );
        signatures.bytes(&signature);
    }
    Ok(Writer::build(|w| {
        w.tag(tag::SIGN).array(4).bytes(&[]).map(0);
        write_payload(w);
        w.raw(&signatures.into_bytes());
    }))
}
