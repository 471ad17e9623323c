//! What the admin API answers, as text.

use std::time::{Duration, UNIX_EPOCH};

use tamarack_tam::api;

use crate::output::{BAD, DIM, GOOD, table};

/// A prefix in words.
pub(super) fn prefix(prefix: &str) -> &str {
    if prefix.is_empty() {
        "what no other domain owns"
    } else {
        prefix
    }
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".into())
}

/// Seconds since 1970 as a date and a time, UTC.
pub(crate) fn time(seconds: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(seconds);
    humantime::format_rfc3339_seconds(time).to_string()
}

fn labels(device: &api::Device) -> String {
    let labels = device
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"));
    labels.collect::<Vec<_>>().join(",")
}

pub(super) fn devices(list: &api::Devices) -> String {
    if list.devices.is_empty() {
        return "no device is enrolled".into();
    }
    let row = |device: &api::Device| {
        let attested = device.attested_at.map(time);
        let pending = if device.update_pending { "yes" } else { "no" };
        vec![
            device.ueid.clone(),
            or_dash(attested),
            pending.into(),
            labels(device),
        ]
    };
    let rows: Vec<_> = list.devices.iter().map(row).collect();
    table(&["DEVICE", "ATTESTED", "UPDATING", "LABELS"], &rows)
}

pub(super) fn device(details: &api::DeviceDetails) -> String {
    let device = &details.device;
    let mut text = format!("{DIM}device{DIM:#}     {}\n", device.ueid);
    text += &format!("{DIM}labels{DIM:#}     {}\n", labels(device));
    text += &format!("{DIM}enrolled{DIM:#}   {}\n", time(device.enrolled_at));
    text += &format!(
        "{DIM}attested{DIM:#}   {}\n",
        or_dash(device.attested_at.map(time))
    );
    text += &format!(
        "{DIM}agent key{DIM:#}  {}\n",
        or_dash(device.agent_key.clone())
    );
    let installed = details.installed.iter();
    let installed: Vec<_> = installed
        .map(|image| vec![image.component.clone(), or_dash(image.digest.clone())])
        .collect();
    text += "\n";
    text += &table(&["HELD WHEN IT LAST ATTESTED", "DIGEST"], &installed);
    let row = |outcome: &api::Outcome| {
        let style = if outcome.status == "installed" {
            GOOD
        } else {
            BAD
        };
        vec![
            outcome.manifest.clone(),
            outcome.sequence_number.to_string(),
            time(outcome.at),
            format!("{style}{}{style:#} {}", outcome.status, outcome.reason),
        ]
    };
    let outcomes: Vec<_> = details.manifests.iter().map(row).collect();
    text += "\n\n";
    text += &table(
        &["MANIFEST SENT", "NUMBER", "ANSWERED", "OUTCOME"],
        &outcomes,
    );
    if !details.left_out.is_empty() {
        let row = |left: &api::LeftOut| {
            vec![
                left.manifest.clone(),
                left.sequence_number.to_string(),
                left.reason.clone(),
            ]
        };
        let rows: Vec<_> = details.left_out.iter().map(row).collect();
        text += "\n\n";
        text += &table(&["NOT SENT", "NUMBER", "WHY"], &rows);
    }
    text
}

pub(super) fn components(list: &api::Components) -> String {
    if list.components.is_empty() {
        return "nothing is published".into();
    }
    let row = |component: &api::Component| {
        let installs = component
            .components
            .iter()
            .map(|image| image.component.as_str());
        vec![
            component.manifest.clone(),
            component.sequence_number.to_string(),
            component.domain.clone(),
            component.envelope_bytes.to_string(),
            match (component.withdrawn, component.newest) {
                (true, _) => "withdrawn",
                (false, true) => "newest",
                (false, false) => "superseded",
            }
            .into(),
            installs.collect::<Vec<_>>().join(", "),
        ]
    };
    let rows: Vec<_> = list.components.iter().map(row).collect();
    table(
        &["MANIFEST", "NUMBER", "DOMAIN", "BYTES", "STATE", "INSTALLS"],
        &rows,
    )
}

pub(super) fn domains(list: &api::Domains) -> String {
    if list.domains.is_empty() {
        return "there is no domain".into();
    }
    let row = |domain: &api::Domain| {
        let manifest = domain.manifest.as_ref();
        vec![
            domain.name.clone(),
            prefix(&domain.prefix).to_owned(),
            domain.signers.len().to_string(),
            or_dash(manifest.map(|manifest| manifest.sequence_number.to_string())),
            state(domain).into(),
        ]
    };
    let rows: Vec<_> = list.domains.iter().map(row).collect();
    table(&["DOMAIN", "OWNS", "SIGNERS", "MANIFEST", "STATE"], &rows)
}

fn state(domain: &api::Domain) -> &'static str {
    match domain.retired {
        true => "being removed",
        false => "in use",
    }
}

pub(super) fn domain(domain: &api::Domain) -> String {
    let member = |jwk: &serde_json::Value, name: &str| {
        let text = jwk.get(name).and_then(serde_json::Value::as_str);
        text.unwrap_or("-").to_owned()
    };
    let manifest = domain.manifest.as_ref();
    let mut text = format!("{DIM}domain{DIM:#}    {}\n", domain.name);
    text += &format!("{DIM}owns{DIM:#}      {}\n", prefix(&domain.prefix));
    text += &format!("{DIM}state{DIM:#}     {}\n", state(domain));
    let number = manifest
        .map(|manifest| format!("{}, number {}", manifest.manifest, manifest.sequence_number));
    text += &format!("{DIM}manifest{DIM:#}  {}\n\n", or_dash(number));
    let row =
        |jwk: &serde_json::Value| vec![member(jwk, "kty"), member(jwk, "crv"), member(jwk, "x")];
    let rows: Vec<_> = domain.signers.iter().map(row).collect();
    text += &table(&["SIGNER", "CURVE", "X"], &rows);
    text
}

pub(super) fn deployments(list: &api::Deployments) -> String {
    if list.deployments.is_empty() {
        return "nothing is deployed".into();
    }
    let row = |deployment: &api::Deployment| {
        vec![
            deployment.component.clone(),
            deployment.selector.clone(),
            deployment.mode.clone(),
            time(deployment.created_at),
        ]
    };
    let rows: Vec<_> = list.deployments.iter().map(row).collect();
    table(&["COMPONENT", "DEVICES", "MODE", "SINCE"], &rows)
}

pub(super) fn audit(page: &api::AuditPage) -> String {
    let row = |record: &api::AuditRecord| {
        let device: Option<String> = record
            .device
            .as_ref()
            .map(|ueid| ueid.chars().take(12).collect());
        vec![
            record.id.to_string(),
            time(record.at),
            record.action.clone(),
            or_dash(device),
            record.subject.clone(),
            record.detail.clone(),
        ]
    };
    let rows: Vec<_> = page.records.iter().map(row).collect();
    table(
        &["ID", "TIME", "ACTION", "DEVICE", "SUBJECT", "DETAIL"],
        &rows,
    )
}
