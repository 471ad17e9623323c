use alloc::{borrow::Cow, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type, Writer, check};

use super::{bounded, several};
use crate::Limits;

/// What software a manifest installs (manifest label 14): a Concise Software Identification Tag
/// (RFC 9393), as far as it identifies software and who is behind it.
///
/// Members that say more (evidence, payload, links, metadata) are kept encoded.
// req: SUIT-UPD-006
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConciseSwidTag<'a> {
    /// 0: identifies the tag: text, or a UUID.
    pub tag_id: TagId<'a>,
    /// 12: the version of the tag itself.
    pub tag_version: i64,
    /// 1: the software's name.
    pub software_name: Cow<'a, str>,
    /// 13: the software's version.
    pub software_version: Option<Cow<'a, str>>,
    /// 2: at least one organisation: its name and what it has to do with the software or the tag.
    pub entities: Vec<Entity<'a>>,
    /// Every other member: label and encoded value.
    pub others: Vec<(i64, Cow<'a, [u8]>)>,
}

/// Identifies a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagId<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A UUID.
    Uuid([u8; 16]),
}

/// An organisation (`entity-entry`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity<'a> {
    /// 31: its name.
    pub name: Cow<'a, str>,
    /// 33: its roles, at least one: 1 tag creator, 2 software creator, 3 aggregator, 4 distributor,
    /// 5 licensor, 6 maintainer.
    pub roles: Vec<i64>,
    /// Every other member: label and encoded value.
    pub others: Vec<(i64, Cow<'a, [u8]>)>,
}

/// Labels of RFC 9393 section 2.
mod label {
    pub(super) const TAG_ID: i64 = 0;
    pub(super) const SOFTWARE_NAME: i64 = 1;
    pub(super) const ENTITY: i64 = 2;
    pub(super) const TAG_VERSION: i64 = 12;
    pub(super) const SOFTWARE_VERSION: i64 = 13;
    pub(super) const ENTITY_NAME: i64 = 31;
    pub(super) const ROLE: i64 = 33;
}

const RULE: &str = "concise-swid-tag";
/// Most entities of a tag, and most roles of one.
const MAX_ITEMS: usize = 16;

impl<'a> ConciseSwidTag<'a> {
    /// The CBOR tag that may stand before a tag of its own.
    pub const TAG: u64 = 1_398_229_316;

    /// Decodes the content of the element's byte string.
    ///
    /// # Errors
    ///
    /// If it is no such map, or has no tag id, tag version, software name or entity.
    pub fn decode(content: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        check(content, &limits.software_tag()).map_err(|error| error.under(RULE))?;
        Self::read(&mut Reader::new(content), limits)
    }

    fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, DecodeError> {
        let start = reader.clone();
        if reader.peek() == Type::Tag && reader.tag(RULE)? != Self::TAG {
            return Err(start.error(RULE, Problem::Expected("tag 1398229316")));
        }
        let (mut tag_id, mut tag_version, mut software_name) = (None, None, None);
        let (mut software_version, mut entities, mut others) = (None, Vec::new(), Vec::new());
        for _ in 0..bounded(reader.map(RULE)?, limits, reader, RULE)? {
            match reader.int(RULE)? {
                label::TAG_ID => tag_id = Some(TagId::read(reader)?),
                label::TAG_VERSION => tag_version = Some(reader.int("tag-version")?),
                label::SOFTWARE_NAME => software_name = Some(reader.text("software-name")?.into()),
                label::SOFTWARE_VERSION => {
                    software_version = Some(reader.text("software-version")?.into());
                }
                label::ENTITY => {
                    entities =
                        one_or_more(reader, "entity", |reader| Entity::read(reader, limits))?;
                }
                label => others.push((label, reader.raw(RULE)?.into())),
            }
        }
        let missing = |what| reader.error(RULE, Problem::Missing(what));
        if entities.is_empty() {
            return Err(missing("entity (2)"));
        }
        Ok(Self {
            tag_id: tag_id.ok_or_else(|| missing("tag-id (0)"))?,
            tag_version: tag_version.ok_or_else(|| missing("tag-version (12)"))?,
            software_name: software_name.ok_or_else(|| missing("software-name (1)"))?,
            software_version,
            entities,
            others,
        })
    }

    /// The encoded map, without a byte string around it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut members = self.others.clone();
        let mut put = |label, write: &dyn Fn(&mut Writer)| {
            members.push((label, Writer::build(|w| write(w)).into()));
        };
        put(label::TAG_ID, &|w| match &self.tag_id {
            TagId::Text(text) => {
                w.text(text);
            }
            TagId::Uuid(uuid) => {
                w.bytes(uuid);
            }
        });
        put(label::TAG_VERSION, &|w| {
            w.int(self.tag_version);
        });
        put(label::SOFTWARE_NAME, &|w| {
            w.text(&self.software_name);
        });
        if let Some(version) = &self.software_version {
            put(label::SOFTWARE_VERSION, &|w| {
                w.text(version);
            });
        }
        put(label::ENTITY, &|w| {
            if self.entities.len() != 1 {
                w.array(self.entities.len());
            }
            for entity in &self.entities {
                entity.write(w);
            }
        });
        write_members(members)
    }
}

impl<'a> TagId<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const RULE: &str = "tag-id";
        let start = reader.clone();
        if reader.peek() == Type::Text {
            return Ok(Self::Text(reader.text(RULE)?.into()));
        }
        let wrong = |_| start.error(RULE, Problem::OutOfBounds("16 bytes"));
        Ok(Self::Uuid(reader.bytes(RULE)?.try_into().map_err(wrong)?))
    }
}

impl<'a> Entity<'a> {
    fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, DecodeError> {
        const RULE: &str = "entity-entry";
        let (mut name, mut roles, mut others) = (None, Vec::new(), Vec::new());
        for _ in 0..bounded(reader.map(RULE)?, limits, reader, RULE)? {
            match reader.int(RULE)? {
                label::ENTITY_NAME => name = Some(reader.text("entity-name")?.into()),
                label::ROLE => {
                    roles = one_or_more(reader, "role", |reader| reader.int("role"))?;
                }
                label => others.push((label, reader.raw(RULE)?.into())),
            }
        }
        let missing = |what| reader.error(RULE, Problem::Missing(what));
        if roles.is_empty() {
            return Err(missing("role (33)"));
        }
        Ok(Self {
            name: name.ok_or_else(|| missing("entity-name (31)"))?,
            roles,
            others,
        })
    }

    fn write(&self, w: &mut Writer) {
        let mut members = self.others.clone();
        members.push((
            label::ENTITY_NAME,
            Writer::build(|w| {
                w.text(&self.name);
            })
            .into(),
        ));
        members.push((
            label::ROLE,
            Writer::build(|w| {
                if self.roles.len() != 1 {
                    w.array(self.roles.len());
                }
                for role in &self.roles {
                    w.int(*role);
                }
            })
            .into(),
        ));
        w.raw(&write_members(members));
    }
}

/// Reads one item, or an array of at least two.
fn one_or_more<'a, T>(
    reader: &mut Reader<'a>,
    rule: &'static str,
    read: impl Fn(&mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    if reader.peek() != Type::Array {
        return Ok(Vec::from([read(reader)?]));
    }
    let start = reader.clone();
    let count = reader.array(rule)?;
    if !(2..=MAX_ITEMS).contains(&count) {
        return Err(start.error(rule, Problem::OutOfBounds("2 to 16 items")));
    }
    several(count, || read(reader))
}

fn write_members(members: Vec<(i64, Cow<'_, [u8]>)>) -> Vec<u8> {
    let entry = |(label, value): (i64, Cow<'_, [u8]>)| {
        Writer::build(|w| {
            w.int(label).raw(&value);
        })
    };
    Writer::build(|w| {
        w.sorted_map(members.into_iter().map(entry).collect());
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn tag() -> ConciseSwidTag<'static> {
        ConciseSwidTag {
            tag_id: TagId::Uuid([3; 16]),
            tag_version: 0,
            software_name: "door lock".into(),
            software_version: Some("1.2.3".into()),
            entities: vec![Entity {
                name: "Example".into(),
                roles: vec![1, 2],
                others: vec![(32, vec![0x61, b'x'].into())],
            }],
            others: vec![(4, vec![0xa0].into())],
        }
    }

    // req: SUIT-UPD-006
    #[test]
    fn a_tag_round_trips() {
        let bytes = tag().encode();
        assert_eq!(
            ConciseSwidTag::decode(&bytes, &Limits::default()),
            Ok(tag())
        );
        let mut tag = tag();
        tag.entities.push(Entity {
            name: "Another".into(),
            roles: vec![4],
            others: vec![],
        });
        let bytes = tag.encode();
        assert_eq!(ConciseSwidTag::decode(&bytes, &Limits::default()), Ok(tag));
    }

    #[test]
    fn a_tag_without_what_it_must_have_is_refused() {
        let limits = Limits::default();
        assert!(ConciseSwidTag::decode(&[0xa0], &limits).is_err());
        let mut nobody = tag();
        nobody.entities.clear();
        assert!(ConciseSwidTag::decode(&nobody.encode(), &limits).is_err());
        let mut idle = tag();
        idle.entities[0].roles.clear();
        assert!(ConciseSwidTag::decode(&idle.encode(), &limits).is_err());
    }
}
