use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};

/// What a TEE says about itself, for the broker to choose by. Nothing of it is proven: Evidence is for that.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TeeDescription {
    /// The name that whoever runs it gave it.
    pub name: String,
    /// The platform, such as `software`.
    pub platform: String,
    /// The version of the code in it.
    pub version: String,
    /// UUIDs of the vendors whose manifests apply to it.
    pub vendors: Vec<[u8; 16]>,
    /// UUIDs of the classes whose manifests apply to it.
    pub classes: Vec<[u8; 16]>,
    /// What it can do, such as `webassembly`.
    pub capabilities: Vec<String>,
    /// The URIs of the TAMs that it was provisioned with, in the order in which they are asked.
    pub tam_uris: Vec<String>,
}

impl TeeDescription {
    pub(super) fn write(&self, w: &mut Writer) {
        w.array(7).text(&self.name).text(&self.platform);
        w.text(&self.version);
        for ids in [&self.vendors, &self.classes] {
            w.array(ids.len());
            ids.iter().for_each(|id| {
                w.bytes(id);
            });
        }
        for texts in [&self.capabilities, &self.tam_uris] {
            w.array(texts.len());
            texts.iter().for_each(|text| {
                w.text(text);
            });
        }
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array_of(7, "an array of 7", "tee-description")?;
        Ok(Self {
            name: r.text("tee-description / name")?.to_owned(),
            platform: r.text("tee-description / platform")?.to_owned(),
            version: r.text("tee-description / version")?.to_owned(),
            vendors: uuids(r)?,
            classes: uuids(r)?,
            capabilities: texts(r)?,
            tam_uris: texts(r)?,
        })
    }
}

fn uuids(r: &mut Reader<'_>) -> Result<Vec<[u8; 16]>, DecodeError> {
    let rule = "tee-description / uuid";
    let mut found = Vec::new();
    for _ in 0..r.array(rule)? {
        let wrong = r.error(rule, Problem::OutOfBounds("16 bytes"));
        found.push(r.bytes(rule)?.try_into().map_err(|_| wrong)?);
    }
    Ok(found)
}

fn texts(r: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let rule = "tee-description / text";
    let mut found = Vec::new();
    for _ in 0..r.array(rule)? {
        found.push(r.text(rule)?.to_owned());
    }
    Ok(found)
}
