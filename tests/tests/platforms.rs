//! The platforms of a TEE, as far as they need no hardware: the kernel's files are played by pipes and a thread.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    sync::Arc,
    thread,
};

use tamarack_agent::platform::Platform;
use tamarack_rats::{
    Evidence, Freshness, RollbackDetection, TSM_REPORT, TrustClaim, TrustTier, TsmReport, appraise,
};
use tamarack_tee::{
    Tee, endorsement,
    platform::{DeviceOptions, Tsm, TsmOptions},
};
use tamarack_tests::{
    crypto,
    system::{Folder, World, run},
    wasm::HELLO_1,
};

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success(), "{}", path.display());
}

/// Waits until somebody reads the pipe, and answers.
fn answer(path: &Path, answer: impl FnOnce() -> Vec<u8>) {
    let mut pipe = OpenOptions::new().write(true).open(path).unwrap();
    pipe.write_all(&answer()).unwrap();
    // Whoever reads next finds another pipe, before this reader is told that it has read all.
    fs::remove_file(path).unwrap();
    make_pipe(path);
}

/// Plays /dev/attestation in this folder.
fn play_gramine(dir: &Path) {
    fs::create_dir_all(dir.join("keys")).unwrap();
    fs::write(dir.join("attestation_type"), "dcap").unwrap();
    fs::write(dir.join("keys/_sgx_mrsigner"), [1; 16]).unwrap();
    let data = dir.join("user_report_data");
    fs::write(&data, [0; 64]).unwrap();
    let quote = dir.join("quote");
    make_pipe(&quote);
    thread::spawn(move || {
        loop {
            let about = || [&[3; 368][..], &fs::read(&data).unwrap(), b"signature"].concat();
            answer(&quote, about);
        }
    });
}

/// Plays the kernel in an entry of configfs-tsm.
fn play_tsm(entry: &Path) {
    let (inblob, outblob) = (entry.join("inblob"), entry.join("outblob"));
    let generation = entry.join("generation");
    fs::write(&generation, "0\n").unwrap();
    fs::write(entry.join("provider"), "tdx_guest\n").unwrap();
    make_pipe(&inblob);
    make_pipe(&outblob);
    thread::spawn(move || {
        for number in 1.. {
            let asked = fs::read(&inblob).unwrap();
            fs::write(&generation, format!("{number}\n")).unwrap();
            answer(&outblob, || [b"report about ", &asked[..]].concat());
        }
    });
}

#[test]
fn evidence_of_a_confidential_machine_holds_the_report_of_its_security_module() {
    let folder = Folder::new();
    let (data, reports) = (folder.path("data"), folder.path("report"));
    fs::create_dir(&reports).unwrap();
    let mut options = TsmOptions::default();
    options.report_dir = reports.clone().into();
    let device = Tsm::open(
        data.as_ref(),
        &crypto(),
        &DeviceOptions::default(),
        &options,
    );
    let tee = Tee::open(data.as_ref(), Arc::new(device.unwrap()), crypto()).unwrap();
    let teep_key = *tee.teep_keys()[0].public_key();
    let nonce = b"0123456789abcdef";
    // Nobody fills the entry that it makes.
    let error = tee.attest(Some(nonce), &teep_key).unwrap_err();
    assert!(error.to_string().contains("generation"), "{error}");
    let mut entries = fs::read_dir(&reports).unwrap();
    play_tsm(&entries.next().unwrap().unwrap().path());

    for _ in 0..2 {
        let made = tee.attest(Some(nonce), &teep_key).unwrap();
        let evidence = Evidence::decode(&made.bytes).unwrap();
        let known = endorsement(tee.platform());
        let claims = evidence.verify(&crypto(), &known.attester).unwrap();
        assert_eq!(claims.hwmodel.as_deref(), Some(&b"tsm"[..]));
        assert_eq!(claims.rollback_detection, Some(RollbackDetection::Nothing));
        let report = claims.hardware_report.as_ref().unwrap();
        assert_eq!(report.media_type, TSM_REPORT);
        let report = TsmReport::decode(&report.bytes).unwrap();
        assert_eq!(report.provider, "tdx_guest");
        let binding = claims.report_binding(&crypto(), &known.attester);
        let about = [b"report about ", &binding[..], &[0; 32]].concat();
        assert_eq!(report.outblob, about);
        // Who can't check the report affirms nothing of the hardware.
        let nonce = Freshness::Nonce(nonce);
        let found = appraise(&crypto(), &evidence, &known, nonce, tee.now()).unwrap();
        assert_eq!(found.unchecked.as_deref(), Some(TSM_REPORT));
        assert_eq!(found.vector.hardware, TrustClaim::NONE);
        assert_eq!(found.vector.tier(), TrustTier::Affirming);
    }
}

#[test]
fn an_enclave_is_served_and_its_quote_not_taken_for_checked() {
    let mut world = World::new();
    let dir = world.folder.join("attestation");
    play_gramine(&dir);
    world.publish("acme/hello", 1, HELLO_1, "acme");
    world.admin(&["deploy", "acme/hello", "--on-request"]).ok();
    let dir = world.path("attestation");
    let platform = ["--platform", "gramine", "--attestation-dir", &dir];
    let (tee, socket) = world.another_tee_on("enclave", &platform, &[]);
    let tam = world.wire.url();
    world.restart_broker(&["--tam", &tam, "--tee", &socket]);
    world
        .app(&["request", "acme/hello", "--tee", "enclave"])
        .ok();
    assert_eq!(
        world.greeting("acme/hello"),
        "Hello from inside the TEE, Ada!"
    );
    let said = tee.log();
    assert!(said.contains("TEE on the gramine platform"), "{said}");
    assert!(said.contains("no counter of its own"), "{said}");
    assert!(
        said.contains("nothing notices if its whole folder"),
        "{said}"
    );
    let said = world.tam.log();
    assert!(said.contains("a hardware report was not checked"), "{said}");
    assert!(
        said.contains("application/vnd.tamarack.sgx-quote"),
        "{said}"
    );
}

#[test]
fn a_folder_stays_on_its_platform() {
    let folder = Folder::new();
    let (software, enclave) = (folder.path("software"), folder.path("enclave"));
    let dir = folder.path("attestation");
    play_gramine(dir.as_ref());
    let gramine = ["--platform", "gramine", "--attestation-dir", &dir];
    let endorse = |data: &str, platform: &[&str]| {
        run(&[&["tee", "endorsement", "--data", data], platform].concat())
    };
    endorse(&software, &[]).ok();
    endorse(&enclave, &gramine).ok();
    endorse(&software, &gramine).fails(
        1,
        &[
            "made on the platform software, not gramine",
            "--platform software",
        ],
    );
    endorse(&enclave, &[]).fails(
        1,
        &[
            "made on the platform gramine, not software",
            "--platform gramine",
        ],
    );
    // Both are what they were.
    endorse(&software, &[]).ok();
    endorse(&enclave, &gramine).ok();
}

#[test]
fn options_of_another_platform_are_not_passed_over() {
    let folder = Folder::new();
    let data = folder.path("data");
    let endorse =
        |options: &[&str]| run(&[&["tee", "endorsement", "--data", &data], options].concat());
    endorse(&["--root-key", "file"]).fails(1, &["--root-key", "--platform tsm", "software"]);
    endorse(&["--platform", "gramine", "--tcti", "swtpm"]).fails(1, &["--tcti", "--platform tpm"]);
    endorse(&["--platform", "tpm", "--pcrs", "24"]).fails(2, &["from 0 to 23"]);
    endorse(&["--platform", "tsm", "--tsm-dir", "/nowhere"]).fails(1, &["/nowhere", "configfs"]);
    endorse(&["--platform", "gramine", "--attestation-dir", "/nowhere"])
        .fails(1, &["/nowhere/attestation_type", "Gramine"]);
    assert!(!folder.has("data"));
}

#[cfg(not(feature = "tpm"))]
#[test]
fn a_program_without_the_platform_tpm_says_how_to_get_it() {
    let folder = Folder::new();
    let data = folder.path("data");
    let endorse = ["tee", "endorsement", "--data", &data, "--platform", "tpm"];
    run(&endorse).fails(1, &["without the platform tpm", "--features tpm"]);
    assert!(!folder.has("data"));
}

#[test]
fn a_root_key_from_elsewhere_is_not_kept() {
    let folder = Folder::new();
    let (data, reports) = (folder.path("data"), folder.path("report"));
    fs::create_dir(&reports).unwrap();
    let key = folder.write("root", [7; 32]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let tsm = ["--platform", "tsm", "--tsm-dir", &reports];
    let endorse = |options: &[&str]| {
        let endorse = ["tee", "endorsement", "--data", &data];
        run(&[&endorse[..], &tsm, options].concat())
    };
    let first = endorse(&["--root-key", &key]).ok();
    assert_eq!(endorse(&["--root-key", &key]).ok(), first);
    endorse(&[]).fails(1, &["give it with --root-key"]);
    fs::write(&key, [8; 32]).unwrap();
    endorse(&["--root-key", &key]).fails(1, &["does not open under the root key"]);
}
