use alloc::{collections::BinaryHeap, vec::Vec};

/// Writes deterministic CBOR (RFC 8949 section 4.2: shortest heads, definite lengths).
///
/// Map keys come out in the order in which they are written; callers write them sorted.
///
/// ```
/// use tamarack_cose::cbor::Writer;
///
/// let mut writer = Writer::new();
/// writer.array(2).uint(5).map(1).uint(20).bytes(&[1; 8]);
/// assert_eq!(writer.into_bytes(), b"\x82\x05\xa1\x14\x48\x01\x01\x01\x01\x01\x01\x01\x01");
/// ```
#[derive(Debug, Default, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty writer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty writer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        let bytes = Vec::with_capacity(capacity);
        Self { bytes }
    }

    /// A writer that goes on after `bytes`, which are encoded items already.
    #[must_use]
    pub fn after(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// What was written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes written so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// A head: major type in the top three bits, then the argument in its shortest form.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "each arm bounds what it casts"
    )]
    pub(super) fn head(&mut self, major: u8, argument: u64) -> &mut Self {
        let major = major << 5;
        match argument {
            0..=23 => self.bytes.push(major | argument as u8),
            24..=0xff => self.bytes.extend_from_slice(&[major | 24, argument as u8]),
            0x100..=0xffff => {
                self.bytes.push(major | 25);
                self.bytes
                    .extend_from_slice(&(argument as u16).to_be_bytes());
            }
            0x1_0000..=0xffff_ffff => {
                self.bytes.push(major | 26);
                self.bytes
                    .extend_from_slice(&(argument as u32).to_be_bytes());
            }
            _ => {
                self.bytes.push(major | 27);
                self.bytes.extend_from_slice(&argument.to_be_bytes());
            }
        }
        self
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(0, value)
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        if value < 0 {
            self.head(1, !value.cast_unsigned())
        } else {
            self.head(0, value.cast_unsigned())
        }
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.head(2, value.len() as u64);
        self.bytes.extend_from_slice(value);
        self
    }

    /// A text string.
    pub fn text(&mut self, value: &str) -> &mut Self {
        self.head(3, value.len() as u64);
        self.bytes.extend_from_slice(value.as_bytes());
        self
    }

    /// The head of an array; `items` items follow.
    pub fn array(&mut self, items: usize) -> &mut Self {
        self.head(4, items as u64)
    }

    /// The head of a map; `entries` pairs follow.
    pub fn map(&mut self, entries: usize) -> &mut Self {
        self.head(5, entries as u64)
    }

    /// A map of these entries, each the encodings of its key and its value one after the other, by rising
    /// key (bytewise, RFC 8949 section 4.2.1).
    pub fn sorted_map(&mut self, entries: Vec<Vec<u8>>) -> &mut Self {
        self.map(entries.len());
        // No key's encoding starts another's, so that entries are ordered as their keys are.
        for entry in sorted(entries) {
            self.raw(&entry);
        }
        self
    }

    /// A tag; the tagged item follows.
    pub fn tag(&mut self, number: u64) -> &mut Self {
        self.head(6, number)
    }

    /// `true` or `false`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.bytes.push(if value { 0xf5 } else { 0xf4 });
        self
    }

    /// `null`.
    pub fn null(&mut self) -> &mut Self {
        self.bytes.push(0xf6);
        self
    }

    /// Bytes that are an encoded item (or several) already.
    pub fn raw(&mut self, encoded: &[u8]) -> &mut Self {
        self.bytes.extend_from_slice(encoded);
        self
    }
}

impl Writer {
    /// Runs `write` on a fresh writer and returns what it wrote.
    #[must_use]
    pub fn build(write: impl FnOnce(&mut Self)) -> Vec<u8> {
        let mut writer = Self::new();
        write(&mut writer);
        writer.into_bytes()
    }
}

/// These strings by rising order. A heap takes a fraction of the code of a sort.
pub(super) fn sorted(strings: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    BinaryHeap::from(strings).into_sorted_vec()
}
