use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{self, DecodeError, Limits, Reader, Type, Writer};

/// CoAP content format under which deployed peers carry measured components in `measurements`.
const CONTENT_FORMAT: u64 = 600;

/// Named Information hash algorithm 1 is SHA-256 (RFC 6920); -16 is its COSE number.
const SHA_256: [i64; 2] = [1, -16];

/// A measured component: a name and the digest of what is there (draft-ietf-rats-eat-measured-component).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measurement {
    /// What was measured.
    pub name: String,
    /// Its version, if it has one.
    pub version: Option<String>,
    /// SHA-256 of what was measured.
    pub sha256: [u8; 32],
}

impl Measurement {
    /// Reads the `measurements` claim (RFC 9711 section 4.2.16); entries of other formats are passed over.
    pub(crate) fn read_list(reader: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let rule = "measurements";
        let mut measurements = Vec::new();
        for _ in 0..reader.array(rule)? {
            reader.array_of(2, "[content format, body]", rule)?;
            let format = reader.uint(rule)?;
            if format != CONTENT_FORMAT || reader.peek() != Type::Bytes {
                reader.skip(rule)?;
                continue;
            }
            let body = reader.bytes(rule)?;
            cbor::check(
                body,
                &Limits {
                    bytes: 4096,
                    depth: 8,
                },
            )?;
            measurements.extend(Self::read(&mut Reader::new(body))?);
        }
        Ok(measurements)
    }

    /// Reads `{1: [name, ?[version, ?scheme]], 2: [algorithm, digest]}`; `None` for another algorithm.
    fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let rule = "measured-component";
        let (mut name, mut version, mut sha256) = (String::new(), None, None);
        for _ in 0..reader.map(rule)? {
            match reader.int(rule)? {
                1 => {
                    let parts = reader.array("component-id")?;
                    if parts >= 1 {
                        name = reader.text("component-id / name")?.to_owned();
                    }
                    for part in 1..parts {
                        if part == 1 && reader.peek() == Type::Array {
                            let items = reader.array("component-id / version")?;
                            for item in 0..items {
                                if item == 0 && reader.peek() == Type::Text {
                                    version = Some(reader.text(rule)?.to_owned());
                                } else {
                                    reader.skip(rule)?;
                                }
                            }
                        } else {
                            reader.skip(rule)?;
                        }
                    }
                }
                2 => {
                    reader.array_of(2, "[algorithm, digest]", "digested-measurement")?;
                    let algorithm = match reader.peek() {
                        Type::Uint | Type::NegativeInt => Some(reader.int(rule)?),
                        _ => {
                            reader.skip(rule)?;
                            None
                        }
                    };
                    let digest = reader.bytes("digested-measurement / digest")?;
                    if algorithm.is_some_and(|algorithm| SHA_256.contains(&algorithm)) {
                        sha256 = <[u8; 32]>::try_from(digest).ok();
                    }
                }
                _ => reader.skip(rule)?,
            }
        }
        Ok(sha256.map(|sha256| Self {
            name,
            version,
            sha256,
        }))
    }

    /// Writes the entry `[content format, body]`.
    pub(crate) fn write(&self, writer: &mut Writer) {
        let body = Writer::build(|w| {
            w.map(2)
                .uint(1)
                .array(1 + usize::from(self.version.is_some()))
                .text(&self.name);
            if let Some(version) = &self.version {
                // Version scheme 1: multipart numeric (RFC 9393).
                w.array(2).text(version).uint(1);
            }
            w.uint(2).array(2).uint(1).bytes(&self.sha256);
        });
        writer.array(2).uint(CONTENT_FORMAT).bytes(&body);
    }
}
