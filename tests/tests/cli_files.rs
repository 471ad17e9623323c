//! How commands write files: whole or not at all, never over what they read, and into devices and pipes.

use std::{
    fs,
    ops::Deref,
    os::unix::fs::{FileTypeExt, PermissionsExt, symlink},
    process::{Command, Stdio},
    thread,
};

use tamarack_tests::system::{self, Finished, binary, tamarack};

/// A folder with a key pair, a payload, and a manifest that the key signed.
struct Folder(system::Folder);

impl Deref for Folder {
    type Target = system::Folder;

    fn deref(&self) -> &system::Folder {
        &self.0
    }
}

const APP: &str = "--component lamp/app --payload @app.bin -n 1";
const HSS: &str = "key generate --algorithm hss-lms --levels 5/8 --out @hss.key";
const ENCRYPT: &str = "manifest encrypt @app.bin --any-component --recipient @device.jwk";

impl Folder {
    fn new() -> Self {
        let this = Self(system::Folder::new());
        this.key("acme");
        this.write("app.bin", "lamp firmware, release 1");
        this.tamarack("key generate --algorithm a128kw --out @device.jwk")
            .ok();
        this.tamarack(&format!(
            "manifest create {APP} --key @acme.pem --out @lamp.suit"
        ))
        .ok();
        this
    }

    /// Runs a script, in the folder, that calls the binary `$tamarack`.
    #[track_caller]
    fn script(&self, script: &str) -> Finished {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(self.path(""));
        command.env("tamarack", binary()).stdin(Stdio::null());
        Finished::of(&[script], command)
    }

    /// Runs a command for whom every file is too large, as on a disk that is full.
    #[track_caller]
    fn without_space(&self, line: &str) -> Finished {
        let line = line.replace('@', "");
        self.script(&format!(
            "trap '' XFSZ; ulimit -f 0; exec \"$tamarack\" {line}"
        ))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("")).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    fn mode(&self, name: &str) -> u32 {
        let known = fs::metadata(self.path(name)).unwrap();
        known.permissions().mode() & 0o777
    }

    /// How many signatures the HSS/LMS key has made.
    fn numbers_used(&self) -> u64 {
        let shown = self.tamarack("--json key show @hss.key").json();
        shown["signatures"].as_u64().unwrap()
    }
}

#[test]
fn a_full_disk_leaves_what_was_there() {
    let folder = Folder::new();
    folder.key("other");
    let before = (folder.names(), folder.read("lamp.suit"));
    for line in [
        "manifest sign @lamp.suit --key @other.pem",
        "manifest create --component a --payload @app.bin -n 1 --out @lamp.suit",
        "manifest sever @lamp.suit --drop '#payload'",
        "manifest extract @lamp.suit --manifest --out @manifest.cbor",
        "key generate --out @new.pem --public @new.pub.pem",
        "key generate --algorithm hmac256 --out @new.jwk",
        "key generate --algorithm hss-lms --levels 5/8 --out @new.key",
        "key convert @acme.pem --format jwk --out @new.jwk",
    ] {
        folder.without_space(line).fails(1, &["too large"]);
        let after = (folder.names(), folder.read("lamp.suit"));
        assert_eq!(before, after, "{line}");
    }
}

#[test]
fn what_belongs_together_is_written_together() {
    let folder = Folder::new();
    let before = folder.names();
    for line in [
        "key generate --out @new.pem --public @nowhere/new.pub.pem",
        "key generate --algorithm hss-lms --levels 5/8 --out @new.key --public @nowhere/new.pub.pem",
    ] {
        let words = ["nowhere/new.pub.pem", "its folder does not exist"];
        folder.tamarack(line).fails(1, &words);
        assert_eq!(folder.names(), before, "{line}");
    }

    let encrypt = |out: &str| folder.tamarack(&format!("{ENCRYPT} {out}"));
    encrypt("--out @app.enc --info @app.info").ok();
    let old = folder.read("app.enc");
    encrypt("--out @app.enc --info @nowhere/app.info").fails(1, &["nowhere"]);
    assert_eq!(folder.read("app.enc"), old);
    folder.write("app.bin", "another");
    encrypt("--out @app.enc --info @app.info").ok();
    assert_ne!(folder.read("app.enc"), old);
}

#[test]
fn who_signs_one_file_waits_for_who_signs_it() {
    const HANDS: usize = 3;
    let folder = Folder::new();
    let file = folder.path("lamp.suit");
    let keys: Vec<String> = (0..HANDS)
        .map(|n| folder.key(&format!("hand-{n}")).0)
        .collect();
    thread::scope(|scope| {
        let hands: Vec<_> = keys
            .iter()
            .map(|key| scope.spawn(|| system::run(&["manifest", "sign", &file, "--key", key]).ok()))
            .collect();
        for hand in hands {
            hand.join().unwrap();
        }
    });
    let keys: String = (0..HANDS)
        .map(|n| format!(" --key @hand-{n}.pub.pem"))
        .collect();
    folder
        .tamarack(&format!("manifest verify @lamp.suit --all{keys}"))
        .ok();
    // Four are as many as are read.
    folder.key("other");
    let before = folder.read("lamp.suit");
    folder
        .tamarack("manifest sign @lamp.suit --key @other.pem")
        .fails(1, &["it has 4 signatures"]);
    assert_eq!(folder.read("lamp.suit"), before);
}

#[test]
fn outputs_go_through_links_and_into_pipes_and_devices() {
    let folder = Folder::new();
    let encrypt = |out: &str| folder.tamarack(&format!("{ENCRYPT} {out}"));

    symlink("app.enc", folder.path("link")).unwrap();
    for _ in ["a link that leads nowhere", "a link to a file"] {
        encrypt("--out @link --info @app.info").ok();
        assert!(folder.mode("link") == 0o644 && folder.mode("app.enc") == 0o644);
        assert!(
            fs::symlink_metadata(folder.path("link"))
                .unwrap()
                .is_symlink()
        );
    }
    symlink("lamp.suit", folder.path("current.suit")).unwrap();
    folder.key("other");
    folder
        .tamarack("manifest sign @current.suit --key @other.pem")
        .ok();
    folder
        .tamarack("manifest verify @lamp.suit --key @other.pub.pem")
        .ok();
    // What a file is allowed, it keeps.
    fs::set_permissions(folder.path("app.enc"), fs::Permissions::from_mode(0o640)).unwrap();
    encrypt("--out @app.enc --info @app.info").ok();
    assert_eq!(folder.mode("app.enc"), 0o640);
    fs::remove_file(folder.path("app.enc")).unwrap();
    let line = format!("umask 077; exec \"$tamarack\" {ENCRYPT} --out @app.enc --info @app.info");
    folder.script(&line.replace('@', "")).ok();
    assert_eq!(folder.mode("app.enc"), 0o600);

    encrypt("--out /dev/null --info @app.info").ok();
    folder
        .tamarack("manifest extract @lamp.suit --manifest --out /dev/null")
        .ok();
    assert!(
        fs::metadata("/dev/null")
            .unwrap()
            .file_type()
            .is_char_device()
    );

    folder.script("mkfifo pipe").ok();
    thread::scope(|scope| {
        let reader = scope.spawn(|| fs::read(folder.path("pipe")).unwrap());
        encrypt("--out @pipe --info @app.info").ok();
        assert!(!reader.join().unwrap().is_empty());
    });
    let kind = fs::symlink_metadata(folder.path("pipe")).unwrap();
    assert!(kind.file_type().is_fifo());
}

#[test]
fn no_output_takes_the_place_of_an_input_or_of_another_output() {
    let folder = Folder::new();
    folder.tamarack(HSS).ok();
    symlink("app.bin", folder.path("link")).unwrap();
    let files = || folder.names().into_iter().map(|name| folder.read(&name));
    let before: Vec<Vec<u8>> = files().collect();
    let run = "manifest run @lamp.suit --components @device --key @acme.pub.pem";
    for line in [
        format!("{ENCRYPT} --out @app.bin --info @i"),
        format!("{ENCRYPT} --out @link --info @i"),
        format!("{ENCRYPT} --out @x --info @x"),
        format!("{ENCRYPT} --out @device.jwk --info @i"),
        format!("{ENCRYPT} --out - --info -"),
        format!("manifest create {APP} --out @app.bin"),
        format!("manifest create {APP} --key @acme.pem --out @acme.pem"),
        format!("manifest create {APP} --key @hss.key --out @hss.key.state"),
        format!("manifest create {APP} --depends-on @lamp.suit --out @lamp.suit"),
        format!(
            "manifest create {APP} --uri u:x --encrypt-to @device.jwk --ciphertext @app.bin --out @x"
        ),
        format!(
            "manifest create {APP} --uri u:x --encrypt-to @device.jwk --ciphertext @x --out @x"
        ),
        // Each has a content key of its own.
        format!(
            "manifest create {APP} --uri u:x --component b --payload @app.bin --uri u:y --encrypt-to @device.jwk --out @x"
        ),
        "manifest sign @lamp.suit --key @acme.pem --out @acme.pem".into(),
        format!("{run} --report @lamp.suit"),
        format!("{run} --report @acme.pub.pem"),
        format!("{run} --fetch u:x=@app.bin --report @app.bin"),
        "key generate --out @k --public @k".into(),
        "key generate --algorithm hss-lms --levels 5/8 --out @k --public @k.state".into(),
        "key generate --out - --public -".into(),
        "key authority @acme.pem --subject CN=A --out @acme.pem".into(),
        "manifest diff - -".into(),
        "manifest verify - --key -".into(),
        "manifest sign - --key - --out @x".into(),
    ] {
        folder.tamarack(&line).fails(2, &["help:"]);
        assert!(before.iter().eq(&files().collect::<Vec<_>>()), "{line}");
    }
    // To sign in place is what the command is for, however it is said.
    folder
        .tamarack("manifest sign @lamp.suit --key @hss.key --out @lamp.suit")
        .ok();
}

#[test]
fn ciphertexts_are_named() {
    let folder = Folder::new();
    let line = format!("manifest create {APP} --uri u:x --encrypt-to @device.jwk --out @x");
    let made = folder.tamarack(&format!("--json {line}")).json();
    assert_eq!(made["ciphertexts"][0], folder.path("x.app.bin.enc"));
    let text = folder.tamarack(&line).ok();
    assert!(
        text.contains("x.app.bin.enc: ciphertext, 40 bytes"),
        "{text}"
    );
}

#[test]
fn a_full_standard_output_is_a_failure_and_a_closed_one_is_not() {
    let folder = Folder::new();
    for (line, code) in [
        ("manifest show @lamp.suit", 1),
        ("--json manifest show @lamp.suit", 1),
        ("manifest verify @lamp.suit --key @acme.pub.pem", 1),
        ("manifest extract @lamp.suit --manifest --out -", 1),
        ("manifest diff @lamp.suit @lamp.suit", 2),
        ("key show @acme.pem", 1),
        ("key show @acme.pem --format jwk", 1),
        ("key thumbprint @acme.pem", 1),
        ("--help", 1),
    ] {
        let line = line.replace('@', "");
        let full = format!("exec \"$tamarack\" {line} > /dev/full");
        folder
            .script(&full)
            .fails(code, &["standard output", "o space"]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = tamarack(&line.split(' ').collect::<Vec<_>>());
        command.current_dir(folder.path("")).stdout(writer);
        let output = command.stderr(Stdio::piped()).spawn().unwrap();
        let output = output.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{line}");
        assert!(output.stderr.is_empty(), "{line}: {output:?}");
    }
}

#[test]
fn hss_numbers_are_not_spent_on_places_that_can_not_be_written() {
    let folder = Folder::new();
    folder.tamarack(HSS).ok();
    folder.script("mkdir folder").ok();
    for out in ["@nowhere/x", "@folder", "@folder/", "@x/"] {
        for line in [
            "manifest sign @lamp.suit".to_owned(),
            format!("manifest create {APP}"),
        ] {
            let line = format!("{line} --key @hss.key --out {out}");
            folder.tamarack(&line).fails(1, &["folder"]);
        }
    }
    assert_eq!(folder.numbers_used(), 0);
    folder
        .tamarack("manifest sign @lamp.suit --key @hss.key")
        .ok();
    assert_eq!(folder.numbers_used(), 1);
    assert_eq!(folder.mode("hss.key.state"), 0o600);
}

#[test]
fn nothing_runs_that_can_not_be_reported() {
    let folder = Folder::new();
    let run = |line: &str| {
        folder.tamarack(&format!(
            "manifest run @lamp.suit --components @device {line}"
        ))
    };
    run("--key @acme.pub.pem --report @nowhere/report").fails(1, &["nowhere/report"]);
    run("--key @acme.pub.pem --payload-dir @nowhere").fails(1, &["--payload-dir", "nowhere"]);
    run("--key @acme.pub.pem --payload-dir @app.bin").fails(1, &["--payload-dir", "app.bin"]);
    assert!(!folder.has("device"));
    // Both failures are said.
    folder.key("other");
    let both = run("--key @other.pub.pem --report /dev/full");
    both.fails(1, &["lamp.suit: ", "; and /dev/full: no space"]);
    // The report is alone on standard output.
    let report = run("--key @acme.pub.pem --report -").bytes();
    tamarack_suit::Report::decode(&report).unwrap();
}

#[test]
fn a_dash_is_standard_input_and_output() {
    let folder = Folder::new();
    let encrypt = ENCRYPT.replace("@app.bin", "-").replace('@', "");
    let piped = format!("\"$tamarack\" {encrypt} --out app.enc --info app.info < app.bin");
    folder.script(&piped).ok();
    assert_eq!(
        folder.read("app.enc").len(),
        "lamp firmware, release 1".len() + 16
    );

    for command in ["key generate", "key convert @acme.pem --format pem"] {
        let key = folder.tamarack(&format!("{command} --out -")).ok();
        assert!(
            key.starts_with("-----BEGIN PRIVATE KEY-----\n"),
            "{command}"
        );
        assert!(key.ends_with("-----END PRIVATE KEY-----\n"), "{command}");
    }
    folder
        .tamarack("manifest extract @lamp.suit --all --out -")
        .fails(2, &["--all", "standard output", "folder"]);
    folder.key("other");
    let signed = "\"$tamarack\" manifest sign - --key other.pem < lamp.suit > signed.suit";
    folder.script(signed).ok();
    folder
        .tamarack("manifest verify @signed.suit --key @other.pub.pem")
        .ok();
    assert!(!folder.has("-"));
}
