use alloc::{borrow::Cow, vec::Vec};
use core::ops::RangeInclusive;

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type, Writer};

use super::{label::metadata as label, open, several, unknown_label};
use crate::Limits;

/// What a component is as a file (parameter 30): applied when it is fetched, copied or written.
///
/// Permissions and identifiers are claims of the manifest's author. A device checks them against its own
/// policy before it applies any; a member that is not there changes nothing.
// req: SUIT-UPD-025
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ComponentMetadata<'a> {
    /// 1: what everybody may do who is not listed.
    pub default_permissions: Option<Permissions>,
    /// 2: what users may do.
    pub user_permissions: Vec<(ActorId<'a>, Permissions)>,
    /// 3: what groups may do.
    pub group_permissions: Vec<(ActorId<'a>, Permissions)>,
    /// 4: what roles may do.
    pub role_permissions: Vec<(ActorId<'a>, Permissions)>,
    /// 5: what kind of file it is; a regular one if nothing is said.
    pub file_type: Option<FileType>,
    /// 6: when it was modified, in seconds since 1970-01-01 UTC.
    pub modification_time: Option<u64>,
    /// 7: when it was created, in seconds since 1970-01-01 UTC.
    pub creation_time: Option<u64>,
    /// 8: who created it.
    pub creator: Option<ActorId<'a>>,
}

/// A user, group or role, however the system names it (`SUIT_meta_actor_id`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorId<'a> {
    /// A UUID (CBOR tag 37).
    Uuid([u8; 16]),
    /// A binary identifier, 1 to 64 bytes.
    Bytes(Cow<'a, [u8]>),
    /// A name: characters of the Unicode categories L, M, N, P, S and Zs, 1 to 255 bytes.
    Text(Cow<'a, str>),
    /// A number, such as a POSIX user id.
    Number(i64),
}

/// Permissions (`SUIT_meta_permissions`): a field of 14 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u16);

impl Permissions {
    /// Bit 0: traverse a folder, execute a file.
    pub const TRAVERSE_EXECUTE: Self = Self(1);
    /// Bit 1: create files, write.
    pub const CREATE_WRITE: Self = Self(1 << 1);
    /// Bit 2: list a folder, read a file.
    pub const LIST_READ: Self = Self(1 << 2);
    const ALL: u16 = (1 << 14) - 1;

    /// Permissions of these bits; `None` for bits that are not registered.
    #[must_use]
    pub fn new(bits: u64) -> Option<Self> {
        let bits = u16::try_from(bits).ok()?;
        (bits & !Self::ALL == 0).then_some(Self(bits))
    }

    /// The bits.
    #[must_use]
    pub fn bits(self) -> u16 {
        self.0
    }

    /// Whether all bits of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// What kind of file a component is (`SUIT_Filetype`).
// req: SUIT-UPD-026
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FileType {
    /// 1: a regular file.
    #[default]
    Regular,
    /// 2: a directory.
    Directory,
    /// 3: a symbolic link; the content is its target.
    SymbolicLink,
}

const RULE: &str = "SUIT_Component_Metadata";
/// Most actors of one kind.
const MAX_ACTORS: usize = 32;
/// The tag of times (RFC 8949 section 3.4.2).
const EPOCH_TIME: u64 = 1;
/// The tag of UUIDs.
const UUID: u64 = 37;

impl<'a> ComponentMetadata<'a> {
    /// What kind of file the component is.
    #[must_use]
    pub fn kind(&self) -> FileType {
        self.file_type.unwrap_or_default()
    }

    /// The same metadata, holding its bytes itself.
    #[must_use]
    pub fn into_owned(self) -> ComponentMetadata<'static> {
        let owned = |list: Vec<(ActorId<'a>, Permissions)>| {
            let entries = list.into_iter();
            entries
                .map(|(actor, permissions)| (actor.into_owned(), permissions))
                .collect()
        };
        ComponentMetadata {
            default_permissions: self.default_permissions,
            user_permissions: owned(self.user_permissions),
            group_permissions: owned(self.group_permissions),
            role_permissions: owned(self.role_permissions),
            file_type: self.file_type,
            modification_time: self.modification_time,
            creation_time: self.creation_time,
            creator: self.creator.map(ActorId::into_owned),
        }
    }

    /// Decodes the content of the parameter's byte string.
    ///
    /// # Errors
    ///
    /// If it is no such map, or holds a label, a permission or a character that is not allowed: metadata
    /// that is not understood might take a right away, so it is not passed over.
    // req: SUIT-UPD-027
    pub fn decode(content: &'a [u8], limits: &Limits) -> Result<Self, DecodeError> {
        Self::read(&mut open(content, limits, RULE)?)
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut metadata = Self::default();
        for _ in 0..reader.map(RULE)? {
            let start = reader.clone();
            match reader.label(RULE)? {
                label::DEFAULT_PERMISSIONS => {
                    metadata.default_permissions = Some(Permissions::read(reader)?);
                }
                label::USER_PERMISSIONS => metadata.user_permissions = actors(reader)?,
                label::GROUP_PERMISSIONS => metadata.group_permissions = actors(reader)?,
                label::ROLE_PERMISSIONS => metadata.role_permissions = actors(reader)?,
                label::FILE_TYPE => metadata.file_type = Some(FileType::read(reader)?),
                label::MODIFICATION_TIME => metadata.modification_time = Some(time(reader)?),
                label::CREATION_TIME => metadata.creation_time = Some(time(reader)?),
                label::CREATOR => metadata.creator = Some(ActorId::read(reader)?),
                _ => return Err(unknown_label(&start, RULE)),
            }
        }
        Ok(metadata)
    }

    /// The encoded map, without a byte string around it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let lists = [
            (label::USER_PERMISSIONS, &self.user_permissions),
            (label::GROUP_PERMISSIONS, &self.group_permissions),
            (label::ROLE_PERMISSIONS, &self.role_permissions),
        ];
        let lists = lists.iter().filter(|(_, list)| !list.is_empty());
        let times = [
            (label::MODIFICATION_TIME, self.modification_time),
            (label::CREATION_TIME, self.creation_time),
        ];
        let times = times
            .iter()
            .filter_map(|(label, time)| Some((*label, (*time)?)));
        let members = usize::from(self.default_permissions.is_some())
            + lists.clone().count()
            + usize::from(self.file_type.is_some())
            + times.clone().count()
            + usize::from(self.creator.is_some());
        Writer::build(|w| {
            w.map(members);
            if let Some(permissions) = self.default_permissions {
                w.int(label::DEFAULT_PERMISSIONS)
                    .uint(u64::from(permissions.0));
            }
            for (label, list) in lists {
                let entry = |(actor, permissions): &(ActorId<'_>, Permissions)| {
                    Writer::build(|w| {
                        actor.write(w);
                        w.uint(u64::from(permissions.0));
                    })
                };
                w.int(*label).sorted_map(list.iter().map(entry).collect());
            }
            if let Some(file_type) = self.file_type {
                w.int(label::FILE_TYPE).uint(file_type.number());
            }
            for (label, time) in times {
                w.int(label).tag(EPOCH_TIME).uint(time);
            }
            if let Some(creator) = &self.creator {
                w.int(label::CREATOR);
                creator.write(w);
            }
        })
    }
}

impl Permissions {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_meta_permissions";
        let start = reader.clone();
        Self::new(reader.uint(RULE)?)
            .ok_or_else(|| start.error(RULE, Problem::OutOfBounds("14 bits")))
    }
}

impl FileType {
    const ALL: [Self; 3] = [Self::Regular, Self::Directory, Self::SymbolicLink];

    /// The number in the registry.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Regular => 1,
            Self::Directory => 2,
            Self::SymbolicLink => 3,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_Filetype";
        let start = reader.clone();
        let number = reader.uint(RULE)?;
        let found = Self::ALL.into_iter().find(|kind| kind.number() == number);
        found.ok_or_else(|| start.error(RULE, Problem::OutOfBounds("1 to 3")))
    }
}

impl<'a> ActorId<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        const RULE: &str = "SUIT_meta_actor_id";
        let start = reader.clone();
        Ok(match reader.peek() {
            Type::Tag => {
                if reader.tag(RULE)? != UUID {
                    return Err(start.error(RULE, Problem::Expected("tag 37")));
                }
                let wrong = |_| start.error(RULE, Problem::OutOfBounds("16 bytes"));
                Self::Uuid(reader.bytes(RULE)?.try_into().map_err(wrong)?)
            }
            Type::Bytes => Self::Bytes(reader.sized_bytes(1..=64, "1 to 64 bytes", RULE)?.into()),
            Type::Text => {
                let text = reader.text(RULE)?;
                if !(1..=255).contains(&text.len()) || !is_visible(text) {
                    let problem = Problem::OutOfBounds("1 to 255 bytes of visible text");
                    return Err(start.error(RULE, problem));
                }
                Self::Text(text.into())
            }
            _ => Self::Number(reader.int(RULE)?),
        })
    }

    fn into_owned(self) -> ActorId<'static> {
        match self {
            Self::Uuid(bytes) => ActorId::Uuid(bytes),
            Self::Bytes(bytes) => ActorId::Bytes(Cow::Owned(bytes.into_owned())),
            Self::Text(text) => ActorId::Text(Cow::Owned(text.into_owned())),
            Self::Number(number) => ActorId::Number(number),
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::Uuid(bytes) => w.tag(UUID).bytes(bytes),
            Self::Bytes(bytes) => w.bytes(bytes),
            Self::Text(text) => w.text(text),
            Self::Number(number) => w.int(*number),
        };
    }
}

/// Whether text has no characters that work without being seen.
pub(super) fn is_visible(text: &str) -> bool {
    !text.chars().any(is_invisible)
}

/// Characters outside the Unicode categories L, M, N, P, S and Zs: controls, line and paragraph
/// separators, and those that format without being seen, of which some change the direction of text.
/// Code points that are not assigned or private are left to the device's policy.
// req: SUIT-UPD-009, SUIT-UPD-025
fn is_invisible(c: char) -> bool {
    INVISIBLE.iter().any(|range| range.contains(&c))
}

/// A table, which takes less of a device than comparisons do.
const INVISIBLE: [RangeInclusive<char>; 24] = [
    '\0'..='\u{1f}',
    '\u{7f}'..='\u{9f}',
    '\u{ad}'..='\u{ad}',
    '\u{600}'..='\u{605}',
    '\u{61c}'..='\u{61c}',
    '\u{6dd}'..='\u{6dd}',
    '\u{70f}'..='\u{70f}',
    '\u{890}'..='\u{891}',
    '\u{8e2}'..='\u{8e2}',
    '\u{180e}'..='\u{180e}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
    '\u{fff9}'..='\u{fffb}',
    '\u{110bd}'..='\u{110bd}',
    '\u{110cd}'..='\u{110cd}',
    '\u{13430}'..='\u{1343f}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e000}'..='\u{f8ff}',
    '\u{e0001}'..='\u{e0001}',
    '\u{e0020}'..='\u{e007f}',
    '\u{f0000}'..='\u{10ffff}',
];

fn actors<'a>(reader: &mut Reader<'a>) -> Result<Vec<(ActorId<'a>, Permissions)>, DecodeError> {
    const RULE: &str = "SUIT_meta_permission_map";
    let start = reader.clone();
    let count = reader.map(RULE)?;
    if !(1..=MAX_ACTORS).contains(&count) {
        return Err(start.error(RULE, Problem::OutOfBounds("1 to 32 actors")));
    }
    several(count, || {
        Ok((ActorId::read(reader)?, Permissions::read(reader)?))
    })
}

fn time(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let start = reader.clone();
    match reader.tag(RULE)? {
        EPOCH_TIME => reader.uint(RULE),
        _ => Err(start.error(RULE, Problem::Expected("a time under tag 1"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn whole() -> ComponentMetadata<'static> {
        ComponentMetadata {
            default_permissions: Some(Permissions::LIST_READ),
            user_permissions: vec![
                (ActorId::Number(0), Permissions(7)),
                (ActorId::Text("operator".into()), Permissions(5)),
            ],
            group_permissions: vec![(ActorId::Bytes(vec![1, 2].into()), Permissions(4))],
            role_permissions: vec![(ActorId::Uuid([9; 16]), Permissions(Permissions::ALL))],
            file_type: Some(FileType::Directory),
            modification_time: Some(1 << 32),
            creation_time: Some(5),
            creator: Some(ActorId::Number(-1)),
        }
    }

    // req: SUIT-UPD-025
    #[test]
    fn every_member_round_trips() {
        let bytes = whole().encode();
        let limits = Limits::default();
        assert_eq!(ComponentMetadata::decode(&bytes, &limits), Ok(whole()));
        let none = ComponentMetadata::default();
        assert_eq!(ComponentMetadata::decode(&none.encode(), &limits), Ok(none));
    }

    // req: SUIT-UPD-025, SUIT-UPD-027
    #[test]
    fn what_is_not_understood_is_refused() {
        let limits = Limits::default();
        for bytes in [
            &[0xa1, 0x01, 0x19, 0x40, 0x00][..],   // bit 14
            &[0xa1, 0x05, 0x04],                   // file type 4
            &[0xa1, 0x06, 0x05],                   // a time without its tag
            &[0xa1, 0x09, 0x00],                   // label 9
            &[0xa1, 0x08, 0x61, 0x07],             // a bell as a name
            &[0xa1, 0x08, 0x63, 0xe2, 0x80, 0xae], // a change of direction as a name
            &[0xa1, 0x02, 0xa0],                   // no user
            &[0xa1, 0x08, 0xd8, 0x25, 0x41, 0x00], // a UUID of one byte
        ] {
            assert!(
                ComponentMetadata::decode(bytes, &limits).is_err(),
                "{bytes:02x?}"
            );
        }
    }

    // req: SUIT-UPD-026
    #[test]
    fn a_regular_file_is_the_default() {
        assert_eq!(ComponentMetadata::default().kind(), FileType::Regular);
    }
}
