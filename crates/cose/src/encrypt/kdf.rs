use alloc::vec::Vec;

use super::KeyWrap;
use crate::{CryptoProvider, SymmetricKey, cbor::Writer};

/// The COSE_KDF_Context of ECDH-ES with key wrap (RFC 9053 section 5.2).
///
/// `protected` is the protected header of the recipient as received. `purpose` is SuppPubInfo.other, which
/// an empty one leaves out; SUIT sets it to `SUIT Payload Encryption`. The parties are anonymous.
// req: SUIT-ENC-015, SUIT-ENC-016
#[must_use]
pub fn kdf_context(wrap: KeyWrap, protected: &[u8], purpose: &[u8]) -> Vec<u8> {
    Writer::build(|w| {
        w.array(4).int(wrap.cose_id());
        for _party in 0..2 {
            w.array(3).null().null().null();
        }
        w.array(if purpose.is_empty() { 2 } else { 3 });
        w.uint(wrap.key_len() as u64 * 8).bytes(protected);
        if !purpose.is_empty() {
            w.bytes(purpose);
        }
    })
}

/// The key-encryption key that a Diffie-Hellman secret yields, by HKDF with SHA-256.
///
/// An absent salt and an empty one are the same to HKDF (RFC 5869 section 2.2).
pub(super) fn key_encryption_key(
    crypto: &CryptoProvider,
    wrap: KeyWrap,
    secret: &SymmetricKey,
    salt: &[u8],
    context: &[u8],
) -> SymmetricKey {
    let okm = zeroize::Zeroizing::new(crypto.kdf.derive(secret.secret_bytes(), salt, context));
    // The first bytes of a longer output are the shorter output.
    SymmetricKey::new(okm.get(..wrap.key_len()).unwrap_or_default())
}
