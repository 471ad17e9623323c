//! Payloads that are fetched and checked before anything is installed.

use alloc::{borrow::Cow, string::String, vec::Vec};

use super::EncryptedImage;
use crate::{
    ComponentId, SuitDigest,
    codec::{Action, Command, Condition, Parameter, Parameters, ReportingPolicy},
};

/// A component that holds a payload on its way: as it was fetched, until it was copied to where it belongs.
#[derive(Debug, Clone)]
pub(super) struct Staging {
    pub(super) id: ComponentId,
    /// Where the payload is: elsewhere, or in the envelope.
    pub(super) uri: String,
    /// Digest and length of what is fetched.
    pub(super) image: Option<(SuitDigest, u64)>,
}

impl Staging {
    // req: SUIT-ENC-008
    pub(super) fn shared(&self) -> Vec<Command<'static>> {
        let image = self.image.iter().map(|(digest, length)| {
            overriding([
                Parameter::ImageDigest(*digest),
                Parameter::ImageSize(*length),
            ])
        });
        image.collect()
    }

    /// Fetches the payload and checks it, so that nothing unchecked is copied, or decrypted.
    // req: SUIT-DEP-040, SUIT-ENC-022, SUIT-ENC-023
    pub(super) fn fetch(&self) -> Vec<Command<'static>> {
        let uri = Parameter::Uri(Cow::Owned(self.uri.clone()));
        let fetch = Command::Action(Action::Fetch, ReportingPolicy::ALL);
        let check = Command::Condition(Condition::ImageMatch, ReportingPolicy::ALL);
        let mut commands = Vec::from([overriding([uri]), fetch]);
        commands.extend(self.image.map(|_| check));
        commands
    }

    /// Gives the room back.
    pub(super) fn release(&self) -> Vec<Command<'static>> {
        Vec::from([Command::Action(Action::Unlink, ReportingPolicy::ON_FAILURE)])
    }

    /// Copies what is staged under `index` to the current component, and decrypts it if it is
    /// `encrypted`.
    // req: SUIT-ENC-002, SUIT-ENC-005
    pub(super) fn copy_from(
        index: u64,
        encrypted: Option<&EncryptedImage>,
    ) -> Vec<Command<'static>> {
        let mut parameters = Parameters::from_list([Parameter::SourceComponent(index)]);
        if let Some(encrypted) = encrypted {
            parameters.set(encrypted.parameter());
        }
        Vec::from([
            Command::OverrideParameters(parameters),
            Command::Action(Action::Copy, ReportingPolicy::ALL),
        ])
    }
}

fn overriding<const N: usize>(parameters: [Parameter<'static>; N]) -> Command<'static> {
    Command::OverrideParameters(Parameters::from_list(parameters))
}
