//! What an honest broker does, and how soon everything is as it shall be then.

use std::time::Duration;

use tamarack_teep::Message;

use crate::{
    DEVICES, Invariant, Party, TAMS, Violation, World,
    invariants::base16,
    people::{COMPONENTS, LIB, SUITE},
    world::read,
};

/// Most messages of one exchange: a QueryRequest, its answer, an Update, its answer, and a second Update at
/// most, or an Error and another QueryRequest.
const LEGS: usize = 8;

/// Most rounds of exchanges between every device and every TAM until nothing changes any more.
const ROUNDS: usize = 6;

impl World {
    /// An exchange in which every message arrives, up to so many of them; how many Updates were sent.
    ///
    /// # Errors
    ///
    /// If a party fails.
    pub fn exchange(&mut self, device: usize, tam: usize, legs: usize) -> Result<usize, Violation> {
        let mut updates = 0;
        let mut next = Some(self.connect(device, tam));
        for _ in 0..legs {
            let Some(number) = next else {
                return Ok(updates);
            };
            let letter = self.log[number].clone();
            if matches!(read(&letter.bytes), Some(Message::Update(_))) {
                updates += 1;
            }
            next = self.deliver(&letter.bytes, letter.from, letter.to)?;
        }
        match next {
            Some(_) if legs >= LEGS => Err(Invariant::Quiescence.violated(format!(
                "an exchange between device {device} and TAM {tam} goes on after {legs} messages"
            ))),
            _ => Ok(updates),
        }
    }

    /// Messages flow again: payloads arrive, power is on, the operator looks after what was given up. Within a
    /// bounded number of exchanges everything is as it shall be.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn settle(&mut self) -> Result<(), Violation> {
        for device in 0..DEVICES {
            self.treat_payloads(device, None);
            if self.devices[device].tee.restore_power() {
                self.restart(Party::Device(device));
            }
        }
        self.try_again();
        for _ in 0..ROUNDS {
            self.advance(Duration::from_secs(1));
            let mut updates = 0;
            for device in 0..DEVICES {
                for tam in 0..TAMS {
                    updates += self.exchange(device, tam, LEGS)?;
                    self.check()?;
                }
            }
            if updates == 0 {
                return self.check_settled();
            }
        }
        Err(Invariant::Quiescence.violated(format!("Updates are still sent after {ROUNDS} rounds")))
    }

    /// Whether the TAMs' view equals the devices' state, and that the operators' wishes.
    fn check_settled(&self) -> Result<(), Violation> {
        let wrong = |text: String| Err(Invariant::Convergence.violated(text));
        for device in 0..DEVICES {
            let mut held: Vec<String> = Vec::new();
            for component in self.installed(device) {
                held.push(format!("{} {}", component.component, component.digest));
            }
            held.sort();
            for tam in (0..TAMS).filter(|tam| self.devices[device].trusts[*tam]) {
                let known = self.known(tam, device);
                if let Some(pending) = known.pending {
                    return wrong(format!(
                        "TAM {tam} still awaits device {device}: {pending:?}"
                    ));
                }
                let mut believed: Vec<String> = known
                    .installed
                    .iter()
                    .map(|found| {
                        let digest = found.digest.as_ref().map(tamarack_suit::SuitDigest::bytes);
                        let digest = base16(digest.unwrap_or_default());
                        format!("{} {digest}", found.component)
                    })
                    .collect();
                believed.sort();
                if believed != held {
                    return wrong(format!(
                        "TAM {tam} believes {believed:?} of device {device}, which holds {held:?}"
                    ));
                }
                (0..COMPONENTS.len())
                    .try_for_each(|component| self.check_wish(device, tam, component))?;
            }
        }
        Ok(())
    }

    /// Whether a component is on a device as the TAM's operator, and who lives with the device, want it.
    fn check_wish(&self, device: usize, tam: usize, component: usize) -> Result<(), Violation> {
        use tamarack_tam::Mode::{OnRequest, Required};
        let server = &self.tams[tam];
        let newest = server.published[component];
        let held = self.held(device, tam, component);
        let mode = server.mode(device, component);
        let wished = self.wishes(device, tam, component);
        let needed = component == LIB && self.held(device, tam, SUITE) > 0;
        let expected = match mode {
            _ if newest == 0 => 0,
            Some(Required) => newest,
            Some(OnRequest) if wished || held > 0 => newest,
            Some(OnRequest) => 0,
            None if needed => newest,
            None => 0,
        };
        if held == expected {
            return Ok(());
        }
        Err(Invariant::Convergence.violated(format!(
            "device {device} holds release {held} of {}/{}, which shall be {expected} ({mode:?})",
            crate::DOMAINS[tam],
            COMPONENTS[component]
        )))
    }
}
