//! TEEP messages, bare and protected.

use tamarack_cose::cbor::Limits;
use tamarack_suit::Parameters;
use tamarack_teep::{
    MediaType, Message, Protected,
    explain::{Knowledge, diagnostic, explain},
};

use crate::insecure;

/// Runs the target.
pub fn run(data: &[u8]) {
    let limits = Limits::default();
    if let Ok((message, encoding)) = Message::decode(data, &limits) {
        // Options that are not understood are gone, so the bytes may differ. The meaning may not.
        let bytes = message.encode(encoding);
        let (again, _) = Message::decode(&bytes, &limits).expect("what is written is read");
        assert_eq!(again.encode(encoding), bytes);
        assert_eq!(without_claims(again), without_claims(message));
    }
    explained(data, &limits);
    if let Ok(protected) = Protected::decode(data, &limits) {
        let _ = (protected.key_ids().count(), protected.algorithms().count());
        let unverified = protected.read_unverified();
        if let Ok(verified) = protected.verify(&insecure::provider(), &insecure::keys()) {
            let (message, encoding) = unverified.expect("what verifies is read");
            assert_eq!(
                (verified.message(), verified.encoding()),
                (&message, encoding)
            );
        }
    }
    if let Ok(text) = str::from_utf8(data)
        && let Some(media_type) = MediaType::parse(text)
    {
        assert_eq!(MediaType::parse(&media_type.to_string()), Some(media_type));
    }
}

/// What is shown to people: every finding has a place, and what the decoders refuse has a finding.
fn explained(data: &[u8], limits: &Limits) {
    let (crypto, keys) = (insecure::provider(), insecure::keys());
    let keys: Vec<_> = keys
        .into_iter()
        .map(|key| ("key".to_owned(), key))
        .collect();
    let explained = explain(
        data,
        Knowledge {
            crypto: &crypto,
            keys: &keys,
            recipient_keys: &[],
        },
    );
    for finding in &explained.findings {
        assert!(finding.offset <= data.len(), "{finding}");
        assert!(!finding.path.is_empty(), "{finding}");
    }
    let accepted = match Protected::decode(data, limits) {
        Ok(protected) => protected.read_unverified().is_ok(),
        Err(_) => Message::decode(data, limits).is_ok(),
    };
    let found = explained.problems().next().is_some();
    assert!(accepted || found || explained.name == Some("EAT"));
    let _ = (
        explained.content.numbered(),
        explained.content.named(),
        diagnostic(data),
    );
}

/// The order of parameters in a tc-list does not count, and is not kept.
fn without_claims(mut message: Message) -> Message {
    if let Message::QueryResponse(response) = &mut message {
        for claims in response.tc_list.iter_mut().flatten() {
            claims.properties = Parameters::new();
        }
    }
    message
}
