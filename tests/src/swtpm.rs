//! A TPM 2.0 in software, as a process of its own.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    str::FromStr,
};

use tempfile::TempDir;
use tss_esapi::{
    Context, TctiNameConf,
    attributes::NvIndexAttributes,
    constants::NvIndexType,
    handles::{NvIndexHandle, NvIndexTpmHandle, PcrHandle, TpmHandle},
    interface_types::{
        algorithm::HashingAlgorithm,
        resource_handles::{NvAuth, Provision},
        session_handles::AuthSession,
    },
    structures::{Digest, DigestValues, NvPublic},
};

use crate::system::eventually;

/// A TPM. It ends when this is dropped, and forgets everything.
pub struct Swtpm {
    process: Child,
    port: u16,
    state: TempDir,
}

impl Swtpm {
    /// A TPM that nobody has used before.
    ///
    /// # Panics
    ///
    /// If there is no `swtpm` (Debian: package swtpm), or it does not start.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "it starts a process")]
    pub fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let (process, port) = start(state.path());
        Self {
            process,
            port,
            state,
        }
    }

    /// How it is reached.
    #[must_use]
    pub fn tcti(&self) -> String {
        format!("swtpm:host=127.0.0.1,port={}", self.port)
    }

    /// Takes the power away, and gives it back: PCRs are zero again.
    pub fn reboot(&mut self) {
        self.stop();
        (self.process, self.port) = start(self.state.path());
    }

    /// Extends a PCR, as whatever is booted does. Nobody else may be connected.
    pub fn extend(&self, pcr: PcrHandle) {
        let mut digests = DigestValues::new();
        let digest = Digest::try_from(&[7; 32][..]).unwrap();
        digests.set(HashingAlgorithm::Sha256, digest);
        let mut context = self.context();
        context
            .execute_with_session(Some(AuthSession::Password), |context| {
                context.pcr_extend(pcr, digests)
            })
            .unwrap();
    }

    /// Removes an NV index, as its owner may. Nobody else may be connected.
    pub fn remove_counter(&self, index: u32) {
        let mut context = self.context();
        let handle = TpmHandle::NvIndex(NvIndexTpmHandle::new(index).unwrap());
        let handle = NvIndexHandle::from(context.tr_from_tpm_public(handle).unwrap());
        context
            .execute_with_session(Some(AuthSession::Password), |context| {
                context.nv_undefine_space(Provision::Owner, handle)
            })
            .unwrap();
    }

    /// Makes a counter that anybody may use, as the owner may, and raises it once; its value. Nobody else may be
    /// connected.
    #[must_use]
    pub fn make_counter(&self, index: u32) -> u64 {
        let attributes = NvIndexAttributes::builder()
            .with_nv_index_type(NvIndexType::Counter)
            .with_auth_read(true)
            .with_auth_write(true)
            .with_no_da(true)
            .build()
            .unwrap();
        let public = NvPublic::builder()
            .with_nv_index(NvIndexTpmHandle::new(index).unwrap())
            .with_index_name_algorithm(HashingAlgorithm::Sha256)
            .with_index_attributes(attributes)
            .with_data_area_size(8)
            .build()
            .unwrap();
        let mut context = self.context();
        let value = context
            .execute_with_session(Some(AuthSession::Password), |context| {
                let handle = context.nv_define_space(Provision::Owner, None, public)?;
                context.nv_increment(NvAuth::NvIndex(handle), handle)?;
                context.nv_read(NvAuth::NvIndex(handle), handle, 8, 0)
            })
            .unwrap();
        u64::from_be_bytes(value.value().try_into().unwrap())
    }

    fn context(&self) -> Context {
        Context::new(TctiNameConf::from_str(&self.tcti()).unwrap()).unwrap()
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts it on two ports of its choice, one behind the other: tpm2-tss expects that.
fn start(state: &Path) -> (Child, u16) {
    eventually("swtpm starts", || {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        let control = port.checked_add(1)?;
        TcpListener::bind(("127.0.0.1", control)).ok()?;
        drop(free);
        let mut process = Command::new("swtpm")
            .args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"])
            .arg("--tpmstate")
            .arg(format!("dir={}", state.display()))
            .arg("--server")
            .arg(format!("type=tcp,port={port},bindaddr=127.0.0.1"))
            .arg("--ctrl")
            .arg(format!("type=tcp,port={control},bindaddr=127.0.0.1"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("swtpm is installed (Debian: package swtpm)");
        if answers(&mut process, control) {
            return Some((process, port));
        }
        // Somebody else took a port.
        let _ = process.kill();
        let _ = process.wait();
        None
    })
}

/// Waits until the TPM takes connections; `false` if its process ended instead.
fn answers(process: &mut Child, control: u16) -> bool {
    eventually("swtpm answers", || {
        let ended = process.try_wait().unwrap().is_some();
        let connected = TcpStream::connect(("127.0.0.1", control)).is_ok();
        (ended || connected).then_some(!ended)
    })
}
