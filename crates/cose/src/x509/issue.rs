use alloc::{
    string::{String, ToString},
    vec,
    vec::Vec,
};
use core::{str::FromStr, time::Duration};

use pkcs8::{
    AlgorithmIdentifierRef, ObjectIdentifier, SubjectPublicKeyInfoRef,
    der::{
        self, DateTime, Encode, Tag, TagNumber,
        asn1::{AnyRef, BitStringRef, Ia5String, OctetString, UintRef},
        flagset::FlagSet,
    },
};
use x509_cert::{
    certificate::Rfc5280,
    ext::{
        Extension,
        pkix::{
            AuthorityKeyIdentifier, BasicConstraints, KeyUsage, KeyUsages, SubjectAltName,
            SubjectKeyIdentifier, name::GeneralName,
        },
    },
    name::Name,
    serial_number::SerialNumber,
    time::{Time, Validity},
};

use super::{
    Certificate, CertificateError, Purpose,
    certificate::{
        BASIC_CONSTRAINTS, ECDSA_WITH_SHA256, EXTENDED_KEY_USAGE, KEY_USAGE, SUBJECT_ALT_NAME,
    },
};
use crate::{
    CryptoProvider, Error, PublicKey, SignatureAlgorithm, Signer,
    pem::{identifier, point},
};

const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// 9999-12-31 23:59:59 UTC, which stands for no end (RFC 5280 section 4.1.2.5).
// req: ARCH-050
const NO_END: u64 = 253_402_300_799;

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Issuing others: of an authority.
    Authority {
        /// How many authorities may follow below it; `None` for any number.
        path_length: Option<u8>,
    },
    /// Signing, for one purpose or for any.
    Leaf(Option<Purpose>),
}

/// A certificate to be issued.
#[derive(Debug, Clone)]
pub struct Issue {
    key: PublicKey,
    subject: String,
    usage: Usage,
    not_before: u64,
    not_after: u64,
    alternative_names: Vec<String>,
    extensions: Vec<Extension>,
}

impl Issue {
    /// A certificate for `key`, whose subject is written as in RFC 4514 (`CN=Lock,O=Acme`), without end.
    #[must_use]
    pub fn new(key: PublicKey, subject: &str, usage: Usage) -> Self {
        Self {
            key,
            subject: subject.into(),
            usage,
            not_before: 0,
            not_after: NO_END,
            alternative_names: Vec::new(),
            extensions: Vec::new(),
        }
    }

    /// The same, valid from the first of these seconds since 1970-01-01 UTC to the second.
    #[must_use]
    pub fn valid(self, not_before: u64, not_after: u64) -> Self {
        Self {
            not_before,
            not_after,
            ..self
        }
    }

    /// The same, valid from this second since 1970-01-01 UTC on, without end.
    #[must_use]
    pub fn valid_from(self, not_before: u64) -> Self {
        self.valid(not_before, NO_END)
    }

    /// The same with alternative names: URIs, which have a colon, and DNS names.
    #[must_use]
    pub fn with_alternative_names(self, names: impl IntoIterator<Item = String>) -> Self {
        Self {
            alternative_names: names.into_iter().collect(),
            ..self
        }
    }

    /// The same with a critical extension in DER, which takes the place of another of its kind.
    ///
    /// # Errors
    ///
    /// If `oid` is no object identifier.
    pub fn with_critical_extension(mut self, oid: &str, value: Vec<u8>) -> Result<Self, Error> {
        let issue = |error: &dyn ToString| CertificateError::Issue(error.to_string());
        self.extensions.push(Extension {
            extn_id: ObjectIdentifier::new(oid).map_err(|error| issue(&error))?,
            critical: true,
            extn_value: OctetString::new(value).map_err(|error| issue(&error))?,
        });
        Ok(self)
    }

    /// Issues it, signed by the key that it is for.
    ///
    /// # Errors
    ///
    /// If the subject is no name, a time is before 1970 or after 9999, or the signer fails.
    pub fn self_signed(
        &self,
        crypto: &CryptoProvider,
        signer: &dyn Signer,
    ) -> Result<Certificate, Error> {
        self.issue(crypto, None, signer)
    }

    /// Issues it, signed by the key of `issuer`.
    ///
    /// # Errors
    ///
    /// As [`self_signed`](Self::self_signed), or if `signer` has another key than `issuer`.
    pub fn signed_by(
        &self,
        crypto: &CryptoProvider,
        issuer: &Certificate,
        signer: &dyn Signer,
    ) -> Result<Certificate, Error> {
        if signer.public_key() != issuer.key() {
            return Err(Error::UnknownKey);
        }
        self.issue(crypto, Some(issuer), signer)
    }

    fn subject_der(&self) -> Result<Vec<u8>, CertificateError> {
        let wrong = |error: der::Error| {
            CertificateError::Issue(alloc::format!(
                "the subject {:?} is not written like CN=Lock,O=Acme: {error}",
                self.subject
            ))
        };
        Name::from_str(&self.subject)
            .and_then(|name| name.to_der())
            .map_err(wrong)
    }

    fn issue(
        &self,
        crypto: &CryptoProvider,
        issuer: Option<&Certificate>,
        signer: &dyn Signer,
    ) -> Result<Certificate, Error> {
        let subject = self.subject_der()?;
        let issuer = issuer.map_or(&subject[..], Certificate::subject);
        let mut serial: [u8; 16] = crypto.random_array()?;
        // Positive, and 16 bytes long whatever was drawn.
        serial[0] = serial[0] & 0x3f | 0x40;
        let algorithm = signature_identifier(signer.public_key().algorithm());
        let signed = self
            .to_be_signed(
                crypto,
                issuer,
                &subject,
                signer.public_key(),
                &serial,
                &algorithm,
            )
            .map_err(CertificateError::from)?;
        let signature = signer.sign(&signed)?;
        let bytes = envelope(
            signer.public_key().algorithm(),
            &signed,
            &algorithm,
            &signature,
        )
        .map_err(CertificateError::from)?;
        Ok(Certificate::from_der(&bytes)?)
    }

    /// The TBSCertificate (RFC 5280 section 4.1).
    fn to_be_signed(
        &self,
        crypto: &CryptoProvider,
        issuer: &[u8],
        subject: &[u8],
        issuer_key: &PublicKey,
        serial: &[u8],
        algorithm: &[u8],
    ) -> der::Result<Vec<u8>> {
        let validity = Validity::<Rfc5280>::new(time(self.not_before)?, time(self.not_after)?);
        let point = point(&self.key);
        let key = SubjectPublicKeyInfoRef {
            algorithm: identifier(self.key.algorithm()),
            subject_public_key: BitStringRef::from_bytes(&point)?,
        };
        let extensions = self.extensions(crypto, issuer_key)?.to_der()?;
        sequence(&[
            &explicit(0, &2_u8.to_der()?)?,
            &SerialNumber::<Rfc5280>::new(serial)?.to_der()?,
            algorithm,
            issuer,
            &validity.to_der()?,
            subject,
            &key.to_der()?,
            &explicit(3, &extensions)?,
        ])
    }

    fn extensions(
        &self,
        crypto: &CryptoProvider,
        issuer: &PublicKey,
    ) -> der::Result<Vec<Extension>> {
        let mut list = vec![
            extension(
                SUBJECT_KEY_IDENTIFIER,
                false,
                &SubjectKeyIdentifier(short_id(&self.key, crypto)?),
            )?,
            extension(
                AUTHORITY_KEY_IDENTIFIER,
                false,
                &AuthorityKeyIdentifier {
                    key_identifier: Some(short_id(issuer, crypto)?),
                    authority_cert_issuer: None,
                    authority_cert_serial_number: None,
                },
            )?,
        ];
        let usages: FlagSet<KeyUsages> = match self.usage {
            Usage::Authority { path_length } => {
                let constraints = BasicConstraints {
                    ca: true,
                    path_len_constraint: path_length,
                };
                list.push(extension(BASIC_CONSTRAINTS, true, &constraints)?);
                KeyUsages::KeyCertSign | KeyUsages::CRLSign
            }
            Usage::Leaf(purpose) => {
                if let Some(purpose) = purpose {
                    let usage = purpose.usage();
                    let oid = AnyRef::new(Tag::ObjectIdentifier, &usage)?;
                    list.push(extension(EXTENDED_KEY_USAGE, false, &vec![oid])?);
                }
                KeyUsages::DigitalSignature.into()
            }
        };
        list.push(extension(KEY_USAGE, true, &KeyUsage(usages))?);
        if !self.alternative_names.is_empty() {
            let names = self.alternative_names.iter().map(|name| general_name(name));
            let names = SubjectAltName(names.collect::<der::Result<_>>()?);
            list.push(extension(SUBJECT_ALT_NAME, false, &names)?);
        }
        for own in &self.extensions {
            list.retain(|standard| standard.extn_id != own.extn_id);
            list.push(own.clone());
        }
        Ok(list)
    }
}

fn extension(
    extn_id: ObjectIdentifier,
    critical: bool,
    value: &impl Encode,
) -> der::Result<Extension> {
    Ok(Extension {
        extn_id,
        critical,
        extn_value: OctetString::new(value.to_der()?)?,
    })
}

/// A hint for finding issuers: the first 160 bits of a SHA-256 (RFC 7093 section 2).
fn short_id(key: &PublicKey, crypto: &CryptoProvider) -> der::Result<OctetString> {
    let id = crypto.sha256(&point(key));
    OctetString::new(id.get(..20).unwrap_or_default())
}

fn general_name(name: &str) -> der::Result<GeneralName> {
    let text = Ia5String::new(name)?;
    Ok(match name.contains(':') {
        true => GeneralName::UniformResourceIdentifier(text),
        false => GeneralName::DnsName(text),
    })
}

fn time(seconds: u64) -> der::Result<Time> {
    Ok(DateTime::from_unix_duration(Duration::from_secs(seconds))?.into())
}

fn signature_identifier(algorithm: SignatureAlgorithm) -> Vec<u8> {
    let identifier = match algorithm {
        SignatureAlgorithm::Esp256 => AlgorithmIdentifierRef {
            oid: ECDSA_WITH_SHA256,
            parameters: None,
        },
        other => identifier(other),
    };
    // An object identifier without parameters always has an encoding.
    identifier.to_der().unwrap_or_default()
}

fn envelope(
    algorithm: SignatureAlgorithm,
    signed: &[u8],
    identifier: &[u8],
    signature: &[u8],
) -> der::Result<Vec<u8>> {
    let ecdsa = match algorithm {
        SignatureAlgorithm::Esp256 => {
            let (r, s) = signature.split_at(signature.len() / 2);
            sequence(&[&UintRef::new(r)?.to_der()?, &UintRef::new(s)?.to_der()?])?
        }
        SignatureAlgorithm::Ed25519 | SignatureAlgorithm::HssLms => signature.to_vec(),
    };
    let signature = BitStringRef::from_bytes(&ecdsa)?.to_der()?;
    sequence(&[signed, identifier, &signature])
}

fn sequence(parts: &[&[u8]]) -> der::Result<Vec<u8>> {
    AnyRef::new(Tag::Sequence, &parts.concat())?.to_der()
}

/// The context-specific tag `number` around an encoding.
fn explicit(number: u32, content: &[u8]) -> der::Result<Vec<u8>> {
    let tag = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(number),
    };
    AnyRef::new(tag, content)?.to_der()
}
