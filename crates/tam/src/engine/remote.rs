use tamarack_rats::EAT_CWT;
use tamarack_teep::MediaType;
use tamarack_verifier::{ClientError, ResultFormat, VerifierClient};

use super::{Appraised, Appraiser, NotAppraised, PresentedEvidence};

/// A Verifier somewhere else, which is asked over HTTP with the challenge of this TAM as the nonce.
#[derive(Debug)]
pub struct RemoteAppraiser {
    /// The way to it.
    pub client: VerifierClient,
}

impl Appraiser for RemoteAppraiser {
    /// Which formats there are, the Verifier knows.
    // req: TEEP-TAM-006
    fn takes(&self, _: Option<&MediaType>) -> bool {
        true
    }

    fn takes_unreadable(&self) -> bool {
        true
    }

    // req: TEEP-TAM-006
    // req: TEEP-TAM-017
    fn appraise(&self, evidence: &PresentedEvidence<'_>) -> Result<Appraised, NotAppraised> {
        let formats: &[ResultFormat] = match evidence.for_agent_too {
            true => &[ResultFormat::Teep, ResultFormat::EarJwt],
            false => &[ResultFormat::Teep],
        };
        let media_type = evidence.format.unwrap_or(EAT_CWT);
        let answer = (self.client).appraise(media_type, evidence.bytes, evidence.nonce, formats);
        let results = answer.map_err(|error| match error {
            ClientError::Refused(reason) => NotAppraised::Rejected(reason),
            error => NotAppraised::Unavailable(error.to_string()),
        })?;
        let mut results = results.into_iter();
        match (results.next(), results.next()) {
            (Some(for_tam), for_agent) => Ok(Appraised::Results { for_tam, for_agent }),
            (None, _) => Err(NotAppraised::Unavailable(
                "it answers with no result".into(),
            )),
        }
    }
}
