/// What one session of a TA may use. All limits are inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of a module's file. Default: 4 MiB.
    pub module_bytes: usize,
    /// Bytes of linear memory, rounded down to WebAssembly's pages of 64 KiB. Default: 16 MiB.
    pub memory_bytes: usize,
    /// Elements of each table (function pointers, mostly); a module has four tables at most. Default: 10,000.
    pub table_elements: usize,
    /// Bytes of input to a call. Default: 1 MiB.
    pub input_bytes: usize,
    /// Bytes of output of a command. Default: 1 MiB.
    pub output_bytes: usize,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            module_bytes: 4 << 20,
            memory_bytes: 16 << 20,
            table_elements: 10_000,
            input_bytes: 1 << 20,
            output_bytes: 1 << 20,
        }
    }
}

impl Quota {
    /// What a session may use whose security domain allows so many bytes of memory.
    #[must_use]
    pub fn with_memory(bytes: u64) -> Self {
        Self {
            memory_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
            ..Self::default()
        }
    }
}
