//! The description of a security domain, from options.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::Args;
use tamarack_agent::{Quota, SecurityDomain, Service};
use tamarack_cose::CryptoProvider;
use tamarack_suit::ComponentId;

use super::typed;
use crate::{failure::Failure, key_file::read_public};

/// A name, and what is said of it.
#[derive(Debug, Clone)]
struct Named {
    name: String,
    value: String,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text
            .split_once('=')
            .ok_or("the name of a service and = are missing, as in read=acme/meter")?;
        Ok(Self {
            name: name.into(),
            value: value.into(),
        })
    }
}

/// What says what else a manifest is about. An option that `requires` one of `domain` needs it too: clap requires nothing
/// that is in conflict with what is there.
const OTHERS: [&str; 2] = ["component", "from"];

/// What a security domain is.
#[derive(Debug, Args)]
pub(super) struct SecurityDomainOptions {
    /// The name of the security domain to create; `PARENT/NAME` for one that is in another.
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    domain: Option<String>,
    /// The prefix of the component identifiers that the domain owns.
    #[arg(
        long,
        value_name = "ID",
        value_parser = typed::identifier,
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    prefix: Option<ComponentId>,
    /// A public key whose holder may sign for the domain. May be given several times.
    #[arg(
        long,
        value_name = "FILE",
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    owner: Vec<PathBuf>,
    /// Bytes that the domain's components, their data and their manifests may take.
    #[arg(
        long,
        value_name = "BYTES",
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    quota_bytes: Option<u64>,
    /// Trusted applications that the domain may hold.
    #[arg(
        long,
        value_name = "COUNT",
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    quota_applications: Option<u64>,
    /// Objects and keys that its applications may hold together.
    #[arg(
        long,
        value_name = "COUNT",
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    quota_objects: Option<u64>,
    /// Sessions with its applications that may be open at a time.
    #[arg(
        long,
        value_name = "COUNT",
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    quota_sessions: Option<u64>,
    /// Bytes of memory that a session may use.
    #[arg(
        long,
        value_name = "BYTES",
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    quota_memory: Option<u64>,
    /// Fuel that a command may use, about one unit for each instruction.
    #[arg(
        long,
        value_name = "FUEL",
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    quota_fuel: Option<u64>,
    /// Milliseconds that a command may take.
    #[arg(
        long,
        value_name = "MILLISECONDS",
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    quota_time: Option<u64>,
    /// Let other domains call an application of this one, as DOMAIN/NAME. May be given several times.
    #[arg(
        long,
        value_name = "NAME=ID",
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    service: Vec<Named>,
    /// Let this domain call the service, and no other that is not named so. May be given several times.
    #[arg(
        long,
        value_name = "NAME=DOMAIN",
        requires = "service",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    caller: Vec<Named>,
    /// An object that all applications of the domain share. May be given several times.
    #[arg(
        long,
        value_name = "NAME",
        requires = "domain",
        conflicts_with_all = OTHERS,
        help_heading = "Security domain"
    )]
    shared_object: Vec<String>,
}

impl SecurityDomainOptions {
    /// The files that are read.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        self.owner.iter().map(PathBuf::as_path)
    }

    /// The component that describes the security domain, and its content, if one is to be made.
    pub(super) fn component(
        &self,
        crypto: &CryptoProvider,
    ) -> Result<Option<(ComponentId, Vec<u8>)>, Failure> {
        let Some(name) = &self.domain else {
            return Ok(None);
        };
        let component = SecurityDomain::component_id(name).ok_or_else(|| {
            Failure::usage(format!(
                "--domain {name:?}: a name has 1 to 64 bytes and is not suit; up to 4 with / between them make a path"
            ))
        })?;
        let prefix = self.prefix.clone().ok_or_else(|| {
            Failure::usage("--prefix is needed: which component identifiers does the domain own?")
        })?;
        if self.owner.is_empty() {
            return Err(Failure::usage(
                "--owner is needed: whose signatures count in the domain?",
            ));
        }
        let owners = self.owner.iter().map(|path| read_public(path, crypto));
        let domain = SecurityDomain {
            services: self.services()?,
            shared_objects: self.shared_object.clone(),
            ..SecurityDomain::new(prefix, owners.collect::<Result<_, _>>()?, self.quota())
        };
        let descriptor = domain.encode();
        // The device would refuse it; better to hear so here.
        SecurityDomain::decode(&descriptor).map_err(|error| Failure::new(error.to_string()))?;
        Ok(Some((component, descriptor)))
    }

    fn quota(&self) -> Quota {
        let default = Quota::default();
        Quota {
            bytes: self.quota_bytes.unwrap_or(default.bytes),
            applications: self.quota_applications.unwrap_or(default.applications),
            memory: self.quota_memory.unwrap_or(default.memory),
            fuel: self.quota_fuel.unwrap_or(default.fuel),
            objects: self.quota_objects.unwrap_or(default.objects),
            sessions: self.quota_sessions.unwrap_or(default.sessions),
            time_ms: self.quota_time.unwrap_or(default.time_ms),
        }
    }

    fn services(&self) -> Result<Vec<Service>, Failure> {
        if let Some(caller) = (self.caller.iter()).find(|caller| {
            self.service
                .iter()
                .all(|service| service.name != caller.name)
        }) {
            let name = &caller.name;
            return Err(Failure::usage(format!(
                "--caller {name}={}: there is no --service {name}=…",
                caller.value
            )));
        }
        let service = |service: &Named| {
            let callers = self.caller.iter();
            let callers: Vec<_> = callers
                .filter(|caller| caller.name == service.name)
                .map(|caller| caller.value.clone())
                .collect();
            let component = typed::identifier(&service.value).map_err(|error| {
                let (name, value) = (&service.name, &service.value);
                Failure::usage(format!("--service {name}={value}: {error}"))
            })?;
            Ok(Service {
                name: service.name.clone(),
                component,
                callers: (!callers.is_empty()).then_some(callers),
            })
        };
        self.service.iter().map(service).collect()
    }
}
