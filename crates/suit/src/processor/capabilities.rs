//! What this processor, on a device, is capable of.

use alloc::vec::Vec;

use tamarack_cose::{
    DigestAlgorithm, MacAlgorithm, SignatureAlgorithm,
    encrypt::{ContentAlgorithm, RecipientAlgorithm, RecipientKey},
};

use super::Processor;
use crate::{
    Device, Error,
    codec::{Action, Condition, parameter_label as parameter},
    report::{CapabilityList, CapabilityReport, ComponentCapability, Reason},
};

impl Processor<'_> {
    /// What authors of manifests for `device` can rely on.
    ///
    /// Everything that is supported is listed, what every Recipient has to support included.
    // req: SUIT-REP-015, SUIT-REP-016, SUIT-UPD-033
    #[must_use]
    pub fn capabilities(&self, device: &dyn Device) -> CapabilityReport {
        use CapabilityList::{Algorithms, Commands, Parameters};
        let has = device.extensions();
        let decrypts = !self.recipient_keys.is_empty();
        let optional = [
            (has.battery, Commands, Condition::MinimumBattery.label()),
            (has.battery, Parameters, parameter::MINIMUM_BATTERY),
            (
                has.authorization,
                Commands,
                Condition::UpdateAuthorized.label(),
            ),
            (has.authorization, Parameters, parameter::UPDATE_PRIORITY),
            (has.wait, Commands, Action::Wait.label()),
            (has.wait, Parameters, parameter::WAIT_INFO),
            (has.metadata, Parameters, parameter::COMPONENT_METADATA),
            (decrypts, Parameters, parameter::ENCRYPTION_INFO),
        ];
        let mut lists = Vec::with_capacity(LISTS.len());
        for (list, labels) in LISTS {
            if list == Algorithms {
                lists.push((list, algorithms(self.recipient_keys)));
                continue;
            }
            let mut supported = Vec::with_capacity(labels.len());
            for label in labels {
                let label = i64::from(*label);
                if !optional.contains(&(false, list, label)) {
                    supported.push(label);
                }
            }
            lists.push((list, supported));
        }
        let mut components = Vec::new();
        for id in device.component_prefixes() {
            let is_prefix = true;
            components.push(ComponentCapability { id, is_prefix });
        }
        CapabilityReport {
            components,
            lists,
            elements: Vec::new(),
        }
    }
}

/// Whether the manifest needed what is not implemented, which a capability report explains.
// req: SUIT-REP-014, SUIT-MTI-010
pub(super) fn explains(error: &Error) -> bool {
    matches!(
        error.reason(),
        Reason::CoseUnsupported
            | Reason::AlgorithmUnsupported
            | Reason::CommandUnsupported
            | Reason::ComponentUnsupported
            | Reason::ParameterUnsupported
    )
}

/// What is implemented, and understood, by label; which algorithms are, depends on the keys. In the order of the encoding.
const LISTS: [(CapabilityList, &[i8]); 9] = [
    (CapabilityList::Commands, &COMMANDS),
    (CapabilityList::Parameters, &PARAMETERS),
    (CapabilityList::Algorithms, &[]),
    (CapabilityList::Envelope, &[2, 3, 14, 15, 16, 18, 20, 23]),
    (
        CapabilityList::Manifest,
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 18, 20, 23, 24],
    ),
    (CapabilityList::Common, &[1, 2, 4]),
    (CapabilityList::Text, &[1, 2, 3, 4]),
    (CapabilityList::ComponentText, &[1, 2, 3, 4, 5, 6, 7, 8]),
    (CapabilityList::Dependency, &[1]),
];

const COMMANDS: [i8; 29] = [
    1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 31, 32,
    33, 34, 35,
];

const PARAMETERS: [i8; 20] = [
    1, 2, 3, 4, 5, 12, 13, 14, 18, 19, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
];

/// The COSE algorithms of digests, signatures and MACs and, with `keys` for it, of encryption.
fn algorithms(keys: &[RecipientKey]) -> Vec<i64> {
    let mut list = Vec::new();
    for algorithm in DigestAlgorithm::ALL {
        list.push(algorithm.cose_id());
    }
    list.extend(SignatureAlgorithm::COSE_IDS);
    for algorithm in MacAlgorithm::ALL {
        list.push(algorithm.cose_id());
    }
    for algorithm in RecipientAlgorithm::ALL {
        if keys.iter().any(|key| key.is_for(algorithm)) {
            list.push(algorithm.cose_id());
        }
    }
    if !keys.is_empty() {
        for algorithm in ContentAlgorithm::ALL {
            list.push(algorithm.cose_id());
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Limits,
        codec::{Parameters, command_label as command},
    };
    use tamarack_cose::cbor::{Reader, Writer};

    // req: SUIT-REP-015
    #[test]
    fn every_command_that_is_implemented_is_listed() {
        let others = [
            command::SET_COMPONENT_INDEX,
            command::TRY_EACH,
            command::SET_PARAMETERS,
            command::OVERRIDE_PARAMETERS,
            command::RUN_SEQUENCE,
            command::OVERRIDE_MULTIPLE,
            command::COPY_PARAMS,
        ];
        for label in -64..64_i8 {
            let number = i64::from(label);
            let is_implemented = Condition::from_label(number).is_some()
                || Action::from_label(number).is_some()
                || others.contains(&number);
            assert_eq!(COMMANDS.contains(&label), is_implemented, "{label}");
        }
    }

    // req: SUIT-REP-015
    #[test]
    fn every_parameter_that_is_implemented_is_listed() {
        for label in (-64..64_i8).filter(|label| *label != 0) {
            let no_value = Writer::build(|w| {
                w.map(1).int(label.into()).null();
            });
            // Whatever is a parameter's value, null is none.
            let read = Parameters::read(&mut Reader::new(&no_value), &Limits::default(), 1);
            assert_eq!(PARAMETERS.contains(&label), read.is_err(), "{label}");
        }
    }
}
