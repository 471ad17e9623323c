//! From what the TAM knows to what the admin API shows.

use base16ct::lower::encode_string;
use tamarack_cose::CryptoProvider;

use crate::{
    AuditRecord, Deployment, Device, InstalledComponent, RecordedOutcome, Ueid, api,
    catalog::{Catalog, Domain, Manifest, ManifestId},
    policy::LeftOut,
};

pub(super) fn device(device: &Device, crypto: &CryptoProvider) -> api::Device {
    api::Device {
        ueid: encode_string(&device.endorsement.ueid),
        labels: device.endorsement.labels.clone(),
        enrolled_at: device.enrolled_at.seconds(),
        attested_at: device.attested_at.map(crate::Timestamp::seconds),
        agent_key: device.agent_key.map(|key| key.key_id(crypto).to_hex()),
        update_pending: device.pending.is_some(),
    }
}

pub(super) fn device_details(
    found: &Device,
    outcomes: &[RecordedOutcome],
    left_out: &[(ManifestId, LeftOut)],
    catalog: &Catalog,
    crypto: &CryptoProvider,
) -> api::DeviceDetails {
    let outcomes = outcomes.iter().filter_map(|found| {
        let manifest = catalog.manifest(found.manifest)?;
        Some(api::Outcome {
            manifest: manifest.manifest_component.to_string(),
            sequence_number: manifest.sequence_number,
            status: if found.installed {
                "installed"
            } else {
                "failed"
            }
            .into(),
            failures: found.failures,
            reason: found.reason.clone(),
            at: found.at.seconds(),
        })
    });
    let installed = found
        .installed
        .iter()
        .map(|InstalledComponent { component, digest }| api::Image {
            component: component.to_string(),
            digest: digest.map(|d| d.to_string()),
        });
    let left_out = left_out.iter().filter_map(|(id, why)| {
        let manifest = catalog.manifest(*id)?;
        Some(api::LeftOut {
            manifest: manifest.manifest_component.to_string(),
            sequence_number: manifest.sequence_number,
            reason: why.to_string(),
        })
    });
    api::DeviceDetails {
        device: device(found, crypto),
        endorsement: serde_json::from_str(&found.endorsement.to_json()).unwrap_or_default(),
        installed: installed.collect(),
        manifests: outcomes.collect(),
        left_out: left_out.collect(),
    }
}

fn jwk(key: &tamarack_cose::PublicKey) -> serde_json::Value {
    // What this workspace writes as JSON it reads as JSON.
    serde_json::from_str(&key.to_jwk()).unwrap_or_default()
}

pub(super) fn domain(domain: &Domain, catalog: &Catalog, crypto: &CryptoProvider) -> api::Domain {
    let manifest = catalog.domain_manifest(&domain.name);
    api::Domain {
        name: domain.name.clone(),
        prefix: domain.prefix.to_string(),
        signers: domain.signers.iter().map(jwk).collect(),
        anchor: domain.anchor.as_ref().map(jwk),
        manifest: manifest.map(|manifest| component(manifest, catalog, crypto)),
        retired: domain.retired,
    }
}

pub(super) fn component(
    manifest: &Manifest,
    catalog: &Catalog,
    crypto: &CryptoProvider,
) -> api::Component {
    let newest = catalog.newest_of(&manifest.manifest_component);
    let images = manifest.components.iter().flat_map(|image| {
        image.alternatives().map(|digest| api::Image {
            component: image.component.to_string(),
            digest: digest.map(ToString::to_string),
        })
    });
    api::Component {
        manifest: manifest.manifest_component.to_string(),
        sequence_number: manifest.sequence_number,
        digest: manifest.digest.to_string(),
        domain: manifest.domain.clone(),
        components: images.collect(),
        signer: manifest.signer.key_id(crypto).to_hex(),
        envelope_bytes: manifest.envelope_bytes,
        published_at: manifest.published_at.seconds(),
        newest: newest.is_some_and(|newest| newest.id == manifest.id),
        withdrawn: manifest.withdrawn,
    }
}

pub(super) fn deployment(deployment: &Deployment) -> api::Deployment {
    api::Deployment {
        id: deployment.id,
        selector: deployment.selector.to_string(),
        component: deployment.component.to_string(),
        mode: deployment.mode.to_string(),
        created_at: deployment.created_at.seconds(),
    }
}

pub(super) fn audit_record(record: AuditRecord) -> api::AuditRecord {
    api::AuditRecord {
        id: record.id,
        at: record.at.seconds(),
        action: record.action,
        device: record.device.as_ref().map(Ueid::to_string),
        subject: record.subject,
        detail: record.detail,
    }
}
