use std::{
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use base16ct::lower::encode_string;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tamarack_cose::{
    CryptoProvider, PublicKey,
    x509::{Certificate, Issue, Purpose, Usage},
};

use crate::{
    admin::show,
    failure::Failure,
    files,
    key_file::{KeyFile, read_public, read_secret},
    output::{DIM, Output, printable},
};

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// Make the certificate of an authority: self-signed, or issued by another authority.
///
///   tamarack key generate --out authority.pem
///   tamarack key authority authority.pem --subject "CN=Operator" \
///       --out authority.crt.pem
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Authority {
    /// The private key of the authority; of one that another authority issues, the public key will do.
    key: PathBuf,
    /// Most authorities that may follow below it.
    #[arg(long, value_name = "NUMBER")]
    path_length: Option<u8>,
    #[command(flatten)]
    what: What,
    /// The certificate of the authority that issues this one; it is self-signed by default.
    #[arg(long, value_name = "FILE", requires = "issuer_key")]
    issuer: Option<PathBuf>,
    /// The private key of that authority.
    #[arg(long, value_name = "FILE", requires = "issuer")]
    issuer_key: Option<PathBuf>,
}

/// Issue a certificate for a public key, followed by those of the authorities above it, but for the self-signed.
///
///   tamarack key certify tam.pub.pem --purpose tam --subject "CN=TAM 1" \
///       --issuer authority.crt.pem --issuer-key authority.pem --out tam.crt.pem
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Certify {
    /// The public key.
    key: PathBuf,
    /// What the key is for; anything by default.
    #[arg(long, value_enum)]
    purpose: Option<Role>,
    #[command(flatten)]
    what: What,
    /// The certificate of the authority, followed by those above it if there are any.
    #[arg(long, value_name = "FILE")]
    issuer: PathBuf,
    /// The private key of the authority.
    #[arg(long, value_name = "FILE")]
    issuer_key: PathBuf,
}

/// Show the certificates in a file.
#[derive(Args)]
pub(crate) struct Certificates {
    /// Certificates in PEM, the signer's first.
    file: PathBuf,
}

#[derive(Args)]
pub(crate) struct What {
    /// The subject, such as "CN=TAM 1,O=Acme".
    #[arg(long, value_name = "NAME")]
    subject: String,
    /// An alternative name: a URI or a DNS name. May be given several times.
    #[arg(long, value_name = "NAME")]
    name: Vec<String>,
    /// For how long it is valid, from now on.
    #[arg(long, value_name = "DAYS", default_value_t = 365, conflicts_with_all = ["not_after", "no_end"])]
    days: u64,
    /// It never expires, as certificates of devices.
    #[arg(long, conflicts_with = "not_after")]
    no_end: bool,
    /// The first second at which it is valid, since 1970-01-01 UTC; a minute ago by default.
    #[arg(long, value_name = "SECONDS")]
    not_before: Option<u64>,
    /// The last second at which it is valid.
    #[arg(long, value_name = "SECONDS")]
    not_after: Option<u64>,
    /// Where the certificate goes.
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    out: PathBuf,
}

/// What somebody is trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// A TAM.
    Tam,
    /// A Trusted Component Signer or device administrator.
    Signer,
    /// A TEE or its attester.
    Tee,
    /// A Verifier.
    Verifier,
}

impl From<Role> for Purpose {
    fn from(role: Role) -> Self {
        match role {
            Role::Tam => Self::Tam,
            Role::Signer => Self::Signer,
            Role::Tee => Self::Tee,
            Role::Verifier => Self::Verifier,
        }
    }
}

/// Seconds since 1970-01-01 UTC.
pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

impl What {
    fn issue(&self, key: PublicKey, usage: Usage) -> Issue {
        let now = now();
        let issue = Issue::new(key, &self.subject, usage).with_alternative_names(self.name.clone());
        let not_before = self.not_before.unwrap_or(now.saturating_sub(60));
        match self.no_end {
            true => issue.valid_from(not_before),
            false => {
                let end = now.saturating_add(self.days.saturating_mul(DAY));
                issue.valid(not_before, self.not_after.unwrap_or(end))
            }
        }
    }

    fn keep_apart<'a>(&self, inputs: impl IntoIterator<Item = &'a PathBuf>) -> Result<(), Failure> {
        files::keep_apart(
            inputs.into_iter().map(PathBuf::as_path),
            [("--out", &*self.out)],
        )
    }

    fn finish(
        &self,
        chain: &[Certificate],
        crypto: &CryptoProvider,
        output: Output,
    ) -> Result<(), Failure> {
        let mut text = String::new();
        for certificate in chain {
            text += &certificate.to_pem().map_err(tamarack_cose::Error::from)?;
        }
        files::write(&self.out, text.as_bytes())?;
        if self.out != Path::new("-") {
            show_chain(chain, crypto, output);
        }
        Ok(())
    }
}

/// Reads the certificates in a file.
pub(crate) fn read(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let file = KeyFile::read(path)?;
    file.certificates()?.ok_or_else(|| {
        file.failure("holds no certificate")
            .hint("PEM blocks CERTIFICATE are expected; `tamarack key authority` makes one")
    })
}

/// The authority in a file, and what goes with what it issues.
fn authority(path: &Path) -> Result<(Certificate, Vec<Certificate>), Failure> {
    let list = read(path)?;
    let above = list.iter().filter(|own| !own.is_self_issued()).cloned();
    let above = above.collect();
    match list.into_iter().next() {
        Some(own) if own.is_authority() => Ok((own, above)),
        _ => Err(Failure::file(path, "is no certificate of an authority")
            .hint("`tamarack key authority` makes one")),
    }
}

impl Authority {
    pub(crate) fn run(self, crypto: &CryptoProvider, output: Output) -> Result<(), Failure> {
        let issuer = [&self.issuer, &self.issuer_key].into_iter().flatten();
        self.what.keep_apart(issuer.chain([&self.key]))?;
        let key = read_public(&self.key, crypto)?;
        let usage = Usage::Authority {
            path_length: self.path_length,
        };
        let issue = self.what.issue(key, usage);
        let chain = match (&self.issuer, &self.issuer_key) {
            (Some(issuer), Some(issuer_key)) => issued(&issue, issuer, issuer_key, crypto)?,
            _ => {
                let secret = read_secret(&self.key, crypto)?;
                let signer = crypto.signatures.signer(&secret)?;
                vec![issue.self_signed(crypto, &*signer)?]
            }
        };
        self.what.finish(&chain, crypto, output)
    }
}

impl Certify {
    pub(crate) fn run(self, crypto: &CryptoProvider, output: Output) -> Result<(), Failure> {
        self.what
            .keep_apart([&self.key, &self.issuer, &self.issuer_key])?;
        let key = read_public(&self.key, crypto)?;
        let usage = Usage::Leaf(self.purpose.map(Purpose::from));
        let issue = self.what.issue(key, usage);
        let chain = issued(&issue, &self.issuer, &self.issuer_key, crypto)?;
        self.what.finish(&chain, crypto, output)
    }
}

/// The certificate and those above it.
fn issued(
    issue: &Issue,
    issuer: &Path,
    issuer_key: &Path,
    crypto: &CryptoProvider,
) -> Result<Vec<Certificate>, Failure> {
    let (own, above) = authority(issuer)?;
    let secret = read_secret(issuer_key, crypto)?;
    let signer = crypto.signatures.signer(&secret)?;
    if secret.public_key() != own.key() {
        return Err(Failure::file(
            issuer_key,
            format!("is not the key of {}", own.name()),
        ));
    }
    let mut chain = vec![issue.signed_by(crypto, &own, &*signer)?];
    chain.extend(above);
    Ok(chain)
}

impl Certificates {
    pub(crate) fn run(self, crypto: &CryptoProvider, output: Output) -> Result<(), Failure> {
        show_chain(&read(&self.file)?, crypto, output);
        Ok(())
    }
}

/// Shows certificates, one after the other.
pub(crate) fn show_chain(chain: &[Certificate], crypto: &CryptoProvider, output: Output) {
    let value: Vec<Value> = chain.iter().map(|own| describe(own, crypto)).collect();
    output.result(&json!({ "certificates": value }), || {
        let blocks = value.iter().map(|certificate| {
            let lines = certificate.as_object().into_iter().flatten();
            let lines = lines.filter(|(_, value)| !value.is_null());
            lines
                .map(|(name, value)| {
                    let text = match value {
                        Value::String(text) => printable(text),
                        Value::Array(list) => {
                            let texts = list.iter().filter_map(Value::as_str).map(printable);
                            texts.collect::<Vec<_>>().join(" ")
                        }
                        Value::Number(at) if name.starts_with("not_") => {
                            show::time(at.as_u64().unwrap_or_default())
                        }
                        other => other.to_string(),
                    };
                    let name = name.replace('_', " ");
                    format!("{DIM}{name:<18}{DIM:#} {text}")
                })
                .collect::<Vec<_>>()
                .join("\n")
        });
        blocks.collect::<Vec<_>>().join("\n\n")
    });
}

fn describe(own: &Certificate, crypto: &CryptoProvider) -> Value {
    let authority = own.is_authority();
    json!({
        "subject": own.subject_text(),
        "issuer": own.issuer_text(),
        "serial": encode_string(own.serial()),
        "not_before": own.not_before(),
        "not_after": own.not_after(),
        "algorithm": own.key().algorithm().name(),
        "key_id": own.key_id(crypto).to_hex(),
        "authority": authority,
        "path_length": own.path_length().filter(|_| authority),
        "may_sign": own.may_sign(),
        "purposes": own.extended_key_usage().map(|_| own.extended_key_usage_text()),
        "names": Some(own.alternative_names()).filter(|names| !names.is_empty()),
        "not_understood": own.unknown_extension(),
        "sha256": encode_string(&own.fingerprint(crypto)),
    })
}
