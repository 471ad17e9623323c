use alloc::vec::Vec;

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

use crate::{
    ComponentId, Limits,
    codec::{Parameters, several},
};

/// What one command found (`SUIT_Record`).
// req: SUIT-REP-004
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The way from the root manifest to the one with the command: indices of dependencies. Empty for
    /// the root.
    pub manifest_id: Vec<u64>,
    /// The label of the section: 3 for the shared sequence, 0 if no sequence was running.
    pub section: i64,
    /// Byte offset of the command within the section's encoded sequence.
    pub offset: u64,
    /// The index of the component.
    pub component_index: u64,
    /// What was measured.
    pub properties: Parameters<'static>,
}

/// The most manifests that a record can be nested in.
const MAX_PATH: usize = 64;

impl Record {
    pub(super) fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Record";
        let start = reader.clone();
        let items = reader.array(RULE)?;
        if items < 5 {
            return Err(start.error(RULE, Problem::Expected("an array of 5 or more")));
        }
        let path = reader.array("suit-record-manifest-id")?;
        if path > MAX_PATH {
            return Err(start.error("suit-record-manifest-id", Problem::OutOfBounds("64 levels")));
        }
        let record = Self {
            manifest_id: several(path, || reader.uint("suit-record-manifest-id"))?,
            section: reader.int("suit-record-manifest-section")?,
            offset: reader.uint("suit-record-section-offset")?,
            component_index: reader.uint("suit-record-component-index")?,
            properties: Parameters::read(reader, limits, 0)?.into_owned(),
        };
        for _ in 5..items {
            reader.skip("SUIT_Record / extension")?;
        }
        Ok(record)
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.array(5).array(self.manifest_id.len());
        for index in &self.manifest_id {
            w.uint(*index);
        }
        w.int(self.section)
            .uint(self.offset)
            .uint(self.component_index);
        self.properties.write(w);
    }
}

/// What a component is (`system-property-claims`).
// req: SUIT-REP-012
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// 0: the component.
    pub component: ComponentId,
    /// What was measured, as parameters: at least one.
    pub properties: Parameters<'static>,
}

impl Claims {
    const COMPONENT: i64 = 0;

    /// Reads one `system-property-claims` map.
    ///
    /// # Errors
    ///
    /// If the next item is none.
    pub fn read(reader: &mut Reader<'_>, limits: &Limits) -> Result<Self, DecodeError> {
        const RULE: &str = "system-property-claims";
        let start = reader.clone();
        let entries = reader.map(RULE)?;
        let mut component = None;
        let mut properties = Parameters::new();
        for _ in 0..entries {
            if reader.clone().int(RULE)? == Self::COMPONENT {
                reader.skip(RULE)?;
                component = Some(ComponentId::read(reader, "system-component-id")?);
            } else {
                properties.append(Parameters::read_entries(reader, limits, 1)?.into_owned());
            }
        }
        if properties.is_empty() {
            return Err(start.error(RULE, Problem::Missing("a parameter")));
        }
        Ok(Self {
            component: component
                .ok_or_else(|| start.error(RULE, Problem::Missing("system-component-id (0)")))?,
            properties,
        })
    }

    /// Writes the map.
    pub fn write(&self, w: &mut Writer) {
        let mut entries = Vec::from([Writer::build(|w| {
            w.int(Self::COMPONENT);
            self.component.write(w);
        })]);
        entries.extend(self.properties.encoded());
        w.sorted_map(entries);
    }
}
