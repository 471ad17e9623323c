//! The steps of the demo. Each checks what it claims; its sentence is printed only if that held.

use std::sync::Arc;

use tamarack_agent::{Quota, SecurityDomain};
use tamarack_cose::{PublicKey, SecretKey};
use tamarack_suit::{Envelope, author::DependencyBuilder};
use tamarack_tam::api::DomainRequest;
use tamarack_teep::{ErrorCode, Message};

use base64ct::{Base64, Encoding as _};

use super::{
    mallory::{Forgery, Plan},
    world::World,
};
use crate::{admin::jwk, failure::Failure};

const HELLO_1: &[u8] = include_bytes!("../../../../examples/prebuilt/hello-1.wasm");
const HELLO_2: &[u8] = include_bytes!("../../../../examples/prebuilt/hello-2.wasm");
const VAULT: &[u8] = include_bytes!("../../../../examples/prebuilt/vault-1.wasm");

const HELLO: &str = "acme/hello";
const GREETING: &str = "acme/hello/greeting";
const SAFE: &str = "globex/vault";

/// Commands of the example applications.
const GREET: u32 = 1;
const SIGN: u32 = 1;
const PUBLIC_KEY: u32 = 2;

type Outcome = Result<String, Failure>;

/// A step after the processes were started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Enroll,
    Attest,
    CreateDomain,
    Install,
    Invoke,
    Update,
    Personalize,
    RejectTampered,
    RejectReplayed,
    RejectDowngraded,
    RejectForeignSigner,
    Delete,
    VerifyGone,
}

fn check(holds: bool, claim: &str) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(Failure::new(format!("it does not hold that {claim}")))
    }
}

impl Step {
    pub(super) const ALL: [Self; 13] = [
        Self::Enroll,
        Self::Attest,
        Self::CreateDomain,
        Self::Install,
        Self::Invoke,
        Self::Update,
        Self::Personalize,
        Self::RejectTampered,
        Self::RejectReplayed,
        Self::RejectDowngraded,
        Self::RejectForeignSigner,
        Self::Delete,
        Self::VerifyGone,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enroll => "enroll",
            Self::Attest => "attest",
            Self::CreateDomain => "create-domain",
            Self::Install => "install",
            Self::Invoke => "invoke",
            Self::Update => "update",
            Self::Personalize => "personalize",
            Self::RejectTampered => "reject-tampered",
            Self::RejectReplayed => "reject-replayed",
            Self::RejectDowngraded => "reject-downgraded",
            Self::RejectForeignSigner => "reject-foreign-signer",
            Self::Delete => "delete",
            Self::VerifyGone => "verify-gone",
        }
    }

    pub(super) async fn take(self, world: &mut World) -> Outcome {
        match self {
            Self::Enroll => enroll(world).await,
            Self::Attest => attest(world).await,
            Self::CreateDomain => create_domains(world).await,
            Self::Install => install(world).await,
            Self::Invoke => invoke(world),
            Self::Update => update(world).await,
            Self::Personalize => personalize(world).await,
            Self::RejectTampered => reject_tampered(world).await,
            Self::RejectReplayed => reject_replayed(world).await,
            Self::RejectDowngraded => reject_downgraded(world),
            Self::RejectForeignSigner => reject_foreign_signer(world).await,
            Self::Delete => delete(world).await,
            Self::VerifyGone => verify_gone(world).await,
        }
    }
}

async fn enroll(world: &mut World) -> Outcome {
    let endorsement = world.endorsement().await?;
    let device = world.admin.enroll(endorsement).await?;
    world.ueid = device.ueid;
    let id: String = world.ueid.chars().take(12).collect();
    Ok(format!(
        "The device's maker vouched for it; the TAM knows device {id}… now."
    ))
}

async fn attest(world: &mut World) -> Outcome {
    let before = world.admin.device(&world.ueid).await?;
    check(
        before.device.agent_key.is_none(),
        "the device has not attested yet",
    )?;
    world.app.policy_check()?;
    let after = world.admin.device(&world.ueid).await?;
    check(
        after.device.agent_key.is_some(),
        "the TAM accepted the device's Evidence",
    )?;
    Ok(
        "The TEE proved to the TAM what it is and what runs in it, freshly and by signature."
            .into(),
    )
}

async fn create_domains(world: &mut World) -> Outcome {
    let providers = [
        ("acme", world.acme.clone()),
        ("globex", world.globex.clone()),
    ];
    for (name, owner) in providers {
        let prefix = name
            .parse()
            .map_err(|error| Failure::new(format!("{name}: {error}")))?;
        let owners = vec![*owner.public_key()];
        let domain = SecurityDomain::new(prefix, owners, Quota::default());
        let manifest = world.manifest(
            &format!("{name}-domain"),
            &format!("security-domain/{name}"),
            &domain.encode(),
            1,
            &world.administrator,
            Vec::new(),
        )?;
        let request = DomainRequest {
            name: name.to_owned(),
            prefix: name.to_owned(),
            signers: vec![jwk(owner.public_key())],
            anchor: Some(jwk(world.administrator.public_key())),
            manifest: Some(Base64::encode_string(&manifest)),
        };
        world.admin.put_domain(&request).await?;
    }
    Ok(
        "Two providers, acme and globex, got a security domain each: strangers to one another."
            .into(),
    )
}

async fn install(world: &mut World) -> Outcome {
    world.first = world.manifest("hello-1", HELLO, HELLO_1, 1, &world.acme, Vec::new())?;
    let vault = world.manifest("vault-1", SAFE, VAULT, 1, &world.globex, Vec::new())?;
    world.admin.publish(world.first.clone()).await?;
    world.admin.publish(vault).await?;
    world.admin.deploy(HELLO, "site=demo", "on-request").await?;
    world.admin.deploy(SAFE, "site=demo", "required").await?;
    let outcome = world.app.request(HELLO)?;
    check(
        outcome.installed == Some(true),
        "the requested application is installed",
    )?;
    let components = world.components()?;
    check(
        components.len() == 4,
        "two domains and two applications are installed",
    )?;
    Ok(
        "An app asked for acme/hello; the TAM sent it, signed by acme, and the TEE installed it."
            .into(),
    )
}

fn greet(world: &World) -> Result<String, Failure> {
    let (result, output) = world.app.invoke(HELLO, GREET, b"Ada")?;
    check(result == 0, "the application answered")?;
    String::from_utf8(output).map_err(|_| Failure::new("the answer is no text"))
}

fn invoke(world: &mut World) -> Outcome {
    let greeting = greet(world)?;
    check(
        greeting == "Hello from inside the TEE, Ada!",
        "hello greets",
    )?;
    let message = b"pay 5 coins to Bob";
    let (_, key) = world.app.invoke(SAFE, PUBLIC_KEY, b"")?;
    let (result, signature) = world.app.invoke(SAFE, SIGN, message)?;
    check(result == 0, "the vault signed")?;
    let key = PublicKey::from_cose_key(&key).map_err(|error| Failure::new(error.to_string()))?;
    world.crypto.signatures.verify(&key, message, &signature)?;
    Ok(format!(
        "“{greeting}” And globex/vault signed with a key that never leaves the TEE."
    ))
}

async fn update(world: &mut World) -> Outcome {
    world.installed = world.manifest("hello-2", HELLO, HELLO_2, 2, &world.acme, Vec::new())?;
    world.admin.publish(world.installed.clone()).await?;
    world.app.policy_check()?;
    let greeting = greet(world)?;
    check(greeting.contains("hello 2"), "the new version answers")?;
    Ok("acme published a newer hello; at its next contact the device replaced the old one.".into())
}

/// Publishes a greeting for this device's application.
async fn publish_greeting(world: &World, text: &str, number: u64) -> Result<(), Failure> {
    let application = Envelope::decode(&world.installed)
        .and_then(|envelope| DependencyBuilder::of(&envelope))
        .map_err(|error| Failure::new(error.to_string()))?;
    let name = format!("greeting-{number}");
    let needs = vec![application];
    let acme: &SecretKey = &world.acme;
    let manifest = world.personal(&name, GREETING, text.as_bytes(), number, acme, needs)?;
    check(
        !manifest
            .windows(text.len())
            .any(|part| part == text.as_bytes()),
        "the data can't be read in the manifest",
    )?;
    world.admin.publish(manifest).await?;
    Ok(())
}

async fn personalize(world: &mut World) -> Outcome {
    publish_greeting(world, "Servus", 1).await?;
    world
        .admin
        .deploy(GREETING, &format!("ueid={}", world.ueid), "required")
        .await?;
    world.app.policy_check()?;
    let greeting = greet(world)?;
    check(
        greeting.starts_with("Servus, Ada!"),
        "the application uses its personalization data",
    )?;
    world.recorded = world.mallory.recorded_update();
    Ok(format!(
        "acme encrypted data to this one device, which neither TAM nor broker can read; hello uses it: “{greeting}”"
    ))
}

/// Lets the device talk to the TAM while Mallory does what she planned; returns the TEE's Error.
fn attack(world: &World, plan: Plan) -> Result<(ErrorCode, String), Failure> {
    let before = world.components()?;
    world.mallory.plan(plan);
    world.app.policy_check()?;
    let answer = world.mallory.answer();
    world.mallory.plan(Plan::Watch);
    check(world.components()? == before, "nothing in the TEE changed")?;
    match answer {
        Some(Message::Error(error)) => {
            let reason = error
                .explanation
                .map(|explanation| explanation.text)
                .unwrap_or_default();
            Ok((error.code, reason))
        }
        other => Err(Failure::new(format!(
            "the TEE did not refuse: it answered {other:?}"
        ))),
    }
}

/// An Update by somebody who stole the TAM's key.
fn forged_update(world: &World, manifest: Vec<u8>) -> Result<Plan, Failure> {
    Ok(Plan::Forge(Arc::new(Forgery {
        crypto: world.crypto,
        key: world.stolen_tam_key()?,
        manifest,
    })))
}

async fn reject_tampered(world: &mut World) -> Outcome {
    publish_greeting(world, "Good day", 2).await?;
    let (code, reason) = attack(world, Plan::FlipBit)?;
    check(
        code == ErrorCode::PERMANENT_ERROR,
        "the TEE found the message not to be the TAM's",
    )?;
    world.app.policy_check()?;
    check(
        greet(world)?.starts_with("Good day"),
        "the genuine update arrives afterwards",
    )?;
    Ok(format!(
        "One bit of an update was flipped on the way; the TEE refused it: {reason}."
    ))
}

async fn reject_replayed(world: &mut World) -> Outcome {
    let recorded = world
        .recorded
        .clone()
        .ok_or_else(|| Failure::new("nothing was recorded"))?;
    let (_, reason) = attack(world, Plan::Substitute(recorded))?;
    let (status, bytes) = world.mallory.replay_query_response().await?;
    check(
        (status, bytes) == (204, 0),
        "the TAM has nothing to say to a replayed message",
    )?;
    Ok(format!(
        "A recorded update was played again: {reason}. Nor does the TAM hear a replay."
    ))
}

fn reject_downgraded(world: &mut World) -> Outcome {
    let (code, reason) = attack(world, forged_update(world, world.first.clone())?)?;
    check(
        code == ErrorCode::MANIFEST_PROCESSING_FAILED,
        "the TEE refused the manifest",
    )?;
    Ok(format!(
        "Even with the TAM's key stolen, the old hello can't come back: {reason}."
    ))
}

async fn reject_foreign_signer(world: &mut World) -> Outcome {
    let manifest = world.manifest(
        "hello-by-globex",
        HELLO,
        VAULT,
        9,
        &world.globex,
        Vec::new(),
    )?;
    let published = world.admin.publish(manifest.clone()).await;
    check(
        published.is_err(),
        "the TAM does not publish what globex signs for acme",
    )?;
    let (code, reason) = attack(world, forged_update(world, manifest)?)?;
    check(
        code == ErrorCode::MANIFEST_PROCESSING_FAILED,
        "the TEE refused the manifest",
    )?;
    Ok(format!(
        "globex signed a replacement for acme's hello; TAM and TEE refused: {reason}."
    ))
}

async fn delete(world: &mut World) -> Outcome {
    world.admin.undeploy(GREETING, None).await?;
    world.admin.undeploy(HELLO, None).await?;
    world.app.policy_check()?;
    let left = world.components()?;
    let gone = !left
        .iter()
        .any(|(component, _)| component.starts_with(HELLO));
    check(gone, "the application and its data are no longer listed")?;
    Ok("The deployment ended; at its next contact the device removed hello and its data.".into())
}

async fn verify_gone(world: &mut World) -> Outcome {
    let refused = greet(world);
    check(refused.is_err(), "a deleted application can't be invoked")?;
    world.app.policy_check()?;
    let device = world.admin.device(&world.ueid).await?;
    let listed = device
        .installed
        .iter()
        .any(|image| image.component.starts_with(HELLO));
    check(
        !listed,
        "the device attests to the TAM that it no longer holds hello",
    )?;
    let (result, _) = world.app.invoke(SAFE, SIGN, b"still here")?;
    check(result == 0, "globex did not notice any of this")?;
    Ok("hello is gone from the TEE and from what it attests; globex/vault never noticed.".into())
}
