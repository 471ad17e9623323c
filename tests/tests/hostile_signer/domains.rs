//! Security domains that are somebody else's, sub-domains that reach out of their own, and whom the device trusts.

use tamarack_agent::{Quota, SecurityDomain, Service, TrustAnchorSet};
use tamarack_cose::cbor::Writer;
use tamarack_suit::report::Reason;
use tamarack_tests::{Person, id, release, release::Release};

use crate::{
    Attempt,
    Expected::{Harmless, Refused},
    NO_RIGHT, attempt, failed,
    world::{Tried, World, little, part},
};

/// A domain with its own key, signed by the hostile signer.
pub(crate) fn domain(world: &mut World, name: &str, number: u64, prefix: &str) -> Tried {
    let envelope =
        release::domain_with(name, number, prefix, &[&world.evil], little(), &world.evil);
    world.send(&envelope)
}

fn sub_domain_at(world: &mut World, prefix: &str) -> Tried {
    domain(world, "evil/x", 1, prefix)
}

fn with_service(world: &mut World, name: &str, component: &str) -> Tried {
    world.sub_domain("evil/x", |domain| {
        domain.services.push(service(name, component));
    })
}

fn service(name: &str, component: &str) -> Service {
    Service {
        name: name.into(),
        component: id(component),
        callers: None,
    }
}

/// A descriptor of a sub-domain with this many times the owner, and something behind it.
fn descriptor(world: &mut World, owners: usize, further: impl Fn(&mut Writer)) -> Tried {
    let key = world.evil.public().to_cose_key();
    let descriptor = Writer::build(|w| {
        w.map(3).uint(1);
        id("evil/x").write(w);
        w.uint(2).array(owners);
        for _ in 0..owners {
            w.raw(&key);
        }
        further(w);
    });
    world.descriptor("evil/x", 1, &descriptor)
}

pub(crate) const ATTEMPTS: &[Attempt] = &[
    attempt("make a domain beside its own", NO_RIGHT, |world| {
        domain(world, "mine", 1, "mine")
    }),
    attempt("give a neighbour's domain its own key", NO_RIGHT, |world| {
        domain(world, "acme", 9, "acme")
    }),
    attempt("give itself a larger quota", NO_RIGHT, |world| {
        domain(world, "evil", 9, "evil")
    }),
    attempt(
        "give a neighbour's sub-domain its own key",
        NO_RIGHT,
        |world| domain(world, "acme/locks", 9, "acme/locks"),
    ),
    attempt(
        "give the sub-domain that it has from a neighbour a larger quota",
        NO_RIGHT,
        |world| domain(world, "acme/guest", 9, "acme/guest"),
    ),
    attempt(
        "make a sub-domain in a neighbour's domain",
        NO_RIGHT,
        |world| domain(world, "acme/mine", 1, "acme/mine"),
    ),
    attempt(
        "make a sub-domain in the domain that lies within its own prefix",
        NO_RIGHT,
        |world| domain(world, "tenant/mine", 1, "evil/tenant/mine"),
    ),
    attempt(
        "make a sub-domain of a domain that is not there",
        NO_RIGHT,
        |world| domain(world, "nobody/mine", 1, "evil/mine"),
    ),
    attempt(
        "make a sub-domain with a neighbour's prefix",
        failed("is not below evil"),
        |world| sub_domain_at(world, "acme"),
    ),
    attempt(
        "make a sub-domain below a neighbour's prefix",
        failed("is not below evil"),
        |world| sub_domain_at(world, "acme/vault"),
    ),
    attempt(
        "make a sub-domain with an empty prefix",
        failed("a prefix of its own"),
        |world| sub_domain_at(world, ""),
    ),
    attempt(
        "make a sub-domain to which all domains belong",
        failed("a prefix of its own"),
        |world| sub_domain_at(world, "security-domain"),
    ),
    attempt(
        "make a sub-domain to which the trust anchors belong",
        failed("a prefix of its own"),
        |world| sub_domain_at(world, "trust-anchors/spare"),
    ),
    attempt(
        "make a sub-domain with its own prefix",
        failed("belongs to the security domain evil"),
        |world| sub_domain_at(world, "evil"),
    ),
    attempt(
        "make a sub-domain with the prefix of a domain within its own",
        failed("belongs to the security domain tenant"),
        |world| sub_domain_at(world, "evil/tenant"),
    ),
    attempt(
        "make a sub-domain below the prefix of a domain within its own",
        failed("belongs to the security domain tenant"),
        |world| sub_domain_at(world, "evil/tenant/data"),
    ),
    attempt(
        "move a sub-domain over a neighbour's prefix",
        failed("is not below evil"),
        |world| {
            domain(world, "evil/mover", 1, "evil/mover")?;
            domain(world, "evil/mover", 2, "acme/vault")
        },
    ),
    attempt(
        "make a sub-domain that takes what another sub-domain's owner installed",
        failed("belongs to the security domain evil/shop"),
        |world| {
            let owner = Person::new();
            let shop =
                release::domain_with("evil/shop", 1, "evil/shop", &[&owner], part(), &world.evil);
            world.allowed(&shop);
            world.allowed(&release::app("evil/shop/data", 1, b"data", &owner));
            sub_domain_at(world, "evil/shop/data")
        },
    ),
    attempt(
        "call a sub-domain so that its descriptor is a manifest's identifier",
        NO_RIGHT,
        |world| domain(world, "evil/suit", 1, "evil/x"),
    ),
    attempt(
        "call a sub-domain by a name with a slash",
        NO_RIGHT,
        |world| domain(world, "evil/..%2facme", 1, "evil/x"),
    ),
    attempt(
        "call a sub-domain by a name that moves the cursor",
        NO_RIGHT,
        |world| domain(world, "evil/a%1b[2J%0d%0aacme", 1, "evil/x"),
    ),
    attempt(
        "call a sub-domain by a name that is no text",
        NO_RIGHT,
        |world| domain(world, "evil/0xff", 1, "evil/x"),
    ),
    attempt(
        "call a sub-domain by a name of 65 bytes",
        Refused(Reason::ComponentUnauthorized, "no right to compo"),
        |world| domain(world, &format!("evil/{}", "x".repeat(65)), 1, "evil/x"),
    ),
    attempt(
        "make domains in domains, deeper than there can be",
        NO_RIGHT,
        |world| {
            // Each has room for the descriptor of the next one.
            for (name, bytes) in [
                ("evil/a", 9_000),
                ("evil/a/b", 6_000),
                ("evil/a/b/c", 3_000),
            ] {
                let quota = Quota { bytes, ..little() };
                let envelope =
                    release::domain_with(name, 1, name, &[&world.evil], quota, &world.evil);
                world.allowed(&envelope);
            }
            domain(world, "evil/a/b/c/d", 1, "evil/a/b/c/d")
        },
    ),
    attempt(
        "call a sub-domain like a neighbour's domain",
        Harmless,
        |world| domain(world, "evil/acme", 1, "evil/acme"),
    ),
    attempt(
        "make a sub-domain without an owner",
        failed("1 to 16 keys"),
        |world| {
            descriptor(world, 0, |w| {
                w.uint(3).map(0);
            })
        },
    ),
    attempt(
        "make a sub-domain with 17 owners",
        failed("1 to 16 keys"),
        |world| {
            descriptor(world, 17, |w| {
                w.uint(3).map(0);
            })
        },
    ),
    attempt(
        "make a sub-domain with a rule that the TEE does not know",
        failed("label 1 to 5"),
        |world| {
            descriptor(world, 1, |w| {
                w.uint(6).bool(true);
            })
        },
    ),
    attempt(
        "make a sub-domain with a quota that the TEE does not know",
        failed("label 1 to 7"),
        |world| {
            descriptor(world, 1, |w| {
                w.uint(3).map(1).uint(8).uint(u64::MAX);
            })
        },
    ),
    attempt(
        "name a neighbour's key as an owner, to act in its name",
        Harmless,
        |world| {
            let acme = world.providers.acme.public();
            world.sub_domain("evil/alias", |domain| domain.owners.push(acme))
        },
    ),
    attempt(
        "make a sub-domain with more bytes than its own domain has",
        failed("over quota"),
        |world| world.sub_domain("evil/x", |domain| domain.quota.bytes = 2 << 20),
    ),
    attempt(
        "make a sub-domain with more objects than its own domain has",
        failed("over quota"),
        |world| world.sub_domain("evil/x", |domain| domain.quota.objects = 65),
    ),
    attempt(
        "make a sub-domain whose applications may have more memory",
        failed("over quota"),
        |world| world.sub_domain("evil/x", |domain| domain.quota.memory = 1 << 32),
    ),
    attempt(
        "make a sub-domain whose commands may run longer",
        failed("over quota"),
        |world| world.sub_domain("evil/x", |domain| domain.quota.time_ms = u64::MAX),
    ),
    attempt(
        "offer a neighbour's application as a service of its own",
        failed("service / component: out of bounds"),
        |world| with_service(world, "sign", "acme/vault"),
    ),
    attempt(
        "offer a service under a name that is a path",
        failed("without a slash"),
        |world| with_service(world, "../acme/sign", "evil/x/app"),
    ),
    attempt(
        "offer two services under one name",
        failed("each name once"),
        |world| {
            world.sub_domain("evil/x", |domain| {
                domain.services = vec![service("sign", "evil/x/a"), service("sign", "evil/x/b")];
            })
        },
    ),
    attempt(
        "offer more services than there can be",
        failed("1 to 16 services"),
        |world| {
            world.sub_domain("evil/x", |domain| {
                domain.services = (0..17)
                    .map(|n| service(&n.to_string(), "evil/x/a"))
                    .collect();
            })
        },
    ),
    attempt(
        "let callers in by a name that no domain can have",
        failed("the name of a security domain"),
        |world| {
            world.sub_domain("evil/x", |domain| {
                let callers = Some(vec!["acme/../globex/".into()]);
                domain.services = vec![Service {
                    callers,
                    ..service("sign", "evil/x/a")
                }];
            })
        },
    ),
    attempt(
        "share more objects than there can be",
        failed("1 to 64 names"),
        |world| {
            world.sub_domain("evil/x", |domain| {
                domain.shared_objects = (0..65).map(|n| n.to_string()).collect();
            })
        },
    ),
    attempt(
        "share an object that is called like a neighbour's",
        Harmless,
        |world| {
            world.sub_domain("evil/sharer", |domain| {
                domain.shared_objects.push("ledger".into());
            })
        },
    ),
    attempt(
        "install what is no descriptor as a domain",
        failed("security-domain"),
        |world| world.descriptor("evil/x", 1, b"not CBOR"),
    ),
    attempt(
        "install a descriptor of many kilobytes",
        failed("bytes long"),
        |world| world.descriptor("evil/x", 1, &[0; 20_000]),
    ),
    attempt(
        "make a sub-domain and install something in it at once, with the rights of before",
        failed("which this update makes"),
        |world| {
            let made = SecurityDomain::new(id("evil/x"), vec![Person::new().public()], little());
            let release = Release::new("security-domain/evil/x", 1).carrying(&made.encode());
            let envelope = release.and_carrying("evil/x/data", b"data").by(&world.evil);
            world.send(&envelope)
        },
    ),
    attempt("add trust anchors", NO_RIGHT, |world| {
        let set = TrustAnchorSet::default().encode();
        let envelope = Release::new("trust-anchors/evil", 1)
            .carrying(&set)
            .by(&world.evil);
        world.send(&envelope)
    }),
    attempt(
        "replace the administrator's trust anchors",
        NO_RIGHT,
        |world| {
            let set = TrustAnchorSet::default().encode();
            let envelope = Release::new("trust-anchors/spare", 9)
                .carrying(&set)
                .by(&world.evil);
            world.send(&envelope)
        },
    ),
];
