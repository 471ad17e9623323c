use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    vec::Vec,
};

use serde::Deserialize;

use super::InputError;

/// A manifest as an author describes it in JSON; [the module](super) lists the fields.
#[derive(Debug, Clone)]
pub struct Input {
    pub(super) manifest: Manifest,
    /// The JSON as it was read.
    pub(super) source: String,
}

impl Input {
    /// Reads JSON.
    ///
    /// # Errors
    ///
    /// [`InputError::Place`] if the text is no JSON, lacks a field, or has one that is not known.
    pub fn parse(source: &str) -> Result<Self, InputError> {
        let mut json = serde_json::Deserializer::from_str(source);
        let manifest = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let place = match error.path().to_string().as_str() {
                "." | "?" => "the manifest".to_string(),
                path => path.to_string(),
            };
            InputError::new(place, error.inner().to_string())
        })?;
        json.end()
            .map_err(|error| InputError::new("after the manifest", error.to_string()))?;
        Ok(Self {
            manifest,
            source: source.into(),
        })
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Manifest {
    pub(super) manifest_version: u64,
    pub(super) manifest_sequence_number: u64,
    pub(super) components: Vec<Component>,
    pub(super) manifest_component_id: Option<Vec<String>>,
    pub(super) set_version: Option<Vec<i64>>,
    pub(super) reference_uri: Option<String>,
    #[serde(default)]
    pub(super) description: BTreeMap<String, ManifestText>,
    #[serde(default)]
    pub(super) severable: bool,
    #[serde(default)]
    pub(super) include_json: bool,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Component {
    pub(super) install_id: Vec<String>,
    pub(super) install_digest: Option<Digest>,
    pub(super) install_size: Option<u64>,
    pub(super) file: Option<String>,
    pub(super) uri: Option<String>,
    pub(super) vendor_id: Option<String>,
    pub(super) class_id: Option<String>,
    pub(super) slot: Option<u64>,
    #[serde(default = "yes")]
    pub(super) install_on_download: bool,
    pub(super) download_id: Option<Vec<String>>,
    pub(super) download_digest: Option<Digest>,
    pub(super) download_size: Option<u64>,
    #[serde(default)]
    pub(super) loadable: bool,
    pub(super) load_id: Option<Vec<String>>,
    pub(super) load_digest: Option<Digest>,
    pub(super) load_size: Option<u64>,
    #[serde(default)]
    pub(super) bootable: bool,
    #[serde(default)]
    pub(super) description: BTreeMap<String, ComponentText>,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Digest {
    pub(super) algorithm_id: String,
    pub(super) digest_bytes: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ManifestText {
    pub(super) manifest_description: Option<String>,
    pub(super) update_description: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ComponentText {
    pub(super) vendor_name: Option<String>,
    pub(super) model_name: Option<String>,
    pub(super) vendor_domain: Option<String>,
    pub(super) model_info: Option<String>,
    pub(super) component_description: Option<String>,
    pub(super) component_version: Option<String>,
    pub(super) version_required: Option<String>,
    pub(super) current_version: Option<String>,
}

/// The path of a field of the component at a position.
pub(super) fn place(position: usize, field: &str) -> String {
    format!("components[{position}].{field}")
}
