use std::collections::BTreeMap;

use tamarack_agent::{Relay, platform::Evidence};
use tamarack_suit::{DeviceError, Fetch};

/// Stands in for the network from which the agent fetches payloads.
#[derive(Debug, Default)]
pub struct Payloads {
    by_uri: BTreeMap<String, Vec<u8>>,
    /// What the agent asked for, in order.
    pub asked: Vec<String>,
    /// Breaks a fetch off after so many bytes.
    pub breaks_after: Option<usize>,
    /// Sends on whatever the agent says.
    pub stubborn: bool,
    /// What a Verifier answers, if there is one.
    pub verifier: Option<Evidence>,
    /// The Evidence that a Verifier was to appraise.
    pub appraised: Vec<Evidence>,
}

impl Payloads {
    /// Has `payload` at `uri` from now on.
    pub fn offer(&mut self, uri: &str, payload: impl Into<Vec<u8>>) {
        self.by_uri.insert(uri.to_owned(), payload.into());
    }
}

impl Relay for Payloads {
    fn appraise(&mut self, evidence: &Evidence) -> Result<Evidence, String> {
        self.appraised.push(evidence.clone());
        self.verifier.clone().ok_or("there is none".into())
    }
}

impl Fetch for Payloads {
    fn fetch(
        &mut self,
        uri: &str,
        _: Option<&[u8]>,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), DeviceError>,
    ) -> Result<(), DeviceError> {
        self.asked.push(uri.to_owned());
        let unavailable = || DeviceError::Unavailable(format!("{uri}: nobody has it"));
        let payload = self.by_uri.get(uri).ok_or_else(unavailable)?;
        let mut sent = 0;
        for chunk in payload.chunks(1000) {
            if self.breaks_after.is_some_and(|limit| sent >= limit) {
                return Err(DeviceError::Unavailable(format!("{uri}: it broke off")));
            }
            let taken = sink(chunk);
            if !self.stubborn {
                taken?;
            }
            sent += chunk.len();
        }
        Ok(())
    }
}
