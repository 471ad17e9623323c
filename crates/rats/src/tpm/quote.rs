use alloc::{collections::BTreeMap, vec::Vec};

use tamarack_cose::{
    CryptoProvider, PublicKey,
    cbor::{self, DecodeError, Limits, Problem, Reader, Writer},
};

/// Media type of a [`TpmQuote`].
pub const TPM_QUOTE: &str = "application/vnd.tamarack.tpm-quote+cbor";

/// A quote is some hundred bytes, and 24 values of 32 bytes each.
const LIMITS: Limits = Limits {
    bytes: 4096,
    depth: 4,
};

/// The quote of a TPM, with what it takes to check it: CBOR in a [`HardwareReport`](crate::HardwareReport).
///
/// ```text
/// tpm-quote = {
///   1 => bstr,                    ; TPMS_ATTEST, as the TPM signed it
///   2 => bstr .size 64,           ; the signature: r and s of ECDSA with P-256 and SHA-256
///   3 => bstr .cbor COSE_Key,     ; the attestation key
///   4 => { 1* 0..31 => bstr .size 32 }, ; the PCRs of the bank of SHA-256
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TpmQuote {
    /// TPMS_ATTEST, as the TPM signed it.
    pub attest: Vec<u8>,
    /// The signature by the attestation key.
    pub signature: [u8; 64],
    /// The attestation key: restricted, so that it signs nothing but what comes from within the TPM.
    pub attestation_key: PublicKey,
    /// The PCRs that were quoted, of the bank of SHA-256.
    pub pcrs: BTreeMap<u8, [u8; 32]>,
}

impl TpmQuote {
    /// Decodes the CBOR form.
    ///
    /// # Errors
    ///
    /// If it is none, or has members that are not known.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let rule = "tpm-quote";
        cbor::check(bytes, &LIMITS)?;
        let mut reader = Reader::new(bytes);
        let (mut attest, mut signature, mut key, mut pcrs) = (None, None, None, None);
        for _ in 0..reader.map(rule)? {
            match reader.int(rule)? {
                1 => attest = Some(reader.bytes("tpm-quote / attest")?.to_vec()),
                2 => signature = Some(array(&mut reader, "64 bytes", "tpm-quote / signature")?),
                3 => {
                    let start = reader.clone();
                    let bytes = reader.bytes("tpm-quote / key")?;
                    key = Some(PublicKey::from_cose_key(bytes).map_err(|_| {
                        start.error("tpm-quote / key", Problem::Expected("a COSE_Key"))
                    })?);
                }
                4 => pcrs = Some(read_pcrs(&mut reader)?),
                _ => return Err(reader.error(rule, Problem::Expected("a known label"))),
            }
        }
        let missing = |label| reader.error(rule, Problem::Missing(label));
        Ok(Self {
            attest: attest.ok_or_else(|| missing("attest (1)"))?,
            signature: signature.ok_or_else(|| missing("signature (2)"))?,
            attestation_key: key.ok_or_else(|| missing("key (3)"))?,
            pcrs: pcrs.ok_or_else(|| missing("pcrs (4)"))?,
        })
    }

    /// Encodes it deterministically.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.map(4).uint(1).bytes(&self.attest);
            w.uint(2).bytes(&self.signature);
            w.uint(3).bytes(&self.attestation_key.to_cose_key());
            w.uint(4).map(self.pcrs.len());
            for (index, value) in &self.pcrs {
                w.uint(u64::from(*index)).bytes(value);
            }
        })
    }

    /// What a TPM puts into a quote over PCRs with these values: SHA-256 over all of them, in ascending order.
    #[must_use]
    pub fn pcr_digest(crypto: &CryptoProvider, pcrs: &BTreeMap<u8, [u8; 32]>) -> [u8; 32] {
        let values: Vec<u8> = pcrs.values().flatten().copied().collect();
        crypto.sha256(&values)
    }
}

fn array<const N: usize>(
    reader: &mut Reader<'_>,
    size: &'static str,
    rule: &'static str,
) -> Result<[u8; N], DecodeError> {
    let mut array = [0; N];
    array.copy_from_slice(reader.sized_bytes(N..=N, size, rule)?);
    Ok(array)
}

fn read_pcrs(reader: &mut Reader<'_>) -> Result<BTreeMap<u8, [u8; 32]>, DecodeError> {
    let rule = "tpm-quote / pcrs";
    let mut pcrs = BTreeMap::new();
    for _ in 0..reader.map(rule)? {
        let start = reader.clone();
        let index = u8::try_from(reader.uint(rule)?).ok();
        let index = index.filter(|index| *index < 32);
        let index = index.ok_or_else(|| start.error(rule, Problem::OutOfBounds("0 to 31")))?;
        pcrs.insert(index, array(reader, "32 bytes", rule)?);
    }
    match pcrs.is_empty() {
        true => Err(reader.error(rule, Problem::Missing("a PCR"))),
        false => Ok(pcrs),
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// The TPMS_ATTEST of a quote.
    pub(crate) fn attest(extra_data: &[u8], selection: &[u8], pcr_digest: [u8; 32]) -> Vec<u8> {
        let sized = |bytes: &[u8]| {
            let len = u16::try_from(bytes.len()).unwrap();
            [&len.to_be_bytes()[..], bytes].concat()
        };
        let mut select = [0_u8; 3];
        for index in selection {
            select[usize::from(index / 8)] |= 1 << (index % 8);
        }
        [
            &0xff54_4347_u32.to_be_bytes()[..],
            &0x8018_u16.to_be_bytes(),
            &sized(&[0xab; 34]),
            &sized(extra_data),
            &[0; 8],
            &1_u32.to_be_bytes(),
            &0_u32.to_be_bytes(),
            &[1],
            &[0; 8],
            &1_u32.to_be_bytes(),
            &0x000b_u16.to_be_bytes(),
            &[3],
            &select,
            &sized(&pcr_digest),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote() -> TpmQuote {
        TpmQuote {
            attest: testing::attest(b"extra", &[0, 7], [1; 32]),
            signature: [5; 64],
            attestation_key: PublicKey::Ed25519 { x: [9; 32] },
            pcrs: [(0, [1; 32]), (7, [2; 32])].into(),
        }
    }

    #[test]
    fn it_survives_a_round_trip() {
        assert_eq!(TpmQuote::decode(&quote().encode()), Ok(quote()));
    }

    #[test]
    fn anything_else_is_refused() {
        let bytes = quote().encode();
        for len in 0..bytes.len() {
            assert!(TpmQuote::decode(&bytes[..len]).is_err(), "{len}");
        }
        let without_pcrs = TpmQuote {
            pcrs: BTreeMap::new(),
            ..quote()
        };
        assert!(TpmQuote::decode(&without_pcrs.encode()).is_err());
        let high = TpmQuote {
            pcrs: [(32, [1; 32])].into(),
            ..quote()
        };
        assert!(TpmQuote::decode(&high.encode()).is_err());
    }

    proptest::proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
            let _ = TpmQuote::decode(&bytes);
        }
    }
}
