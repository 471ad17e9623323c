use tamarack_cose::{
    CryptoProvider, KeyError, KeyId, PublicKey,
    cbor::{DecodeError, Problem, Reader, Writer},
};

/// The `cnf` claim (RFC 8747): which key the token's subject proves possession of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// Member 1, COSE_Key: the public key itself.
    Key(PublicKey),
    /// Member 3, kid (or 5, ckt): the RFC 9679 thumbprint of the key.
    KeyId(KeyId),
}

impl Confirmation {
    /// Whether `key` is the confirmed key.
    // req: TEEP-TAM-008
    #[must_use]
    pub fn confirms(&self, key: &PublicKey, crypto: &CryptoProvider) -> bool {
        match self {
            Self::Key(confirmed) => confirmed == key,
            Self::KeyId(id) => *id == key.key_id(crypto),
        }
    }

    /// The thumbprint of the confirmed key.
    #[must_use]
    pub fn key_id(&self, crypto: &CryptoProvider) -> KeyId {
        match self {
            Self::Key(key) => key.key_id(crypto),
            Self::KeyId(id) => *id,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "cnf";
        let start = reader.position();
        let mut found = None;
        for _ in 0..reader.map(rule)? {
            match reader.int("cnf / member")? {
                1 => {
                    let at = reader.position();
                    let key = PublicKey::from_cose_key(reader.raw("cnf / COSE_Key")?);
                    found = Some(Self::Key(key.map_err(|error| match error {
                        KeyError::Decode(inner) => inner.shifted(at),
                        _ => DecodeError::new(at, "cnf / COSE_Key", Problem::Expected("a key")),
                    })?));
                }
                3 | 5 if found.is_none() => {
                    let error = reader.error("cnf / kid", Problem::Expected("a thumbprint"));
                    let id = KeyId::from_bytes(reader.bytes("cnf / kid")?);
                    found = Some(Self::KeyId(id.ok_or(error)?));
                }
                _ => reader.skip("cnf / member")?,
            }
        }
        found.ok_or_else(|| {
            DecodeError::new(start, rule, Problem::Missing("COSE_Key (1) or kid (3)"))
        })
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.map(1);
        match self {
            Self::Key(key) => writer.uint(1).raw(&key.to_cose_key()),
            Self::KeyId(id) => writer.uint(3).bytes(id.as_bytes()),
        };
    }
}
