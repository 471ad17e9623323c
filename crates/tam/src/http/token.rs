use std::path::Path;

use base16ct::lower::encode_string;
use subtle::ConstantTimeEq;
use tamarack_cose::CryptoProvider;
use zeroize::Zeroizing;

use crate::keys::{KeysError, read_or_create_private};

/// The token that opens the admin API, kept as its hash.
pub(super) struct AdminToken {
    crypto: CryptoProvider,
    hash: [u8; 32],
}

/// A token that came with a request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Presented {
    /// The one in the TAM's data folder.
    Administrators,
    /// Another one, or none: its hash.
    Other([u8; 32]),
}

impl AdminToken {
    /// The token in the file `path`; made, readable by its owner only, if there is none.
    pub(super) fn open_or_create(crypto: &CryptoProvider, path: &Path) -> Result<Self, KeysError> {
        let text = read_or_create_private(path, || {
            let token = Zeroizing::new(crypto.random_array::<32>()?);
            Ok(Zeroizing::new(format!("{}\n", encode_string(&*token))))
        })?;
        let token = text.trim();
        if token.len() < 16 {
            return Err(KeysError::Content {
                path: path.to_owned(),
                problem: "the token has fewer than 16 characters; remove the file for a new one"
                    .into(),
            });
        }
        Ok(Self {
            crypto: *crypto,
            hash: crypto.sha256(token.as_bytes()),
        })
    }

    /// What a token that came with a request is. Takes as long for a near miss as for a wild guess.
    pub(super) fn presented(&self, token: &str) -> Presented {
        let hash = self.hash(token);
        match bool::from(hash.ct_eq(&self.hash)) {
            true => Presented::Administrators,
            false => Presented::Other(hash),
        }
    }

    /// What is kept of a token. A token has 256 random bits, so that nothing slower is needed.
    pub(super) fn hash(&self, token: &str) -> [u8; 32] {
        self.crypto.sha256(token.as_bytes())
    }
}
