//! New content on its way into a component: bounded, decrypted and measured in passing.

use alloc::boxed::Box;

use tamarack_cose::{
    DigestContext,
    encrypt::{Decryptor, Encrypted},
};

use super::{
    Failure, Measurement,
    buffer::Buffer,
    state::{Loaded, State, spend},
};
use crate::{ComponentId, Device, DeviceError, DigestAlgorithm, SuitDigest, Why, codec::Action};

/// What a key derivation is for (SUIT firmware encryption, `SuppPubInfo.other`).
// req: SUIT-ENC-016
pub(crate) const PURPOSE: &[u8] = b"SUIT Payload Encryption";

/// Content that is being stored.
///
/// Memory does not grow with the content: each piece is decrypted, measured and appended as it comes.
/// What is stored is staged by the device, and none of it counts before it was verified.
pub(super) struct Intake {
    action: Action,
    target: ComponentId,
    /// The most bytes that are stored.
    most: u64,
    length: u64,
    measuring: Option<(DigestAlgorithm, Box<dyn DigestContext>)>,
    decryption: Option<Decryption>,
    /// Whether the end of the content shows that it was not changed.
    authenticated: bool,
    /// The plaintext of one piece, which may be secret and leaves no copies behind.
    plaintext: Buffer,
}

/// What decrypts content.
struct Decryption {
    decryptor: Box<dyn Decryptor>,
    /// Whether its end shows that nothing was changed.
    authenticates: bool,
}

/// Content that was stored.
pub(super) struct Stored {
    /// Its digest and length, if it was measured.
    pub(super) measured: Option<(SuitDigest, u64)>,
    /// Whether an authenticated cipher vouches for it.
    pub(super) authenticated: bool,
}

/// How many bytes of ciphertext are decrypted at a time.
const PIECE: usize = 4096;

impl State<'_> {
    /// Starts new content for the component of a manifest at an index.
    ///
    /// The size of a dependency says nothing about its envelope, which may have grown by a signature since.
    // req: SUIT-AMB-013, SUIT-DEP-006, SUIT-ENC-004
    pub(super) fn take_in(
        &mut self,
        action: Action,
        manifest: &Loaded<'_>,
        index: usize,
        slot: usize,
    ) -> Result<Intake, Failure> {
        let target = self.slot(slot)?;
        let id = target.id.clone();
        let limits = &self.processor.settings.limits;
        let (size, limit) = match manifest.is_dependency(index) {
            true => (None, limits.envelope_bytes as u64),
            false => (target.parameters.image_size(), limits.payload_bytes),
        };
        let measuring = match target.parameters.image_digest() {
            Some(digest) if self.processor.settings.measurement == Measurement::WhileWriting => {
                let algorithm = digest.algorithm()?;
                Some((algorithm, self.processor.crypto.digests.start(algorithm)))
            }
            _ => None,
        };
        let decryption = match action {
            // Fetch stores what it gets: decryption is a matter of Copy and Write.
            Action::Copy | Action::Write => self.decryption(action, slot)?,
            _ => None,
        };
        self.describe(action, slot)?;
        self.device
            .begin(&id, size)
            .map_err(|error| failed(action, error))?;
        Ok(Intake {
            action,
            target: id,
            most: size.map_or(limit, |size| size.min(limit)),
            length: 0,
            measuring,
            authenticated: decryption.as_ref().is_some_and(|with| with.authenticates),
            decryption,
            plaintext: Buffer::default(),
        })
    }

    /// Checks that content which is to be decrypted is encrypted for keys like those at hand, which takes none of
    /// them. Asked in the rehearsal, when it is known which of several sets of parameters is in force.
    pub(super) fn check_recipients(&self, action: Action, slot: usize) -> Result<(), Failure> {
        let Some(info) = self.slot(slot)?.parameters.encryption_info() else {
            return Ok(());
        };
        let encrypted = Encrypted::decode_encrypt(info)?;
        match encrypted.check_recipients(self.processor.recipient_keys) {
            Err(error @ tamarack_cose::Error::NoRecipient) => Err(undecryptable(action, &error)),
            checked => Ok(checked?),
        }
    }

    /// What decrypts the content that is copied or written to a component.
    // req: SUIT-ENC-001, SUIT-ENC-003, SUIT-ENC-006
    fn decryption(&mut self, action: Action, slot: usize) -> Result<Option<Decryption>, Failure> {
        let slot = self.slots.get(slot).ok_or_else(Failure::defect)?;
        let Some(info) = slot.parameters.encryption_info() else {
            return Ok(None);
        };
        let target = slot.id.to_cbor();
        let crypto = self.processor.crypto;
        let encrypted = Encrypted::decode_encrypt(info)?;
        // Each recipient may be tried with each key, which can take as long as a signature.
        let recipients = encrypted.recipients().map_or(0, <[_]>::len);
        let trials = recipients.saturating_mul(self.processor.recipient_keys.len());
        spend(
            &mut self.trials_left,
            trials as u64,
            "the keys that are tried",
        )?;
        let opened = encrypted
            .content_key_for(crypto, self.processor.recipient_keys, PURPOSE, &target)
            .and_then(|key| encrypted.decryptor(crypto, &key, &[]));
        Ok(Some(Decryption {
            decryptor: opened.map_err(|error| undecryptable(action, &error))?,
            authenticates: encrypted.algorithm().is_authenticated(),
        }))
    }
}

impl Intake {
    /// Takes the next piece of the content, or of its ciphertext.
    pub(super) fn take(&mut self, device: &mut dyn Device, chunk: &[u8]) -> Result<(), Failure> {
        let Some(mut decryption) = self.decryption.take() else {
            return self.store(device, chunk);
        };
        // The network decides how large its chunks are, not how much memory they take when decrypted.
        for piece in chunk.chunks(PIECE) {
            self.plaintext.clear();
            decryption
                .decryptor
                .update(piece, self.plaintext.bytes())
                .map_err(|error| undecryptable(self.action, &error))?;
            self.store_plaintext(device)?;
        }
        self.decryption = Some(decryption);
        Ok(())
    }

    /// Ends the content.
    pub(super) fn finish(mut self, device: &mut dyn Device) -> Result<Stored, Failure> {
        if let Some(decryption) = self.decryption.take() {
            self.plaintext.clear();
            decryption
                .decryptor
                .finish(self.plaintext.bytes())
                .map_err(|error| undecryptable(self.action, &error))?;
            self.store_plaintext(device)?;
        }
        device
            .finish(&self.target)
            .map_err(|error| failed(self.action, error))?;
        let digest = self
            .measuring
            .map(|(algorithm, context)| SuitDigest::finished(algorithm, context.finish()));
        Ok(Stored {
            measured: digest.map(|digest| (digest, self.length)),
            authenticated: self.authenticated,
        })
    }

    fn store_plaintext(&mut self, device: &mut dyn Device) -> Result<(), Failure> {
        let mut plaintext = core::mem::take(&mut self.plaintext);
        let stored = self.store(device, plaintext.bytes());
        self.plaintext = plaintext;
        stored
    }

    fn store(&mut self, device: &mut dyn Device, chunk: &[u8]) -> Result<(), Failure> {
        self.length = self.length.saturating_add(chunk.len() as u64);
        if self.length > self.most {
            return Err(Failure::action(self.action, Why::TooLong(self.most)));
        }
        if let Some((_, context)) = &mut self.measuring {
            context.update(chunk);
        }
        device
            .append(&self.target, chunk)
            .map_err(|error| failed(self.action, error))
    }
}

pub(super) fn failed(action: Action, error: DeviceError) -> Failure {
    Failure::action(action, Why::Device(error))
}

/// Why content could not be decrypted. What exactly is wrong with a ciphertext is nobody's business: it
/// would tell an attacker how near a guess was.
// req: SUIT-ENC-023
fn undecryptable(action: Action, error: &tamarack_cose::Error) -> Failure {
    let why = match error {
        tamarack_cose::Error::NoRecipient => Why::NoRecipient,
        tamarack_cose::Error::OtherTarget => Why::OtherTarget,
        _ => Why::BadCiphertext,
    };
    Failure::action(action, why)
}
