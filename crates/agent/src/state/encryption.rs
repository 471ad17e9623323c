use alloc::vec::Vec;

use tamarack_cose::{
    KeyId,
    cbor::{DecodeError, Problem, Reader, Writer},
    encrypt::EncryptionKey,
};

use super::Record;

/// The keys to which Evidence and reports for a TAM are encrypted: provisioned beside the keys that it signs
/// with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TamEncryptionKeys {
    /// The thumbprint of a key that the TAM signs with.
    pub tam: KeyId,
    /// Its keys, one for each curve at most.
    pub keys: Vec<EncryptionKey>,
}

impl Record for TamEncryptionKeys {
    const PREFIX: u8 = b'e';

    fn key(&self) -> Vec<u8> {
        self.tam.as_bytes().to_vec()
    }

    fn encode(&self) -> Vec<u8> {
        Writer::build(|w| {
            w.array(2).bytes(self.tam.as_bytes()).array(self.keys.len());
            self.keys.iter().for_each(|key| {
                w.raw(&key.to_cose_key());
            });
        })
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "tam-encryption-keys";
        reader.array_of(2, "an array of 2", rule)?;
        let wrong = reader.error(rule, Problem::Expected("a key id and keys"));
        let tam = KeyId::from_bytes(reader.bytes(rule)?).ok_or_else(|| wrong.clone())?;
        let mut keys = Vec::new();
        for _ in 0..reader.array(rule)? {
            let key = EncryptionKey::from_cose_key(reader.raw(rule)?);
            keys.push(key.map_err(|_| wrong.clone())?);
        }
        Ok(Self { tam, keys })
    }
}
