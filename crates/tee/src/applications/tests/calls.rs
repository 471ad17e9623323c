//! Services of one security domain, called from another.

use tamarack_ta::{
    ResultCode,
    interface::{Client, decode_client},
};

use super::world::{World, service, ta};

/// Calls the service that is its input, with the command that it was given.
fn caller() -> String {
    ta(
        "",
        "(drop (call $take (i32.const 0) (local.get $len)))
         (call $answer (call $call (i32.const 0) (local.get $len) (local.get $command)
            (i32.const 0) (i32.const 3)))",
    )
}

/// Answers who called.
fn who() -> String {
    ta("", "(call $answer (call $client))")
}

/// The domains `power`, with a meter, and `shop`, with a caller.
fn world(callers: Option<&[&str]>) -> World {
    let world = World::new();
    world.domain("power", |domain| {
        domain.services = vec![service("reading", "power/meter", callers)];
    });
    world.domain("shop", |_| {});
    world.install("power", "power/meter", 1, &who());
    world.install("shop", "shop/till", 1, &caller());
    world
}

#[test]
fn a_service_learns_who_calls() {
    let world = world(Some(&["bank", "shop"]));
    let client = world.invoke("shop/till", 1, b"power/reading").unwrap();
    let expected = Client::Application {
        domain: "shop".into(),
        component: "shop/till".into(),
    };
    assert_eq!(decode_client(&client), Some(expected));
    let client = world.invoke("power/meter", 1, b"").unwrap();
    assert_eq!(decode_client(&client), Some(Client::User(1000)));
}

#[test]
fn what_is_not_exposed_is_not_there() {
    let exposed = world(None);
    assert!(exposed.invoke("shop/till", 1, b"power/reading").is_ok());
    let missing = Err(ResultCode::ITEM_NOT_FOUND);
    for name in [
        "power/other",
        "power",
        "reading",
        "/reading",
        "",
        "power/",
        "nobody/reading",
    ] {
        assert_eq!(
            exposed.invoke("shop/till", 1, name.as_bytes()),
            missing,
            "{name}"
        );
    }
    // Not by its component identifier either.
    assert_eq!(exposed.invoke("shop/till", 1, b"power/meter"), missing);
    let for_others = world(Some(&["bank"]));
    assert_eq!(for_others.invoke("shop/till", 1, b"power/reading"), missing);
    let bad = Err(ResultCode::BAD_PARAMETERS);
    assert_eq!(exposed.invoke("shop/till", 1, b"\xff\xfe/reading"), bad);
    assert_eq!(exposed.invoke("shop/till", 1, &[b'a'; 400]), bad);
}

#[test]
fn a_service_that_a_domain_inside_took_over_is_not_there() {
    let world = world(None);
    world.install("power/inner", "power/meter", 2, &who());
    let called = world.invoke("shop/till", 1, b"power/reading");
    assert_eq!(called, Err(ResultCode::ITEM_NOT_FOUND));
}

#[test]
fn a_domain_calls_its_own_services() {
    let world = world(Some(&["bank"]));
    world.install("power", "power/display", 1, &caller());
    assert!(world.invoke("power/display", 1, b"power/reading").is_ok());
}

#[test]
fn what_a_service_answers_reaches_the_caller_and_its_death_does_not_kill() {
    let world = world(None);
    for (body, code) in [
        ("(i32.const 7)", ResultCode(7)),
        // The caller passes it on; but whether its own session is dead, the TEE says.
        ("(unreachable)", ResultCode::GENERIC),
    ] {
        world.install("power", "power/meter", 1, &ta("", body));
        let session = world.open("shop/till").unwrap();
        for _ in 0..2 {
            let called = world.invoke_in(session, 1, b"power/reading");
            assert_eq!(called, Ok(Err(code)));
        }
        world.applications.close(session).unwrap();
    }
}

#[test]
fn a_call_leads_back_to_nobody() {
    let world = world(None);
    world.domain("shop", |domain| {
        domain.services = vec![service("till", "shop/till", None)];
    });
    // By itself, and through another.
    let busy = Err(ResultCode::BUSY);
    assert_eq!(world.invoke("shop/till", 1, b"shop/till"), busy);
    let back = ta(
        r#"(data (i32.const 0) "shop/till")"#,
        "(call $answer (call $call (i32.const 0) (i32.const 9) (i32.const 1)
            (i32.const 0) (i32.const 0)))",
    );
    world.install("power", "power/meter", 1, &back);
    assert_eq!(world.invoke("shop/till", 1, b"power/reading"), busy);
}

#[test]
fn a_chain_of_calls_is_short() {
    let world = World::new();
    for number in 0..6 {
        let (name, component) = (format!("d{number}"), format!("d{number}/ta"));
        world.domain(&name, |domain| {
            domain.services = vec![service("s", &component, None)];
        });
        let next = format!("d{}/s", number + 1);
        let data = format!(r#"(data (i32.const 0) "{next}")"#);
        let call = "(if (i32.eqz (local.get $command)) (then (return (i32.const 0))))
            (call $answer (call $call (i32.const 0) (i32.const 4)
                (i32.sub (local.get $command) (i32.const 1)) (i32.const 0) (i32.const 0)))";
        world.install(&name, &component, 1, &ta(&data, call));
    }
    assert_eq!(world.invoke("d0/ta", 3, b""), Ok(Vec::new()));
    assert_eq!(world.invoke("d0/ta", 4, b""), Err(ResultCode::BUSY));
}

#[test]
fn a_service_has_the_fuel_of_its_own_domain() {
    let world = world(None);
    world.domain("power", |domain| {
        domain.services = vec![service("reading", "power/meter", None)];
        domain.quota.fuel = 1_000_000;
    });
    let endless = ta("", "(loop $l (br $l)) (unreachable)");
    world.install("power", "power/meter", 1, &endless);
    // The service dies of its own limit; the caller has fuel left.
    let session = world.open("shop/till").unwrap();
    for _ in 0..2 {
        let dead = world.invoke_in(session, 1, b"power/reading");
        assert_eq!(dead, Ok(Err(ResultCode::GENERIC)));
    }
    // A caller without much fuel can't choose where it ends.
    world.domain("power", |domain| {
        domain.services = vec![service("reading", "power/meter", None)];
    });
    let counts = "(local $i i32)
        (loop $l
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $l (i32.lt_u (local.get $i) (i32.const 1000000))))
        (drop (call $write (i32.const 0) (i32.const 100) (i32.const 1)
            (i32.const 100) (i32.const 1))) (i32.const 0)";
    let counts = ta(r#"(data (i32.const 100) "x")"#, counts);
    world.install("power", "power/meter", 2, &counts);
    world.domain("shop", |domain| domain.quota.fuel = 400_000);
    assert_eq!(
        world.invoke("shop/till", 1, b"power/reading"),
        Ok(Vec::new())
    );
    assert_eq!(world.object("power", "power/meter", "x").unwrap(), b"x");
}

#[test]
fn what_a_service_stores_is_kept_whatever_becomes_of_the_caller() {
    let world = world(None);
    let writes = "(drop (call $write (i32.const 0) (i32.const 100) (i32.const 1)
        (i32.const 100) (i32.const 1))) (i32.const 0)";
    let data = r#"(data (i32.const 100) "x")"#;
    world.install("power", "power/meter", 1, &ta(data, writes));
    let fails = ta(
        r#"(data (i32.const 0) "power/reading") (data (i32.const 100) "y")"#,
        "(drop (call $write (i32.const 0) (i32.const 100) (i32.const 1)
            (i32.const 100) (i32.const 1)))
         (drop (call $call (i32.const 0) (i32.const 13) (i32.const 1)
            (i32.const 0) (i32.const 0)))
         (i32.const 5)",
    );
    world.install("shop", "shop/till", 2, &fails);
    assert_eq!(world.invoke("shop/till", 1, b""), Err(ResultCode(5)));
    assert_eq!(world.object("shop", "shop/till", "y"), None);
    assert_eq!(world.object("power", "power/meter", "x").unwrap(), b"x");
}

#[test]
fn two_that_call_each_other_do_not_wait_for_ever() {
    let world = World::new();
    for (own, other) in [("a", "b"), ("b", "a")] {
        world.domain(own, |domain| {
            domain.services = vec![service("s", &format!("{own}/ta"), None)];
        });
        // Command 1 calls the other's command 0, again and again.
        let data = format!(r#"(data (i32.const 0) "{other}/s")"#);
        let call = "(local $i i32)
            (if (i32.eqz (local.get $command)) (then (return (i32.const 0))))
            (loop $l
                (drop (call $call (i32.const 0) (i32.const 3) (i32.const 0)
                    (i32.const 0) (i32.const 0)))
                (local.set $i (i32.add (local.get $i) (i32.const 1)))
                (br_if $l (i32.lt_u (local.get $i) (i32.const 3))))
            (i32.const 0)";
        world.install(own, &format!("{own}/ta"), 1, &ta(&data, call));
    }
    std::thread::scope(|scope| {
        for component in ["a/ta", "b/ta"] {
            let world = &world;
            scope.spawn(move || assert_eq!(world.invoke(component, 1, b""), Ok(Vec::new())));
        }
    });
}

#[test]
fn applications_of_one_domain_share_what_it_names() {
    let world = World::new();
    world.domain("home", |domain| domain.shared_objects = vec!["x".into()]);
    let data = r#"(data (i32.const 100) "x")"#;
    let writes = "(call $write (i32.const 1) (i32.const 100) (i32.const 1)
        (i32.const 100) (i32.const 1))";
    let reads = "(call $answer (call $read (i32.const 1) (i32.const 100) (i32.const 1)))";
    world.install("home", "home/one", 1, &ta(data, writes));
    world.install("home", "home/other", 1, &ta(data, reads));
    world.domain("away", |_| {});
    world.install("away", "away/ta", 1, &ta(data, reads));
    let missing = Err(ResultCode::ITEM_NOT_FOUND);
    assert_eq!(world.invoke("home/other", 1, b""), missing);
    world.invoke("home/one", 1, b"").unwrap();
    assert_eq!(world.invoke("home/other", 1, b"").unwrap(), b"x");
    let denied = Err(ResultCode::ACCESS_DENIED);
    assert_eq!(world.invoke("away/ta", 1, b""), denied);
    // A domain that shares an object of the same name shares its own.
    world.domain("away", |domain| domain.shared_objects = vec!["x".into()]);
    assert_eq!(world.invoke("away/ta", 1, b""), missing);
}
