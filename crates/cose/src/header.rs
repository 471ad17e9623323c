use crate::{
    Error, MacAlgorithm, SignatureAlgorithm,
    cbor::{self, DecodeError, Limits, Reader, Type, Writer},
};

/// Labels of header parameters (RFC 9052 section 3.1, RFC 9053 section 6.3, draft-ietf-cose-hpke-24).
pub(crate) mod label {
    pub(crate) const ALG: i64 = 1;
    pub(crate) const CRIT: i64 = 2;
    pub(crate) const CONTENT_TYPE: i64 = 3;
    pub(crate) const KID: i64 = 4;
    pub(crate) const IV: i64 = 5;
    #[cfg(feature = "x509")]
    pub(crate) const X5BAG: i64 = 32;
    pub(crate) const X5CHAIN: i64 = 33;
    #[cfg(feature = "x509")]
    pub(crate) const X5T: i64 = 34;
    pub(crate) const EPHEMERAL_KEY: i64 = -1;
    pub(crate) const EK: i64 = -4;
    pub(crate) const SALT: i64 = -20;
    /// Ours, from the range for private use: what the content is for. The drafts have nothing for it.
    pub(crate) const TARGET: i64 = -7_627_117;
}

/// Those that a signature or a MAC may call critical.
const UNDERSTOOD: &[i64] = &[
    label::ALG,
    label::CRIT,
    label::CONTENT_TYPE,
    label::KID,
    #[cfg(feature = "x509")]
    label::X5BAG,
    #[cfg(feature = "x509")]
    label::X5CHAIN,
    #[cfg(feature = "x509")]
    label::X5T,
];

/// Header maps are small; a large one is an attack.
pub(crate) const LIMITS: Limits = Limits {
    bytes: 16 * 1024,
    depth: 8,
};

/// The first parameter, if any, that a header calls critical and that is not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Critical(Option<i64>);

impl Critical {
    /// What a header without the parameter crit says.
    pub(crate) const NONE: Self = Self(None);

    /// Reads the value of crit.
    pub(crate) fn read(reader: &mut Reader<'_>, understood: &[i64]) -> Result<Self, DecodeError> {
        let mut unknown = None;
        for _ in 0..reader.array("COSE / crit")? {
            let label = match reader.peek() {
                Type::Text => {
                    reader.skip("COSE / crit")?;
                    // Text labels have no number; any impossible one serves in the error.
                    i64::MIN
                }
                _ => reader.int("COSE / crit")?,
            };
            if !understood.contains(&label) {
                unknown.get_or_insert(label);
            }
        }
        Ok(Self(unknown))
    }

    /// Whether everything critical is understood.
    // req: TEEP-VAL-003
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.0
            .map_or(Ok(()), |label| Err(Error::CriticalHeader(label)))
    }
}

/// The header parameters of one COSE layer, protected and unprotected.
///
/// The protected bytes are kept as received, since they are what the signature covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headers<'a> {
    /// The content of the protected byte string, as received.
    pub(crate) protected: &'a [u8],
    algorithm: Option<i64>,
    key_id: Option<&'a [u8]>,
    pub(crate) critical: Critical,
    /// The parameters about certificates.
    #[cfg(feature = "x509")]
    pub(crate) certificates: crate::x509::Parameters<'a>,
}

impl<'a> Headers<'a> {
    /// Reads the protected byte string and the unprotected map that open every COSE structure.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let protected = reader.bytes("COSE / protected")?;
        let mut headers = Self {
            protected,
            algorithm: None,
            key_id: None,
            critical: Critical::NONE,
            #[cfg(feature = "x509")]
            certificates: crate::x509::Parameters::default(),
        };
        if !protected.is_empty() {
            cbor::check(protected, &LIMITS)?;
            headers.read_map(&mut Reader::new(protected), Layer::Protected)?;
        }
        headers.read_map(reader, Layer::Unprotected)?;
        Ok(headers)
    }

    fn read_map(&mut self, reader: &mut Reader<'a>, layer: Layer) -> Result<(), DecodeError> {
        for _ in 0..reader.map("COSE / header map")? {
            match (reader.label("COSE / header label")?, layer) {
                // An algorithm outside the protected header is not authenticated: it does not count.
                (label::ALG, Layer::Protected) => {
                    self.algorithm = match reader.peek() {
                        Type::Text => {
                            reader.skip("COSE / alg")?;
                            None
                        }
                        _ => Some(reader.int("COSE / alg")?),
                    };
                }
                (label::KID, _) => self.key_id = Some(reader.bytes("COSE / kid")?),
                (label::CRIT, Layer::Protected) => {
                    self.critical = Critical::read(reader, UNDERSTOOD)?;
                }
                // What certificates say is proven by their own signatures: either header will do (RFC 9360
                // section 2).
                #[cfg(feature = "x509")]
                (label @ (label::X5BAG | label::X5CHAIN | label::X5T), _) => {
                    self.certificates.read(label, reader)?;
                }
                _ => reader.skip("COSE / header value")?,
            }
        }
        Ok(())
    }

    /// The key id, which RFC 9052 leaves unauthenticated: a hint for finding the key, no more.
    #[must_use]
    pub fn key_id(&self) -> Option<&'a [u8]> {
        self.key_id
    }

    /// The COSE identifier of the algorithm in the protected header.
    #[must_use]
    pub fn algorithm_id(&self) -> Option<i64> {
        self.algorithm
    }

    /// The signature algorithm, once nothing critical is left that is not understood.
    ///
    /// # Errors
    ///
    /// [`Error::CriticalHeader`], [`Error::AlgorithmMissing`] or [`Error::AlgorithmUnsupported`].
    pub fn algorithm(&self) -> Result<SignatureAlgorithm, Error> {
        self.critical.check()?;
        let id = self.algorithm.ok_or(Error::AlgorithmMissing)?;
        SignatureAlgorithm::from_cose_id(id).ok_or(Error::AlgorithmUnsupported(id))
    }

    /// The MAC algorithm, once nothing critical is left that is not understood.
    ///
    /// # Errors
    ///
    /// As [`algorithm`](Self::algorithm).
    pub fn mac_algorithm(&self) -> Result<MacAlgorithm, Error> {
        self.critical.check()?;
        let id = self.algorithm.ok_or(Error::AlgorithmMissing)?;
        MacAlgorithm::from_cose_id(id).ok_or(Error::AlgorithmUnsupported(id))
    }
}

#[derive(Clone, Copy)]
enum Layer {
    Protected,
    Unprotected,
}

/// Encodes a protected header that holds the algorithm alone.
pub(crate) fn protected(algorithm: i64) -> alloc::vec::Vec<u8> {
    Writer::build(|w| {
        w.map(1).int(label::ALG).int(algorithm);
    })
}
