//! Objects of the TPM as they lie in files: two parts, which only the TPM that made them can load.

use std::path::Path;

use tamarack_cose::cbor::{self, DecodeError, Limits, Problem, Reader, Writer};
use tss_esapi::{
    structures::{Private, Public},
    traits::{Marshall, UnMarshall},
};

use super::super::{PlatformFault, files};

/// An object of some hundred bytes.
const LIMITS: Limits = Limits {
    bytes: 4096,
    depth: 3,
};

/// An object, with the PCRs whose values it is sealed to.
#[derive(Clone)]
pub(super) struct Blob {
    pub(super) public: Public,
    pub(super) private: Private,
    pub(super) pcrs: Vec<u8>,
}

impl Blob {
    /// Writes a file that does not exist yet: `[TPMT_PUBLIC, TPM2B_PRIVATE without its length, [* PCR]]`.
    pub(super) fn write(&self, path: &Path) -> Result<(), PlatformFault> {
        let public = self
            .public
            .marshall()
            .map_err(|error| PlatformFault::Hardware {
                action: "encode a key of the TPM",
                problem: error.to_string(),
            })?;
        let bytes = Writer::build(|w| {
            w.array(3).bytes(&public).bytes(self.private.value());
            w.array(self.pcrs.len());
            for pcr in &self.pcrs {
                w.uint(u64::from(*pcr));
            }
        });
        files::create(path, &bytes)
    }

    /// Reads it again.
    pub(super) fn read(path: &Path) -> Result<Self, PlatformFault> {
        let bytes = files::read(path)?;
        let damaged = |problem: String| PlatformFault::Damaged {
            path: path.into(),
            problem,
        };
        let parts = Parts::decode(&bytes).map_err(|error| damaged(error.to_string()))?;
        let private = Private::try_from(parts.private);
        Ok(Self {
            public: Public::unmarshall(parts.public).map_err(|error| damaged(error.to_string()))?,
            private: private.map_err(|error| damaged(error.to_string()))?,
            pcrs: parts.pcrs,
        })
    }
}

/// What is in a file, as the TPM encoded it.
struct Parts<'a> {
    public: &'a [u8],
    private: &'a [u8],
    pcrs: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        cbor::check(bytes, &LIMITS)?;
        let mut reader = Reader::new(bytes);
        reader.array_of(3, "an array of 3", "object")?;
        let public = reader.bytes("object / public")?;
        let private = reader.bytes("object / private")?;
        let mut pcrs = Vec::new();
        for _ in 0..reader.array("object / pcrs")? {
            let pcr = u8::try_from(reader.uint("object / pcr")?);
            pcrs.push(
                pcr.map_err(|_| reader.error("object / pcr", Problem::OutOfBounds("0 to 255")))?,
            );
        }
        Ok(Self {
            public,
            private,
            pcrs,
        })
    }
}
