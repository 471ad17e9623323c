//! What this processor, on a device, is capable of.

use alloc::vec::Vec;

use tamarack_cose::{
    DigestAlgorithm, MacAlgorithm, SignatureAlgorithm,
    encrypt::{ContentAlgorithm, HpkeSuite, KeyWrap},
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
        let has = device.extensions();
        let decrypts = !self.recipient_keys.is_empty();
        let optional = [
            (
                has.battery,
                Condition::MinimumBattery.label(),
                parameter::MINIMUM_BATTERY,
            ),
            (
                has.authorization,
                Condition::UpdateAuthorized.label(),
                parameter::UPDATE_PRIORITY,
            ),
            (has.wait, Action::Wait.label(), parameter::WAIT_INFO),
            (has.metadata, 0, parameter::COMPONENT_METADATA),
            (decrypts, 0, parameter::ENCRYPTION_INFO),
        ];
        let (mut commands, mut parameters) = (Vec::new(), Vec::new());
        for label in LABELS {
            let mut lacking = optional.iter().filter(|(has, ..)| !has);
            let lacks_command = lacking.clone().any(|(_, command, _)| *command == label);
            if is_command(label) && !lacks_command {
                commands.push(label);
            }
            let lacks_parameter = lacking.any(|(_, _, parameter)| *parameter == label);
            if is_parameter(label) && !lacks_parameter {
                parameters.push(label);
            }
        }
        let mut lists = Vec::from([
            (CapabilityList::Commands, commands),
            (CapabilityList::Parameters, parameters),
            (CapabilityList::Algorithms, algorithms(decrypts)),
        ]);
        for (list, labels) in ELEMENTS {
            lists.push((list, labels.to_vec()));
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

/// The elements of a manifest that are understood.
const ELEMENTS: [(CapabilityList, &[i64]); 4] = [
    (CapabilityList::Envelope, &[2, 3, 14, 15, 16, 18, 20, 23]),
    (
        CapabilityList::Manifest,
        &[1, 2, 3, 4, 5, 6, 7, 8, 9, 14, 15, 16, 18, 20, 23, 24],
    ),
    (CapabilityList::Common, &[1, 2, 4]),
    (CapabilityList::Dependency, &[1]),
];

/// Where the labels of commands and of parameters are.
const LABELS: core::ops::Range<i64> = 1..36;

fn is_command(label: i64) -> bool {
    use crate::codec::command_label as command;
    Condition::from_label(label).is_some()
        || Action::from_label(label).is_some()
        || matches!(
            label,
            command::SET_COMPONENT_INDEX
                | command::TRY_EACH
                | command::SET_PARAMETERS
                | command::OVERRIDE_PARAMETERS
                | command::RUN_SEQUENCE
                | command::OVERRIDE_MULTIPLE
                | command::COPY_PARAMS
        )
}

fn is_parameter(label: i64) -> bool {
    matches!(
        label,
        parameter::VENDOR_IDENTIFIER
            | parameter::CLASS_IDENTIFIER
            | parameter::IMAGE_DIGEST
            | parameter::USE_BEFORE
            | parameter::COMPONENT_SLOT
            | parameter::STRICT_ORDER
            | parameter::SOFT_FAILURE
            | parameter::IMAGE_SIZE
            | parameter::CONTENT
            | parameter::ENCRYPTION_INFO
            | parameter::URI
            | parameter::SOURCE_COMPONENT
            | parameter::INVOKE_ARGUMENTS
            | parameter::DEVICE_IDENTIFIER
            | parameter::FETCH_ARGUMENTS
            | parameter::MINIMUM_BATTERY
            | parameter::UPDATE_PRIORITY
            | parameter::VERSION
            | parameter::WAIT_INFO
            | parameter::COMPONENT_METADATA
    )
}

/// The COSE algorithms of digests, signatures and MACs and, with keys for it, of encryption.
fn algorithms(decrypts: bool) -> Vec<i64> {
    let mut list = Vec::new();
    for algorithm in DigestAlgorithm::ALL {
        list.push(algorithm.cose_id());
    }
    for algorithm in SignatureAlgorithm::ALL {
        list.push(algorithm.cose_id());
    }
    for algorithm in MacAlgorithm::ALL {
        list.push(algorithm.cose_id());
    }
    if decrypts {
        for wrap in KeyWrap::ALL {
            list.push(wrap.cose_id());
        }
        for wrap in KeyWrap::ALL {
            list.push(wrap.ecdh_es_cose_id());
        }
        for suite in HpkeSuite::ALL {
            list.push(suite.cose_id());
        }
        for algorithm in ContentAlgorithm::ALL {
            list.push(algorithm.cose_id());
        }
    }
    list
}
