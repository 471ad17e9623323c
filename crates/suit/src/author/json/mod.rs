//! Manifests from the JSON that the SUIT examples are published with.
//!
//! An author says in JSON which components there are, where their images come from and what is to be done
//! with them; [`Input::draft`] makes the manifest of it. The fields are those of the examples in
//! draft-ietf-suit-manifest: of a manifest
//!
//! | Field | Meaning |
//! |---|---|
//! | `manifest-version` | 1 |
//! | `manifest-sequence-number` | the number of the release |
//! | `components` | the components, each as below |
//! | `manifest-component-id` | where the manifest itself is kept, as the segments of an identifier |
//! | `set-version` | the version of what is installed, a list of integers |
//! | `reference-uri` | where the manifest can be had |
//! | `description` | by language tag: `manifest-description`, `update-description` |
//! | `severable` | whether what may be severed is severed, where that makes the manifest smaller |
//! | `include-json` | whether the text element holds this JSON |
//!
//! and of a component
//!
//! | Field | Meaning |
//! |---|---|
//! | `install-id` | its identifier: a list of segments in hexadecimal |
//! | `install-digest`, `install-size` | the image: `{"algorithm-id", "digest-bytes"}`, and its length in bytes |
//! | `file` | a file with the image: digest and size need not be given then |
//! | `uri` | where the image is fetched from; a URI that starts with `#` carries `file` in the envelope, one file each |
//! | `vendor-id`, `class-id` | the devices that take the image, as UUIDs |
//! | `slot` | the slot that the image is for; components with one identifier are told apart by it |
//! | `install-on-download` | `false`: the image is fetched to `download-id` first, and then copied |
//! | `download-id`, `download-digest`, `download-size` | where to, and what is fetched |
//! | `loadable`, `load-id`, `load-digest`, `load-size` | the image is copied there before it is invoked |
//! | `bootable` | the image is invoked; if several are bootable, none is |
//! | `description` | by language tag: `vendor-name`, `model-name`, `vendor-domain`, `model-info`, `component-description`, `component-version`, `version-required`, `current-version` |
//!
//! ```
//! use tamarack_cose::rustcrypto;
//! use tamarack_suit::author::json::Input;
//!
//! let input = Input::parse(r#"{
//!     "manifest-version": 1,
//!     "manifest-sequence-number": 7,
//!     "components": [{
//!         "install-id": ["00"],
//!         "file": "firmware.bin",
//!         "uri": "https://example.com/firmware.bin",
//!         "vendor-id": "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe"
//!     }]
//! }"#)?;
//! let crypto = rustcrypto::provider();
//! let draft = input.draft(&crypto, &mut |name| Ok(match name {
//!     "firmware.bin" => b"\x7fELF".to_vec(),
//!     other => return Err(format!("no file {other}")),
//! }))?;
//! assert_eq!(draft.manifest().sequence_number.0, 7);
//!
//! let wrong = Input::parse(r#"{ "components": [{ "install-idd": ["00"] }] }"#).unwrap_err();
//! assert!(wrong.to_string().starts_with("components[0].install-idd: unknown field"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod image;
mod input;
mod sections;
mod text;

pub use input::Input;

use alloc::string::String;

use crate::author::BuildError;

/// Why JSON gave no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// The JSON is not what is expected.
    #[error("{place}: {problem}")]
    Place {
        /// The path of the element, such as `components[0].install-digest`.
        place: String,
        /// What is wrong there, with line and column where the JSON itself is not as it should be.
        problem: String,
    },
    /// What the JSON asks for is no manifest.
    #[error("{0}")]
    Build(#[from] BuildError),
}

impl InputError {
    fn new(place: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Place {
            place: place.into(),
            problem: problem.into(),
        }
    }
}
