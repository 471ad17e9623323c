use core::hint::black_box;

use tamarack_cose::{
    CryptoProvider, KeyId, PublicKey, SecretKey, Sign1, Signed, Signer, sign, sign1,
    sign1_detached,
};
use tamarack_suit::{
    AccessControl, ComponentId, Device, Envelope, Fetch, Outcome, Processor, Settings,
};
use tamarack_teep::{Encoding, MediaType, Message, Protected, protect, protect_for_unknown_agent};

/// What the image gets from outside.
pub struct Platform<'p> {
    pub crypto: CryptoProvider,
    pub trusted: &'p [PublicKey],
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
    Invoke(&'a ComponentId),
    Uninstall(&'a ComponentId),
    NameComponent(&'a [&'a [u8]]),
    Receive(&'a [u8]),
    Answer(&'a Message, Encoding),
    Offer(&'a Message),
    MediaType(&'a str),
    Sign(&'a [u8]),
    Verify(&'a [u8]),
    VerifySign1(&'a [u8]),
    PublicKey(&'a [u8]),
    SecretKey(&'a [u8]),
    NewKey(tamarack_cose::SignatureAlgorithm),
    #[cfg(feature = "author")]
    Author(crate::author::Job<'a>),
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
            Job::MediaType(text) => observe(MediaType::parse(text)),
            Job::Sign(payload) => self.sign(payload),
            Job::Verify(bytes) => observe(
                Signed::decode(bytes).and_then(|s| s.verify(&self.crypto, self.trusted, None)),
            ),
            Job::VerifySign1(bytes) => {
                for key in self.trusted {
                    observe(Sign1::decode(bytes).and_then(|s| s.verify(&self.crypto, key, None)));
                }
            }
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
