//! Hardware reports inside Evidence: what the hardware itself says, beside what the TEE says.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use tamarack_cose::{
    CryptoProvider, PublicKey,
    cbor::{DecodeError, Problem, Reader, Writer},
};

use crate::Claims;

/// The bytes of a report that say which Evidence it is for start with this in what is hashed.
const CONTEXT: &str = "tamarack hardware report";

/// What the hardware under a TEE reports, in the hardware's own format: a TPM's quote, a report of a
/// confidential VM, an SGX quote.
///
/// In the claims it is a record of a conceptual message (draft-ietf-rats-msg-wrap): `[media type, bytes]`. The
/// report is about 32 bytes that the Evidence determines ([`Claims::report_binding`]), so that it can't be taken
/// from other Evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareReport {
    /// The format.
    pub media_type: String,
    /// The report.
    pub bytes: Vec<u8>,
}

impl HardwareReport {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "cmw-record";
        let items = reader.array(rule)?;
        if !(2..=3).contains(&items) {
            return Err(reader.error(rule, Problem::Expected("[media type, value, ?indicator]")));
        }
        let media_type = reader.text("cmw-record / type")?.to_owned();
        let bytes = reader.bytes("cmw-record / value")?.to_vec();
        if items == 3 {
            reader.skip("cmw-record / ind")?;
        }
        Ok(Self { media_type, bytes })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.array(2).text(&self.media_type).bytes(&self.bytes);
    }
}

impl Claims {
    /// What the hardware has to report about, for a report inside Evidence with these claims that `attester` signs:
    /// SHA-256 over the nonce, the time, the device, the key of its TEEP messages and the attester key.
    ///
    /// ```text
    /// SHA-256(bstr .cbor ["tamarack hardware report", eat_nonce / null, iat / null, ueid / null,
    ///                     thumbprint of the key in cnf / null, thumbprint of the attester key])
    /// ```
    ///
    /// Hardware that takes more than 32 bytes gets zeros behind them.
    #[must_use]
    pub fn report_binding(&self, crypto: &CryptoProvider, attester: &PublicKey) -> [u8; 32] {
        let confirmed = (self.confirmation).map(|confirmation| confirmation.key_id(crypto));
        let bound = Writer::build(|w| {
            let string = |w: &mut Writer, value: Option<&[u8]>| {
                match value {
                    Some(bytes) => w.bytes(bytes),
                    None => w.null(),
                };
            };
            w.array(6).text(CONTEXT);
            string(w, self.nonce.as_deref());
            match self.issued_at {
                Some(at) => w.uint(at),
                None => w.null(),
            };
            string(w, self.ueid.as_deref());
            string(w, confirmed.as_ref().map(|id| id.as_bytes().as_slice()));
            string(w, Some(attester.key_id(crypto).as_bytes()));
        });
        crypto.sha256(&bound)
    }
}

/// What notices that all files of a TEE were put back together to what they were before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollbackDetection {
    /// Nothing: the counter is one of the files.
    Nothing,
    /// A counter in hardware.
    Hardware,
}

impl RollbackDetection {
    /// The number in CBOR.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Nothing => 0,
            Self::Hardware => 1,
        }
    }

    /// The one with this number; `None` for what is not known here.
    pub(crate) fn from_number(number: u64) -> Option<Self> {
        [Self::Nothing, Self::Hardware]
            .into_iter()
            .find(|detection| detection.number() == number)
    }
}
