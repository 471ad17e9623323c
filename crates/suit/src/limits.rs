/// Bounds on what a manifest may make its recipient do and hold.
///
/// Everything that input could make large is bounded here; the defaults suit a TEE on a device with
/// some megabytes to spare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest envelope, in bytes, with integrated payloads and dependencies. Default 16 MiB.
    pub envelope_bytes: usize,
    /// Most members of an envelope: payloads, severed elements, and those that are not known. Default 64.
    pub envelope_members: usize,
    /// Most authentication blocks in an envelope; each costs verifications. Default 4.
    pub authentication_blocks: usize,
    /// Most components of one manifest. Default 32.
    pub components: usize,
    /// Most dependencies of one manifest. Default 8.
    pub dependencies: usize,
    /// Deepest nesting of Try Each and Run Sequence; 1 is a sequence within a section. Default 4, and
    /// never more than 16, whatever is set.
    pub nesting: usize,
    /// Most commands of one manifest, nested ones included. Default 1024.
    pub manifest_commands: usize,
    /// Most parameters that the commands of one manifest set or copy, counted for each component. Default 8192.
    pub manifest_parameters: usize,
    /// Most entries of any other list or map: parameters, indices, wait events, texts. Default 256.
    pub entries: usize,
    /// Most commands executed in one procedure, over all manifests and components. Default 4096.
    pub executed_commands: usize,
    /// Most times that a recipient of encrypted content is tried with a key in one procedure: each can take as long as the
    /// verification of a signature. Default 1024.
    pub key_trials: u64,
    /// Longest chain of manifests below the root that are processed. Default 2.
    pub dependency_depth: usize,
    /// Most bytes of envelopes of dependencies in one procedure, all of which are held until it ends, once as they are and
    /// once as they are kept. Default 32 MiB.
    pub dependency_bytes: u64,
    /// Longest payload, in bytes, wherever it comes from. Default 256 MiB.
    pub payload_bytes: u64,
    /// Most bytes of content that are read in one procedure, to be hashed, compared or copied. Hashing that
    /// much is the longest that a procedure takes beside its commands and its transfers. Default 2 GiB.
    pub read_bytes: u64,
    /// Most bytes of parameters that are set in one procedure. Default 256 MiB.
    pub parameter_bytes: u64,
    /// Most records and claims of one report: what a procedure has more of is left out, and a report with more is refused, by
    /// whoever has not raised the limit as well. Default 64.
    pub records: usize,
    /// How many bytes are read at a time when a component is hashed or copied, 64 at least. Default 4096.
    pub chunk_bytes: usize,
}

impl Limits {
    /// CBOR nesting within one byte string: an envelope or manifest needs four levels, COSE six.
    pub(crate) const CBOR_DEPTH: usize = 8;
    /// CBOR nesting in a software tag, which nests what it lists as its files do (RFC 9393 section 2.9).
    const TAG_DEPTH: usize = 32;
    const MAX_NESTING: usize = 16;

    pub(crate) fn nesting(&self) -> usize {
        self.nesting.min(Self::MAX_NESTING)
    }

    /// Those of a software tag.
    pub(crate) fn software_tag(&self) -> tamarack_cose::cbor::Limits {
        tamarack_cose::cbor::Limits {
            depth: Self::TAG_DEPTH,
            ..self.cbor()
        }
    }

    pub(crate) fn cbor(&self) -> tamarack_cose::cbor::Limits {
        tamarack_cose::cbor::Limits {
            bytes: self.envelope_bytes,
            depth: Self::CBOR_DEPTH,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        DEFAULT
    }
}

/// In memory, from where it is copied: that takes less of a device than to make it in each place.
static DEFAULT: Limits = Limits {
    envelope_bytes: 16 << 20,
    envelope_members: 64,
    authentication_blocks: 4,
    components: 32,
    dependencies: 8,
    nesting: 4,
    manifest_commands: 1024,
    manifest_parameters: 8192,
    entries: 256,
    executed_commands: 4096,
    key_trials: 1024,
    dependency_depth: 2,
    dependency_bytes: 32 << 20,
    payload_bytes: 256 << 20,
    read_bytes: 2 << 30,
    parameter_bytes: 256 << 20,
    records: 64,
    chunk_bytes: 4096,
};
