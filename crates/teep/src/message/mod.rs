//! The five messages, one module each, and what they share.

mod error;
mod options;
mod query_request;
mod query_response;
mod success;
mod update;

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{self, DecodeError, Limits, Problem, Reader, Writer};

use crate::{
    Encoding, Numbering, Order, Token,
    numbering::{Label, MessageType},
};
use options::{Options, OptionsWriter};

pub use error::Error;
pub use query_request::QueryRequest;
pub use query_response::{QueryResponse, RequestedComponent};
pub use success::Success;
pub use update::Update;

/// A TEEP message (section 4): the payload of the COSE object, without its protection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// From the TAM: who are you, what do you hold?
    QueryRequest(QueryRequest),
    /// From the agent: the answer to a QueryRequest.
    QueryResponse(QueryResponse),
    /// From the TAM: install, update, delete; or an error about the QueryResponse.
    Update(Update),
    /// From the agent: every manifest of the Update is installed.
    Success(Success),
    /// From the agent: something about the TAM's message failed.
    Error(Error),
}

impl Message {
    /// Decodes a message in either numbering, and says how it was encoded.
    ///
    /// Options that are not understood are passed over. A message counts as [`Numbering::Compact`] only
    /// where it makes no complete sense as [`Numbering::Sparse`] and does so in the compact numbering.
    ///
    /// # Errors
    ///
    /// The first violation of the CDDL, with offset and rule, read in the sparse numbering.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<(Self, Encoding), DecodeError> {
        let definite = cbor::to_definite(bytes, limits)?;
        let sparse = decode_as(&definite, Numbering::Sparse);
        if matches!(&sparse, Ok(Decoded { complete: true, .. })) {
            return sparse.map(Decoded::into_parts);
        }
        match decode_as(&definite, Numbering::Compact) {
            Ok(compact) if compact.complete => Ok(compact.into_parts()),
            _ => sparse.map(Decoded::into_parts),
        }
    }

    /// Encodes the message.
    #[must_use]
    pub fn encode(&self, encoding: Encoding) -> Vec<u8> {
        let numbering = encoding.numbering;
        let mut options = OptionsWriter::new(encoding);
        match self {
            Self::QueryRequest(message) => message.write_options(&mut options),
            Self::QueryResponse(message) => message.write_options(&mut options),
            Self::Update(message) => message.write_options(&mut options),
            Self::Success(message) => message.write_options(&mut options),
            Self::Error(message) => message.write_options(&mut options),
        }
        let kind = self.kind();
        Writer::build(|w| {
            w.array(elements(kind)).uint(kind.number(numbering));
            options.finish(w);
            match self {
                Self::QueryRequest(message) => message.write_elements(w),
                Self::Error(message) => {
                    w.uint(message.code.number(numbering));
                }
                _ => {}
            }
        })
    }

    /// The token of a message that is otherwise in disorder, so that the answer to it can be matched.
    pub(crate) fn find_token(bytes: &[u8], limits: &Limits) -> Option<Token> {
        let definite = cbor::to_definite(bytes, limits).ok()?;
        [Numbering::Sparse, Numbering::Compact]
            .into_iter()
            .find_map(|numbering| {
                let rule = "teep-message";
                let mut reader = Reader::new(&definite);
                reader.array(rule).ok()?;
                reader.skip(rule).ok()?;
                for _ in 0..reader.map(rule).ok()? {
                    let label = reader.raw(rule).ok()?;
                    let value = reader.raw(rule).ok()?;
                    let number = Reader::new(label).uint(rule).ok();
                    if number == Some(Label::Token.number(numbering)) {
                        let token = Reader::new(value).bytes(rule).ok();
                        return token.and_then(|token| Token::new(token.to_vec()));
                    }
                }
                None
            })
    }

    fn kind(&self) -> MessageType {
        match self {
            Self::QueryRequest(_) => MessageType::QueryRequest,
            Self::QueryResponse(_) => MessageType::QueryResponse,
            Self::Update(_) => MessageType::Update,
            Self::Success(_) => MessageType::Success,
            Self::Error(_) => MessageType::Error,
        }
    }

    /// The message's name in the draft.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::QueryRequest(_) => "QueryRequest",
            Self::QueryResponse(_) => "QueryResponse",
            Self::Update(_) => "Update",
            Self::Success(_) => "Success",
            Self::Error(_) => "Error",
        }
    }
}

macro_rules! into_message {
    ($($name:ident),*) => {$(
        impl From<$name> for Message {
            fn from(message: $name) -> Self {
                Self::$name(message)
            }
        }
    )*};
}

into_message!(QueryRequest, QueryResponse, Update, Success, Error);

/// The options that mean something in a message.
pub(crate) fn options_of(kind: MessageType) -> &'static [Label] {
    match kind {
        MessageType::QueryRequest => QueryRequest::OPTIONS,
        MessageType::QueryResponse => QueryResponse::OPTIONS,
        MessageType::Update => Update::OPTIONS,
        MessageType::Success => Success::OPTIONS,
        MessageType::Error => Error::OPTIONS,
    }
}

/// Elements of the message array, type and options included.
pub(crate) fn elements(kind: MessageType) -> usize {
    match kind {
        MessageType::QueryRequest => 5,
        MessageType::QueryResponse | MessageType::Update | MessageType::Success => 2,
        MessageType::Error => 3,
    }
}

struct Decoded {
    message: Message,
    encoding: Encoding,
    /// Every option has a meaning in this message.
    complete: bool,
}

impl Decoded {
    fn into_parts(self) -> (Message, Encoding) {
        (self.message, self.encoding)
    }
}

// req: TEEP-MSG-001
// req: TEEP-MSG-005
fn decode_as(bytes: &[u8], numbering: Numbering) -> Result<Decoded, DecodeError> {
    let mut reader = Reader::new(bytes);
    let count = reader.array("teep-message")?;
    let start = reader.clone();
    let number = reader.uint("teep-message / type")?;
    let kind = MessageType::from_number(number, numbering)
        .ok_or_else(|| start.error("teep-message / type", Problem::Expected("a message type")))?;
    if count != elements(kind) {
        let problem = Problem::Expected(match kind {
            MessageType::QueryRequest => "an array of 5",
            MessageType::Error => "an array of 3",
            _ => "an array of 2",
        });
        return Err(DecodeError::new(0, "teep-message", problem));
    }
    let mut options = Options::read(&mut reader, numbering, options_of(kind))?;
    let message = match kind {
        MessageType::QueryRequest => QueryRequest::read(&mut reader, &mut options)?.into(),
        MessageType::QueryResponse => QueryResponse::read(&mut options).into(),
        MessageType::Update => Update::read(&mut options).into(),
        MessageType::Success => Success::read(&mut options).into(),
        MessageType::Error => Error::read(&mut reader, numbering, &mut options)?.into(),
    };
    reader.end("teep-message")?;
    let order = if options.sorted {
        Order::Deterministic
    } else {
        Order::AsDefined
    };
    Ok(Decoded {
        message,
        encoding: Encoding { numbering, order },
        complete: options.unknown == 0,
    })
}

/// Evidence or an Attestation Result with its format (labels 7 and 13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestationPayload {
    /// The media type; `None` means an EAT in the TEEP profile, see [`crate::MediaType::teep_eat`].
    pub format: Option<String>,
    /// The payload, opaque at this level.
    pub bytes: Vec<u8>,
}

/// err-msg and err-lang (labels 12 and 22): for people, never acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Net-Unicode text, 1 to 128 bytes of UTF-8.
    pub text: String,
    /// RFC 5646 tag of the text's language, 1 to 35 bytes.
    pub language: Option<String>,
}

impl Explanation {
    /// An explanation in English. Longer text is cut to 128 bytes, control characters become spaces.
    ///
    /// ```
    /// let explanation = tamarack_teep::Explanation::english("disk full");
    /// assert_eq!(explanation.language.as_deref(), Some("en"));
    /// ```
    // req: TEEP-MSG-063
    #[must_use]
    pub fn english(text: &str) -> Self {
        let mut clean: String = text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        if clean.len() > 128 {
            let end = (0..=125)
                .rev()
                .find(|&end| clean.is_char_boundary(end))
                .unwrap_or(0);
            clean.truncate(end);
            clean.push('…');
        }
        if clean.is_empty() {
            clean.push('?');
        }
        Self {
            text: clean,
            language: Some("en".to_owned()),
        }
    }
}
