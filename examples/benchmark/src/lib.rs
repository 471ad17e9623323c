//! A Trusted Application that does what `tamarack bench tee` measures.
//!
//! | Command | Input | Output |
//! |---|---|---|
//! | [`NOTHING`] | | |
//! | [`CHECKSUM`] | bytes | their Adler-32 checksum, 4 bytes, big-endian |
//! | [`WRITE`] | bytes | |
//! | [`READ`] | | the number of bytes last written, 4 bytes, big-endian |

#![cfg_attr(not(test), no_std)]

use tamarack_ta::{ResultCode, TrustedApplication, Vec, objects};

/// Does nothing.
pub const NOTHING: u32 = 0;
/// Computes a checksum of the input.
pub const CHECKSUM: u32 = 1;
/// Writes the input to an object.
pub const WRITE: u32 = 2;
/// Reads that object.
pub const READ: u32 = 3;

/// The Trusted Application.
#[derive(Debug)]
pub struct Benchmark;

impl TrustedApplication for Benchmark {
    fn create() -> Result<Self, ResultCode> {
        Ok(Self)
    }

    fn invoke_command(&mut self, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode> {
        match command {
            NOTHING => Ok(Vec::new()),
            CHECKSUM => Ok(checksum(input).to_be_bytes().into()),
            WRITE => objects::write("object", input).map(|()| Vec::new()),
            READ => {
                let length = u32::try_from(objects::read("object")?.len());
                Ok(length
                    .map_err(|_| ResultCode::OVERFLOW)?
                    .to_be_bytes()
                    .into())
            }
            _ => Err(ResultCode::NOT_SUPPORTED),
        }
    }
}

tamarack_ta::export!(Benchmark);

/// Adler-32 (RFC 1950), one byte after the other: the same work natively and in the TEE.
fn checksum(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use tamarack_ta::testing::Session;

    use super::*;

    #[test]
    fn it_does_what_is_measured() {
        let mut session = Session::<Benchmark>::open(b"").unwrap();
        assert_eq!(session.invoke(NOTHING, b"").unwrap(), b"");
        let sum = session.invoke(CHECKSUM, b"Wikipedia").unwrap();
        assert_eq!(sum, 0x11E6_0398_u32.to_be_bytes());
        session.invoke(WRITE, &[1; 3000]).unwrap();
        assert_eq!(session.invoke(READ, b"").unwrap(), 3000_u32.to_be_bytes());
        assert_eq!(session.invoke(9, b""), Err(ResultCode::NOT_SUPPORTED));
    }
}
