//! The TEEs of a device, and which of them a request is for.

use tamarack_agent::link::{Call, InstalledComponent, Reply, TeeDescription};
use tamarack_client::api::TeeRequirements;
use tamarack_suit::{ComponentId, Uuid};
use tokio::sync::Mutex;

use crate::{BrokerError, exchange::Exchanger};

/// A TEE behind its link.
#[derive(Debug)]
pub(crate) struct Tee {
    pub(crate) exchanger: Exchanger,
    /// One exchange at a time: the agent would answer a second one in the middle of the first.
    pub(crate) exchanging: Mutex<()>,
    /// Its place among the TEEs of the broker.
    pub(crate) index: usize,
}

impl Tee {
    pub(crate) async fn call(&self, call: &Call) -> Result<Reply, BrokerError> {
        self.exchanger.call(call).await
    }

    pub(crate) async fn describe(&self) -> Result<TeeDescription, BrokerError> {
        match self.call(&Call::Describe).await? {
            Reply::Description(description) => Ok(description),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn list(&self) -> Result<Vec<InstalledComponent>, BrokerError> {
        match self.call(&Call::List).await? {
            Reply::Components(components) => Ok(components),
            other => Err(unexpected(&other)),
        }
    }

    /// Whether this component is installed in it.
    pub(crate) async fn holds(&self, component: &ComponentId) -> Result<bool, BrokerError> {
        let components = self.list().await?;
        Ok(components.iter().any(|found| found.component == *component))
    }
}

pub(crate) fn unexpected(reply: &Reply) -> BrokerError {
    BrokerError::Link(format!("unexpected reply: {reply:?}"))
}

/// All TEEs, in the order in which they were given: an earlier one is preferred.
#[derive(Debug)]
pub(crate) struct Tees(Vec<Tee>);

impl Tees {
    pub(crate) fn new(exchangers: Vec<Exchanger>) -> Self {
        let tee = |(index, exchanger)| Tee {
            exchanger,
            exchanging: Mutex::default(),
            index,
        };
        Self(exchangers.into_iter().enumerate().map(tee).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Tee> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The TEEs that meet the requirements.
    ///
    /// # Errors
    ///
    /// If none does, with the reason for each.
    // req: TEEP-BROKER-005
    async fn suitable(&self, requirements: &TeeRequirements) -> Result<Vec<&Tee>, BrokerError> {
        if let ([only], true) = (&self.0[..], *requirements == TeeRequirements::default()) {
            return Ok(vec![only]);
        }
        let mut suitable = Vec::new();
        let mut reasons = Vec::new();
        let mut unreachable = None;
        for tee in &self.0 {
            match tee.describe().await {
                Ok(description) => match unmet(requirements, &description) {
                    None => suitable.push(tee),
                    Some(reason) => reasons.push(format!("{}: {reason}", description.name)),
                },
                Err(error) => {
                    reasons.push(error.to_string());
                    unreachable = Some(error);
                }
            }
        }
        match unreachable {
            _ if !suitable.is_empty() => Ok(suitable),
            // It may be the one that is asked for.
            Some(error) => Err(error),
            None => Err(BrokerError::NoTee(reasons.join("; "))),
        }
    }

    /// The TEE that a request for a component goes to: the one that has it, if one does.
    // req: TEEP-BROKER-005
    // req: TEEP-BROKER-006
    pub(crate) async fn for_request(
        &self,
        component: &ComponentId,
        requirements: &TeeRequirements,
    ) -> Result<&Tee, BrokerError> {
        let suitable = self.suitable(requirements).await?;
        let first = suitable.first().copied();
        match holder(&suitable, component).await? {
            Some(tee) => Ok(tee),
            None => first.ok_or_else(|| BrokerError::NoTee("there is none".into())),
        }
    }

    /// The TEE that holds a component.
    ///
    /// # Errors
    ///
    /// If none of those that meet the requirements does.
    // req: TEEP-BROKER-007
    pub(crate) async fn holding(
        &self,
        component: &ComponentId,
        requirements: &TeeRequirements,
    ) -> Result<&Tee, BrokerError> {
        let suitable = self.suitable(requirements).await?;
        match holder(&suitable, component).await? {
            Some(tee) => Ok(tee),
            None => Err(BrokerError::NotHeld(component.to_string())),
        }
    }

    /// The TEEs to tell that a component is no longer needed: the one that holds it; if none does, all that
    /// somebody may have asked.
    // req: TEEP-BROKER-007
    pub(crate) async fn for_withdrawal(
        &self,
        component: &ComponentId,
        requirements: &TeeRequirements,
    ) -> Result<Vec<&Tee>, BrokerError> {
        let suitable = self.suitable(requirements).await?;
        Ok(match holder(&suitable, component).await? {
            Some(tee) => vec![tee],
            None => suitable,
        })
    }

    /// A TEE by its name; the only one, if none is given.
    pub(crate) async fn named(&self, name: Option<&str>) -> Result<&Tee, BrokerError> {
        let requirements = TeeRequirements {
            name: name.map(str::to_owned),
            ..TeeRequirements::default()
        };
        let suitable = self.suitable(&requirements).await?;
        match suitable[..] {
            [only] => Ok(only),
            _ => Err(BrokerError::NoTee(
                "there are several; the request must say which by its name".into(),
            )),
        }
    }

    /// The TEE at a place.
    // req: TEEP-BROKER-013
    pub(crate) fn at(&self, index: usize) -> Result<&Tee, BrokerError> {
        let tee = self.0.get(index);
        tee.ok_or_else(|| BrokerError::NoTee("there is none".into()))
    }
}

/// The first TEE that holds a component. There is nothing to find out where there is one TEE only.
async fn holder<'a>(
    tees: &[&'a Tee],
    component: &ComponentId,
) -> Result<Option<&'a Tee>, BrokerError> {
    if let [only] = tees {
        return Ok(Some(only));
    }
    for tee in tees {
        if tee.holds(component).await? {
            return Ok(Some(tee));
        }
    }
    Ok(None)
}

/// What a TEE lacks, if it lacks anything.
fn unmet(requirements: &TeeRequirements, tee: &TeeDescription) -> Option<String> {
    let differs = |wanted: &Option<String>, found: &str| {
        let wanted = wanted.as_deref()?;
        (wanted != found).then(|| format!("is {found}, not {wanted}"))
    };
    let has_no = |what: &str, wanted: &Option<String>, found: &[[u8; 16]]| {
        let wanted = wanted.as_deref()?;
        let met = (wanted.parse::<Uuid>()).is_ok_and(|wanted| found.contains(&wanted.0));
        (!met).then(|| format!("it is not of the {what} {wanted}"))
    };
    differs(&requirements.name, &tee.name)
        .map(|text| format!("its name {text}"))
        .or_else(|| {
            let text = differs(&requirements.platform, &tee.platform)?;
            Some(format!("its platform {text}"))
        })
        .or_else(|| has_no("vendor", &requirements.vendor, &tee.vendors))
        .or_else(|| has_no("class", &requirements.class, &tee.classes))
        .or_else(|| {
            let mut wanted = requirements.capabilities.iter();
            let lacking = wanted.find(|wanted| !tee.capabilities.contains(wanted))?;
            Some(format!("it lacks the capability {lacking:?}"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tee() -> TeeDescription {
        TeeDescription {
            name: "left".into(),
            platform: "software".into(),
            vendors: vec![[0xab; 16]],
            classes: vec![[1; 16]],
            capabilities: vec!["webassembly".into()],
            ..TeeDescription::default()
        }
    }

    // req: TEEP-BROKER-004
    // req: TEEP-BROKER-005
    #[test]
    fn requirements_are_met_or_named() {
        let some = |text: &str| Some(text.to_owned());
        let none = TeeRequirements::default;
        let met = TeeRequirements {
            name: some("left"),
            platform: some("software"),
            vendor: some("ABABABAB-ABAB-abab-abab-abababababab"),
            class: some(&Uuid([1; 16]).to_string()),
            capabilities: vec!["webassembly".into()],
        };
        assert_eq!(unmet(&none(), &tee()), None);
        assert_eq!(unmet(&met, &tee()), None);
        let lacking = [
            TeeRequirements {
                name: some("right"),
                ..none()
            },
            TeeRequirements {
                platform: some("sgx"),
                ..none()
            },
            TeeRequirements {
                vendor: some(&Uuid([1; 16]).to_string()),
                ..none()
            },
            TeeRequirements {
                class: some("0"),
                ..none()
            },
            TeeRequirements {
                capabilities: vec!["sealing".into()],
                ..none()
            },
        ];
        for (requirements, word) in lacking
            .iter()
            .zip(["name", "platform", "vendor", "class", "sealing"])
        {
            let reason = unmet(requirements, &tee()).unwrap();
            assert!(reason.contains(word), "{reason}");
        }
        assert_eq!(
            Uuid([0x12; 16]).to_string(),
            "12121212-1212-1212-1212-121212121212"
        );
    }
}
