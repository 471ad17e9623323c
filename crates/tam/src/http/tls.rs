//! The TAM's certificate: read from files, and read again when they change.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use tokio::signal::unix::{SignalKind, signal};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::{CryptoProvider, aws_lc_rs},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};
use zeroize::Zeroizing;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(5);

/// Where the certificate of the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that link it to a root, in this order, as PEM.
    pub certificate: PathBuf,
    /// Its private key as PEM: PKCS#8, SEC1 or PKCS#1.
    pub key: PathBuf,
}

/// Why TLS can't be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file can't be read.
    #[error("{}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file holds something else.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The key is not that of the certificate, or no algorithm of ours.
    #[error("{} does not fit {}: {error}", files.key.display(), files.certificate.display())]
    Pair {
        /// Both files.
        files: TlsFiles,
        /// What the TLS library said.
        error: rustls::Error,
    },
    /// The TLS library can't be set up.
    #[error("TLS can't be set up: {0}")]
    Setup(rustls::Error),
}

/// The certificate that new connections get. Those that are open keep theirs.
pub(super) struct Certificate {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    pub(super) fn open(files: &TlsFiles) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let current = read(files, &provider)?;
        Ok(Arc::new(Self {
            files: files.clone(),
            provider,
            current: RwLock::new(Arc::new(current)),
        }))
    }

    /// What turns a connection into a TLS connection: TLS 1.2 or 1.3, with the suites that BCP 195
    /// recommends and no others, HTTP/2 before HTTP/1.1.
    // req: HTTP-007
    // req: HTTP-008
    // req: TEEP-OPS-010
    pub(super) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor, TlsError> {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::clone(self) as _;
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Reads the files again whenever they change, and on SIGHUP. Files that are wrong change nothing.
    pub(super) async fn follow(self: Arc<Self>) {
        // Without signals the files are looked at all the same.
        let mut hangup = signal(SignalKind::hangup()).ok();
        let mut seen = Stamp::of(&self.files);
        // The two files are replaced one after the other: until they fit, it is tried again.
        let mut broken = false;
        loop {
            let told = async {
                match &mut hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            let told = tokio::select! {
                told = told => told.is_some(),
                () = tokio::time::sleep(LOOK) => false,
            };
            let now = Stamp::of(&self.files);
            let changed = now != seen;
            if !(told || changed || broken) {
                continue;
            }
            seen = now;
            let this = Arc::clone(&self);
            let Ok(outcome) = tokio::task::spawn_blocking(move || this.reload()).await else {
                continue;
            };
            broken = outcome.is_err();
            match outcome {
                Ok(()) => tracing::info!(
                    certificate = %self.files.certificate.display(),
                    "new connections get the certificate that was read again"
                ),
                Err(error) if told || changed => {
                    tracing::error!(%error, "the certificate was not replaced; the old one serves on");
                }
                Err(_) => {}
            }
        }
    }

    fn reload(&self) -> Result<(), TlsError> {
        let read = Arc::new(read(&self.files, &self.provider)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Some(Arc::clone(&current))
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

fn read_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let read = std::fs::read(path).map_err(|error| TlsError::Read {
        path: path.to_owned(),
        error,
    })?;
    Ok(Zeroizing::new(read))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let content = |problem: String| TlsError::Content {
        path: path.to_owned(),
        problem,
    };
    let chain = CertificateDer::pem_slice_iter(&read_file(path)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| content(format!("not a certificate as PEM: {error}")))?;
    if chain.is_empty() {
        return Err(content(
            "holds no certificate; a PEM file is expected".into(),
        ));
    }
    Ok(chain)
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&read_file(&files.key)?).map_err(|error| {
        TlsError::Content {
            path: files.key.clone(),
            problem: format!("not a private key as PEM: {error}"),
        }
    })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| TlsError::Pair {
        files: files.clone(),
        error,
    })
}

/// What tells one state of the files from another without reading them.
#[derive(PartialEq, Eq)]
struct Stamp([Option<(SystemTime, u64)>; 2]);

impl Stamp {
    fn of(files: &TlsFiles) -> Self {
        let stamp = |path: &Path| {
            let found = std::fs::metadata(path).ok()?;
            Some((found.modified().ok()?, found.len()))
        };
        Self([stamp(&files.certificate), stamp(&files.key)])
    }
}
