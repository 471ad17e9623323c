use alloc::{format, string::String, vec::Vec};

use tamarack_cose::{CryptoProvider, DigestAlgorithm};

use super::{
    InputError,
    input::{Component, Digest, place},
};
use crate::{ComponentId, SuitDigest, Uuid};

/// A component of the JSON, with its values taken out of their texts.
pub(super) struct Image<'i> {
    pub(super) component: &'i Component,
    /// Its place in the list of the JSON.
    pub(super) position: usize,
    pub(super) install_id: ComponentId,
    pub(super) digest: SuitDigest,
    pub(super) size: u64,
    pub(super) vendor: Option<Uuid>,
    pub(super) class: Option<Uuid>,
    /// Where the image is fetched to before it is installed.
    pub(super) download: Option<Download>,
    /// Where the image is copied to before it is invoked.
    pub(super) load: Option<Load>,
    /// The content of its file, if the envelope carries it.
    pub(super) integrated: Option<Vec<u8>>,
}

pub(super) struct Download {
    pub(super) id: ComponentId,
    pub(super) digest: SuitDigest,
    pub(super) size: Option<u64>,
}

pub(super) struct Load {
    pub(super) id: ComponentId,
    pub(super) digest: SuitDigest,
    pub(super) size: u64,
}

impl<'i> Image<'i> {
    pub(super) fn new(
        component: &'i Component,
        position: usize,
        crypto: &CryptoProvider,
        payload: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
    ) -> Result<Self, InputError> {
        let at = |field| place(position, field);
        let fault = |field, problem: &str| InputError::new(at(field), problem);
        let content = component.file.as_deref().map(payload).transpose();
        let content = content.map_err(|error| InputError::new(at("file"), error))?;
        let given = optional_digest(component.install_digest.as_ref(), &at("install-digest"))?;
        let digest = match (given, &content) {
            (Some(given), Some(content)) if given.matches(crypto, content) != Ok(true) => {
                return Err(fault("install-digest", "is not that of the file"));
            }
            (Some(given), _) => given,
            (None, Some(content)) => SuitDigest::sha256(crypto, content),
            (None, None) => {
                return Err(fault("install-digest", "is missing, and there is no file"));
            }
        };
        let size = match (component.install_size, &content) {
            (Some(given), Some(content)) if given != content.len() as u64 => {
                return Err(fault("install-size", "is not that of the file"));
            }
            (Some(given), _) => given,
            (None, Some(content)) => content.len() as u64,
            (None, None) => return Err(fault("install-size", "is missing, and there is no file")),
        };
        let carried = component
            .uri
            .as_ref()
            .is_some_and(|uri| uri.starts_with('#'));
        if carried && content.is_none() {
            let problem =
                "starts with #, which carries the image in the envelope: `file` is missing";
            return Err(fault("uri", problem));
        }
        let uuid = |text: Option<&String>, field| {
            text.map(|text| text.parse::<Uuid>())
                .transpose()
                .map_err(|error| InputError::new(at(field), format!("{error}")))
        };
        Ok(Self {
            component,
            position,
            install_id: identifier(&component.install_id, &at("install-id"))?,
            digest,
            size,
            vendor: uuid(component.vendor_id.as_ref(), "vendor-id")?,
            class: uuid(component.class_id.as_ref(), "class-id")?,
            download: Self::download(component, position, digest)?,
            load: Self::load(component, position, digest, size)?,
            integrated: content.filter(|_| carried),
        })
    }

    fn download(
        component: &Component,
        position: usize,
        installed: SuitDigest,
    ) -> Result<Option<Download>, InputError> {
        let at = |field| place(position, field);
        match &component.download_id {
            Some(id) if !component.install_on_download => {
                if component.uri.is_none() {
                    let problem = "is missing: where does the download come from?";
                    return Err(InputError::new(at("uri"), problem));
                }
                let given =
                    optional_digest(component.download_digest.as_ref(), &at("download-digest"))?;
                Ok(Some(Download {
                    id: identifier(id, &at("download-id"))?,
                    digest: given.unwrap_or(installed),
                    size: component.download_size,
                }))
            }
            Some(_) => {
                let problem = "is of no use unless `install-on-download` is false";
                Err(InputError::new(at("download-id"), problem))
            }
            None if !component.install_on_download => {
                let problem = "is missing: where is the image kept until it is installed?";
                Err(InputError::new(at("download-id"), problem))
            }
            None => Ok(None),
        }
    }

    fn load(
        component: &Component,
        position: usize,
        installed: SuitDigest,
        size: u64,
    ) -> Result<Option<Load>, InputError> {
        let at = |field| place(position, field);
        match (&component.load_id, component.loadable) {
            (Some(id), true) => {
                let given = optional_digest(component.load_digest.as_ref(), &at("load-digest"))?;
                Ok(Some(Load {
                    id: identifier(id, &at("load-id"))?,
                    digest: given.unwrap_or(installed),
                    size: component.load_size.unwrap_or(size),
                }))
            }
            (None, false) => Ok(None),
            (None, true) => Err(InputError::new(
                at("load-id"),
                "is missing: where is the image loaded to?",
            )),
            (Some(_), false) => {
                let problem = "is of no use unless `loadable` is true";
                Err(InputError::new(at("load-id"), problem))
            }
        }
    }
}

/// An identifier whose segments are given in hexadecimal.
pub(super) fn identifier(segments: &[String], place: &str) -> Result<ComponentId, InputError> {
    let decoded = segments.iter().enumerate().map(|(position, segment)| {
        base16ct::mixed::decode_vec(segment).map_err(|_| {
            let problem = format!(
                "{segment:?} is not hexadecimal: a segment is pairs of digits, as in \"00\""
            );
            InputError::new(format!("{place}[{position}]"), problem)
        })
    });
    let decoded = decoded.collect::<Result<Vec<_>, _>>()?;
    if decoded.is_empty() {
        return Err(InputError::new(place, "has no segment"));
    }
    ComponentId::new(&decoded).map_err(|error| InputError::new(place, format!("{error}")))
}

fn optional_digest(digest: Option<&Digest>, place: &str) -> Result<Option<SuitDigest>, InputError> {
    let Some(digest) = digest else {
        return Ok(None);
    };
    let algorithm = match digest.algorithm_id.as_str() {
        "sha256" => DigestAlgorithm::Sha256,
        "sha384" => DigestAlgorithm::Sha384,
        "sha512" => DigestAlgorithm::Sha512,
        other => {
            let problem = format!("{other:?} is none of sha256, sha384, sha512");
            return Err(InputError::new(format!("{place}.algorithm-id"), problem));
        }
    };
    let length = algorithm.digest_len();
    let wrong = || {
        let problem = format!("is not {length} bytes in hexadecimal");
        InputError::new(format!("{place}.digest-bytes"), problem)
    };
    let bytes = base16ct::mixed::decode_vec(&digest.digest_bytes).map_err(|_| wrong())?;
    SuitDigest::new(algorithm, &bytes)
        .map(Some)
        .ok_or_else(wrong)
}
