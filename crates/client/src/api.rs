//! The broker's local API as it is on the wire: JSON over HTTP on a Unix socket.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /v1/components` | | [`Components`] |
//! | `GET /v1/tees` | | [`Tees`] |
//! | `POST /v1/request` | [`ComponentRequest`] | [`Outcome`] |
//! | `POST /v1/unrequest` | [`ComponentRequest`] | [`Outcome`] |
//! | `POST /v1/policy-check` | | [`Outcome`] |
//! | `POST /v1/sessions` | [`OpenSession`] | [`Session`] |
//! | `GET /v1/sessions` | | [`Sessions`]: those of the asking user |
//! | `GET /v1/sessions/{id}` | | [`SessionState`] |
//! | `POST /v1/sessions/{id}/invoke` | [`Command`] | [`CommandResult`] |
//! | `POST /v1/sessions/{id}/commands/{number}` | the input, as it is | the output, as it is |
//! | `POST /v1/sessions/{id}/cancel` | | 204: the command under way, if there is one, was told to end |
//! | `DELETE /v1/sessions/{id}` | | 204 |
//! | `POST /v1/invoke` | [`Invocation`] | [`CommandResult`]; a session for one command |
//!
//! Errors are [`Problem`] with a 4xx or 5xx status. `docs/applications.md` lists which status means what, and how
//! input and output are streamed. For example:
//!
//! ```text
//! curl --unix-socket app.sock -X POST http://tee/v1/invoke \
//!      --json '{"component": "acme/hello", "command": 1, "input_text": "Ada"}'
//! ```

use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};

/// Names a component, and perhaps which TEE it is for and where it can be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRequest {
    /// The component identifier: segments joined by `/`.
    pub component: String,
    /// A TAM that has it. It is asked first if the device knows it, and ignored if not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tam_uri: Option<String>,
    /// What the TEE must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tee: Option<TeeRequirements>,
}

/// What a TEE must be to suit a request. What is absent does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeeRequirements {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its platform, such as `software`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The UUID of a vendor that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// The UUID of a class that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What it must be able to do, such as `webassembly`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<String>,
}

/// The TEEs of the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tees {
    /// One entry for each, those first that are preferred.
    pub tees: Vec<Tee>,
    /// Why others can't be reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<String>,
}

/// A TEE, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tee {
    /// The name that it was started with.
    pub name: String,
    /// Its platform, such as `software`.
    pub platform: String,
    /// The version of the code in it.
    pub version: String,
    /// UUIDs of its vendors.
    pub vendors: Vec<String>,
    /// UUIDs of its classes.
    pub classes: Vec<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// The TAMs that it was provisioned with, in the order in which they are asked.
    pub tam_uris: Vec<String>,
}

/// What a request led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Exchanges with TAMs that were run.
    pub exchanges: usize,
    /// What was refused in them, by whom and why: by the TEE to a TAM, such as a manifest, or by a TAM.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refusals: Vec<String>,
    /// The TEE that the request went to, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tee: Option<String>,
    /// Whether the component is installed now; absent where no component was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<bool>,
}

/// What is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Components {
    /// One entry for each component.
    pub components: Vec<Component>,
    /// Why some TEEs could not be asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unreachable: Vec<String>,
}

/// An installed component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The component identifier: segments joined by `/`.
    pub component: String,
    /// `application`, `data` or `security-domain`.
    pub kind: String,
    /// The security domain that it belongs to; empty for the device administrator's.
    pub domain: String,
    /// The identifier of the manifest that installed it.
    pub manifest: String,
    /// The manifest's sequence number.
    pub sequence_number: u64,
    /// Size in bytes.
    pub size: u64,
    /// Digest of the content in hexadecimal.
    pub digest: String,
    /// The TEE that it is in, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tee: Option<String>,
}

/// Opens a session, with data for the Trusted Application's decision or without.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// The Trusted Application's component identifier.
    pub component: String,
    /// Input as UTF-8 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_text: Option<String>,
    /// Input as base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_base64: Option<String>,
    /// What the TEE must be, where several hold the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tee: Option<TeeRequirements>,
}

impl OpenSession {
    /// With this input, and any TEE.
    #[must_use]
    pub fn with_input(component: impl Into<String>, input: &[u8]) -> Self {
        Self {
            component: component.into(),
            input_base64: Some(Base64::encode_string(input)),
            ..Self::default()
        }
    }
}

/// An open session. It belongs to the user who opened it, and ends when it is closed, when it is idle for ten
/// minutes, or when the TA goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its number.
    pub session: u64,
}

/// The sessions of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// One entry for each, in no order.
    pub sessions: Vec<SessionState>,
}

/// What a session does, and how its last command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionState {
    /// Its number.
    pub session: u64,
    /// The Trusted Application's component identifier.
    pub component: String,
    /// The command that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<u32>,
    /// How the last command ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<CommandEnd>,
    /// Whether the TEE has ended it: it takes no more commands.
    pub ended: bool,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandEnd {
    /// The command.
    pub command: u32,
    /// GlobalPlatform result code, where the command came to one; 0 is success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<u32>,
    /// What went wrong, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A command and its input, as text or as base64 or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// A number that the Trusted Application gives meaning.
    pub command: u32,
    /// Input as UTF-8 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_text: Option<String>,
    /// Input as base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_base64: Option<String>,
}

impl Command {
    /// A command with this input.
    #[must_use]
    pub fn new(command: u32, input: &[u8]) -> Self {
        Self {
            command,
            input_text: None,
            input_base64: Some(Base64::encode_string(input)),
        }
    }
}

/// Opens a session, invokes one command, closes the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invocation {
    /// The Trusted Application's component identifier.
    pub component: String,
    /// A number that the Trusted Application gives meaning.
    pub command: u32,
    /// Input as UTF-8 text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_text: Option<String>,
    /// Input as base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_base64: Option<String>,
    /// What the TEE must be, where several hold the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tee: Option<TeeRequirements>,
}

impl Invocation {
    /// A command with this input, and any TEE.
    #[must_use]
    pub fn new(component: impl Into<String>, command: u32, input: &[u8]) -> Self {
        Self {
            component: component.into(),
            command,
            input_text: None,
            input_base64: Some(Base64::encode_string(input)),
            tee: None,
        }
    }
}

/// What a command returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandResult {
    /// GlobalPlatform result code; 0 is success.
    pub result: u32,
    /// Output as base64.
    pub output_base64: String,
    /// Output as text, if it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_text: Option<String>,
}

/// The header with the GlobalPlatform result code of a streamed command, where it is known before the output
/// begins: `0x` and eight hexadecimal digits.
pub const RESULT_HEADER: &str = "tamarack-result";

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// In words.
    pub error: String,
    /// Who says so.
    pub origin: Origin,
    /// GlobalPlatform result code, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<u32>,
    /// What is not permitted, where that is the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Box<Denial>>,
}

/// Where an error comes from, as GlobalPlatform's return origins tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The broker: the request itself is wrong, not permitted, or too much.
    Broker,
    /// What is between the broker and the TEE or the TAM.
    Communication,
    /// The TEE, before or instead of the Trusted Application.
    Tee,
    /// The Trusted Application: `result` is what it returned.
    TrustedApplication,
}

/// What a user may not do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The user id of the application.
    pub user: u32,
    /// What it wanted to do, such as `open`.
    pub action: String,
    /// The component that it wanted to do this with, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The file whose rules do not allow it; absent where the broker was given none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
}
