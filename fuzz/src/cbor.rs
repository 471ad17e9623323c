//! The strict CBOR door, the rewriting of indefinite lengths, and the reader behind the door.

use std::borrow::Cow;

use tamarack_cose::cbor::{Limits, Problem, Reader, Type, check, diagnostic, to_definite};

/// Small enough that the fuzzer reaches them.
const LIMITS: Limits = Limits {
    bytes: 4096,
    depth: 8,
};

/// Runs the target.
pub fn run(data: &[u8]) {
    let checked = check(data, &LIMITS);
    match (&checked, to_definite(data, &LIMITS)) {
        (Ok(()), Ok(Cow::Borrowed(same))) => assert_eq!(same, data),
        (Ok(()), other) => panic!("definite input was not left alone: {other:?}"),
        (Err(refused), Ok(definite)) => {
            assert_eq!(refused.problem, Problem::IndefiniteLength);
            assert_eq!(check(&definite, &LIMITS), Ok(()), "rewritten, and refused");
        }
        (Err(_), Err(_)) => {}
    }
    if checked.is_ok() {
        behind_the_door(data);
    }
}

/// What passed can be read to its end, by us and by another implementation.
fn behind_the_door(data: &[u8]) {
    let mut reader = Reader::new(data);
    assert_ne!(reader.peek(), Type::End, "an item has a type");
    assert_eq!(reader.clone().raw("item"), Ok(data));
    reader.skip("item").expect("an item can be skipped");
    assert_eq!(reader.end("item"), Ok(()));

    let mut other = minicbor::Decoder::new(data);
    other.skip().expect("minicbor takes what passed the door");
    assert_eq!(other.position(), data.len());
    let _ = diagnostic(data);
}
