use tamarack_cose::cbor::{DecodeError, Problem, Reader, Type, Writer};

/// Refuses an item that has passed the door and whose heads are not as short as can be (preferred
/// serialization, RFC 8949 section 4.1), which the EAT profile of TEEP demands. What byte strings wrap is
/// not looked into.
// req: EAT-003
pub(crate) fn check_preferred(bytes: &[u8]) -> Result<(), DecodeError> {
    let rule = "preferred serialization";
    let mut reader = Reader::new(bytes);
    while !reader.is_at_end() {
        let start = reader.clone();
        let mut shortest = Writer::new();
        match reader.peek() {
            Type::Uint => shortest.uint(reader.uint(rule)?),
            Type::NegativeInt => shortest.int(reader.int(rule)?),
            Type::Bytes => shortest.bytes(reader.bytes(rule)?),
            Type::Text => shortest.text(reader.text(rule)?),
            Type::Array => shortest.array(reader.array(rule)?),
            Type::Map => shortest.map(reader.map(rule)?),
            Type::Tag => shortest.tag(reader.tag(rule)?),
            // No claim that is understood is a float or another simple value.
            Type::Bool | Type::Null | Type::Other | Type::End => {
                reader.skip(rule)?;
                continue;
            }
        };
        if !start.rest().starts_with(&shortest.into_bytes()) {
            let problem = Problem::Expected("the shortest encoding");
            return Err(start.error(rule, problem));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: EAT-003
    #[test]
    fn a_head_that_is_longer_than_it_need_be_is_refused_wherever_it_is() {
        for good in [
            &[0xa1, 0x18, 0x18, 0x82, 0x38, 0x18, 0xf5][..],
            &[0xc1, 0x61, b'a'],
            &[0x81, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert_eq!(check_preferred(good), Ok(()), "{good:02x?}");
        }
        for (bad, offset) in [
            (&[0x18, 0x17][..], 0),
            (&[0x81, 0x38, 0x00], 1),
            (&[0xa1, 0x01, 0x58, 0x01, 0x00], 2),
            (&[0x82, 0x00, 0x78, 0x00], 2),
            (&[0x98, 0x01, 0x00], 0),
            (&[0xb8, 0x00], 0),
            (&[0xd8, 0x01, 0x00], 0),
        ] {
            let error = check_preferred(bad).unwrap_err();
            assert_eq!(error.offset, offset, "{bad:02x?}");
        }
    }
}
