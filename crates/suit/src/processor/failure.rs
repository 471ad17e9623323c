use alloc::boxed::Box;

use tamarack_cose::cbor::{DecodeError, in_words};

use crate::{
    ComponentId, DeviceError, Error, Section, Why,
    codec::{Action, Condition},
    report::Record,
};

/// Why a procedure does not go on: an error and the place in a manifest that it belongs to.
///
/// One pointer, because almost everything here returns it, and moving an [`Error`] about at every `?` is a
/// good part of a small device's code. What makes one is out of line for the same reason.
#[derive(Debug)]
pub(super) struct Failure(Box<Failed>);

/// What a [`Failure`] is.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) error: Error,
    pub(super) record: Record,
}

impl Failure {
    /// A table of the processor's own does not hold together: a defect, never an effect of input.
    #[cold]
    #[inline(never)]
    pub(super) fn defect() -> Self {
        Error::Defect.into()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn invalid(what: &'static str) -> Self {
        Error::Invalid(in_words(what)).into()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn no_component(index: u64) -> Self {
        Error::ComponentIndex(index).into()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn limit(what: &'static str) -> Self {
        Error::LimitExceeded(in_words(what)).into()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn severed_missing(section: Section) -> Self {
        Error::SeveredMissing(section.name()).into()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn condition(condition: Condition, why: &'static str) -> Self {
        let why = in_words(why);
        Error::ConditionFailed { condition, why }.into()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn action(action: Action, why: Why) -> Self {
        Error::ActionFailed { action, why }.into()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn dependency(id: &ComponentId, why: &'static str) -> Self {
        let (id, why) = (id.clone(), in_words(why));
        Error::Dependency { id, why }.into()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn unverified(id: &ComponentId) -> Self {
        Error::Unverified(id.clone()).into()
    }

    #[cold]
    #[inline(never)]
    pub(super) fn truncated(id: &ComponentId) -> Self {
        Error::Truncated(id.clone()).into()
    }

    pub(super) fn error(&self) -> &Error {
        &self.0.error
    }

    /// Whether a condition did not hold.
    pub(super) fn is_condition(&self) -> bool {
        matches!(self.0.error, Error::ConditionFailed { .. })
    }

    /// The same failure at a place in a manifest.
    #[cold]
    #[inline(never)]
    pub(super) fn in_section(mut self, path: &[u64], section: i64, offset: u64) -> Self {
        self.0.record = Record {
            manifest_id: path.to_vec(),
            section,
            offset,
            ..Record::default()
        };
        self
    }

    /// Where it belongs.
    pub(super) fn record_mut(&mut self) -> &mut Record {
        &mut self.0.record
    }

    pub(super) fn into_parts(self) -> Failed {
        *self.0
    }
}

impl From<Error> for Failure {
    #[cold]
    #[inline(never)]
    fn from(error: Error) -> Self {
        let record = Record::default();
        Self(Box::new(Failed { error, record }))
    }
}

impl From<DecodeError> for Failure {
    #[cold]
    #[inline(never)]
    fn from(error: DecodeError) -> Self {
        Error::from(error).into()
    }
}

impl From<tamarack_cose::Error> for Failure {
    #[cold]
    #[inline(never)]
    fn from(error: tamarack_cose::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<DeviceError> for Failure {
    #[cold]
    #[inline(never)]
    fn from(error: DeviceError) -> Self {
        Error::from(error).into()
    }
}
