use alloc::vec::Vec;

use tamarack_cose::{
    CryptoProvider, KeyId, PublicKey, SignatureAlgorithm, Signed, Signer,
    cbor::{DecodeError, Limits},
    sign, sign1,
};

use crate::{Encoding, Message, Token};

/// Why a protected message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtectionError {
    /// The COSE object is malformed, or nobody trusted signed it.
    #[error(transparent)]
    Cose(#[from] tamarack_cose::Error),
    /// The payload is no TEEP message.
    #[error("not a TEEP message: {error}")]
    Message {
        /// Where and why.
        error: DecodeError,
        /// Whether a trusted key signed it.
        authentic: bool,
        /// The token, as far as one can be made out, for the Error that answers.
        token: Option<Token>,
    },
}

/// A TEEP message as received: signed, not verified, not to be acted on.
#[derive(Debug, Clone)]
pub struct Protected<'a> {
    signed: Signed<'a>,
    limits: Limits,
}

impl<'a> Protected<'a> {
    /// Takes the COSE object apart; the payload stays closed.
    ///
    /// # Errors
    ///
    /// If the bytes are no COSE_Sign1 or COSE_Sign within `limits`.
    // req: TEEP-VAL-002
    pub fn decode(bytes: &'a [u8], limits: &Limits) -> Result<Self, ProtectionError> {
        let signed = Signed::decode_within(bytes, limits)?;
        Ok(Self {
            signed,
            limits: *limits,
        })
    }

    /// The key ids that the sender names, for looking up trusted keys.
    pub fn key_ids(&self) -> impl Iterator<Item = KeyId> {
        let headers = self.signed.signatures();
        headers
            .into_iter()
            .filter_map(|h| KeyId::from_bytes(h.key_id()?))
    }

    /// The algorithms of the signatures, without those that are not supported.
    pub fn algorithms(&self) -> impl Iterator<Item = SignatureAlgorithm> {
        let headers = self.signed.signatures();
        headers.into_iter().filter_map(|h| h.algorithm().ok())
    }

    /// The COSE object.
    #[must_use]
    pub fn signed(&self) -> &Signed<'a> {
        &self.signed
    }

    /// Reads the message before its signature is checked.
    ///
    /// Three uses are sound: showing a message to a person; finding in a QueryResponse the Evidence whose appraisal
    /// yields the key that must then verify this very message; and, in a message that can't be verified, the token that the
    /// Error about it repeats, and in what other suite it might be.
    ///
    /// # Errors
    ///
    /// If the payload is missing or no TEEP message.
    pub fn read_unverified(&self) -> Result<(Message, Encoding), ProtectionError> {
        let payload = self.signed.unverified_payload();
        let payload = payload.ok_or(tamarack_cose::Error::Payload("missing"))?;
        Message::decode(payload, &self.limits)
            .map_err(|error| self.not_a_message(error, false, payload))
    }

    fn not_a_message(
        &self,
        error: DecodeError,
        authentic: bool,
        payload: &[u8],
    ) -> ProtectionError {
        let token = Message::find_token(payload, &self.limits);
        ProtectionError::Message {
            error,
            authentic,
            token,
        }
    }

    /// Verifies the signature with one of `trusted` and then decodes the message.
    ///
    /// # Errors
    ///
    /// [`ProtectionError::Cose`] if no trusted key signed; [`ProtectionError::Message`] if one
    /// did and the payload is still no TEEP message.
    // req: TEEP-VAL-001
    // req: TEEP-VAL-004
    pub fn verify(
        &self,
        crypto: &CryptoProvider,
        trusted: &[PublicKey],
    ) -> Result<Verified, ProtectionError> {
        let (signer, payload) = self.signed.verify(crypto, trusted, None)?;
        self.open(payload, signer)
    }

    /// Verifies the signature with a trust anchor of `purpose`, or with the key of a certificate that leads to
    /// one, and then decodes the message. The chain comes in the header of the signature (x5chain).
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify); what is wrong with certificates is a
    /// [`tamarack_cose::Error::Certificate`].
    // req: AMB-32
    #[cfg(feature = "x509")]
    pub fn verify_trusted(
        &self,
        crypto: &CryptoProvider,
        trust: &tamarack_cose::x509::Trust<'_>,
        purpose: tamarack_cose::x509::Purpose,
    ) -> Result<Verified, ProtectionError> {
        let (signatory, payload) = self.signed.verify_trusted(crypto, trust, purpose, None)?;
        let verified = self.open(payload, signatory.key)?;
        Ok(Verified {
            signatory: Some(signatory),
            ..verified
        })
    }

    /// The certificates that come with each signature; empty where none do.
    #[cfg(feature = "x509")]
    pub fn certificate_chains(
        &self,
    ) -> impl Iterator<Item = &tamarack_cose::x509::CertificateChain<'a>> {
        let headers = self.signed.signatures();
        headers
            .into_iter()
            .map(tamarack_cose::Headers::certificate_chain)
    }

    fn open(&self, payload: &[u8], signer: PublicKey) -> Result<Verified, ProtectionError> {
        let (message, encoding) = Message::decode(payload, &self.limits)
            .map_err(|error| self.not_a_message(error, true, payload))?;
        Ok(Verified {
            message,
            encoding,
            signer,
            #[cfg(feature = "x509")]
            signatory: None,
        })
    }
}

/// A message whose signature verified under a trusted key. Only [`Protected::verify`] and
/// `Protected::verify_trusted` make one.
#[derive(Debug, Clone)]
pub struct Verified {
    message: Message,
    encoding: Encoding,
    signer: PublicKey,
    #[cfg(feature = "x509")]
    signatory: Option<tamarack_cose::x509::Signatory>,
}

impl Verified {
    /// The message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The message, taken out.
    #[must_use]
    pub fn into_message(self) -> Message {
        self.message
    }

    /// How the sender encoded it, and so how to answer.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The key that signed.
    #[must_use]
    pub fn signer(&self) -> PublicKey {
        self.signer
    }

    /// Who signed and who vouches for that; `None` if it was verified with keys alone.
    #[cfg(feature = "x509")]
    #[must_use]
    pub fn signatory(&self) -> Option<&tamarack_cose::x509::Signatory> {
        self.signatory.as_ref()
    }
}

/// Protects `message` as a tagged COSE_Sign1 with the key id of RFC 9679, and with the certificates that the
/// signer has (x5chain).
///
/// # Errors
///
/// If the signer fails.
// req: TEEP-COSE-001
// req: TEEP-COSE-003
// req: TEEP-COSE-004
pub fn protect(
    crypto: &CryptoProvider,
    signer: &dyn Signer,
    message: &Message,
    encoding: Encoding,
) -> Result<Vec<u8>, tamarack_cose::Error> {
    let key_id = KeyId::of(signer.public_key(), crypto);
    sign1(signer, &message.encode(encoding), Some(&key_id))
}

/// Protects `message` with every one of `signers`: as [`protect`] does if there is one, and in a tagged COSE_Sign
/// if there are several, as while a key is replaced by another.
///
/// # Errors
///
/// If there is no signer, or one fails.
pub fn protect_by_each(
    crypto: &CryptoProvider,
    signers: &[&dyn Signer],
    message: &Message,
    encoding: Encoding,
) -> Result<Vec<u8>, tamarack_cose::Error> {
    match signers {
        [] => Err(tamarack_cose::Error::Misuse("no key to sign with")),
        [signer] => protect(crypto, *signer, message, encoding),
        signers => sign(crypto, signers, &message.encode(encoding)),
    }
}

/// Protects a QueryRequest to an agent of which nothing is known: a tagged COSE_Sign with a signature by
/// every signer, one for each algorithm of the offered suites.
///
/// # Errors
///
/// If a signer fails.
// req: TEEP-COSE-009
pub fn protect_for_unknown_agent(
    crypto: &CryptoProvider,
    signers: &[&dyn Signer],
    message: &Message,
) -> Result<Vec<u8>, tamarack_cose::Error> {
    sign(crypto, signers, &message.encode(Encoding::default()))
}
