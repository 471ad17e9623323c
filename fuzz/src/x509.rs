//! Certificates, chains of them, revocation lists and trust anchors.

use tamarack_cose::{
    cbor::{Limits, Reader, Writer, check},
    x509::{
        Certificate, CertificateChain, Purpose, Revocation, RevocationList, Revocations, Trust,
        TrustAnchor,
    },
};

use crate::insecure;

/// A time within the validity of the seeds.
const NOW: u64 = 1_750_000_000;

/// Runs the target. As a chain, the input is certificates that follow one another, each after its length in two
/// bytes.
pub fn run(data: &[u8]) {
    let crypto = insecure::provider();
    if let Ok(certificate) = Certificate::from_der(data) {
        assert_eq!(certificate.to_der(), data);
        let text = certificate.to_pem().expect("a certificate has a PEM form");
        assert_eq!(
            Certificate::list_from_pem(&text),
            Ok(vec![certificate.clone()])
        );
        let shown = certificate.name().to_string();
        assert!(!shown.contains(char::is_control), "{shown}");
    }
    if let Ok(text) = str::from_utf8(data) {
        let _ = Certificate::list_from_pem(text);
    }
    let chain = CertificateChain::new(parts(data));
    let keys = insecure::keys();
    let anchors: Vec<TrustAnchor> = keys
        .into_iter()
        .map(|key| TrustAnchor::key(Purpose::Tam, key))
        .collect();
    let revocations = Revocations::default();
    let trust = Trust::new(&anchors, &revocations, NOW);
    match trust.follow(&crypto, &chain, Purpose::Tam) {
        Ok(vouched) => {
            assert_eq!(
                Some(&vouched.certificate.to_der()),
                chain.certificates().first()
            );
            assert!(vouched.certificate.not_after() >= NOW);
            for other in [Purpose::Signer, Purpose::Tee, Purpose::Verifier] {
                assert!(trust.follow(&crypto, &chain, other).is_err());
            }
            let _ = RevocationList::from_der(&crypto, data, &vouched.certificate);
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
    if check(data, &Limits::default()).is_ok() {
        if let Ok(anchor) = TrustAnchor::read(&mut Reader::new(data)) {
            let again = Writer::build(|w| anchor.write(w));
            assert_eq!(TrustAnchor::read(&mut Reader::new(&again)), Ok(anchor));
        }
        if let Ok(revocation) = Revocation::read(&mut Reader::new(data)) {
            let again = Writer::build(|w| revocation.write(w));
            assert_eq!(Revocation::read(&mut Reader::new(&again)), Ok(revocation));
        }
    }
}

fn parts(mut data: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = data.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (part, after) = rest.split_at(length);
        parts.push(part);
        data = after;
    }
    parts
}
