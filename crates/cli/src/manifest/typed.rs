//! What people type for a manifest: identifiers, URIs, and the names of vendors and classes. Slips are refused that
//! would go through as something else.

use tamarack_suit::{ComponentId, ComponentIdError, Uuid, fault_in_uri};

/// A component identifier: empty segments, which SUIT allows, are a slip.
pub(crate) fn identifier(text: &str) -> Result<ComponentId, String> {
    if text.is_empty() {
        return Err("it is empty; segments joined by `/` are expected, as in acme/hello".into());
    }
    if text.split('/').any(str::is_empty) {
        return Err(
            "a segment is empty: take away the `/` that is too much (0x is a segment that is meant to be empty)"
                .into(),
        );
    }
    text.parse()
        .map_err(|error: ComponentIdError| error.to_string())
}

/// A URI, or a reference to something that the envelope carries.
pub(super) fn uri(text: &str) -> Result<String, String> {
    if text.is_empty() || text == "#" {
        return Err("it is empty; a URI is expected, or `#` and a name".into());
    }
    let fault = fault_in_uri(text).and_then(|at| text.get(at..)?.chars().next());
    match fault {
        Some(other) => Err(format!(
            "{other:?} can't stand in a URI; it is written as % and two hexadecimal digits for each of its bytes"
        )),
        None => Ok(text.to_owned()),
    }
}

/// A vendor: a domain name, or a UUID.
pub(super) fn vendor(text: &str) -> Result<String, String> {
    let text = class(text)?;
    // RFC 1035, and names in other scripts.
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    match text.parse::<Uuid>().is_ok() || text.split('.').all(is_label) {
        true => Ok(text),
        false => Err("neither a domain name, as acme.example, nor a UUID".into()),
    }
}

/// A class or a device: a name within a vendor's, or a UUID.
pub(super) fn class(text: &str) -> Result<String, String> {
    const LENGTHS: std::ops::RangeInclusive<usize> = 30..=40;
    let looks_like_uuid =
        LENGTHS.contains(&text.len()) && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if text.is_empty() {
        return Err("it is empty".into());
    }
    match looks_like_uuid && text.parse::<Uuid>().is_err() {
        true => Err("it looks like a UUID and is none: that has 32 hexadecimal digits".into()),
        false => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_refused() {
        for text in ["", "/", "a//b", "a/"] {
            assert!(identifier(text).is_err(), "{text}");
        }
        for text in [
            "",
            " ",
            "#",
            "not a uri",
            "https://a/b c",
            "https://a/ü",
            "a\\b",
            "100%",
        ] {
            assert!(uri(text).is_err(), "{text}");
        }
        for text in ["#a", "https://[::1]/a?b=c#d", "coap://a/%20", "app.bin"] {
            assert_eq!(uri(text).as_deref(), Ok(text));
        }
        let uuid = "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe";
        for text in ["acme.example", "localhost", "bücher.example", uuid] {
            assert_eq!(vendor(text).as_deref(), Ok(text));
        }
        for text in [
            "",
            "acme..example",
            "acme.example.",
            "https://acme.example",
            "acme example",
            &uuid[1..],
            "fa6b4a53-d5ad-5fdf-be9d-e663e4d41ffe0",
        ] {
            assert!(vendor(text).is_err(), "{text}");
        }
        assert!(class("lamp, white").is_ok() && class(&uuid[2..]).is_err());
    }
}
