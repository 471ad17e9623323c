//! A file system in memory whose power can be cut.
//!
//! It forgets what it may: content that was not synced, and every creation, removal or renaming whose
//! folder was not synced, each by itself and in no particular order. Operations that change something
//! are counted.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part")]

#[path = "power.rs"]
mod power;

use std::{cell::RefCell, collections::BTreeMap, collections::BTreeSet, rc::Rc};

use tamarack_suit::directory::{FileError, Files};

pub use power::{Cut, Numbers, Survival};

/// What every path holds: content, or `None` for a folder.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// A handle to a file system; clones share it.
#[derive(Clone, Default)]
pub struct Storage(Rc<RefCell<Disk>>);

#[derive(Clone)]
struct Disk {
    nodes: Vec<Node>,
    /// Changes of names that may not survive, in their order.
    changes: Vec<Change>,
    operations: usize,
    cut: Option<Cut>,
    is_off: bool,
    /// Operations that find no room: from the first number, before the second.
    full: (usize, usize),
}

#[derive(Clone)]
enum Node {
    File {
        content: Vec<u8>,
        durable: Vec<u8>,
    },
    Folder {
        names: BTreeMap<String, usize>,
        durable: BTreeMap<String, usize>,
    },
    /// A link: nothing that the device may touch.
    Link,
}

/// What some names in some folders stand for from now on; it happens as a whole.
#[derive(Clone)]
struct Change(Vec<(usize, String, Option<usize>)>);

impl Default for Disk {
    fn default() -> Self {
        Self {
            nodes: vec![Node::folder()],
            changes: Vec::new(),
            operations: 0,
            cut: None,
            is_off: false,
            full: (0, 0),
        }
    }
}

impl Node {
    fn folder() -> Self {
        Self::Folder {
            names: BTreeMap::new(),
            durable: BTreeMap::new(),
        }
    }
}

/// How an operation goes.
enum Fate {
    Succeeds,
    /// It is carried out in half, then the power goes.
    Half,
    /// It is carried out, then the power goes.
    Last,
}

fn no_power() -> FileError {
    FileError::Other("no power".into())
}

impl Storage {
    /// An independent file system with the same state.
    pub fn duplicate(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }

    /// How many operations there were since the last reboot.
    pub fn operations(&self) -> usize {
        self.0.borrow().operations
    }

    pub fn cut(&self, cut: Cut) {
        self.0.borrow_mut().cut = Some(cut);
    }

    /// Makes the operations in a range find no room.
    pub fn fill(&self, full: (usize, usize)) {
        self.0.borrow_mut().full = full;
    }

    pub fn is_off(&self) -> bool {
        self.0.borrow().is_off
    }

    /// Takes the power away, if that has not happened, and gives it back.
    pub fn reboot(&self, survival: Survival) {
        self.0.borrow_mut().reboot(survival);
    }

    /// Everything that is visible now.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        self.0.borrow().list_all(0, "", &mut tree);
        tree
    }

    /// Puts a file there by other hands, on a folder that exists.
    pub fn put(&self, path: &str, content: &[u8]) {
        let node = Node::File {
            content: content.to_vec(),
            durable: content.to_vec(),
        };
        self.0.borrow_mut().put(path, node);
    }

    /// Puts a link there by other hands.
    pub fn link(&self, path: &str) {
        self.0.borrow_mut().put(path, Node::Link);
    }
}

impl Disk {
    fn operate(&mut self) -> Result<Fate, FileError> {
        self.read()?;
        let number = self.operations;
        self.operations += 1;
        if (self.full.0..self.full.1).contains(&number) {
            return Err(FileError::NoSpace);
        }
        match self.cut {
            Some(Cut::Before(at)) if at == number => {
                self.is_off = true;
                Err(no_power())
            }
            Some(Cut::Within(at)) if at == number => Ok(Fate::Half),
            Some(Cut::After(at)) if at == number => Ok(Fate::Last),
            _ => Ok(Fate::Succeeds),
        }
    }

    /// The end of an operation that was carried out.
    fn done(&mut self, fate: &Fate) -> Result<(), FileError> {
        match fate {
            Fate::Succeeds => Ok(()),
            Fate::Half | Fate::Last => {
                self.is_off = true;
                Err(no_power())
            }
        }
    }

    fn read(&self) -> Result<(), FileError> {
        match self.is_off {
            true => Err(no_power()),
            false => Ok(()),
        }
    }

    fn names(&self, folder: usize) -> Result<&BTreeMap<String, usize>, FileError> {
        match &self.nodes[folder] {
            Node::Folder { names, .. } => Ok(names),
            _ => Err(FileError::Foreign),
        }
    }

    fn folder(&self, path: &str) -> Result<usize, FileError> {
        path.split('/')
            .filter(|name| !name.is_empty())
            .try_fold(0, |folder, name| {
                let found = self.names(folder)?.get(name).copied();
                let found = found.ok_or(FileError::Missing)?;
                self.names(found).map(|_| found)
            })
    }

    fn parent<'p>(&self, path: &'p str) -> Result<(usize, &'p str), FileError> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        assert!(!["", ".", ".."].contains(&name), "{path}");
        Ok((self.folder(folder)?, name))
    }

    /// The node at a path, if there is one.
    fn find(&self, path: &str) -> Result<Option<usize>, FileError> {
        match self.parent(path) {
            Ok((folder, name)) => Ok(self.names(folder)?.get(name).copied()),
            Err(FileError::Missing) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn file(&mut self, path: &str) -> Result<(&mut Vec<u8>, &mut Vec<u8>), FileError> {
        let found = self.find(path)?.ok_or(FileError::Missing)?;
        match &mut self.nodes[found] {
            Node::File { content, durable } => Ok((content, durable)),
            _ => Err(FileError::Foreign),
        }
    }

    fn change(&mut self, change: Change) {
        self.assign(&change, false);
        self.changes.push(change);
    }

    fn assign(&mut self, change: &Change, durably: bool) {
        for (folder, name, node) in &change.0 {
            let Node::Folder { names, durable } = &mut self.nodes[*folder] else {
                panic!("no folder");
            };
            let names = if durably { durable } else { names };
            match node {
                Some(node) => names.insert(name.clone(), *node),
                None => names.remove(name),
            };
        }
    }

    fn put(&mut self, path: &str, node: Node) {
        let (folder, name) = self.parent(path).unwrap();
        let name = name.to_owned();
        self.nodes.push(node);
        let change = Change(vec![(folder, name, Some(self.nodes.len() - 1))]);
        self.assign(&change, false);
        self.assign(&change, true);
    }

    fn add(&mut self, path: &str, node: Node) -> Result<(), FileError> {
        let (folder, name) = self.parent(path)?;
        let name = name.to_owned();
        self.nodes.push(node);
        let node = self.nodes.len() - 1;
        self.change(Change(vec![(folder, name, Some(node))]));
        Ok(())
    }

    fn reboot(&mut self, survival: Survival) {
        let mut numbers = Numbers(match survival {
            Survival::Part(seed) => seed,
            _ => 0,
        });
        let mut survives = || match survival {
            Survival::Nothing => false,
            Survival::Everything => true,
            Survival::Part(_) => numbers.below(2) == 0,
        };
        let changes = std::mem::take(&mut self.changes);
        for change in changes {
            if survives() {
                self.assign(&change, true);
            }
        }
        for node in &mut self.nodes {
            match node {
                Node::Folder { names, durable } => names.clone_from(durable),
                Node::File { content, durable } if content != durable => {
                    match survival {
                        Survival::Nothing => content.clone_from(durable),
                        Survival::Everything => {}
                        Survival::Part(_) => {
                            // The length may have got through, and not all that is before it.
                            let first = durable.len().min(content.len());
                            content.truncate(first + numbers.below(content.len() - first + 1));
                            if numbers.below(2) == 0 && content.len() > first {
                                let hole = first + numbers.below(content.len() - first);
                                content[hole..].fill(0);
                            }
                        }
                    }
                    durable.clone_from(content);
                }
                Node::File { .. } | Node::Link => {}
            }
        }
        self.operations = 0;
        self.cut = None;
        self.is_off = false;
        self.full = (0, 0);
    }

    fn list_all(&self, folder: usize, path: &str, tree: &mut Tree) {
        for (name, node) in self.names(folder).unwrap() {
            let path = match path {
                "" => name.clone(),
                path => format!("{path}/{name}"),
            };
            match &self.nodes[*node] {
                Node::Folder { .. } => {
                    tree.insert(path.clone(), None);
                    self.list_all(*node, &path, tree);
                }
                Node::File { content, .. } => {
                    tree.insert(path, Some(content.clone()));
                }
                Node::Link => {
                    tree.insert(path, Some(b"-> elsewhere".to_vec()));
                }
            }
        }
    }
}

impl Files for Storage {
    fn length(&mut self, file: &str) -> Result<Option<u64>, FileError> {
        let disk = self.0.borrow();
        disk.read()?;
        match disk.find(file)?.map(|node| &disk.nodes[node]) {
            Some(Node::File { content, .. }) => Ok(Some(content.len() as u64)),
            Some(_) => Err(FileError::Foreign),
            None => Ok(None),
        }
    }

    fn read_at(&mut self, file: &str, offset: u64, buffer: &mut [u8]) -> Result<usize, FileError> {
        let mut disk = self.0.borrow_mut();
        disk.read()?;
        let (content, _) = disk.file(file)?;
        let rest = content
            .get(usize::try_from(offset).unwrap()..)
            .unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn create(&mut self, file: &str) -> Result<(), FileError> {
        let mut disk = self.0.borrow_mut();
        let fate = disk.operate()?;
        if disk.find(file)?.is_some() {
            return Err(FileError::Other("it exists".into()));
        }
        let node = Node::File {
            content: Vec::new(),
            durable: Vec::new(),
        };
        disk.add(file, node)?;
        disk.done(&fate)
    }

    fn append(&mut self, file: &str, bytes: &[u8]) -> Result<(), FileError> {
        let mut disk = self.0.borrow_mut();
        let fate = disk.operate()?;
        let bytes = match fate {
            Fate::Half => &bytes[..bytes.len() / 2],
            _ => bytes,
        };
        disk.file(file)?.0.extend_from_slice(bytes);
        disk.done(&fate)
    }

    fn sync(&mut self, file: &str) -> Result<(), FileError> {
        let mut disk = self.0.borrow_mut();
        let fate = disk.operate()?;
        let (content, durable) = disk.file(file)?;
        let length = match fate {
            Fate::Half => content.len() / 2,
            _ => content.len(),
        };
        *durable = content[..length].to_vec();
        disk.done(&fate)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), FileError> {
        let mut disk = self.0.borrow_mut();
        let fate = disk.operate()?;
        disk.file(from)?;
        if disk.find(to)?.is_some() {
            disk.file(to)?;
        }
        let node = disk.find(from)?;
        let (old, old_name) = disk.parent(from)?;
        let (new, new_name) = disk.parent(to)?;
        let change = Change(vec![
            (old, old_name.into(), None),
            (new, new_name.into(), node),
        ]);
        disk.change(change);
        disk.done(&fate)
    }

    fn remove(&mut self, file: &str) -> Result<(), FileError> {
        let mut disk = self.0.borrow_mut();
        let fate = disk.operate()?;
        if let Some(node) = disk.find(file)? {
            if matches!(disk.nodes[node], Node::Folder { .. }) {
                return Err(FileError::Foreign);
            }
            let (folder, name) = disk.parent(file)?;
            disk.change(Change(vec![(folder, name.into(), None)]));
        }
        disk.done(&fate)
    }

    fn list(&mut self, folder: &str) -> Result<Vec<String>, FileError> {
        let disk = self.0.borrow();
        disk.read()?;
        Ok(disk.names(disk.folder(folder)?)?.keys().cloned().collect())
    }

    fn create_folder(&mut self, folder: &str) -> Result<(), FileError> {
        let mut disk = self.0.borrow_mut();
        let fate = disk.operate()?;
        match disk.find(folder)? {
            Some(node) => disk.names(node).map(drop)?,
            None => disk.add(folder, Node::folder())?,
        }
        disk.done(&fate)
    }

    fn remove_folder(&mut self, folder: &str) -> Result<bool, FileError> {
        let mut disk = self.0.borrow_mut();
        let fate = disk.operate()?;
        if let Some(node) = disk.find(folder)? {
            if !disk.names(node)?.is_empty() {
                return disk.done(&fate).map(|()| false);
            }
            let (within, name) = disk.parent(folder)?;
            disk.change(Change(vec![(within, name.into(), None)]));
        }
        disk.done(&fate).map(|()| true)
    }

    /// Also makes durable what the folder's changes follow from.
    fn sync_folder(&mut self, folder: &str) -> Result<(), FileError> {
        let mut disk = self.0.borrow_mut();
        let fate = disk.operate()?;
        let folder = disk.folder(folder)?;
        let mut names = BTreeSet::new();
        let (mut durable, mut left) = (Vec::new(), Vec::new());
        for change in std::mem::take(&mut disk.changes).into_iter().rev() {
            let concerns = |(within, name, _): &(usize, String, Option<usize>)| {
                *within == folder || names.contains(&(*within, name.clone()))
            };
            if change.0.iter().any(concerns) {
                let touched = change.0.iter();
                names.extend(touched.map(|(within, name, _)| (*within, name.clone())));
                durable.push(change);
            } else {
                left.push(change);
            }
        }
        left.reverse();
        if matches!(fate, Fate::Half) {
            // Of what is to be made durable, the later half is not.
            let mut lost = durable.split_off(0);
            durable = lost.split_off(lost.len() / 2);
        }
        for change in durable.iter().rev() {
            disk.assign(change, true);
        }
        disk.changes = left;
        disk.done(&fate)
    }
}
