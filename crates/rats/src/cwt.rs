//! The envelope of a CWT: a signed structure with any of its tags, or with none.

use alloc::vec::Vec;

use tamarack_cose::{
    CryptoProvider, Error, KeyId, Signer,
    cbor::{Reader, Type},
    sign1,
};

/// The CBOR tag of a CWT (RFC 8392 section 6), which some attesters put around the COSE tag.
const CWT_TAG: u64 = 61;

/// The token in a CWT tag, if there is one.
pub(crate) fn without_cwt_tag(bytes: &[u8]) -> &[u8] {
    let mut reader = Reader::new(bytes);
    match reader.peek() {
        Type::Tag if reader.tag("EAT") == Ok(CWT_TAG) => reader.rest(),
        _ => bytes,
    }
}

/// Signs claims: a COSE_Sign1 without any tag, with the key id of the signer.
///
/// # Errors
///
/// If the signer fails.
pub(crate) fn sign_untagged(
    crypto: &CryptoProvider,
    signer: &dyn Signer,
    claims: &[u8],
) -> Result<Vec<u8>, Error> {
    let key_id = KeyId::of(signer.public_key(), crypto);
    let tagged = sign1(signer, claims, Some(&key_id))?;
    let mut reader = Reader::new(&tagged);
    reader.tag("COSE_Sign1")?;
    Ok(reader.rest().to_vec())
}
