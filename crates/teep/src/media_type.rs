use alloc::{
    borrow::ToOwned,
    collections::BinaryHeap,
    string::{String, ToString},
    vec::Vec,
};
use core::fmt;

/// The profile URN of TEEP's EAT profile (section 5). The number is assigned when the draft becomes an RFC.
pub const TEEP_EAT_PROFILE: &str = "urn:ietf:rfc:rfcXXXX";

/// A media type with parameters, as in attestation-payload-format, compared by meaning.
///
/// Type, subtype and parameter names are compared without regard to case, parameters in any order, and
/// values with or without quotes (RFC 9110 section 8.3.1; requirement TEEP-MSG-028). A colon in an
/// unquoted value is accepted, because the draft prints one (AMB-17).
///
/// ```
/// use tamarack_teep::MediaType;
///
/// let one = MediaType::parse("application/eat+cwt; eat_profile=\"urn:ietf:rfc:rfcXXXX\"").unwrap();
/// let two = MediaType::parse("Application/EAT+CWT;eat_profile=urn:ietf:rfc:rfcXXXX").unwrap();
/// assert_eq!(one, two);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaType {
    essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// What an absent attestation-payload-format implies: an EAT in the TEEP profile.
    #[must_use]
    pub fn teep_eat() -> Self {
        let profile = ("eat_profile".to_owned(), TEEP_EAT_PROFILE.to_owned());
        Self {
            essence: "application/eat+cwt".to_owned(),
            parameters: Vec::from([profile]),
        }
    }

    /// Reads a media type; `None` if the text is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = split_outside_quotes(text, ';').into_iter();
        let essence = parts.next()?.trim().to_ascii_lowercase();
        let (kind, subtype) = essence.split_once('/')?;
        if !is_token(kind) || !is_token(subtype) {
            return None;
        }
        // A heap takes a fraction of the code of a sort.
        let mut parameters = BinaryHeap::new();
        for part in parts {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let (name, value) = part.split_once('=')?;
            if !is_token(name) {
                return None;
            }
            parameters.push((name.to_ascii_lowercase(), unquote(value)?));
        }
        Some(Self {
            essence,
            parameters: parameters.into_sorted_vec(),
        })
    }

    /// The members of a list of media types, as in the HTTP header Accept. A comma in quotes separates nothing.
    #[must_use]
    pub fn split_list(text: &str) -> Vec<&str> {
        split_outside_quotes(text, ',')
    }

    /// Type and subtype, in lower case, without parameters.
    #[must_use]
    pub fn essence(&self) -> &str {
        &self.essence
    }

    /// The value of a parameter, unquoted.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.essence)?;
        for (name, value) in &self.parameters {
            write!(f, "; {name}=\"")?;
            for c in value.chars() {
                if matches!(c, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            f.write_str("\"")?;
        }
        Ok(())
    }
}

fn split_outside_quotes(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let mut escaped = false;
    text.split(|c| {
        let was_escaped = escaped;
        escaped = quoted && c == '\\' && !was_escaped;
        if c == '"' && !was_escaped {
            quoted = !quoted;
        }
        c == separator && !quoted
    })
    .collect()
}

fn is_token(text: &str) -> bool {
    let special = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || special(byte))
}

fn unquote(value: &str) -> Option<String> {
    let Some(inner) = value.strip_prefix('"') else {
        let bare = !value.is_empty()
            && value
                .bytes()
                .all(|b| b == b':' || b == b'/' || is_token_byte(b));
        return bare.then(|| value.to_string());
    };
    let inner = inner.strip_suffix('"')?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return None,
            c if c.is_control() => return None,
            '\\' => out.push(chars.next().filter(|c| !c.is_control())?),
            c => out.push(c),
        }
    }
    Some(out)
}

fn is_token_byte(byte: u8) -> bool {
    core::str::from_utf8(&[byte]).is_ok_and(is_token)
}

#[cfg(test)]
mod tests {
    use super::*;

    // req: TEEP-MSG-028
    #[test]
    fn media_types_are_compared_by_meaning() {
        let same = |a: &str, b: &str| MediaType::parse(a).unwrap() == MediaType::parse(b).unwrap();
        assert!(same("application/eat+cwt", "APPLICATION/Eat+Cwt"));
        assert!(same("a/b; x=1; y=2", "a/b;y=\"2\" ; x=1"));
        assert!(same("a/b; x=\"a;b\\\"c\"", "a/b; x=\"a;b\\\"c\""));
        assert!(!same("a/b; x=1", "a/b; x=2"));
        assert!(!same("a/b", "a/b; x=1"));
    }

    #[test]
    fn what_is_no_media_type_is_refused() {
        for text in [
            "",
            "a",
            "a/",
            "/b",
            "a b/c",
            "a/b; =1",
            "a/b; x",
            "a/b; x=\"1",
            "a/b; x=",
        ] {
            assert_eq!(MediaType::parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_value_survives(value in "[^\\p{Cc}]{0,12}") {
            let parameters = Vec::from([("p".to_owned(), value)]);
            let one = MediaType { essence: "a/b".to_owned(), parameters };
            proptest::prop_assert_eq!(MediaType::parse(&one.to_string()), Some(one));
        }

        #[test]
        fn what_is_printed_is_read_back(text in "[a-z]{1,5}/[a-z+]{1,5}(; [a-z]{1,3}=\"[ -~&&[^\"\\\\]]{0,8}\")?") {
            let one = MediaType::parse(&text).unwrap();
            proptest::prop_assert_eq!(MediaType::parse(&one.to_string()).unwrap(), one);
        }
    }
}
