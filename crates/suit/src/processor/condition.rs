//! Conditions: tests that change nothing.

use subtle::ConstantTimeEq;

use super::{
    Failure,
    state::{Loaded, State},
};
use crate::{
    Error,
    codec::{Comparison, Condition, Parameter, ReportingPolicy, Version, VersionMatch},
    report::{Claims, Entry},
};

const UNSET: &str = "its parameter is not set";
const ABSENT: &str = "the component has no content";

fn unset(condition: Condition) -> Failure {
    Failure::condition(condition, UNSET)
}

/// Whether the Recipient asserts the identifier that is wanted, and the position of the one to report, if any.
fn asserted<T: PartialEq>(
    asserted: &[T],
    wanted: &T,
    policy: ReportingPolicy,
) -> (bool, Option<usize>) {
    let found = asserted.iter().position(|identifier| identifier == wanted);
    let reported = match found {
        Some(_) => found.filter(|_| policy.reports_success()),
        None => Some(0),
    };
    (found.is_some(), reported)
}

impl State<'_> {
    /// Tests a condition, if that is possible yet: not where, in a rehearsal, only the performance will tell.
    /// Whether it was tested; it holds then.
    pub(super) fn test_now(
        &mut self,
        condition: Condition,
        policy: ReportingPolicy,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<bool, Failure> {
        let undecided = self.rehearsing
            && match condition {
                // Nobody is asked twice.
                Condition::UpdateAuthorized | Condition::DependencyIntegrity => true,
                Condition::ImageMatch
                | Condition::ImageNotMatch
                | Condition::CheckContent
                | Condition::ComponentSlot
                | Condition::Version => self.slot(slot)?.expected,
                _ => false,
            };
        if undecided {
            return Ok(false);
        }
        let policy = match self.silent {
            true => ReportingPolicy::NONE,
            false => policy,
        };
        self.test(condition, policy, manifest, index, slot)?;
        if policy.reports_success() {
            self.claim_measured(slot)?;
        }
        self.measured.clear();
        Ok(true)
    }

    /// Reports what a condition that held has measured, once.
    // req: SUIT-REP-012, SUIT-AMB-028
    fn claim_measured(&mut self, slot: usize) -> Result<(), Failure> {
        let component = &self.slots.get(slot).ok_or_else(Failure::defect)?.id;
        let is_known = |entry: &Entry| match entry {
            Entry::Claims(claims) => {
                claims.component == *component && self.measured.is(&claims.properties)
            }
            Entry::Record(_) => false,
        };
        if !self.measured.is_empty() && !self.entries.iter().any(is_known) {
            let claims = Claims {
                component: component.clone(),
                properties: self.measured.take(),
            };
            self.report(Entry::Claims(claims));
        }
        Ok(())
    }

    /// Tests a condition on one component, and notes what was measured. Dependency Integrity is the
    /// machine's own.
    // req: SUIT-PROC-016, SUIT-REP-007
    fn test(
        &mut self,
        condition: Condition,
        policy: ReportingPolicy,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<(), Failure> {
        let target = self.slots.get(slot).ok_or_else(Failure::defect)?;
        let parameters = &target.parameters;
        let identity = self.device.identity(&target.id);
        let (holds, measured, why) = match condition {
            // req: SUIT-CMD-002, SUIT-CMD-003
            Condition::VendorIdentifier => {
                let wanted = parameters.vendor_id().ok_or_else(|| unset(condition))?;
                let (holds, at) = asserted(&identity.vendors, wanted, policy);
                let found = at.and_then(|at| identity.vendors.get(at).cloned());
                let found = found.map(Parameter::VendorId);
                (holds, found, "the component takes nothing of this vendor")
            }
            Condition::ClassIdentifier => {
                let wanted = parameters.class_id().ok_or_else(|| unset(condition))?;
                let (holds, at) = asserted(&identity.classes, &wanted, policy);
                let found = at.and_then(|at| identity.classes.get(at).copied());
                let found = found.map(Parameter::ClassId);
                (holds, found, "the component is not of this class")
            }
            Condition::DeviceIdentifier => {
                let wanted = parameters.device_id().ok_or_else(|| unset(condition))?;
                let (holds, at) = asserted(&identity.devices, &wanted, policy);
                let found = at.and_then(|at| identity.devices.get(at).copied());
                let found = found.map(Parameter::DeviceId);
                (holds, found, "this is another device")
            }
            // req: SUIT-UPD-011, SUIT-UPD-012
            Condition::UseBefore => {
                let bound = parameters.use_before().ok_or_else(|| unset(condition))?;
                let now = self.device.now().ok_or_else(|| {
                    Failure::condition(condition, "the device does not know the time")
                })?;
                let found = Some(Parameter::UseBefore(now));
                (now < bound, found, "the manifest has expired")
            }
            // req: SUIT-CMD-007
            Condition::ComponentSlot => {
                let wanted = parameters
                    .component_slot()
                    .ok_or_else(|| unset(condition))?;
                let found = self.device.slot(&target.id);
                let holds = found == Some(wanted);
                let found = found.map(Parameter::ComponentSlot);
                (holds, found, "the component is in another slot")
            }
            // req: SUIT-UPD-014
            Condition::MinimumBattery => {
                let least = parameters
                    .minimum_battery()
                    .ok_or_else(|| unset(condition))?;
                let found = self.device.battery()?;
                let measured = Some(Parameter::MinimumBattery(found));
                (found >= least, measured, "the battery is too low")
            }
            // req: SUIT-UPD-015
            Condition::UpdateAuthorized => {
                let priority = parameters
                    .update_priority()
                    .ok_or_else(|| unset(condition))?;
                let holds = self.device.authorizes(priority)?;
                (holds, None, "the application does not agree")
            }
            // req: SUIT-UPD-017
            Condition::Version => {
                let wanted = parameters.version().cloned();
                let wanted = wanted.ok_or_else(|| unset(condition))?;
                let found = self.version(manifest, index, slot)?;
                let holds = found.as_ref().is_some_and(|found| wanted.accepts(found));
                // What is reported is what was found, in the form of what was asked.
                let found = found.map(|version| {
                    Parameter::Version(VersionMatch {
                        comparison: Comparison::Equal,
                        version,
                    })
                });
                (holds, found, "the component has another version")
            }
            // req: SUIT-DEP-026
            Condition::IsDependency => (
                manifest.is_dependency(index),
                None,
                "the component is not a dependency",
            ),
            // req: SUIT-CMD-008
            Condition::Abort => (false, None, "abort"),
            Condition::ImageMatch => {
                return self.image_match(policy, manifest, index, slot);
            }
            // req: SUIT-UPD-013
            Condition::ImageNotMatch => {
                let unwanted = *parameters.image_digest().ok_or_else(|| unset(condition))?;
                let algorithm = unwanted.algorithm()?;
                let found = match manifest.is_dependency(index) {
                    true => self.measure_manifest(slot, algorithm)?,
                    false => self.measure(slot, algorithm)?.map(|(digest, _)| *digest),
                };
                (found != Some(unwanted), None, "the content has the digest")
            }
            // req: SUIT-CMD-006
            Condition::CheckContent => return self.check_content(slot),
            Condition::DependencyIntegrity => {
                return Err(Error::CommandUnsupported(condition.label()).into());
            }
        };
        if let Some(measured) = measured {
            self.measured.set(measured);
        }
        match holds {
            true => Ok(()),
            false => Err(Failure::condition(condition, why)),
        }
    }

    /// The version of what a component holds. Of what was written in this procedure, a manifest may say it: the one that
    /// a dependency is, or the one that is being processed.
    // req: SUIT-UPD-017
    fn version(
        &mut self,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<Option<Version>, Failure> {
        if self.slot(slot)?.written {
            let mut written = None;
            if manifest.is_dependency(index) {
                self.with_envelope(slot, &mut |envelope| {
                    written = envelope.unverified_manifest()?.set_version;
                    Ok(())
                })?;
            } else {
                written.clone_from(&manifest.envelope.manifest().set_version);
            }
            if written.is_some() {
                return Ok(written);
            }
        }
        let (target, device) = self.slot_and_device(slot)?;
        Ok(device.version(&target.id)?)
    }

    // req: SUIT-CMD-005, SUIT-AMB-013, SUIT-DEP-004
    fn image_match(
        &mut self,
        policy: ReportingPolicy,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<(), Failure> {
        let fail = |why| Err(Failure::condition(Condition::ImageMatch, why));
        let parameters = &self.slot(slot)?.parameters;
        let Some(expected) = parameters.image_digest() else {
            return fail(UNSET);
        };
        let size = parameters.image_size();
        let algorithm = expected.algorithm()?;
        if manifest.is_dependency(index) {
            return match self.measure_manifest(slot, algorithm)? {
                Some(found) if found == *expected => {
                    let target = self.slot_mut(slot)?;
                    target.verified = true;
                    Ok(())
                }
                Some(found) => {
                    self.measured.set(Parameter::ImageDigest(found));
                    fail("the component holds another manifest")
                }
                None => fail("the component holds no envelope"),
            };
        }
        let Some(&(found, length)) = self.measure(slot, algorithm)? else {
            return fail(ABSENT);
        };
        if found == *expected && size.is_none_or(|size| size == length) {
            let target = self.slot_mut(slot)?;
            target.verified = true;
            target.reported |= policy.reports_success();
            return Ok(());
        }
        // req: SUIT-REP-007
        self.measured.set(Parameter::ImageDigest(found));
        self.measured.set(Parameter::ImageSize(length));
        fail("the content has another digest or size")
    }

    fn check_content(&mut self, slot: usize) -> Result<(), Failure> {
        let fail = |why| Err(Failure::condition(Condition::CheckContent, why));
        let Some(expected) = self.slot(slot)?.parameters.content() else {
            return fail(UNSET);
        };
        let mut rest = expected;
        let mut equal = subtle::Choice::from(1);
        let length = self.read(slot, &mut |_, chunk| {
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
