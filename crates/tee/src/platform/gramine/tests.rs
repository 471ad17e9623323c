use std::{
    io,
    sync::{Arc, Mutex},
};

use tamarack_cose::{CryptoProvider, rustcrypto};
use tamarack_rats::{RollbackDetection, SGX_QUOTE};

use super::*;
use crate::platform::TeePlatform;

/// The pseudo-files of Gramine, as an enclave has them.
#[derive(Clone)]
struct Enclave(Arc<Mutex<State>>);

struct State {
    attestation_type: &'static str,
    mrsigner: Vec<u8>,
    mrenclave: Vec<u8>,
    user_report_data: [u8; 64],
    /// Whether quotes are of data from before.
    stale: bool,
}

impl Enclave {
    fn with(change: impl FnOnce(&mut State)) -> Self {
        let mut state = State {
            attestation_type: "dcap",
            mrsigner: vec![1; 16],
            mrenclave: vec![2; 16],
            user_report_data: [0; 64],
            stale: false,
        };
        change(&mut state);
        Self(Arc::new(Mutex::new(state)))
    }
}

impl Attributes for Enclave {
    fn make_folder(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        assert_eq!(path, Path::new("/dev/attestation/user_report_data"));
        let data = bytes.try_into().map_err(|_| io::ErrorKind::InvalidInput)?;
        let state = &mut *self.0.lock().unwrap();
        if !state.stale {
            state.user_report_data = data;
        }
        Ok(())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = &*self.0.lock().unwrap();
        let path = path.strip_prefix("/dev/attestation").unwrap();
        match path.to_str().unwrap() {
            "attestation_type" if state.attestation_type.is_empty() => {
                Err(io::ErrorKind::NotFound.into())
            }
            "attestation_type" => Ok(state.attestation_type.into()),
            "keys/_sgx_mrsigner" => Ok(state.mrsigner.clone()),
            "keys/_sgx_mrenclave" => Ok(state.mrenclave.clone()),
            "quote" => {
                let mut quote = vec![3; 368];
                quote.extend(state.user_report_data);
                quote.extend(b"signature and certificates");
                Ok(quote)
            }
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

struct World {
    crypto: CryptoProvider,
    dir: tempfile::TempDir,
    options: GramineOptions,
}

impl World {
    fn new(key: SgxKey) -> Self {
        Self {
            crypto: rustcrypto::provider(),
            dir: tempfile::tempdir().unwrap(),
            options: GramineOptions {
                key,
                ..GramineOptions::default()
            },
        }
    }

    fn open(&self, enclave: &Enclave) -> Result<Device, PlatformFault> {
        Gramine::over(
            enclave.clone(),
            self.dir.path(),
            &self.crypto,
            &DeviceOptions::default(),
            &self.options,
        )
    }
}

#[test]
fn a_quote_is_about_what_it_was_asked_for() {
    let world = World::new(SgxKey::Signer);
    let enclave = Enclave::with(|_| ());
    let device = world.open(&enclave).unwrap();
    let attester = device.attester();
    let quotes = attester.hardware().unwrap();
    for byte in 1..4 {
        let report = quotes.report(&[byte; 32]).unwrap();
        assert_eq!(report.media_type, SGX_QUOTE);
        assert_eq!(&report.bytes[368..400], &[byte; 32]);
        assert_eq!(&report.bytes[400..432], &[0; 32]);
    }
    enclave.0.lock().unwrap().stale = true;
    let error = quotes.report(&[9; 32]).unwrap_err().to_string();
    assert!(error.contains("no quote about the data"), "{error}");
    assert_eq!(device.name(), "gramine");
    assert_eq!(
        device.counter().rollback_detection(),
        RollbackDetection::Nothing
    );
    assert!(device.warning().unwrap().contains("no counter of its own"));
}

#[test]
fn by_the_signers_key_an_updated_enclave_opens_what_its_predecessor_sealed() {
    let updated = Enclave::with(|state| state.mrenclave = vec![9; 16]);
    let of_another_signer = Enclave::with(|state| state.mrsigner = vec![9; 16]);
    let foreign = |result| matches!(result, Err(PlatformFault::Foreign { .. }));

    let mut world = World::new(SgxKey::Signer);
    let first = world.open(&Enclave::with(|_| ())).unwrap();
    let again = world.open(&updated).unwrap();
    assert_eq!(first.root_key().bytes(), again.root_key().bytes());
    assert_eq!(first.identity(), again.identity());
    assert!(foreign(world.open(&of_another_signer)));
    // The choice was made at the first start.
    world.options.key = SgxKey::Enclave;
    world.open(&updated).unwrap();

    let world = World::new(SgxKey::Enclave);
    world.open(&Enclave::with(|_| ())).unwrap();
    world.open(&of_another_signer).unwrap();
    assert!(foreign(world.open(&updated)));
}

#[test]
fn devices_of_one_enclave_have_different_root_keys() {
    let (one, other) = (World::new(SgxKey::Signer), World::new(SgxKey::Signer));
    let enclave = Enclave::with(|_| ());
    let (one, other) = (one.open(&enclave).unwrap(), other.open(&enclave).unwrap());
    assert_ne!(one.root_key().bytes(), other.root_key().bytes());
}

#[test]
fn what_is_no_enclave_that_can_be_attested_is_refused() {
    let refused = |change: fn(&mut State)| {
        let world = World::new(SgxKey::Signer);
        let error = world.open(&Enclave::with(change)).unwrap_err().to_string();
        assert!(!world.dir.path().join("platform").exists());
        error
    };
    assert!(refused(|state| state.attestation_type = "").contains("is this an enclave"));
    assert!(refused(|state| state.attestation_type = "none").contains("sgx.remote_attestation"));
    assert!(refused(|state| state.mrsigner = Vec::new()).contains("has 0 bytes, not 16"));
}
