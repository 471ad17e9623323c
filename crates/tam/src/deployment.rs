//! What the operator wants where.

use std::{collections::BTreeMap, fmt, str::FromStr};

use tamarack_suit::ComponentId;

use crate::{Timestamp, Ueid};

/// Which devices a deployment is for.
///
/// ```
/// use tamarack_tam::Selector;
///
/// let selector: Selector = "site=lab, ring=canary".parse()?;
/// assert_eq!(selector.to_string(), "ring=canary,site=lab");
/// assert_eq!("all".parse(), Ok(Selector::All));
/// assert!("site".parse::<Selector>().is_err());
/// # Ok::<(), tamarack_tam::SelectorError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Every enrolled device; `all`.
    All,
    /// One device; `ueid=016275…`.
    Device(Ueid),
    /// Devices whose endorsement has all of these labels; `site=lab,ring=canary`.
    Labels(BTreeMap<String, String>),
}

/// Text that is no [`Selector`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} selects nothing: write all, ueid=HEX, or LABEL=VALUE[,LABEL=VALUE…]")]
pub struct SelectorError {
    text: String,
}

impl Selector {
    /// Whether a device with this id and these labels is meant.
    #[must_use]
    pub fn selects(&self, ueid: &[u8], labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::All => true,
            Self::Device(selected) => selected.as_bytes() == ueid,
            Self::Labels(wanted) => wanted
                .iter()
                .all(|(label, value)| labels.get(label) == Some(value)),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Device(ueid) => write!(f, "ueid={ueid}"),
            Self::Labels(labels) => {
                let pairs: Vec<_> = labels.iter().map(|(l, v)| format!("{l}={v}")).collect();
                f.write_str(&pairs.join(","))
            }
        }
    }
}

impl FromStr for Selector {
    type Err = SelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || SelectorError {
            text: text.to_owned(),
        };
        if text.trim() == "all" {
            return Ok(Self::All);
        }
        let mut labels = BTreeMap::new();
        for pair in text.split(',') {
            let (label, value) = pair.trim().split_once('=').ok_or_else(error)?;
            let clash = labels.insert(label.to_owned(), value.to_owned()).is_some();
            if label.is_empty() || value.is_empty() || clash {
                return Err(error());
            }
        }
        match labels.remove("ueid") {
            Some(ueid) if labels.is_empty() => ueid.parse().map(Self::Device).map_err(|_| error()),
            Some(_) => Err(error()),
            None => Ok(Self::Labels(labels)),
        }
    }
}

/// How strongly a deployment wants its component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Devices may have it: it is installed when they ask for it, kept current while they need it.
    OnRequest,
    /// Devices shall have it, asked for or not.
    Required,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnRequest => "on-request",
            Self::Required => "required",
        })
    }
}

/// Text that is no [`Mode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a deployment's mode is required or on-request")]
pub struct ModeError;

impl FromStr for Mode {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "required" => Ok(Self::Required),
            "on-request" => Ok(Self::OnRequest),
            _ => Err(ModeError),
        }
    }
}

/// A rule: these devices shall, or may, have this component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its number in this TAM.
    pub id: i64,
    /// Which devices.
    pub selector: Selector,
    /// Which component: a component that a manifest installs, or the manifest's own component id.
    pub component: ComponentId,
    /// How strongly.
    pub mode: Mode,
    /// Since when.
    pub created_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(l, v)| ((*l).into(), (*v).into()))
            .collect()
    }

    #[test]
    fn a_selector_selects_what_it_says() {
        let ueid = b"\x01device".as_slice();
        let lab = labels(&[("site", "lab"), ("ring", "canary")]);
        let selects = |text: &str| text.parse::<Selector>().unwrap().selects(ueid, &lab);
        assert!(selects("all"));
        assert!(selects("site=lab"));
        assert!(selects("ring=canary,site=lab"));
        assert!(selects("ueid=01646576696365"));
        assert!(!selects("site=field"));
        assert!(!selects("site=lab,owner=me"));
        assert!(!selects("ueid=01646576696366"));
    }

    #[test]
    fn what_selects_nothing_is_refused() {
        for text in [
            "",
            "lab",
            "=lab",
            "site=",
            "site=lab,site=lab",
            "ueid=01",
            "ueid=01646576696365,a=b",
        ] {
            assert!(text.parse::<Selector>().is_err(), "{text}");
        }
    }
}
