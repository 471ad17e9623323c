//! What security domains may use: what counts, what is said when it is reached, and what happens when it is cut.

use tamarack_agent::{
    Quota,
    platform::Platform,
    state::{DomainUsage, KnownManifest, Record},
};
use tamarack_suit::report::{Reason, ReportResult};
use tamarack_tests::{
    Person, Providers, Tam, error_of, id, release,
    release::Release,
    reports,
    wasm::{HELLO_1, HELLO_2, SIGN, VAULT},
};

fn usage(world: &Providers, domain: &str) -> DomainUsage {
    let view = world.device.tee.storage().view().unwrap();
    DomainUsage::of(&*view, domain).unwrap()
}

fn resize(world: &mut Providers, number: u64, quota: Quota) {
    let (acme, admin) = (world.acme.again(), world.admin.again());
    let domain = release::domain_with("acme", number, "acme", &[&acme], quota, &admin);
    world.install(&domain);
}

fn bytes(bytes: u64) -> Quota {
    Quota {
        bytes,
        ..Quota::default()
    }
}

// req: TEEP-OPS-006
#[test]
fn kept_manifests_count() {
    let mut world = Providers::new();
    let app = release::app("acme/data", 1, &[7; 1000], &world.acme);
    assert_eq!(usage(&world, "acme"), DomainUsage::default());
    world.install(&app);
    let kept = {
        let view = world.device.tee.storage().view().unwrap();
        let id = id("acme/data/suit");
        let known = KnownManifest::load(&*view, &id.to_cbor()).unwrap().unwrap();
        known.envelope.unwrap().len() as u64
    };
    assert!(kept > 100);
    let used = usage(&world, "acme");
    assert_eq!((used.bytes, used.applications), (1000 + kept, 0));
    world.device.unlink(&world.tam, &["acme/data/suit"]);
    assert_eq!(usage(&world, "acme").bytes, 0);

    resize(&mut world, 2, bytes(1000 + kept - 1));
    let reason = world.refuses(&app);
    assert!(
        reason.contains(&format!("{} of {} bytes", 1000 + kept, 999 + kept)),
        "{reason}"
    );
    resize(&mut world, 3, bytes(1000 + kept));
    world.install(&app);
}

#[test]
fn what_an_application_stores_counts() {
    let mut world = Providers::new();
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    let before = usage(&world, "acme");
    assert_eq!((before.applications, before.objects), (1, 0));
    let _ = world.device.output("acme/vault", SIGN, b"x");
    let after = usage(&world, "acme");
    assert!(
        after.objects >= 2 && after.bytes > before.bytes,
        "{after:?}"
    );
}

#[test]
fn the_report_and_the_error_say_which_quota_is_reached() {
    let mut world = Providers::new();
    resize(&mut world, 2, bytes(20_000));
    let (name, data) = (
        "acme/a-rather-long-name-of-a-component-as-some-have",
        [1; 30_000],
    );
    let app = release::app(name, 1, &data, &world.acme);
    let error = error_of(world.device.exchange(&world.tam, Tam::install(&[&app])));
    let text = error.explanation.unwrap().text;
    assert!(text.len() <= 128, "{text}");
    assert!(text.contains("over quota: 30000 of 20000 bytes"), "{text}");
    let report = reports(&error.suit_reports).remove(0);
    assert!(
        matches!(
            report.result,
            ReportResult::Failure {
                reason: Reason::OperationFailed,
                ..
            }
        ),
        "{:?}",
        report.result
    );
}

#[test]
fn what_can_not_fit_is_not_fetched() {
    let mut world = Providers::new();
    resize(&mut world, 2, bytes(20_000));
    let data = [1; 30_000];
    world.device.payloads.offer("http://x/data", data);
    let app = Release::new("acme/data", 1).fetching("http://x/data", &data);
    let reason = world.refuses(&app.by(&world.acme.again()));
    assert!(reason.contains(" of 20000 bytes for acme"), "{reason}");
    // One that is longer than it says is stopped on the way.
    let app = Release::new("acme/data", 1).fetching_sized("http://x/data", &data, 10_000);
    world.refuses(&app.by(&world.acme.again()));
}

#[test]
fn a_quota_that_was_cut_keeps_what_is_there_and_lets_nothing_grow() {
    let mut world = Providers::new();
    world.install(&release::app("acme/one", 1, &[1; 30_000], &world.acme));
    world.install(&release::app("acme/two", 1, &[1; 30_000], &world.acme));
    // New keys and a smaller quota get through, whatever the domain has filled.
    let (successor, admin) = (Person::new(), world.admin.again());
    let cut = release::domain_with("acme", 2, "acme", &[&successor], bytes(40_000), &admin);
    world.install(&cut);
    assert!(usage(&world, "acme").bytes > 60_000);

    world.refuses(&release::app("acme/three", 1, b"x", &successor));
    world.refuses(&release::app("acme/one", 2, &[2; 31_000], &successor));
    // What is there can be mended, and made smaller.
    world.install(&release::app("acme/one", 2, &[2; 30_000], &successor));
    world.install(&release::app("acme/one", 3, &[3; 12_000], &successor));
    world.refuses(&release::app("acme/one", 4, &[3; 13_000], &successor));
    world.device.unlink(&world.tam, &["acme/two/suit"]);
    world.install(&release::app("acme/one", 4, &[3; 13_000], &successor));
    world.install(&release::app("acme/three", 1, b"x", &successor));
}

#[test]
fn fewer_applications_than_there_are_can_still_be_updated() {
    let mut world = Providers::new();
    for name in ["acme/one", "acme/two", "acme/three"] {
        world.install(&release::app(name, 1, HELLO_1, &world.acme));
    }
    let one = Quota {
        applications: 1,
        ..Quota::default()
    };
    resize(&mut world, 2, one);
    world.install(&release::app("acme/two", 2, HELLO_2, &world.acme));
    let reason = world.refuses(&release::app("acme/four", 1, HELLO_1, &world.acme));
    assert!(reason.contains("4 of 1 applications"), "{reason}");
    // What was data would be one more.
    world.install(&release::app("acme/data", 1, b"data", &world.acme));
    world.refuses(&release::app("acme/data", 2, HELLO_1, &world.acme));
}

#[test]
fn a_sub_domain_gets_no_objects_that_the_parent_uses() {
    let mut world = Providers::new();
    world.install(&release::app("acme/vault", 1, VAULT, &world.acme));
    let _ = world.device.output("acme/vault", SIGN, b"x");
    let used = usage(&world, "acme").objects;
    let sub = |objects| Quota {
        bytes: 1000,
        applications: 1,
        objects,
        sessions: 1,
        ..Quota::default()
    };
    let (acme, owner) = (world.acme.again(), Person::new());
    let make = |quota| release::domain_with("acme/in", 1, "acme/in", &[&owner], quota, &acme);
    let whole = Quota::default().objects;
    let reason = world.refuses(&make(sub(whole - used + 1)));
    assert!(
        reason.contains(&format!("{} of {whole} objects", whole + 1)),
        "{reason}"
    );
    world.install(&make(sub(whole - used)));
}
