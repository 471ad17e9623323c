use std::sync::OnceLock;

use tamarack_cose::{
    SecretKey, SignatureAlgorithm, rustcrypto,
    x509::{Certificate, Issue, Usage},
};

/// The time at which everything is looked at.
pub(crate) const NOW: u64 = 1_800_000_000;

/// A root, and a chain below it.
pub(crate) struct Pki {
    pub(crate) root: Certificate,
    /// From the leaf to the certificate that the root issued.
    pub(crate) chain: Vec<Certificate>,
    pub(crate) leaf_key: SecretKey,
    /// From the leaf to the root.
    pub(crate) keys: Vec<SecretKey>,
}

impl Pki {
    /// As many certificates below the root as `depth` says; every second one has an Ed25519 key.
    pub(crate) fn of_depth(depth: usize) -> Self {
        Self::with_path_length(depth, None)
    }

    pub(crate) fn with_path_length(depth: usize, path_length: Option<u8>) -> Self {
        let crypto = rustcrypto::provider();
        let key = |at: usize| {
            let algorithm = [SignatureAlgorithm::Ed25519, SignatureAlgorithm::Esp256][at % 2];
            SecretKey::generate(&crypto, algorithm).unwrap()
        };
        let signer = |key| crypto.signatures.signer(key).unwrap();
        let keys: Vec<SecretKey> = (0..=depth).map(key).collect();
        let root = Issue::new(
            *keys[depth].public_key(),
            "CN=root",
            Usage::Authority { path_length },
        )
        .valid(NOW - 1000, NOW + 1000)
        .self_signed(&crypto, &*signer(&keys[depth]))
        .unwrap();
        let mut chain = Vec::new();
        let mut issuer = root.clone();
        for at in (0..depth).rev() {
            let usage = match at {
                0 => Usage::Leaf(None),
                _ => Usage::Authority { path_length: None },
            };
            let name = format!("CN=level {at}");
            issuer = Issue::new(*keys[at].public_key(), &name, usage)
                .valid(NOW - 1000, NOW + 1000)
                .signed_by(&crypto, &issuer, &*signer(&keys[at + 1]))
                .unwrap();
            chain.insert(0, issuer.clone());
        }
        Self {
            root,
            chain,
            leaf_key: keys[0].clone(),
            keys,
        }
    }
}

/// One of depth 2 that is made once.
pub(crate) fn shared() -> &'static Pki {
    static SHARED: OnceLock<Pki> = OnceLock::new();
    SHARED.get_or_init(|| Pki::of_depth(2))
}
