//! SHAKE, which the providers share.

use alloc::boxed::Box;

use shake::{
    Shake128, Shake256,
    digest::{ExtendableOutputReset, Update},
};

use crate::{DigestContext, DigestValue};

pub(crate) fn shake128() -> Box<dyn DigestContext> {
    Box::new(Context::<_, 32>(Shake128::default()))
}

pub(crate) fn shake256() -> Box<dyn DigestContext> {
    Box::new(Context::<_, 64>(Shake256::default()))
}

/// A hash with an output of `N` bytes.
struct Context<X, const N: usize>(X);

impl<X: Update + ExtendableOutputReset + Send, const N: usize> DigestContext for Context<X, N> {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    // In place, for what is moved out of a box stays behind there: the last block, which may be secret.
    fn finish(mut self: Box<Self>) -> DigestValue {
        let mut digest = [0; N];
        self.0.finalize_xof_reset_into(&mut digest);
        DigestValue::new(&digest)
    }
}

#[cfg(test)]
mod tests {
    use base16ct::lower::encode_string;

    use crate::{DigestAlgorithm, aws_lc, rustcrypto};

    // req: SUIT-FMT-011
    #[test]
    fn digests_are_those_of_their_standards() {
        // Of nothing: FIPS 180-4 and FIPS 202.
        let expected = [
            (
                DigestAlgorithm::Sha256,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            ),
            (
                DigestAlgorithm::Sha512_256,
                "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a",
            ),
            (
                DigestAlgorithm::Shake128,
                "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
            ),
            (
                DigestAlgorithm::Shake256,
                "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f\
                 d75dc4ddd8c0f200cb05019d67b592f6fc821c49479ab48640292eacb3b7c4be",
            ),
        ];
        for crypto in [rustcrypto::provider(), aws_lc::provider()] {
            for (algorithm, digest) in expected {
                let value = crypto.digests.start(algorithm).finish();
                assert_eq!(encode_string(value.as_ref()), digest);
            }
            for algorithm in DigestAlgorithm::ALL {
                let whole = |parts: &[&[u8]]| {
                    let mut context = crypto.digests.start(algorithm);
                    parts.iter().for_each(|part| context.update(part));
                    context.finish()
                };
                let digest = whole(&[b"payload"]);
                assert_eq!(digest.as_ref().len(), algorithm.digest_len());
                assert_eq!(whole(&[b"pay", b"", b"load"]), digest);
                assert_ne!(whole(&[b"payloae"]), digest);
                assert_eq!(
                    DigestAlgorithm::from_cose_id(algorithm.cose_id()),
                    Some(algorithm)
                );
            }
        }
        // SHA-1, SHA-256/64, and what is no hash.
        for id in [-14, -15, -9, 5, 0] {
            assert_eq!(DigestAlgorithm::from_cose_id(id), None);
        }
    }
}
