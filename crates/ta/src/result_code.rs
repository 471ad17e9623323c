use core::fmt;

/// A `GlobalPlatform` result code (`TEE_Result`): 0 is success, everything else says what went wrong.
///
/// A TA may also use codes of its own, from `0x0000_0001` to `0xEFFF_FFFF`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResultCode(pub u32);

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)*) => {
        impl ResultCode {
            $($(#[$doc])* pub const $name: Self = Self($value);)*

            /// What the code means, for people; the same words for all codes of a TA's own.
            #[must_use]
            pub fn description(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    _ => "a result code of the TA's own",
                }
            }

            /// The name of its constant; `None` for a code that is not listed here.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }

        impl fmt::Debug for ResultCode {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{:#010x}", self.0),
                }
            }
        }
    };
}

codes! {
    /// `TEE_SUCCESS`.
    SUCCESS = 0, "success";
    /// `TEE_ERROR_CORRUPT_OBJECT`: stored data fails its integrity check.
    CORRUPT_OBJECT = 0xF010_0001, "stored data is corrupt";
    /// `TEE_ERROR_CIPHERTEXT_INVALID`: what should be decrypted does not authenticate.
    CIPHERTEXT_INVALID = 0xF010_0006, "the ciphertext is invalid";
    /// `TEE_ERROR_STORAGE_NOT_AVAILABLE`.
    STORAGE_NOT_AVAILABLE = 0xF010_0003, "the storage is not available";
    /// `TEE_ERROR_GENERIC`.
    GENERIC = 0xFFFF_0000, "an unspecified error";
    /// `TEE_ERROR_ACCESS_DENIED`.
    ACCESS_DENIED = 0xFFFF_0001, "access denied";
    /// `TEE_ERROR_CANCEL`.
    CANCEL = 0xFFFF_0002, "cancelled";
    /// `TEE_ERROR_ACCESS_CONFLICT`: what should be made exists.
    ACCESS_CONFLICT = 0xFFFF_0003, "it exists already or is in use";
    /// `TEE_ERROR_EXCESS_DATA`: more data than the limits allow.
    EXCESS_DATA = 0xFFFF_0004, "too much data";
    /// `TEE_ERROR_BAD_FORMAT`.
    BAD_FORMAT = 0xFFFF_0005, "the data has a wrong format";
    /// `TEE_ERROR_BAD_PARAMETERS`.
    BAD_PARAMETERS = 0xFFFF_0006, "bad parameters";
    /// `TEE_ERROR_BAD_STATE`.
    BAD_STATE = 0xFFFF_0007, "not possible in this state";
    /// `TEE_ERROR_ITEM_NOT_FOUND`.
    ITEM_NOT_FOUND = 0xFFFF_0008, "item not found";
    /// `TEE_ERROR_NOT_IMPLEMENTED`.
    NOT_IMPLEMENTED = 0xFFFF_0009, "not implemented";
    /// `TEE_ERROR_NOT_SUPPORTED`.
    NOT_SUPPORTED = 0xFFFF_000A, "not supported";
    /// `TEE_ERROR_NO_DATA`.
    NO_DATA = 0xFFFF_000B, "data expected, none given";
    /// `TEE_ERROR_OUT_OF_MEMORY`.
    OUT_OF_MEMORY = 0xFFFF_000C, "out of memory";
    /// `TEE_ERROR_BUSY`: not now, e.g. a service that waits for its caller; also for a TA that was replaced meanwhile.
    BUSY = 0xFFFF_000D, "busy";
    /// `TEE_ERROR_COMMUNICATION`.
    COMMUNICATION = 0xFFFF_000E, "communication failed";
    /// `TEE_ERROR_SECURITY`.
    SECURITY = 0xFFFF_000F, "a security fault was detected";
    /// `TEE_ERROR_SHORT_BUFFER`.
    SHORT_BUFFER = 0xFFFF_0010, "the buffer is too short";
    /// `TEE_ERROR_OVERFLOW`.
    OVERFLOW = 0xFFFF_300F, "a counter would overflow";
    /// `TEE_ERROR_TARGET_DEAD`: the TA panicked or exceeded a limit, its session is over. Only the TEE says so: a TA that
    /// returns it answers [`GENERIC`](Self::GENERIC).
    TARGET_DEAD = 0xFFFF_3024, "the TA died";
    /// `TEE_ERROR_STORAGE_NO_SPACE`.
    STORAGE_NO_SPACE = 0xFFFF_3041, "no storage space left";
    /// `TEE_ERROR_MAC_INVALID`.
    MAC_INVALID = 0xFFFF_3071, "the message authentication code is invalid";
    /// `TEE_ERROR_SIGNATURE_INVALID`.
    SIGNATURE_INVALID = 0xFFFF_3072, "the signature is invalid";
    /// `TEE_ERROR_TIME_NOT_SET`: the TA never set its persistent time.
    TIME_NOT_SET = 0xFFFF_5000, "the persistent time was never set";
    /// `TEE_ERROR_TIME_NEEDS_RESET`: the clock under the persistent time went back.
    TIME_NEEDS_RESET = 0xFFFF_5001, "the persistent time must be set again";
}

impl fmt::Display for ResultCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:#010x})", self.description(), self.0)
    }
}

impl core::error::Error for ResultCode {}

impl ResultCode {
    /// `Ok` for [`SUCCESS`](Self::SUCCESS).
    ///
    /// # Errors
    ///
    /// The code itself, if it is any other.
    pub const fn into_result(self) -> Result<(), Self> {
        if self.0 == 0 { Ok(()) } else { Err(self) }
    }

    /// The code of a finished call; an `Err(SUCCESS)` becomes [`GENERIC`](Self::GENERIC).
    #[must_use]
    pub const fn of<T>(result: &Result<T, Self>) -> Self {
        match result {
            Ok(_) => Self::SUCCESS,
            Err(Self(0)) => Self::GENERIC,
            Err(Self(code)) => Self(*code),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(format!("{:?}", ResultCode::TARGET_DEAD), "TARGET_DEAD");
        assert_eq!(format!("{:?}", ResultCode(7)), "0x00000007");
        assert_eq!(ResultCode(0xFFFF_000B).name(), Some("NO_DATA"));
        assert_eq!(ResultCode(7).name(), None);
        assert_eq!(
            format!("{}", ResultCode::ITEM_NOT_FOUND),
            "item not found (0xffff0008)"
        );
    }

    #[test]
    fn success_is_no_error() {
        assert_eq!(ResultCode::SUCCESS.into_result(), Ok(()));
        assert_eq!(ResultCode::BUSY.into_result(), Err(ResultCode::BUSY));
        assert_eq!(
            ResultCode::of::<()>(&Err(ResultCode::SUCCESS)),
            ResultCode::GENERIC
        );
    }
}
