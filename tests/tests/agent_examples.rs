//! The example applications in the real TEE.

use attacker::{ATTEMPTS, Attempt, Outcome};
use tamarack_agent::{Quota, SecurityDomain, Service};
use tamarack_cose::PublicKey;
use tamarack_rats::{Confirmation, Evidence};
use tamarack_ta::{ResultCode, cose, interface::Client, wire::Output};
use tamarack_tests::{
    Device, Person, Providers, crypto, id, release,
    wasm::{self, COUNT, GREET, PUBLIC_KEY, SIGN},
};

fn invoke(
    device: &Device,
    component: &str,
    command: u32,
    input: impl Output,
) -> Result<Vec<u8>, ResultCode> {
    let input = input.into_output().unwrap();
    device.invoke(component, command, &input).unwrap()
}

/// A security domain that exposes one of its applications to others.
fn exposing(
    world: &Providers,
    domain: &str,
    owner: &Person,
    quota: Quota,
    service: (&str, &str),
    callers: &[&str],
) -> Vec<u8> {
    let mut descriptor = SecurityDomain::new(id(domain), vec![owner.public()], quota);
    descriptor.services.push(Service {
        name: service.0.into(),
        component: id(service.1),
        callers: Some(callers.iter().map(|name| (*name).to_owned()).collect()),
    });
    release::described(domain, 1, &descriptor, &world.admin)
}

#[test]
fn the_counter_in_c_counts_and_vouches_for_it() {
    let mut world = Providers::new();
    world.install(&release::app("acme/counter", 1, wasm::COUNTER, &world.acme));
    let device = &world.device;
    for count in 1..=3u64 {
        let statement = invoke(device, "acme/counter", 1, ()).unwrap();
        assert_eq!(statement.len(), 40);
        assert_eq!(statement[..8], count.to_be_bytes());
        assert_eq!(invoke(device, "acme/counter", 2, ()), Ok(statement.clone()));
        assert_eq!(
            invoke(device, "acme/counter", 3, &statement[..]),
            Ok(vec![])
        );
        for at in 0..statement.len() {
            let mut forged = statement.clone();
            forged[at] ^= 1;
            let refused = invoke(device, "acme/counter", 3, forged);
            assert_eq!(refused, Err(ResultCode::MAC_INVALID));
        }
    }
    for (command, input, code) in [
        (1, &b"x"[..], ResultCode::BAD_FORMAT),
        (3, b"short", ResultCode::BAD_FORMAT),
        (4, b"", ResultCode::NOT_SUPPORTED),
    ] {
        assert_eq!(invoke(device, "acme/counter", command, input), Err(code));
    }
    world.device = world.device.restarted();
    let statement = invoke(&world.device, "acme/counter", 1, ()).unwrap();
    assert_eq!(statement[..8], 4u64.to_be_bytes());
}

#[test]
fn a_billing_provider_reads_the_meter_of_another_domain() {
    const METER_COUNT: u32 = 1;
    const METER_TOTAL: u32 = 2;
    const METER_KEY: u32 = 4;
    const BILL: u32 = 1;
    let sensor = Client::User(104);
    let mut world = Providers::new();
    let (power, bills) = (Person::new(), Person::new());
    let quota = Quota::default();
    world.install(&exposing(
        &world,
        "power",
        &power,
        quota,
        ("meter", "power/meter"),
        &["bills"],
    ));
    world.install(&release::domain("bills", 1, &bills, &world.admin));
    world.install(&release::app("power/meter", 1, wasm::METER, &power));
    let user = 104u32.to_be_bytes();
    world.install(&release::app("power/meter/sensor-user", 1, &user, &power));
    let key = invoke(&world.device, "power/meter", METER_KEY, ()).unwrap();
    for (component, owner) in [("bills/billing", &bills), ("acme/billing", &world.acme)] {
        let data = |name: &str| format!("{component}/{name}");
        let price = 3000u32.to_be_bytes();
        let releases = [
            release::app(component, 1, wasm::BILLING, owner),
            release::app(&data("meter-key"), 1, &key, owner),
            release::app(&data("price"), 1, &price, owner),
        ];
        for release in releases {
            world.device.install(&world.tam, &[&release]);
        }
    }
    let device = &world.device;
    let count = |client, watt_hours: u32| {
        let input = watt_hours.to_be_bytes();
        let outcome = device.invoke_as(client, "power/meter", METER_COUNT, &input);
        outcome.unwrap()
    };
    assert_eq!(count(sensor, 1_500), Ok(1_500u64.to_be_bytes().into()));
    for other in [Client::Unknown, Client::User(0)] {
        assert_eq!(count(other, 1), Err(ResultCode::ACCESS_DENIED));
    }

    let bill = invoke(device, "bills/billing", BILL, ()).unwrap();
    let mut items = tamarack_ta::minicbor::Decoder::new(&bill);
    assert_eq!(items.array().unwrap(), Some(4));
    let (from, to) = (items.u64().unwrap(), items.u64().unwrap());
    items.skip().unwrap();
    assert_eq!((from, to, items.u64().unwrap()), (0, 1_500, 4_500));
    assert_eq!(
        invoke(device, "acme/billing", BILL, ()),
        Err(ResultCode::ITEM_NOT_FOUND),
        "the service is not for acme"
    );
    let total = invoke(device, "power/meter", METER_TOTAL, ()).unwrap();
    assert_eq!(total, 1_500u64.to_be_bytes());
}

#[test]
fn the_door_opens_for_whom_its_provider_says() {
    const UNLOCK_PIN: u32 = 3;
    const LOG: u32 = 4;
    const LOG_KEY: u32 = 6;
    let mut world = Providers::new();
    world.install(&release::app("acme/door", 1, wasm::DOOR_LOCK, &world.acme));
    let unlock = |device: &Device, pin: &str| {
        let decision = invoke(device, "acme/door", UNLOCK_PIN, ("bob", pin));
        decision.unwrap()[0]
    };
    assert_eq!(unlock(&world.device, "4711"), 1, "nobody is known");
    // [{ 0: "bob", 2: the digest of the PIN }]
    let digest = crypto().sha256(b"door-lock: pin 3:bob:4711");
    let credentials = [
        &[0x81, 0xA2, 0x00, 0x63, b'b', b'o', b'b', 0x02, 0x58, 32][..],
        &digest,
    ]
    .concat();
    world.install(&release::app(
        "acme/door/credentials",
        1,
        &credentials,
        &world.acme,
    ));
    assert_eq!(unlock(&world.device, "4711"), 0);
    for _ in 0..5 {
        assert_eq!(unlock(&world.device, "0000"), 1);
    }
    assert_eq!(unlock(&world.device, "4711"), 3, "locked out");
    world.device = world.device.restarted();
    assert_eq!(unlock(&world.device, "4711"), 3, "also after a restart");

    // The log, as somebody far away sees it, who knows the device only: its key says which key is the log's.
    let token = invoke(&world.device, "acme/door", LOG_KEY, &b"a nonce!"[..]).unwrap();
    let attester = world.device.endorsement().attester;
    let evidence = Evidence::decode(&token).unwrap();
    let claims = evidence.verify(&crypto(), &attester).unwrap();
    assert_eq!(claims.nonce.as_deref(), Some(&b"a nonce!"[..]));
    let Some(Confirmation::Key(key)) = claims.submodules["acme/door"].confirmation else {
        panic!("{claims:?}");
    };
    let log = invoke(&world.device, "acme/door", LOG, 0u32).unwrap();
    let segment = cose::verify1(&key.to_cose_key(), &log).unwrap();
    assert_eq!(segment.windows(3).filter(|part| part == b"bob").count(), 9);
    // What the TEE signs reads like what its applications sign.
    cose::verify1(&attester.to_cose_key(), &token).unwrap();
}

#[test]
fn the_attacker_gains_nothing() {
    let mut world = Providers::new();
    let evil = Person::new();
    let quota = Quota {
        bytes: 8 << 20,
        memory: 2 << 20,
        fuel: 20_000_000,
        objects: 64,
        ..Quota::default()
    };
    let callers = ["evil"];
    let service = ("attacker", "evil/attacker");
    world.install(&exposing(&world, "evil", &evil, quota, service, &callers));
    world.install(&release::app("evil/attacker", 1, wasm::ATTACKER, &evil));
    world.install(&release::app("acme/vault", 1, wasm::VAULT, &world.acme));
    world.install(&release::app("acme/hello", 1, wasm::HELLO_2, &world.acme));
    world.install(&release::app(
        "acme/hello/greeting",
        1,
        b"Servus",
        &world.acme,
    ));
    let key = world.device.output("acme/vault", PUBLIC_KEY, b"");
    let _ = world.device.output("acme/vault", SIGN, b"first");
    let greeting = world.device.output("acme/hello", GREET, b"Ada");
    let before = world.device.stored(&[]);

    let wrong: Vec<String> = ATTEMPTS
        .iter()
        .filter_map(|attempt| {
            let outcome = world.device.invoke("evil/attacker", attempt.number, b"");
            let outcome = outcome.unwrap();
            let result = outcome.as_deref().map_err(|code| *code);
            let shown = result.map(Outcome::from_bytes);
            let Attempt {
                number,
                what,
                expected,
            } = attempt;
            let met = expected.is_met_by(result);
            (!met).then(|| format!("{number}, {what}: {shown:?} instead of {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");

    assert_eq!(world.device.stored(&[]), before);
    assert_eq!(world.device.output("acme/vault", PUBLIC_KEY, b""), key);
    assert_eq!(
        world.device.output("acme/vault", COUNT, b""),
        1u64.to_be_bytes()
    );
    let signature = world.device.output("acme/vault", SIGN, b"second");
    let public = PublicKey::from_cose_key(&key).unwrap();
    crypto()
        .signatures
        .verify(&public, b"second", &signature)
        .unwrap();
    assert_eq!(world.device.output("acme/hello", GREET, b"Ada"), greeting);
}
