//! What a committed transaction still has to do, written down before any of it is done.
//!
//! Every step may be repeated: what has been moved is no longer in the staging folder. The journal is
//! removed when everything it says is done and synced.

use alloc::{collections::BTreeSet, string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader};

use super::{
    DirectoryError, FileError, Files, is_there, make_folder,
    name::{self, JOURNAL},
    sealed,
};
use crate::codec::several;

const RULE: &str = "step of the journal";

/// A step towards the state that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A file of the staging folder goes to its place, over what may be there.
    Place { number: u64, path: String },
    /// A file goes.
    Remove { path: String },
}

pub(super) fn encode(steps: &[Step]) -> Vec<u8> {
    sealed::seal(|w| {
        w.array(steps.len());
        for step in steps {
            match step {
                Step::Place { number, path } => w.array(2).uint(*number).text(path),
                Step::Remove { path } => w.array(1).text(path),
            };
        }
    })
}

pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Step>, DirectoryError> {
    sealed::open(JOURNAL, bytes, |reader| {
        let count = reader.array(RULE)?;
        several(count, || read(reader))
    })
}

fn read(reader: &mut Reader<'_>) -> Result<Step, DecodeError> {
    let start = reader.clone();
    match reader.array(RULE)? {
        1 => Ok(Step::Remove {
            path: reader.text(RULE)?.into(),
        }),
        2 => Ok(Step::Place {
            number: reader.uint(RULE)?,
            path: reader.text(RULE)?.into(),
        }),
        _ => Err(start.error(RULE, Problem::OutOfBounds("an array of one or two"))),
    }
}

/// Does what the steps say, also where some have been done before, and syncs it.
pub(super) fn apply(files: &mut impl Files, steps: &[Step]) -> Result<(), DirectoryError> {
    let mut changed = BTreeSet::new();
    let mut reachable = BTreeSet::new();
    for step in steps {
        match step {
            Step::Place { number, path } => {
                let from = name::staged(*number);
                // A file must not move into a folder that a power loss could take away again.
                for folder in name::folders(path) {
                    if reachable.insert(folder) {
                        make_folder(files, folder)?;
                    }
                }
                if is_there(files, &from)? {
                    files
                        .rename(&from, path)
                        .map_err(DirectoryError::at(path))?;
                }
                changed.insert(name::parent(path));
            }
            Step::Remove { path } => {
                files.remove(path).map_err(DirectoryError::at(path))?;
                changed.insert(name::parent(path));
            }
        }
    }
    for step in steps {
        if let Step::Remove { path } = step {
            remove_empty_folders(files, path, &mut changed)?;
        }
    }
    for folder in changed {
        match files.sync_folder(folder) {
            // It was empty and is gone.
            Ok(()) | Err(FileError::Missing) => {}
            Err(error) => return Err(DirectoryError::at(folder)(error)),
        }
    }
    Ok(())
}

/// Removes the folders that a file was in, from the innermost, as far as nothing else is in them.
fn remove_empty_folders<'p>(
    files: &mut impl Files,
    path: &'p str,
    changed: &mut BTreeSet<&'p str>,
) -> Result<(), DirectoryError> {
    let mut folder = name::parent(path);
    while !folder.is_empty()
        && files
            .remove_folder(folder)
            .map_err(DirectoryError::at(folder))?
    {
        folder = name::parent(folder);
        changed.insert(folder);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn journals_round_trip() {
        let steps = vec![
            Step::Place {
                number: 7,
                path: "a+/b".into(),
            },
            Step::Remove { path: "c".into() },
        ];
        assert_eq!(decode(&encode(&steps)), Ok(steps));
        assert_eq!(decode(&encode(&[])), Ok(vec![]));
        let strange = sealed::seal(|w| {
            w.array(1).array(3).uint(1).uint(2).uint(3);
        });
        assert!(matches!(
            decode(&strange),
            Err(DirectoryError::Damaged { path: JOURNAL, .. })
        ));
    }
}
