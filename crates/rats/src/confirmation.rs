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
    /// Both, so that who does not know the key learns it. They must be of one key.
    Named {
        /// Member 3, kid (or 5, ckt).
        id: KeyId,
        /// Member 1, COSE_Key.
        key: PublicKey,
    },
}

impl Confirmation {
    /// The claim that names `key` and holds it.
    #[must_use]
    pub fn named(key: &PublicKey, crypto: &CryptoProvider) -> Self {
        Self::Named {
            id: key.key_id(crypto),
            key: *key,
        }
    }

    /// Whether `key` is the confirmed key.
    // req: TEEP-TAM-008
    // req: TEEP-AGENT-012
    #[must_use]
    pub fn confirms(&self, key: &PublicKey, crypto: &CryptoProvider) -> bool {
        self.public_key().is_none_or(|confirmed| confirmed == key)
            && self.key_id(crypto) == key.key_id(crypto)
    }

    /// The thumbprint of the confirmed key.
    #[must_use]
    pub fn key_id(&self, crypto: &CryptoProvider) -> KeyId {
        match self {
            Self::Key(key) => key.key_id(crypto),
            Self::KeyId(id) | Self::Named { id, .. } => *id,
        }
    }

    /// The confirmed key, if the claim holds it.
    #[must_use]
    pub fn public_key(&self) -> Option<&PublicKey> {
        match self {
            Self::Key(key) | Self::Named { key, .. } => Some(key),
            Self::KeyId(_) => None,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "cnf";
        let start = reader.position();
        let (mut key, mut id) = (None, None);
        for _ in 0..reader.map(rule)? {
            match reader.int("cnf / member")? {
                1 => {
                    let at = reader.position();
                    let found = PublicKey::from_cose_key(reader.raw("cnf / COSE_Key")?);
                    key = Some(found.map_err(|error| match error {
                        KeyError::Decode(inner) => inner.shifted(at),
                        _ => DecodeError::new(at, "cnf / COSE_Key", Problem::Expected("a key")),
                    })?);
                }
                // req: AMB-25
                3 | 5 if id.is_none() => {
                    let error = reader.error("cnf / kid", Problem::Expected("a thumbprint"));
                    id = Some(KeyId::from_bytes(reader.bytes("cnf / kid")?).ok_or(error)?);
                }
                _ => reader.skip("cnf / member")?,
            }
        }
        match (id, key) {
            (Some(id), Some(key)) => Ok(Self::Named { id, key }),
            (Some(id), None) => Ok(Self::KeyId(id)),
            (None, Some(key)) => Ok(Self::Key(key)),
            (None, None) => {
                let problem = Problem::Missing("COSE_Key (1) or kid (3)");
                Err(DecodeError::new(start, rule, problem))
            }
        }
    }

    // req: EAT-008
    pub(crate) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Key(key) => writer.map(1).uint(1).raw(&key.to_cose_key()),
            Self::KeyId(id) => writer.map(1).uint(3).bytes(id.as_bytes()),
            Self::Named { id, key } => writer
                .map(2)
                .uint(1)
                .raw(&key.to_cose_key())
                .uint(3)
                .bytes(id.as_bytes()),
        };
    }
}
