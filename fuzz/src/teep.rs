//! TEEP messages, bare and protected.

use tamarack_cose::cbor::Limits;
use tamarack_suit::Parameters;
use tamarack_teep::{MediaType, Message, Protected};

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

/// The order of parameters in a tc-list does not count, and is not kept.
fn without_claims(mut message: Message) -> Message {
    if let Message::QueryResponse(response) = &mut message {
        for claims in response.tc_list.iter_mut().flatten() {
            claims.properties = Parameters::new();
        }
    }
    message
}
