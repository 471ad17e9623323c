//! What each byte of an envelope belongs to.

use std::ops::Range;

use tamarack_cose::cbor::{Reader, Type};

/// A part of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Region {
    /// Tag and map head, and everything of the wrapper but its blocks.
    Frame,
    /// An authentication block, by position.
    Block(usize, Part),
    /// The manifest with its label.
    Manifest,
    /// The label of a severed element.
    SeveredLabel(i64),
    /// A severed element.
    Severed(i64),
    /// The key of an integrated payload.
    Key(String),
    /// An integrated payload, with its head.
    Payload(String),
    /// A member with a label that nobody knows.
    Unknown(i64),
}

/// A part of an authentication block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// An unprotected header, which no signature covers.
    Unprotected,
    /// Anything else: heads, protected headers, the absent payload, signatures.
    Other,
}

const SEVERABLE: [i64; 6] = [14, 15, 16, 18, 20, 23];

/// The regions of an envelope, in order and without gaps.
pub fn regions(envelope: &[u8]) -> Vec<(Range<usize>, Region)> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut put = |end: usize, region: Region| {
        found.push((from..end, region));
        from = end;
    };
    let mut reader = Reader::new(envelope);
    if reader.peek() == Type::Tag {
        reader.tag("envelope").unwrap();
    }
    let members = reader.map("envelope").unwrap();
    put(reader.position(), Region::Frame);
    for _ in 0..members {
        if reader.peek() == Type::Text {
            let key = reader.text("key").unwrap().to_owned();
            put(reader.position(), Region::Key(key.clone()));
            reader.skip("payload").unwrap();
            put(reader.position(), Region::Payload(key));
            continue;
        }
        let label = reader.int("label").unwrap();
        match label {
            2 => {
                let content = reader.bytes("wrapper").unwrap();
                let start = reader.position() - content.len();
                let mut inner = Reader::new(content);
                let count = inner.array("wrapper").unwrap();
                inner.skip("digest").unwrap();
                put(start + inner.position(), Region::Frame);
                for index in 0..count - 1 {
                    let block = inner.bytes("block").unwrap();
                    let start = start + inner.position() - block.len();
                    for unprotected in unprotected(block) {
                        put(start + unprotected.start, Region::Block(index, Part::Other));
                        put(
                            start + unprotected.end,
                            Region::Block(index, Part::Unprotected),
                        );
                    }
                    put(start + block.len(), Region::Block(index, Part::Other));
                }
            }
            3 => {
                reader.skip("manifest").unwrap();
                put(reader.position(), Region::Manifest);
            }
            label if SEVERABLE.contains(&label) => {
                put(reader.position(), Region::SeveredLabel(label));
                reader.skip("severed").unwrap();
                put(reader.position(), Region::Severed(label));
            }
            label => {
                reader.skip("unknown").unwrap();
                put(reader.position(), Region::Unknown(label));
            }
        }
    }
    assert_eq!(from, envelope.len());
    found
}

/// Where the unprotected headers of a COSE structure are.
fn unprotected(block: &[u8]) -> Vec<Range<usize>> {
    let mut reader = Reader::new(block);
    reader.tag("tag").unwrap();
    reader.array("cose").unwrap();
    reader.skip("protected").unwrap();
    let item = |reader: &mut Reader<'_>| {
        let start = reader.position();
        reader.skip("unprotected").unwrap();
        start..reader.position()
    };
    let mut found = vec![item(&mut reader)];
    reader.skip("payload").unwrap();
    if reader.peek() == Type::Array {
        for _ in 0..reader.array("signatures").unwrap() {
            reader.array("signature").unwrap();
            reader.skip("protected").unwrap();
            found.push(item(&mut reader));
            reader.skip("signature").unwrap();
        }
    }
    found
}

/// The content of an integrated payload, and where it starts.
pub fn payload<'e>(envelope: &'e [u8], range: &Range<usize>) -> (usize, &'e [u8]) {
    let content = Reader::new(&envelope[range.clone()])
        .bytes("payload")
        .unwrap();
    (range.end - content.len(), content)
}
