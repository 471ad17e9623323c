//! Evidence, its claims, and endorsements.

use tamarack_rats::{Claims, Endorsement, Evidence, Freshness, appraise};

use crate::insecure;

/// Runs the target.
pub fn run(data: &[u8]) {
    let crypto = insecure::provider();
    if let Ok(claims) = Claims::decode(data) {
        assert_eq!(Claims::decode(&claims.encode()), Ok(claims));
    }
    if let Ok(evidence) = Evidence::decode(data) {
        for attester in insecure::keys() {
            let claims = evidence.unverified_claims();
            if let Ok(verified) = evidence.verify(&crypto, &attester) {
                assert_eq!(verified, claims);
            }
            let ueid = claims.ueid.clone().unwrap_or_default();
            let nonce = claims.nonce.clone().unwrap_or_default();
            let endorsement = Endorsement::new(ueid, attester);
            if let Ok(result) = appraise(&crypto, &evidence, &endorsement, Freshness::Nonce(&nonce), 0) {
                assert_eq!(Some(&result.ueid), claims.ueid.as_ref());
                assert_eq!(Some(&result.confirmation), claims.confirmation.as_ref());
                assert!(claims.nonce.is_some(), "fresh without a nonce");
            }
        }
    }
    if let Ok(text) = str::from_utf8(data)
        && let Ok(endorsement) = Endorsement::from_json(text)
    {
        assert_eq!(
            Endorsement::from_json(&endorsement.to_json()),
            Ok(endorsement)
        );
    }
}
