//! Who else may use the admin API, and for what.

use std::{fmt, str::FromStr};

use crate::Timestamp;

/// What somebody with a token may do. Who has the TAM's own token may do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Decides what is where: devices, security domains, components, deployments. Everything but tokens.
    Operator,
    /// Says which devices there are and what they are, and revokes keys.
    DeviceAdministrator,
    /// A Trusted Component Signer: publishes and withdraws in its security domains, and divides them into
    /// sub-domains. It sees nothing else.
    Signer,
    /// Reads everything and changes nothing.
    Auditor,
}

/// A word that names no [`Role`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role: operator, device-administrator, signer or auditor")]
pub struct RoleError(String);

impl Role {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Operator, "operator"),
        (Self::DeviceAdministrator, "device-administrator"),
        (Self::Signer, "signer"),
        (Self::Auditor, "auditor"),
    ];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::ALL.iter().find(|(role, _)| role == self);
        f.write_str(named.map_or("", |(_, name)| name))
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.iter().find(|(_, name)| *name == text);
        named
            .map(|(role, _)| *role)
            .ok_or_else(|| RoleError(text.to_owned()))
    }
}

/// A token of the admin API, without the token: the TAM keeps its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name, unique; the audit names it with what it did to security domains and components.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The security domains of a [`Role::Signer`]; empty for other roles.
    pub domains: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// On whose behalf the catalog is changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actor {
    token: Option<Token>,
}

impl Actor {
    /// Whoever may do everything.
    #[must_use]
    pub const fn administrator() -> Self {
        Self { token: None }
    }

    /// Whether the actor may publish in the security domain `name`.
    #[must_use]
    pub fn may_publish_in(&self, name: &str) -> bool {
        self.domains()
            .is_none_or(|domains| domains.iter().any(|own| own == name))
    }

    /// The security domains to which the actor is limited, if it is.
    #[must_use]
    pub fn domains(&self) -> Option<&[String]> {
        let token = self.token.as_ref()?;
        (token.role == Role::Signer).then_some(token.domains.as_slice())
    }

    /// What the audit says of the actor; nothing of the administrator.
    pub(crate) fn by(&self) -> Option<String> {
        let token = self.token.as_ref()?;
        Some(format!("by token {}", token.name))
    }

    /// What the audit says of the actor after what was done.
    pub(crate) fn signature(&self) -> String {
        self.by().map_or_else(String::new, |by| format!(", {by}"))
    }
}

impl From<Token> for Actor {
    fn from(token: Token) -> Self {
        Self { token: Some(token) }
    }
}
