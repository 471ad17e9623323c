//! The link: what crosses the boundary of the TEE.
//!
//! The broker calls, the TEE answers; both are CBOR arrays that start with a number. The same frames
//! cross a Unix socket to a TEE process, and can cross a session to a trusted kernel, an enclave call or a
//! serial line. How frames are delimited is the carrier's business.
//!
//! One call is under way at a time on a link. While the TEE works on
//! [`Call::ProcessTeepMessage`] it may ask for a payload with [`Reply::Fetch`]; the broker then sends
//! [`Call::FetchChunk`]s and ends with [`Call::FetchEnd`] or [`Call::FetchFailed`], after which the TEE
//! goes on.

use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use tamarack_cose::cbor::{self, DecodeError, Limits, Problem, Reader, Type, Writer};
use tamarack_suit::ComponentId;

/// Longest TEEP message that crosses the link, in bytes: an Update with payloads of some megabytes fits.
pub const MAX_MESSAGE: usize = 8 << 20;

/// Longest frame in bytes: the longest message with room to spare.
pub const MAX_FRAME: usize = MAX_MESSAGE + 64 * 1024;

/// Most bytes of a payload in one [`Call::FetchChunk`].
pub const FETCH_CHUNK: usize = 64 * 1024;

const LIMITS: Limits = Limits {
    bytes: MAX_FRAME,
    depth: 8,
};

/// From the broker to the TEE. The first five are the conceptual API of RFC 9397 section 6.2.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// An application needs a component. The TAM URI is a suggestion.
    RequestTa {
        /// The component.
        component: ComponentId,
        /// Where the application's manifest says it can be had.
        tam_uri: Option<String>,
    },
    /// An application no longer needs a component.
    UnrequestTa {
        /// The component.
        component: ComponentId,
        /// Which TAM to tell if the agent knows none.
        tam_uri: Option<String>,
    },
    /// A message came from a TAM.
    ProcessTeepMessage {
        /// The URI of the exchange.
        tam_uri: String,
        /// The message as received.
        message: Vec<u8>,
    },
    /// It may be time to ask TAMs for changes.
    RequestPolicyCheck {
        /// TAMs that the broker was told of, for an agent that knows none.
        tam_uri: Option<String>,
    },
    /// A message could not be delivered.
    ProcessError {
        /// The URI of the exchange.
        tam_uri: String,
        /// What went wrong, in words.
        error: String,
    },
    /// What is installed?
    List,
    /// An application opens a session with a Trusted Application.
    OpenSession {
        /// The Trusted Application.
        component: ComponentId,
    },
    /// An application invokes a command.
    Invoke {
        /// From [`Reply::Session`].
        session: u64,
        /// The command, a number that the Trusted Application gives meaning.
        command: u32,
        /// The command's input.
        input: Vec<u8>,
    },
    /// An application closes a session.
    CloseSession {
        /// From [`Reply::Session`].
        session: u64,
    },
    /// A piece of the payload that the TEE asked for, at most [`FETCH_CHUNK`] bytes.
    FetchChunk(Vec<u8>),
    /// The payload is complete.
    FetchEnd,
    /// The payload can't be had.
    FetchFailed(String),
}

/// From the TEE to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Done; nothing to send.
    NoData,
    /// Start an exchange with this TAM.
    Outbound {
        /// Its URI.
        tam_uri: String,
        /// The first message; an empty body if there is none.
        message: Option<Vec<u8>>,
    },
    /// Send this to the TAM of the exchange.
    Message(Vec<u8>),
    /// Get this payload.
    Fetch {
        /// Where it is.
        uri: String,
    },
    /// What is installed.
    Components(Vec<InstalledComponent>),
    /// A session is open.
    Session(u64),
    /// A command returned.
    Output {
        /// GlobalPlatform result code; 0 is success.
        result: u32,
        /// The command's output.
        output: Vec<u8>,
    },
    /// The call could not be done.
    Failed {
        /// GlobalPlatform result code.
        result: u32,
        /// Why, in words.
        reason: String,
    },
}

/// A component as the TEE lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledComponent {
    /// Its identifier.
    pub component: ComponentId,
    /// What it is.
    pub kind: ComponentKind,
    /// The security domain that it belongs to; empty for the device administrator's.
    pub domain: String,
    /// The manifest that installed it.
    pub manifest: ComponentId,
    /// That manifest's sequence number.
    pub sequence_number: u64,
    /// Size in bytes.
    pub size: u64,
    /// Digest of the content in hexadecimal.
    pub digest: String,
}

/// What a component is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComponentKind {
    /// A Trusted Application.
    Application,
    /// Data, such as Personalization Data.
    Data,
    /// A security domain.
    SecurityDomain,
}

impl ComponentKind {
    /// The name for people and for JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Data => "data",
            Self::SecurityDomain => "security-domain",
        }
    }

    pub(crate) fn number(self) -> u64 {
        self as u64
    }

    pub(crate) fn from_number(number: u64) -> Option<Self> {
        [Self::Application, Self::Data, Self::SecurityDomain]
            .into_iter()
            .find(|kind| kind.number() == number)
    }
}

/// Frame numbers. Calls are below 16, replies from 16 on.
mod number {
    pub(super) const REQUEST_TA: u64 = 1;
    pub(super) const UNREQUEST_TA: u64 = 2;
    pub(super) const PROCESS_TEEP_MESSAGE: u64 = 3;
    pub(super) const REQUEST_POLICY_CHECK: u64 = 4;
    pub(super) const PROCESS_ERROR: u64 = 5;
    pub(super) const LIST: u64 = 6;
    pub(super) const OPEN_SESSION: u64 = 7;
    pub(super) const INVOKE: u64 = 8;
    pub(super) const CLOSE_SESSION: u64 = 9;
    pub(super) const FETCH_CHUNK: u64 = 10;
    pub(super) const FETCH_END: u64 = 11;
    pub(super) const FETCH_FAILED: u64 = 12;
    pub(super) const NO_DATA: u64 = 16;
    pub(super) const OUTBOUND: u64 = 17;
    pub(super) const MESSAGE: u64 = 18;
    pub(super) const COMPONENTS: u64 = 19;
    pub(super) const FETCH: u64 = 20;
    pub(super) const SESSION: u64 = 21;
    pub(super) const OUTPUT: u64 = 22;
    pub(super) const FAILED: u64 = 23;
}

fn optional_text(
    reader: &mut Reader<'_>,
    rule: &'static str,
) -> Result<Option<String>, DecodeError> {
    if reader.take_null() {
        Ok(None)
    } else {
        Ok(Some(reader.text(rule)?.to_owned()))
    }
}

fn write_optional_text(writer: &mut Writer, text: Option<&str>) {
    match text {
        Some(text) => writer.text(text),
        None => writer.null(),
    };
}

/// Opens a frame: checks it, reads its number, and compares the count of items after it.
fn open<'a>(
    bytes: &'a [u8],
    items: impl Fn(u64) -> Option<u64>,
) -> Result<(u64, Reader<'a>), DecodeError> {
    cbor::check(bytes, &LIMITS)?;
    let mut reader = Reader::new(bytes);
    let count = reader.array("link frame")?;
    let number = reader.uint("link frame / number")?;
    match items(number) {
        Some(items) if items + 1 == count => Ok((number, reader)),
        _ => Err(DecodeError::new(
            0,
            "link frame",
            Problem::Expected("a known frame"),
        )),
    }
}

fn uint32(reader: &mut Reader<'_>, rule: &'static str) -> Result<u32, DecodeError> {
    let error = reader.error(rule, Problem::OutOfBounds("32 bits"));
    u32::try_from(reader.uint(rule)?).map_err(|_| error)
}

impl Call {
    /// Encodes the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(|w| match self {
            Self::RequestTa { component, tam_uri } => {
                w.array(3).uint(number::REQUEST_TA);
                component.write(w);
                write_optional_text(w, tam_uri.as_deref());
            }
            Self::UnrequestTa { component, tam_uri } => {
                w.array(3).uint(number::UNREQUEST_TA);
                component.write(w);
                write_optional_text(w, tam_uri.as_deref());
            }
            Self::ProcessTeepMessage { tam_uri, message } => {
                w.array(3)
                    .uint(number::PROCESS_TEEP_MESSAGE)
                    .text(tam_uri)
                    .bytes(message);
            }
            Self::RequestPolicyCheck { tam_uri } => {
                w.array(2).uint(number::REQUEST_POLICY_CHECK);
                write_optional_text(w, tam_uri.as_deref());
            }
            Self::ProcessError { tam_uri, error } => {
                w.array(3)
                    .uint(number::PROCESS_ERROR)
                    .text(tam_uri)
                    .text(error);
            }
            Self::List => {
                w.array(1).uint(number::LIST);
            }
            Self::OpenSession { component } => {
                w.array(2).uint(number::OPEN_SESSION);
                component.write(w);
            }
            Self::Invoke {
                session,
                command,
                input,
            } => {
                w.array(4)
                    .uint(number::INVOKE)
                    .uint(*session)
                    .uint(u64::from(*command));
                w.bytes(input);
            }
            Self::CloseSession { session } => {
                w.array(2).uint(number::CLOSE_SESSION).uint(*session);
            }
            Self::FetchChunk(chunk) => {
                w.array(2).uint(number::FETCH_CHUNK).bytes(chunk);
            }
            Self::FetchEnd => {
                w.array(1).uint(number::FETCH_END);
            }
            Self::FetchFailed(reason) => {
                w.array(2).uint(number::FETCH_FAILED).text(reason);
            }
        })
    }

    /// Decodes a frame that came from the broker.
    ///
    /// # Errors
    ///
    /// If it is no call.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let items = |number| {
            Some(match number {
                number::LIST | number::FETCH_END => 0,
                number::REQUEST_POLICY_CHECK
                | number::OPEN_SESSION
                | number::CLOSE_SESSION
                | number::FETCH_CHUNK
                | number::FETCH_FAILED => 1,
                number::REQUEST_TA
                | number::UNREQUEST_TA
                | number::PROCESS_TEEP_MESSAGE
                | number::PROCESS_ERROR => 2,
                number::INVOKE => 3,
                _ => return None,
            })
        };
        let (number, mut reader) = open(bytes, items)?;
        let r = &mut reader;
        Ok(match number {
            number::REQUEST_TA => Self::RequestTa {
                component: ComponentId::read(r, "component-id")?,
                tam_uri: optional_text(r, "request-ta / tam-uri")?,
            },
            number::UNREQUEST_TA => Self::UnrequestTa {
                component: ComponentId::read(r, "component-id")?,
                tam_uri: optional_text(r, "unrequest-ta / tam-uri")?,
            },
            number::PROCESS_TEEP_MESSAGE => Self::ProcessTeepMessage {
                tam_uri: r.text("process-teep-message / tam-uri")?.to_owned(),
                message: r.bytes("process-teep-message / message")?.to_vec(),
            },
            number::REQUEST_POLICY_CHECK => Self::RequestPolicyCheck {
                tam_uri: optional_text(r, "request-policy-check / tam-uri")?,
            },
            number::PROCESS_ERROR => Self::ProcessError {
                tam_uri: r.text("process-error / tam-uri")?.to_owned(),
                error: r.text("process-error / error")?.to_owned(),
            },
            number::OPEN_SESSION => Self::OpenSession {
                component: ComponentId::read(r, "component-id")?,
            },
            number::INVOKE => Self::Invoke {
                session: r.uint("invoke / session")?,
                command: uint32(r, "invoke / command")?,
                input: r.bytes("invoke / input")?.to_vec(),
            },
            number::CLOSE_SESSION => Self::CloseSession {
                session: r.uint("close / session")?,
            },
            number::FETCH_CHUNK => Self::FetchChunk(r.bytes("fetch-chunk")?.to_vec()),
            number::FETCH_FAILED => Self::FetchFailed(r.text("fetch-failed")?.to_owned()),
            number::FETCH_END => Self::FetchEnd,
            // The table above lets nothing else through.
            _ => Self::List,
        })
    }
}

impl Reply {
    /// A failure with a GlobalPlatform result code.
    #[must_use]
    pub fn failed(result: u32, reason: impl ToString) -> Self {
        Self::Failed {
            result,
            reason: reason.to_string(),
        }
    }

    /// Encodes the frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(|w| match self {
            Self::NoData => {
                w.array(1).uint(number::NO_DATA);
            }
            Self::Outbound { tam_uri, message } => {
                w.array(3).uint(number::OUTBOUND).text(tam_uri);
                match message {
                    Some(message) => w.bytes(message),
                    None => w.null(),
                };
            }
            Self::Message(message) => {
                w.array(2).uint(number::MESSAGE).bytes(message);
            }
            Self::Fetch { uri } => {
                w.array(2).uint(number::FETCH).text(uri);
            }
            Self::Components(components) => {
                w.array(2).uint(number::COMPONENTS).array(components.len());
                components.iter().for_each(|component| component.write(w));
            }
            Self::Session(session) => {
                w.array(2).uint(number::SESSION).uint(*session);
            }
            Self::Output { result, output } => {
                w.array(3)
                    .uint(number::OUTPUT)
                    .uint(u64::from(*result))
                    .bytes(output);
            }
            Self::Failed { result, reason } => {
                w.array(3)
                    .uint(number::FAILED)
                    .uint(u64::from(*result))
                    .text(reason);
            }
        })
    }

    /// Decodes a frame that came from the TEE.
    ///
    /// # Errors
    ///
    /// If it is no reply.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let items = |number| {
            Some(match number {
                number::NO_DATA => 0,
                number::MESSAGE | number::FETCH | number::COMPONENTS | number::SESSION => 1,
                number::OUTBOUND | number::OUTPUT | number::FAILED => 2,
                _ => return None,
            })
        };
        let (number, mut reader) = open(bytes, items)?;
        let r = &mut reader;
        Ok(match number {
            number::OUTBOUND => Self::Outbound {
                tam_uri: r.text("outbound / tam-uri")?.to_owned(),
                message: match r.peek("outbound / message")? {
                    Type::Null => None,
                    _ => Some(r.bytes("outbound / message")?.to_vec()),
                },
            },
            number::MESSAGE => Self::Message(r.bytes("message")?.to_vec()),
            number::FETCH => Self::Fetch {
                uri: r.text("fetch / uri")?.to_owned(),
            },
            number::COMPONENTS => {
                let mut components = Vec::new();
                for _ in 0..r.array("components")? {
                    components.push(InstalledComponent::read(r)?);
                }
                Self::Components(components)
            }
            number::SESSION => Self::Session(r.uint("session")?),
            number::OUTPUT => Self::Output {
                result: uint32(r, "output / result")?,
                output: r.bytes("output / output")?.to_vec(),
            },
            number::FAILED => Self::Failed {
                result: uint32(r, "failed / result")?,
                reason: r.text("failed / reason")?.to_owned(),
            },
            // The table above lets nothing else through.
            _ => Self::NoData,
        })
    }
}

impl InstalledComponent {
    fn write(&self, w: &mut Writer) {
        w.array(7);
        self.component.write(w);
        w.uint(self.kind.number()).text(&self.domain);
        self.manifest.write(w);
        w.uint(self.sequence_number)
            .uint(self.size)
            .text(&self.digest);
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "installed-component";
        r.array_of(7, "an array of 7", rule)?;
        let component = ComponentId::read(r, "component-id")?;
        let unknown_kind = r.error(rule, Problem::Expected("a component kind"));
        let kind = ComponentKind::from_number(r.uint(rule)?).ok_or(unknown_kind)?;
        Ok(Self {
            component,
            kind,
            domain: r.text(rule)?.to_owned(),
            manifest: ComponentId::read(r, "component-id")?,
            sequence_number: r.uint(rule)?,
            size: r.uint(rule)?,
            digest: r.text(rule)?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn id(text: &str) -> ComponentId {
        text.parse().unwrap()
    }

    #[test]
    fn calls_round_trip() {
        let uri = || "http://tam.example/tam".to_owned();
        for call in [
            Call::RequestTa {
                component: id("acme/hello"),
                tam_uri: Some(uri()),
            },
            Call::UnrequestTa {
                component: id("acme/hello"),
                tam_uri: None,
            },
            Call::ProcessTeepMessage {
                tam_uri: uri(),
                message: vec![1, 2, 3],
            },
            Call::RequestPolicyCheck {
                tam_uri: Some(uri()),
            },
            Call::ProcessError {
                tam_uri: uri(),
                error: "timeout".into(),
            },
            Call::List,
            Call::OpenSession {
                component: id("acme/hello"),
            },
            Call::Invoke {
                session: u64::MAX,
                command: u32::MAX,
                input: vec![0],
            },
            Call::CloseSession { session: 1 },
            Call::FetchChunk(vec![9; 300]),
            Call::FetchEnd,
            Call::FetchFailed("gone".into()),
        ] {
            assert_eq!(Call::decode(&call.encode()), Ok(call));
        }
    }

    #[test]
    fn replies_round_trip() {
        for reply in [
            Reply::NoData,
            Reply::Outbound {
                tam_uri: "http://t".into(),
                message: None,
            },
            Reply::Outbound {
                tam_uri: "http://t".into(),
                message: Some(vec![1]),
            },
            Reply::Message(vec![1, 2]),
            Reply::Fetch {
                uri: "http://p".into(),
            },
            Reply::Components(vec![InstalledComponent {
                component: id("acme/hello"),
                kind: ComponentKind::Application,
                domain: "acme".into(),
                manifest: id("acme/hello/suit"),
                sequence_number: 3,
                size: 4,
                digest: "ab".into(),
            }]),
            Reply::Session(7),
            Reply::Output {
                result: 0xffff_0000,
                output: vec![],
            },
            Reply::failed(1, "no"),
        ] {
            assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
        }
    }

    proptest::proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Call::decode(&bytes);
            let _ = Reply::decode(&bytes);
        }
    }
}
