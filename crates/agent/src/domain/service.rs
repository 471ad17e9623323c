//! What a security domain lets other ones call.

use alloc::{string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Problem, Reader, Writer};
use tamarack_suit::ComponentId;

use super::{SecurityDomain, read_list, read_short_text};

/// A service that a security domain exposes to other ones, which call it `DOMAIN/NAME`.
///
/// The name of a domain can hold slashes and that of a service can't: the last slash divides them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Name within the domain: 1 to 64 bytes without a slash.
    pub name: String,
    /// The Trusted Application that answers. It is under the domain's prefix; whether it also is the domain's
    /// own, and not that of a domain with a longer prefix, shows only when it is called.
    pub component: ComponentId,
    /// Names of the security domains that may call, 1 to 64. `None`: every domain of the device.
    pub callers: Option<Vec<String>>,
}

impl Service {
    /// Most callers that are named.
    pub const MAX_CALLERS: usize = 64;

    /// Whether applications of the security domain `caller` may call it. A domain may always call itself.
    #[must_use]
    pub fn admits(&self, caller: &str) -> bool {
        let callers = self.callers.as_deref();
        callers.is_none_or(|callers| callers.iter().any(|name| name == caller))
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rule = "security-domain / service";
        let start = reader.position();
        let (mut name, mut component, mut callers) = (None, None, None);
        for _ in 0..reader.map(rule)? {
            let unknown = reader.error(rule, Problem::Expected("label 1 to 3"));
            match reader.uint(rule)? {
                1 => {
                    let rule = "security-domain / service / name";
                    let slash = reader.error(rule, Problem::OutOfBounds("a name without a slash"));
                    let text = read_short_text(reader, rule)?;
                    if text.contains('/') {
                        return Err(slash);
                    }
                    name = Some(text);
                }
                2 => {
                    let rule = "security-domain / service / component";
                    component = Some(ComponentId::read(reader, rule)?);
                }
                3 => callers = Some(read_callers(reader)?),
                _ => return Err(unknown),
            }
        }
        let missing = |what| DecodeError::new(start, rule, Problem::Missing(what));
        Ok(Self {
            name: name.ok_or_else(|| missing("name (1)"))?,
            component: component.ok_or_else(|| missing("component (2)"))?,
            callers,
        })
    }

    pub(super) fn write(&self, w: &mut Writer) {
        w.map(2 + usize::from(self.callers.is_some()));
        w.uint(1).text(&self.name);
        w.uint(2);
        self.component.write(w);
        if let Some(callers) = &self.callers {
            w.uint(3).array(callers.len());
            for caller in callers {
                w.text(caller);
            }
        }
    }
}

pub(super) fn read_services(reader: &mut Reader<'_>) -> Result<Vec<Service>, DecodeError> {
    let rule = "security-domain / services";
    let most = SecurityDomain::MAX_SERVICES;
    let same = |one: &Service, other: &Service| one.name == other.name;
    read_list(reader, rule, most, "1 to 16 services", same, Service::read)
}

fn read_callers(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let rule = "security-domain / service / callers";
    let most = Service::MAX_CALLERS;
    read_list(reader, rule, most, "1 to 64 names", String::eq, |reader| {
        let wrong = reader.error(rule, Problem::Expected("the name of a security domain"));
        let name = reader.text(rule)?;
        match SecurityDomain::component_id(name) {
            Some(_) => Ok(name.into()),
            None => Err(wrong),
        }
    })
}
