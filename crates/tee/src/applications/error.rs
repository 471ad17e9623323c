use tamarack_agent::platform::StorageError;
use tamarack_suit::ComponentId;
use tamarack_ta::ResultCode;

/// Why a call to a Trusted Application did not come to a result of the application's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvocationError {
    /// No Trusted Application is installed under that identifier.
    #[error("no trusted application is installed as {0}")]
    NotInstalled(ComponentId),
    /// The component is data, or a security domain.
    #[error("{0} is not a trusted application")]
    NotAnApplication(ComponentId),
    /// No such session is open, or it ended.
    #[error("no such session; it may have ended because it was idle or its application changed")]
    NoSession,
    /// Too many sessions are open, in the TEE or in the security domain of the application.
    #[error("too many sessions are open, of this security domain ({quota} are allowed) or of all")]
    TooManySessions {
        /// Sessions that the security domain may have.
        quota: u64,
    },
    /// The application refused to open a session, or died doing so.
    #[error("the application refused the session: {}", .0.description())]
    Refused(ResultCode),
    /// The application could not bring what it stored up to date.
    #[error("the application could not migrate what its older version stored: {}", .0.description())]
    Migration(ResultCode),
    /// The application was updated or removed while the command ran; nothing of the command was kept.
    #[error("the application was updated or removed while the command ran; open a new session")]
    Replaced,
    /// The application can't run here any more.
    #[error("the application can't run: {0}")]
    Module(String),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl InvocationError {
    /// The GlobalPlatform result code that the caller sees.
    #[must_use]
    pub fn result_code(&self) -> ResultCode {
        match self {
            Self::NotInstalled(_) => ResultCode::ITEM_NOT_FOUND,
            Self::NotAnApplication(_) => ResultCode::BAD_PARAMETERS,
            Self::NoSession => ResultCode::BAD_STATE,
            Self::TooManySessions { .. } | Self::Replaced => ResultCode::BUSY,
            Self::Refused(code) | Self::Migration(code) => *code,
            Self::Module(_) => ResultCode::NOT_SUPPORTED,
            Self::Storage(StorageError::Full) => ResultCode::STORAGE_NO_SPACE,
            Self::Storage(_) => ResultCode::STORAGE_NOT_AVAILABLE,
        }
    }
}
