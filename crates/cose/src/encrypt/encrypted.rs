use alloc::{boxed::Box, vec::Vec};

use zeroize::Zeroize as _;

use super::{ContentAlgorithm, ContentKey, Decryptor, RecipientAlgorithm, header::Layer};
use crate::{
    CryptoProvider, Error,
    cbor::{self, DecodeError, Limits, Problem, Reader, Type, Writer},
    sign1::one_payload,
    tag,
};

/// Most recipients of one object. Each may cost a Diffie-Hellman for each key that is tried.
pub const MAX_RECIPIENTS: usize = 32;

/// A received COSE_Encrypt or COSE_Encrypt0, not decrypted yet.
///
/// Its algorithm is known, and stands in the header where that algorithm wants it; its IV has the length of
/// the algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encrypted<'a> {
    algorithm: ContentAlgorithm,
    iv: &'a [u8],
    pub(super) layer: Layer<'a>,
    ciphertext: Option<&'a [u8]>,
    /// `None` in a COSE_Encrypt0.
    recipients: Option<Vec<RecipientInfo<'a>>>,
}

/// One COSE_recipient: whom the content key is encrypted to, how, and the encrypted key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipientInfo<'a> {
    pub(super) layer: Layer<'a>,
    pub(super) encrypted_key: &'a [u8],
}

impl<'a> RecipientInfo<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        reader.array_of(3, "an array of 3", "COSE_recipient")?;
        let layer = Layer::read(reader)?;
        let encrypted_key = reader.bytes_or_null("COSE_recipient / ciphertext")?;
        Ok(Self {
            layer,
            encrypted_key: encrypted_key.unwrap_or_default(),
        })
    }

    /// The key id, a hint for finding the key.
    #[must_use]
    pub fn key_id(&self) -> Option<&'a [u8]> {
        self.layer.key_id
    }

    /// What the content is for, if that is protected.
    #[must_use]
    pub fn target(&self) -> Option<&'a [u8]> {
        self.layer.target
    }

    /// The encrypted key, once nothing critical is left that is not understood.
    pub(crate) fn encrypted_key(&self) -> Result<&'a [u8], Error> {
        self.layer.critical.check()?;
        Ok(self.encrypted_key)
    }

    /// How the content key is encrypted; `None` if by an algorithm that is not supported, or one that stands
    /// in the wrong header.
    ///
    /// AES-KW and direct want it in the unprotected header and nothing in the protected one, ECDH-ES and
    /// HPKE want it in the protected header.
    // req: SUIT-ENC-012, SUIT-ENC-013, SUIT-ENC-014, SUIT-AMB-023
    #[must_use]
    pub fn algorithm(&self) -> Option<RecipientAlgorithm> {
        let layer = &self.layer;
        let (protected, id) = match (layer.protected_algorithm, layer.unprotected_algorithm) {
            (Some(id), None) => (true, id),
            (None, Some(id)) => (false, id),
            _ => return None,
        };
        let algorithm = RecipientAlgorithm::from_cose_id(id)?;
        let right = match algorithm {
            RecipientAlgorithm::Direct | RecipientAlgorithm::KeyWrap(_) => {
                !protected && layer.protects_nothing()
            }
            RecipientAlgorithm::EcdhEs(_) | RecipientAlgorithm::Hpke(_) => protected,
        };
        right.then_some(algorithm)
    }
}

impl<'a> Encrypted<'a> {
    /// Decodes either structure, tagged or not, with the default [`Limits`].
    ///
    /// # Errors
    ///
    /// As [`decode_within`](Self::decode_within).
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::decode_within(bytes, &Limits::default())
    }

    /// Decodes a COSE_Encrypt under its tag, as in SUIT_Encryption_Info.
    ///
    /// # Errors
    ///
    /// As [`decode_within`](Self::decode_within), and if the tag is missing or another.
    // req: SUIT-ENC-001
    pub fn decode_encrypt(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        if reader.peek() != Type::Tag || reader.tag("COSE_Encrypt")? != tag::ENCRYPT {
            let problem = Problem::Expected("tag 96");
            return Err(DecodeError::new(0, "COSE_Encrypt", problem).into());
        }
        Self::decode(bytes)
    }

    /// Decodes either structure. Untagged ones are told apart by their number of elements, which is 3 in
    /// COSE_Encrypt0 and 4 in COSE_Encrypt.
    ///
    /// # Errors
    ///
    /// If the bytes do not pass the strict door, are another structure, or hold more than
    /// [`MAX_RECIPIENTS`]; [`Error::CriticalHeader`], [`Error::AlgorithmMissing`] or
    /// [`Error::AlgorithmUnsupported`]; [`Error::Decode`] if the algorithm stands in the wrong header or the
    /// IV is missing or of another length.
    pub fn decode_within(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        cbor::check(bytes, limits)?;
        let mut reader = Reader::new(bytes);
        let tag = match reader.peek() {
            Type::Tag => Some(reader.tag("COSE message")?),
            _ => None,
        };
        let problem = match (tag, reader.array("COSE message")?) {
            (None | Some(tag::ENCRYPT0), 3) => return Self::read(&mut reader, false),
            (None | Some(tag::ENCRYPT), 4) => return Self::read(&mut reader, true),
            (None | Some(tag::ENCRYPT0 | tag::ENCRYPT), _) => {
                Problem::Expected("an array of 3, or of 4 under tag 96")
            }
            _ => Problem::Expected("tag 16 or 96"),
        };
        Err(DecodeError::new(0, "COSE message", problem).into())
    }

    /// Reads what follows the array head.
    fn read(reader: &mut Reader<'a>, has_recipients: bool) -> Result<Self, Error> {
        let layer = Layer::read(reader)?;
        let ciphertext = reader.bytes_or_null("COSE / ciphertext")?;
        let recipients = match has_recipients {
            true => Some(read_recipients(reader, "COSE_Encrypt / recipients")?),
            false => None,
        };
        layer.critical.check()?;
        let algorithm = content_algorithm(&layer)?;
        let problem = match layer.iv {
            Some(iv) if iv.len() == algorithm.iv_len() => {
                return Ok(Self {
                    algorithm,
                    iv,
                    layer,
                    ciphertext,
                    recipients,
                });
            }
            Some(_) if algorithm.is_authenticated() => Problem::OutOfBounds("12 bytes"),
            Some(_) => Problem::OutOfBounds("16 bytes"),
            None => Problem::Missing("IV (5)"),
        };
        Err(DecodeError::new(0, "COSE / IV", problem).into())
    }

    /// How the content is encrypted.
    #[must_use]
    pub fn algorithm(&self) -> ContentAlgorithm {
        self.algorithm
    }

    /// The attached ciphertext; `None` if it is detached.
    #[must_use]
    pub fn ciphertext(&self) -> Option<&'a [u8]> {
        self.ciphertext
    }

    /// The key id of a COSE_Encrypt0, a hint for finding the key.
    #[must_use]
    pub fn key_id(&self) -> Option<&'a [u8]> {
        self.layer.key_id
    }

    /// The recipients of a COSE_Encrypt; `None` in a COSE_Encrypt0.
    #[must_use]
    pub fn recipients(&self) -> Option<&[RecipientInfo<'a>]> {
        self.recipients.as_deref()
    }

    /// Starts decrypting the ciphertext, wherever it comes from.
    ///
    /// `external_aad` is empty in SUIT. A cipher without authentication takes no additional data.
    ///
    /// # Errors
    ///
    /// [`Error::Misuse`] if `key` is of another algorithm, or if there is external data that the algorithm
    /// can't authenticate.
    // req: SUIT-ENC-018, SUIT-ENC-019
    pub fn decryptor(
        &self,
        crypto: &CryptoProvider,
        key: &ContentKey,
        external_aad: &[u8],
    ) -> Result<Box<dyn Decryptor>, Error> {
        if key.algorithm() != self.algorithm {
            return Err(Error::Misuse("the content key is of another algorithm"));
        }
        let context = match self.recipients {
            Some(_) => Context::Encrypt,
            None => Context::Encrypt0,
        };
        let protected = self.layer.protected;
        let associated = additional_data(self.algorithm, context, protected, external_aad)?;
        (crypto.ciphers).decryptor(self.algorithm, key.key(), self.iv, &associated)
    }

    /// Decrypts a ciphertext that is in memory as a whole.
    ///
    /// `detached` is the ciphertext of an object that carries none; it must be `None` for one that does.
    ///
    /// # Errors
    ///
    /// [`Error::BadCiphertext`]; [`Error::Payload`] if the ciphertext is attached and detached, or neither;
    /// or what [`decryptor`](Self::decryptor) says.
    pub fn decrypt(
        &self,
        crypto: &CryptoProvider,
        key: &ContentKey,
        external_aad: &[u8],
        detached: Option<&[u8]>,
    ) -> Result<Vec<u8>, Error> {
        let ciphertext = one_payload(self.ciphertext, detached)?;
        let mut decryptor = self.decryptor(crypto, key, external_aad)?;
        let mut plaintext = Vec::with_capacity(ciphertext.len());
        let outcome = decryptor
            .update(ciphertext, &mut plaintext)
            .and_then(|()| decryptor.finish(&mut plaintext));
        match outcome {
            Ok(()) => Ok(plaintext),
            Err(error) => {
                plaintext.zeroize();
                Err(error)
            }
        }
    }
}

/// Reads the recipients of an object, of which there is one at least.
pub(crate) fn read_recipients<'a>(
    reader: &mut Reader<'a>,
    rule: &'static str,
) -> Result<Vec<RecipientInfo<'a>>, DecodeError> {
    let count = reader.array(rule)?;
    if !(1..=MAX_RECIPIENTS).contains(&count) {
        let problem = Problem::OutOfBounds("1 to 32 recipients");
        return Err(reader.error(rule, problem));
    }
    let mut recipients = Vec::new();
    for _ in 0..count {
        recipients.push(RecipientInfo::read(reader)?);
    }
    Ok(recipients)
}

/// The algorithm, from the header where it belongs: protected if the cipher protects it, and with nothing
/// protected at all if it can't (RFC 9459 section 4).
// req: SUIT-ENC-019, SUIT-AMB-022
fn content_algorithm(layer: &Layer<'_>) -> Result<ContentAlgorithm, Error> {
    let (protected, id) = match (layer.protected_algorithm, layer.unprotected_algorithm) {
        (Some(id), None) => (true, id),
        (None, Some(id)) => (false, id),
        (None, None) => return Err(Error::AlgorithmMissing),
        (Some(_), Some(_)) => {
            let error = DecodeError::new(0, "COSE / alg", Problem::DuplicateKey);
            return Err(error.into());
        }
    };
    let algorithm = ContentAlgorithm::from_cose_id(id).ok_or(Error::AlgorithmUnsupported(id))?;
    let problem = match (algorithm.is_authenticated(), protected) {
        (true, true) => return Ok(algorithm),
        (false, false) if layer.protected.is_empty() => return Ok(algorithm),
        (true, false) => return Err(Error::AlgorithmMissing),
        (false, _) => Problem::Expected("a zero-length protected header for AES-CTR or AES-CBC"),
    };
    Err(DecodeError::new(0, "COSE / protected", problem).into())
}

/// Which structure the content is encrypted in.
#[derive(Clone, Copy)]
pub(super) enum Context {
    Encrypt,
    Encrypt0,
}

/// The Enc_structure of RFC 9052 section 5.3; nothing for a cipher that authenticates nothing.
// req: SUIT-ENC-018, SUIT-ENC-019
pub(super) fn additional_data(
    algorithm: ContentAlgorithm,
    context: Context,
    protected: &[u8],
    external_aad: &[u8],
) -> Result<Vec<u8>, Error> {
    if !algorithm.is_authenticated() {
        return match external_aad {
            [] => Ok(Vec::new()),
            _ => Err(Error::Misuse("the cipher can't authenticate external data")),
        };
    }
    let context = match context {
        Context::Encrypt => "Encrypt",
        Context::Encrypt0 => "Encrypt0",
    };
    Ok(Writer::build(|w| {
        w.array(3)
            .text(context)
            .bytes(protected)
            .bytes(external_aad);
    }))
}
