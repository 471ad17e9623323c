//! Where payloads come from: files that the command line names, or the network.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use tamarack_suit::{DeviceError, Fetch};

use crate::files::explain;

/// The payloads that a device can reach.
pub(super) struct Source {
    /// URIs with the files that stand for what is there.
    pub(super) files: Vec<(String, PathBuf)>,
    /// A folder with files called as the last part of a URI.
    pub(super) folder: Option<PathBuf>,
    /// Whether the network may be asked.
    pub(super) online: bool,
    /// What was fetched, and from where.
    pub(super) fetched: Vec<(String, String)>,
}

type Sink<'s> = &'s mut dyn FnMut(&[u8]) -> Result<(), DeviceError>;

const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may arrive.
const SILENCE: Duration = Duration::from_secs(30);
const REDIRECTS: usize = 5;
const CHUNK: usize = 64 << 10;

impl Fetch for Source {
    fn fetch(&mut self, uri: &str, _: Option<&[u8]>, sink: Sink<'_>) -> Result<(), DeviceError> {
        let named = self.files.iter().find(|(known, _)| known == uri);
        let path = match (named, &self.folder) {
            (Some((_, path)), _) => Some(path.clone()),
            (None, Some(folder)) => in_folder(folder, uri),
            (None, None) => None,
        };
        if let Some(path) = path {
            read(uri, &path, sink)?;
            self.fetched.push((uri.into(), path.display().to_string()));
            return Ok(());
        }
        let is_http = uri.starts_with("http://") || uri.starts_with("https://");
        if !is_http || !self.online {
            return Err(DeviceError::Unavailable(uri.into()));
        }
        download(uri, sink)?;
        self.fetched.push((uri.into(), "the network".into()));
        Ok(())
    }
}

/// The file in a folder that is called as the last part of a URI, if there is one.
fn in_folder(folder: &Path, uri: &str) -> Option<PathBuf> {
    let path = uri.split(['?', '#']).next().unwrap_or(uri);
    let name = path.rsplit('/').next()?;
    // The URI is the manifest's: it must not lead out of the folder.
    if matches!(name, "" | "." | "..") || name.contains(['\\', '\0']) {
        return None;
    }
    let path = folder.join(name);
    path.is_file().then_some(path)
}

fn read(uri: &str, path: &Path, sink: Sink<'_>) -> Result<(), DeviceError> {
    let fault = |error: std::io::Error| {
        let why = explain(&error);
        DeviceError::Unavailable(format!("{uri}: {}: {why}", path.display()))
    };
    let mut file = File::open(path).map_err(fault)?;
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = file.read(&mut buffer).map_err(fault)?;
        match buffer.get(..read) {
            Some(chunk) if !chunk.is_empty() => sink(chunk)?,
            _ => return Ok(()),
        }
    }
}

fn download(uri: &str, sink: Sink<'_>) -> Result<(), DeviceError> {
    let unavailable = |why: String| DeviceError::Unavailable(format!("{uri}: {why}"));
    let cause = |error: reqwest::Error| {
        let mut cause = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            cause = inner.to_string();
            source = inner.source();
        }
        unavailable(cause)
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| unavailable(error.to_string()))?;
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .redirect(reqwest::redirect::Policy::limited(REDIRECTS))
            .build()
            .map_err(cause)?;
        let mut response = client.get(uri).send().await.map_err(cause)?;
        if !response.status().is_success() {
            return Err(unavailable(format!(
                "the server says {}",
                response.status()
            )));
        }
        while let Some(chunk) = response.chunk().await.map_err(cause)? {
            sink(&chunk)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_does_not_lead_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(folder.path().join("secret"), "").unwrap();
        std::fs::write(inner.join("app.bin"), "").unwrap();
        for uri in [
            "https://x/..",
            "https://x/../secret",
            "..",
            "",
            "https://x/..\\secret",
            "secret/",
        ] {
            assert_eq!(in_folder(&inner, uri), None, "{uri}");
        }
        for uri in [
            "https://x/a/app.bin?v=/../secret",
            "app.bin",
            "coap://x/app.bin#/secret",
        ] {
            assert_eq!(in_folder(&inner, uri), Some(inner.join("app.bin")), "{uri}");
        }
    }
}
