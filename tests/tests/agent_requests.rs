//! What applications ask for, and what the agent makes of it.

use tamarack_agent::AgentError;
use tamarack_teep::RequestedComponent;
use tamarack_tests::{Device, Person, Tam, id, release, wasm::HELLO_1};

const URI: &str = "https://tam.example/tam";

fn world() -> (Device, Tam, Person) {
    let (tam, admin) = (Tam::new(), Person::new());
    (Device::new(&[&tam], &[&admin]), tam, admin)
}

/// The lists of what is requested and what is unneeded, as a TAM gets them.
fn wishes(device: &mut Device, tam: &Tam) -> (Vec<String>, Vec<String>) {
    let response = device.query(tam, Tam::plain_query());
    let names =
        |ids: Vec<tamarack_suit::ComponentId>| ids.iter().map(ToString::to_string).collect();
    let requested = response
        .requested_tc_list
        .into_iter()
        .map(|request| request.component);
    (
        names(requested.collect()),
        names(response.unneeded_manifest_list),
    )
}

// req: TEEP-AGENT-002
// req: TEEP-AGENT-021
// req: TEEP-MSG-045
#[test]
fn a_request_waits_for_the_next_query_and_is_forgotten_when_it_came_true() {
    let (mut device, tam, admin) = world();
    let outbound = device
        .agent
        .request_ta(&id("hello"), Some(URI))
        .unwrap()
        .unwrap();
    assert_eq!(outbound.tam_uri, URI);
    // The TAM speaks first: with challenges there is nothing to say unasked.
    assert_eq!(outbound.message, None);
    let response = device.query(&tam, Tam::query());
    assert_eq!(
        response.requested_tc_list,
        [RequestedComponent::any_version(id("hello"))]
    );
    let mut device = device.restarted();
    assert_eq!(wishes(&mut device, &tam).0, ["hello"]);
    device.install(&tam, &[&release::app("hello", 1, HELLO_1, &admin)]);
    assert_eq!(wishes(&mut device, &tam), (vec![], vec![]));
    device.unlink(&tam, &["hello/suit"]);
    assert_eq!(wishes(&mut device, &tam), (vec![], vec![]));
}

// req: TEEP-AGENT-001
#[test]
fn a_request_for_what_is_installed_starts_nothing() {
    let (mut device, tam, admin) = world();
    device.install(&tam, &[&release::app("hello", 1, HELLO_1, &admin)]);
    assert_eq!(device.agent.request_ta(&id("hello"), Some(URI)), Ok(None));
    assert_eq!(wishes(&mut device, &tam), (vec![], vec![]));
}

// req: TEEP-AGENT-021
// req: TEEP-MSG-048
#[test]
fn a_withdrawal_names_the_manifest_until_it_is_gone() {
    let (mut device, tam, admin) = world();
    device.install(&tam, &[&release::app("hello", 1, HELLO_1, &admin)]);
    let outbound = device.agent.unrequest_ta(&id("hello"), Some(URI)).unwrap();
    assert_eq!(outbound.unwrap().tam_uri, URI);
    assert_eq!(wishes(&mut device, &tam).1, ["hello/suit"]);
    // Nothing goes because the REE says so.
    assert_eq!(device.version("hello"), Some(1));
    // Wanted again, whatever was said before.
    assert_eq!(device.agent.request_ta(&id("hello"), Some(URI)), Ok(None));
    assert_eq!(wishes(&mut device, &tam).1, Vec::<String>::new());

    device.agent.unrequest_ta(&id("hello"), Some(URI)).unwrap();
    device.unlink(&tam, &["hello/suit"]);
    assert_eq!(wishes(&mut device, &tam), (vec![], vec![]));
}

#[test]
fn a_request_can_be_withdrawn_before_it_came_true() {
    let (mut device, tam, _) = world();
    device.agent.request_ta(&id("hello"), Some(URI)).unwrap();
    assert_eq!(device.agent.unrequest_ta(&id("hello"), Some(URI)), Ok(None));
    assert_eq!(wishes(&mut device, &tam), (vec![], vec![]));
    assert_eq!(
        device.agent.unrequest_ta(&id("hello"), Some(URI)),
        Err(AgentError::NotInstalled(id("hello")))
    );
}

// req: ARCH-042
// req: ARCH-043
#[test]
fn the_ree_can_not_make_up_any_number_of_requests() {
    let (mut device, tam, admin) = world();
    for number in 0..32 {
        let component = id(&format!("app-{number}"));
        device
            .agent
            .request_ta(&component, Some(URI))
            .unwrap()
            .unwrap();
        // Asking once more costs nothing.
        device
            .agent
            .request_ta(&component, Some(URI))
            .unwrap()
            .unwrap();
    }
    let one_more = device.agent.request_ta(&id("app-32"), Some(URI));
    assert_eq!(one_more, Err(AgentError::TooManyRequests));
    assert_eq!(wishes(&mut device, &tam).0.len(), 32);
    device.install(&tam, &[&release::app("app-0", 1, HELLO_1, &admin)]);
    device
        .agent
        .request_ta(&id("app-32"), Some(URI))
        .unwrap()
        .unwrap();
    assert_eq!(wishes(&mut device, &tam).0.len(), 32);
}

#[test]
fn without_any_tam_there_is_nobody_to_ask() {
    let (mut device, _, _) = world();
    assert_eq!(
        device.agent.request_ta(&id("hello"), None),
        Err(AgentError::NoTam)
    );
    assert_eq!(
        device.agent.request_policy_check(None),
        Err(AgentError::NoTam)
    );
}

// req: TEEP-AGENT-007
// req: TEEP-BROKER-010
// req: HTTP-026
#[test]
fn a_policy_check_names_each_tam_once_a_round() {
    let (mut device, _, _) = world();
    for _ in 0..3 {
        let outbound = device
            .agent
            .request_policy_check(Some(URI))
            .unwrap()
            .unwrap();
        assert_eq!((outbound.tam_uri.as_str(), outbound.message), (URI, None));
        assert_eq!(device.agent.request_policy_check(Some(URI)), Ok(None));
    }
}

// req: TEEP-AGENT-008
#[test]
fn an_undelivered_message_changes_nothing_and_the_request_waits_on() {
    let (mut device, tam, _) = world();
    device.agent.request_ta(&id("hello"), Some(URI)).unwrap();
    let before = device.stored(&[]);
    let said = device.agent.process_error(URI, "connection refused");
    assert!(
        said.contains(URI) && said.contains("connection refused"),
        "{said}"
    );
    assert!(device.stored(&[]) == before);
    assert_eq!(wishes(&mut device, &tam).0, ["hello"]);
}
