use alloc::vec::Vec;
use core::fmt;

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident, $max:literal, $bounds:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash)]
        pub struct $name(Vec<u8>);

        impl $name {
            /// Shortest, in bytes.
            pub const MIN: usize = 8;
            /// Longest, in bytes.
            pub const MAX: usize = $max;
            pub(crate) const BOUNDS: &'static str = $bounds;

            /// Wraps the bytes; `None` if there are too few or too many.
            #[must_use]
            pub fn new(bytes: Vec<u8>) -> Option<Self> {
                (Self::MIN..=Self::MAX).contains(&bytes.len()).then_some(Self(bytes))
            }

            /// The bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        /// Shows the length only: the value must not end up in a log.
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({} bytes)"), self.0.len())
            }
        }
    };
}

opaque! {
    /// A token, by which a TAM matches replies to requests (section 4.2). 8 to 64 bytes, opaque to the agent.
    Token, 64, "8 to 64 bytes"
}

opaque! {
    /// A challenge, which an attestation payload answers (section 4.2). 8 to 512 bytes.
    ///
    /// One that an EAT is to answer stays within 64 bytes, the bound of eat_nonce.
    Challenge, 512, "8 to 512 bytes"
}
