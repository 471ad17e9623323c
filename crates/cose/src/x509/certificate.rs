use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, ops::Range};

use base16ct::HexDisplay;
use pkcs8::{
    AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef,
    der::{
        self, Decode, Document, Encode, Reader as _, SliceReader, Tag, Tagged as _,
        asn1::{AnyRef, BitStringRef, UintRef},
        pem::LineEnding,
    },
};
use x509_cert::{
    attr::AttributeTypeAndValue,
    certificate::{TbsCertificate, Version},
    ext::{
        Extension,
        pkix::{BasicConstraints, KeyUsage, SubjectAltName, name::GeneralName},
    },
    name::Name,
};

use super::{CertificateError, CertificateName, Purpose};
use crate::{
    CryptoProvider, Error, KeyId, PublicKey, SignatureAlgorithm,
    pem::{ED25519, HSS_LMS},
};

pub(crate) const ECDSA_WITH_SHA256: ObjectIdentifier =
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
pub(crate) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
pub(crate) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
pub(crate) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// The attribute `CN` of a name (RFC 4519 section 2.3).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// Critical in conforming certificates; where it is not, ignoring it would still widen what was meant.
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");

/// The label of a certificate's PEM block (RFC 7468).
const LABEL: &str = "CERTIFICATE";

/// An X.509 certificate of version 3 (RFC 5280 section 4), read and not verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    /// Where in `der` the signed part is.
    signed: Range<usize>,
    algorithm: SignatureAlgorithm,
    /// As the provider wants it, which for ECDSA is not as the certificate has it.
    signature: Vec<u8>,
    key: PublicKey,
    subject: Vec<u8>,
    subject_text: String,
    issuer: Vec<u8>,
    issuer_text: String,
    serial: Vec<u8>,
    not_before: u64,
    not_after: u64,
    extensions: Extensions,
}

/// What the extensions say, as far as they are understood.
#[derive(Clone, PartialEq, Eq, Default)]
struct Extensions {
    basic_constraints: Option<(bool, Option<u8>)>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Option<Vec<Vec<u8>>>,
    alternative_names: Vec<String>,
    /// The first that must be understood and is not.
    unknown: Option<String>,
}

impl Certificate {
    /// Longest certificate that is read, in bytes.
    pub const MAX_LEN: usize = 16 * 1024;

    /// Reads a certificate.
    ///
    /// # Errors
    ///
    /// If it is none of version 3 in strict DER, or its key or its signature is of an algorithm that is not
    /// supported.
    pub fn from_der(bytes: &[u8]) -> Result<Self, CertificateError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(CertificateError::TooLong(Self::MAX_LEN));
        }
        let Envelope {
            signed,
            algorithm,
            signature,
        } = Envelope::read(bytes)?;
        let tbs = TbsCertificate::from_der(bytes.get(signed.clone()).unwrap_or_default())?;
        if tbs.version() != Version::V3 {
            return Err(CertificateError::Version);
        }
        // RFC 5280 section 4.1.1.2: the one inside, which is signed, must be the same.
        let inside = tbs.signature();
        if signature_algorithm(inside.oid, inside.parameters.is_some())? != algorithm {
            return Err(CertificateError::Algorithm(inside.oid.to_string()));
        }
        let info = tbs.subject_public_key_info().to_der()?;
        let info = SubjectPublicKeyInfoRef::from_der(&info)?;
        let validity = tbs.validity();
        Ok(Self {
            der: bytes.to_vec(),
            signed,
            algorithm,
            signature,
            key: PublicKey::from_spki(&info).map_err(CertificateError::Key)?,
            subject: tbs.subject().to_der()?,
            subject_text: tbs.subject().to_string(),
            issuer: tbs.issuer().to_der()?,
            issuer_text: tbs.issuer().to_string(),
            serial: tbs.serial_number().as_bytes().to_vec(),
            not_before: validity.not_before.to_unix_duration().as_secs(),
            not_after: validity.not_after.to_unix_duration().as_secs(),
            extensions: Extensions::read(tbs.extensions().map_or(&[][..], |list| list))?,
        })
    }

    /// Reads PEM blocks `CERTIFICATE`, one or more, with nothing but white space and comments around them.
    ///
    /// # Errors
    ///
    /// If there is none, or one is no certificate.
    pub fn list_from_pem(text: &str) -> Result<Vec<Self>, CertificateError> {
        let blocks = pem_blocks(text, LABEL)?;
        blocks.iter().map(|der| Self::from_der(der)).collect()
    }

    /// The certificate as a PEM block.
    ///
    /// # Errors
    ///
    /// Never for a certificate that exists; the encoding reports errors by its signature.
    pub fn to_pem(&self) -> Result<String, CertificateError> {
        let document = Document::try_from(&self.der[..])?;
        Ok(document.to_pem(LABEL, LineEnding::LF)?)
    }

    /// Its DER, as it was read.
    #[must_use]
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }

    /// The subject's public key.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The thumbprint of the subject's key (RFC 9679), by which signatures name it.
    // req: EAT-006
    #[must_use]
    pub fn key_id(&self, crypto: &CryptoProvider) -> KeyId {
        self.key.key_id(crypto)
    }

    /// SHA-256 of the DER.
    #[must_use]
    pub fn fingerprint(&self, crypto: &CryptoProvider) -> [u8; 32] {
        crypto.sha256(&self.der)
    }

    /// The subject in DER.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        &self.subject
    }

    /// The issuer in DER.
    #[must_use]
    pub fn issuer(&self) -> &[u8] {
        &self.issuer
    }

    /// The subject as RFC 4514 writes it. Whoever issued it chose it: not for a terminal as it is.
    #[must_use]
    pub fn subject_text(&self) -> &str {
        &self.subject_text
    }

    /// The attributes `CN` of the subject, whose values are text. To compare a name, these are what to compare: in
    /// [`subject_text`](Self::subject_text) the value of one attribute can look like another attribute.
    #[must_use]
    pub fn common_names(&self) -> Vec<String> {
        // It was read before: there is nothing that could be wrong with it.
        let subject = Name::from_der(&self.subject).unwrap_or_default();
        subject.iter().filter_map(common_name).collect()
    }

    /// The issuer as RFC 4514 writes it. Not for a terminal as it is.
    #[must_use]
    pub fn issuer_text(&self) -> &str {
        &self.issuer_text
    }

    /// The serial number, big-endian.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Subject and serial number, for people.
    #[must_use]
    pub fn name(&self) -> CertificateName {
        CertificateName {
            subject: harmless(&self.subject_text),
            serial: format!("{:x}", HexDisplay(&self.serial)),
        }
    }

    /// The first second of its validity, since 1970-01-01 UTC.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.not_before
    }

    /// The last second of its validity, since 1970-01-01 UTC. 9999-12-31 stands for no end (RFC 5280 section
    /// 4.1.2.5).
    // req: ARCH-050
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Whether subject and issuer are the same.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Whether it may issue certificates: basicConstraints say so, and keyUsage does not forbid it.
    #[must_use]
    pub fn is_authority(&self) -> bool {
        matches!(self.extensions.basic_constraints, Some((true, _)))
            && self.allows(KeyUsage::key_cert_sign)
    }

    /// How many authorities may follow below it, those that issued themselves not counted.
    #[must_use]
    pub fn path_length(&self) -> Option<u8> {
        self.extensions
            .basic_constraints
            .and_then(|(_, length)| length)
    }

    /// Whether its key may sign messages: keyUsage includes digitalSignature, or is absent.
    #[must_use]
    pub fn may_sign(&self) -> bool {
        self.allows(KeyUsage::digital_signature)
    }

    /// Whether its key may sign revocation lists.
    #[must_use]
    pub fn may_revoke(&self) -> bool {
        self.allows(KeyUsage::crl_sign)
    }

    fn allows(&self, usage: impl Fn(&KeyUsage) -> bool) -> bool {
        self.extensions.key_usage.as_ref().is_none_or(usage)
    }

    /// The extended key usages, each as the content octets of an object identifier; `None` if it says nothing.
    #[must_use]
    pub fn extended_key_usage(&self) -> Option<&[Vec<u8>]> {
        self.extensions.extended_key_usage.as_deref()
    }

    /// The extended key usages for people.
    #[must_use]
    pub fn extended_key_usage_text(&self) -> Vec<String> {
        let usages = self.extended_key_usage().unwrap_or_default();
        usages
            .iter()
            .map(|usage| Purpose::describe(usage))
            .collect()
    }

    /// Whether it may serve `purpose`: its extended key usages include it, or there are none.
    #[must_use]
    pub fn is_for(&self, purpose: Purpose) -> bool {
        self.extended_key_usage()
            .is_none_or(|usages| purpose.is_among(usages))
    }

    /// DNS names, URIs and mail addresses among its alternative names.
    #[must_use]
    pub fn alternative_names(&self) -> &[String] {
        &self.extensions.alternative_names
    }

    /// The first extension that must be understood and is not.
    #[must_use]
    pub fn unknown_extension(&self) -> Option<&str> {
        self.extensions.unknown.as_deref()
    }

    /// Verifies its signature with its issuer's key. Nothing else is looked at.
    ///
    /// # Errors
    ///
    /// [`Error::BadSignature`], for a key of another algorithm too.
    pub fn verify_signature(
        &self,
        crypto: &CryptoProvider,
        issuer: &PublicKey,
    ) -> Result<(), Error> {
        if issuer.algorithm() != self.algorithm {
            return Err(Error::BadSignature);
        }
        let signed = self.der.get(self.signed.clone()).unwrap_or_default();
        crypto.signatures.verify(issuer, signed, &self.signature)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.name())
    }
}

/// What certificates and revocation lists have in common: something signed, an algorithm, a signature.
pub(super) struct Envelope {
    pub(super) signed: Range<usize>,
    pub(super) algorithm: SignatureAlgorithm,
    pub(super) signature: Vec<u8>,
}

impl Envelope {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, CertificateError> {
        let mut reader = SliceReader::new(bytes)?;
        let mut start = 0;
        let (signed, algorithm, signature) = reader.sequence(|reader| {
            start = usize::try_from(reader.position())?;
            let signed = reader.tlv_bytes()?;
            let algorithm = reader.decode::<AlgorithmIdentifierRef<'_>>()?;
            Ok::<_, der::Error>((signed, algorithm, reader.decode::<BitStringRef<'_>>()?))
        })?;
        reader.finish()?;
        let algorithm = signature_algorithm(algorithm.oid, algorithm.parameters.is_some())?;
        let signature = signature.as_bytes().unwrap_or_default();
        let signature = match algorithm {
            SignatureAlgorithm::Esp256 => fixed(signature)?,
            SignatureAlgorithm::Ed25519 | SignatureAlgorithm::HssLms => signature.to_vec(),
        };
        Ok(Self {
            signed: start..start + signed.len(),
            algorithm,
            signature,
        })
    }
}

/// The algorithm of a signature. None of them has parameters (RFC 5758, RFC 8410, RFC 9802).
fn signature_algorithm(
    oid: ObjectIdentifier,
    has_parameters: bool,
) -> Result<SignatureAlgorithm, CertificateError> {
    match oid {
        ECDSA_WITH_SHA256 if !has_parameters => Ok(SignatureAlgorithm::Esp256),
        ED25519 if !has_parameters => Ok(SignatureAlgorithm::Ed25519),
        HSS_LMS if !has_parameters => Ok(SignatureAlgorithm::HssLms),
        other => Err(CertificateError::Algorithm(other.to_string())),
    }
}

/// An ECDSA signature as COSE has it: r and s, 32 bytes each, where X.509 has a SEQUENCE of two INTEGERs.
fn fixed(signature: &[u8]) -> Result<Vec<u8>, CertificateError> {
    let mut reader = SliceReader::new(signature)?;
    let (r, s) = reader.sequence(|reader| {
        let r = reader.decode::<UintRef<'_>>()?;
        Ok::<_, der::Error>((r, reader.decode::<UintRef<'_>>()?))
    })?;
    reader.finish()?;
    let mut fixed = Vec::with_capacity(64);
    for number in [r.as_bytes(), s.as_bytes()] {
        let Some(zeros) = 32_usize.checked_sub(number.len()) else {
            return Err(CertificateError::Der(
                "an ECDSA number of more than 32 bytes".into(),
            ));
        };
        fixed.resize(fixed.len() + zeros, 0);
        fixed.extend_from_slice(number);
    }
    Ok(fixed)
}

impl Extensions {
    fn read(list: &[Extension]) -> Result<Self, CertificateError> {
        let mut read = Self::default();
        for (at, extension) in list.iter().enumerate() {
            let oid = extension.extn_id;
            let malformed = || CertificateError::Extension(oid.to_string());
            if list.iter().take(at).any(|before| before.extn_id == oid) {
                return Err(malformed());
            }
            let value = extension.extn_value.as_bytes();
            match oid {
                BASIC_CONSTRAINTS => {
                    let found = BasicConstraints::from_der(value).map_err(|_| malformed())?;
                    read.basic_constraints = Some((found.ca, found.path_len_constraint));
                }
                KEY_USAGE => {
                    read.key_usage = Some(KeyUsage::from_der(value).map_err(|_| malformed())?);
                }
                EXTENDED_KEY_USAGE => {
                    let usages = Vec::<AnyRef<'_>>::from_der(value).map_err(|_| malformed())?;
                    if usages
                        .iter()
                        .any(|usage| usage.tag() != der::Tag::ObjectIdentifier)
                    {
                        return Err(malformed());
                    }
                    let usages = usages.iter().map(|usage| usage.value().to_vec());
                    read.extended_key_usage = Some(usages.collect());
                }
                SUBJECT_ALT_NAME => {
                    let names = SubjectAltName::from_der(value).map_err(|_| malformed())?;
                    read.alternative_names = names.0.iter().filter_map(text_of).collect();
                }
                oid if extension.critical || oid == NAME_CONSTRAINTS => {
                    read.unknown.get_or_insert_with(|| oid.to_string());
                }
                _ => {}
            }
        }
        Ok(read)
    }
}

fn common_name(attribute: &AttributeTypeAndValue) -> Option<String> {
    let value = &attribute.value;
    let is_text = matches!(
        value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String
    );
    let text = core::str::from_utf8(value.value()).ok()?;
    (attribute.oid == COMMON_NAME && is_text).then(|| text.into())
}

fn text_of(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::Rfc822Name(text)
        | GeneralName::DnsName(text)
        | GeneralName::UniformResourceIdentifier(text) => Some(text.to_string()),
        _ => None,
    }
}

/// A text by a stranger as it may go to a terminal or a log.
pub(super) fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(128).collect()
}

/// The contents of all PEM blocks with a label.
pub(super) fn pem_blocks(
    text: &str,
    label: &'static str,
) -> Result<Vec<Vec<u8>>, CertificateError> {
    let wrong = |problem: &str| CertificateError::Pem {
        expected: label,
        problem: problem.into(),
    };
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(&begin) {
        let from = rest.get(start..).unwrap_or_default();
        let length = from.find(&end).ok_or_else(|| wrong("it does not end"))? + end.len();
        let (block, after) = from.split_at(length);
        let (_, document) = Document::from_pem(block).map_err(|e| wrong(&e.to_string()))?;
        blocks.push(document.as_bytes().to_vec());
        rest = after;
    }
    if blocks.is_empty() {
        return Err(wrong("there is none"));
    }
    Ok(blocks)
}
