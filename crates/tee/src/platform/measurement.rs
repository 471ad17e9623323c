//! What runs in the TEE, measured.

use std::{fs::File, io::Read, path::PathBuf};

use tamarack_cose::{CryptoProvider, DigestAlgorithm};

use super::PlatformFault;

/// SHA-256 of the file of this program.
pub(super) fn measure_this_program(crypto: &CryptoProvider) -> Result<[u8; 32], PlatformFault> {
    let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("the running program"));
    let mut file = File::open(&path).map_err(PlatformFault::file("measure", &path))?;
    let mut hash = crypto.digests.start(DigestAlgorithm::Sha256);
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = file
            .read(&mut buffer)
            .map_err(PlatformFault::file("measure", &path))?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
    let mut measurement = [0; 32];
    measurement.copy_from_slice(hash.finish().as_ref());
    Ok(measurement)
}
