//! Signatures by keys that chains of certificates vouch for.

use tamarack_cose::{
    Error, PublicKey, SecretKey, Signed, Signer,
    cbor::Writer,
    rustcrypto, sign, sign1,
    x509::{
        Certificate, CertifiedSigner, ChainProblem, Constraints, Issue, Purpose, Revocations,
        Trust, TrustAnchor, Usage,
    },
};

use super::{
    pki::{NOW, Pki},
    tam_anchor,
};

/// A message signed with `key`, whatever the certificates say.
fn message(key: &SecretKey, chain: &[&Certificate]) -> Vec<u8> {
    sign1(&raw_signer(key, chain), b"payload", None).unwrap()
}

/// Signs with whatever certificates it is given, fitting or not.
struct AnySigner(Box<dyn Signer>, Vec<Vec<u8>>);

impl Signer for AnySigner {
    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        self.0.sign(message)
    }

    fn certificates(&self) -> &[Vec<u8>] {
        &self.1
    }
}

fn raw_signer(key: &SecretKey, chain: &[&Certificate]) -> AnySigner {
    let signer = rustcrypto::provider().signatures.signer(key).unwrap();
    AnySigner(signer, chain.iter().map(|c| c.to_der().to_vec()).collect())
}

fn verify(message: &[u8], anchors: &[TrustAnchor], now: u64) -> Result<PublicKey, Error> {
    let revocations = Revocations::default();
    let trust = Trust::new(anchors, &revocations, now);
    let signed = Signed::decode(message)?;
    let (signatory, payload) =
        signed.verify_trusted(&rustcrypto::provider(), &trust, Purpose::Tam, None)?;
    assert_eq!(payload, b"payload");
    Ok(signatory.key)
}

// req: AMB-32
// req: EAT-006
#[test]
fn a_signature_is_verified_with_the_key_of_its_chain() {
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(2);
    let other = Pki::of_depth(2);
    let chain: Vec<_> = pki.chain.iter().collect();
    let anchors = tam_anchor(&pki.root);
    let good = message(&pki.leaf_key, &chain);
    assert_eq!(verify(&good, &anchors, NOW), Ok(*pki.leaf_key.public_key()));
    // The leaf's key is not the one that signed.
    let swapped = message(&other.leaf_key, &chain);
    assert_eq!(verify(&swapped, &anchors, NOW), Err(Error::BadSignature));
    // The leaf is another's.
    let foreign = message(&pki.leaf_key, &[&other.chain[0], chain[1]]);
    assert!(matches!(
        verify(&foreign, &anchors, NOW),
        Err(Error::Certificate(_))
    ));
    // Without a chain, and with one to nobody.
    let bare = message(&pki.leaf_key, &[]);
    assert_eq!(verify(&bare, &anchors, NOW), Err(Error::UnknownKey));
    let outcome = verify(&good, &tam_anchor(&other.root), NOW);
    assert!(matches!(outcome, Err(Error::Certificate(_))), "{outcome:?}");
    // Expired, in a message that is otherwise in order.
    let late = verify(&good, &anchors, NOW + 1_000_000_000);
    match late {
        Err(Error::Certificate(error)) => assert!(error.problem.is_validity(), "{error}"),
        other => panic!("{other:?}"),
    }
    // The expired chain does not hide that somebody else signed.
    let outcome = verify(&swapped, &anchors, NOW + 1_000_000_000);
    assert_eq!(outcome, Err(Error::BadSignature));
    // An anchor signs itself, as far as its certificate allows.
    let by_root = message(&pki.keys[2], &[]);
    let outcome = verify(&by_root, &anchors, NOW);
    assert!(matches!(outcome, Err(Error::Certificate(_))), "{outcome:?}");
    let raw = [TrustAnchor::key(Purpose::Tam, *pki.root.key())];
    assert_eq!(verify(&by_root, &raw, NOW), Ok(*pki.root.key()));
    let pinned = tam_anchor(&pki.chain[0]);
    assert_eq!(verify(&bare, &pinned, NOW), Ok(*pki.leaf_key.public_key()));
    // One that is pinned for what it is not for vouches for nothing, whether or not it comes along.
    let root = crypto.signatures.signer(&pki.keys[2]).unwrap();
    let usage = Usage::Leaf(Some(Purpose::Verifier));
    let verifier = Issue::new(*pki.leaf_key.public_key(), "CN=leaf", usage);
    let verifier = verifier.signed_by(&crypto, &pki.root, &*root).unwrap();
    let pinned = tam_anchor(&verifier);
    for chain in [&[][..], &[&verifier][..]] {
        let outcome = verify(&message(&pki.leaf_key, chain), &pinned, NOW);
        let Err(Error::Certificate(error)) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(error.problem, ChainProblem::ExtendedKeyUsage("tam"));
    }
    let signer = crypto.signatures.signer(&pki.leaf_key).unwrap();
    assert!(CertifiedSigner::new(signer, vec![other.chain[0].to_der().to_vec()]).is_err());
}

#[test]
fn a_renewed_certificate_leads_elsewhere_than_the_pinned_one() {
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(1);
    let issuer = crypto.signatures.signer(&pki.keys[1]).unwrap();
    let leaf = |from, to| {
        Issue::new(*pki.leaf_key.public_key(), "CN=leaf", Usage::Leaf(None))
            .valid(from, to)
            .signed_by(&crypto, &pki.root, &*issuer)
            .unwrap()
    };
    let (old, new) = (leaf(1, NOW - 1), leaf(NOW, NOW + 10));
    let message = message(&pki.leaf_key, &[&new]);
    let pinned = TrustAnchor::certificate(Purpose::Tam, old);
    let root = TrustAnchor::certificate(Purpose::Tam, pki.root.clone());
    assert!(verify(&message, std::slice::from_ref(&pinned), NOW).is_err());
    let key = verify(&message, &[pinned, root], NOW);
    assert_eq!(key, Ok(*pki.leaf_key.public_key()));
    // A certificate that nobody issued says nothing about a key that is trusted under a name.
    let own = crypto.signatures.signer(&pki.leaf_key).unwrap();
    let forged = Issue::new(*pki.leaf_key.public_key(), "CN=somebody", Usage::Leaf(None));
    let forged = forged.self_signed(&crypto, &*own).unwrap();
    let named = TrustAnchor::key(Purpose::Tam, *pki.leaf_key.public_key());
    let named = named.with_constraints(Constraints {
        subject: Some("CN=somebody".into()),
        ..Constraints::default()
    });
    let message = sign1(&raw_signer(&pki.leaf_key, &[&forged]), b"payload", None).unwrap();
    assert!(verify(&message, &[named], NOW).is_err());
}

#[test]
fn each_signature_has_its_own_chain() {
    let crypto = rustcrypto::provider();
    let (one, two) = (Pki::of_depth(1), Pki::of_depth(2));
    let chain = |pki: &Pki| pki.chain.clone();
    let (one_chain, two_chain) = (chain(&one), chain(&two));
    let signers = [
        raw_signer(&one.leaf_key, &one_chain.iter().collect::<Vec<_>>()),
        raw_signer(&two.leaf_key, &two_chain.iter().collect::<Vec<_>>()),
    ];
    let message = sign(&crypto, &[&signers[0], &signers[1]], b"payload").unwrap();
    for pki in [&one, &two] {
        let key = verify(&message, &tam_anchor(&pki.root), NOW);
        assert_eq!(key, Ok(*pki.leaf_key.public_key()));
        let raw = [TrustAnchor::key(Purpose::Tam, *pki.leaf_key.public_key())];
        assert_eq!(verify(&message, &raw, NOW), Ok(*pki.leaf_key.public_key()));
    }
    let stranger = Pki::of_depth(1);
    assert!(verify(&message, &tam_anchor(&stranger.root), NOW).is_err());
}

#[test]
fn the_parameters_are_read_in_either_header() {
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(1);
    let leaf = pki.chain[0].to_der();
    let hash = crypto.sha256(leaf);
    let build = |thumbprint: &[u8]| {
        let protected = Writer::build(|w| {
            w.map(3)
                .int(1)
                .int(-19)
                .int(2)
                .array(1)
                .int(33)
                .int(33)
                .bytes(leaf);
        });
        let signer = crypto.signatures.signer(&pki.leaf_key).unwrap();
        let signed = Writer::build(|w| {
            w.array(4)
                .text("Signature1")
                .bytes(&protected)
                .bytes(&[])
                .bytes(b"payload");
        });
        let signature = signer.sign(&signed).unwrap();
        Writer::build(|w| {
            w.array(4).bytes(&protected).map(2);
            w.int(32).array(2).bytes(leaf).bytes(b"no certificate");
            w.int(34).array(2).int(-16).bytes(thumbprint);
            w.bytes(b"payload").bytes(&signature);
        })
    };
    let message = build(&hash);
    let signed = Signed::decode(&message).unwrap();
    let headers = signed.signatures()[0];
    assert_eq!(headers.certificate_chain().certificates(), [leaf]);
    assert_eq!(headers.certificate_bag().len(), 2);
    assert_eq!(headers.certificate_thumbprint(), Some((-16, &hash[..])));
    let anchors = tam_anchor(&pki.root);
    assert_eq!(
        verify(&message, &anchors, NOW),
        Ok(*pki.leaf_key.public_key())
    );
    match verify(&build(&[0; 32]), &anchors, NOW) {
        Err(Error::Certificate(error)) => assert_eq!(error.problem, ChainProblem::Thumbprint),
        other => panic!("{other:?}"),
    }
}
