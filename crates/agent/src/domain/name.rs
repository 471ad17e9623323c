//! What a security domain is called, and where its descriptor is.

use alloc::{format, string::String, vec::Vec};

use tamarack_suit::ComponentId;

use super::SecurityDomain;

/// First segment of the component identifiers of security domains; the path of names follows.
pub const DOMAIN_SEGMENT: &[u8] = b"security-domain";

/// Last segment of the identifier of a manifest: no domain is called so, or its descriptor and the manifest of
/// the domain above would have one identifier.
pub(crate) const MANIFEST_SEGMENT: &[u8] = b"suit";

impl SecurityDomain {
    /// Longest name in bytes, of each domain on the path.
    pub const MAX_NAME: usize = 64;
    /// Most names on the path: a domain, and three below one another in it.
    pub const MAX_DEPTH: usize = 4;
    /// Longest path in bytes: its length fits into a byte where Trusted Applications are told who calls.
    pub const MAX_PATH: usize = 255;

    /// The component identifier of the domain `name`, which is the path of names from the outermost domain to
    /// this one, with slashes: `acme`, or `acme/locks`.
    ///
    /// `None` if no domain can be called so.
    ///
    /// ```
    /// use tamarack_agent::SecurityDomain;
    ///
    /// let id = SecurityDomain::component_id("acme/locks").unwrap();
    /// assert_eq!(id, "security-domain/acme/locks".parse()?);
    /// assert_eq!(SecurityDomain::component_id("acme//locks"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn component_id(name: &str) -> Option<ComponentId> {
        let names: Vec<&[u8]> = name.split('/').map(str::as_bytes).collect();
        let proper = name.len() <= Self::MAX_PATH
            && names.len() <= Self::MAX_DEPTH
            && names.iter().all(|name| is_name(name));
        if !proper {
            return None;
        }
        ComponentId::new([DOMAIN_SEGMENT].into_iter().chain(names)).ok()
    }

    /// The name of the domain that `component` is, if it is one.
    ///
    /// # Errors
    ///
    /// If it is under the reserved segment and no domain.
    pub fn name_of(component: &ComponentId) -> Result<Option<String>, String> {
        let mut segments = component.segments();
        if segments.next() != Some(DOMAIN_SEGMENT) {
            return Ok(None);
        }
        let names: Vec<&str> = segments
            .map(|name| {
                let name = Some(name).filter(|name| is_name(name))?;
                core::str::from_utf8(name).ok()
            })
            .collect::<Option<_>>()
            .unwrap_or_default();
        let path = names.join("/");
        if names.is_empty() || names.len() > Self::MAX_DEPTH || path.len() > Self::MAX_PATH {
            return Err(format!(
                "{component} is under security-domain/ and is no security domain"
            ));
        }
        Ok(Some(path))
    }

    /// The name of the domain in which the domain `name` is a sub-domain; `None` for one that is in no other.
    #[must_use]
    pub fn parent_of(name: &str) -> Option<&str> {
        name.rsplit_once('/').map(|(parent, _)| parent)
    }

    /// The name of the outermost domain that the domain `name` is in, which is itself if it is in no other.
    #[must_use]
    pub fn root_of(name: &str) -> &str {
        name.split('/').next().unwrap_or(name)
    }
}

/// Whether a domain can be called so within the one that it is in. A slash would let one name stand for two
/// domains. Names are shown to people as they are, in errors, logs and lists: what moves the cursor or turns the
/// direction of writing could make one look like another, or like something else altogether.
fn is_name(name: &[u8]) -> bool {
    let shows =
        |c: char| c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric());
    (1..=SecurityDomain::MAX_NAME).contains(&name.len())
        && core::str::from_utf8(name).is_ok_and(|name| name.chars().all(shows))
        && !name.contains(&b'/')
        && name != MANIFEST_SEGMENT
}

/// The name of the domain whose descriptor `component` is, or whose descriptor the manifest with that
/// identifier brings. There need not be such a domain.
pub(crate) fn described(component: &ComponentId) -> Option<String> {
    let mut names: Vec<&[u8]> = component.segments().collect();
    if names.last() == Some(&MANIFEST_SEGMENT) {
        names.pop();
    }
    SecurityDomain::name_of(&ComponentId::new(names).ok()?).ok()?
}

/// The name of the domain in which the descriptor `component`, or the manifest with that identifier, makes a
/// sub-domain. `None` if it is not under the reserved segment, or concerns a domain that is in no other.
pub(crate) fn enclosing(component: &ComponentId) -> Option<String> {
    SecurityDomain::parent_of(&described(component)?).map(String::from)
}
