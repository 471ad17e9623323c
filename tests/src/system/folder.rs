use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Finished, Keys, run};

/// A temporary folder to run commands in.
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// An empty folder.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it makes something on the disk")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The path of what is called `name` in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file; its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// The content of a file.
    #[must_use]
    #[track_caller]
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// Whether there is anything of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        Path::new(&self.path(name)).exists()
    }

    /// Makes an ESP256 key pair, `NAME.pem` and `NAME.pub.pem`; the paths of both halves.
    pub fn key(&self, name: &str) -> (String, String) {
        Keys::make(self.0.path(), name, "esp256");
        (
            self.path(&format!("{name}.pem")),
            self.path(&format!("{name}.pub.pem")),
        )
    }

    /// Runs `tamarack …` in which `@name` is a path in the folder, wherever it stands in a word.
    #[track_caller]
    pub fn tamarack(&self, line: &str) -> Finished {
        let words = line.split_whitespace();
        let arguments: Vec<String> = words
            .map(|word| word.replace('@', &self.path("")))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run(&arguments)
    }
}

/// The folder with the published vectors, if it is there.
#[must_use]
pub fn vectors() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors");
    let folder = std::env::var_os("TAMARACK_VECTORS").map_or(beside, Into::into);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: the vectors folder {} does not exist",
        folder.display()
    );
    None
}
