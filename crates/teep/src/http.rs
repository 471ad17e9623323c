//! What TEEP over HTTP says about headers, which is the same wherever a message is taken: at a TAM, and at an agent to
//! which a TAM comes.
//!
//! ```
//! use http::{HeaderMap, HeaderValue, header};
//! use tamarack_teep::http::{accepts_message, is_message, message_headers};
//!
//! let mut request = HeaderMap::new();
//! request.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/teep+cbor"));
//! assert!(is_message(&request));
//! request.insert(header::ACCEPT, HeaderValue::from_static("text/html, application/*;q=0.5"));
//! assert!(accepts_message(&request));
//! assert_eq!(message_headers()[header::REFERRER_POLICY], "no-referrer");
//! ```

use http::{HeaderMap, HeaderValue, header};

use crate::{MEDIA_TYPE, MediaType};

/// The headers of a response that holds a message (TEEP over HTTP, section 4).
// req: HTTP-004
#[must_use]
pub fn message_headers() -> HeaderMap {
    let headers = [
        (header::CONTENT_TYPE, MEDIA_TYPE),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
    headers.into_iter().collect()
}

/// Whether the body is said to be a message (`Content-Type`).
#[must_use]
pub fn is_message(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    value
        .and_then(MediaType::parse)
        .is_some_and(|found| found.essence() == MEDIA_TYPE)
}

/// Whether a message is an acceptable answer (`Accept`): the most specific range that fits decides, and one with
/// weight 0 refuses (RFC 9110 section 12.5.1). No header accepts anything.
#[must_use]
pub fn accepts_message(headers: &HeaderMap) -> bool {
    let mut ranges = headers.get_all(header::ACCEPT).into_iter().peekable();
    if ranges.peek().is_none() {
        return true;
    }
    let ranges = ranges
        .filter_map(|value| value.to_str().ok())
        .flat_map(|list| list.split(','));
    let mut best = (0, false);
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let specific = match name.as_str() {
            MEDIA_TYPE => 3,
            "application/*" => 2,
            "*/*" => 1,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let refused = weight.is_some_and(|q| q.trim().parse() == Ok(0.0_f32));
        if specific > best.0 {
            best = (specific, !refused);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        let values = values
            .iter()
            .map(|v| (name.clone(), HeaderValue::from_str(v).unwrap()));
        values.collect()
    }

    // req: HTTP-041
    #[test]
    fn accept_decides_by_the_most_specific_range() {
        let accepts = |values: &[&str]| accepts_message(&headers(header::ACCEPT, values));
        assert!(accepts(&[]));
        assert!(accepts(&["application/teep+cbor"]));
        assert!(accepts(&["Application/TEEP+cbor;q=0.1"]));
        assert!(accepts(&["text/html", "*/*"]));
        assert!(accepts(&["text/html, application/*"]));
        assert!(!accepts(&["text/html"]));
        assert!(!accepts(&["application/teep+cbor;q=0"]));
        assert!(!accepts(&["*/*, application/teep+cbor; q=0.000"]));
        assert!(accepts(&["*/*;q=0, application/teep+cbor"]));
    }

    // req: HTTP-040
    #[test]
    fn a_content_type_is_compared_by_meaning() {
        let teep = |value: &str| is_message(&headers(header::CONTENT_TYPE, &[value]));
        assert!(teep("application/teep+cbor"));
        assert!(teep("Application/TEEP+CBOR"));
        assert!(!teep("application/cbor"));
        assert!(!teep(""));
        assert!(!is_message(&HeaderMap::new()));
    }
}
