//! A Trusted Application that signs with a key nobody can take out, and counts its signatures.
//!
//! | Command | Input | Output |
//! |---|---|---|
//! | [`SIGN`] | the message | an ESP256 signature, 64 bytes |
//! | [`PUBLIC_KEY`] | | the public key, an encoded `COSE_Key` |
//! | [`COUNT`] | | the number of signatures ever made, 8 bytes, big-endian |
//! | [`ATTEST`] | a nonce, 8 to 64 bytes | an Entity Attestation Token that holds the nonce and the key |
//!
//! The key is made inside the TEE when it is first needed. Signature and count change together or not at
//! all, because a command is a transaction.

#![cfg_attr(not(test), no_std)]

use tamarack_ta::{
    ResultCode, TrustedApplication, Vec, attestation,
    keys::{SignatureAlgorithm, SigningKey},
    objects,
};

/// Signs the input.
pub const SIGN: u32 = 1;
/// Tells the public key.
pub const PUBLIC_KEY: u32 = 2;
/// Tells how many signatures were made.
pub const COUNT: u32 = 3;
/// Proves that the key is this application's, on this device.
pub const ATTEST: u32 = 4;

/// The Trusted Application.
#[derive(Debug)]
pub struct Vault {
    key: SigningKey,
}

impl Vault {
    fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let count = count()?.checked_add(1).ok_or(ResultCode::OVERFLOW)?;
        objects::write("count", &count.to_be_bytes())?;
        self.key.sign(message)
    }

    fn public_key(&mut self) -> Result<Vec<u8>, ResultCode> {
        self.key.public_key()
    }

    fn count(&mut self) -> Result<u64, ResultCode> {
        count()
    }

    fn attest(&mut self, nonce: &[u8]) -> Result<Vec<u8>, ResultCode> {
        attestation::attest(nonce, Some(&self.key))
    }
}

impl TrustedApplication for Vault {
    fn create() -> Result<Self, ResultCode> {
        Ok(Self {
            key: SigningKey::open_or_generate("vault", SignatureAlgorithm::Esp256)?,
        })
    }

    tamarack_ta::commands! {
        SIGN => sign(message),
        PUBLIC_KEY => public_key(),
        COUNT => count(),
        ATTEST => attest(nonce),
    }
}

tamarack_ta::export!(Vault);

fn count() -> Result<u64, ResultCode> {
    match objects::read("count") {
        Ok(bytes) => {
            let bytes = bytes.try_into().map_err(|_| ResultCode::CORRUPT_OBJECT)?;
            Ok(u64::from_be_bytes(bytes))
        }
        Err(ResultCode::ITEM_NOT_FOUND) => Ok(0),
        Err(other) => Err(other),
    }
}

#[cfg(test)]
mod tests {
    use tamarack_ta::{
        cose,
        testing::{self, Session},
    };

    use super::*;

    fn count_of(session: &mut Session<Vault>) -> u64 {
        u64::from_be_bytes(session.invoke(COUNT, b"").unwrap().try_into().unwrap())
    }

    #[test]
    fn the_key_and_the_count_survive_the_session() {
        let mut session = Session::<Vault>::open(b"").unwrap();
        let public_key = session.invoke(PUBLIC_KEY, b"").unwrap();
        assert_eq!(count_of(&mut session), 0);
        assert_eq!(session.invoke(SIGN, b"a message").unwrap().len(), 64);
        session.close();

        let mut session = Session::<Vault>::open(b"").unwrap();
        assert_eq!(session.invoke(PUBLIC_KEY, b"").unwrap(), public_key);
        assert_eq!(count_of(&mut session), 1);
    }

    #[test]
    fn the_key_is_attested() {
        let mut session = Session::<Vault>::open(b"").unwrap();
        let token = session.invoke(ATTEST, b"12345678").unwrap();
        let claims = cose::verify1(&testing::attestation_key(), &token).unwrap();
        let key = session.invoke(PUBLIC_KEY, b"").unwrap();
        assert!(claims.windows(key.len()).any(|part| part == key));
        assert_eq!(
            session.invoke(ATTEST, b"short"),
            Err(ResultCode::BAD_PARAMETERS)
        );
    }

    #[test]
    fn a_signature_that_fails_is_not_counted() {
        let mut session = Session::<Vault>::open(b"").unwrap();
        SigningKey::open("vault").unwrap().delete().unwrap();
        assert_eq!(session.invoke(SIGN, b""), Err(ResultCode::ITEM_NOT_FOUND));
        assert_eq!(count_of(&mut session), 0);
    }
}
