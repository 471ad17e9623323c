//! A device in a few lines: what it takes to go through a session with a TAM, and nothing else.

use reqwest::{
    Client,
    header::{ACCEPT, CONTENT_TYPE},
};
use tamarack_cose::{
    CryptoProvider, PublicKey, SecretKey, SignatureAlgorithm, Signer, cbor::Limits,
};
use tamarack_rats::{Claims, Confirmation, EAT_CWT, Endorsement};
use tamarack_suit::{Parameter, Parameters, report::Claims as PropertyClaims};
use tamarack_teep::{
    AttestationPayload, Encoding, MEDIA_TYPE, Message, Protected, QueryResponse, Success, protect,
};

use crate::failure::Failure;

/// A device with its keys. It installs nothing; it says what a device would say.
pub(super) struct Device {
    crypto: CryptoProvider,
    ueid: Vec<u8>,
    attester: Box<dyn Signer>,
    teep_key: Box<dyn Signer>,
    tam: Vec<PublicKey>,
    client: Client,
    uri: String,
}

/// What a session came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The TAM had nothing to change.
    NothingToDo,
    /// The TAM sent an Update, which was answered.
    Updated,
}

impl Device {
    pub(super) fn new(
        crypto: CryptoProvider,
        number: u32,
        tam: Vec<PublicKey>,
        client: Client,
        uri: String,
    ) -> Result<Self, Failure> {
        let key = || -> Result<Box<dyn Signer>, Failure> {
            let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
            Ok(crypto.signatures.signer(&key)?)
        };
        let ueid = [&b"\x01bench-"[..], &number.to_be_bytes()].concat();
        Ok(Self {
            ueid,
            attester: key()?,
            teep_key: key()?,
            crypto,
            tam,
            client,
            uri,
        })
    }

    pub(super) fn endorsement(&self) -> Endorsement {
        Endorsement::new(self.ueid.clone(), *self.attester.public_key())
    }

    /// Connects, attests, and answers an Update if there is one. `held` is what the device says it holds.
    pub(super) async fn session(&self, held: &[PropertyClaims]) -> Result<Ending, Failure> {
        let request = self.post(None).await?;
        let request = request.ok_or_else(|| Failure::new("the TAM did not ask"))?;
        let Message::QueryRequest(query) = self.open(&request)? else {
            return Err(Failure::new("the TAM did not send a QueryRequest"));
        };
        let nonce = query
            .challenge
            .ok_or_else(|| Failure::new("no challenge"))?;
        let claims = Claims {
            nonce: Some(nonce.as_bytes().to_vec()),
            ueid: Some(self.ueid.clone()),
            confirmation: Some(Confirmation::Key(*self.teep_key.public_key())),
            ..Claims::default()
        };
        let evidence = claims.sign(&self.crypto, &*self.attester)?;
        let response = QueryResponse {
            attestation: Some(AttestationPayload {
                format: Some(EAT_CWT.into()),
                bytes: evidence,
            }),
            tc_list: Some(held.to_vec()),
            ..QueryResponse::default()
        };
        let Some(update) = self.send(response.into()).await? else {
            return Ok(Ending::NothingToDo);
        };
        let Message::Update(update) = self.open(&update)? else {
            return Err(Failure::new("the TAM did not send an Update"));
        };
        if let Some(code) = update.error {
            return Err(Failure::new(format!("the TAM refused the device: {code}")));
        }
        let success = Success {
            token: update.token,
            ..Success::default()
        };
        self.send(success.into()).await?;
        Ok(Ending::Updated)
    }

    fn open(&self, bytes: &[u8]) -> Result<Message, Failure> {
        let limits = Limits::default();
        let verified = Protected::decode(bytes, &limits)
            .and_then(|protected| protected.verify(&self.crypto, &self.tam))
            .map_err(|error| Failure::new(error.to_string()))?;
        Ok(verified.into_message())
    }

    async fn send(&self, message: Message) -> Result<Option<Vec<u8>>, Failure> {
        let bytes = protect(&self.crypto, &*self.teep_key, &message, Encoding::default())?;
        self.post(Some(bytes)).await
    }

    async fn post(&self, body: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Failure> {
        let fault = |error: reqwest::Error| Failure::new(format!("the TAM: {error}"));
        let mut request = self.client.post(&self.uri).header(ACCEPT, MEDIA_TYPE);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, MEDIA_TYPE).body(body);
        }
        let response = request
            .send()
            .await
            .map_err(fault)?
            .error_for_status()
            .map_err(fault)?;
        let bytes = response.bytes().await.map_err(fault)?;
        Ok((!bytes.is_empty()).then(|| bytes.to_vec()))
    }
}

/// A claim that a component is installed as published.
pub(super) fn held(
    component: tamarack_suit::ComponentId,
    digest: tamarack_suit::SuitDigest,
) -> PropertyClaims {
    let properties = Parameters::from_list([Parameter::ImageDigest(digest)]);
    PropertyClaims {
        component,
        properties,
    }
}
