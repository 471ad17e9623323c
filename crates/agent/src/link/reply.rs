use alloc::{
    borrow::ToOwned,
    string::{String, ToString},
    vec::Vec,
};

use tamarack_cose::cbor::{DecodeError, Type, Writer};

use super::{InstalledComponent, TeeDescription, chunk, open, uint32};

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
    /// Have a Verifier appraise this Evidence (Passport model).
    Appraise {
        /// Media type of the Evidence.
        media_type: String,
        /// The Evidence.
        evidence: Vec<u8>,
    },
    /// What is installed.
    Components(Vec<InstalledComponent>),
    /// What kind of TEE this is.
    Description(TeeDescription),
    /// A session is open.
    Session(u64),
    /// Send the next piece of the input of [`Call::InvokeStreaming`](super::Call::InvokeStreaming).
    NextInput,
    /// A piece of the output of [`Call::InvokeStreaming`](super::Call::InvokeStreaming): 1 to
    /// [`STREAM_CHUNK`](super::STREAM_CHUNK) bytes.
    OutputChunk(Vec<u8>),
    /// A command returned.
    Output {
        /// GlobalPlatform result code; 0 is success.
        result: u32,
        /// The command's output; of one that streams, what comes after its pieces.
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

/// Numbers of the replies, from 16 to 31.
mod number {
    pub(super) const NO_DATA: u64 = 16;
    pub(super) const OUTBOUND: u64 = 17;
    pub(super) const MESSAGE: u64 = 18;
    pub(super) const COMPONENTS: u64 = 19;
    pub(super) const FETCH: u64 = 20;
    pub(super) const SESSION: u64 = 21;
    pub(super) const OUTPUT: u64 = 22;
    pub(super) const FAILED: u64 = 23;
    pub(super) const APPRAISE: u64 = 25;
    pub(super) const DESCRIPTION: u64 = 24;
    pub(super) const NEXT_INPUT: u64 = 26;
    pub(super) const OUTPUT_CHUNK: u64 = 27;
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
            Self::Appraise {
                media_type,
                evidence,
            } => {
                w.array(3)
                    .uint(number::APPRAISE)
                    .text(media_type)
                    .bytes(evidence);
            }
            Self::Components(components) => {
                w.array(2).uint(number::COMPONENTS).array(components.len());
                components.iter().for_each(|component| component.write(w));
            }
            Self::Description(description) => {
                w.array(2).uint(number::DESCRIPTION);
                description.write(w);
            }
            Self::Session(session) => {
                w.array(2).uint(number::SESSION).uint(*session);
            }
            Self::NextInput => {
                w.array(1).uint(number::NEXT_INPUT);
            }
            Self::OutputChunk(chunk) => {
                w.array(2).uint(number::OUTPUT_CHUNK).bytes(chunk);
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
                number::NO_DATA | number::NEXT_INPUT => 0,
                number::MESSAGE
                | number::FETCH
                | number::COMPONENTS
                | number::SESSION
                | number::OUTPUT_CHUNK
                | number::DESCRIPTION => 1,
                number::OUTBOUND | number::OUTPUT | number::FAILED | number::APPRAISE => 2,
                _ => return None,
            })
        };
        let (number, mut reader) = open(bytes, items)?;
        let r = &mut reader;
        Ok(match number {
            number::OUTBOUND => Self::Outbound {
                tam_uri: r.text("outbound / tam-uri")?.to_owned(),
                message: match r.peek() {
                    Type::Null => None,
                    _ => Some(r.bytes("outbound / message")?.to_vec()),
                },
            },
            number::MESSAGE => Self::Message(r.bytes("message")?.to_vec()),
            number::FETCH => Self::Fetch {
                uri: r.text("fetch / uri")?.to_owned(),
            },
            number::APPRAISE => Self::Appraise {
                media_type: r.text("appraise / media-type")?.to_owned(),
                evidence: r.bytes("appraise / evidence")?.to_vec(),
            },
            number::COMPONENTS => {
                let mut components = Vec::new();
                for _ in 0..r.array("components")? {
                    components.push(InstalledComponent::read(r)?);
                }
                Self::Components(components)
            }
            number::DESCRIPTION => Self::Description(TeeDescription::read(r)?),
            number::SESSION => Self::Session(r.uint("session")?),
            number::NEXT_INPUT => Self::NextInput,
            number::OUTPUT_CHUNK => Self::OutputChunk(chunk(r, "output-chunk")?),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::{ComponentKind, STREAM_CHUNK};
    use alloc::vec;

    fn id(text: &str) -> tamarack_suit::ComponentId {
        text.parse().unwrap()
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
            Reply::Appraise {
                media_type: "application/eat+cwt".into(),
                evidence: vec![1],
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
            Reply::Description(TeeDescription {
                name: "first".into(),
                platform: "software".into(),
                version: "1".into(),
                vendors: vec![[1; 16]],
                classes: vec![[2; 16], [3; 16]],
                capabilities: vec!["webassembly".into()],
                tam_uris: vec![],
            }),
            Reply::Session(7),
            Reply::NextInput,
            Reply::OutputChunk(vec![3; STREAM_CHUNK]),
            Reply::Output {
                result: 0xffff_0000,
                output: vec![],
            },
            Reply::failed(1, "no"),
        ] {
            assert_eq!(Reply::decode(&reply.encode()), Ok(reply));
        }
    }

    #[test]
    fn pieces_of_output_have_content_and_a_bound() {
        for length in [0, STREAM_CHUNK + 1] {
            let frame = Reply::OutputChunk(vec![0; length]).encode();
            let error = Reply::decode(&frame).unwrap_err().to_string();
            assert!(error.contains("output-chunk"), "{error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn decoding_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = Reply::decode(&bytes);
        }
    }
}
