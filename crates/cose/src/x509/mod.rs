//! X.509 certificates: chains of them in COSE headers, their validation, and trust anchors.
//!
//! A signature whose header carries a chain (`x5chain`, RFC 9360) is verified with the key in its first
//! certificate, once [`Trust`] has followed the chain to a [`TrustAnchor`] of the purpose that is asked for
//! (RFC 5280 section 6). An anchor is a raw public key, a self-signed certificate, or any other certificate:
//! where a chain passes an anchor, it ends, whatever comes after it. The key id stays what it is everywhere,
//! the RFC 9679 thumbprint of the key.
//!
//! What is checked, from the anchor down to the leaf: each issuer's name; each signature; revocation; that
//! issuers are authorities (basicConstraints, keyUsage) within the path lengths that are granted; extended
//! key usages; critical extensions; and last, once all of that is in order, validity: an expired chain is
//! told apart from a forged one ([`ChainProblem::is_validity`]).
//!
//! Refused, because half of it would be worse than nothing: name constraints, policy constraints, and every
//! critical extension but basicConstraints, keyUsage, extKeyUsage and subjectAltName. Names are compared byte
//! by byte, as issuers copy them. Chains come in order, leaf first; a bag (`x5bag`) is read and never searched.
//!
//! ```
//! use tamarack_cose::{
//!     SecretKey, SignatureAlgorithm, Signed, rustcrypto, sign1,
//!     x509::{Certificate, CertifiedSigner, Issue, Purpose, Revocations, Trust, TrustAnchor, Usage},
//! };
//!
//! let crypto = rustcrypto::provider();
//! let authority = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
//! let tam = SecretKey::generate(&crypto, SignatureAlgorithm::Ed25519)?;
//!
//! let issuer = crypto.signatures.signer(&authority)?;
//! let root = Issue::new(*authority.public_key(), "CN=Operator", Usage::Authority { path_length: None })
//!     .valid(1_700_000_000, 1_900_000_000)
//!     .self_signed(&crypto, &*issuer)?;
//! let leaf = Issue::new(*tam.public_key(), "CN=TAM 1", Usage::Leaf(Some(Purpose::Tam)))
//!     .valid(1_700_000_000, 1_800_000_000)
//!     .signed_by(&crypto, &root, &*issuer)?;
//!
//! let signer = CertifiedSigner::new(crypto.signatures.signer(&tam)?, vec![leaf.to_der().to_vec()])?;
//! let message = sign1(&signer, b"hello", None)?;
//!
//! // Who receives it knows the authority only.
//! let anchors = [TrustAnchor::certificate(Purpose::Tam, root)];
//! let revoked = Revocations::default();
//! let trust = Trust::new(&anchors, &revoked, 1_750_000_000);
//! let signed = Signed::decode(&message)?;
//! let (signatory, payload) = signed.verify_trusted(&crypto, &trust, Purpose::Tam, None)?;
//! assert_eq!((signatory.key, payload), (*tam.public_key(), &b"hello"[..]));
//! # Ok::<(), tamarack_cose::Error>(())
//! ```

mod anchor;
mod certificate;
mod chain;
mod error;
mod header;
mod issue;
mod purpose;
mod revocation;
mod verify;

pub use anchor::{AnchorKey, Constraints, TrustAnchor};
pub use certificate::Certificate;
pub use chain::{ChainLimits, Trust, Vouched};
pub use error::{CertificateError, CertificateName, ChainError, ChainProblem};
pub(crate) use header::Parameters;
pub use header::{CertificateChain, CertifiedSigner};
pub use issue::{Issue, Usage};
pub use purpose::Purpose;
pub use revocation::{Revocation, RevocationList, Revocations};
pub use verify::Signatory;
