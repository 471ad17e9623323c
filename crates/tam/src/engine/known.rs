//! Answers to questions that a known device was asked: a token in the place of an attestation.

use tamarack_teep::{Protected, Token, Verified};

use super::{
    EngineError, Tam,
    attestation::Attested,
    ticket::{Purpose, Ticket, TicketError},
    verdict::Dropped,
};
use crate::{Clock, Device, Store, Timestamp, Ueid};

/// What a message with a token answers.
pub(super) enum Recognized {
    /// A question to this device, whose agent signed the message.
    Answer(Box<Attested>),
    /// A question to a device that is known, and something is wrong with the answer.
    Dropped(Dropped),
    /// No question to a device that is known by its key id.
    No,
}

impl<S: Store, C: Clock> Tam<S, C> {
    /// Finds the device that was asked with `token`. Nothing is consumed by it.
    ///
    /// The token is bound to the device, and the device to the key that its agent has attested: neither
    /// another device nor the same one under another key can answer.
    // req: TEEP-TOK-003
    // req: TEEP-TOK-010
    pub(super) fn recognize(
        &self,
        protected: &Protected<'_>,
        token: &Token,
        now: Timestamp,
    ) -> Result<Recognized, EngineError> {
        let Some(key_id) = protected.key_ids().next() else {
            return Ok(Recognized::No);
        };
        for device in self.store.devices_by_agent_key(&key_id)? {
            let ueid = ueid(&device)?;
            let ticket = match self.open_token(token, &ueid, now) {
                Ok(ticket) => ticket,
                Err(TicketError::NotIssued) => continue,
                // req: TEEP-TOK-005
                Err(TicketError::Expired) => return Ok(Recognized::Dropped(Dropped::Expired)),
            };
            // req: TEEP-TOK-004
            let Some(verified) = self.verify_by_agent(protected, &device)? else {
                return Ok(Recognized::Dropped(Dropped::Stranger));
            };
            return Ok(Recognized::Answer(Box::new(Attested {
                ueid,
                device,
                mark: ticket.mark,
                asked: ticket.items,
                nonce: token.as_bytes().to_vec(),
                verified,
                result_for_agent: None,
            })));
        }
        Ok(Recognized::No)
    }

    pub(super) fn open_token(
        &self,
        token: &Token,
        ueid: &Ueid,
        now: Timestamp,
    ) -> Result<Ticket, TicketError> {
        self.tickets()
            .open(Purpose::Device(ueid), token.as_bytes(), now)
    }

    /// The device whose agent signed the message, if the key is one that it has attested before.
    pub(super) fn known_signer(
        &self,
        protected: &Protected<'_>,
    ) -> Result<Option<Ueid>, EngineError> {
        let Some(key_id) = protected.key_ids().next() else {
            return Ok(None);
        };
        for device in self.store.devices_by_agent_key(&key_id)? {
            if self.verify_by_agent(protected, &device)?.is_some() {
                return ueid(&device).map(Some);
            }
        }
        Ok(None)
    }

    fn verify_by_agent(
        &self,
        protected: &Protected<'_>,
        device: &Device,
    ) -> Result<Option<Verified>, EngineError> {
        let attester = &device.endorsement.attester;
        let Some(key) = device.agent_key else {
            return Ok(None);
        };
        if self.is_revoked(attester, &key, None)? {
            return Ok(None);
        }
        Ok(protected.verify(&self.crypto, &[key]).ok())
    }
}

/// The id under which the store has the device.
pub(super) fn ueid(device: &Device) -> Result<Ueid, EngineError> {
    let ueid = Ueid::new(device.endorsement.ueid.clone());
    ueid.map_err(|error| crate::StoreError::Corrupt(error.to_string()).into())
}
