//! Every bit flipped, every truncation, of every signed envelope there is: nothing happens before the
//! refusal; what only an integrated payload's digest can catch is caught before it can be seen; and what
//! passes is what no signature covers and nothing depends on.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test that meets the unexpected fails"
)]

#[path = "../common/mod.rs"]
mod common;
mod regions;
mod samples;

use std::ops::Range;

use common::*;
use regions::{Part, Region, payload, regions};
use samples::{Sample, ours, published};
use tamarack_suit::{Envelope, Error, MemoryDevice, NoFetch};

/// What became of one envelope.
struct Run {
    result: Result<(), Error>,
    effects: Vec<Effect>,
    after: Visible,
}

/// A sample, and what becomes of it unchanged.
struct Judge<'s> {
    sample: &'s Sample,
    recipient: Recipient<'static>,
    before: Visible,
    unchanged: Run,
    /// Who signed, as far as the Recipient trusts them.
    signers: Vec<tamarack_suit::Authority>,
    /// The keys of integrated payloads that the manifest names.
    used_keys: Vec<String>,
}

impl<'s> Judge<'s> {
    fn new(sample: &'s Sample) -> Self {
        let recipient = Recipient::trusting(sample.trusted.iter().copied())
            .with_settings(sample.settings)
            .fast();
        let envelope = Envelope::decode(&sample.envelope).unwrap();
        let authenticated = recipient.authenticate(&envelope);
        let used_keys = authenticated.as_ref().map_or_else(
            |_| Vec::new(),
            |authenticated| {
                let manifest = authenticated.manifest();
                (0..manifest.common.index_count() as u64)
                    .flat_map(|index| manifest.uris(index))
                    .map(ToOwned::to_owned)
                    .collect()
            },
        );
        let mut this = Self {
            sample,
            before: Visible::of(&sample.device),
            unchanged: Run {
                result: Ok(()),
                effects: vec![],
                after: Visible::of(&sample.device),
            },
            signers: authenticated.map_or_else(|_| vec![], |a| a.signers().to_vec()),
            used_keys,
            recipient,
        };
        this.unchanged = this.run(&sample.envelope, &mut sample.server());
        this
    }

    fn run(&self, envelope: &[u8], server: &mut Server) -> Run {
        let mut device = Recorder::new(self.sample.device.clone());
        let (outcome, effects) = device.observe(server, |device, fetch| {
            self.recipient.update(device, fetch, envelope)
        });
        assert_eq!(
            outcome.result.is_ok(),
            outcome.report.result.is_success(),
            "the report says what happened"
        );
        // Nobody looks at a device that nothing was done to.
        let after = match effects.is_empty() {
            true => self.before.clone(),
            false => Visible::of(&device.inner),
        };
        Run {
            result: outcome.result,
            effects,
            after,
        }
    }

    /// What a change in `region`, of the envelope that is now `changed`, may have led to.
    fn judge(&self, changed: &[u8], region: &Region, at: usize, range: &Range<usize>, run: &Run) {
        let name = &self.sample.name;
        let place = || format!("{name}: byte {at}, {region:?}: {:?}", run.result);
        // Refused at once. This is what nearly all of them come to.
        if run.result.is_err() && run.effects.is_empty() {
            return;
        }
        // As if nothing had been changed.
        if run.result == self.unchanged.result && run.after == self.unchanged.after {
            let same_effects = run.effects == self.unchanged.effects;
            assert!(
                self.changes_nothing(changed, region, at, range),
                "{}",
                place()
            );
            assert!(same_effects, "{}: {:?}", place(), run.effects);
            return;
        }
        // Found out by a payload's own digest, while the transaction is still open.
        assert!(run.result.is_err(), "{}", place());
        assert!(
            matches!(region, Region::Key(_) | Region::Payload(_)),
            "{}",
            place()
        );
        assert_eq!(run.after, self.before, "{}", place());
        let reaches_outside =
            |effect: &Effect| matches!(effect, Effect::Invoke(_) | Effect::Record(_));
        assert!(!run.effects.iter().any(reaches_outside), "{}", place());
    }

    /// Whether a change there leaves the meaning of the envelope alone.
    fn changes_nothing(
        &self,
        changed: &[u8],
        region: &Region,
        at: usize,
        range: &Range<usize>,
    ) -> bool {
        match region {
            // RFC 9052: outside the protected header stand hints. With a wrong key id every key is tried.
            Region::Block(_, Part::Unprotected) => true,
            // One signature fewer, of several: whoever still signs has signed before, too.
            Region::Block(..) => self.still_signed(changed),
            // No procedure needs text or CoSWID; without its label it is an element of somebody else's.
            Region::SeveredLabel(label) => matches!(label, 14 | 23),
            // Without effect, whatever they hold.
            Region::Unknown(_) => true,
            Region::Key(key) => !self.used_keys.contains(key),
            Region::Payload(key) if !self.used_keys.contains(key) => true,
            // An integrated dependency is an envelope, of which the same holds.
            Region::Payload(_) => {
                let (start, inner) = payload(&self.sample.envelope, range);
                at >= start && Self::nested_changes_nothing(inner, at - start)
            }
            Region::Frame | Region::Manifest | Region::Severed(_) => false,
        }
    }

    fn still_signed(&self, changed: &[u8]) -> bool {
        let envelope = Envelope::decode(changed).unwrap();
        let signers = self.recipient.authenticate(&envelope).unwrap();
        let signers = signers.signers();
        !signers.is_empty()
            && signers.len() < self.signers.len()
            && signers.iter().all(|key| self.signers.contains(key))
    }

    fn nested_changes_nothing(envelope: &[u8], at: usize) -> bool {
        if Envelope::decode(envelope).is_err() {
            return false;
        }
        let all = regions(envelope);
        let (_, region) = all.iter().find(|(range, _)| range.contains(&at)).unwrap();
        matches!(
            region,
            Region::Block(_, Part::Unprotected)
                | Region::SeveredLabel(14 | 23)
                | Region::Unknown(_)
        )
    }
}

fn flip_every_bit(sample: &Sample) {
    let judge = Judge::new(sample);
    let mut server = sample.server();
    let mut changed = sample.envelope.clone();
    for (range, region) in regions(&sample.envelope) {
        for at in range.clone() {
            for bit in 0..8 {
                changed[at] ^= 1 << bit;
                let run = judge.run(&changed, &mut server);
                judge.judge(&changed, &region, at, &range, &run);
                changed[at] ^= 1 << bit;
            }
        }
    }
}

fn truncate_everywhere(sample: &Sample) {
    let judge = Judge::new(sample);
    for length in 0..sample.envelope.len() {
        let run = judge.run(&sample.envelope[..length], &mut sample.server());
        let name = &sample.name;
        assert!(
            matches!(run.result, Err(Error::Decode(_))),
            "{name}: {length}"
        );
        assert_eq!(run.effects, [], "{name}: {length}");
    }
}

/// What the network serves is changed, bit by bit: found out before it can be seen.
fn flip_what_is_served(sample: &Sample) {
    let judge = Judge::new(sample);
    for (uri, content) in &sample.served {
        if !judge
            .unchanged
            .effects
            .contains(&Effect::Fetch(uri.clone()))
        {
            continue;
        }
        for at in 0..content.len() {
            for bit in 0..8 {
                let mut changed = content.clone();
                changed[at] ^= 1 << bit;
                let mut server = sample.server();
                server.files.insert(uri.clone(), changed);
                let run = judge.run(&sample.envelope, &mut server);
                let place = || format!("{}: {uri}, byte {at}", sample.name);
                if run.result.is_ok() {
                    assert_eq!(run.after, judge.unchanged.after, "{}", place());
                    assert!(Judge::nested_changes_nothing(content, at), "{}", place());
                } else {
                    assert_eq!(run.after, judge.before, "{}", place());
                }
            }
        }
    }
}

/// What the Recipient keeps of installed manifests is changed in storage, bit by bit: what is invoked or
/// removed afterwards is what was installed; nothing that was changed has a say.
fn flip_what_is_kept(sample: &Sample) {
    let judge = Judge::new(sample);
    let mut device = Recorder::new(sample.device.clone());
    let (outcome, _) = device.observe(&mut sample.server(), |device, fetch| {
        judge.recipient.update(device, fetch, &sample.envelope)
    });
    assert_eq!(outcome.result, Ok(()), "{}", sample.name);
    let installed = device.inner;
    let places: Vec<_> = Visible::of(&installed)
        .manifests
        .into_iter()
        .map(|kept| (kept.root, kept.id))
        .collect();
    let root = &places.iter().find(|(root, _)| *root).unwrap().1;
    let run = |device: &MemoryDevice, invoke: bool| {
        let mut device = Recorder::new(device.clone());
        let (outcome, effects) = device.observe(&mut NoFetch, |device, fetch| match invoke {
            true => judge.recipient.invoke(device, fetch, root),
            false => judge.recipient.uninstall(device, fetch, root),
        });
        (outcome.result, effects, Visible::of(&device.inner))
    };
    let before = Visible::of(&installed);
    let unchanged = [run(&installed, false), run(&installed, true)];
    assert!(
        unchanged.iter().all(|(result, ..)| result.is_ok()),
        "{}",
        sample.name
    );
    for (is_root, place) in &places {
        let kept = installed.content(place).unwrap().to_vec();
        for (range, region) in regions(&kept) {
            for (at, bit) in range.flat_map(|at| (0..8).map(move |bit| (at, bit))) {
                let mut changed = kept.clone();
                changed[at] ^= 1 << bit;
                let mut device = installed.clone();
                device.put(place, &changed);
                for (invoke, unchanged) in [false, true].into_iter().zip(&unchanged) {
                    let (result, effects, after) = run(&device, invoke);
                    let place = || format!("{}: {place}, byte {at}, {region:?}", sample.name);
                    if !invoke {
                        // What was changed runs no command. It goes by its record, and everything with it.
                        assert_eq!(result, Ok(()), "{}", place());
                        assert_eq!(after.manifests, unchanged.2.manifests, "{}", place());
                        let removes = |effect: &Effect| {
                            matches!(effect, Effect::Remove(_) | Effect::Forget(_))
                        };
                        let same = effects == unchanged.1;
                        assert!(same || effects.iter().all(removes), "{}", place());
                        continue;
                    }
                    if result.is_ok() {
                        assert_eq!(
                            (&effects, &after),
                            (&unchanged.1, &unchanged.2),
                            "{}",
                            place()
                        );
                        // Signatures were verified when it was installed; the device's record holds the
                        // digest now. Of severed elements, these procedures run none; and a dependency that
                        // is not looked at is not missed.
                        let counts = matches!(region, Region::Manifest | Region::Frame);
                        assert!(!counts || (!is_root && effects.is_empty()), "{}", place());
                        continue;
                    }
                    assert_eq!(after, before, "{}", place());
                    let invoked = |effect: &Effect| matches!(effect, Effect::Invoke(_));
                    assert!(!effects.iter().any(invoked), "{}", place());
                    assert!(!is_root || effects.is_empty(), "{}", place());
                }
            }
        }
    }
}

// req: SUIT-ENV-004, SUIT-ENV-008, SUIT-ENV-017, SUIT-SEV-006, SUIT-SEV-016, SUIT-PROC-001
#[test]
fn published_envelopes() {
    for sample in published() {
        flip_every_bit(&sample);
        truncate_everywhere(&sample);
    }
}

// req: SUIT-ENV-004, SUIT-ENV-008, SUIT-ENV-017, SUIT-SEV-006, SUIT-SEV-016, SUIT-PROC-001, SUIT-PROC-007
#[test]
fn our_envelopes() {
    let samples = ours();
    assert!(samples.len() >= 10);
    for sample in samples {
        let unchanged = Judge::new(&sample).unchanged;
        assert_eq!(unchanged.result, Ok(()), "{}", sample.name);
        flip_every_bit(&sample);
        truncate_everywhere(&sample);
    }
}

// req: SUIT-ENV-015, SUIT-ENV-016, SUIT-PROC-008
#[test]
fn what_the_recipient_keeps() {
    for sample in ours() {
        flip_what_is_kept(&sample);
    }
}

// req: SUIT-DEP-027, SUIT-CMD-016, SUIT-PROC-007
#[test]
fn what_the_network_serves() {
    for sample in ours().iter().chain(&published()) {
        flip_what_is_served(sample);
    }
}
