use tamarack_cose::{SignatureAlgorithm, cbor::Writer};
use tamarack_teep::{
    Challenge, CipherSuite, DataItems, Encoding, Error, Message, QueryRequest, Success,
    SuitCoseProfile, Token, Update, protect,
};

use crate::{Person, crypto};

/// A TAM that says what a test tells it to.
#[derive(Default)]
pub struct Tam {
    /// The key that signs its messages.
    pub key: Person,
}

impl Tam {
    /// A TAM with a new ESP256 key.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A TAM that signs with this algorithm.
    #[must_use]
    pub fn with(algorithm: SignatureAlgorithm) -> Self {
        let key = Person::with(algorithm);
        Self { key }
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(&self, message: impl Into<Message>) -> Vec<u8> {
        self.sign_as(message, Encoding::default())
    }

    /// Signs a message in this encoding.
    #[must_use]
    pub fn sign_as(&self, message: impl Into<Message>, encoding: Encoding) -> Vec<u8> {
        protect(&crypto(), self.key.signer(), &message.into(), encoding).unwrap()
    }

    /// Signs a message under this protected header, right or wrong; a tagged COSE_Sign1.
    #[must_use]
    pub fn sign_under(&self, protected: &[u8], message: impl Into<Message>) -> Vec<u8> {
        let payload = message.into().encode(Encoding::default());
        let to_be_signed = Writer::build(|w| {
            w.array(4)
                .text("Signature1")
                .bytes(protected)
                .bytes(&[])
                .bytes(&payload);
        });
        let signature = self.key.signer().sign(&to_be_signed).unwrap();
        Writer::build(|w| {
            w.tag(18)
                .array(4)
                .bytes(protected)
                .map(0)
                .bytes(&payload)
                .bytes(&signature);
        })
    }

    /// A token that was never used.
    #[must_use]
    pub fn token() -> Token {
        Token::new(crypto().random_array::<16>().unwrap().to_vec()).unwrap()
    }

    /// A QueryRequest that asks for attestation and components.
    #[must_use]
    pub fn query() -> QueryRequest {
        let challenge = crypto().random_array::<32>().unwrap().to_vec();
        QueryRequest {
            challenge: Challenge::new(challenge),
            data_items: DataItems::ATTESTATION | DataItems::TRUSTED_COMPONENTS,
            ..Self::plain_query()
        }
    }

    /// A QueryRequest that asks for nothing, and has a token.
    #[must_use]
    pub fn plain_query_with(token: Token) -> QueryRequest {
        QueryRequest {
            token: Some(token),
            ..Self::plain_query()
        }
    }

    /// A QueryRequest with the mandatory lists and nothing else.
    #[must_use]
    pub fn plain_query() -> QueryRequest {
        QueryRequest {
            supported_teep_cipher_suites: CipherSuite::ALGORITHMS.map(CipherSuite::sign1).into(),
            supported_suit_cose_profiles: SuitCoseProfile::ALL.into(),
            ..QueryRequest::default()
        }
    }

    /// An Update with a fresh token that installs these envelopes.
    #[must_use]
    pub fn install(envelopes: &[&[u8]]) -> Update {
        Update {
            token: Some(Self::token()),
            manifest_list: envelopes.iter().map(|envelope| envelope.to_vec()).collect(),
            ..Update::default()
        }
    }

    /// An Update with a fresh token that unlinks these manifests.
    #[must_use]
    pub fn unlink(manifests: &[&str]) -> Update {
        Update {
            token: Some(Self::token()),
            unneeded_manifest_list: manifests.iter().map(|text| crate::id(text)).collect(),
            ..Update::default()
        }
    }
}

/// The message, which must be an Error.
#[track_caller]
pub fn error_of(message: Message) -> Error {
    match message {
        Message::Error(error) => error,
        other => panic!("not an Error: {other:?}"),
    }
}

/// The message, which must be a Success.
#[track_caller]
pub fn success_of(message: Message) -> Success {
    match message {
        Message::Success(success) => success,
        other => panic!("not a Success: {other:?}"),
    }
}
