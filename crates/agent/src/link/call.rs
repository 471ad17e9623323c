use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Reader, Writer};
use tamarack_suit::ComponentId;

use super::{chunk, open, uint32};

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
    /// An exchange is over: is there another one to begin, for what it found missing?
    NextExchange,
    /// What is installed?
    List,
    /// What kind of TEE is this?
    Describe,
    /// An application opens a session with a Trusted Application.
    OpenSession {
        /// The Trusted Application.
        component: ComponentId,
        /// The user id of the application, where the broker knows it. Nobody vouches for what a broker says.
        user: Option<u32>,
        /// Data for the Trusted Application's decision on the session.
        input: Vec<u8>,
    },
    /// An application invokes a command whose input and output fit into a frame.
    Invoke {
        /// From [`Reply::Session`](super::Reply::Session).
        session: u64,
        /// The command, a number that the Trusted Application gives meaning.
        command: u32,
        /// The command's input.
        input: Vec<u8>,
    },
    /// An application invokes a command whose input and output are streamed.
    InvokeStreaming {
        /// From [`Reply::Session`](super::Reply::Session).
        session: u64,
        /// The command, a number that the Trusted Application gives meaning.
        command: u32,
    },
    /// The next piece of the input that the TEE asked for: 1 to [`STREAM_CHUNK`](super::STREAM_CHUNK) bytes.
    InputChunk(Vec<u8>),
    /// The input is complete.
    InputEnd,
    /// The rest of the input can't be had: the application went away, say.
    InputFailed(String),
    /// The command that is under way in a session should end soon. Sent on a connection of its own; the command's
    /// connection still gets its reply.
    Cancel {
        /// From [`Reply::Session`](super::Reply::Session).
        session: u64,
    },
    /// An application closes a session.
    CloseSession {
        /// From [`Reply::Session`](super::Reply::Session).
        session: u64,
    },
    /// A piece of the payload that the TEE asked for: 1 to [`FETCH_CHUNK`](super::FETCH_CHUNK) bytes.
    FetchChunk(Vec<u8>),
    /// The payload is complete.
    FetchEnd,
    /// The payload can't be had.
    FetchFailed(String),
    /// The Attestation Result that the TEE asked for.
    Appraised {
        /// Its media type.
        media_type: String,
        /// The result.
        result: Vec<u8>,
    },
    /// No Attestation Result can be had.
    AppraisalFailed(String),
}

/// Numbers of the calls, below 16 and from 32 on.
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
    pub(super) const APPRAISED: u64 = 14;
    pub(super) const APPRAISAL_FAILED: u64 = 15;
    pub(super) const DESCRIBE: u64 = 13;
    pub(super) const INVOKE_STREAMING: u64 = 32;
    pub(super) const INPUT_CHUNK: u64 = 33;
    pub(super) const INPUT_END: u64 = 34;
    pub(super) const INPUT_FAILED: u64 = 35;
    pub(super) const CANCEL: u64 = 36;
    pub(super) const NEXT_EXCHANGE: u64 = 37;
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
            Self::NextExchange => {
                w.array(1).uint(number::NEXT_EXCHANGE);
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
            Self::Describe => {
                w.array(1).uint(number::DESCRIBE);
            }
            Self::OpenSession {
                component,
                user,
                input,
            } => {
                w.array(4).uint(number::OPEN_SESSION);
                component.write(w);
                match user {
                    Some(user) => w.uint(u64::from(*user)),
                    None => w.null(),
                };
                w.bytes(input);
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
            Self::InvokeStreaming { session, command } => {
                w.array(3)
                    .uint(number::INVOKE_STREAMING)
                    .uint(*session)
                    .uint(u64::from(*command));
            }
            Self::InputChunk(chunk) => {
                w.array(2).uint(number::INPUT_CHUNK).bytes(chunk);
            }
            Self::InputEnd => {
                w.array(1).uint(number::INPUT_END);
            }
            Self::InputFailed(reason) => {
                w.array(2).uint(number::INPUT_FAILED).text(reason);
            }
            Self::Cancel { session } => {
                w.array(2).uint(number::CANCEL).uint(*session);
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
            Self::Appraised { media_type, result } => {
                w.array(3)
                    .uint(number::APPRAISED)
                    .text(media_type)
                    .bytes(result);
            }
            Self::AppraisalFailed(reason) => {
                w.array(2).uint(number::APPRAISAL_FAILED).text(reason);
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
                number::LIST
                | number::DESCRIBE
                | number::NEXT_EXCHANGE
                | number::FETCH_END
                | number::INPUT_END => 0,
                number::REQUEST_POLICY_CHECK
                | number::INPUT_CHUNK
                | number::INPUT_FAILED
                | number::CANCEL
                | number::CLOSE_SESSION
                | number::FETCH_CHUNK
                | number::FETCH_FAILED
                | number::APPRAISAL_FAILED => 1,
                number::REQUEST_TA
                | number::UNREQUEST_TA
                | number::PROCESS_TEEP_MESSAGE
                | number::PROCESS_ERROR
                | number::INVOKE_STREAMING
                | number::APPRAISED => 2,
                number::INVOKE | number::OPEN_SESSION => 3,
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
                user: if r.take_null() {
                    None
                } else {
                    Some(uint32(r, "open / user")?)
                },
                input: r.bytes("open / input")?.to_vec(),
            },
            number::INVOKE => Self::Invoke {
                session: r.uint("invoke / session")?,
                command: uint32(r, "invoke / command")?,
                input: r.bytes("invoke / input")?.to_vec(),
            },
            number::INVOKE_STREAMING => Self::InvokeStreaming {
                session: r.uint("invoke-streaming / session")?,
                command: uint32(r, "invoke-streaming / command")?,
            },
            number::INPUT_CHUNK => Self::InputChunk(chunk(r, "input-chunk")?),
            number::INPUT_END => Self::InputEnd,
            number::INPUT_FAILED => Self::InputFailed(r.text("input-failed")?.to_owned()),
            number::CANCEL => Self::Cancel {
                session: r.uint("cancel / session")?,
            },
            number::CLOSE_SESSION => Self::CloseSession {
                session: r.uint("close / session")?,
            },
            number::FETCH_CHUNK => Self::FetchChunk(chunk(r, "fetch-chunk")?),
            number::FETCH_FAILED => Self::FetchFailed(r.text("fetch-failed")?.to_owned()),
            number::FETCH_END => Self::FetchEnd,
            number::APPRAISED => Self::Appraised {
                media_type: r.text("appraised / media-type")?.to_owned(),
                result: r.bytes("appraised / result")?.to_vec(),
            },
            number::APPRAISAL_FAILED => {
                Self::AppraisalFailed(r.text("appraisal-failed")?.to_owned())
            }
            number::DESCRIBE => Self::Describe,
            number::NEXT_EXCHANGE => Self::NextExchange,
            // The table above lets nothing else through.
            _ => Self::List,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::STREAM_CHUNK;
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
            Call::NextExchange,
            Call::List,
            Call::Describe,
            Call::OpenSession {
                component: id("acme/hello"),
                user: None,
                input: vec![],
            },
            Call::OpenSession {
                component: id("acme/hello"),
                user: Some(u32::MAX),
                input: vec![1, 2],
            },
            Call::Invoke {
                session: u64::MAX,
                command: u32::MAX,
                input: vec![0],
            },
            Call::InvokeStreaming {
                session: u64::MAX,
                command: u32::MAX,
            },
            Call::InputChunk(vec![9; STREAM_CHUNK]),
            Call::InputEnd,
            Call::InputFailed("gone".into()),
            Call::Cancel { session: 1 },
            Call::CloseSession { session: 1 },
            Call::FetchChunk(vec![9; 300]),
            Call::FetchEnd,
            Call::FetchFailed("gone".into()),
            Call::Appraised {
                media_type: "application/eat+cwt".into(),
                result: vec![7],
            },
            Call::AppraisalFailed("no".into()),
        ] {
            assert_eq!(Call::decode(&call.encode()), Ok(call));
        }
    }

    #[test]
    fn pieces_have_content_and_a_bound() {
        for length in [0, STREAM_CHUNK + 1] {
            for (call, name) in [
                (Call::InputChunk(vec![0; length]), "input-chunk"),
                (Call::FetchChunk(vec![0; length]), "fetch-chunk"),
            ] {
                let error = Call::decode(&call.encode()).unwrap_err().to_string();
                assert!(error.contains(name), "{error}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Call::decode(&bytes);
        }
    }
}
