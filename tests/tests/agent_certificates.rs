//! Certificates at the agent: TAMs and signers that it knows by their authorities, sets of trust anchors that
//! come as Trusted Components, and keys that are replaced.

use tamarack_agent::{
    AnchorEntry, TrustAnchorSet,
    platform::Platform,
    state::{Anchor, AnchorRole, TrustStore},
};
use tamarack_cose::{
    SignatureAlgorithm,
    x509::{Certificate, Issue, Purpose, Revocation, TrustAnchor, Usage},
};
use tamarack_teep::{Encoding, ErrorCode, Message, protect_by_each, protect_for_unknown_agent};
use tamarack_tests::{
    Device, Person, Tam, crypto, error_of, id, now,
    release::{self, Release},
    success_of, wasm,
};

/// An authority, and what it issues.
struct Authority {
    person: Person,
    certificate: Certificate,
}

impl Authority {
    fn new(subject: &str) -> Self {
        let person = Person::new();
        Self {
            certificate: person.authority(subject),
            person,
        }
    }

    fn issue(&self, person: &Person, subject: &str, purpose: Purpose) -> Certificate {
        self.issue_until(person, subject, purpose, now() + 3600)
    }

    fn issue_until(
        &self,
        person: &Person,
        subject: &str,
        purpose: Purpose,
        end: u64,
    ) -> Certificate {
        let issue = Issue::new(person.public(), subject, Usage::Leaf(Some(purpose)));
        let issue = issue.valid(now() - 3600, end);
        self.person.issue(&self.certificate, &issue)
    }

    fn anchor(&self, role: AnchorRole) -> Anchor {
        Anchor::of(self.entry(role), &crypto())
    }

    fn entry(&self, role: AnchorRole) -> AnchorEntry {
        AnchorEntry::new(
            TrustAnchor::certificate(role, self.certificate.clone()),
            "authority",
        )
    }
}

fn raw(role: AnchorRole, person: &Person) -> AnchorEntry {
    AnchorEntry::new(TrustAnchor::key(role, person.public()), "raw")
}

fn tam_of(person: &Person, chain: &[&Certificate]) -> Tam {
    Tam {
        key: person.certified(chain),
    }
}

/// A release of the set of trust anchors `site`.
fn set(number: u64, set: &TrustAnchorSet, signer: &Person) -> Vec<u8> {
    Release::new("trust-anchors/site", number)
        .carrying(&set.encode())
        .by(signer)
}

#[track_caller]
fn install_fails(device: &mut Device, tam: &Tam, envelope: &[u8]) -> String {
    let before = device.stored(&[]);
    let error = device.refused(tam, Tam::install(&[envelope]));
    let after = device.stored(&[]);
    // The record of Updates that were seen is all that may change.
    let changed = before.iter().filter(|entry| !after.contains(entry)).count();
    assert!(changed <= 1, "{changed} records changed");
    error.explanation.unwrap().text
}

/// Sends a QueryRequest that must be refused; the code and the text.
#[track_caller]
fn refusal(device: &mut Device, tam: &Tam) -> (ErrorCode, String) {
    let error = error_of(device.answer(&tam.sign(Tam::query())));
    (error.code, error.explanation.unwrap().text)
}

// req: ARCH-021
// req: ARCH-045
// req: AMB-32
#[test]
fn a_tam_is_known_by_its_authority() {
    let authority = Authority::new("CN=Operator");
    let (person, admin) = (Person::new(), Person::new());
    let signer = Anchor::of(raw(AnchorRole::Signer, &admin), &crypto());
    let anchors = [authority.anchor(AnchorRole::Tam), signer];
    for algorithm in SignatureAlgorithm::STATELESS {
        let person = Person::with(algorithm);
        let leaf = authority.issue(&person, "CN=TAM", Purpose::Tam);
        let mut device = Device::trusting(&[algorithm], &anchors);
        let tam = tam_of(&person, &[&leaf]);
        let hello = release::app("hello", 1, wasm::HELLO_1, &admin);
        device.install(&tam, &[&hello]);
        assert_eq!(device.version("hello"), Some(1));
    }
    let mut device = Device::trusting(&[SignatureAlgorithm::Esp256], &anchors);
    // Without the chain nobody knows the key.
    let (code, _) = refusal(
        &mut device,
        &Tam {
            key: person.again(),
        },
    );
    assert_eq!(code, ErrorCode::PERMANENT_ERROR);
}

// req: TEEP-ERR-003
// req: TEEP-OPS-002
// req: AMB-15
#[test]
fn a_certificate_at_fault_is_named() {
    let (authority, stranger) = (Authority::new("CN=Operator"), Authority::new("CN=Operator"));
    let person = Person::new();
    let anchors = [authority.anchor(AnchorRole::Tam)];
    let mut device = Device::trusting(&[SignatureAlgorithm::Esp256], &anchors);
    let mut said = |chain: &[&Certificate]| refusal(&mut device, &tam_of(&person, chain));

    let expired = authority.issue_until(&person, "CN=Old TAM", Purpose::Tam, now() - 10);
    let (code, text) = said(&[&expired]);
    assert_eq!(code, ErrorCode::CERTIFICATE_EXPIRED);
    assert!(
        text.contains("CN=Old TAM") && text.contains(&expired.name().serial),
        "{text}"
    );

    let forged = stranger.issue(&person, "CN=TAM", Purpose::Tam);
    let (code, text) = said(&[&forged]);
    assert_eq!(code, ErrorCode::BAD_CERTIFICATE);
    assert!(text.contains("CN=TAM"), "{text}");

    let signer = authority.issue(&person, "CN=Signer", Purpose::Signer);
    assert_eq!(said(&[&signer]).0, ErrorCode::BAD_CERTIFICATE);
    // Expired and forged is forged.
    let both = stranger.issue_until(&person, "CN=TAM", Purpose::Tam, now() - 10);
    assert_eq!(said(&[&both]).0, ErrorCode::BAD_CERTIFICATE);
}

// req: ARCH-020
#[test]
fn an_authority_for_signers_is_none_for_tams() {
    let authority = Authority::new("CN=Operator");
    let person = Person::new();
    let leaf = Issue::new(person.public(), "CN=any", Usage::Leaf(None));
    let leaf = authority.person.issue(&authority.certificate, &leaf);
    for role in [AnchorRole::Signer, AnchorRole::Tee, AnchorRole::Verifier] {
        let mut device = Device::trusting(&[SignatureAlgorithm::Esp256], &[authority.anchor(role)]);
        let (code, _) = refusal(&mut device, &tam_of(&person, &[&leaf]));
        assert_eq!(code, ErrorCode::BAD_CERTIFICATE);
    }
}

// req: ARCH-022
#[test]
fn a_signer_is_known_by_its_authority() {
    let authority = Authority::new("CN=Vendors");
    let (tam, one, two) = (Tam::new(), Person::new(), Person::new());
    let known_tam = Anchor::of(raw(AnchorRole::Tam, &tam.key), &crypto());
    let mut entry = authority.entry(AnchorRole::Signer);
    entry.anchor.constraints.subject = Some("CN=one".into());
    entry.prefixes = Some(vec![id("one")]);
    let mut of_two = authority.entry(AnchorRole::Signer);
    of_two.anchor.constraints.subject = Some("CN=two".into());
    of_two.prefixes = Some(vec![id("two")]);
    let anchors = [
        known_tam,
        Anchor::of(entry, &crypto()),
        Anchor::of(of_two, &crypto()),
    ];
    let mut device = Device::trusting(&[SignatureAlgorithm::Esp256], &anchors);
    let certified = |person: &Person, subject| {
        person.certified(&[&authority.issue(person, subject, Purpose::Signer)])
    };
    let (one, two) = (certified(&one, "CN=one"), certified(&two, "CN=two"));
    device.install(&tam, &[&release::app("one/hello", 1, wasm::HELLO_1, &one)]);
    device.install(&tam, &[&release::app("two/hello", 1, wasm::HELLO_1, &two)]);
    // What one certificate is for is not for another of the same authority.
    let reason = install_fails(
        &mut device,
        &tam,
        &release::app("one/hello", 2, wasm::HELLO_2, &two),
    );
    assert!(!reason.is_empty());
    install_fails(
        &mut device,
        &tam,
        &release::app("other", 1, wasm::HELLO_1, &one),
    );
    // Who signs for some components is no administrator.
    let domain = release::domain("one", 1, &one, &one);
    install_fails(&mut device, &tam, &domain);
    let anchors = TrustAnchorSet {
        anchors: vec![raw(AnchorRole::Signer, &one)],
        revocations: Vec::new(),
    };
    install_fails(&mut device, &tam, &set(1, &anchors, &one));
    // The certificate is renewed, for another key: the signer is the same.
    let renewed = certified(&Person::with(SignatureAlgorithm::Ed25519), "CN=one");
    device.install(
        &tam,
        &[&release::app("one/hello", 2, wasm::HELLO_2, &renewed)],
    );
    assert_eq!(device.version("one/hello"), Some(2));
    device.unlink(&tam, &["one/hello/suit"]);
    assert_eq!(device.version("one/hello"), None);
    let expired = Person::new();
    let leaf = authority.issue_until(&expired, "CN=one", Purpose::Signer, now() - 5);
    let late = release::app("one/hello", 3, wasm::HELLO_1, &expired.certified(&[&leaf]));
    let reason = install_fails(&mut device, &tam, &late);
    assert!(reason.contains("expired"), "{reason}");
}

// req: ARCH-024
// req: ARCH-025
#[test]
fn trust_anchors_come_from_the_administrator_and_never_go_back() {
    let (tam, new_tam, admin, other) = (Tam::new(), Tam::new(), Person::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    let with = |entries: Vec<AnchorEntry>| TrustAnchorSet {
        anchors: entries,
        revocations: Vec::new(),
    };
    let brings = with(vec![raw(AnchorRole::Tam, &new_tam.key)]);
    // By somebody who is not the administrator, a domain's owner included.
    let domain = release::domain("acme", 1, &other, &admin);
    device.install(&tam, &[&domain]);
    install_fails(&mut device, &tam, &set(1, &brings, &other));
    assert_eq!(refusal(&mut device, &new_tam).0, ErrorCode::PERMANENT_ERROR);
    // By the administrator.
    device.install(&tam, &[&set(2, &brings, &admin)]);
    device.query(&new_tam, Tam::query());
    // A newer set takes the place of the older one, which does not come back.
    device.install(&tam, &[&set(3, &with(vec![]), &admin)]);
    assert_eq!(refusal(&mut device, &new_tam).0, ErrorCode::PERMANENT_ERROR);
    install_fails(&mut device, &tam, &set(2, &brings, &admin));
    assert_eq!(refusal(&mut device, &new_tam).0, ErrorCode::PERMANENT_ERROR);
    // It goes with its manifest.
    device.install(&tam, &[&set(4, &brings, &admin)]);
    device.query(&new_tam, Tam::query());
    let mut device = device.restarted();
    device.query(&new_tam, Tam::query());
    device.unlink(&tam, &["trust-anchors/site/suit"]);
    assert_eq!(refusal(&mut device, &new_tam).0, ErrorCode::PERMANENT_ERROR);
    // What is no set installs nothing.
    let garbage = Release::new("trust-anchors/site", 5)
        .carrying(b"\xa0")
        .by(&admin);
    install_fails(&mut device, &tam, &garbage);
    let elsewhere = Release::new("trust-anchors/a/b", 1)
        .carrying(&brings.encode())
        .by(&admin);
    install_fails(&mut device, &tam, &elsewhere);
}

// req: ARCH-026
#[test]
fn no_set_locks_the_device_out() {
    let (tam, admin, other) = (Tam::new(), Person::new(), Person::new());
    let mut device = Device::new(&[&tam], &[&admin]);
    let key = |person: &Person| Revocation::Key(person.public().key_id(&crypto()));
    let revoking = |revoked: &[&Person], anchors: Vec<AnchorEntry>| TrustAnchorSet {
        anchors,
        revocations: revoked.iter().map(|person| key(person)).collect(),
    };
    let mut number = 0;
    let mut refused = |device: &mut Device, anchors: &TrustAnchorSet| {
        number += 1;
        install_fails(device, &tam, &set(number, anchors, &admin))
    };
    let reason = refused(&mut device, &revoking(&[&admin], vec![]));
    assert!(reason.contains("administrator"), "{reason}");
    let reason = refused(&mut device, &revoking(&[&tam.key], vec![]));
    assert!(reason.contains("TAM"), "{reason}");
    // Neither a signer for a part, nor one that has expired, nor one that is revoked itself will do.
    let mut partial = raw(AnchorRole::Signer, &other);
    partial.prefixes = Some(vec![id("acme")]);
    refused(&mut device, &revoking(&[&admin], vec![partial]));
    let mut ended = raw(AnchorRole::Signer, &other);
    ended.anchor.constraints.not_after = Some(now() - 1);
    refused(&mut device, &revoking(&[&admin], vec![ended]));
    let good = raw(AnchorRole::Signer, &other);
    refused(
        &mut device,
        &revoking(&[&admin, &other], vec![good.clone()]),
    );
    // The administrator hands over, and is one no longer.
    device.install(&tam, &[&set(100, &revoking(&[&admin], vec![good]), &admin)]);
    install_fails(&mut device, &tam, &set(101, &revoking(&[], vec![]), &admin));
    let hello = release::app("hello", 1, wasm::HELLO_1, &other);
    device.install(&tam, &[&hello]);
    // The set that brought the new administrator can't go: the old one would have to come back for that, and
    // does, since its revocation goes with it.
    device.unlink(&tam, &["trust-anchors/site/suit"]);
    let hello = release::app("hello", 2, wasm::HELLO_2, &admin);
    device.install(&tam, &[&hello]);
}

/// A TAM while its key is replaced: it signs with every key that it has.
struct Rolling {
    keys: Vec<Person>,
}

impl Rolling {
    /// Whether the device takes a component from this TAM.
    fn reaches(&self, device: &mut Device, envelope: &[u8]) -> bool {
        let signers: Vec<_> = self.keys.iter().map(Person::signer).collect();
        let query = Tam::query().into();
        let query = match &signers[..] {
            [_] => protect_by_each(&crypto(), &signers, &query, Encoding::default()),
            _ => protect_for_unknown_agent(&crypto(), &signers, &query),
        };
        match device.answer(&query.unwrap()) {
            Message::QueryResponse(_) => {}
            _ => return false,
        }
        let update = Tam::install(&[envelope]).into();
        let update = protect_by_each(&crypto(), &signers, &update, Encoding::default()).unwrap();
        success_of(device.answer(&update));
        true
    }
}

/// The steps of a rollover. Each may be taken at any time after those that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The TAM signs with both keys.
    Rotate,
    /// Devices trust the new key beside the old one.
    TrustNew,
    /// Devices trust the old key no longer; after [`Self::TrustNew`].
    RevokeOld,
    /// The TAM signs with the new key alone; after both of the first.
    Retire,
}

/// All orders of the steps that respect what must come before what.
fn orders() -> Vec<Vec<Step>> {
    use Step::{Retire, RevokeOld, Rotate, TrustNew};
    let needs = |step| match step {
        Rotate | TrustNew => &[][..],
        RevokeOld | Retire => &[Rotate, TrustNew],
    };
    let mut orders = vec![Vec::new()];
    for _ in 0..4 {
        let mut longer = Vec::new();
        for order in &orders {
            for step in [Rotate, TrustNew, RevokeOld, Retire] {
                let ready = needs(step).iter().all(|before| order.contains(before));
                if !order.contains(&step) && ready {
                    longer.push([&order[..], &[step]].concat());
                }
            }
        }
        orders = longer;
    }
    orders
}

// req: TEEP-OPS-001
// req: ARCH-026
#[test]
fn a_tam_key_is_replaced_without_losing_a_device_in_any_order_of_steps() {
    assert_eq!(orders().len(), 4);
    for order in orders() {
        let (old, new, admin) = (Person::new(), Person::new(), Person::new());
        let first = Tam { key: old.again() };
        // One that takes part in every step, and one that sleeps until the end of the first two.
        let mut device = Device::new(&[&first], &[&admin]);
        let mut tam = Rolling {
            keys: vec![old.again()],
        };
        let mut number = 0;
        let mut alive = |device: &mut Device, tam: &Rolling| {
            number += 1;
            let hello = release::app("hello", number, wasm::HELLO_1, &admin);
            assert!(tam.reaches(device, &hello), "{order:?} after {number}");
        };
        alive(&mut device, &tam);
        for step in &order {
            match step {
                Step::Rotate => tam.keys = vec![old.again(), new.again()],
                Step::Retire => tam.keys = vec![new.again()],
                Step::TrustNew => {
                    // By the same name: both are keys of one TAM.
                    let keys = [&old, &new].map(|key| raw(AnchorRole::Tam, key));
                    let anchors = TrustAnchorSet {
                        anchors: keys.into(),
                        revocations: Vec::new(),
                    };
                    assert!(tam.reaches(&mut device, &set(1, &anchors, &admin)));
                }
                Step::RevokeOld => {
                    let anchors = TrustAnchorSet {
                        anchors: vec![raw(AnchorRole::Tam, &new)],
                        revocations: vec![Revocation::Key(old.public().key_id(&crypto()))],
                    };
                    assert!(tam.reaches(&mut device, &set(2, &anchors, &admin)));
                }
            }
            alive(&mut device, &tam);
        }
        // The old key is worth nothing any more: its owner is a stranger with a revoked key.
        let (code, text) = refusal(&mut device, &first);
        assert_eq!(code, ErrorCode::BAD_CERTIFICATE, "{text}");
        assert!(text.contains("revoked"), "{text}");
        let view = device.tee.storage().view().unwrap();
        let store = TrustStore::load(&*view).unwrap();
        assert_eq!(store.revocations.len(), 1);
    }
}

// req: TEEP-ERR-008
#[test]
fn a_revoked_certificate_is_answered_with_6_and_another_one_is_taken() {
    let authority = Authority::new("CN=Operator");
    let (tam, admin) = (Person::new(), Person::new());
    let (one, two) = (
        authority.issue(&tam, "CN=TAM", Purpose::Tam),
        authority.issue(&tam, "CN=TAM", Purpose::Tam),
    );
    let signer = Anchor::of(raw(AnchorRole::Signer, &admin), &crypto());
    let anchors = [authority.anchor(AnchorRole::Tam), signer];
    let mut device = Device::trusting(&[SignatureAlgorithm::Esp256], &anchors);
    let revoking = TrustAnchorSet {
        anchors: Vec::new(),
        revocations: vec![Revocation::of(&one)],
    };
    device.install(&tam_of(&tam, &[&one]), &[&set(1, &revoking, &admin)]);
    let (code, text) = refusal(&mut device, &tam_of(&tam, &[&one]));
    assert_eq!(code, ErrorCode::BAD_CERTIFICATE);
    assert!(
        text.contains("revoked") && text.contains(&one.name().serial),
        "{text}"
    );
    device.query(&tam_of(&tam, &[&two]), Tam::query());
}
