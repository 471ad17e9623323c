//! Choosing among several manifests.

use alloc::vec::Vec;

use super::{Outcome, Processor};
use crate::{AuthenticatedEnvelope, Error, codec::Envelope};

impl Processor<'_> {
    /// Those of several envelopes that are valid and authentic, the latest first, each manifest once.
    ///
    /// Sequence numbers are compared, which says something only if all are about the same: see
    /// [`Manifest::placement`](crate::Manifest::placement).
    ///
    /// # Errors
    ///
    /// What is wrong with the first envelope, if none is valid and authentic; [`Error::Unsigned`] if there
    /// is none.
    // req: SUIT-PROC-002
    pub fn latest_first<'e>(
        &self,
        envelopes: &[&'e [u8]],
    ) -> Result<Vec<AuthenticatedEnvelope<'e>>, Error> {
        let mut trouble = None;
        let mut found: Vec<AuthenticatedEnvelope<'e>> = Vec::new();
        for bytes in envelopes {
            let authenticated = Envelope::decode_within(bytes, &self.settings.limits)
                .map_err(Error::from)
                .and_then(|envelope| envelope.authenticate_by(self.crypto, self.trusted));
            let envelope = match authenticated {
                Ok(envelope) => envelope,
                Err(error) => {
                    trouble.get_or_insert(error);
                    continue;
                }
            };
            if found
                .iter()
                .any(|known| known.digest() == envelope.digest())
            {
                continue;
            }
            let number = envelope.manifest().sequence_number;
            let place = found.partition_point(|other| other.manifest().sequence_number >= number);
            found.insert(place, envelope);
        }
        match found.is_empty() {
            true => Err(trouble.unwrap_or(Error::Unsigned)),
            false => Ok(found),
        }
    }

    /// Updates by the latest of several manifests that is valid and authentic and, while that fails, by
    /// the next latest. None is older than what is installed: that is checked for each.
    ///
    /// `attempt` is to open a transaction, call [`update`](Self::update), and commit or roll back: what a
    /// manifest did that failed must be undone before the next one. The outcome is that of the manifest
    /// that succeeded; if none did, that of the latest.
    ///
    /// ```
    /// use tamarack_suit::{Envelope, MemoryDevice, NoFetch, Outcome, Processor};
    ///
    /// fn update(
    ///     processor: &Processor<'_>,
    ///     device: &mut MemoryDevice,
    ///     envelopes: &[&[u8]],
    /// ) -> Result<Outcome, tamarack_suit::Error> {
    ///     processor.update_latest(envelopes, &mut |envelope| {
    ///         device.attempt(|device| processor.update(device, &mut NoFetch, envelope))
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`latest_first`](Self::latest_first).
    // req: SUIT-PROC-003
    pub fn update_latest(
        &self,
        envelopes: &[&[u8]],
        attempt: &mut dyn FnMut(&AuthenticatedEnvelope<'_>) -> Outcome,
    ) -> Result<Outcome, Error> {
        let mut first = None;
        for envelope in self.latest_first(envelopes)? {
            let outcome = attempt(&envelope);
            if outcome.result.is_ok() {
                return Ok(outcome);
            }
            first.get_or_insert(outcome);
        }
        // There is at least one.
        first.ok_or(Error::Unsigned)
    }
}
