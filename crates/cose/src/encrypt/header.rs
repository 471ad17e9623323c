use crate::{
    cbor::{self, DecodeError, Problem, Reader, Type},
    header::{Critical, LIMITS, label},
};

/// Those parameters that a layer may call critical.
const UNDERSTOOD: [i64; 9] = [
    label::ALG,
    label::CRIT,
    label::CONTENT_TYPE,
    label::KID,
    label::IV,
    label::EPHEMERAL_KEY,
    label::EK,
    label::SALT,
    label::TARGET,
];

/// The header parameters of one layer of an encrypted object: the body, or a recipient.
///
/// Unlike a signature's, an algorithm may stand in the unprotected header too, where the cipher can't
/// protect one. Which header is right, the algorithm says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layer<'a> {
    /// The content of the protected byte string, as received.
    pub(super) protected: &'a [u8],
    pub(super) protected_algorithm: Option<i64>,
    pub(super) unprotected_algorithm: Option<i64>,
    pub(super) key_id: Option<&'a [u8]>,
    pub(super) iv: Option<&'a [u8]>,
    /// An encoded COSE_Key.
    pub(super) ephemeral_key: Option<&'a [u8]>,
    pub(super) encapsulated_key: Option<&'a [u8]>,
    pub(super) salt: Option<&'a [u8]>,
    /// What the content is for, if the protected header says so: nobody could rely on an unprotected one.
    pub(super) target: Option<&'a [u8]>,
    pub(super) critical: Critical,
}

impl<'a> Layer<'a> {
    /// Reads the protected byte string and the unprotected map.
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let protected = reader.bytes("COSE / protected")?;
        let mut layer = Self {
            protected,
            protected_algorithm: None,
            unprotected_algorithm: None,
            key_id: None,
            iv: None,
            ephemeral_key: None,
            encapsulated_key: None,
            salt: None,
            target: None,
            critical: Critical::NONE,
        };
        if !protected.is_empty() {
            cbor::check(protected, &LIMITS)?;
            layer.read_map(&mut Reader::new(protected), true)?;
        }
        layer.read_map(reader, false)?;
        Ok(layer)
    }

    fn read_map(&mut self, reader: &mut Reader<'a>, protected: bool) -> Result<(), DecodeError> {
        for _ in 0..reader.map("COSE / header map")? {
            match reader.label("COSE / header label")? {
                // Algorithms with a name instead of a number are none of ours.
                label::ALG if reader.peek() == Type::Text => {
                    reader.skip("COSE / alg")?;
                }
                label::ALG if protected => {
                    self.protected_algorithm = Some(reader.int("COSE / alg")?);
                }
                label::ALG => self.unprotected_algorithm = Some(reader.int("COSE / alg")?),
                label::CRIT if protected => self.critical = Critical::read(reader, &UNDERSTOOD)?,
                label::KID => once(&mut self.key_id, reader, Reader::bytes, "COSE / kid")?,
                label::IV => once(&mut self.iv, reader, Reader::bytes, "COSE / IV")?,
                label::SALT => once(&mut self.salt, reader, Reader::bytes, "COSE / salt")?,
                label::TARGET if protected => {
                    self.target = Some(reader.bytes("COSE / target")?);
                }
                label::EK => once(
                    &mut self.encapsulated_key,
                    reader,
                    Reader::bytes,
                    "COSE / ek",
                )?,
                label::EPHEMERAL_KEY => {
                    let rule = "COSE / ephemeral key";
                    once(&mut self.ephemeral_key, reader, Reader::raw, rule)?;
                }
                _ => reader.skip("COSE / header value")?,
            }
        }
        Ok(())
    }

    /// Whether nothing is protected: a zero-length byte string, or an encoded empty map.
    pub(super) fn protects_nothing(&self) -> bool {
        matches!(self.protected, [] | [0xa0])
    }
}

/// Reads a parameter that must not stand in both headers (RFC 9052 section 3).
fn once<'a>(
    parameter: &mut Option<&'a [u8]>,
    reader: &mut Reader<'a>,
    read: impl FnOnce(&mut Reader<'a>, &'static str) -> Result<&'a [u8], DecodeError>,
    rule: &'static str,
) -> Result<(), DecodeError> {
    if parameter.is_some() {
        return Err(reader.error(rule, Problem::DuplicateKey));
    }
    *parameter = Some(read(reader, rule)?);
    Ok(())
}
