//! Conditions: tests that change nothing.

use subtle::ConstantTimeEq;

use super::state::{Loaded, State};
use crate::{
    Error,
    codec::{Comparison, Condition, Parameter, ReportingPolicy, VersionMatch},
};

const UNSET: &str = "its parameter is not set";
const ABSENT: &str = "the component has no content";

/// What is known about a condition.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// It holds.
    Yes,
    /// Only the performance will tell: see [`State::rehearsing`](super::state::State).
    Undecided,
}

impl State<'_> {
    /// Tests a condition, if that is possible yet.
    pub(super) fn test_now(
        &mut self,
        condition: Condition,
        policy: ReportingPolicy,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<Holds, Error> {
        let undecided = self.rehearsing
            && match condition {
                // Nobody is asked twice.
                Condition::UpdateAuthorized | Condition::DependencyIntegrity => true,
                Condition::ImageMatch
                | Condition::ImageNotMatch
                | Condition::CheckContent
                | Condition::ComponentSlot => self.slot(slot)?.expected,
                _ => false,
            };
        if undecided {
            return Ok(Holds::Undecided);
        }
        self.test(condition, policy, manifest, index, slot)
            .map(|()| Holds::Yes)
    }

    /// Tests a condition on one component. Dependency Integrity is the machine's own.
    // req: SUIT-PROC-016
    fn test(
        &mut self,
        condition: Condition,
        policy: ReportingPolicy,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<(), Error> {
        let fail = |why| Err(Error::condition(condition, why));
        let target = self.slot(slot)?;
        let id = &target.id;
        let parameters = &target.parameters;
        let identity = self.device.identity(&target.id);
        match condition {
            // req: SUIT-CMD-002, SUIT-CMD-003
            Condition::VendorIdentifier => match parameters.vendor_id() {
                None => fail(UNSET),
                Some(vendor) if identity.vendors.contains(vendor) => Ok(()),
                Some(_) => fail("the component takes nothing of this vendor"),
            },
            Condition::ClassIdentifier => match parameters.class_id() {
                None => fail(UNSET),
                Some(class) if identity.classes.contains(&class) => Ok(()),
                Some(_) => fail("the component is not of this class"),
            },
            Condition::DeviceIdentifier => match parameters.device_id() {
                None => fail(UNSET),
                Some(device) if identity.devices.contains(&device) => Ok(()),
                Some(_) => fail("this is another device"),
            },
            Condition::ImageMatch => self.image_match(condition, policy, manifest, index, slot),
            Condition::ImageNotMatch => {
                match self.image_match(Condition::ImageMatch, policy, manifest, index, slot) {
                    _ if self.slot(slot)?.parameters.image_digest().is_none() => fail(UNSET),
                    Ok(()) => fail("the content has the digest"),
                    Err(Error::ConditionFailed { .. }) => Ok(()),
                    Err(error) => Err(error),
                }
            }
            // req: SUIT-CMD-006
            Condition::CheckContent => self.check_content(slot),
            // req: SUIT-UPD-011, SUIT-UPD-012
            Condition::UseBefore => match (parameters.use_before(), self.device.now()) {
                (None, _) => fail(UNSET),
                (_, None) => fail("the device does not know the time"),
                (Some(bound), Some(now)) if now < bound => Ok(()),
                _ => fail("the manifest has expired"),
            },
            // req: SUIT-CMD-007
            Condition::ComponentSlot => match (parameters.component_slot(), id.clone()) {
                (None, _) => fail(UNSET),
                (Some(slot), id) if self.device.slot(&id) == Some(slot) => Ok(()),
                _ => fail("the component is in another slot"),
            },
            // req: SUIT-UPD-014
            Condition::MinimumBattery => match parameters.minimum_battery() {
                None => fail(UNSET),
                Some(least) if self.device.battery()? >= least => Ok(()),
                Some(_) => fail("the battery is too low"),
            },
            // req: SUIT-UPD-015
            Condition::UpdateAuthorized => match parameters.update_priority() {
                None => fail(UNSET),
                Some(priority) if self.device.authorizes(priority)? => Ok(()),
                Some(_) => fail("the application does not agree"),
            },
            // req: SUIT-UPD-017
            Condition::Version => match (parameters.version().cloned(), id.clone()) {
                (None, _) => fail(UNSET),
                (Some(wanted), id) => match self.device.version(&id)? {
                    None => fail("the component's version is not known"),
                    Some(version) if wanted.accepts(&version) => Ok(()),
                    Some(version) => {
                        // What is reported is what was found, in the form of what was asked.
                        self.position
                            .properties
                            .set(Parameter::Version(VersionMatch {
                                comparison: Comparison::Equal,
                                version,
                            }));
                        fail("the component has another version")
                    }
                },
            },
            // req: SUIT-DEP-026
            Condition::IsDependency => match manifest.is_dependency(index) {
                true => Ok(()),
                false => fail("the component is not a dependency"),
            },
            // req: SUIT-CMD-008
            Condition::Abort => fail("abort"),
            Condition::DependencyIntegrity => Err(Error::CommandUnsupported(condition.label())),
        }
    }

    // req: SUIT-CMD-005, SUIT-AMB-013, SUIT-DEP-004
    fn image_match(
        &mut self,
        condition: Condition,
        policy: ReportingPolicy,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<(), Error> {
        let fail = |why| Err(Error::condition(condition, why));
        let parameters = &self.slot(slot)?.parameters;
        let Some(expected) = parameters.image_digest() else {
            return fail(UNSET);
        };
        let size = parameters.image_size();
        let algorithm = expected.algorithm()?;
        if manifest.is_dependency(index) {
            return match self.measure_manifest(slot, algorithm)? {
                Some(found) if found == expected => {
                    let target = self.slot_mut(slot)?;
                    target.verified = true;
                    Ok(())
                }
                Some(found) => {
                    self.position.properties.set(Parameter::ImageDigest(found));
                    fail("the component holds another manifest")
                }
                None => fail("the component holds no envelope"),
            };
        }
        let Some((found, length)) = self.measure(slot, algorithm)? else {
            return fail(ABSENT);
        };
        if found == expected && size.is_none_or(|size| size == length) {
            let target = self.slot_mut(slot)?;
            target.verified = true;
            target.reported |= policy.reports_success();
            return Ok(());
        }
        // req: SUIT-REP-007
        self.position.properties.set(Parameter::ImageDigest(found));
        self.position.properties.set(Parameter::ImageSize(length));
        fail("the content has another digest or size")
    }

    fn check_content(&mut self, slot: usize) -> Result<(), Error> {
        let fail = |why| Err(Error::condition(Condition::CheckContent, why));
        let target = self.slot(slot)?;
        let id = target.id.clone();
        let Some(expected) = target.parameters.content().map(<[u8]>::to_vec) else {
            return fail(UNSET);
        };
        let mut rest = expected.as_slice();
        let mut equal = subtle::Choice::from(1);
        let length = self.read(&id, |_, chunk| {
            let (compared, after) = rest.split_at(chunk.len().min(rest.len()));
            equal &= chunk.ct_eq(compared);
            rest = after;
            Ok(())
        })?;
        match length {
            None => fail(ABSENT),
            Some(_) if rest.is_empty() && bool::from(equal) => {
                self.slot_mut(slot)?.verified = true;
                Ok(())
            }
            Some(_) => fail("the content is different"),
        }
    }
}
