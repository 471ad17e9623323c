use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
};

use tamarack_cose::{CryptoProvider, rustcrypto};
use tamarack_rats::{RollbackDetection, TSM_REPORT, TsmReport};

use super::*;
use crate::hardening::Need;
use crate::platform::TeePlatform;

/// configfs-tsm as the kernel behaves: a folder that is made gets its files, each write counts, and a report is that of
/// the last write.
#[derive(Clone, Default)]
struct Configfs(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    entries: HashMap<PathBuf, Entry>,
    /// How many of the next reports somebody else disturbs, by writing between ours.
    intruders: usize,
    /// How many of the next reads of a report find another one in the making.
    busy: usize,
    /// What comes with reports, if the provider has anything.
    auxblob: Option<Vec<u8>>,
}

#[derive(Default)]
struct Entry {
    inblob: Vec<u8>,
    generation: u64,
}

impl Attributes for Configfs {
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        let entries = &mut self.0.lock().unwrap().entries;
        if entries.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        entries.insert(path.into(), Entry::default());
        Ok(())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let state = &mut *self.0.lock().unwrap();
        let entry = state.entries.get_mut(path.parent().unwrap());
        let entry = entry.ok_or(io::ErrorKind::NotFound)?;
        assert_eq!(
            path.file_name().unwrap(),
            "inblob",
            "the others are read-only"
        );
        if bytes.len() != 64 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        entry.inblob = bytes.into();
        entry.generation += 1;
        if state.intruders > 0 {
            state.intruders -= 1;
            entry.inblob = vec![0xee; 64];
            entry.generation += 1;
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = &mut *self.0.lock().unwrap();
        let entry = state.entries.get(path.parent().unwrap());
        let entry = entry.ok_or(io::ErrorKind::NotFound)?;
        match path.file_name().unwrap().to_str().unwrap() {
            "generation" => Ok(format!("{}\n", entry.generation).into_bytes()),
            "provider" => Ok(b"sev_guest\n".to_vec()),
            "outblob" if entry.inblob.is_empty() => Err(io::ErrorKind::InvalidInput.into()),
            "outblob" if state.busy > 0 => {
                state.busy -= 1;
                let kinds = [io::ErrorKind::WouldBlock, io::ErrorKind::ResourceBusy];
                Err(kinds[state.busy % 2].into())
            }
            "outblob" => Ok([b"report about ", &entry.inblob[..]].concat()),
            "auxblob" => state.auxblob.clone().ok_or(io::ErrorKind::NotFound.into()),
            _ => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

struct World {
    crypto: CryptoProvider,
    configfs: Configfs,
    dir: tempfile::TempDir,
    options: TsmOptions,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("report")).unwrap();
        let options = TsmOptions {
            report_dir: dir.path().join("report"),
            root_key: None,
        };
        Self {
            crypto: rustcrypto::provider(),
            configfs: Configfs::default(),
            dir,
            options,
        }
    }

    fn open(&self) -> Result<Device, PlatformFault> {
        let data = self.dir.path().join("data");
        let attributes = self.configfs.clone();
        Tsm::over(
            attributes,
            &data,
            &self.crypto,
            &DeviceOptions::default(),
            &self.options,
        )
    }

    fn report(&self, device: &Device, byte: u8) -> Result<TsmReport, PlatformFault> {
        let report = device.attester().hardware().unwrap().report(&[byte; 32])?;
        assert_eq!(report.media_type, TSM_REPORT);
        Ok(TsmReport::decode(&report.bytes).unwrap())
    }

    /// Puts a root key into a file of its own.
    fn give_root_key(&mut self, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join("given.key");
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        self.options.root_key = Some(path.clone());
        path
    }
}

fn about(byte: u8) -> Vec<u8> {
    [b"report about ", &[byte; 32][..], &[0; 32]].concat()
}

#[test]
fn a_report_is_about_what_it_was_asked_for() {
    let world = World::new();
    let device = world.open().unwrap();
    for byte in 1..4 {
        let report = world.report(&device, byte).unwrap();
        assert_eq!(report.provider, "sev_guest");
        assert_eq!(report.outblob, about(byte));
        assert_eq!(report.auxblob, b"");
    }
    assert_eq!(
        world.configfs.0.lock().unwrap().entries.len(),
        1,
        "one entry is used again and again"
    );
    world.configfs.0.lock().unwrap().auxblob = Some(b"certificates".to_vec());
    assert_eq!(world.report(&device, 1).unwrap().auxblob, b"certificates");
    world.configfs.0.lock().unwrap().auxblob = Some(vec![1; 60_000]);
    assert_eq!(world.report(&device, 1).unwrap().auxblob, b"", "no room");
}

#[test]
fn a_report_that_somebody_disturbs_is_made_again() {
    let world = World::new();
    let device = world.open().unwrap();
    for disturb in [
        (|state: &mut State| state.intruders = 3) as fn(&mut State),
        |state| state.busy = 5,
    ] {
        disturb(&mut world.configfs.0.lock().unwrap());
        assert_eq!(world.report(&device, 7).unwrap().outblob, about(7));
    }
    world.configfs.0.lock().unwrap().intruders = usize::MAX;
    let error = world.report(&device, 7).unwrap_err().to_string();
    assert!(error.contains("somebody else keeps using"), "{error}");
}

#[test]
fn what_a_crash_left_behind_is_used_again() {
    let world = World::new();
    let device = world.open().unwrap();
    world.report(&device, 1).unwrap();
    drop(device);
    let device = world.open().unwrap();
    assert_eq!(world.report(&device, 2).unwrap().outblob, about(2));
    assert_eq!(world.configfs.0.lock().unwrap().entries.len(), 1);
}

#[test]
fn the_device_stays_the_same_and_says_what_it_lacks() {
    let world = World::new();
    let first = world.open().unwrap();
    let again = world.open().unwrap();
    assert_eq!(first.root_key().bytes(), again.root_key().bytes());
    assert_eq!(first.identity(), again.identity());
    let attester = |device: &Device| *device.attester().key().public_key();
    assert_eq!(attester(&first), attester(&again));
    assert_eq!(first.name(), "tsm");
    let detection = first.counter().rollback_detection();
    assert_eq!(detection, RollbackDetection::Nothing);
    assert!(first.warning().unwrap().contains("lies in its folder"));
    let report_dir = world.options.report_dir.clone();
    assert_eq!(first.needs(), [Need::Write(report_dir)]);
    assert_eq!(
        first.identity().suit.classes,
        [tamarack_suit::Uuid::vendor("tamarack.example").class("tsm-tee")]
    );
}

#[test]
fn a_root_key_from_elsewhere_is_needed_and_has_to_be_the_same() {
    let mut world = World::new();
    let path = world.give_root_key(&[1; 40]);
    let first = world.open().unwrap();
    assert!(!world.dir.path().join("data/platform/root.key").exists());
    assert!(!first.warning().unwrap().contains("lies in its folder"));
    let again = world.open().unwrap();
    assert_eq!(first.root_key().bytes(), again.root_key().bytes());

    world.give_root_key(&[2; 40]);
    assert!(matches!(world.open(), Err(PlatformFault::Foreign { .. })));
    world.give_root_key(&[1; 31]);
    assert!(matches!(world.open(), Err(PlatformFault::Damaged { path: p, .. }) if p == path));
    world.give_root_key(&[1; 40]);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(world.open(), Err(PlatformFault::Exposed { .. })));
    world.options.root_key = None;
    let error = world.open().unwrap_err().to_string();
    assert!(error.contains("give it with --root-key"), "{error}");

    let mut other = World::new();
    other.open().unwrap();
    other.give_root_key(&[1; 40]);
    let error = other.open().unwrap_err().to_string();
    assert!(error.contains("start it without --root-key"), "{error}");
}

#[test]
fn where_there_is_no_security_module_nothing_is_made() {
    let mut world = World::new();
    world.options.report_dir = world.dir.path().join("nowhere");
    let error = world.open().unwrap_err().to_string();
    assert!(error.contains("confidential virtual machine"), "{error}");
    assert!(!world.dir.path().join("data").exists());
    // A folder that is none of configfs-tsm: the kernel puts no files into it.
    world.options.report_dir = world.dir.path().join("report");
    let data = world.dir.path().join("data");
    let device = Tsm::open(
        &data,
        &world.crypto,
        &DeviceOptions::default(),
        &world.options,
    );
    let device = device.unwrap();
    let report = device.attester().hardware().unwrap().report(&[0; 32]);
    let error = report.unwrap_err().to_string();
    assert!(error.contains("generation"), "{error}");
}
