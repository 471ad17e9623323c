//! Messages as people keep them: as they are, in hexadecimal, in base64.

use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding};

/// The bytes of a message, and how the file had them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) bytes: Vec<u8>,
    /// `cbor`, `hex` or `base64`; offsets count in the bytes, not in the text.
    pub(super) encoding: &'static str,
}

/// What is in a file. A message never is text by itself, so text is an encoding of one; a JWT stays as it is.
pub(super) fn decode(bytes: Vec<u8>) -> Input {
    let decoded = text_of(&bytes).and_then(|text| {
        let hex = text.strip_prefix("0x").unwrap_or(&text);
        let hex = base16ct::mixed::decode_vec(hex).map(|bytes| (bytes, "hex"));
        hex.ok().or_else(|| Some((base64(&text)?, "base64")))
    });
    match decoded {
        Some((bytes, encoding)) => Input { bytes, encoding },
        None => Input {
            bytes,
            encoding: "cbor",
        },
    }
}

/// The text of a file without white space, nor the signs that tools put between hexadecimal digits.
fn text_of(bytes: &[u8]) -> Option<String> {
    let text = str::from_utf8(bytes).ok()?;
    let text: String = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace() && !matches!(c, ':' | '\''))
        .collect();
    let digits = |c: char| c.is_ascii_alphanumeric() || "+/-_=".contains(c);
    (!text.is_empty() && text.chars().all(digits)).then_some(text)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let attempts = [
        Base64::decode_vec(text),
        Base64Unpadded::decode_vec(text),
        Base64Url::decode_vec(text),
        Base64UrlUnpadded::decode_vec(text),
    ];
    attempts.into_iter().find_map(Result::ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_gives_the_same_bytes() {
        let message = [0x82, 0x05, 0xa1, 0x14, 0x48, 1, 2, 3, 4, 5, 6, 7, 0xff];
        let texts: [(&[u8], &str); 8] = [
            (&message, "cbor"),
            (b"8205a114480102030405060 7ff\n", "hex"),
            (b"0x8205A11448010203\n0405 0607FF", "hex"),
            (b"82:05:a1:14:48:01:02:03:04:05:06:07:ff", "hex"),
            (b"ggWhFEgBAgMEBQYH/w==", "base64"),
            (b"ggWhFEgBAgMEBQYH/w", "base64"),
            (b"ggWhFEgBAgMEBQYH_w==\n", "base64"),
            (b"ggWhFEgB\nAgMEBQYH_w", "base64"),
        ];
        for (text, encoding) in texts {
            let bytes = message.to_vec();
            assert_eq!(decode(text.to_vec()), Input { bytes, encoding });
        }
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in [
            "",
            "hello there!",
            "eyJhbGciOiJFUzI1NiJ9.e30.AA",
            "{\"a\": 1}",
        ] {
            assert_eq!(decode(text.as_bytes().to_vec()).bytes, text.as_bytes());
        }
    }
}
