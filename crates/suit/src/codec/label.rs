//! Registered numbers. Each registry is its own table: equal numbers in two of them have nothing to
//! do with each other (SUIT-AMB-020).

pub(crate) mod envelope {
    pub(crate) const DELEGATION: i64 = 1;
    pub(crate) const AUTHENTICATION: i64 = 2;
    pub(crate) const MANIFEST: i64 = 3;
}

pub(crate) mod manifest {
    pub(crate) const VERSION: i64 = 1;
    pub(crate) const SEQUENCE_NUMBER: i64 = 2;
    pub(crate) const COMMON: i64 = 3;
    pub(crate) const REFERENCE_URI: i64 = 4;
    pub(crate) const COMPONENT_ID: i64 = 5;
    pub(crate) const SET_VERSION: i64 = 6;
    pub(crate) const VALIDATE: i64 = 7;
    pub(crate) const LOAD: i64 = 8;
    pub(crate) const INVOKE: i64 = 9;
    pub(crate) const COSWID: i64 = 14;
    pub(crate) const DEPENDENCY_RESOLUTION: i64 = 15;
    pub(crate) const PAYLOAD_FETCH: i64 = 16;
    pub(crate) const CANDIDATE_VERIFICATION: i64 = 18;
    pub(crate) const INSTALL: i64 = 20;
    pub(crate) const TEXT: i64 = 23;
    pub(crate) const UNINSTALL: i64 = 24;
}

pub(crate) mod common {
    pub(crate) const DEPENDENCIES: i64 = 1;
    pub(crate) const COMPONENTS: i64 = 2;
    pub(crate) const SHARED_SEQUENCE: i64 = 4;
    pub(crate) const DEPENDENCY_PREFIX: i64 = 1;
}

pub(crate) mod command {
    pub(crate) const VENDOR_IDENTIFIER: i64 = 1;
    pub(crate) const CLASS_IDENTIFIER: i64 = 2;
    pub(crate) const IMAGE_MATCH: i64 = 3;
    pub(crate) const USE_BEFORE: i64 = 4;
    pub(crate) const COMPONENT_SLOT: i64 = 5;
    pub(crate) const CHECK_CONTENT: i64 = 6;
    pub(crate) const DEPENDENCY_INTEGRITY: i64 = 7;
    pub(crate) const IS_DEPENDENCY: i64 = 8;
    pub(crate) const PROCESS_DEPENDENCY: i64 = 11;
    pub(crate) const SET_COMPONENT_INDEX: i64 = 12;
    pub(crate) const ABORT: i64 = 14;
    pub(crate) const TRY_EACH: i64 = 15;
    pub(crate) const WRITE: i64 = 18;
    pub(crate) const SET_PARAMETERS: i64 = 19;
    pub(crate) const OVERRIDE_PARAMETERS: i64 = 20;
    pub(crate) const FETCH: i64 = 21;
    pub(crate) const COPY: i64 = 22;
    pub(crate) const INVOKE: i64 = 23;
    pub(crate) const DEVICE_IDENTIFIER: i64 = 24;
    pub(crate) const IMAGE_NOT_MATCH: i64 = 25;
    pub(crate) const MINIMUM_BATTERY: i64 = 26;
    pub(crate) const UPDATE_AUTHORIZED: i64 = 27;
    pub(crate) const VERSION: i64 = 28;
    pub(crate) const WAIT: i64 = 29;
    pub(crate) const SWAP: i64 = 31;
    pub(crate) const RUN_SEQUENCE: i64 = 32;
    pub(crate) const UNLINK: i64 = 33;
    pub(crate) const OVERRIDE_MULTIPLE: i64 = 34;
    pub(crate) const COPY_PARAMS: i64 = 35;
}

pub(crate) mod parameter {
    pub(crate) const VENDOR_IDENTIFIER: i64 = 1;
    pub(crate) const CLASS_IDENTIFIER: i64 = 2;
    pub(crate) const IMAGE_DIGEST: i64 = 3;
    pub(crate) const USE_BEFORE: i64 = 4;
    pub(crate) const COMPONENT_SLOT: i64 = 5;
    pub(crate) const STRICT_ORDER: i64 = 12;
    pub(crate) const SOFT_FAILURE: i64 = 13;
    pub(crate) const IMAGE_SIZE: i64 = 14;
    pub(crate) const CONTENT: i64 = 18;
    pub(crate) const ENCRYPTION_INFO: i64 = 19;
    pub(crate) const URI: i64 = 21;
    pub(crate) const SOURCE_COMPONENT: i64 = 22;
    pub(crate) const INVOKE_ARGUMENTS: i64 = 23;
    pub(crate) const DEVICE_IDENTIFIER: i64 = 24;
    pub(crate) const FETCH_ARGUMENTS: i64 = 25;
    pub(crate) const MINIMUM_BATTERY: i64 = 26;
    pub(crate) const UPDATE_PRIORITY: i64 = 27;
    pub(crate) const VERSION: i64 = 28;
    pub(crate) const WAIT_INFO: i64 = 29;
    pub(crate) const COMPONENT_METADATA: i64 = 30;
}

pub(crate) mod wait_event {
    pub(crate) const AUTHORIZATION: i64 = 1;
    pub(crate) const POWER: i64 = 2;
    pub(crate) const NETWORK: i64 = 3;
    pub(crate) const OTHER_DEVICE_VERSION: i64 = 4;
    pub(crate) const TIME: i64 = 5;
    pub(crate) const TIME_OF_DAY: i64 = 6;
    pub(crate) const DAY_OF_WEEK: i64 = 7;
    pub(crate) const TIME_OF_DAY_UTC: i64 = 8;
    pub(crate) const DAY_OF_WEEK_UTC: i64 = 9;
}

pub(crate) mod metadata {
    pub(crate) const DEFAULT_PERMISSIONS: i64 = 1;
    pub(crate) const USER_PERMISSIONS: i64 = 2;
    pub(crate) const GROUP_PERMISSIONS: i64 = 3;
    pub(crate) const ROLE_PERMISSIONS: i64 = 4;
    pub(crate) const FILE_TYPE: i64 = 5;
    pub(crate) const MODIFICATION_TIME: i64 = 6;
    pub(crate) const CREATION_TIME: i64 = 7;
    pub(crate) const CREATOR: i64 = 8;
}
