use tamarack_cose::{
    SignatureAlgorithm::{Ed25519, Esp256},
    cbor::Writer,
    x509::{Certificate, Constraints, Issue, Purpose, Revocation, TrustAnchor, Usage},
};

use crate::insecure;

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let crypto = insecure::provider();
    let (issuer, other) = (insecure::signer(Esp256), insecure::signer(Ed25519));
    let authority = Issue::new(
        *issuer.public_key(),
        "CN=Operator,O=Example",
        Usage::Authority {
            path_length: Some(1),
        },
    )
    .valid(1_700_000_000, 1_900_000_000)
    .self_signed(&crypto, &*issuer)
    .expect("issues");
    let leaf = Issue::new(
        *other.public_key(),
        "CN=TAM",
        Usage::Leaf(Some(Purpose::Tam)),
    )
    .valid(1_700_000_000, 1_800_000_000)
    .with_alternative_names(["https://tam.example".into(), "tam.example".into()])
    .signed_by(&crypto, &authority, &*issuer)
    .expect("issues");
    let anchor = TrustAnchor::certificate(Purpose::Signer, authority.clone()).with_constraints(
        Constraints {
            subject: Some("CN=TAM".into()),
            algorithms: Some(vec![Esp256]),
            not_after: Some(1),
            extended_key_usage: Some(Purpose::Signer.usage()),
        },
    );
    let pem = [&leaf, &authority].map(|own| own.to_pem().expect("has a PEM form"));
    vec![
        ("certificate", leaf.to_der().to_vec()),
        ("chain", chain(&[&leaf, &authority])),
        ("chain.pem", pem.concat().into_bytes()),
        ("anchor", Writer::build(|w| anchor.write(w))),
        (
            "revocation",
            Writer::build(|w| Revocation::of(&leaf).write(w)),
        ),
    ]
}

fn chain(certificates: &[&Certificate]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for certificate in certificates {
        let der = certificate.to_der();
        bytes.extend(u16::try_from(der.len()).expect("short").to_be_bytes());
        bytes.extend(der);
    }
    bytes
}
