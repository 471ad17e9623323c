//! Sections of commands, processed and watched.

use tamarack_suit::{Action, Command, MemoryDevice, Outcome, Section, Settings, WrittenContent};

use super::*;

/// Settings under which content of the manifest needs no condition.
pub fn written_is_covered() -> Settings {
    Settings {
        written_content: WrittenContent::CoveredBySignature,
        ..Settings::default()
    }
}

/// Processes sections of a manifest for these components; Write needs no further condition.
pub fn process(
    device: &mut Recorder,
    components: &[&str],
    sections: Vec<(Section, Vec<Command<'static>>)>,
) -> (Outcome, Vec<Effect>) {
    let author = author(2);
    let recipient = Recipient::trusting([author.key]).with_settings(written_is_covered());
    let envelope = sign_sections(&author, components, sections);
    let mut server = Server::with("coap://x", b"fetched");
    device.observe(&mut server, |device, fetch| {
        recipient.update(device, fetch, &envelope)
    })
}

pub fn install(
    components: &[&str],
    commands: Vec<Command<'static>>,
) -> (Outcome, Vec<Effect>, MemoryDevice) {
    let mut device = Recorder::new(device());
    device.inner.put(&id("a"), b"content");
    let (outcome, effects) = process(&mut device, components, vec![(Section::Install, commands)]);
    (outcome, effects, device.inner)
}

pub fn write(text: &'static [u8]) -> Vec<Command<'static>> {
    vec![set([content(text)]), action(Action::Write)]
}
