//! SUIT reports in messages of agents.

use subtle::ConstantTimeEq;
use tamarack_cose::PublicKey;
use tamarack_suit::{Report, report::OpenedReport};
use tamarack_teep::Token;

use super::Tam;

impl<S, C> Tam<S, C> {
    /// Opens the reports of a message that `signer` signed, and checks that each holds the token that the
    /// message answers, if that is one.
    ///
    /// # Errors
    ///
    /// What is wrong with the first that is wrong, as the end of a sentence about it.
    // req: TEEP-ENC-011
    // req: TEEP-TAM-003
    pub(super) fn open_reports(
        &self,
        encoded: &[Vec<u8>],
        signer: &PublicKey,
        token: Option<&Token>,
    ) -> Result<Vec<Report>, String> {
        let open = |bytes: &Vec<u8>| {
            let keys = self.keys.recipient_keys();
            let opened = OpenedReport::carried(bytes, &self.crypto, &[*signer], keys)
                .map_err(|error| format!("can't be read: {error}"))?;
            // req: TEEP-MSG-082
            if opened.authority.is_some() {
                return Err("is signed with the key of the message around it".into());
            }
            let nonce = opened.report.nonce.as_deref().unwrap_or_default();
            match token {
                Some(token) if !bool::from(nonce.ct_eq(token.as_bytes())) => {
                    Err("does not hold the token of the message that it answers".into())
                }
                _ => Ok(opened.report),
            }
        };
        encoded.iter().map(open).collect()
    }
}
