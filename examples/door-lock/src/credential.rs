//! Who may open the door, and when.

use minicbor::{Decode, Encode};
use tamarack_ta::{ResultCode, String, Vec, personalization};

/// Who may open the door, as a CBOR map. The Personalization Data `credentials` is an array of them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Credential {
    /// 0: its name, e.g. a badge number; at most [`MAX_ID_LEN`] bytes.
    #[n(0)]
    pub id: String,
    /// 1: the public key of its phone or card, an encoded `COSE_Key`.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub key: Option<Vec<u8>>,
    /// 2: its PIN, as [`pin::digest`](crate::pin::digest) makes it.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub pin: Option<Vec<u8>>,
    /// 3: good from this time on, in seconds since 1970.
    #[n(3)]
    pub from: Option<u64>,
    /// 4: and before this time.
    #[n(4)]
    pub until: Option<u64>,
    /// 5: from which minute of the day to before which, UTC; over midnight if the first is the later one.
    #[n(5)]
    pub daily: Option<(u16, u16)>,
}

/// The most bytes in a credential's id.
pub const MAX_ID_LEN: usize = 32;

/// Whether a credential is for now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// It is.
    Open,
    /// It is not.
    Closed,
}

impl Credential {
    /// A credential that opens nothing yet.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            key: None,
            pin: None,
            from: None,
            until: None,
            daily: None,
        }
    }

    /// Whether it is for now, which is in seconds since 1970.
    #[must_use]
    pub fn window(&self, now: u64) -> Window {
        let begun = self.from.is_none_or(|from| from <= now);
        let over = self.until.is_some_and(|until| until <= now);
        let minute = now / 60 % (24 * 60);
        let today = self.daily.is_none_or(|(from, to)| {
            let (from, to) = (u64::from(from), u64::from(to));
            match from <= to {
                true => (from..to).contains(&minute),
                false => minute >= from || minute < to,
            }
        });
        match begun && !over && today {
            true => Window::Open,
            false => Window::Closed,
        }
    }
}

/// The credential of that name.
///
/// # Errors
///
/// [`ResultCode::BAD_FORMAT`] if the Personalization Data is not what it should be.
pub fn find(id: &str) -> Result<Option<Credential>, ResultCode> {
    let bytes = match personalization::read("credentials") {
        Ok(bytes) => bytes,
        Err(ResultCode::ITEM_NOT_FOUND) => return Ok(None),
        Err(other) => return Err(other),
    };
    let all: Vec<Credential> = minicbor::decode(&bytes).map_err(|_| ResultCode::BAD_FORMAT)?;
    let found = all.into_iter().find(|credential| credential.id == id);
    Ok(found.filter(|credential| credential.id.len() <= MAX_ID_LEN))
}
