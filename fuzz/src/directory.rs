//! The device in a folder: which paths identifiers lead to, and what is found there.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    cell::RefCell,
};

use tamarack_suit::{
    ComponentId, Device, Identity,
    directory::{DirectoryDevice, FileError, Files},
};

/// Runs the target: the bytes are identifiers, each a count of segments and then their lengths and contents.
pub fn run(data: &[u8]) {
    let mut input = data.iter().copied();
    let mut ids = BTreeSet::new();
    while ids.len() < 8
        && let Some(count) = input.next()
    {
        let segments = (0..count % 6).map(|_| {
            let length = input.next().unwrap_or_default();
            // Beyond what a name takes, now and then.
            let length = if length > 250 { 300 } else { usize::from(length % 12) };
            let bytes: Vec<u8> = input.by_ref().take(length).collect();
            bytes
        });
        let segments: Vec<_> = segments.collect();
        if let Ok(id) = ComponentId::new(segments) {
            ids.insert(id);
        }
    }
    let folder = Folder::default();
    let mut device = open(&folder);
    let mut paths = BTreeMap::new();
    let named: Vec<ComponentId> = ids
        .into_iter()
        .filter(|id| match device.path_of(id) {
            Ok(path) => {
                inside(&path);
                assert!(!path.starts_with(".suit"), "a component among the device's own: {path}");
                let twin = paths.insert(path.clone(), id.clone());
                assert_eq!(twin, None, "{path} is two components");
                true
            }
            Err(_) => false,
        })
        .collect();
    let Ok(mut transaction) = device.transaction() else {
        panic!("memory does not fail")
    };
    for id in &named {
        assert!(transaction.supports(id));
        assert_eq!(transaction.length(id), Ok(None));
        transaction.begin(id, None).expect("begins");
        transaction.append(id, &id.to_cbor()).expect("appends");
        transaction.finish(id).expect("finishes");
    }
    transaction.commit().expect("commits");
    drop(device);
    let mut device = open(&folder);
    let mut transaction = device.transaction().expect("memory does not fail");
    for id in &named {
        let expected = id.to_cbor();
        let mut found = vec![0; expected.len()];
        assert_eq!(transaction.length(id), Ok(Some(expected.len() as u64)));
        assert_eq!(transaction.read_at(id, 0, &mut found), Ok(expected.len()));
        assert_eq!(found, expected, "{id} holds what is another's");
        transaction.remove(id).expect("removes");
    }
    transaction.commit().expect("commits");
    assert_eq!(folder.0.borrow().files.len(), 0, "something is left");
}

fn open(folder: &Folder) -> DirectoryDevice<Folder> {
    DirectoryDevice::on(folder.clone(), Identity::default()).expect("memory does not fail")
}

/// Nothing in a path leads out of the folder, or means something to a file system.
fn inside(path: &str) {
    assert!(!path.is_empty() && path.len() <= 32 * 242, "{path}");
    for name in path.split('/') {
        assert!((1..=241).contains(&name.len()), "{path}");
        let own = path.starts_with(".suit") && name == ".suit";
        assert!(own || !name.starts_with('.'), "{path}");
        assert!(!name.ends_with('.'), "{path}");
    }
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.!%+/".contains(c);
    assert!(path.chars().all(allowed), "{path}");
}

/// A file system in memory.
#[derive(Clone, Default)]
struct Folder(Rc<RefCell<Tree>>);

#[derive(Default)]
struct Tree {
    files: BTreeMap<String, Vec<u8>>,
    folders: BTreeSet<String>,
}

impl Folder {
    fn parent_exists(tree: &Tree, path: &str) -> Result<(), FileError> {
        match path.rsplit_once('/') {
            Some((parent, _)) if !tree.folders.contains(parent) => Err(FileError::Missing),
            _ => Ok(()),
        }
    }
}

impl Files for Folder {
    fn length(&mut self, file: &str) -> Result<Option<u64>, FileError> {
        inside(file);
        let tree = self.0.borrow();
        match tree.folders.contains(file) {
            true => Err(FileError::Foreign),
            false => Ok(tree.files.get(file).map(|content| content.len() as u64)),
        }
    }

    fn read_at(&mut self, file: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, FileError> {
        inside(file);
        let tree = self.0.borrow();
        let content = tree.files.get(file).ok_or(FileError::Missing)?;
        let rest = content.get(usize::try_from(offset).expect("short")..).unwrap_or_default();
        let read = rest.len().min(buffer.len());
        buffer[..read].copy_from_slice(&rest[..read]);
        Ok(read)
    }

    fn create(&mut self, file: &str) -> Result<(), FileError> {
        inside(file);
        let mut tree = self.0.borrow_mut();
        Self::parent_exists(&tree, file)?;
        if tree.folders.contains(file) || tree.files.contains_key(file) {
            return Err(FileError::Foreign);
        }
        tree.files.insert(file.to_owned(), Vec::new());
        Ok(())
    }

    fn append(&mut self, file: &str, bytes: &[u8]) -> Result<(), FileError> {
        inside(file);
        let mut tree = self.0.borrow_mut();
        let content = tree.files.get_mut(file).ok_or(FileError::Missing)?;
        content.extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self, file: &str) -> Result<(), FileError> {
        inside(file);
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), FileError> {
        inside(from);
        inside(to);
        let mut tree = self.0.borrow_mut();
        Self::parent_exists(&tree, to)?;
        if tree.folders.contains(to) {
            return Err(FileError::Foreign);
        }
        let content = tree.files.remove(from).ok_or(FileError::Missing)?;
        tree.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&mut self, file: &str) -> Result<(), FileError> {
        inside(file);
        let mut tree = self.0.borrow_mut();
        if tree.folders.contains(file) {
            return Err(FileError::Foreign);
        }
        tree.files.remove(file);
        Ok(())
    }

    fn list(&mut self, folder: &str) -> Result<Vec<String>, FileError> {
        inside(folder);
        let tree = self.0.borrow();
        let within = |path: &String| Some(path.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
        let names = tree.files.keys().chain(&tree.folders).filter_map(within);
        Ok(names.filter(|name| !name.contains('/')).collect())
    }

    fn create_folder(&mut self, folder: &str) -> Result<(), FileError> {
        inside(folder);
        let mut tree = self.0.borrow_mut();
        Self::parent_exists(&tree, folder)?;
        if tree.files.contains_key(folder) {
            return Err(FileError::Foreign);
        }
        tree.folders.insert(folder.to_owned());
        Ok(())
    }

    fn remove_folder(&mut self, folder: &str) -> Result<bool, FileError> {
        inside(folder);
        let mut tree = self.0.borrow_mut();
        let mark = folder.to_owned() + "/";
        let empty = !tree.files.keys().chain(&tree.folders).any(|path| path.starts_with(&mark));
        if empty {
            tree.folders.remove(folder);
        }
        Ok(empty)
    }

    fn sync_folder(&mut self, folder: &str) -> Result<(), FileError> {
        match folder.is_empty() || self.0.borrow().folders.contains(folder) {
            true => Ok(()),
            false => Err(FileError::Missing),
        }
    }
}
