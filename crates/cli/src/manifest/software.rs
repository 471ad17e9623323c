//! What a manifest says about the software that it installs, from options.

use std::path::{Path, PathBuf};

use clap::Args;
use tamarack_cose::CryptoProvider;
use tamarack_suit::{ConciseSwidTag, Limits, Mud, SuitDigest, author::ManifestBuilder};

use super::typed;
use crate::{failure::Failure, files, key_file::read_public};

/// The tag of the software, and where it is said how it behaves in a network.
#[derive(Debug, Args)]
pub(super) struct Software {
    /// The tag of what is installed (CoSWID, RFC 9393), as CBOR.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "from",
        help_heading = "Software"
    )]
    coswid: Option<PathBuf>,
    /// Where the Manufacturer Usage Description is (MUD, RFC 8520) that says how it behaves in a network.
    #[arg(
        long,
        value_name = "URI",
        value_parser = typed::uri,
        requires = "mud_key",
        conflicts_with = "from",
        help_heading = "Software"
    )]
    mud_url: Option<String>,
    /// The public key of whoever signs that description.
    #[arg(
        long,
        value_name = "FILE",
        requires = "mud_url",
        conflicts_with = "from",
        help_heading = "Software"
    )]
    mud_key: Option<PathBuf>,
}

impl Software {
    /// The files that are read.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.coswid, &self.mud_key].into_iter().flatten();
        files.map(PathBuf::as_path)
    }

    /// Says it in a manifest.
    pub(super) fn describe(
        &self,
        mut builder: ManifestBuilder,
        crypto: &CryptoProvider,
    ) -> Result<ManifestBuilder, Failure> {
        if let Some(path) = &self.coswid {
            let bytes = files::read(path)?;
            let tag = ConciseSwidTag::decode(&bytes, &Limits::default());
            let tag = tag.map_err(|error| {
                Failure::file(path, error).hint("a CoSWID is expected, encoded and not signed")
            })?;
            builder = builder.coswid(&tag);
        }
        if let (Some(url), Some(path)) = (&self.mud_url, &self.mud_key) {
            let key = read_public(path, crypto)?;
            builder = builder.mud(Mud {
                url: url.clone().into(),
                // What its COSE key thumbprint is the digest of (RFC 9679 section 4).
                subject_key_identifier: SuitDigest::sha256(crypto, &key.to_cose_key()),
            });
        }
        Ok(builder)
    }
}
