use tamarack_cose::cbor::{DecodeError, Reader, Writer};

/// What can be done to a message without a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mangle {
    /// Flips one bit, counted from the start and around.
    Flip(u32),
    /// Cuts it off after so many bytes.
    Cut(u32),
    /// Puts a byte behind it.
    Longer(u8),
    /// Takes the COSE tag away, or puts one there.
    Tag,
    /// Replaces the unprotected header: the signature holds all the same.
    Unprotected,
    /// Puts the signature of another message under it.
    Signature,
    /// Puts the protected header of another message on it.
    Protected,
    /// Makes a COSE_Sign with one signature of a COSE_Sign1, or the other way round.
    Structure,
}

impl Mangle {
    /// The message as changed; `other` is another one for what needs one.
    #[must_use]
    pub fn apply(self, message: &[u8], other: &[u8]) -> Vec<u8> {
        let mut changed = message.to_vec();
        match self {
            Self::Flip(bit) => {
                let count = changed.len().max(1);
                if let Some(byte) = changed.get_mut(bit as usize / 8 % count) {
                    *byte ^= 1 << (bit % 8);
                }
            }
            Self::Cut(at) => changed.truncate(at as usize % changed.len().max(1)),
            Self::Longer(byte) => changed.push(byte),
            Self::Tag => match message.first() {
                Some(0xd2) => drop(changed.remove(0)),
                _ => changed.insert(0, 0xd2),
            },
            Self::Unprotected | Self::Signature | Self::Protected | Self::Structure => {
                let (Ok(parts), Ok(others)) = (Parts::of(message), Parts::of(other)) else {
                    return changed;
                };
                changed = self.rebuild(&parts, &others);
            }
        }
        changed
    }

    fn rebuild(self, parts: &Parts<'_>, others: &Parts<'_>) -> Vec<u8> {
        let swap = |at, yours, others| if self == at { others } else { yours };
        let protected = swap(Self::Protected, parts.protected, others.protected);
        let signature = swap(Self::Signature, parts.signature, others.signature);
        let unprotected: &[u8] = swap(
            Self::Unprotected,
            parts.unprotected,
            // A text under a number that nothing has.
            b"\xa1\x19\x12\x67\xf6",
        );
        Writer::build(|w| {
            // The other structure than before, if that is what is to change.
            if parts.multiple != (self == Self::Structure) {
                w.tag(98).array(4).bytes(b"").map(0).bytes(parts.payload);
                w.array(1).array(3);
                w.bytes(protected).raw(unprotected).bytes(signature);
            } else {
                w.tag(18).array(4).bytes(protected).raw(unprotected);
                w.bytes(parts.payload).bytes(signature);
            }
        })
    }
}

/// A COSE_Sign1, or a COSE_Sign with its first signature.
struct Parts<'a> {
    multiple: bool,
    protected: &'a [u8],
    unprotected: &'a [u8],
    payload: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(message: &'a [u8]) -> Result<Self, DecodeError> {
        let rule = "message";
        let untagged = match message {
            [0xd2, rest @ ..] | [0xd8, 98, rest @ ..] => rest,
            _ => message,
        };
        let mut reader = Reader::new(untagged);
        reader.array_of(4, "an array of 4", rule)?;
        let mut parts = Self {
            multiple: false,
            protected: reader.bytes(rule)?,
            unprotected: reader.raw(rule)?,
            payload: reader.bytes(rule)?,
            signature: &[],
        };
        if let Ok(signature) = reader.clone().bytes(rule) {
            parts.signature = signature;
            return Ok(parts);
        }
        parts.multiple = true;
        reader.array(rule)?;
        reader.array_of(3, "an array of 3", rule)?;
        parts.protected = reader.bytes(rule)?;
        parts.unprotected = reader.raw(rule)?;
        parts.signature = reader.bytes(rule)?;
        Ok(parts)
    }
}
