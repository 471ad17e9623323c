//! What is logged.

use std::{
    cell::RefCell,
    fmt::{Debug, Write as _},
};

use base16ct::lower::encode_string;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

use crate::testing::{Agent, World};

thread_local!(static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) });

/// Collects events as text, for each thread by itself. It serves the whole process, because whether an
/// event is wanted is asked once and remembered for all threads.
struct Lines;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        LINES.with_borrow_mut(|lines| lines.push(line.0));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

// req: TEEP-OPS-003
// req: TEEP-OPS-004
#[test]
fn each_message_is_one_line_without_secrets() {
    let agent = Agent::new("one");
    let (world, _) = World::with(&agent);
    let challenge = world.connect();
    let response = agent.answer(&challenge);
    tracing::subscriber::set_global_default(Lines).unwrap();
    let reply = world.process(&response).unwrap();
    world.process(&response);
    world.process(b"garbage");
    world.process(&Agent::new("nobody").answer(&challenge));
    let update = agent.open_update(&world, &reply);
    world.process(&agent.sign(agent.success(&update)));
    world.process(&agent.sign(agent.success(&update)));
    let lines = LINES.take();
    assert_eq!(lines.len(), 6, "{lines:#?}");
    let ueid = encode_string(&agent.ueid);
    assert!(
        lines[0].contains("outcome=\"update\"") && lines[0].contains(&ueid),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].contains("dropped") && lines[1].contains("answered before"),
        "{}",
        lines[1]
    );
    assert!(
        lines[2].contains("not a protected TEEP message"),
        "{}",
        lines[2]
    );
    assert!(
        lines[3].contains("the device is not enrolled"),
        "{}",
        lines[3]
    );
    let all = lines.concat();
    let evidence = agent.query_response(&challenge).attestation.unwrap().bytes;
    let token = update.token.unwrap();
    for secret in [
        challenge.as_bytes(),
        token.as_bytes(),
        &evidence[..16],
        &response[..16],
    ] {
        assert!(!all.contains(&encode_string(secret)) && !all.contains(&format!("{secret:?}")));
    }
}
