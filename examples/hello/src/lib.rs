//! A Trusted Application that greets.
//!
//! | Command | Input | Output |
//! |---|---|---|
//! | [`GREET`] | a name, UTF-8, at most [`MAX_NAME_LEN`] bytes | a sentence, UTF-8 |
//! | [`VERSION`] | | the version, one ASCII digit |
//!
//! It comes in two versions, to show an update: version 1 always says hello; version 2 (feature `v2`) greets
//! with the words that its provider sent as the Personalization Data `greeting`.

#![cfg_attr(not(test), no_std)]

use tamarack_ta::{ResultCode, String, TrustedApplication, format};

/// Greets the name that is the input.
pub const GREET: u32 = 1;
/// Tells the version.
pub const VERSION: u32 = 2;

/// The most bytes in a name.
pub const MAX_NAME_LEN: usize = 100;

/// The Trusted Application.
#[derive(Debug)]
pub struct Hello;

impl Hello {
    fn greet(&mut self, name: &str) -> Result<String, ResultCode> {
        if name.len() > MAX_NAME_LEN {
            return Err(ResultCode::BAD_PARAMETERS);
        }
        version::greet(name)
    }

    fn version(&mut self) -> u8 {
        version::DIGIT
    }
}

impl TrustedApplication for Hello {
    fn create() -> Result<Self, ResultCode> {
        Ok(Self)
    }

    tamarack_ta::commands! {
        GREET => greet(name),
        VERSION => version(),
    }
}

tamarack_ta::export!(Hello);

#[cfg(not(feature = "v2"))]
mod version {
    use super::{ResultCode, String, format};

    pub(crate) const DIGIT: u8 = b'1';

    pub(crate) fn greet(name: &str) -> Result<String, ResultCode> {
        Ok(format!("Hello from inside the TEE, {name}!"))
    }
}

#[cfg(feature = "v2")]
mod version {
    use tamarack_ta::personalization;

    use super::{ResultCode, String, format};

    pub(crate) const DIGIT: u8 = b'2';

    pub(crate) fn greet(name: &str) -> Result<String, ResultCode> {
        let greeting = match personalization::read("greeting") {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| ResultCode::BAD_FORMAT)?,
            Err(ResultCode::ITEM_NOT_FOUND) => String::from("Welcome"),
            Err(other) => return Err(other),
        };
        Ok(format!(
            "{greeting}, {name}! This is hello 2, still inside the TEE."
        ))
    }
}

#[cfg(test)]
mod tests {
    use tamarack_ta::testing::{self, Session};

    use super::*;

    fn greet(name: &str) -> String {
        let mut session = Session::<Hello>::open(b"").unwrap();
        String::from_utf8(session.invoke(GREET, name.as_bytes()).unwrap()).unwrap()
    }

    #[cfg(not(feature = "v2"))]
    #[test]
    fn version_1_says_hello() {
        testing::personalize("greeting", b"Salut");
        assert_eq!(greet("Ada"), "Hello from inside the TEE, Ada!");
    }

    #[cfg(feature = "v2")]
    #[test]
    fn version_2_uses_its_personalization_data() {
        assert_eq!(
            greet("Ada"),
            "Welcome, Ada! This is hello 2, still inside the TEE."
        );
        testing::personalize("greeting", b"Salut");
        assert_eq!(
            greet("Ada"),
            "Salut, Ada! This is hello 2, still inside the TEE."
        );
    }

    #[test]
    fn bad_input_is_refused() {
        let mut session = Session::<Hello>::open(b"").unwrap();
        assert_eq!(session.invoke(GREET, &[0xFF]), Err(ResultCode::BAD_FORMAT));
        assert_eq!(
            session.invoke(GREET, &[b'a'; 101]),
            Err(ResultCode::BAD_PARAMETERS)
        );
        assert_eq!(session.invoke(3, b""), Err(ResultCode::NOT_SUPPORTED));
    }
}
