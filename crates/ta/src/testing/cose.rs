//! Keys as they cross the boundary: `COSE_Key`.

use alloc::vec::Vec;

use minicbor::{Decoder, Encoder, data::Type, decode::Error};

/// Labels of a `COSE_Key` (RFC 9052 section 7, RFC 9053 section 7).
const KTY: i64 = 1;
const ALG: i64 = 3;
const CRV: i64 = -1;
const X: i64 = -2;
const Y: i64 = -3;
const D: i64 = -4;

/// A `COSE_Key` as it comes in. What is not there is `None`; unknown members are ignored.
#[derive(Default)]
pub(super) struct CoseKey<'a> {
    pub(super) kty: Option<i64>,
    pub(super) alg: Option<i64>,
    pub(super) crv: Option<i64>,
    /// The secret of a symmetric key, which has the label of `crv`.
    pub(super) k: Option<&'a [u8]>,
    pub(super) x: Option<&'a [u8]>,
    pub(super) y: Option<&'a [u8]>,
    pub(super) d: Option<&'a [u8]>,
}

impl<'a> CoseKey<'a> {
    /// Key types.
    pub(super) const OKP: i64 = 1;
    pub(super) const EC2: i64 = 2;
    pub(super) const SYMMETRIC: i64 = 4;
    /// Curves.
    pub(super) const P256: i64 = 1;
    pub(super) const X25519: i64 = 4;
    pub(super) const ED25519: i64 = 6;

    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut items = Decoder::new(bytes);
        let key = Self::read(&mut items).ok()?;
        (items.position() == bytes.len()).then_some(key)
    }

    fn read(items: &mut Decoder<'a>) -> Result<Self, Error> {
        let mut key = Self::default();
        for _ in 0..items.map()?.unwrap_or_default() {
            match items.i64()? {
                KTY => key.kty = Some(items.i64()?),
                ALG => key.alg = Some(items.i64()?),
                CRV if items.datatype()? == Type::Bytes => key.k = Some(items.bytes()?),
                CRV => key.crv = Some(items.i64()?),
                X => key.x = Some(items.bytes()?),
                Y => key.y = Some(items.bytes()?),
                D => key.d = Some(items.bytes()?),
                _ => items.skip()?,
            }
        }
        Ok(key)
    }
}

/// Writes into memory, where nothing fails.
pub(super) fn write(
    build: impl FnOnce(
        &mut Encoder<Vec<u8>>,
    ) -> Result<(), minicbor::encode::Error<core::convert::Infallible>>,
) -> Vec<u8> {
    let mut items = Encoder::new(Vec::new());
    let _ = build(&mut items);
    items.into_writer()
}

/// A public key on P-256.
pub(super) fn ec2(x: &[u8], y: &[u8]) -> Vec<u8> {
    write(|w| {
        w.map(4)?.i64(KTY)?.i64(CoseKey::EC2)?;
        w.i64(CRV)?.i64(CoseKey::P256)?.i64(X)?.bytes(x)?;
        w.i64(Y)?.bytes(y)?;
        Ok(())
    })
}

/// A public key on a curve of Edwards or Montgomery form.
pub(super) fn okp(crv: i64, x: &[u8]) -> Vec<u8> {
    write(|w| {
        w.map(3)?.i64(KTY)?.i64(CoseKey::OKP)?;
        w.i64(CRV)?.i64(crv)?.i64(X)?.bytes(x)?;
        Ok(())
    })
}
