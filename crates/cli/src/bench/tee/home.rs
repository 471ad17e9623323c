//! A TEE with its agent in this process, and a TAM that installs what is measured.

use std::sync::Arc;

use tamarack_agent::{
    Agent, Quota, Relay, SecurityDomain,
    platform::Platform,
    state::{Anchor, AnchorRole},
};
use tamarack_cose::{
    CryptoProvider, PublicKey, SecretKey, SignatureAlgorithm, Signer, cbor::Limits, rustcrypto,
};
use tamarack_suit::{
    ComponentId, DeviceError, Fetch, SequenceNumber, SuitDigest,
    author::{ComponentBuilder, ManifestBuilder},
};
use tamarack_ta::interface::Client;
use tamarack_tee::{
    Tee,
    platform::{DeviceOptions, Software},
    runtime::Input,
};
use tamarack_teep::{
    CipherSuite, Encoding, Message, Protected, QueryRequest, SuitCoseProfile, Token, Update,
    protect,
};
use tempfile::TempDir;

use super::super::messages::failure;
use crate::failure::Failure;

/// Bytes that the network brings at a time.
const CHUNK: usize = 64 << 10;

/// A TEE, its agent, and everybody else in one.
pub(super) struct Home {
    folder: TempDir,
    pub(super) tee: Arc<Tee>,
    agent: Agent<Arc<Tee>>,
    crypto: CryptoProvider,
    /// Of TAM, device administrator and provider alike.
    signer: Box<dyn Signer>,
    sequence_number: u64,
}

/// A network that has one payload.
struct Network<'a>(&'a [u8]);

impl Fetch for Network<'_> {
    fn fetch(
        &mut self,
        _: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        self.0.chunks(CHUNK).try_for_each(sink)
    }
}

impl Relay for Network<'_> {}

impl Home {
    /// A new TEE in a temporary folder, with the security domain `bench`.
    pub(super) fn new() -> Result<Self, Failure> {
        let crypto = rustcrypto::provider();
        let folder = tempfile::tempdir().map_err(failure)?;
        let platform = Software::open(folder.path(), &crypto, &DeviceOptions::default());
        let platform = Arc::new(platform.map_err(failure)?);
        let tee = Arc::new(Tee::open(folder.path(), platform, crypto).map_err(failure)?);
        let key = SecretKey::generate(&crypto, SignatureAlgorithm::Esp256)?;
        let public = *key.public_key();
        let anchors = [AnchorRole::Tam, AnchorRole::Signer]
            .map(|role| Anchor::new(role, public, "bench", &crypto));
        tee.trust(&anchors).map_err(failure)?;
        let mut this = Self {
            folder,
            agent: Agent::new(Arc::clone(&tee)),
            tee,
            crypto,
            signer: crypto.signatures.signer(&key)?,
            sequence_number: 0,
        };
        let prefix = "bench".parse().map_err(failure)?;
        let quota = Quota {
            bytes: 1 << 30,
            sessions: 64,
            ..Quota::default()
        };
        let descriptor = SecurityDomain::new(prefix, vec![public], quota).encode();
        this.install("security-domain/bench", &descriptor)?;
        Ok(this)
    }

    /// Where it keeps its files.
    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(super) fn crypto(&self) -> &CryptoProvider {
        &self.crypto
    }

    /// Installs a payload, which is fetched, through a whole exchange with the TAM.
    pub(super) fn install(&mut self, component: &str, payload: &[u8]) -> Result<(), Failure> {
        self.sequence_number += 1;
        let component: ComponentId = component.parse().map_err(failure)?;
        let manifest = component.clone().joined(b"suit").map_err(failure)?;
        let digest = SuitDigest::sha256(&self.crypto, payload);
        let component =
            ComponentBuilder::new(component).uri("payload", digest, payload.len() as u64);
        let envelope = ManifestBuilder::new(SequenceNumber(self.sequence_number))
            .manifest_id(manifest)
            .component(component)
            .build()
            .map_err(failure)?
            .sign(&self.crypto, &[&*self.signer])?;
        let request = QueryRequest {
            token: Some(self.token()?),
            supported_teep_cipher_suites: CipherSuite::ALGORITHMS.map(CipherSuite::sign1).into(),
            supported_suit_cose_profiles: SuitCoseProfile::ALL.into(),
            ..QueryRequest::default()
        };
        let update = Update {
            token: Some(self.token()?),
            manifest_list: vec![envelope],
            ..Update::default()
        };
        self.say(request.into(), payload)?;
        match self.say(update.into(), payload)? {
            Message::Success(_) => Ok(()),
            other => Err(Failure::new(format!("the agent answers {other:?}"))),
        }
    }

    fn token(&self) -> Result<Token, Failure> {
        let token = self.crypto.random_array::<16>()?.to_vec();
        Token::new(token).ok_or_else(|| Failure::new("a token has another length"))
    }

    fn say(&mut self, message: Message, payload: &[u8]) -> Result<Message, Failure> {
        let message = protect(&self.crypto, &*self.signer, &message, Encoding::default())?;
        let answer = self
            .agent
            .process_teep_message(&message, &mut Network(payload));
        let answer = answer
            .map_err(failure)?
            .ok_or_else(|| Failure::new("the agent does not answer"))?;
        let keys: Vec<PublicKey> = self
            .tee
            .teep_keys()
            .iter()
            .map(|key| *key.public_key())
            .collect();
        let answer = Protected::decode(&answer, &Limits::default()).map_err(failure)?;
        let verified = answer.verify(&self.crypto, &keys).map_err(failure)?;
        Ok(verified.into_message())
    }

    /// Opens a session.
    pub(super) fn open(&self, component: &str) -> Result<u64, Failure> {
        let component = component.parse().map_err(failure)?;
        let applications = self.tee.applications();
        applications
            .open(&component, Client::Unknown, &[])
            .map_err(failure)
    }

    /// Invokes a command that must succeed.
    pub(super) fn invoke(&self, session: u64, command: u32, input: &[u8]) -> Result<(), Failure> {
        let applications = self.tee.applications();
        let outcome = applications.invoke(session, command, Input::Whole(input));
        outcome.map_err(failure)?.map(drop).map_err(failure)
    }
}
