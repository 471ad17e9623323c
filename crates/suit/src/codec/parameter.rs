use alloc::{borrow::Cow, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type, Writer};

use super::{
    ComponentMetadata, VersionMatch, WaitInfo, bounded, enter, label::parameter as label, several,
};
use crate::{Limits, SuitDigest, Uuid, VendorId};

/// One parameter, as commands 19 and 20 set it and as reports carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parameter<'a> {
    /// 1: the vendor that condition 1 asks for.
    VendorId(VendorId<'a>),
    /// 2: the device class that condition 2 asks for.
    ClassId(Uuid),
    /// 3: the digest of the component's content.
    ImageDigest(SuitDigest),
    /// 4: the instant from which the manifest is not to be used, in seconds since 1970-01-01 UTC.
    UseBefore(u64),
    /// 5: the slot that condition 5 asks for.
    ComponentSlot(u64),
    /// 12: whether commands run one after the other (the default).
    StrictOrder(bool),
    /// 13: whether a failed condition ends only the nested sequence.
    SoftFailure(bool),
    /// 14: the size of the component's content, in bytes.
    ImageSize(u64),
    /// 18: content for Write and for condition 6.
    Content(Cow<'a, [u8]>),
    /// 19: how the payload is encrypted, an encoded `COSE_Encrypt`.
    EncryptionInfo(Cow<'a, [u8]>),
    /// 21: where Fetch finds the payload.
    Uri(Cow<'a, str>),
    /// 22: the index of the component that Copy and Swap take from.
    SourceComponent(u64),
    /// 23: what the invoked component is given.
    InvokeArguments(Cow<'a, [u8]>),
    /// 24: the device that condition 24 asks for.
    DeviceId(Uuid),
    /// 25: hints for Fetch.
    FetchArguments(Cow<'a, [u8]>),
    /// 26: the battery level that condition 26 asks for, in mWh.
    MinimumBattery(u64),
    /// 27: priority of the update; the numerically smaller, the more urgent.
    UpdatePriority(i64),
    /// 28: the version that condition 28 asks for.
    Version(VersionMatch),
    /// 29: the events that Wait waits for, an encoded [`WaitInfo`].
    WaitInfo(Cow<'a, [u8]>),
    /// 30: permissions, times and type of the component as a file, an encoded [`ComponentMetadata`].
    ComponentMetadata(Cow<'a, [u8]>),
    /// A label that is not registered, with its encoded value. Never supported.
    Other {
        /// The label; negative for custom parameters.
        label: i64,
        /// The encoded value.
        value: Cow<'a, [u8]>,
    },
}

impl<'a> Parameter<'a> {
    /// The label in the parameter registry.
    #[must_use]
    pub fn label(&self) -> i64 {
        match self {
            Self::VendorId(_) => label::VENDOR_IDENTIFIER,
            Self::ClassId(_) => label::CLASS_IDENTIFIER,
            Self::ImageDigest(_) => label::IMAGE_DIGEST,
            Self::UseBefore(_) => label::USE_BEFORE,
            Self::ComponentSlot(_) => label::COMPONENT_SLOT,
            Self::StrictOrder(_) => label::STRICT_ORDER,
            Self::SoftFailure(_) => label::SOFT_FAILURE,
            Self::ImageSize(_) => label::IMAGE_SIZE,
            Self::Content(_) => label::CONTENT,
            Self::EncryptionInfo(_) => label::ENCRYPTION_INFO,
            Self::Uri(_) => label::URI,
            Self::SourceComponent(_) => label::SOURCE_COMPONENT,
            Self::InvokeArguments(_) => label::INVOKE_ARGUMENTS,
            Self::DeviceId(_) => label::DEVICE_IDENTIFIER,
            Self::FetchArguments(_) => label::FETCH_ARGUMENTS,
            Self::MinimumBattery(_) => label::MINIMUM_BATTERY,
            Self::UpdatePriority(_) => label::UPDATE_PRIORITY,
            Self::Version(_) => label::VERSION,
            Self::WaitInfo(_) => label::WAIT_INFO,
            Self::ComponentMetadata(_) => label::COMPONENT_METADATA,
            Self::Other { label, .. } => *label,
        }
    }

    /// The name in the parameter registry.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::VendorId(_) => "vendor-id",
            Self::ClassId(_) => "class-id",
            Self::ImageDigest(_) => "image-digest",
            Self::UseBefore(_) => "use-before",
            Self::ComponentSlot(_) => "component-slot",
            Self::StrictOrder(_) => "strict-order",
            Self::SoftFailure(_) => "soft-failure",
            Self::ImageSize(_) => "image-size",
            Self::Content(_) => "content",
            Self::EncryptionInfo(_) => "encryption-info",
            Self::Uri(_) => "uri",
            Self::SourceComponent(_) => "source-component",
            Self::InvokeArguments(_) => "invoke-args",
            Self::DeviceId(_) => "device-id",
            Self::FetchArguments(_) => "fetch-args",
            Self::MinimumBattery(_) => "minimum-battery",
            Self::UpdatePriority(_) => "update-priority",
            Self::Version(_) => "version",
            Self::WaitInfo(_) => "wait-info",
            Self::ComponentMetadata(_) => "component-metadata",
            Self::Other { .. } => "unknown parameter",
        }
    }

    // req: SUIT-FMT-005, SUIT-FMT-007, SUIT-PAR-004, SUIT-PAR-009
    fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Parameters / label";
        let start = reader.clone();
        let label = reader.int(RULE)?;
        Ok(match label {
            0 => return Err(start.error(RULE, Problem::OutOfBounds("labels other than 0"))),
            label::VENDOR_IDENTIFIER => Self::VendorId(VendorId::read(reader)?),
            label::CLASS_IDENTIFIER => {
                Self::ClassId(Uuid::read(reader, "suit-parameter-class-identifier")?)
            }
            label::IMAGE_DIGEST => {
                const RULE: &str = "suit-parameter-image-digest";
                Self::ImageDigest(SuitDigest::read(&mut enter(reader, limits, RULE)?)?)
            }
            label::USE_BEFORE => Self::UseBefore(reader.uint("suit-parameter-use-before")?),
            label::COMPONENT_SLOT => {
                Self::ComponentSlot(reader.uint("suit-parameter-component-slot")?)
            }
            label::STRICT_ORDER => Self::StrictOrder(reader.bool("suit-parameter-strict-order")?),
            label::SOFT_FAILURE => Self::SoftFailure(reader.bool("suit-parameter-soft-failure")?),
            label::IMAGE_SIZE => Self::ImageSize(reader.uint("suit-parameter-image-size")?),
            label::CONTENT => Self::Content(reader.bytes("suit-parameter-content")?.into()),
            label::ENCRYPTION_INFO => {
                const RULE: &str = "suit-parameter-encryption-info";
                Self::EncryptionInfo(enter(reader, limits, RULE)?.rest().into())
            }
            label::URI => {
                const RULE: &str = "suit-parameter-uri";
                let start = reader.clone();
                let uri = reader.text(RULE)?;
                if fault_in_uri(uri).is_some() {
                    return Err(start.error(RULE, Problem::Expected("a URI reference of RFC 3986")));
                }
                Self::Uri(uri.into())
            }
            label::SOURCE_COMPONENT => {
                Self::SourceComponent(reader.uint("suit-parameter-source-component")?)
            }
            label::INVOKE_ARGUMENTS => {
                Self::InvokeArguments(reader.bytes("suit-parameter-invoke-args")?.into())
            }
            label::DEVICE_IDENTIFIER => {
                Self::DeviceId(Uuid::read(reader, "suit-parameter-device-identifier")?)
            }
            label::FETCH_ARGUMENTS => {
                Self::FetchArguments(reader.bytes("suit-parameter-fetch-arguments")?.into())
            }
            label::MINIMUM_BATTERY => {
                Self::MinimumBattery(reader.uint("suit-parameter-minimum-battery")?)
            }
            label::UPDATE_PRIORITY => {
                Self::UpdatePriority(reader.int("suit-parameter-update-priority")?)
            }
            label::VERSION => {
                const RULE: &str = "suit-parameter-version";
                Self::Version(VersionMatch::read(&mut enter(reader, limits, RULE)?)?)
            }
            label::WAIT_INFO => {
                let mut inner = enter(reader, limits, "suit-parameter-wait-info")?;
                let content = inner.rest();
                WaitInfo::read(&mut inner, limits)?;
                Self::WaitInfo(content.into())
            }
            label::COMPONENT_METADATA => {
                const RULE: &str = "suit-parameter-component-metadata";
                let mut inner = enter(reader, limits, RULE)?;
                let content = inner.rest();
                ComponentMetadata::read(&mut inner)?;
                Self::ComponentMetadata(content.into())
            }
            label => Self::Other {
                label,
                value: reader.raw("SUIT_Parameters / value")?.into(),
            },
        })
    }

    /// How many bytes it holds, but for some that are always there.
    pub(crate) fn size(&self) -> u64 {
        let length = match self {
            Self::Content(bytes)
            | Self::EncryptionInfo(bytes)
            | Self::InvokeArguments(bytes)
            | Self::FetchArguments(bytes)
            | Self::WaitInfo(bytes)
            | Self::ComponentMetadata(bytes)
            | Self::Other { value: bytes, .. } => bytes.len(),
            Self::Uri(uri) => uri.len(),
            _ => 0,
        };
        length as u64
    }

    fn write(&self, w: &mut Writer) {
        w.int(self.label());
        match self {
            Self::VendorId(vendor) => vendor.write(w),
            Self::ClassId(uuid) | Self::DeviceId(uuid) => {
                w.bytes(&uuid.0);
            }
            Self::ImageDigest(digest) => {
                w.bytes(&digest.encode());
            }
            Self::UseBefore(value)
            | Self::ComponentSlot(value)
            | Self::ImageSize(value)
            | Self::SourceComponent(value)
            | Self::MinimumBattery(value) => {
                w.uint(*value);
            }
            Self::StrictOrder(value) | Self::SoftFailure(value) => {
                w.bool(*value);
            }
            Self::Content(bytes)
            | Self::EncryptionInfo(bytes)
            | Self::InvokeArguments(bytes)
            | Self::FetchArguments(bytes)
            | Self::WaitInfo(bytes)
            | Self::ComponentMetadata(bytes) => {
                w.bytes(bytes);
            }
            Self::Uri(uri) => {
                w.text(uri);
            }
            Self::UpdatePriority(value) => {
                w.int(*value);
            }
            Self::Version(version) => {
                w.bytes(&Writer::build(|w| version.write(w)));
            }
            Self::Other { value, .. } => {
                w.raw(value);
            }
        }
    }

    /// The same parameter, holding its bytes itself.
    #[must_use]
    pub fn into_owned(self) -> Parameter<'static> {
        fn owned(bytes: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
            Cow::Owned(bytes.into_owned())
        }
        match self {
            Self::VendorId(vendor) => Parameter::VendorId(vendor.into_owned()),
            Self::ClassId(value) => Parameter::ClassId(value),
            Self::ImageDigest(value) => Parameter::ImageDigest(value),
            Self::UseBefore(value) => Parameter::UseBefore(value),
            Self::ComponentSlot(value) => Parameter::ComponentSlot(value),
            Self::StrictOrder(value) => Parameter::StrictOrder(value),
            Self::SoftFailure(value) => Parameter::SoftFailure(value),
            Self::ImageSize(value) => Parameter::ImageSize(value),
            Self::Content(bytes) => Parameter::Content(owned(bytes)),
            Self::EncryptionInfo(bytes) => Parameter::EncryptionInfo(owned(bytes)),
            Self::Uri(uri) => Parameter::Uri(Cow::Owned(uri.into_owned())),
            Self::SourceComponent(value) => Parameter::SourceComponent(value),
            Self::InvokeArguments(bytes) => Parameter::InvokeArguments(owned(bytes)),
            Self::DeviceId(value) => Parameter::DeviceId(value),
            Self::FetchArguments(bytes) => Parameter::FetchArguments(owned(bytes)),
            Self::MinimumBattery(value) => Parameter::MinimumBattery(value),
            Self::UpdatePriority(value) => Parameter::UpdatePriority(value),
            Self::Version(value) => Parameter::Version(value),
            Self::WaitInfo(bytes) => Parameter::WaitInfo(owned(bytes)),
            Self::ComponentMetadata(bytes) => Parameter::ComponentMetadata(owned(bytes)),
            Self::Other { label, value } => Parameter::Other {
                label,
                value: owned(value),
            },
        }
    }
}

/// Where text has a character that no URI reference has, or an escape that is none (RFC 3986, sections 2 and 4.1): its
/// byte offset; `None` if there is no such place. What scheme and authority a URI takes, whoever fetches it knows.
// req: SUIT-PAR-009
#[must_use]
pub fn fault_in_uri(text: &str) -> Option<usize> {
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                after
            }
            (b'%' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}', _) => break,
            (b'!'..=b'~', after) => after,
            _ => break,
        };
    }
    (!rest.is_empty()).then(|| text.len() - rest.len())
}

/// Parameters by label, each label once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters<'a>(Vec<Parameter<'a>>);

impl<'a> Parameters<'a> {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// These parameters; of two with one label the later one counts.
    #[must_use]
    pub fn from_list(list: impl IntoIterator<Item = Parameter<'a>>) -> Self {
        let mut this = Self::default();
        for parameter in list {
            this.set(parameter);
        }
        this
    }

    /// The parameters, in the order of the encoding.
    pub fn iter(&self) -> impl Iterator<Item = &Parameter<'a>> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The parameter with a label.
    #[must_use]
    pub fn get(&self, label: i64) -> Option<&Parameter<'a>> {
        self.0.iter().find(|parameter| parameter.label() == label)
    }

    /// Sets a parameter, in place of one with the same label.
    pub fn set(&mut self, parameter: Parameter<'a>) {
        let label = parameter.label();
        match self.0.iter_mut().find(|old| old.label() == label) {
            Some(old) => *old = parameter,
            None => self.0.push(parameter),
        }
    }

    /// Removes all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds parameters whose labels are not among these.
    pub(crate) fn append(&mut self, mut others: Self) {
        self.0.append(&mut others.0);
    }

    /// Reads a map of at least `least` entries.
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        limits: &Limits,
        least: usize,
    ) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Parameters";
        let start = reader.clone();
        let count = reader.map(RULE)?;
        if count < least {
            return Err(start.error(RULE, Problem::OutOfBounds("one parameter or more")));
        }
        Self::read_entries(reader, limits, count)
    }

    /// Reads `count` entries of a map whose head has been read.
    pub(crate) fn read_entries(
        reader: &mut Reader<'a>,
        limits: &Limits,
        count: usize,
    ) -> Result<Self, DecodeError> {
        let count = bounded(count, limits, reader, "SUIT_Parameters")?;
        several(count, || {
            if reader.peek() == Type::Text {
                return Err(super::unknown_label(reader, "SUIT_Parameters / label"));
            }
            Parameter::read(reader, limits)
        })
        .map(Self)
    }

    /// Writes the map in deterministic order.
    pub(crate) fn write(&self, w: &mut Writer) {
        w.sorted_map(self.encoded());
    }

    /// Each parameter with its label, encoded.
    pub(crate) fn encoded(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::with_capacity(self.len());
        for parameter in self.iter() {
            all.push(Writer::build(|w| parameter.write(w)));
        }
        all
    }

    /// The same parameters, holding their bytes themselves.
    #[must_use]
    pub fn into_owned(self) -> Parameters<'static> {
        Parameters(self.0.into_iter().map(Parameter::into_owned).collect())
    }
}

/// The parameters of a component that are in force while a procedure runs: those that commands set last,
/// which stay where the manifest has them.
pub(crate) struct InForce<'p>(Vec<(i64, &'p Parameter<'p>)>);

impl<'p> InForce<'p> {
    /// None yet, and room for as many as a component has where manifests are ordinary.
    pub(crate) fn with_room() -> Self {
        Self(Vec::with_capacity(6))
    }

    /// Sets a parameter, in place of one with the same label.
    pub(crate) fn set(&mut self, parameter: &'p Parameter<'p>) {
        let label = parameter.label();
        match self.0.iter_mut().find(|(old, _)| *old == label) {
            Some((_, old)) => *old = parameter,
            None => self.0.push((label, parameter)),
        }
    }

    /// Whether a parameter with the same label is set.
    pub(crate) fn has(&self, parameter: &Parameter<'_>) -> bool {
        self.get(parameter.label()).is_some()
    }

    /// The parameter with a label.
    pub(crate) fn get(&self, label: i64) -> Option<&'p Parameter<'p>> {
        let mut all = self.0.iter();
        all.find(|(known, _)| *known == label)
            .map(|(_, parameter)| *parameter)
    }

    /// Removes all.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident: $label:ident $variant:ident($value:ident) -> $type:ty = $get:expr;)*) => {
        #[expect(clippy::needless_lifetimes, reason = "some types name the lifetime")]
        impl Parameters<'_> {
            $($(#[$doc])*
            #[must_use]
            pub fn $name<'p>(&'p self) -> Option<$type> {
                match self.get(label::$label) {
                    Some(Parameter::$variant($value)) => Some($get),
                    _ => None,
                }
            })*
        }

        #[allow(dead_code, reason = "the processor has no use for some")]
        impl<'p> InForce<'p> {
            $($(#[$doc])*
            pub(crate) fn $name(&self) -> Option<$type> {
                match self.get(label::$label) {
                    Some(Parameter::$variant($value)) => Some($get),
                    _ => None,
                }
            })*
        }
    };
}

typed! {
    /// Parameter 1.
    vendor_id: VENDOR_IDENTIFIER VendorId(value) -> &'p VendorId<'p> = value;
    /// Parameter 2.
    class_id: CLASS_IDENTIFIER ClassId(value) -> Uuid = *value;
    /// Parameter 3.
    image_digest: IMAGE_DIGEST ImageDigest(value) -> &'p SuitDigest = value;
    /// Parameter 4, in seconds since 1970-01-01 UTC.
    use_before: USE_BEFORE UseBefore(value) -> u64 = *value;
    /// Parameter 5.
    component_slot: COMPONENT_SLOT ComponentSlot(value) -> u64 = *value;
    /// Parameter 12.
    strict_order: STRICT_ORDER StrictOrder(value) -> bool = *value;
    /// Parameter 13.
    soft_failure: SOFT_FAILURE SoftFailure(value) -> bool = *value;
    /// Parameter 14, in bytes.
    image_size: IMAGE_SIZE ImageSize(value) -> u64 = *value;
    /// Parameter 18.
    content: CONTENT Content(value) -> &'p [u8] = &**value;
    /// Parameter 19, an encoded `COSE_Encrypt`.
    encryption_info: ENCRYPTION_INFO EncryptionInfo(value) -> &'p [u8] = &**value;
    /// Parameter 21.
    uri: URI Uri(value) -> &'p str = &**value;
    /// Parameter 22.
    source_component: SOURCE_COMPONENT SourceComponent(value) -> u64 = *value;
    /// Parameter 23.
    invoke_arguments: INVOKE_ARGUMENTS InvokeArguments(value) -> &'p [u8] = &**value;
    /// Parameter 24.
    device_id: DEVICE_IDENTIFIER DeviceId(value) -> Uuid = *value;
    /// Parameter 25.
    fetch_arguments: FETCH_ARGUMENTS FetchArguments(value) -> &'p [u8] = &**value;
    /// Parameter 26, in mWh.
    minimum_battery: MINIMUM_BATTERY MinimumBattery(value) -> u64 = *value;
    /// Parameter 27; the smaller, the more urgent.
    update_priority: UPDATE_PRIORITY UpdatePriority(value) -> i64 = *value;
    /// Parameter 28.
    version: VERSION Version(value) -> &'p VersionMatch = value;
    /// Parameter 29, an encoded [`WaitInfo`].
    wait_info: WAIT_INFO WaitInfo(value) -> &'p [u8] = &**value;
    /// Parameter 30, an encoded [`ComponentMetadata`].
    component_metadata: COMPONENT_METADATA ComponentMetadata(value) -> &'p [u8] = &**value;
}
