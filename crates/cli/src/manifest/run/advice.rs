//! Why a manifest failed, and what to do about it.

use tamarack_suit::{
    Action, Condition, DeviceError, Error, Manifest, Parameter, Why, report::Reason,
};

use super::account::{Account, printable};
use crate::failure::Failure;

pub(super) fn failure(
    subject: &str,
    error: &Error,
    account: &Account,
    root: Option<&Manifest<'_>>,
) -> Failure {
    let mut message = format!("{}: {}", printable(subject), printable(&error.to_string()));
    if let Some(place) = &account.failed_at
        && place.command.is_some()
    {
        if let Some(component) = &place.component {
            message += &format!(", for component {}", printable(&component.to_string()));
        }
        message += &format!(" ({})", printable(&place.shown()));
    }
    let failure = Failure::new(message);
    match hint(error, account, root) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn hint(error: &Error, account: &Account, root: Option<&Manifest<'_>>) -> Option<String> {
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
    let compatible = || {
        Some("the standard wants a condition here; --compatible does without, as the published examples do".to_owned())
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
            (Action::Fetch, Why::NotIntegrated(_)) => Some("the payload was dropped from the envelope; get the envelope as its author made it".into()),
            _ => None,
        },
        Error::ParameterUnsupported(19) => {
            Some("the content is encrypted: give the device's key with --decrypt".into())
        }
        Error::Unverified(_) => compatible(),
        Error::Dependency { .. } => Some("--compatible is less strict with dependencies, as the published examples need it".into()),
        Error::Rollback { .. } => {
            let id = root?.placement();
            Some(format!("a device takes newer numbers only; --uninstall {} makes it forget", printable(&id.to_string())))
        }
        Error::ComponentUnauthorized(_) | Error::CommandUnauthorized { .. } => {
            Some("the keys are trusted below the prefixes after `=` in --key only".into())
        }
        Error::SeveredMissing(_) => Some("the part was dropped from the envelope; get the envelope as its author made it".into()),
        Error::Device(_) if root.is_none() => Some("the manifests are named when they are installed: by the identifier that `tamarack manifest show` calls manifest-component-id".into()),
        _ if error.reason() == Reason::Unauthorized => {
            Some("`tamarack manifest verify` says of each signature whose it is".into())
        }
        _ => None,
    }
}
