use std::collections::{BTreeMap, HashSet};

use proptest::{collection::vec, prelude::*, sample::select};
use tamarack_cose::{DigestAlgorithm, PublicKey};
use tamarack_suit::{ComponentId, SuitDigest};
use tamarack_teep::RequestedComponent;

use super::{LeftOut, Observed, Plan, Target, plan};
use crate::{
    Deployment, InstalledComponent, Mode, Selector, Timestamp,
    catalog::{Catalog, ComponentImage, Domain, Manifest, ManifestId, ManifestKind},
};

const SIGNER: PublicKey = PublicKey::Ed25519 { x: [1; 32] };
const ANCHOR: PublicKey = PublicKey::Ed25519 { x: [2; 32] };

fn id(text: &str) -> ComponentId {
    text.parse().unwrap()
}

fn digest(number: u8) -> SuitDigest {
    SuitDigest::new(DigestAlgorithm::Sha256, &[number; 32]).unwrap()
}

/// A catalog under construction.
#[derive(Default)]
struct Shelf {
    manifests: Vec<Manifest>,
    deployments: Vec<Deployment>,
    domains: Vec<Domain>,
}

impl Shelf {
    fn domain(&mut self, name: &str, with_manifest: bool) {
        self.domains.push(Domain {
            name: name.into(),
            prefix: id(name),
            signers: vec![SIGNER],
            anchor: Some(ANCHOR),
            retired: false,
        });
        if with_manifest {
            self.add(&format!("security-domain/{name}"), name, 1, &[]);
        }
    }

    /// Publishes a manifest of one component; its number.
    fn add(&mut self, name: &str, domain: &str, release: u64, needs: &[ManifestId]) -> ManifestId {
        let number = u8::try_from(self.manifests.len()).unwrap();
        let own = name.starts_with("security-domain");
        let needs = needs
            .iter()
            .map(|id| self.manifests[usize::try_from(id.0).unwrap()].digest);
        let manifest = Manifest {
            id: ManifestId(i64::from(number)),
            kind: if own {
                ManifestKind::Domain
            } else {
                ManifestKind::Component
            },
            domain: domain.into(),
            manifest_component: id(&format!("{name}/suit")),
            sequence_number: release,
            digest: digest(number),
            components: vec![ComponentImage {
                component: id(name),
                digests: vec![digest(number)],
            }],
            dependencies: needs.collect(),
            vendor_ids: Vec::new(),
            class_ids: Vec::new(),
            signer: if own { ANCHOR } else { SIGNER },
            published_at: Timestamp(0),
            envelope_bytes: 1,
            withdrawn: false,
        };
        self.manifests.push(manifest);
        ManifestId(i64::from(number))
    }

    fn deploy(&mut self, component: &str, mode: Mode) {
        self.deployments.push(Deployment {
            id: 0,
            selector: Selector::All,
            component: id(component),
            mode,
            created_at: Timestamp(0),
        });
    }

    fn catalog(&self) -> Catalog {
        let (domains, manifests) = (self.domains.clone(), self.manifests.clone());
        Catalog::new(1, 1, domains, manifests, self.deployments.clone())
    }
}

/// What a device holds and wants.
#[derive(Debug, Clone, Default, PartialEq)]
struct State {
    installed: Vec<InstalledComponent>,
    requested: Vec<RequestedComponent>,
    unneeded: Vec<ComponentId>,
    exhausted: HashSet<ManifestId>,
    confirmed: HashSet<ManifestId>,
    vendor_ids: Vec<[u8; 16]>,
    class_ids: Vec<[u8; 16]>,
}

impl State {
    fn holding(shelf: &Shelf, manifests: &[ManifestId]) -> Self {
        let mut state = Self::default();
        for manifest in manifests {
            state.install(&shelf.catalog(), *manifest);
        }
        state
    }

    fn plan(&self, catalog: &Catalog) -> Plan {
        let labels = BTreeMap::new();
        let target = Target {
            ueid: b"\x01device",
            labels: &labels,
            vendor_ids: &self.vendor_ids,
            class_ids: &self.class_ids,
            envelope_bytes: 1,
            exhausted: &self.exhausted,
            confirmed: &self.confirmed,
        };
        let observed = Observed {
            installed: &self.installed,
            requested: &self.requested,
            unneeded: &self.unneeded,
        };
        plan(&target, &observed, catalog)
    }

    fn install(&mut self, catalog: &Catalog, manifest: ManifestId) {
        // A device that takes a component in needs it.
        let own = &catalog.manifest(manifest).unwrap().manifest_component;
        self.unneeded.retain(|unneeded| unneeded != own);
        for ComponentImage { component, digests } in &catalog.manifest(manifest).unwrap().components
        {
            self.installed.retain(|held| held.component != *component);
            self.requested
                .retain(|wanted| wanted.component != *component);
            let (component, digest) = (component.clone(), digests.first().copied());
            self.installed
                .push(InstalledComponent { component, digest });
        }
    }

    fn carry_out(&mut self, catalog: &Catalog, plan: &Plan) {
        for unlinked in &plan.unlink {
            let gone = catalog
                .manifests()
                .iter()
                .filter(|m| m.manifest_component == *unlinked);
            let gone: Vec<_> = gone
                .flat_map(|m| &m.components)
                .map(|i| &i.component)
                .collect();
            self.installed
                .retain(|held| !gone.contains(&&held.component));
            self.unneeded.retain(|unneeded| unneeded != unlinked);
        }
        for manifest in &plan.install {
            self.install(catalog, *manifest);
        }
    }
}

fn request(component: &str, lowest: Option<u64>) -> RequestedComponent {
    RequestedComponent {
        sequence_number: lowest,
        ..RequestedComponent::any_version(id(component))
    }
}

// req: TEEP-TAM-011
#[test]
fn required_components_are_installed_and_kept_current() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    let old = shelf.add("acme/a", "acme", 1, &[]);
    shelf.deploy("acme/a", Mode::Required);
    let state = State::default();
    assert_eq!(state.plan(&shelf.catalog()).install, [old]);
    let state = State::holding(&shelf, &[old]);
    assert!(state.plan(&shelf.catalog()).is_empty());
    let new = shelf.add("acme/a", "acme", 2, &[]);
    assert_eq!(state.plan(&shelf.catalog()).install, [new]);
    // That the device does not need it is not for the device to say.
    let unneeded = State {
        unneeded: vec![id("acme/a/suit")],
        ..State::holding(&shelf, &[new])
    };
    assert!(unneeded.plan(&shelf.catalog()).is_empty());
}

#[test]
fn a_release_that_the_device_confirmed_is_current_unless_its_digest_says_otherwise() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    let [old, new] = [1, 2].map(|release| shelf.add("acme/a", "acme", release, &[]));
    shelf.deploy("acme/a", Mode::Required);
    let sha384 = SuitDigest::new(DigestAlgorithm::Sha384, &[0; 48]);
    for (digest, confirmed, is_current) in [
        (None, vec![], false),
        (None, vec![old], false),
        (None, vec![new], true),
        (sha384, vec![new], true),
        (sha384, vec![old], false),
        (Some(digest(0)), vec![new], false),
        (Some(digest(1)), vec![], true),
    ] {
        let component = id("acme/a");
        let state = State {
            installed: vec![InstalledComponent { component, digest }],
            confirmed: confirmed.into_iter().collect(),
            ..State::default()
        };
        let expected = if is_current { vec![] } else { vec![new] };
        assert_eq!(state.plan(&shelf.catalog()).install, expected, "{state:?}");
    }
}

#[test]
fn of_several_images_a_device_has_the_one_for_its_slot() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    let [_, new] = [1, 2].map(|release| shelf.add("acme/a", "acme", release, &[]));
    let images = &mut shelf.manifests.last_mut().unwrap().components;
    let (one, other) = (images[0].digests[0], digest(100));
    images[0].digests.push(other);
    shelf.deploy("acme/a", Mode::Required);
    for (digest, is_current) in [(one, true), (other, true), (digest(0), false)] {
        let component = id("acme/a");
        let digest = Some(digest);
        let state = State {
            installed: vec![InstalledComponent { component, digest }],
            ..State::default()
        };
        let expected = if is_current { vec![] } else { vec![new] };
        assert_eq!(state.plan(&shelf.catalog()).install, expected, "{state:?}");
    }
}

// req: TEEP-MSG-046
// req: TEEP-MSG-048
#[test]
fn components_on_request_come_and_go_as_the_device_wants() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    let old = shelf.add("acme/a", "acme", 3, &[]);
    shelf.deploy("acme/a/suit", Mode::OnRequest);
    let mut state = State::default();
    assert!(state.plan(&shelf.catalog()).is_empty());
    for (lowest, install) in [(None, vec![old]), (Some(3), vec![old]), (Some(4), vec![])] {
        state.requested = vec![request("acme/a", lowest)];
        assert_eq!(state.plan(&shelf.catalog()).install, install);
    }
    let mut state = State::holding(&shelf, &[old]);
    let new = shelf.add("acme/a", "acme", 4, &[]);
    assert_eq!(state.plan(&shelf.catalog()).install, [new]);
    state.unneeded = vec![id("acme/a/suit")];
    let expected = Plan {
        unlink: state.unneeded.clone(),
        ..Plan::default()
    };
    assert_eq!(state.plan(&shelf.catalog()), expected);
    // Its components are not what identifies a manifest.
    state.unneeded = vec![id("acme/a")];
    assert_eq!(state.plan(&shelf.catalog()).install, [new]);
}

#[test]
fn what_nobody_deploys_any_more_is_unlinked_and_what_others_installed_is_not() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", true);
    let domain = ManifestId(0);
    let component = shelf.add("acme/a", "acme", 1, &[]);
    let mut state = State::holding(&shelf, &[domain, component]);
    let foreign = InstalledComponent {
        component: id("other/b"),
        digest: None,
    };
    state.installed.push(foreign);
    let plan = state.plan(&shelf.catalog());
    assert_eq!(
        plan,
        Plan {
            unlink: vec![id("acme/a/suit")],
            ..Plan::default()
        }
    );
}

#[test]
fn a_request_that_no_deployment_covers_gets_nothing() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    shelf.add("acme/a", "acme", 1, &[]);
    let state = State {
        requested: vec![request("acme/a", None)],
        ..State::default()
    };
    assert!(state.plan(&shelf.catalog()).is_empty());
}

#[test]
fn the_stronger_of_two_deployments_holds() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    let component = shelf.add("acme/a", "acme", 1, &[]);
    shelf.deploy("acme/a", Mode::Required);
    shelf.deploy("acme/a", Mode::OnRequest);
    assert_eq!(State::default().plan(&shelf.catalog()).install, [component]);
}

#[test]
fn domains_come_first_then_dependencies_then_dependents() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", true);
    shelf.domain("zeta", true);
    let (acme, zeta) = (ManifestId(0), ManifestId(1));
    let library = shelf.add("zeta/library", "zeta", 1, &[]);
    let application = shelf.add("acme/a", "acme", 1, &[library]);
    shelf.deploy("acme/a", Mode::Required);
    let mut state = State::default();
    let plan = state.plan(&shelf.catalog());
    assert_eq!(plan.install, [acme, zeta, library, application]);
    state.carry_out(&shelf.catalog(), &plan);
    assert!(
        state.plan(&shelf.catalog()).is_empty(),
        "the library stays: it is needed"
    );
    // A newer release of the domain reaches devices that have it.
    let newer = shelf.add("security-domain/acme", "acme", 2, &[]);
    assert_eq!(state.plan(&shelf.catalog()).install, [newer]);
}

#[test]
fn what_failed_too_often_and_what_needs_it_is_left_out() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    let library = shelf.add("acme/library", "acme", 1, &[]);
    shelf.add("acme/a", "acme", 1, &[library]);
    let other = shelf.add("acme/b", "acme", 1, &[]);
    shelf.deploy("acme/a", Mode::Required);
    shelf.deploy("acme/b", Mode::Required);
    let state = State {
        exhausted: HashSet::from([library]),
        ..State::default()
    };
    assert_eq!(state.plan(&shelf.catalog()).install, [other]);
}

// req: ARCH-048
#[test]
fn what_a_withdrawn_key_signed_is_not_installed() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", true);
    shelf.add("acme/a", "acme", 1, &[]);
    shelf.deploy("acme/a", Mode::Required);
    shelf.domains[0].signers = vec![ANCHOR];
    assert!(
        !State::default()
            .plan(&shelf.catalog())
            .install
            .contains(&ManifestId(1))
    );
    shelf.domains[0].signers = vec![SIGNER];
    shelf.domains[0].anchor = Some(SIGNER);
    assert!(
        State::default().plan(&shelf.catalog()).is_empty(),
        "nor anything in such a domain"
    );
}

#[test]
fn an_older_release_that_something_needs_is_installed_as_it_is() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    let old = shelf.add("acme/library", "acme", 1, &[]);
    let new = shelf.add("acme/library", "acme", 2, &[]);
    let application = shelf.add("acme/a", "acme", 1, &[old]);
    shelf.deploy("acme/a", Mode::Required);
    assert_eq!(
        State::default().plan(&shelf.catalog()).install,
        [old, application]
    );
    shelf.deploy("acme/library", Mode::OnRequest);
    assert_eq!(
        State::default().plan(&shelf.catalog()).install,
        [new, application]
    );
}

#[test]
fn a_manifest_for_other_vendors_or_classes_is_not_wanted() {
    let ids = |list: &[u8]| list.iter().map(|id| [*id; 16]).collect::<Vec<_>>();
    // What the manifest asks for, what the device is endorsed with, whether the two suit each other.
    let cases: [(&[u8], &[u8], bool); 6] = [
        (&[], &[], true),
        (&[], &[1], true),
        (&[1], &[], true),
        (&[1, 2], &[2, 3], true),
        (&[1, 2], &[3], false),
        (&[1], &[2], false),
    ];
    for (asked, endorsed, suits) in cases {
        for vendor in [true, false] {
            for mode in [Mode::Required, Mode::OnRequest] {
                let mut shelf = Shelf::default();
                shelf.domain("acme", false);
                let only = shelf.add("acme/a", "acme", 1, &[]);
                shelf.deploy("acme/a", mode);
                let mut state = State {
                    requested: vec![request("acme/a", None)],
                    ..State::default()
                };
                if vendor {
                    shelf.manifests[0].vendor_ids = ids(asked);
                    state.vendor_ids = ids(endorsed);
                } else {
                    shelf.manifests[0].class_ids = ids(asked);
                    state.class_ids = ids(endorsed);
                }
                let plan = state.plan(&shelf.catalog());
                assert_eq!(plan.install == [only], suits, "{asked:?} {endorsed:?}");
                assert_eq!(plan.is_empty(), !suits);
                assert_eq!(plan.left_out == [(only, LeftOut::DoesNotApply)], !suits);
            }
        }
    }
}

#[test]
fn a_release_for_another_class_hides_no_older_one() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    let first = shelf.add("acme/a", "acme", 1, &[]);
    let second = shelf.add("acme/a", "acme", 2, &[]);
    shelf.manifests[0].class_ids = vec![[1; 16]];
    shelf.manifests[1].class_ids = vec![[2; 16]];
    shelf.deploy("acme/a", Mode::Required);
    let of_class = |class: u8| State {
        class_ids: vec![[class; 16]],
        ..State::default()
    };
    assert_eq!(of_class(1).plan(&shelf.catalog()).install, [first]);
    assert_eq!(of_class(2).plan(&shelf.catalog()).install, [second]);
    assert!(of_class(3).plan(&shelf.catalog()).is_empty());
    // What is there stays, until nobody wants it.
    let mut held = State {
        class_ids: vec![[3; 16]],
        ..State::holding(&shelf, &[first])
    };
    assert!(held.plan(&shelf.catalog()).is_empty());
    held.class_ids = vec![[1; 16]];
    let plan = held.plan(&shelf.catalog());
    assert!(plan.is_empty());
    assert_eq!(plan.left_out, [(second, LeftOut::DoesNotApply)]);
    shelf.deployments.clear();
    let unlink = held.plan(&shelf.catalog()).unlink;
    assert_eq!(unlink, [id("acme/a/suit")]);
}

#[test]
fn what_needs_a_manifest_that_does_not_apply_or_fit_is_left_out() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    let library = shelf.add("acme/library", "acme", 1, &[]);
    shelf.add("acme/a", "acme", 1, &[library]);
    let other = shelf.add("acme/b", "acme", 1, &[]);
    shelf.deploy("acme/a", Mode::Required);
    shelf.deploy("acme/b", Mode::Required);
    shelf.manifests[0].vendor_ids = vec![[1; 16]];
    let state = State {
        vendor_ids: vec![[2; 16]],
        ..State::default()
    };
    let plan = state.plan(&shelf.catalog());
    assert_eq!(plan.install, [other]);
    assert_eq!(plan.left_out, [(library, LeftOut::DoesNotApply)]);
    shelf.manifests[0].vendor_ids.clear();
    shelf.manifests[0].envelope_bytes = 2;
    let plan = state.plan(&shelf.catalog());
    assert_eq!(plan.install, [other]);
    assert_eq!(plan.left_out, [(library, LeftOut::TooLarge)]);
}

#[test]
fn a_long_chain_of_dependencies_is_no_deep_recursion() {
    let mut shelf = Shelf::default();
    shelf.domain("acme", false);
    let mut chain: Vec<ManifestId> = Vec::new();
    for number in 0..250 {
        let needs: Vec<_> = chain.last().copied().into_iter().collect();
        chain.push(shelf.add(&format!("acme/{number}"), "acme", 1, &needs));
    }
    shelf.deploy("acme/249", Mode::Required);
    assert_eq!(State::default().plan(&shelf.catalog()).install, chain);
    let state = State {
        exhausted: HashSet::from([chain[0]]),
        ..State::default()
    };
    assert!(state.plan(&shelf.catalog()).is_empty());
}

/// A catalog of two domains and up to eight components in up to three releases, some of which need others.
fn shelves() -> impl Strategy<Value = Shelf> {
    let manifest = (0..8_u8, 1..4_u64, vec(any::<prop::sample::Index>(), 0..3));
    let mode = select(vec![Mode::Required, Mode::OnRequest]);
    let manifests = vec(manifest, 0..16);
    (any::<[bool; 2]>(), manifests, vec((0..8_u8, mode), 0..6)).prop_map(
        |(with_manifest, manifests, deployments)| {
            let mut shelf = Shelf::default();
            shelf.domain("even", with_manifest[0]);
            shelf.domain("odd", with_manifest[1]);
            let names = ["even", "odd"];
            for (number, release, needs) in manifests {
                let domain = names[usize::from(number % 2)];
                let name = format!("{domain}/{number}");
                let published = shelf
                    .manifests
                    .iter()
                    .any(|m| m.answers_to(&id(&name)) && m.sequence_number >= release);
                if !published {
                    let known = shelf.manifests.len();
                    let needs: Vec<_> = needs
                        .iter()
                        .filter(|_| known > 0)
                        .map(|index| &shelf.manifests[index.index(known)])
                        .filter(|needed| needed.kind == ManifestKind::Component)
                        // A manifest that needs its own older release is of no use to anybody.
                        .filter(|needed| !needed.answers_to(&id(&name)))
                        .map(|needed| needed.id)
                        .collect();
                    shelf.add(&name, domain, release, &needs);
                }
            }
            for (number, mode) in deployments {
                let name = format!("{}/{number}", names[usize::from(number % 2)]);
                shelf.deploy(&name, mode);
            }
            shelf
        },
    )
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for m in &self.manifests {
            writeln!(
                f,
                "{:?} {} {} needs {:?}, for classes {:?}",
                m.id, m.manifest_component, m.sequence_number, m.dependencies, m.class_ids
            )?;
        }
        self.deployments
            .iter()
            .try_for_each(|d| writeln!(f, "{} {}", d.component, d.mode))
    }
}

proptest! {
    #[test]
    fn a_plan_that_is_carried_out_leaves_nothing_to_do(
        mut shelf in shelves(),
        classes in vec((any::<prop::sample::Index>(), 1..3_u8), 0..8),
        endorsed in vec(1..3_u8, 0..2),
        held in vec(any::<prop::sample::Index>(), 0..6),
        requested in vec((0..8_u8, proptest::option::of(1..4_u64)), 0..4),
        unneeded in vec(0..8_u8, 0..4),
        exhausted in vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let count = shelf.manifests.len();
        for (index, class) in classes.into_iter().filter(|_| count > 0) {
            shelf.manifests[index.index(count)].class_ids.push([class; 16]);
        }
        let pick = |list: Vec<prop::sample::Index>| -> Vec<ManifestId> {
            let some = list.into_iter().filter(|_| count > 0);
            some.map(|index| shelf.manifests[index.index(count)].id).collect()
        };
        let catalog = shelf.catalog();
        let name = |number: u8| format!("{}/{number}", ["even", "odd"][usize::from(number % 2)]);
        let mut state = State::holding(&shelf, &pick(held));
        state.requested = requested.into_iter().map(|(n, low)| request(&name(n), low)).collect();
        state.unneeded = unneeded.into_iter().map(|n| id(&format!("{}/suit", name(n)))).collect();
        state.exhausted = pick(exhausted).into_iter().collect();
        state.class_ids = endorsed.into_iter().map(|class| [class; 16]).collect();

        let first = state.plan(&catalog);
        let distinct: HashSet<_> = first.install.iter().collect();
        prop_assert_eq!(distinct.len(), first.install.len(), "nothing is sent twice");
        prop_assert!(first.install.iter().all(|id| !state.exhausted.contains(id)));
        let unsuitable = |id: &ManifestId| {
            let asked = &catalog.manifest(*id).unwrap().class_ids;
            !asked.is_empty()
                && !state.class_ids.is_empty()
                && !asked.iter().any(|class| state.class_ids.contains(class))
        };
        prop_assert!(!first.install.iter().any(unsuitable));
        state.carry_out(&catalog, &first);
        let second = state.plan(&catalog);
        prop_assert!(second.is_empty(), "{first:?} then {second:?}");
    }
}
