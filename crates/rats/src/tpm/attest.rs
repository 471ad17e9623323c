//! What a TPM signs when it quotes: TPMS_ATTEST (TPM 2.0 Library, Part 2, section 10.12.12).

use alloc::vec::Vec;

/// `TPM_GENERATED_VALUE`: a restricted key signs nothing that starts so and did not come from within the TPM.
const GENERATED: u32 = 0xff54_4347;

/// `TPM_ST_ATTEST_QUOTE`.
const ATTEST_QUOTE: u16 = 0x8018;

/// `TPM_ALG_SHA256`.
const SHA_256: u16 = 0x000b;

/// The largest `TPM2B_NAME`: an algorithm and a digest of SHA-512.
const MAX_NAME: usize = 66;

/// The largest `TPM2B_DATA`: as large as a `TPMT_HA`.
const MAX_DATA: usize = 66;

/// Octets of a selection: a bank has 24 PCRs on most platforms, and 32 at most.
const MAX_SELECT: usize = 4;

/// Why bytes are no quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a quote of a TPM: {what} at byte {offset} {problem}")]
pub struct AttestError {
    /// The member of the structure.
    pub what: &'static str,
    /// Where it starts.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The members of a TPMS_ATTEST of type quote that matter to a Verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted<'a> {
    /// `extraData`: what whoever asked for the quote gave, 66 bytes at most.
    pub extra_data: &'a [u8],
    /// The PCRs of the bank of SHA-256 that were quoted, in ascending order.
    pub selection: Vec<u8>,
    /// `pcrDigest`: SHA-256 over the values of these PCRs, one behind the other.
    pub pcr_digest: [u8; 32],
}

impl<'a> Quoted<'a> {
    /// Reads the structure, all of it and nothing behind it.
    ///
    /// One that selects another bank than that of SHA-256, or more than one, is refused.
    ///
    /// # Errors
    ///
    /// Which member is wrong, where and how.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, AttestError> {
        let mut reader = Reader { bytes, offset: 0 };
        let at = reader.offset;
        if reader.u32("magic")? != GENERATED {
            return Err(wrong("magic", at, "is not TPM_GENERATED_VALUE"));
        }
        let at = reader.offset;
        if reader.u16("type")? != ATTEST_QUOTE {
            return Err(wrong("type", at, "is not TPM_ST_ATTEST_QUOTE"));
        }
        reader.sized("qualifiedSigner", MAX_NAME)?;
        let extra_data = reader.sized("extraData", MAX_DATA)?;
        reader.take("clockInfo.clock", 8)?;
        reader.take("clockInfo.resetCount", 4)?;
        reader.take("clockInfo.restartCount", 4)?;
        let at = reader.offset;
        if reader.u8("clockInfo.safe")? > 1 {
            return Err(wrong("clockInfo.safe", at, "is neither 0 nor 1"));
        }
        reader.take("firmwareVersion", 8)?;
        let selection = reader.selection()?;
        let at = reader.offset;
        let digest = reader.sized("quote.pcrDigest", 64)?;
        let pcr_digest = digest
            .try_into()
            .map_err(|_| wrong("quote.pcrDigest", at, "is no SHA-256"))?;
        if reader.offset != bytes.len() {
            return Err(wrong("TPMS_ATTEST", reader.offset, "is followed by more"));
        }
        Ok(Self {
            extra_data,
            selection,
            pcr_digest,
        })
    }
}

fn wrong(what: &'static str, offset: usize, problem: &'static str) -> AttestError {
    AttestError {
        what,
        offset,
        problem,
    }
}

/// Reads big-endian integers and strings with a length in front.
struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, what: &'static str, len: usize) -> Result<&'a [u8], AttestError> {
        let end = self.offset.checked_add(len);
        let taken = end.and_then(|end| self.bytes.get(self.offset..end));
        let taken = taken.ok_or_else(|| wrong(what, self.offset, "is cut off"))?;
        self.offset += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], AttestError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(what, N)?);
        Ok(array)
    }

    fn u8(&mut self, what: &'static str) -> Result<u8, AttestError> {
        self.array(what).map(u8::from_be_bytes)
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, AttestError> {
        self.array(what).map(u16::from_be_bytes)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, AttestError> {
        self.array(what).map(u32::from_be_bytes)
    }

    /// A `TPM2B`: a length of 16 bits and so many bytes.
    fn sized(&mut self, what: &'static str, max: usize) -> Result<&'a [u8], AttestError> {
        let at = self.offset;
        let len = usize::from(self.u16(what)?);
        if len > max {
            return Err(wrong(what, at, "is longer than it may be"));
        }
        self.take(what, len)
    }

    /// A `TPML_PCR_SELECTION` with one entry, of the bank of SHA-256: the PCRs, ascending.
    fn selection(&mut self) -> Result<Vec<u8>, AttestError> {
        let what = "quote.pcrSelect";
        let at = self.offset;
        if self.u32(what)? != 1 {
            return Err(wrong(what, at, "does not select one bank"));
        }
        let at = self.offset;
        if self.u16(what)? != SHA_256 {
            return Err(wrong(what, at, "selects another bank than that of SHA-256"));
        }
        let at = self.offset;
        let len = usize::from(self.u8(what)?);
        if len > MAX_SELECT {
            return Err(wrong(what, at, "selects more PCRs than there are"));
        }
        let bits = self.take(what, len)?;
        let selected = |index: &u8| {
            let octet = bits.get(usize::from(index / 8));
            octet.is_some_and(|octet| octet & (1 << (index % 8)) != 0)
        };
        Ok((0..=31).filter(selected).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tpm::quote::testing::attest;
    use alloc::string::ToString;

    #[test]
    fn a_quote_is_read() {
        let bytes = attest(b"extra", &[0, 7, 23], [9; 32]);
        let quoted = Quoted::decode(&bytes).unwrap();
        assert_eq!(quoted.extra_data, b"extra");
        assert_eq!(quoted.selection, [0, 7, 23]);
        assert_eq!(quoted.pcr_digest, [9; 32]);
    }

    #[test]
    fn what_is_cut_off_or_longer_is_refused() {
        let bytes = attest(b"extra", &[0, 7], [9; 32]);
        for len in 0..bytes.len() {
            assert!(Quoted::decode(&bytes[..len]).is_err(), "{len}");
        }
        let error = Quoted::decode(&[&bytes[..], &[0]].concat()).unwrap_err();
        assert!(error.to_string().contains("followed by more"));
    }

    #[test]
    fn another_structure_is_refused_by_name() {
        let of = |offset: usize, byte: u8| {
            let mut bytes = attest(b"", &[0], [9; 32]);
            bytes[offset] = byte;
            Quoted::decode(&bytes).unwrap_err().what
        };
        // A key that signs whatever it is given could sign anything that does not start with the magic.
        assert_eq!(of(0, 0xfe), "magic");
        // TPM_ST_ATTEST_CERTIFY.
        assert_eq!(of(5, 0x17), "type");
        assert_eq!(of(6, 0xff), "qualifiedSigner");
        let bytes = attest(b"", &[0], [9; 32]);
        let select = bytes.len() - 34 - 10;
        assert_eq!(of(select + 3, 2), "quote.pcrSelect");
        assert_eq!(of(select + 5, 0x04), "quote.pcrSelect", "the bank of SHA-1");
        assert_eq!(of(select + 6, 5), "quote.pcrSelect");
        assert_eq!(of(select - 9, 2), "clockInfo.safe");
    }

    proptest::proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..160)) {
            let _ = Quoted::decode(&bytes);
        }

        #[test]
        fn a_changed_byte_is_refused_or_read_as_what_it_is(at in 0_usize..200, to in proptest::num::u8::ANY) {
            let mut bytes = attest(b"a nonce", &[1, 2, 3], [9; 32]);
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(quoted) = Quoted::decode(&bytes) {
                proptest::prop_assert!(quoted.extra_data.len() <= MAX_DATA);
                proptest::prop_assert!(quoted.selection.is_sorted());
            }
        }
    }
}
