use core::hint::black_box;

use alloc::vec::Vec;

use tamarack_cose::{
    CryptoProvider, KeyId, PublicKey, SecretKey, Sign1, Signed, Signer, encrypt::RecipientKey, hss,
    sign, sign1, sign1_detached,
};
use tamarack_suit::{
    AccessControl, AnchorKey, ComponentId, Device, Envelope, Fetch, Outcome, Processor, Settings,
    TrustAnchor, TrustAnchors,
};
use tamarack_teep::{Encoding, Message, Protected, protect, protect_for_unknown_agent};

/// What the image gets from outside.
pub struct Platform<'p> {
    pub crypto: CryptoProvider,
    pub trusted: &'p [PublicKey],
    pub anchors: TrustAnchors,
    pub recipient_keys: &'p [RecipientKey],
    pub access: &'p dyn AccessControl,
    pub settings: Settings,
    pub device: &'p mut dyn Device,
    pub fetch: &'p mut dyn Fetch,
    pub signers: &'p [&'p dyn Signer],
}

/// All that a device uses, one variant each: what has none is not measured.
pub enum Job<'a> {
    UpdateBytes(&'a [u8]),
    Update(&'a [u8]),
    UpdateByAnchors(&'a [u8]),
    Trust(Vec<Trust>, usize),
    Invoke(&'a ComponentId),
    Uninstall(&'a ComponentId),
    Capabilities,
    NameComponent(&'a [&'a [u8]]),
    Receive(&'a [u8]),
    Answer(&'a Message, Encoding),
    Offer(&'a Message),
    Sign(&'a [u8]),
    Verify(&'a [u8]),
    VerifySign1(&'a [u8]),
    VerifyHss(&'a [u8], &'a [u8]),
    RecipientKey(&'a [u8]),
    PublicKey(&'a [u8]),
    SecretKey(&'a [u8]),
    NewKey(tamarack_cose::SignatureAlgorithm),
    #[cfg(feature = "author")]
    Author(crate::author::Job<'a>),
}

/// A trust anchor and its rights.
pub struct Trust {
    pub key: AnchorKey,
    pub key_id: Vec<u8>,
    pub prefixes: Vec<ComponentId>,
    pub dependencies: Vec<ComponentId>,
    pub commands: Vec<i64>,
    pub parameters: Vec<i64>,
}

impl Trust {
    fn anchor(self) -> TrustAnchor {
        TrustAnchor::new(self.key)
            .with_key_id(self.key_id)
            .with_prefixes(self.prefixes)
            .with_dependencies(self.dependencies)
            .with_commands(self.commands)
            .with_parameters(self.parameters)
    }
}

impl Platform<'_> {
    pub fn run(&mut self, job: Job<'_>) {
        #[cfg(feature = "crypto")]
        {
            self.crypto = tamarack_cose::rustcrypto::provider_with(self.crypto.random);
        }
        black_box(&self.crypto);
        let processor = Processor::new(&self.crypto, self.trusted, self.access)
            .with_settings(self.settings)
            .with_recipient_keys(self.recipient_keys)
            .with_nonce(&[0; 8]);
        match job {
            Job::UpdateBytes(bytes) => {
                report(processor.update_bytes(self.device, self.fetch, bytes));
            }
            Job::Update(bytes) => {
                let envelope = Envelope::decode(bytes);
                let envelope = envelope
                    .as_ref()
                    .map(|e| e.authenticate(&self.crypto, self.trusted));
                if let Ok(Ok(envelope)) = &envelope {
                    report(processor.update(self.device, self.fetch, envelope));
                }
                black_box(&envelope);
            }
            Job::UpdateByAnchors(bytes) => {
                let processor = Processor::new(&self.crypto, &self.anchors, &self.anchors)
                    .with_settings(self.settings)
                    .with_recipient_keys(self.recipient_keys);
                report(processor.update_bytes(self.device, self.fetch, bytes));
            }
            Job::Trust(anchors, threshold) => {
                let anchors = anchors.into_iter().map(Trust::anchor);
                self.anchors = TrustAnchors::new(&self.crypto, anchors).with_threshold(threshold);
            }
            Job::Capabilities => observe(processor.capabilities(self.device)),
            Job::Invoke(id) => report(processor.invoke(self.device, self.fetch, id)),
            Job::Uninstall(id) => report(processor.uninstall(self.device, self.fetch, id)),
            Job::NameComponent(segments) => observe(ComponentId::new(segments)),
            Job::Receive(bytes) => self.receive(bytes),
            Job::Answer(message, encoding) => {
                for signer in self.signers {
                    observe(protect(&self.crypto, *signer, message, encoding));
                }
            }
            Job::Offer(message) => observe(protect_for_unknown_agent(
                &self.crypto,
                self.signers,
                message,
            )),
            Job::Sign(payload) => self.sign(payload),
            Job::Verify(bytes) => observe(
                Signed::decode(bytes).and_then(|s| s.verify(&self.crypto, self.trusted, None)),
            ),
            Job::VerifySign1(bytes) => {
                for key in self.trusted {
                    observe(Sign1::decode(bytes).and_then(|s| s.verify(&self.crypto, key, None)));
                }
            }
            Job::VerifyHss(message, signature) => {
                for key in self.trusted {
                    if let PublicKey::HssLms(key) = key {
                        observe(hss::verify(self.crypto.digests, key, message, signature));
                    }
                }
            }
            Job::RecipientKey(bytes) => observe(RecipientKey::from_cose_key(&self.crypto, bytes)),
            Job::PublicKey(bytes) => {
                let key = PublicKey::from_cose_key(bytes);
                observe(key.as_ref().map(PublicKey::to_cose_key));
                observe(key);
            }
            Job::SecretKey(bytes) => {
                let key = SecretKey::from_cose_key(&self.crypto, bytes);
                observe(key.as_ref().map(SecretKey::to_cose_key));
                observe(key.and_then(|key| self.crypto.signatures.signer(&key)));
            }
            Job::NewKey(algorithm) => observe(SecretKey::generate(&self.crypto, algorithm)),
            #[cfg(feature = "author")]
            Job::Author(job) => job.run(&self.crypto, self.signers),
        }
    }

    fn receive(&self, bytes: &[u8]) {
        let protected = Protected::decode(bytes, &Default::default());
        if let Ok(protected) = &protected {
            protected.key_ids().for_each(observe);
            protected.algorithms().for_each(observe);
            observe(protected.read_unverified());
            observe(protected.verify(&self.crypto, self.trusted));
        }
        observe(protected);
    }

    fn sign(&self, payload: &[u8]) {
        for signer in self.signers {
            let key_id = KeyId::of(signer.public_key(), &self.crypto);
            observe(sign1(*signer, payload, Some(&key_id)));
            observe(sign1_detached(*signer, payload, None));
        }
        observe(sign(&self.crypto, self.signers, payload));
    }
}

fn report(outcome: Outcome) {
    observe(outcome.report.encode());
    observe(outcome);
}

/// A use of a whole value, and its end: nothing that went into it may be left out.
pub fn observe<T>(value: T) {
    black_box(&value);
}
