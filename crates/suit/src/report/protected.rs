//! Reports on their way to somebody: signed or authenticated by a MAC, and encrypted.

use alloc::vec::Vec;

use tamarack_cose::{
    CryptoProvider, KeyId, Mac0, MacKey, Sign1, Signer, SymmetricKey,
    cbor::{Reader, Type},
    encrypt::{ContentAlgorithm, Encrypted, Encryption, Recipient, RecipientKey, encrypt0},
    mac0, sign1, tag,
};

use super::Report;
use crate::{
    Error,
    trust::{Authority, Trusted, TrustedKey, attribute},
};

/// What the key derivation of an encrypted report is for (draft-ietf-teep-protocol section 8.2). In SUIT
/// reports alone, whose drafts know COSE_Encrypt0 only, no key is derived.
pub const REPORT_PURPOSE: &[u8] = b"SUIT Report Encryption";

/// An encoded report, in the clear or encrypted, that is to be protected.
///
/// A report tells what a device is made of. It leaves the device encrypted for its reader wherever
/// possible, also inside an encrypted token that others can open (SUIT-REP-021); and always authenticated,
/// by [`sign`](Self::sign), by [`mac`](Self::mac), or by what it travels in (SUIT-REP-018).
///
/// ```
/// # use tamarack_cose::{SecretKey, SignatureAlgorithm, rustcrypto};
/// # use tamarack_cose::encrypt::{ContentAlgorithm, Curve, DecryptionKey, Recipient, RecipientKey};
/// # use tamarack_suit::{MemoryDevice, NoFetch, Processor, SingleAuthority};
/// use tamarack_suit::report::{OpenedReport, ReportPayload};
/// # let crypto = rustcrypto::provider();
/// # let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
/// # let signer = crypto.signatures.signer(&key)?;
/// # let tam = DecryptionKey::generate(&crypto, Curve::P256)?;
/// # let trusted = [*key.public_key()];
/// # let report = Processor::new(&crypto, &trusted, &SingleAuthority)
/// #     .update_bytes(&mut MemoryDevice::default(), &mut NoFetch, b"junk").report;
///
/// // The device: encrypted to the TAM, then signed.
/// let recipients = [Recipient::agreement(tam.public_key())];
/// let message = ReportPayload::encrypted(&report, &crypto, ContentAlgorithm::A128Gcm, &recipients)?
///     .sign(&crypto, &*signer)?;
///
/// // The TAM.
/// let keys = [RecipientKey::agreement(&crypto, tam)];
/// let opened = OpenedReport::open(&message, &crypto, &trusted, &keys)?;
/// assert_eq!(opened.report, report);
/// assert_eq!(opened.authority, Some((*key.public_key()).into()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ReportPayload {
    bytes: Vec<u8>,
    /// Whether a change would be noticed without a signature or MAC around it.
    authenticated: bool,
}

impl ReportPayload {
    /// The report in the clear, for a signature or MAC.
    #[must_use]
    pub fn plain(report: &Report) -> Self {
        Self {
            bytes: report.encode(),
            authenticated: false,
        }
    }

    /// The report encrypted for `recipients`, under a fresh content key (COSE_Encrypt, as in TEEP).
    ///
    /// # Errors
    ///
    /// What [`Encryption::attached`] says.
    // req: SUIT-REP-021, SUIT-REP-022
    pub fn encrypted(
        report: &Report,
        crypto: &CryptoProvider,
        algorithm: ContentAlgorithm,
        recipients: &[Recipient<'_>],
    ) -> Result<Self, Error> {
        let encryption = Encryption::new(algorithm, REPORT_PURPOSE);
        Ok(Self {
            bytes: encryption.attached(crypto, recipients, &report.encode())?,
            authenticated: algorithm.is_authenticated(),
        })
    }

    /// The report encrypted under a content key that its reader has too (COSE_Encrypt0).
    ///
    /// # Errors
    ///
    /// What [`encrypt0`] says.
    // req: SUIT-REP-019, SUIT-REP-021
    pub fn encrypted_under(
        report: &Report,
        crypto: &CryptoProvider,
        algorithm: ContentAlgorithm,
        key: &SymmetricKey,
        key_id: Option<&[u8]>,
    ) -> Result<Self, Error> {
        Ok(Self {
            bytes: encrypt0(crypto, algorithm, key, key_id, &[], &report.encode())?,
            authenticated: algorithm.is_authenticated(),
        })
    }

    /// The report as a COSE_Sign1.
    ///
    /// # Errors
    ///
    /// If the signer fails.
    // req: SUIT-REP-019
    pub fn sign(&self, crypto: &CryptoProvider, signer: &dyn Signer) -> Result<Vec<u8>, Error> {
        let key_id = KeyId::of(signer.public_key(), crypto);
        Ok(sign1(signer, &self.bytes, Some(&key_id))?)
    }

    /// The report as a COSE_Mac0; `key_id` is what its reader calls the key.
    // req: SUIT-REP-019
    #[must_use]
    pub fn mac(&self, crypto: &CryptoProvider, key: &MacKey, key_id: Option<&[u8]>) -> Vec<u8> {
        mac0(crypto, key, &self.bytes, key_id)
    }

    /// The report for something that authenticates it, such as an Entity Attestation Token or a message
    /// of TEEP; or by itself, if it was encrypted by a cipher that authenticates.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`] if it was encrypted by one that does not: whoever carries it could change
    /// it unnoticed, so it must be signed or have a MAC.
    // req: SUIT-REP-018, SUIT-REP-020
    pub fn bare(&self) -> Result<&[u8], Error> {
        let encrypted = Reader::new(&self.bytes).peek() != Type::Map;
        match encrypted && !self.authenticated {
            true => Err(Error::Unauthenticated),
            false => Ok(&self.bytes),
        }
    }

    /// The report for a message that is signed as a whole, such as one of TEEP, whatever it was encrypted by.
    #[must_use]
    pub fn carried(&self) -> &[u8] {
        &self.bytes
    }
}

/// A report that was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedReport {
    /// The report.
    pub report: Report,
    /// Who signed it, or made its MAC; `None` if nothing in the message says so. What such a report says
    /// is worth as much as what it came in.
    pub authority: Option<Authority>,
    /// Whether it was encrypted.
    pub confidential: bool,
}

impl OpenedReport {
    /// Opens a report in any of its forms: COSE_Sign1 or COSE_Mac0 (tagged or not) around a report, around a
    /// COSE_Encrypt0 or around a COSE_Encrypt; either of the two by itself, if its cipher authenticates; or a
    /// bare report.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthorized`] if there is a signature or MAC and it is by nobody of `trusted`, or the
    /// report is encrypted for none of `keys`; [`Error::Unauthenticated`]; [`Error::Decode`],
    /// [`Error::CoseUnsupported`] or [`Error::AlgorithmUnsupported`] otherwise.
    // req: SUIT-REP-019, SUIT-REP-020, SUIT-AMB-026
    pub fn open<'t>(
        bytes: &[u8],
        crypto: &CryptoProvider,
        trusted: impl Into<Trusted<'t>>,
        keys: &[RecipientKey],
    ) -> Result<Self, Error> {
        let trusted = trusted.into();
        let (vouched, payload) = vouched(bytes, crypto, trusted)?;
        let authority = vouched.transpose()?;
        let (opened, cipher) = Self::content(payload, authority, crypto, keys)?;
        match authority.is_none() && cipher.is_some_and(|cipher| !cipher.is_authenticated()) {
            true => Err(Error::Unauthenticated),
            false => Ok(opened),
        }
    }

    /// Opens a report that came in a message which is authenticated as a whole, such as one of TEEP.
    ///
    /// A signature or MAC of its own adds nothing there: one that is by nobody of `trusted` is passed over, and
    /// [`authority`](Self::authority) is `None`.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open), but for those about who vouches for it.
    pub fn carried<'t>(
        bytes: &[u8],
        crypto: &CryptoProvider,
        trusted: impl Into<Trusted<'t>>,
        keys: &[RecipientKey],
    ) -> Result<Self, Error> {
        let (vouched, payload) = vouched(bytes, crypto, trusted.into())?;
        let authority = vouched.and_then(Result::ok);
        Ok(Self::content(payload, authority, crypto, keys)?.0)
    }

    /// Opens what a container holds: a report, or one that is encrypted, and by what.
    fn content(
        bytes: &[u8],
        authority: Option<Authority>,
        crypto: &CryptoProvider,
        keys: &[RecipientKey],
    ) -> Result<(Self, Option<ContentAlgorithm>), Error> {
        let (report, cipher) = match Reader::new(bytes).peek() {
            Type::Map => (Report::decode(bytes)?, None),
            _ => {
                let encrypted = Encrypted::decode(bytes)?;
                let key = encrypted.content_key(crypto, keys, REPORT_PURPOSE)?;
                let plaintext = encrypted.decrypt(crypto, &key, &[], None)?;
                (Report::decode(&plaintext)?, Some(encrypted.algorithm()))
            }
        };
        let opened = Self {
            report,
            authority,
            confidential: cipher.is_some(),
        };
        Ok((opened, cipher))
    }
}

/// What a report came in.
enum Container {
    Report,
    Encrypted,
    Sign1,
    Mac0,
}

impl Container {
    fn of(bytes: &[u8]) -> Result<Self, Error> {
        const RULE: &str = "SUIT_Report_Protected";
        let mut reader = Reader::new(bytes);
        match reader.peek() {
            Type::Map => return Ok(Self::Report),
            Type::Tag => {
                return match reader.tag(RULE)? {
                    tag::SIGN1 => Ok(Self::Sign1),
                    tag::MAC0 => Ok(Self::Mac0),
                    tag::ENCRYPT0 | tag::ENCRYPT => Ok(Self::Encrypted),
                    _ => Err(Error::CoseUnsupported("neither a signature nor a MAC")),
                };
            }
            _ => {}
        }
        // Untagged: COSE_Encrypt0 has three elements, and COSE_Encrypt ends with an array. COSE_Sign1 and
        // COSE_Mac0 have the same shape; their algorithm tells them apart.
        if reader.array(RULE)? != 4 {
            return Ok(Self::Encrypted);
        }
        for _ in 0..3 {
            reader.skip(RULE)?;
        }
        if reader.peek() == Type::Array {
            return Ok(Self::Encrypted);
        }
        let mac = Mac0::decode(bytes).is_ok_and(|mac| mac.headers().mac_algorithm().is_ok());
        Ok(if mac { Self::Mac0 } else { Self::Sign1 })
    }
}

/// Who made the signature or MAC around a report, or why nobody can be said to, if there is one; and what is
/// in it.
#[expect(
    clippy::type_complexity,
    reason = "one value with a name would be used once"
)]
fn vouched<'b>(
    bytes: &'b [u8],
    crypto: &CryptoProvider,
    trusted: Trusted<'_>,
) -> Result<(Option<Result<Authority, Error>>, &'b [u8]), Error> {
    let (authority, payload) = match Container::of(bytes)? {
        Container::Report | Container::Encrypted => return Ok((None, bytes)),
        Container::Sign1 => {
            let signed = Sign1::decode(bytes)?;
            let candidates = trusted.candidates(crypto, signed.headers().key_id());
            let authority = attribute(&candidates, &|key| match key {
                TrustedKey::Public(key) => signed.verify(crypto, key, None).map(drop),
                _ => Err(tamarack_cose::Error::UnknownKey),
            });
            (authority, signed.unverified_payload())
        }
        Container::Mac0 => {
            let mac = Mac0::decode(bytes)?;
            let candidates = trusted.candidates(crypto, mac.headers().key_id());
            let authority = attribute(&candidates, &|key| match key {
                TrustedKey::Mac(key) => mac.verify(crypto, key, None).map(drop),
                _ => Err(tamarack_cose::Error::UnknownKey),
            });
            (authority, mac.unverified_payload())
        }
    };
    let payload = payload.ok_or(Error::CoseUnsupported("a report without its payload"))?;
    Ok((Some(authority.map_err(Error::from)), payload))
}
