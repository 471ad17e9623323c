//! Why a manifest failed, and what to do about it.

use tamarack_cose::encrypt::RecipientAlgorithm;
use tamarack_suit::{
    Action, Condition, DeviceError, Error, Manifest, Parameter, Why, report::Reason,
};

use super::{Trusted, account::Account};
use crate::{failure::Failure, manifest::place::older_draft, output::printable};

pub(super) fn failure(
    subject: &str,
    error: &Error,
    account: &Account,
    root: Option<&Manifest<'_>>,
    trusted: &[Trusted],
) -> Failure {
    let mut message = format!("{}: ", printable(subject));
    let culprit = dependency(error, account);
    if let Some(id) = &culprit {
        message += &format!("dependency {}: ", printable(id));
    }
    message += &printable(&error.to_string());
    if let Some(place) = &account.failed_at
        && place.command.is_some()
    {
        if let Some(component) = &place.component
            && !(place.is_dependency && culprit.is_some())
        {
            message += &format!(", for component {}", printable(&component.to_string()));
        }
        message += &format!(" ({})", printable(&place.shown()));
    }
    let failure = Failure::new(message);
    let restricted = trusted.iter().any(Trusted::is_restricted);
    match hint(error, account, root, restricted) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// The dependency that an error is about, if it is not about the manifest itself and does not say so.
fn dependency(error: &Error, account: &Account) -> Option<String> {
    let place = account.failed_at.as_ref()?;
    let target = place.component.as_ref().filter(|_| place.is_dependency);
    match (&place.dependency, error) {
        (_, Error::Dependency { .. }) => None,
        (Some(inside), _) => Some(inside.clone()),
        // What its dependent does with it is the dependent's.
        (None, Error::ActionFailed { .. } | Error::ConditionFailed { .. }) => None,
        (None, _) => target.map(ToString::to_string),
    }
}

/// Why a dependency can't be used as the standard wants it, and can be with `--compatible`.
const LOOSE: [&str; 3] = [
    "it is processed without a check of its integrity",
    "it has a section that its dependent lacks",
    "its section was not processed",
];

fn hint(
    error: &Error,
    account: &Account,
    root: Option<&Manifest<'_>>,
    restricted: bool,
) -> Option<String> {
    let wanted = |pick: fn(&Parameter<'_>) -> Option<String>| -> Vec<String> {
        let place = account.failed_at.iter();
        let mut all: Vec<String> = place
            .flat_map(|place| &place.wants)
            .filter_map(pick)
            .collect();
        all.dedup();
        all
    };
    let identity = |what: &str, option: &str, wanted: Vec<String>| match wanted.is_empty() {
        true => None,
        false => {
            let options: Vec<String> = wanted.iter().map(|id| format!("{option} {id}")).collect();
            let options = options.join(" or ");
            Some(format!(
                "the manifest is for another {what}; if the device is of it, say {options}"
            ))
        }
    };
    match error {
        Error::ConditionFailed { condition, .. } => match condition {
            Condition::VendorIdentifier => identity(
                "vendor",
                "--vendor",
                wanted(|parameter| match parameter {
                    Parameter::VendorId(id) => Some(id.to_string()),
                    _ => None,
                }),
            ),
            Condition::ClassIdentifier => identity(
                "class of devices",
                "--class",
                wanted(|parameter| match parameter {
                    Parameter::ClassId(id) => Some(id.to_string()),
                    _ => None,
                }),
            ),
            Condition::DeviceIdentifier => identity(
                "device",
                "--device-id",
                wanted(|parameter| match parameter {
                    Parameter::DeviceId(id) => Some(id.to_string()),
                    _ => None,
                }),
            ),
            Condition::ComponentSlot => {
                let component = account.failed_at.as_ref()?.component.as_ref()?;
                Some(format!("--slot {component}=NUMBER says which slot the component is in"))
            }
            Condition::ImageMatch => Some("the content is not what the author measured: compare it with the digest that `tamarack manifest show` prints".into()),
            _ => None,
        },
        Error::ActionFailed { action, why } => match (action, why) {
            (Action::Fetch, Why::Device(DeviceError::Unavailable(what))) => {
                let uri = what.split(": ").next().unwrap_or(what);
                Some(format!(
                    "--fetch '{}=FILE' takes it from a file, --payload-dir from a folder; http:// and https:// are fetched unless --offline is given",
                    printable(uri)
                ))
            }
            (_, Why::NoRecipient) => Some("give the device's key with --decrypt; `tamarack manifest show` says for which keys the content is encrypted".into()),
            (_, Why::OtherTarget) => Some("`tamarack manifest show` says for which component; only its author can encrypt it for this one".into()),
            (_, Why::BadCiphertext) => Some("the payload was damaged, or is not the one that belongs to the manifest".into()),
            (_, Why::TooLong(_)) => Some("if it is meant to be that long, --max-payload raises the limit".into()),
            (Action::Fetch, Why::NotIntegrated(_)) => Some("the payload was dropped from the envelope; get the envelope as its author made it".into()),
            _ => None,
        },
        Error::ParameterUnsupported(19) => {
            Some("the content is encrypted: give the device's key with --decrypt".into())
        }
        Error::Unverified(_) => Some("a condition has to check what was written, such as image-match; --compatible does without where a signature or a cipher covers it, as the published examples do".into()),
        Error::AlgorithmUnsupported(2) => Some(older_draft("SHA-256", 2, "-16")),
        Error::AlgorithmUnsupported(id) if RecipientAlgorithm::from_cose_id(*id).is_some() => {
            Some("the content is encrypted for keys of another kind than those of --decrypt; `tamarack manifest show` says for which".into())
        }
        Error::Dependency { why, .. } if LOOSE.contains(why) => Some("--compatible is less strict with dependencies, as the published examples need it".into()),
        Error::Rollback { .. } => {
            let id = match dependency(error, account) {
                Some(id) => id,
                None => root?.placement().to_string(),
            };
            Some(format!("a device takes newer numbers only; --uninstall {} makes it forget", printable(&id)))
        }
        Error::ComponentUnauthorized(_) | Error::CommandUnauthorized { .. } => Some(match restricted {
            true => "the keys are trusted below the prefixes after `=` in --key only; that goes for what their manifests depend on, too".into(),
            false => "no --key is that of who signed it, or not of as many as --at-least wants".into(),
        }),
        Error::SeveredMissing(_) => Some("the part was dropped from the envelope; get the envelope as its author made it".into()),
        Error::Device(_) if root.is_none() => Some("the manifests are named when they are installed: by the identifier that `tamarack manifest show` calls manifest-component-id".into()),
        _ if error.reason() == Reason::Unauthorized => {
            Some("`tamarack manifest verify` says of each signature whose it is".into())
        }
        _ => None,
    }
}
