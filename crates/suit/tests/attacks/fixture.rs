//! One attack: a folder with envelopes, what is expected of them, and an explanation.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use tamarack_cose::{PublicKey, SymmetricKey, encrypt::RecipientKey};
use tamarack_suit::{ComponentId, Error, MemoryDevice, Processor, TrustAnchor, TrustAnchors};

use crate::common::*;

/// An attack as it is made, to be written to its folder.
pub struct Attack {
    pub name: &'static str,
    /// What the attacker does.
    attacker: &'static str,
    /// What must happen.
    must: &'static str,
    /// Which author has which prefix; an empty prefix is everything.
    rights: Vec<(u8, &'static str)>,
    /// What the device holds before: component and text.
    holds: Vec<(&'static str, &'static str)>,
    /// What else the Recipient trusts, and is able to; as it stands in `expect.json`.
    more: Map<String, Value>,
    steps: Vec<Step>,
}

/// One envelope that the Recipient is given.
struct Step {
    file: &'static str,
    envelope: Vec<u8>,
    expected: Expected,
    /// What the network serves: URI, file, content.
    served: Vec<(&'static str, &'static str, Vec<u8>)>,
}

/// What becomes of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    /// It is processed to its end.
    Accepted,
    /// Nothing is done, not even tried.
    Refused(String),
    /// What was done before it was found out is undone.
    RolledBack(String),
}

impl Attack {
    pub fn new(name: &'static str, attacker: &'static str, must: &'static str) -> Self {
        Self {
            name,
            attacker,
            must,
            rights: vec![(2, "")],
            holds: vec![],
            more: Map::new(),
            steps: vec![],
        }
    }

    pub fn rights(mut self, rights: &[(u8, &'static str)]) -> Self {
        self.rights = rights.to_vec();
        self
    }

    pub fn holding(mut self, component: &'static str, text: &'static str) -> Self {
        self.holds.push((component, text));
        self
    }

    /// Sets one of the further settings of the Recipient: see [`run`].
    pub fn setting(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.into(), value);
        self
    }

    pub fn accepted(self, file: &'static str, envelope: Vec<u8>) -> Self {
        self.step(file, envelope, Expected::Accepted)
    }

    /// The envelope is refused with this error (see [`name_of`]), and nothing was done.
    pub fn refused(self, file: &'static str, envelope: Vec<u8>, error: &str) -> Self {
        self.step(file, envelope, Expected::Refused(error.into()))
    }

    /// The envelope is found out by this error after something was done, which is undone.
    pub fn rolled_back(self, file: &'static str, envelope: Vec<u8>, error: &str) -> Self {
        self.step(file, envelope, Expected::RolledBack(error.into()))
    }

    fn step(mut self, file: &'static str, envelope: Vec<u8>, expected: Expected) -> Self {
        self.steps.push(Step {
            file,
            envelope,
            expected,
            served: vec![],
        });
        self
    }

    /// The network serves this during the last step.
    pub fn serving(mut self, uri: &'static str, file: &'static str, content: &[u8]) -> Self {
        let step = self.steps.last_mut().unwrap();
        step.served.push((uri, file, content.to_vec()));
        self
    }

    /// The files of the folder.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut steps = Vec::new();
        for step in &self.steps {
            let mut described = Map::new();
            described.insert("envelope".into(), json!(format!("{}.suit", step.file)));
            let (outcome, error) = match &step.expected {
                Expected::Accepted => ("accepted", None),
                Expected::Refused(error) => ("refused", Some(error)),
                Expected::RolledBack(error) => ("rolled back", Some(error)),
            };
            described.insert("outcome".into(), json!(outcome));
            if let Some(error) = error {
                described.insert("error".into(), json!(error));
            }
            for (uri, file, content) in &step.served {
                let served = described.entry("served").or_insert(json!({}));
                served[uri] = json!(file);
                files.insert((*file).to_owned(), content.clone());
            }
            steps.push(Value::Object(described));
            let twin = files.insert(format!("{}.suit", step.file), step.envelope.clone());
            assert!(twin.is_none(), "{}: {} twice", self.name, step.file);
        }
        let rights: Vec<_> = self
            .rights
            .iter()
            .map(|(author, prefix)| json!({ "author": author, "prefix": prefix }))
            .collect();
        let holds: Map<_, _> = self
            .holds
            .iter()
            .map(|(component, text)| ((*component).to_owned(), json!(text)))
            .collect();
        let mut expected = json!({ "trusted": rights, "steps": steps });
        if !holds.is_empty() {
            expected["holds"] = Value::Object(holds);
        }
        for (name, value) in &self.more {
            expected[name] = value.clone();
        }
        let mut expected = serde_json::to_string_pretty(&expected).unwrap();
        expected.push('\n');
        files.insert("expect.json".into(), expected.into_bytes());
        let readme = format!(
            "# {}\n\nThe attacker {}.\n\n{}\n",
            self.name.replace('-', " "),
            self.attacker,
            self.must
        );
        files.insert("README.md".into(), readme.into_bytes());
        files
    }

    pub fn write(&self) {
        let folder = folder(self.name);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, content) in self.files() {
            fs::write(folder.join(name), content).unwrap();
        }
    }

    /// The files that are checked in are those that are made.
    pub fn assert_current(&self) {
        let folder = folder(self.name);
        let mut there: Vec<_> = fs::read_dir(&folder)
            .unwrap_or_else(|_| panic!("{} is missing: {REWRITE}", self.name))
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort();
        let files = self.files();
        assert!(there.iter().eq(files.keys()), "{}: {REWRITE}", self.name);
        for (name, content) in files {
            let found = fs::read(folder.join(&name)).unwrap();
            // In which order members are written depends on the features of the JSON library.
            let same = match name.ends_with(".json") {
                true => json(&found) == json(&content),
                false => found == content,
            };
            assert!(same, "{}/{name}: {REWRITE}", self.name);
        }
    }
}

fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).unwrap()
}

const REWRITE: &str = "rewrite with TAMARACK_WRITE_FIXTURES=1";

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks")
}

fn folder(name: &str) -> PathBuf {
    root().join(name)
}

/// Runs the attack in a folder, from its files alone; returns what was not as expected.
///
/// Beside `trusted` and `holds`, `expect.json` may have `macs` (seeds of MAC keys that are trusted), `keys`
/// (public COSE_Keys in hexadecimal), `threshold`, `commands` (those that the authors may use), `decrypts` (the
/// seed of a key that wraps content keys), `metadata` (whether the device keeps it) and `waits` (whether it
/// can).
pub fn run(folder: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(
        readme.contains("The attacker ") && readme.lines().count() >= 5,
        "{name}"
    );
    let expected = fs::read_to_string(folder.join("expect.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let crypto = crypto();
    let numbers = |name: &str| -> Vec<u8> {
        let list = expected[name].as_array().into_iter().flatten();
        list.map(|seed| u8::try_from(seed.as_u64().unwrap()).unwrap())
            .collect()
    };
    let commands = expected["commands"].as_array();
    let rights = expected["trusted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trusted| {
            let seed = u8::try_from(trusted["author"].as_u64().unwrap()).unwrap();
            let prefix = trusted["prefix"].as_str().unwrap();
            // Whoever may install something may depend on anything.
            let anchor = TrustAnchor::new(author(seed).key)
                .with_prefixes([id(prefix)])
                .with_dependencies([ComponentId::default()]);
            match commands {
                Some(labels) => anchor.with_commands(labels.iter().map(|l| l.as_i64().unwrap())),
                None => anchor,
            }
        });
    let macs = numbers("macs")
        .into_iter()
        .map(|seed| TrustAnchor::new(mac_key(seed)));
    let keys = expected["keys"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|key| {
            let text = key.as_str().unwrap();
            let bytes = (0..text.len()).step_by(2);
            let bytes = bytes.map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap());
            let bytes: Vec<u8> = bytes.collect();
            TrustAnchor::new(PublicKey::from_cose_key(&bytes).unwrap())
        });
    let threshold = expected["threshold"].as_u64().unwrap_or(1);
    let anchors = TrustAnchors::new(&crypto, rights.chain(macs).chain(keys))
        .with_threshold(usize::try_from(threshold).unwrap());
    let decrypts: Vec<_> = expected["decrypts"]
        .as_u64()
        .map(|seed| RecipientKey::wrapping(&crypto, kek(u8::try_from(seed).unwrap())))
        .into_iter()
        .collect();
    let processor = Processor::new(&crypto, &anchors, &anchors).with_recipient_keys(&decrypts);
    let mut inner: MemoryDevice = device();
    for (component, text) in expected["holds"].as_object().into_iter().flatten() {
        inner.put(&id(component), text.as_str().unwrap().as_bytes());
    }
    if expected["metadata"] == json!(true) {
        inner.keep_metadata();
    }
    if expected["waits"] == json!(true) {
        inner.set_events([]);
    }
    let mut device = Recorder::new(inner);
    for step in expected["steps"].as_array().unwrap() {
        let file = step["envelope"].as_str().unwrap();
        let envelope = fs::read(folder.join(file)).unwrap();
        let mut server = Server::default();
        for (uri, file) in step["served"].as_object().into_iter().flatten() {
            let content = fs::read(folder.join(file.as_str().unwrap())).unwrap();
            server.files.insert(uri.clone(), content);
        }
        let before = Visible::of(&device.inner);
        let (outcome, effects) = device.observe(&mut server, |device, fetch| {
            processor.update_bytes(device, fetch, &envelope)
        });
        let found = match (&outcome.result, effects.is_empty()) {
            (Ok(()), _) => Expected::Accepted,
            (Err(error), true) => Expected::Refused(name_of(error)),
            (Err(error), false) => Expected::RolledBack(name_of(error)),
        };
        let error = || step["error"].as_str().unwrap().to_owned();
        let expected = match step["outcome"].as_str().unwrap() {
            "accepted" => Expected::Accepted,
            "refused" => Expected::Refused(error()),
            "rolled back" => Expected::RolledBack(error()),
            other => panic!("{name}/{file}: outcome {other}"),
        };
        if found != expected {
            let result = &outcome.result;
            wrong.push(format!(
                "{name}/{file}: expected {expected:?}, found {found:?}, {result:?}"
            ));
        }
        assert_eq!(outcome.report.result.is_success(), outcome.result.is_ok());
        if outcome.result.is_err() {
            assert_eq!(Visible::of(&device.inner), before, "{name}/{file}");
            let outside = |effect: &Effect| matches!(effect, Effect::Invoke(_) | Effect::Record(_));
            assert!(!effects.iter().any(outside), "{name}/{file}");
        }
    }
    wrong
}

/// A key that wraps content keys, from a seed.
pub fn kek(seed: u8) -> SymmetricKey {
    SymmetricKey::new([seed; 16])
}

/// The variant of an error, and of what could not be decoded in it.
pub fn name_of(error: &Error) -> String {
    let variant = |debug: String| {
        let end = debug.find(|c: char| !c.is_alphanumeric());
        debug[..end.unwrap_or(debug.len())].to_owned()
    };
    let name = variant(format!("{error:?}"));
    match error {
        Error::Decode(error) => format!("{name}({})", variant(format!("{:?}", error.problem))),
        Error::ActionFailed { action, why } => {
            format!("{name}({}, {})", action.name(), variant(format!("{why:?}")))
        }
        Error::ConditionFailed { condition, .. } => format!("{name}({})", condition.name()),
        _ => name,
    }
}
