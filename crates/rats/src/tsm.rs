//! Reports of a confidential virtual machine, as Linux hands them out (configfs-tsm).

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::cbor::{self, DecodeError, Limits, Problem, Reader, Writer};

/// Media type of a [`TsmReport`].
pub const TSM_REPORT: &str = "application/vnd.tamarack.tsm-report+cbor";

/// Reports are some thousand bytes, with certificates some ten thousand.
const LIMITS: Limits = Limits {
    bytes: 64 * 1024,
    depth: 2,
};

/// What the security module of a confidential virtual machine reports: CBOR in a
/// [`HardwareReport`](crate::HardwareReport).
///
/// ```text
/// tsm-report = {
///   1 => tstr,   ; provider: which format the report has, such as sev_guest or tdx_guest
///   2 => bstr,   ; outblob: the report
///   ? 3 => bstr, ; auxblob: what comes with it, such as certificates
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TsmReport {
    /// Which format the report has.
    pub provider: String,
    /// The report, about the 32 bytes of the binding and 32 zeros.
    pub outblob: Vec<u8>,
    /// What comes with it; nothing from most providers.
    pub auxblob: Vec<u8>,
}

impl TsmReport {
    /// Decodes the CBOR form.
    ///
    /// # Errors
    ///
    /// If it is none, or has members that are not known.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let rule = "tsm-report";
        cbor::check(bytes, &LIMITS)?;
        let mut reader = Reader::new(bytes);
        let (mut provider, mut outblob, mut auxblob) = (None, None, Vec::new());
        for _ in 0..reader.map(rule)? {
            match reader.int(rule)? {
                1 => provider = Some(reader.text("tsm-report / provider")?.to_owned()),
                2 => outblob = Some(reader.bytes("tsm-report / outblob")?.to_vec()),
                3 => auxblob = reader.bytes("tsm-report / auxblob")?.to_vec(),
                _ => return Err(reader.error(rule, Problem::Expected("a known label"))),
            }
        }
        let missing = |label| reader.error(rule, Problem::Missing(label));
        Ok(Self {
            provider: provider.ok_or_else(|| missing("provider (1)"))?,
            outblob: outblob.ok_or_else(|| missing("outblob (2)"))?,
            auxblob,
        })
    }

    /// Encodes it deterministically.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.map(2 + usize::from(!self.auxblob.is_empty()));
            w.uint(1).text(&self.provider).uint(2).bytes(&self.outblob);
            if !self.auxblob.is_empty() {
                w.uint(3).bytes(&self.auxblob);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_survives_a_round_trip() {
        let mut report = TsmReport {
            provider: "tdx_guest".into(),
            outblob: alloc::vec![1; 1000],
            auxblob: Vec::new(),
        };
        assert_eq!(TsmReport::decode(&report.encode()), Ok(report.clone()));
        report.auxblob = alloc::vec![2; 20];
        let bytes = report.encode();
        assert_eq!(TsmReport::decode(&bytes), Ok(report));
        for len in 0..bytes.len() {
            assert!(TsmReport::decode(&bytes[..len]).is_err(), "{len}");
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..100)) {
            let _ = TsmReport::decode(&bytes);
        }
    }
}
