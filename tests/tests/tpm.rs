//! The platform `tpm`, on a TPM in software.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use tamarack_agent::platform::{Platform, StorageError};
use tamarack_cose::SignatureAlgorithm;
use tamarack_rats::{
    Appraisal, AppraisalError, Confirmation, Endorsement, Evidence, Finding, Freshness,
    RollbackDetection, TrustClaim, TrustTier, appraise,
};
use tamarack_tee::{
    Tee, TeeError, endorsement,
    platform::{Device, DeviceOptions, PlatformFault, TeePlatform, Tpm, TpmOptions},
};
use tamarack_tests::{
    crypto,
    swtpm::Swtpm,
    system::{Keys, Process, World, run, serve_tee},
    wasm::HELLO_1,
};
use tss_esapi::handles::PcrHandle;

const NONCE: &[u8] = b"0123456789abcdef";

/// A machine: a TPM and a folder.
struct Machine {
    tpm: Swtpm,
    folder: tempfile::TempDir,
    device: DeviceOptions,
    sealed_pcrs: Vec<u8>,
}

impl Machine {
    fn new() -> Self {
        Self {
            tpm: Swtpm::new(),
            folder: tempfile::tempdir().unwrap(),
            device: DeviceOptions::default(),
            sealed_pcrs: Vec::new(),
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn open(&self) -> Result<Device, PlatformFault> {
        let mut options = TpmOptions::default();
        options.tcti = self.tpm.tcti();
        options.sealed_pcrs.clone_from(&self.sealed_pcrs);
        Tpm::open(&self.data(), &crypto(), &self.device, &options)
    }

    fn tee(&self) -> Result<Tee, TeeError> {
        Tee::open(&self.data(), Arc::new(self.open()?), crypto())
    }
}

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, name) = entry
            .map(|entry| (entry.path(), entry.file_name()))
            .unwrap();
        match from.is_dir() {
            true => copy(&from, &to.join(name)),
            false => drop(fs::copy(&from, to.join(name)).unwrap()),
        }
    }
}

fn refused(result: Result<Device, PlatformFault>) -> String {
    result.map(drop).unwrap_err().to_string()
}

#[test]
fn the_device_stays_the_same_as_long_as_its_tpm() {
    let mut machine = Machine::new();
    let facts = |device: &Device| {
        let key = |signer: &dyn tamarack_cose::Signer| *signer.public_key();
        let teep: Vec<_> = device
            .teep_keys()
            .iter()
            .map(|signer| key(&**signer))
            .collect();
        let attester = key(device.attester().key());
        let encryption = device.encryption_keys().to_vec();
        (device.identity().clone(), attester, teep, encryption)
    };
    let first = facts(&machine.open().unwrap());
    assert_eq!(facts(&machine.open().unwrap()), first);
    machine.tpm.reboot();
    assert_eq!(facts(&machine.open().unwrap()), first);
    assert_eq!(first.0.ueid.len(), 17);

    // Prepared anew it is the same device, with other keys.
    fs::remove_dir_all(machine.data()).unwrap();
    let anew = facts(&machine.open().unwrap());
    assert_eq!(anew.0, first.0);
    assert_ne!(anew.1, first.1);
    let other = facts(&Machine::new().open().unwrap());
    assert_ne!(other.0.ueid, first.0.ueid);
}

#[test]
fn keys_in_the_tpm_and_in_sealed_files_sign() {
    let mut machine = Machine::new();
    let (esp256, ed25519) = (SignatureAlgorithm::Esp256, SignatureAlgorithm::Ed25519);
    machine.device.teep_algorithms = vec![ed25519, esp256];
    let device = machine.open().unwrap();
    let keys: Vec<&dyn tamarack_cose::Signer> =
        device.teep_keys().iter().map(|key| &**key).collect();
    let found: Vec<_> = keys
        .iter()
        .map(|key| key.public_key().algorithm())
        .collect();
    assert_eq!(found, [ed25519, esp256]);
    for key in keys.into_iter().chain([device.attester().key()]) {
        for message in [&b""[..], b"a message", &[7; 5000]] {
            let signature = key.sign(message).unwrap();
            let crypto = crypto();
            crypto
                .signatures
                .verify(key.public_key(), message, &signature)
                .unwrap();
        }
    }
    // Nothing in the folder is a key that could be used elsewhere.
    for entry in fs::read_dir(machine.data().join("platform")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        assert!(tamarack_cose::SecretKey::from_cose_key(&crypto(), &bytes).is_err());
    }
}

/// Makes Evidence, and appraises it.
fn attest(tee: &Tee, endorsement: &Endorsement) -> Result<Appraisal, AppraisalError> {
    let teep_key = *tee.teep_keys()[0].public_key();
    let made = tee.attest(Some(NONCE), &teep_key).unwrap();
    let evidence = Evidence::decode(&made.bytes).unwrap();
    let claims = evidence.unverified_claims();
    assert_eq!(claims.hwmodel.as_deref(), Some(&b"tpm"[..]));
    assert_eq!(claims.rollback_detection, Some(RollbackDetection::Hardware));
    let nonce = Freshness::Nonce(NONCE);
    let found = appraise(&crypto(), &evidence, endorsement, nonce, tee.now())?;
    assert_eq!(found.confirmation, Confirmation::Key(teep_key));
    Ok(found)
}

#[test]
fn evidence_quotes_what_was_booted() {
    let machine = Machine::new();
    let tee = machine.tee().unwrap();
    let known = endorsement(tee.platform());
    assert_eq!(
        Endorsement::from_json(&known.to_json()),
        Ok(known.clone()),
        "the file for the Verifier says all of it"
    );
    let pcrs: Vec<u8> = known.tpm.as_ref().unwrap().pcrs.keys().copied().collect();
    assert_eq!(pcrs, [0, 1, 2, 3, 4, 5, 6, 7]);
    let found = attest(&tee, &known).unwrap();
    assert_eq!(found.vector.hardware, TrustClaim::GENUINE_HARDWARE);
    assert_eq!(found.vector.tier(), TrustTier::Affirming);
    assert_eq!(found.unchecked, None);
    drop(tee);

    machine.tpm.extend(PcrHandle::Pcr7);
    let tee = machine.tee().unwrap();
    match attest(&tee, &known) {
        Err(AppraisalError::OutOfDate(found)) => {
            assert_eq!(found.components.len(), 1);
            assert_eq!(found.components[0].name, "PCR 7");
            assert_eq!(found.components[0].finding, Finding::Unknown);
        }
        other => panic!("{other:?}"),
    }
    // By the endorsement of another machine it is nobody.
    let mut other = endorsement(Machine::new().tee().unwrap().platform());
    other.ueid.clone_from(&known.ueid);
    other.attester = known.attester;
    assert!(matches!(
        attest(&tee, &other),
        Err(AppraisalError::Quote(tamarack_rats::QuoteFault::OtherKey))
    ));
}

#[test]
fn what_is_sealed_to_pcrs_opens_after_the_same_boot_only() {
    let mut machine = Machine::new();
    machine.sealed_pcrs = vec![4, 7, 11];
    drop(machine.open().unwrap());
    drop(machine.open().unwrap());
    machine.tpm.extend(PcrHandle::Pcr16);
    drop(machine.open().unwrap());
    machine.tpm.extend(PcrHandle::Pcr11);
    let error = refused(machine.open());
    assert!(error.contains("something else was booted"), "{error}");
    machine.tpm.reboot();
    machine.open().unwrap();
}

#[test]
fn another_tpm_opens_nothing() {
    let (machine, thief) = (Machine::new(), Machine::new());
    drop(machine.open().unwrap());
    copy(&machine.data(), &thief.data());
    let error = refused(thief.open());
    assert!(error.contains("made with another TPM"), "{error}");
    machine.open().unwrap();
}

/// Commits something, so that there is a newer state.
fn commit(tee: &Tee, value: &[u8]) {
    let mut transaction = tee.storage().begin().unwrap();
    let space = tamarack_agent::platform::Namespace::domain("acme");
    transaction.put(&space, b"name", value).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn an_older_copy_of_the_whole_folder_is_noticed() {
    let mut machine = Machine::new();
    let tee = machine.tee().unwrap();
    commit(&tee, b"old");
    drop(tee);
    let snapshot = machine.folder.path().join("snapshot");
    copy(&machine.data(), &snapshot);

    // A copy that is not older is none.
    fs::remove_dir_all(machine.data()).unwrap();
    copy(&snapshot, &machine.data());
    let tee = machine.tee().unwrap();
    commit(&tee, b"new");
    assert_eq!(tee.platform().counter().value().unwrap(), 2);
    drop(tee);

    fs::remove_dir_all(machine.data()).unwrap();
    copy(&snapshot, &machine.data());
    for _ in 0..2 {
        assert!(matches!(
            machine.tee().unwrap_err(),
            TeeError::Storage(StorageError::RolledBack)
        ));
        machine.tpm.reboot();
    }
    // Nor does it help to leave the storage away.
    fs::remove_file(machine.data().join("store.redb")).unwrap();
    assert!(matches!(
        machine.tee().unwrap_err(),
        TeeError::Storage(StorageError::RolledBack)
    ));
}

/// The first NV index of those that devices use.
const COUNTER: u32 = 0x0180_5400;

#[test]
fn a_counter_that_its_owner_removed_is_missed_and_can_not_be_replaced() {
    let machine = Machine::new();
    let tee = machine.tee().unwrap();
    commit(&tee, b"old");
    drop(tee);
    let snapshot = machine.folder.path().join("snapshot");
    copy(&machine.data(), &snapshot);
    let tee = machine.tee().unwrap();
    for n in 0..5 {
        commit(&tee, &[n]);
    }
    drop(tee);
    fs::remove_dir_all(machine.data()).unwrap();
    copy(&snapshot, &machine.data());

    machine.tpm.remove_counter(COUNTER);
    let error = refused(machine.open());
    assert!(error.contains("0x01805400 was removed"), "{error}");
    // Another in its place starts above all that there were: the first value of the device's, and six commits.
    assert!(machine.tpm.make_counter(COUNTER) > 1 + 6);
    // It could be raised to anything from there; but it is not the device's, which wants to be told what only the device
    // knows.
    match machine.tee() {
        Err(TeeError::Storage(StorageError::Failed(said))) => {
            assert!(said.contains("the counter in the TPM"), "{said}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_tpm_no_device() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = TpmOptions::default();
    options.tcti = "device:/nowhere".into();
    let opened = Tpm::open(
        &folder.path().join("data"),
        &crypto(),
        &DeviceOptions::default(),
        &options,
    );
    let error = refused(opened);
    assert!(
        error.contains("can't reach the TPM at device:/nowhere"),
        "{error}"
    );
    assert!(!folder.path().join("data").exists());
}

/// By the commands that the documents name, with the real binary.
#[test]
fn the_commands_notice_an_older_copy_of_the_whole_folder() {
    let machine = Machine::new();
    let folder = machine.folder.path();
    Keys::make(folder, "one", "esp256");
    Keys::make(folder, "two", "esp256");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (data, tcti, socket) = (path("data"), machine.tpm.tcti(), path("tee.sock"));
    let on_tpm = ["--data", &data, "--platform", "tpm", "--tcti", &tcti];
    let command = |command: &str, arguments: &[&str]| {
        run(&[&["tee", command], &on_tpm[..], arguments].concat())
    };
    command("trust", &["--signer-key", &path("one.pub.pem")]).ok();
    let endorsement = command("endorsement", &[]).json();
    assert!(endorsement["tpm"]["attestation_key"].is_object());
    assert_eq!(
        endorsement["tpm"]["pcrs"].as_object().unwrap().len(),
        8,
        "{endorsement}"
    );
    let software = ["tee", "trust", "--data", &data];
    run(&software).fails(1, &["made on the platform tpm", "--platform tpm"]);

    copy(&machine.data(), &folder.join("snapshot"));
    command("trust", &["--signer-key", &path("two.pub.pem")]).ok();
    let mut tee = Process::start(
        "tee",
        folder,
        &[&["tee", "serve"], &on_tpm[..], &["--socket", &socket]].concat(),
    );
    let log = tee.wait_until("it serves", || {
        let log = fs::read_to_string(path("tee.log")).unwrap();
        log.contains("serving on").then_some(log)
    });
    assert!(log.contains("TEE on the tpm platform"), "{log}");
    assert!(log.contains("a counter in hardware notices"), "{log}");
    assert!(log.contains("runs in the memory of this machine"), "{log}");
    drop(tee);

    fs::remove_dir_all(machine.data()).unwrap();
    copy(&folder.join("snapshot"), &machine.data());
    let older = ["replaced by an older copy"];
    command("serve", &["--socket", &socket]).fails(1, &older);
    command("trust", &[]).fails(1, &older);
}

/// With TAM, broker and TEE as processes.
#[test]
fn a_tam_attests_a_device_by_its_tpm_and_installs_on_it() {
    let mut tpm = Swtpm::new();
    let mut world = World::new();
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.admin(&["deploy", "acme/hello", "--on-request"]).ok();
    let tcti = tpm.tcti();
    let (tee, socket) =
        world.another_tee_on("gateway", &["--platform", "tpm", "--tcti", &tcti], &[]);
    let tam = world.wire.url();
    world.restart_broker(&["--tam", &tam, "--tee", &socket]);
    let request =
        |world: &World, component: &str| world.app(&["request", component, "--tee", "gateway"]);
    request(&world, "acme/hello").ok();
    assert_eq!(
        world.greeting("acme/hello"),
        "Hello from inside the TEE, Ada!"
    );
    drop(tee);

    // Something else is booted, and says so in its quote: the TAM does not serve it any more.
    tpm.reboot();
    tpm.extend(PcrHandle::Pcr2);
    world.publish("acme/other", 1, HELLO_1, "acme");
    world.admin(&["deploy", "acme/other", "--on-request"]).ok();
    let (data, tcti) = (world.path("gateway"), tpm.tcti());
    let on_tpm = ["--name", "gateway", "--platform", "tpm", "--tcti", &tcti];
    let _tee = serve_tee("gateway-again", &world.folder, &data, &socket, &on_tpm);
    let _ = request(&world, "acme/other");
    let said = world.tam.log();
    assert!(
        said.contains("PCR 2 differs from every reference"),
        "{said}"
    );
    assert_eq!(world.version("acme/other"), None);
}
