use alloc::vec::Vec;

use tamarack_suit::ComponentId;

use super::{ComponentRecord, DomainRecord, KnownManifest, Record, owner_name};
use crate::{
    link::ComponentKind,
    platform::{Namespace, StorageError, View},
};

/// What a security domain uses itself, without its sub-domains: what is held against
/// [`DomainRecord::own_quota`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DomainUsage {
    /// Bytes of components, Personalization Data, kept manifests and objects.
    pub bytes: u64,
    /// Trusted Applications.
    pub applications: u64,
    /// Objects and keys of applications, shared ones included.
    pub objects: u64,
}

impl DomainUsage {
    /// What the domain `name` uses; the device administrator is the one without a name.
    ///
    /// This takes a look at all records of the agent: not for each piece of something long.
    ///
    /// # Errors
    ///
    /// If the storage fails.
    pub fn of(view: &dyn View, name: &str) -> Result<Self, StorageError> {
        Self::among(&DomainRecord::all(view)?, view, name)
    }

    /// As [`of`](Self::of), where these are all domains: to read them takes long.
    pub(crate) fn among(
        domains: &[DomainRecord],
        view: &dyn View,
        name: &str,
    ) -> Result<Self, StorageError> {
        Self::counted(domains, &Installed::all(view)?, view, name)
    }

    /// As [`among`](Self::among), where this is all that is installed.
    pub(crate) fn counted(
        domains: &[DomainRecord],
        installed: &Installed,
        view: &dyn View,
        name: &str,
    ) -> Result<Self, StorageError> {
        let mut usage = Self {
            bytes: view.usage(&Namespace::domain(name))?,
            ..Self::default()
        };
        usage.add_objects(view, &Namespace::shared(name))?;
        for record in &installed.components {
            if record.domain == name && record.kind == ComponentKind::Application {
                usage.add_objects(view, &Namespace::application(name, &record.component))?;
                usage.applications += 1;
            }
        }
        for known in &installed.manifests {
            if owner_name(domains, &known.record.id) == name {
                let envelope = known.envelope.as_ref();
                let kept = envelope.map_or(0, |envelope| envelope.len() as u64);
                usage.bytes = usage.bytes.saturating_add(kept);
            }
        }
        Ok(usage)
    }

    fn add_objects(&mut self, view: &dyn View, space: &Namespace) -> Result<(), StorageError> {
        self.bytes = self.bytes.saturating_add(view.usage(space)?);
        self.objects += view.count(space)?;
        Ok(())
    }
}

/// Everything that is installed, read once for all that is asked about it.
#[derive(Debug)]
pub(crate) struct Installed {
    pub(crate) components: Vec<ComponentRecord>,
    /// Those that were unlinked too.
    manifests: Vec<KnownManifest>,
}

impl Installed {
    pub(crate) fn all(view: &dyn View) -> Result<Self, StorageError> {
        Ok(Self {
            components: ComponentRecord::all(view)?,
            manifests: KnownManifest::all(view)?,
        })
    }

    /// The identifiers of manifests that are kept.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &ComponentId> {
        let kept = self.manifests.iter();
        kept.filter(|known| known.envelope.is_some())
            .map(|known| &known.record.id)
    }
}
