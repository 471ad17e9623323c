//! What OpenSSL made.

use super::*;
use tamarack_cose::x509::RevocationList;

fn read(text: &str) -> Certificate {
    Certificate::list_from_pem(text).unwrap().remove(0)
}

fn list(text: &str) -> Vec<u8> {
    RevocationList::pem_to_der(text).unwrap().remove(0)
}

const ROOT: &str = include_str!("../vectors/x509/root.pem");
const LEAF: &str = include_str!("../vectors/x509/leaf.pem");
const REVOKED: &str = include_str!("../vectors/x509/revoked.pem");
const LIST: &str = include_str!("../vectors/x509/root.crl");

fn follow_signer(chain: &Certificate, revocations: &Revocations) -> Result<Vouched, ChainError> {
    let anchors = [TrustAnchor::certificate(Purpose::Signer, read(ROOT))];
    let chain = CertificateChain::new(vec![chain.to_der()]);
    Trust::new(&anchors, revocations, NOW).follow(&rustcrypto::provider(), &chain, Purpose::Signer)
}

#[test]
fn its_certificates_are_read_and_followed() {
    let (root, leaf) = (read(ROOT), read(LEAF));
    assert!(root.is_authority() && root.is_self_issued());
    assert_eq!(leaf.subject_text(), "CN=Leaf");
    assert_eq!(leaf.issuer_text(), root.subject_text());
    assert_eq!(
        leaf.alternative_names(),
        ["leaf.example", "urn:example:leaf"]
    );
    assert_eq!(leaf.extended_key_usage_text(), ["codeSigning"]);
    let vouched = follow_signer(&leaf, &Revocations::default()).unwrap();
    assert_eq!(
        vouched.certificate.key().algorithm(),
        SignatureAlgorithm::Ed25519
    );
}

// req: TEEP-OPS-002
#[test]
fn its_revocation_list_is_verified_and_obeyed() {
    let crypto = rustcrypto::provider();
    let (root, leaf, revoked) = (read(ROOT), read(LEAF), read(REVOKED));
    let list = list(LIST);
    let read_list = |bytes: &[u8], issuer| RevocationList::from_der(&crypto, bytes, issuer);
    let found = read_list(&list, &root).unwrap();
    assert_eq!(found.revoked(), [Revocation::of(&revoked)]);
    assert_eq!(found.issuer(), root.subject());
    assert!(found.next_update() > Some(found.this_update()));
    let revocations: Revocations = found.revoked().iter().cloned().collect();
    follow_signer(&leaf, &revocations).unwrap();
    assert_eq!(
        follow_signer(&revoked, &revocations).unwrap_err().problem,
        ChainProblem::Revoked
    );
    // By somebody else, or changed.
    let other = read_list(&list, &leaf).unwrap_err().problem;
    assert_eq!(other, ChainProblem::IssuerName);
    for bit in 0..list.len() * 8 {
        let mut flipped = list.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(read_list(&flipped, &root).is_err(), "bit {bit}");
    }
}
