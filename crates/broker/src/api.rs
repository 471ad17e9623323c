//! The local API for applications: JSON over HTTP on a Unix socket.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /v1/components` | | [`Components`] |
//! | `POST /v1/request` | [`ComponentRequest`] | [`Outcome`] |
//! | `POST /v1/unrequest` | [`ComponentRequest`] | [`Outcome`] |
//! | `POST /v1/policy-check` | | [`Outcome`] |
//! | `POST /v1/sessions` | [`OpenSession`] | [`Session`] |
//! | `POST /v1/sessions/{id}/invoke` | [`Command`] | [`CommandResult`] |
//! | `DELETE /v1/sessions/{id}` | | 204 |
//! | `POST /v1/invoke` | [`Invocation`] | [`CommandResult`]; a session for one command |
//!
//! Errors are [`Problem`] with a 4xx or 5xx status. For example:
//!
//! ```text
//! curl --unix-socket app.sock -X POST http://tee/v1/invoke \
//!      --json '{"component": "acme/hello", "command": 1, "input_text": "Ada"}'
//! ```

use serde::{Deserialize, Serialize};

/// Names a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRequest {
    /// The component identifier: segments joined by `/`.
    pub component: String,
}

/// What a request led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Exchanges with TAMs that were run.
    pub exchanges: usize,
    /// Whether the component is installed now; absent where no component was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<bool>,
}

/// What is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Components {
    /// One entry for each component.
    pub components: Vec<Component>,
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
}

/// Opens a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// The Trusted Application's component identifier.
    pub component: String,
}

/// An open session. It ends when it is closed, when it is idle for long, or when the TA goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its number.
    pub session: u64,
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

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// In words.
    pub error: String,
    /// GlobalPlatform result code, if the TEE gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<u32>,
}
