//! What the files of a command are to it: inputs and outputs, which must not be the same.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{folder_of, followed, is_standard};
use crate::failure::Failure;

/// Fails if an output would take the place of an input or of another output, or if standard input or output
/// would have to be two of them. Outputs come with the option that names them.
pub(crate) fn keep_apart<'i, 'o>(
    inputs: impl IntoIterator<Item = &'i Path>,
    outputs: impl IntoIterator<Item = (&'o str, &'o Path)>,
) -> Result<(), Failure> {
    let inputs: Vec<&Path> = inputs.into_iter().collect();
    if inputs.iter().filter(|path| is_standard(path)).count() > 1 {
        return Err(Failure::usage("only one input can be standard input, `-`")
            .hint("give the others as files"));
    }
    let mut before: Vec<(&str, &Path)> = Vec::new();
    for (option, path) in outputs {
        if !is_standard(path) && inputs.iter().any(|input| is_same(input, path)) {
            return Err(
                Failure::usage(format!("{option} {}: is an input too", path.display()))
                    .hint("it would be overwritten; choose another place"),
            );
        }
        if let Some((other, first)) = before.iter().find(|(_, before)| is_same(before, path)) {
            let (first, second) = (first.display(), path.display());
            let both = format!("{other} {first} and {option} {second}");
            return Err(match is_standard(path) {
                true => Failure::usage(format!("{both}: both can't go to standard output"))
                    .hint("nobody could tell them apart; choose a file for one"),
                false => Failure::usage(format!("{both}: both can't be one file"))
                    .hint("the second would overwrite the first; choose another place for one"),
            });
        }
        before.push((option, path));
    }
    Ok(())
}

/// Whether two paths are one place for a file. Two names of one file are two: an output replaces a name.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    if is_standard(one) || is_standard(other) {
        return one == other;
    }
    match (place(one), place(other)) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    }
}

/// The one name of a place for a file; `None` for devices and pipes, into which several may write.
fn place(path: &Path) -> Option<PathBuf> {
    if fs::metadata(path).is_ok_and(|known| !known.is_file()) {
        return None;
    }
    let end = followed(path);
    let folder = folder_of(&end).canonicalize();
    Some(match (folder, end.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => end,
    })
}
