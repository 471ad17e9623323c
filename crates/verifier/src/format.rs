use tamarack_rats::{EAR_PROFILE, EAT_CWT, EAT_JWT, TEEP_EAT_PROFILE};
use tamarack_teep::MediaType;

/// A format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultFormat {
    /// An Attestation Result in the EAT profile of TEEP.
    Teep,
    /// An EAR in JWT form.
    EarJwt,
    /// An EAR in CWT form.
    EarCwt,
}

impl ResultFormat {
    /// All of them, in order of preference.
    pub const ALL: [Self; 3] = [Self::Teep, Self::EarJwt, Self::EarCwt];

    /// Its media type.
    #[must_use]
    pub fn media_type(self) -> String {
        let (essence, profile) = match self {
            Self::Teep => (EAT_CWT, TEEP_EAT_PROFILE),
            Self::EarJwt => (EAT_JWT, EAR_PROFILE),
            Self::EarCwt => (EAT_CWT, EAR_PROFILE),
        };
        format!("{essence}; eat_profile=\"{profile}\"")
    }

    /// The format that this media type asks for. An EAT without a profile is the one of TEEP in CWT form, and
    /// an EAR in JWT form.
    #[must_use]
    pub fn of(media_type: &MediaType) -> Option<Self> {
        let profile = media_type.parameter("eat_profile");
        match (media_type.essence(), profile) {
            (EAT_CWT, None | Some(TEEP_EAT_PROFILE)) => Some(Self::Teep),
            (EAT_CWT, Some(EAR_PROFILE)) => Some(Self::EarCwt),
            (EAT_JWT, None | Some(EAR_PROFILE)) => Some(Self::EarJwt),
            _ => None,
        }
    }
}
