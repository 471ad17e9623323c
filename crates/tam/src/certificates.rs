//! Whose certificates make devices known, and what is trusted no longer.

use serde_json::{Map, Value};
use tamarack_cose::{
    PublicKey,
    x509::{Certificate, Revocation, TrustAnchor},
};
use tamarack_rats::Endorsement;

use crate::{Timestamp, Ueid};

/// A revocation with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// What is revoked.
    pub revocation: Revocation,
    /// Why, in words.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// A maker of devices, whose authority certifies their attesters.
///
/// A device of which nobody has heard is enrolled when its Evidence is signed by an attester whose certificate
/// leads to the maker's anchor and names the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maker {
    /// A name for people; one maker has one anchor.
    pub name: String,
    /// The authority, with purpose [`Purpose::Tee`](tamarack_cose::x509::Purpose::Tee).
    pub anchor: TrustAnchor,
    /// What all its devices have in common: an endorsement without `ueid` and `attester`, in JSON.
    pub template: String,
}

impl Maker {
    /// The endorsement of one of its devices.
    ///
    /// # Errors
    ///
    /// If the template is no part of an endorsement.
    pub fn endorse(&self, ueid: &Ueid, attester: &PublicKey) -> Result<Endorsement, String> {
        let mut members: Map<String, Value> = serde_json::from_str(&self.template)
            .map_err(|error| format!("the template is no JSON object: {error}"))?;
        for own in ["ueid", "attester"] {
            if members.contains_key(own) {
                return Err(format!(
                    "the template has {own}, which each device has for itself"
                ));
            }
        }
        let jwk = serde_json::from_str(&attester.to_jwk()).map_err(|error| error.to_string())?;
        members.insert("ueid".into(), ueid.to_string().into());
        members.insert("attester".into(), jwk);
        Endorsement::from_json(&Value::Object(members).to_string())
            .map_err(|error| error.to_string())
    }
}

/// Whether an attester's certificate names this device: by an attribute `CN` of its subject or an alternative name
/// that is the device's id in hexadecimal, or `urn:ueid:` and that.
#[must_use]
pub(crate) fn names(certificate: &Certificate, ueid: &Ueid) -> bool {
    let id = ueid.to_string();
    let is = |name: &str| {
        let name = name.strip_prefix("urn:ueid:").unwrap_or(name);
        name.eq_ignore_ascii_case(&id)
    };
    let common_names = certificate.common_names();
    let mut names = common_names.iter().chain(certificate.alternative_names());
    names.any(|name| is(name))
}

#[cfg(test)]
mod tests {
    use tamarack_cose::{
        SecretKey, SignatureAlgorithm, aws_lc,
        x509::{Issue, Purpose, Usage},
    };

    use super::*;

    #[test]
    fn a_certificate_names_a_device_in_a_name_of_its_own_only() {
        let crypto = aws_lc::provider();
        let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
        let signer = crypto.signatures.signer(&key).unwrap();
        let ueid = Ueid::new(vec![0xab; 17]).unwrap();
        let id = ueid.to_string();
        let named = |subject: &str| {
            let usage = Usage::Leaf(Some(Purpose::Tee));
            let issued = Issue::new(*key.public_key(), subject, usage)
                .valid(1_700_000_000, 1_900_000_000)
                .self_signed(&crypto, &*signer)
                .unwrap();
            names(&issued, &ueid)
        };
        for subject in [
            format!("CN={id}"),
            format!("O=Acme,CN={}", id.to_uppercase()),
            format!("CN=urn:ueid:{id}+O=Acme"),
        ] {
            assert!(named(&subject), "{subject}");
        }
        for subject in [
            format!("O=Acme\\,CN={id}"),
            format!("O=Acme\\+CN={id}"),
            format!("O={id},CN=Acme"),
            format!("CN={id}00"),
        ] {
            assert!(!named(&subject), "{subject}");
        }
    }
}
