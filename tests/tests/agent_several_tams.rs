//! Several TAMs on one device: which is asked, which comes next, and what none of them takes from another.

use std::sync::Arc;

use tamarack_agent::AgentError;
use tamarack_cose::KeyId;
use tamarack_teep::{Message, Update};
use tamarack_tests::{
    Device, Person, Tam, crypto, id, release, reports,
    wasm::{HELLO_1, HELLO_2},
};

const FIRST: &str = "https://first.example/tam";
const SECOND: &str = "https://second.example/tam";
const THIRD: &str = "https://second.example:8443/tam";

fn key_id(tam: &Tam) -> KeyId {
    tam.key.public().key_id(&crypto())
}

struct World {
    device: Device,
    first: Tam,
    second: Tam,
    admin: Person,
}

/// A device that trusts two TAMs and knows where they are; the second can be reached in two ways.
fn world() -> World {
    let (first, second, admin) = (Tam::new(), Tam::new(), Person::new());
    let device = Device::new(&[&first, &second], &[&admin]);
    device.tee.reach(FIRST, &[key_id(&first)]).unwrap();
    device.tee.reach(SECOND, &[key_id(&second)]).unwrap();
    device.tee.reach(THIRD, &[key_id(&second)]).unwrap();
    World {
        device,
        first,
        second,
        admin,
    }
}

impl World {
    /// Whom a request for a component names.
    fn request(&mut self, component: &str, hint: Option<&str>) -> String {
        let outbound = self.device.agent.request_ta(&id(component), hint);
        outbound.unwrap().unwrap().tam_uri
    }

    /// Whom a round of policy checks names, if what `fails` lists does not answer.
    fn round(&mut self, fails: &[&str]) -> Vec<String> {
        let mut named = Vec::new();
        while let Some(outbound) = self.device.agent.request_policy_check(None).unwrap() {
            if fails.contains(&outbound.tam_uri.as_str()) {
                self.device
                    .agent
                    .process_error(&outbound.tam_uri, "no route");
            }
            named.push(outbound.tam_uri);
            assert!(named.len() < 10, "{named:?}");
        }
        named
    }
}

// req: TEEP-AGENT-002
// req: TEEP-AGENT-022
// req: ARCH-001
// req: ARCH-043
#[test]
fn a_hint_chooses_among_the_tams_of_the_device_and_no_others() {
    let mut world = world();
    assert_eq!(world.request("a", None), FIRST);
    assert_eq!(world.request("b", Some(SECOND)), SECOND);
    assert_eq!(world.request("c", Some("https://evil.example/tam")), FIRST);
    // The suggestions of a broker do not count either.
    let evil = Some("https://evil.example/tam");
    let named = world.device.agent.request_policy_check(evil).unwrap();
    assert_eq!(named.unwrap().tam_uri, FIRST);
}

// req: TEEP-AGENT-008
// req: ARCH-001
#[test]
fn who_asks_again_is_sent_to_the_next_until_all_were_named() {
    let mut world = world();
    let mut named = |hint| world.request("hello", hint);
    let asked: Vec<_> = (0..3).map(|_| named(Some(THIRD))).collect();
    assert_eq!(asked, [THIRD, FIRST, SECOND]);
    assert_eq!(named(Some(THIRD)), THIRD);
}

// req: TEEP-AGENT-008
#[test]
fn a_tam_that_does_not_answer_comes_last_until_it_is_heard() {
    let mut world = world();
    let said = world.device.agent.process_error(FIRST, "refused");
    assert!(said.contains(FIRST), "{said}");
    // A URI that the device does not know costs nothing.
    world
        .device
        .agent
        .process_error("https://evil.example/", "refused");
    assert_eq!(world.request("a", None), SECOND);
    assert_eq!(world.request("b", Some(FIRST)), SECOND);
    // A message that it signed is proof that it can be reached.
    world.device.query(&world.first, Tam::query());
    assert_eq!(world.request("c", None), FIRST);
}

// req: TEEP-AGENT-007
// req: TEEP-AGENT-008
// req: ARCH-049
#[test]
fn a_policy_check_names_each_tam_once_and_another_way_to_one_that_fails() {
    let mut world = world();
    assert_eq!(world.round(&[]), [FIRST, SECOND]);
    assert_eq!(world.round(&[SECOND]), [FIRST, SECOND, THIRD]);
    // The way that works comes first now, and is enough.
    assert_eq!(world.round(&[]), [FIRST, THIRD]);
    assert_eq!(world.round(&[FIRST, SECOND, THIRD]), [FIRST, THIRD, SECOND]);
    assert_eq!(world.round(&[]).len(), 2);
}

// req: TEEP-AGENT-022
#[test]
fn where_the_tams_are_outlasts_a_restart_and_goes_with_the_last_key() {
    let World {
        mut device,
        first,
        second,
        ..
    } = world();
    device = device.restarted();
    let uris = |device: &Device| {
        let endpoints = device.tee.tam_endpoints().unwrap().into_iter();
        endpoints
            .map(|found| found.uri().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(uris(&device), [FIRST, SECOND, THIRD]);
    assert_eq!(device.tee.description("left").unwrap().tam_uris.len(), 3);
    assert!(device.tee.distrust(&key_id(&second)).unwrap());
    assert_eq!(uris(&device), [FIRST]);
    assert!(device.tee.distrust(&key_id(&first)).unwrap());
    assert_eq!(uris(&device), [""; 0]);
    let nobody = device.agent.request_ta(&id("a"), None);
    assert_eq!(nobody, Err(AgentError::NoTam));
}

// req: HTTP-006
#[test]
fn what_is_no_uri_of_a_tam_is_not_taken() {
    let world = world();
    for uri in [
        "",
        "tam.example",
        "ftp://tam.example",
        "https://",
        "https://a b",
        "http://a\n",
    ] {
        assert!(world.device.tee.reach(uri, &[]).is_err(), "{uri:?}");
    }
    let long = format!("https://{}", "a".repeat(4096));
    assert!(world.device.tee.reach(&long, &[]).is_err());
    let mut more = 0;
    let key = key_id(&world.first);
    while world
        .device
        .tee
        .reach(&format!("https://tam-{more}.example"), &[key])
        .is_ok()
    {
        more += 1;
    }
    assert_eq!(more, 13);
}

/// The unsolicited QueryResponse with which a request begins, if it begins with one.
fn unsolicited(device: &mut Device, component: &str, uri: &str) -> Option<Message> {
    let outbound = device.agent.request_ta(&id(component), Some(uri));
    let message = outbound.unwrap().unwrap().message;
    message.map(|message| device.open(&message))
}

// req: TEEP-AGENT-003
// req: TEEP-AGENT-004
// req: TEEP-AGENT-005
// req: TEEP-AGENT-006
#[test]
fn a_tam_that_asked_for_nothing_fresh_is_told_unasked() {
    let World {
        mut device,
        first,
        second,
        admin,
    } = world();
    // Nothing is known of it yet; and a challenge or a token is for one answer.
    assert_eq!(unsolicited(&mut device, "a", FIRST), None);
    device.query(&first, Tam::query());
    assert_eq!(unsolicited(&mut device, "b", FIRST), None);
    device.query(&first, Tam::plain_query_with(Tam::token()));
    assert_eq!(unsolicited(&mut device, "c", FIRST), None);

    device.query(&first, Tam::plain_query());
    let Some(Message::QueryResponse(response)) = unsolicited(&mut device, "d", FIRST) else {
        panic!("the TAM would take one")
    };
    assert_eq!((response.token, response.attestation), (None, None));
    let wanted = response.requested_tc_list.iter();
    assert!(wanted.clone().any(|wanted| wanted.component == id("d")));
    // It opens an exchange like any other.
    let update = first.sign(Tam::install(&[&release::app("d", 1, HELLO_1, &admin)]));
    assert!(matches!(device.answer(&update), Message::Success(_)));
    // To others nothing of the kind is sent.
    assert_eq!(unsolicited(&mut device, "e", SECOND), None);

    // An undelivered message ends it until the TAM has asked again.
    device.agent.process_error(FIRST, "timeout");
    assert_eq!(unsolicited(&mut device, "f", FIRST), None);
    device.query(&first, Tam::plain_query());
    assert!(unsolicited(&mut device, "g", FIRST).is_some());
    // So does a newer query with a challenge.
    device.query(&first, Tam::query());
    assert_eq!(unsolicited(&mut device, "h", FIRST), None);
    // And so does the end of the trust in its key.
    device.query(&second, Tam::plain_query());
    assert!(unsolicited(&mut device, "i", SECOND).is_some());
    device.tee.distrust(&key_id(&second)).unwrap();
    assert_eq!(unsolicited(&mut device, "j", SECOND), None);
}

/// The refusal of an Update that touches what another TAM manages.
#[track_caller]
fn refusal(device: &mut Device, tam: &Tam, update: Update) -> tamarack_teep::Error {
    let before = device.stored(&[]);
    let error = device.refused(tam, update);
    // Only that the Update was seen is remembered.
    let after = device.stored(&[]);
    let changed = after.iter().filter(|entry| !before.contains(entry));
    assert!(
        changed.clone().all(|(name, _)| name.starts_with(b"u")),
        "{:?}",
        changed.count()
    );
    error
}

// req: ARCH-047
// req: TEEP-AGENT-022
#[test]
fn what_one_tam_brought_no_other_changes_or_removes() {
    let World {
        mut device,
        first,
        second,
        admin,
    } = world();
    device.install(&first, &[&release::app("hello", 1, HELLO_1, &admin)]);
    let newer = release::app("hello", 2, HELLO_2, &admin);

    let error = refusal(&mut device, &second, Tam::install(&[&newer]));
    let said = error.explanation.unwrap().text;
    for word in [
        "hello/suit",
        &key_id(&first).to_hex()[..16],
        &key_id(&second).to_hex()[..16],
    ] {
        assert!(said.contains(word), "{said} does not name {word}");
    }
    assert_eq!(reports(&error.suit_reports).len(), 1);
    let error = refusal(&mut device, &second, Tam::unlink(&["hello/suit"]));
    assert!(error.explanation.unwrap().text.contains("hello/suit"));
    assert_eq!(device.version("hello"), Some(1));
    assert!(device.greeting("hello").contains("Ada"));

    // Beside it there is room for everybody.
    device.install(&second, &[&release::app("other", 1, HELLO_1, &admin)]);
    // Whose it is is remembered.
    let mut device = device.restarted();
    refusal(&mut device, &second, Tam::install(&[&newer]));
    device.install(&first, &[&newer]);
    assert_eq!(device.version("hello"), Some(2));
}

// req: ARCH-047
#[test]
fn who_brought_it_can_give_it_up() {
    let World {
        mut device,
        first,
        second,
        admin,
    } = world();
    device.install(&first, &[&release::app("hello", 1, HELLO_1, &admin)]);
    device.unlink(&first, &["hello/suit"]);
    device.install(&second, &[&release::app("hello", 2, HELLO_1, &admin)]);
    refusal(&mut device, &first, Tam::unlink(&["hello/suit"]));
    assert_eq!(device.version("hello"), Some(2));
}

#[test]
fn what_a_tam_brought_that_is_trusted_no_longer_is_for_the_others() {
    let World {
        mut device,
        first,
        second,
        admin,
    } = world();
    device.install(&first, &[&release::app("hello", 1, HELLO_1, &admin)]);
    assert!(device.tee.distrust(&key_id(&first)).unwrap());
    device.install(&second, &[&release::app("hello", 2, HELLO_2, &admin)]);
    assert_eq!(device.version("hello"), Some(2));
    // It is the second's now, even if the first comes back.
    let anchor = tamarack_agent::state::Anchor::new(
        tamarack_agent::state::AnchorRole::Tam,
        first.key.public(),
        "back",
        &crypto(),
    );
    Arc::clone(&device.tee).trust(&[anchor]).unwrap();
    refusal(&mut device, &first, Tam::unlink(&["hello/suit"]));
}

// req: ARCH-047
#[test]
fn the_new_key_of_a_tam_manages_what_the_old_one_brought() {
    let World {
        mut device,
        first,
        second,
        admin,
    } = world();
    device.install(&first, &[&release::app("hello", 1, HELLO_1, &admin)]);
    // The device's maker says that it is one TAM.
    device.tee.reach(FIRST, &[key_id(&second)]).unwrap();
    device.install(&second, &[&release::app("hello", 2, HELLO_2, &admin)]);
    device.unlink(&first, &["hello/suit"]);
}

#[test]
fn what_is_there_already_to_the_byte_is_nobodys_conflict() {
    let World {
        mut device,
        first,
        second,
        admin,
    } = world();
    let shared = release::app("shared", 1, HELLO_1, &admin);
    device.install(&first, &[&shared]);
    // To the byte the same: nothing is changed, so there is nothing to refuse.
    let answer = device.exchange(&second, Tam::install(&[&shared]));
    assert!(matches!(answer, Message::Success(_)), "{answer:?}");
    // But it is still the first's.
    refusal(&mut device, &second, Tam::unlink(&["shared/suit"]));
    device.unlink(&first, &["shared/suit"]);
}

// req: TEEP-AGENT-002
#[test]
fn a_withdrawal_goes_to_the_tam_that_manages_the_component() {
    let World {
        mut device,
        second,
        admin,
        ..
    } = world();
    device.install(&second, &[&release::app("hello", 1, HELLO_1, &admin)]);
    let named = |device: &mut Device| {
        let outbound = device.agent.unrequest_ta(&id("hello"), Some(FIRST));
        outbound.unwrap().unwrap().tam_uri
    };
    assert_eq!(named(&mut device), SECOND);
    device.agent.process_error(SECOND, "refused");
    assert_eq!(named(&mut device), THIRD);
}
