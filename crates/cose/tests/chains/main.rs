//! Chains of certificates: which lead to an anchor, and what is said of those that do not.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod openssl;
mod pki;
mod signatures;

use pki::{NOW, Pki};
use tamarack_cose::{
    SecretKey, SignatureAlgorithm,
    cbor::Writer,
    rustcrypto,
    x509::{
        Certificate, CertificateChain, ChainError, ChainProblem, Constraints, Issue, Purpose,
        Revocation, Revocations, Trust, TrustAnchor, Usage, Vouched,
    },
};

fn tam_anchor(certificate: &Certificate) -> [TrustAnchor; 1] {
    [TrustAnchor::certificate(Purpose::Tam, certificate.clone())]
}

fn follow(anchors: &[TrustAnchor], chain: &[&Certificate]) -> Result<Vouched, ChainError> {
    follow_revoked(anchors, chain, &Revocations::default())
}

fn follow_revoked(
    anchors: &[TrustAnchor],
    chain: &[&Certificate],
    revocations: &Revocations,
) -> Result<Vouched, ChainError> {
    let chain = CertificateChain::new(chain.iter().map(|c| c.to_der()).collect());
    Trust::new(anchors, revocations, NOW).follow(&rustcrypto::provider(), &chain, Purpose::Tam)
}

fn problem(outcome: Result<Vouched, ChainError>) -> ChainProblem {
    outcome
        .expect_err("the chain must not lead anywhere")
        .problem
}

// req: ARCH-021
// req: ARCH-045
#[test]
fn good_chains_of_depth_1_to_4_lead_to_their_anchor() {
    for depth in 1..=4 {
        let pki = Pki::of_depth(depth);
        let without_root: Vec<_> = pki.chain.iter().collect();
        let with_root: Vec<_> = pki.chain.iter().chain([&pki.root]).collect();
        for chain in [without_root, with_root] {
            let vouched = follow(&tam_anchor(&pki.root), &chain).unwrap();
            assert_eq!(vouched.certificate.key(), pki.leaf_key.public_key());
            assert_eq!(vouched.anchor, 0);
        }
    }
}

// req: ARCH-027
#[test]
fn keys_self_signed_and_other_certificates_are_anchors() {
    let pki = Pki::of_depth(3);
    let chain: Vec<_> = pki.chain.iter().chain([&pki.root]).collect();
    // The root, each authority below it, and the leaf itself.
    for anchor in &chain {
        follow(&tam_anchor(anchor), &chain).unwrap();
    }
    // Their keys, raw: of the leaf, in the middle, and of who issued the last certificate.
    for certificate in &chain {
        let anchors = [TrustAnchor::key(Purpose::Tam, *certificate.key())];
        follow(&anchors, &chain).unwrap();
        let short: Vec<_> = pki.chain.iter().collect();
        follow(&anchors, &short).unwrap();
    }
    let stranger = Pki::of_depth(1);
    let outcome = follow(&tam_anchor(&stranger.root), &chain);
    assert!(matches!(
        problem(outcome),
        ChainProblem::Signature | ChainProblem::Untrusted("tam")
    ));
    let anchors = [TrustAnchor::key(Purpose::Tam, *stranger.root.key())];
    assert_eq!(
        problem(follow(&anchors, &chain)),
        ChainProblem::Untrusted("tam")
    );
    assert_eq!(problem(follow(&[], &chain)), ChainProblem::Untrusted("tam"));
}

// req: ARCH-020
#[test]
fn an_anchor_of_one_purpose_vouches_for_no_other() {
    let pki = Pki::of_depth(2);
    let chain: Vec<_> = pki.chain.iter().collect();
    for purpose in Purpose::ALL {
        let anchors = [TrustAnchor::certificate(purpose, pki.root.clone())];
        let outcome = follow(&anchors, &chain);
        match purpose {
            Purpose::Tam => drop(outcome.unwrap()),
            _ => assert_eq!(problem(outcome), ChainProblem::Untrusted("tam")),
        }
    }
}

#[test]
fn validity_is_told_apart_from_every_other_fault() {
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(2);
    let [leaf, middle] = [&pki.chain[0], &pki.chain[1]];
    let again = |issue: Issue, issuer: &Certificate, key: &SecretKey| {
        let signer = crypto.signatures.signer(key).unwrap();
        issue.signed_by(&crypto, issuer, &*signer).unwrap()
    };
    let leaf_of = |from, to| {
        let issue = Issue::new(*leaf.key(), "CN=leaf", Usage::Leaf(None)).valid(from, to);
        again(issue, middle, &pki.keys[1])
    };
    let expired = leaf_of(NOW - 10, NOW - 1);
    let early = leaf_of(NOW + 1, NOW + 10);
    let anchors = tam_anchor(&pki.root);
    let error = follow(&anchors, &[&expired, middle]).unwrap_err();
    assert_eq!(error.problem, ChainProblem::Expired { not_after: NOW - 1 });
    assert_eq!(error.certificate, Some(expired.name()));
    assert!(error.problem.is_validity());
    let text = error.to_string();
    assert!(
        text.contains("CN=leaf") && text.contains(&expired.name().serial),
        "{text}"
    );
    let outcome = problem(follow(&anchors, &[&early, middle]));
    assert_eq!(
        outcome,
        ChainProblem::NotYetValid {
            not_before: NOW + 1
        }
    );
    // At the first and at the last second they are valid.
    follow(&anchors, &[&leaf_of(NOW - 10, NOW), middle]).unwrap();
    follow(&anchors, &[&leaf_of(NOW, NOW + 10), middle]).unwrap();

    let issue = Issue::new(
        *middle.key(),
        middle.subject_text(),
        Usage::Authority { path_length: None },
    );
    let old = again(issue.valid(1, NOW - 1), &pki.root, &pki.keys[2]);
    let error = follow(&anchors, &[leaf, &old]).unwrap_err();
    assert_eq!(
        (error.certificate, error.problem.is_validity()),
        (Some(old.name()), true)
    );

    let issue = Issue::new(
        *pki.root.key(),
        pki.root.subject_text(),
        Usage::Authority { path_length: None },
    );
    let signer = crypto.signatures.signer(&pki.keys[2]).unwrap();
    let old_root = issue
        .valid(1, NOW - 1)
        .self_signed(&crypto, &*signer)
        .unwrap();
    assert!(problem(follow(&tam_anchor(&old_root), &[leaf, middle])).is_validity());
    // A forged chain that has expired too is forged.
    let mut der = expired.to_der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    let forged = Certificate::from_der(&der).unwrap();
    assert_eq!(
        problem(follow(&anchors, &[&forged, middle])),
        ChainProblem::Signature
    );
    // And so is an expired chain to nobody.
    let stranger = [
        TrustAnchor::key(Purpose::Tam, *leaf.key()).with_constraints(Constraints {
            algorithms: Some(vec![SignatureAlgorithm::HssLms]),
            ..Constraints::default()
        }),
    ];
    assert!(!problem(follow(&stranger, &[&expired, middle])).is_validity());
}

#[test]
fn what_an_issuer_must_be() {
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(2);
    let [leaf, middle] = [&pki.chain[0], &pki.chain[1]];
    let anchors = tam_anchor(&pki.root);
    let middle_as = |issue: Issue| {
        let signer = crypto.signatures.signer(&pki.keys[2]).unwrap();
        issue.signed_by(&crypto, &pki.root, &*signer).unwrap()
    };
    let named = |usage| Issue::new(*middle.key(), middle.subject_text(), usage);
    let authority = named(Usage::Authority { path_length: None });

    let other_name = middle_as(Issue::new(
        *middle.key(),
        "CN=other",
        Usage::Authority { path_length: None },
    ));
    let outcome = follow(&anchors, &[leaf, &other_name]);
    assert_eq!(problem(outcome), ChainProblem::IssuerName);

    let no_authority = middle_as(named(Usage::Leaf(None)));
    let outcome = follow(&anchors, &[leaf, &no_authority]);
    assert_eq!(problem(outcome), ChainProblem::NotAnAuthority);

    // basicConstraints that say CA, and a keyUsage of digitalSignature only.
    let wrong_usage = middle_as(
        authority
            .clone()
            .with_critical_extension("2.5.29.15", vec![3, 2, 7, 0x80])
            .unwrap(),
    );
    let outcome = follow(&anchors, &[leaf, &wrong_usage]);
    assert_eq!(problem(outcome), ChainProblem::NotAnAuthority);

    for oid in ["1.2.3.4", "2.5.29.30", "2.5.29.36"] {
        let critical = middle_as(
            authority
                .clone()
                .with_critical_extension(oid, vec![5, 0])
                .unwrap(),
        );
        let outcome = follow(&anchors, &[leaf, &critical]);
        assert_eq!(
            problem(outcome),
            ChainProblem::CriticalExtension(oid.into())
        );
    }

    // An authority for signers is none for TAMs.
    let usage = [0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 3].to_vec();
    let for_signers = middle_as(
        authority
            .with_critical_extension("2.5.29.37", usage)
            .unwrap(),
    );
    let outcome = follow(&anchors, &[leaf, &for_signers]);
    assert_eq!(problem(outcome), ChainProblem::ExtendedKeyUsage("tam"));

    // An anchor must be an authority too.
    let outcome = follow(&tam_anchor(&no_authority), &[leaf]);
    assert_eq!(problem(outcome), ChainProblem::NotAnAuthority);
}

#[test]
fn path_lengths_count_authorities_that_others_issued() {
    for (length, authorities, fits) in [(0, 0, true), (0, 1, false), (1, 1, true), (1, 2, false)] {
        let pki = Pki::with_path_length(authorities + 1, Some(length));
        let chain: Vec<_> = pki.chain.iter().collect();
        let outcome = follow(&tam_anchor(&pki.root), &chain);
        match fits {
            true => drop(outcome.unwrap()),
            false => assert_eq!(problem(outcome), ChainProblem::PathLength),
        }
    }
    // A certificate that an authority issued itself, as when its key is renewed, does not count.
    let crypto = rustcrypto::provider();
    let pki = Pki::with_path_length(1, Some(0));
    let renewed = SecretKey::generate(&crypto, SignatureAlgorithm::Ed25519).unwrap();
    let signer = |key| crypto.signatures.signer(key).unwrap();
    let authority = Usage::Authority { path_length: None };
    let bridge = Issue::new(*renewed.public_key(), pki.root.subject_text(), authority)
        .signed_by(&crypto, &pki.root, &*signer(&pki.keys[1]))
        .unwrap();
    let leaf = Issue::new(*pki.leaf_key.public_key(), "CN=leaf", Usage::Leaf(None))
        .signed_by(&crypto, &bridge, &*signer(&renewed))
        .unwrap();
    follow(&tam_anchor(&pki.root), &[&leaf, &bridge]).unwrap();
}

#[test]
fn a_leaf_is_for_signing_and_for_the_purpose() {
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(1);
    let signer = crypto.signatures.signer(&pki.keys[1]).unwrap();
    let leaf = |usage| {
        let issue = Issue::new(*pki.leaf_key.public_key(), "CN=leaf", usage);
        issue.signed_by(&crypto, &pki.root, &*signer).unwrap()
    };
    let anchors = tam_anchor(&pki.root);
    follow(&anchors, &[&leaf(Usage::Leaf(Some(Purpose::Tam)))]).unwrap();
    let outcome = follow(&anchors, &[&leaf(Usage::Leaf(Some(Purpose::Signer)))]);
    assert_eq!(problem(outcome), ChainProblem::ExtendedKeyUsage("tam"));
    let outcome = follow(&anchors, &[&leaf(Usage::Authority { path_length: None })]);
    assert_eq!(problem(outcome), ChainProblem::KeyUsage("signing"));
}

// req: ARCH-021
#[test]
fn constraints_of_an_anchor_are_kept() {
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(1);
    let signer = crypto.signatures.signer(&pki.keys[1]).unwrap();
    let leaf = Issue::new(
        *pki.leaf_key.public_key(),
        "CN=leaf,O=Acme",
        Usage::Leaf(Some(Purpose::Tam)),
    )
    .with_alternative_names(["https://tam.example/tam".into(), "tam.example".into()])
    .signed_by(&crypto, &pki.root, &*signer)
    .unwrap();
    let check = |constraints: Constraints| {
        let anchor = TrustAnchor::certificate(Purpose::Tam, pki.root.clone());
        follow(&[anchor.with_constraints(constraints)], &[&leaf])
    };
    let subject = |subject: &str| Constraints {
        subject: Some(subject.into()),
        ..Constraints::default()
    };
    for name in ["CN=leaf,O=Acme", "https://tam.example/tam", "tam.example"] {
        check(subject(name)).unwrap();
    }
    for name in ["CN=leaf", "", "tam.example.", "https://tam.example/"] {
        assert_eq!(
            problem(check(subject(name))),
            ChainProblem::Constraint("this subject")
        );
    }
    let algorithms = |algorithm| Constraints {
        algorithms: Some(vec![algorithm]),
        ..Constraints::default()
    };
    let ours = leaf.key().algorithm();
    for algorithm in SignatureAlgorithm::ALL {
        assert_eq!(check(algorithms(algorithm)).is_ok(), algorithm == ours);
    }
    let not_after = |not_after| Constraints {
        not_after: Some(not_after),
        ..Constraints::default()
    };
    check(not_after(NOW)).unwrap();
    assert!(problem(check(not_after(NOW - 1))).is_validity());
    let usage = |purpose: Purpose| Constraints {
        extended_key_usage: Some(purpose.usage()),
        ..Constraints::default()
    };
    check(usage(Purpose::Tam)).unwrap();
    assert!(matches!(
        problem(check(usage(Purpose::Tee))),
        ChainProblem::Constraint(_)
    ));
    // Of two anchors with one authority, the one that fits vouches.
    let anchor = |name: &str| {
        TrustAnchor::certificate(Purpose::Tam, pki.root.clone()).with_constraints(subject(name))
    };
    let vouched = follow(&[anchor("CN=other"), anchor("tam.example")], &[&leaf]).unwrap();
    assert_eq!(vouched.anchor, 1);
}

#[test]
fn revoked_certificates_and_keys_end_every_chain_through_them() {
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(3);
    let chain: Vec<_> = pki.chain.iter().collect();
    let anchors = tam_anchor(&pki.root);
    let with = |revocation| {
        let revocations = [revocation].into_iter().collect();
        follow_revoked(&anchors, &chain, &revocations)
    };
    for certificate in chain.iter().chain([&&pki.root]) {
        for revocation in [
            Revocation::of(certificate),
            Revocation::Key(certificate.key_id(&crypto)),
        ] {
            let error = with(revocation).unwrap_err();
            assert_eq!(error.problem, ChainProblem::Revoked);
            assert_eq!(error.certificate, Some(certificate.name()));
        }
    }
    with(Revocation::Key([7; 32].into())).unwrap();
    // A serial number means nothing without its issuer.
    let other = Revocation::Certificate {
        issuer: pki.chain[0].subject().to_vec(),
        serial: pki.chain[0].serial().to_vec(),
    };
    with(other).unwrap();
    let raw = [TrustAnchor::key(Purpose::Tam, *pki.root.key())];
    let revocations = [Revocation::Key(pki.root.key_id(&crypto))]
        .into_iter()
        .collect();
    assert_eq!(
        problem(follow_revoked(&raw, &chain, &revocations)),
        ChainProblem::Revoked
    );
}

// Where nobody vouches for the clock, this is what ends a key's life: expiry can be put off by whoever sets it.
// req: ARCH-051
#[test]
fn what_is_revoked_stays_so_whatever_the_clock_says() {
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(2);
    let anchors = tam_anchor(&pki.root);
    let certificates = pki.chain.iter().map(Certificate::to_der);
    let chain = CertificateChain::new(certificates.collect());
    for revocation in [
        Revocation::of(&pki.chain[0]),
        Revocation::Key(pki.chain[0].key_id(&crypto)),
    ] {
        let revocations = [revocation].into_iter().collect();
        for now in [0, NOW - 1001, NOW - 1000, NOW, NOW + 1001, u64::MAX] {
            let trust = Trust::new(&anchors, &revocations, now);
            let outcome = trust.follow(&crypto, &chain, Purpose::Tam);
            assert_eq!(problem(outcome), ChainProblem::Revoked, "{now}");
        }
    }
}

#[test]
fn long_chains_are_refused_before_they_are_read() {
    let pki = Pki::of_depth(1);
    let anchors = tam_anchor(&pki.root);
    let many = vec![&pki.chain[0]; 1000];
    assert_eq!(problem(follow(&anchors, &many)), ChainProblem::TooMany(8));
    assert_eq!(problem(follow(&anchors, &[])), ChainProblem::NotAChain);
    let large = vec![0; 40_000];
    let chain = CertificateChain::new(vec![&large]);
    let revocations = Revocations::default();
    let trust = Trust::new(&anchors, &revocations, NOW);
    let outcome = trust.follow(&rustcrypto::provider(), &chain, Purpose::Tam);
    assert_eq!(problem(outcome), ChainProblem::TooLong(32 * 1024));
}

#[test]
fn no_flipped_bit_of_a_chain_is_accepted() {
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(2);
    let anchors = tam_anchor(&pki.root);
    let revocations = Revocations::default();
    let trust = Trust::new(&anchors, &revocations, NOW);
    for (which, certificate) in pki.chain.iter().enumerate() {
        for bit in 0..certificate.to_der().len() * 8 {
            let mut flipped = certificate.to_der().to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut chain: Vec<&[u8]> = pki
                .chain
                .iter()
                .map(tamarack_cose::x509::Certificate::to_der)
                .collect();
            chain[which] = &flipped;
            let outcome = trust.follow(&crypto, &CertificateChain::new(chain), Purpose::Tam);
            let error = outcome.expect_err("a flipped bit was accepted");
            // What a stranger wrote ends on a terminal.
            assert!(!error.to_string().contains(char::is_control), "{error}");
        }
    }
}

#[test]
fn anchors_and_revocations_are_read_as_they_were_written() {
    use tamarack_cose::cbor::Reader;
    let crypto = rustcrypto::provider();
    let pki = Pki::of_depth(1);
    let full = Constraints {
        subject: Some("CN=x".into()),
        algorithms: Some(vec![
            SignatureAlgorithm::Esp256,
            SignatureAlgorithm::Ed25519,
        ]),
        not_after: Some(u64::MAX),
        extended_key_usage: Some(Purpose::Tee.usage()),
    };
    let anchors = [
        TrustAnchor::key(Purpose::Signer, *pki.root.key()),
        TrustAnchor::certificate(Purpose::Tee, pki.root.clone()).with_constraints(full),
    ];
    for anchor in &anchors {
        let bytes = Writer::build(|w| anchor.write(w));
        assert_eq!(
            TrustAnchor::read(&mut Reader::new(&bytes)).as_ref(),
            Ok(anchor)
        );
        for end in 0..bytes.len() {
            assert!(TrustAnchor::read(&mut Reader::new(&bytes[..end])).is_err());
        }
    }
    assert_ne!(anchors[0].id(&crypto), anchors[1].id(&crypto));
    for revocation in [Revocation::of(&pki.root), Revocation::Key([3; 32].into())] {
        let bytes = Writer::build(|w| revocation.write(w));
        assert_eq!(Revocation::read(&mut Reader::new(&bytes)), Ok(revocation));
    }
    let unknown = Writer::build(|w| {
        w.map(3)
            .int(1)
            .int(0)
            .int(2)
            .raw(&pki.root.key().to_cose_key())
            .int(7)
            .int(0);
    });
    assert!(TrustAnchor::read(&mut Reader::new(&unknown)).is_err());
}

#[test]
fn pem_holds_several() {
    let pki = Pki::of_depth(2);
    let text: String = pki.chain.iter().map(|c| c.to_pem().unwrap()).collect();
    assert_eq!(Certificate::list_from_pem(&text), Ok(pki.chain.clone()));
    assert!(Certificate::list_from_pem("").is_err());
    let cut = &text[..text.len() - 10];
    assert!(Certificate::list_from_pem(cut).is_err());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(512))]

    /// Whatever arrives as a certificate, a chain or a list of revocations, nothing panics, and what is read
    /// is what was sent.
    #[test]
    fn arbitrary_bytes_do_no_harm(
        edits in proptest::collection::vec((0_usize..2000, proptest::num::u8::ANY), 1..6),
        cut in 0_usize..2000,
        noise in proptest::collection::vec(proptest::num::u8::ANY, 0..64),
    ) {
        let crypto = rustcrypto::provider();
        let pki = pki::shared();
        let mut der = pki.chain[0].to_der().to_vec();
        for (at, value) in edits {
            let at = at % der.len();
            der[at] = value;
        }
        der.truncate(der.len() - cut % der.len().min(8));
        for bytes in [&der, &noise] {
            if let Ok(certificate) = Certificate::from_der(bytes) {
                proptest::prop_assert_eq!(certificate.to_der(), &bytes[..]);
            }
            let anchors = tam_anchor(&pki.root);
            let revocations = Revocations::default();
            let chain = CertificateChain::new(vec![bytes, pki.chain[1].to_der()]);
            let outcome = Trust::new(&anchors, &revocations, NOW).follow(&crypto, &chain, Purpose::Tam);
            proptest::prop_assert!(outcome.is_err() || bytes[..] == *pki.chain[0].to_der());
            let _ = tamarack_cose::x509::RevocationList::from_der(&crypto, bytes, &pki.root);
        }
    }
}
