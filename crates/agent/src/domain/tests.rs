use alloc::{format, string::ToString, vec, vec::Vec};

use tamarack_cose::{SecretKey, SignatureAlgorithm, cbor::Writer, rustcrypto};

use super::{Quota, SecurityDomain, Service};

fn domain() -> SecurityDomain {
    let crypto = rustcrypto::provider();
    let owner = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256).unwrap();
    SecurityDomain::new(
        "acme".parse().unwrap(),
        vec![*owner.public_key()],
        Quota::default(),
    )
}

fn service(name: &str) -> Service {
    Service {
        name: name.into(),
        component: "acme/meter".parse().unwrap(),
        callers: None,
    }
}

/// Why the domain, encoded, is refused.
fn refusal(domain: &SecurityDomain) -> alloc::string::String {
    SecurityDomain::decode(&domain.encode())
        .unwrap_err()
        .to_string()
}

#[test]
fn everything_in_a_descriptor_comes_back() {
    let domain = SecurityDomain {
        quota: Quota {
            bytes: 1,
            applications: 2,
            memory: 3,
            fuel: 4,
            objects: 5,
            sessions: 6,
            time_ms: 7,
        },
        services: vec![
            service("read"),
            Service {
                callers: Some(vec!["globex".into(), "acme/locks".into()]),
                ..service("reset")
            },
        ],
        shared_objects: vec!["ledger".into(), "a/b".into()],
        ..domain()
    };
    assert_eq!(SecurityDomain::decode(&domain.encode()).unwrap(), domain);
    assert!(domain.service("reset").unwrap().admits("acme/locks"));
    assert!(!domain.service("reset").unwrap().admits("acme"));
    assert!(domain.service("read").unwrap().admits("anybody"));
    assert_eq!(domain.service("write"), None);
}

#[test]
fn a_descriptor_of_before_is_as_valid_as_it_was() {
    let now = domain();
    let old = Writer::build(|w| {
        w.map(3).uint(1);
        now.prefix.write(w);
        w.uint(2).array(1).raw(&now.owners[0].to_cose_key());
        w.uint(3).map(2).uint(1).uint(1000).uint(4).uint(5);
    });
    let read = SecurityDomain::decode(&old).unwrap();
    assert_eq!((read.quota.bytes, read.quota.fuel), (1000, 5));
    assert_eq!(
        (read.quota.objects, read.quota.sessions, read.quota.time_ms),
        (1024, 16, 10_000)
    );
    // And one without anything new is written as it was, for TEEs that know nothing else.
    let same = Writer::build(|w| {
        w.map(3).uint(1);
        now.prefix.write(w);
        w.uint(2).array(1).raw(&now.owners[0].to_cose_key());
        w.uint(3).map(4).uint(1).uint(16 << 20).uint(2).uint(16);
        w.uint(3).uint(4 << 20).uint(4).uint(1_000_000_000);
    });
    assert_eq!(now.encode(), same);
}

#[test]
fn services_that_make_no_sense_are_refused_with_the_rule() {
    let with = |services: Vec<Service>| SecurityDomain {
        services,
        ..domain()
    };
    let twice = refusal(&with(vec![service("read"), service("read")]));
    assert!(
        twice.contains("services") && twice.contains("each name once"),
        "{twice}"
    );
    let abroad = refusal(&with(vec![Service {
        component: "globex/meter".parse().unwrap(),
        ..service("read")
    }]));
    assert!(abroad.contains("under the domain's prefix"), "{abroad}");
    let nobody = refusal(&with(vec![Service {
        callers: Some(Vec::new()),
        ..service("read")
    }]));
    assert!(
        nobody.contains("callers") && nobody.contains("1 to 64 names"),
        "{nobody}"
    );
    let ghost = refusal(&with(vec![Service {
        callers: Some(vec!["a//b".into()]),
        ..service("read")
    }]));
    assert!(ghost.contains("the name of a security domain"), "{ghost}");
    for name in ["", &"x".repeat(65), "a/b"] {
        let wrong = refusal(&with(vec![service(name)]));
        assert!(wrong.contains("service / name"), "{wrong}");
    }
    let many = (0..17).map(|n| service(&n.to_string())).collect();
    assert!(refusal(&with(many)).contains("1 to 16 services"));
    let most = (0..16).map(|n| service(&n.to_string())).collect();
    let most = with(most);
    assert_eq!(SecurityDomain::decode(&most.encode()).unwrap(), most);
}

#[test]
fn shared_objects_that_make_no_sense_are_refused_with_the_rule() {
    let with = |names: &[&str]| SecurityDomain {
        shared_objects: names.iter().map(|name| (*name).into()).collect(),
        ..domain()
    };
    for (names, rule) in [
        (&["a", "a"][..], "each name once"),
        (&[""], "1 to 64 bytes"),
        (&[&*"x".repeat(65)], "1 to 64 bytes"),
    ] {
        let wrong = refusal(&with(names));
        assert!(
            wrong.contains("shared objects") && wrong.contains(rule),
            "{wrong}"
        );
    }
    let many: Vec<_> = (0..65).map(|n| n.to_string()).collect();
    let many: Vec<_> = many.iter().map(|name| &**name).collect();
    assert!(refusal(&with(&many)).contains("1 to 64 names"));
    assert!(SecurityDomain::decode(&with(&many[..64]).encode()).is_ok());
}

#[test]
fn empty_lists_and_unknown_labels_are_refused() {
    let domain = domain();
    for (label, rule) in [
        (4, "1 to 16 services"),
        (5, "1 to 64 names"),
        (6, "label 1 to 5"),
    ] {
        let descriptor = Writer::build(|w| {
            w.map(3).uint(1);
            domain.prefix.write(w);
            w.uint(2).array(1).raw(&domain.owners[0].to_cose_key());
            w.uint(label).array(0);
        });
        let wrong = SecurityDomain::decode(&descriptor).unwrap_err().to_string();
        assert!(wrong.contains(rule), "{wrong}");
    }
    let descriptor = Writer::build(|w| {
        w.map(3).uint(1);
        domain.prefix.write(w);
        w.uint(2).array(1).raw(&domain.owners[0].to_cose_key());
        w.uint(3).map(1).uint(8).uint(0);
    });
    let wrong = SecurityDomain::decode(&descriptor).unwrap_err().to_string();
    assert!(wrong.contains("label 1 to 7"), "{wrong}");
}

#[test]
fn a_name_is_the_path_to_the_domain() {
    for name in ["acme", "acme/locks", "a/b/c/d"] {
        let id = SecurityDomain::component_id(name).unwrap();
        assert_eq!(id, format!("security-domain/{name}").parse().unwrap());
        assert_eq!(SecurityDomain::name_of(&id), Ok(Some(name.into())));
    }
    assert_eq!(SecurityDomain::parent_of("a/b/c"), Some("a/b"));
    assert_eq!(SecurityDomain::parent_of("a"), None);
    let long = "x".repeat(65);
    for name in [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "a/b/c/d/e",
        "suit",
        "a/suit",
        "a\u{1b}[2J",
        "a/b\r\n",
        "\u{202e}emca",
        "acme\u{a0}",
        &long,
    ] {
        assert_eq!(SecurityDomain::component_id(name), None, "{name}");
    }
}

#[test]
fn one_identifier_is_one_domain() {
    use tamarack_suit::ComponentId;
    let id = |segments: &[&[u8]]| ComponentId::new(segments.iter().copied()).unwrap();
    // A slash within a segment would be another spelling of the domain a/b.
    for segments in [
        &[&b"security-domain"[..], b"a/b"][..],
        &[b"security-domain"],
        &[b"security-domain", b"\xff"],
        &[b"security-domain", b"a", b"suit"],
        &[b"security-domain", b"a", b"b", b"c", b"d", b"e"],
    ] {
        assert!(SecurityDomain::name_of(&id(segments)).is_err());
    }
    assert_eq!(SecurityDomain::name_of(&id(&[b"acme", b"suit"])), Ok(None));
    let enclosing = |segments: &[&[u8]]| super::enclosing(&id(segments));
    let root = &b"security-domain"[..];
    assert_eq!(enclosing(&[root, b"a"]), None);
    assert_eq!(enclosing(&[root, b"a", b"suit"]), None);
    assert_eq!(enclosing(&[root, b"suit"]), None);
    assert_eq!(enclosing(&[root, b"a", b"b"]).as_deref(), Some("a"));
    assert_eq!(
        enclosing(&[root, b"a", b"b", b"suit"]).as_deref(),
        Some("a")
    );
    assert_eq!(
        enclosing(&[root, b"a", b"b", b"c", b"suit"]).as_deref(),
        Some("a/b")
    );
    assert_eq!(enclosing(&[root, b"a", b"suit", b"suit"]), None);
    assert_eq!(enclosing(&[root, b"a/b", b"c"]), None);
    assert_eq!(enclosing(&[b"acme", b"a", b"b"]), None);
}
