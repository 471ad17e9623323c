use alloc::vec::Vec;

use crate::{
    CryptoProvider, Error, Headers, KeyId, PublicKey, Signer,
    cbor::{DecodeError, Problem, Reader, Writer},
    header::{self, label},
    signed::tag,
};

/// The context of a COSE_Sign1.
const SIGNATURE1: &str = "Signature1";

/// A received COSE_Sign1 (RFC 9052 section 4.2), not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sign1<'a> {
    headers: Headers<'a>,
    payload: Option<&'a [u8]>,
    signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Decodes a COSE_Sign1, tagged (18) or not.
    ///
    /// # Errors
    ///
    /// If the bytes do not pass the strict door or are another structure.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        match crate::Signed::decode(bytes)? {
            crate::Signed::Sign1(sign1) => Ok(sign1),
            crate::Signed::Sign(_) => {
                let problem = Problem::Expected("a COSE_Sign1, not a COSE_Sign");
                Err(DecodeError::new(0, "COSE_Sign1", problem).into())
            }
        }
    }

    /// Reads what follows the array head.
    pub(crate) fn read(
        headers: Headers<'a>,
        payload: Option<&'a [u8]>,
        reader: &mut Reader<'a>,
    ) -> Result<Self, DecodeError> {
        Ok(Self {
            headers,
            payload,
            signature: reader.bytes("COSE_Sign1 / signature")?,
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

    /// Verifies the signature with `key` and returns the payload that it covers.
    ///
    /// `detached` is the payload of an object that carries none; it must be `None` for one that does.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownKey`] if the algorithm is not the key's; [`Error::BadSignature`];
    /// [`Error::Payload`] if the payload is attached and detached, or neither; or what
    /// [`Headers::algorithm`] says.
    pub fn verify<'p>(
        &self,
        crypto: &CryptoProvider,
        key: &PublicKey,
        detached: Option<&'p [u8]>,
    ) -> Result<&'p [u8], Error>
    where
        'a: 'p,
    {
        if self.headers.algorithm()? != key.algorithm() {
            return Err(Error::UnknownKey);
        }
        let payload = one_payload(self.payload, detached)?;
        let message = to_be_authenticated(SIGNATURE1, self.headers.protected, payload);
        crypto.signatures.verify(key, &message, self.signature)?;
        Ok(payload)
    }
}

/// The payload, from the one place where it is.
pub(crate) fn one_payload<'p>(
    attached: Option<&'p [u8]>,
    detached: Option<&'p [u8]>,
) -> Result<&'p [u8], Error> {
    match (attached, detached) {
        (Some(payload), None) | (None, Some(payload)) => Ok(payload),
        (None, None) => Err(Error::Payload("missing")),
        (Some(_), Some(_)) => Err(Error::Payload("attached where it must be detached")),
    }
}

/// What a signature or a MAC covers, with empty external data: the Sig_structure of a COSE_Sign1 and the
/// MAC_structure (RFC 9052 sections 4.4 and 6.3), which only `context` tells apart.
pub(crate) fn to_be_authenticated(context: &str, protected: &[u8], payload: &[u8]) -> Vec<u8> {
    // 32 bytes are enough for the context and all heads.
    let mut w = Writer::with_capacity(32 + protected.len() + payload.len());
    w.array(4)
        .text(context)
        .bytes(protected)
        .bytes(&[])
        .bytes(payload);
    w.into_bytes()
}

/// Makes a tagged COSE_Sign1 with `payload` attached; `key_id` goes into the unprotected header.
///
/// # Errors
///
/// If the signer fails.
pub fn sign1(
    signer: &dyn Signer,
    payload: &[u8],
    key_id: Option<&KeyId>,
) -> Result<Vec<u8>, Error> {
    encode(signer, payload, key_id, |w| w.bytes(payload))
}

/// Makes a tagged COSE_Sign1 over a payload that is not part of it.
///
/// # Errors
///
/// If the signer fails.
pub fn sign1_detached(
    signer: &dyn Signer,
    payload: &[u8],
    key_id: Option<&KeyId>,
) -> Result<Vec<u8>, Error> {
    encode(signer, payload, key_id, Writer::null)
}

fn encode(
    signer: &dyn Signer,
    payload: &[u8],
    key_id: Option<&KeyId>,
    write_payload: impl FnOnce(&mut Writer) -> &mut Writer,
) -> Result<Vec<u8>, Error> {
    let protected = header::protected(signer.public_key().algorithm().cose_id());
    let signature = signer.sign(&to_be_authenticated(SIGNATURE1, &protected, payload))?;
    Ok(Writer::build(|w| {
        w.tag(tag::SIGN1).array(4).bytes(&protected);
        write_unprotected(w, key_id.map(|id| &id.as_bytes()[..]), certificates(signer));
        write_payload(w);
        w.bytes(&signature);
    }))
}

/// The certificates that go into the header of what `signer` signs.
pub(crate) fn certificates(signer: &dyn Signer) -> &[Vec<u8>] {
    #[cfg(feature = "x509")]
    return signer.certificates();
    #[cfg(not(feature = "x509"))]
    {
        let _ = signer;
        &[]
    }
}

/// Writes an unprotected header: a key id, and certificates (RFC 9360 section 2: one is a byte string, more
/// are an array).
pub(crate) fn write_unprotected(w: &mut Writer, key_id: Option<&[u8]>, certificates: &[Vec<u8>]) {
    w.map(usize::from(key_id.is_some()) + usize::from(!certificates.is_empty()));
    if let Some(key_id) = key_id {
        w.int(label::KID).bytes(key_id);
    }
    if !certificates.is_empty() {
        w.int(label::X5CHAIN);
    }
    if certificates.len() > 1 {
        w.array(certificates.len());
    }
    for certificate in certificates {
        w.bytes(certificate);
    }
}
