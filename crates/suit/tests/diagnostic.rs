//! Diagnostic notation, against what the drafts print for the same bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use proptest::prelude::*;
use tamarack_suit::{
    Envelope,
    explain::{Content, Diagnostic, locate},
};

/// The notation without comments and white space, hexadecimal in small letters, and byte strings that are
/// text in hexadecimal.
fn normal(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '/' => {
                chars.by_ref().find(|c| *c == '/').unwrap();
            }
            '"' => {
                out.push('"');
                while let Some(c) = chars.next() {
                    out.push(c);
                    match c {
                        '\\' => out.push(chars.next().unwrap()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            'h' if chars.peek() == Some(&'\'') => {
                chars.next();
                let digits = chars.by_ref().take_while(|c| *c != '\'');
                let digits = digits.filter(|c| !c.is_whitespace());
                out += &format!("h'{}'", digits.collect::<String>().to_lowercase());
            }
            '\'' => {
                let text = chars.by_ref().take_while(|c| *c != '\'');
                let hex = text.map(|c| format!("{:02x}", u32::from(c)));
                out += &format!("h'{}'", hex.collect::<String>());
            }
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out
}

/// Comments that number lines end at the line's end instead.
fn without_line_numbers(text: &str) -> String {
    let line = |line: &str| match line.strip_prefix('/') {
        Some(rest) if rest.trim_start().starts_with(|c: char| c.is_ascii_digit()) => {
            let (_, code) = rest.split_once('/').unwrap();
            code.to_owned()
        }
        _ => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

#[test]
fn the_drafts_print_the_same() {
    let Some(folder) = vectors() else { return };
    let mut compared = 0;
    let mut compare = |name: &str, bytes: &[u8], diag: std::path::PathBuf| {
        let published = without_line_numbers(&std::fs::read_to_string(diag).unwrap());
        let shown = Diagnostic::of(bytes);
        assert_eq!(shown.fault(), None, "{name}");
        assert_eq!(normal(&shown.to_string()), normal(&published), "{name}");
        compared += 1;
    };
    for number in 0..=5 {
        let name = format!("example{number}.1.cbor");
        let bytes = std::fs::read(folder.join("suit-draft").join(&name)).unwrap();
        let diag = folder.join(format!("suit-draft/example{number}.diag"));
        compare(&name, &restore(&name, &bytes), diag);
    }
    for (folder, suffix) in [
        (folder.join("suit-encryption"), ".signed.cbor"),
        (folder.join("suit-trust-domains"), ".cbor"),
    ] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            // What is integrated is printed as bytes there, and as an envelope here.
            if name.ends_with(suffix) && name != "example2_integrated.cbor" {
                let bytes = std::fs::read(&path).unwrap();
                compare(name, &bytes, path.with_extension("diag"));
            }
        }
    }
    assert_eq!(compared, 13);
}

#[test]
fn labels_have_the_names_of_the_drafts() {
    let author = author(2);
    let envelope = ta(&author, 7, b"payload");
    let text = Diagnostic::of(&envelope).to_string();
    for part in [
        "107({\n    / authentication-wrapper / 2: << [",
        "/ digest / << [\n            / algorithm-id / -16 / SHA-256 /,",
        "/ authentication-block / << 18([",
        "/ protected / << {\n                / alg / 1: -9 / ESP256 /",
        "/ manifest-sequence-number / 2: 7,",
        "['provider', 'app', 'ta']",
        "/ directive-override-parameters / 20, {\n",
        "/ class-id / 2: h'",
        "/ condition-image-match / 3, 15",
        "\n    \"#ta\": h'7061796c6f6164'\n})",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let abridged = Diagnostic::of(&envelope).abridged(4).to_string();
    assert!(
        abridged.contains("h'7061796c ...' / 7 bytes /"),
        "{abridged}"
    );
}

#[test]
fn what_is_broken_is_shown_around_the_break() {
    let author = author(2);
    let mut envelope = ta(&author, 7, b"payload");
    assert_eq!(locate(&envelope, 0), "");
    let at = envelope.windows(8).position(|w| w == b"provider").unwrap();
    assert_eq!(locate(&envelope, at), "manifest / common / components / 0");
    // A segment that claims to be longer than what is left of the common section.
    envelope[at - 1] = 0x58;
    envelope[at] = 0xff;
    assert_eq!(
        locate(&envelope, at - 1),
        "manifest / common / components / 0"
    );
    let shown = Diagnostic::of(&envelope);
    let fault = shown.fault().unwrap();
    assert!((at - 1..=at + 1).contains(&fault.offset), "{fault}");
    let text = shown.to_string();
    let said = format!("/ byte {}: the input ends too early / h'", fault.offset);
    assert!(text.contains(&said), "{text}");
    // What comes after the broken byte string is there.
    assert!(text.contains("/ install / 20: << ["), "{text}");
    assert!(text.ends_with("\"#ta\": h'7061796c6f6164'\n})"), "{text}");
}

#[test]
fn what_a_decoder_refuses_is_marked() {
    let mut envelope = ta(&author(2), 7, b"payload");
    let at = envelope.windows(8).position(|w| w == b"provider").unwrap();
    // Text where bytes have to be.
    envelope[at - 1] ^= 0x40 ^ 0x60;
    let decoded = Envelope::decode(&envelope).unwrap();
    let error = decoded.unverified_manifest().unwrap_err();
    assert!(Diagnostic::of(&envelope).fault().is_none());
    let error = error.clone().shifted(at - 1 - error.offset);
    let text = Diagnostic::of(&envelope).marked(error).to_string();
    let mark = format!(
        "[/ byte {}: expected a byte string / \"provider\", 'app', 'ta']",
        at - 1
    );
    assert!(text.contains(&mark), "{text}");
}

#[test]
fn of_a_truncated_envelope_everything_before_the_end_is_shown() {
    let envelope = ta(&author(2), 7, b"payload");
    let at = envelope
        .windows(6)
        .position(|w| w == b"vendor" || w == b"a/b")
        .unwrap_or(250);
    let text = Diagnostic::of(&envelope[..at]).to_string();
    for part in [
        "/ manifest / 3: / byte ",
        ": longer than what is left / << {",
        "/ manifest-sequence-number / 2: 7,",
        "['provider', 'app', 'ta']",
        ": the input ends too early /",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    for length in 0..envelope.len() {
        assert!(
            Diagnostic::of(&envelope[..length]).fault().is_some(),
            "{length}"
        );
    }
}

#[test]
fn nothing_in_the_text_disturbs_a_terminal() {
    let hostile = "\u{1b}[2J\u{202e}/\"\\\u{1f600}";
    let bytes = tamarack_cose::cbor::Writer::build(|w| {
        w.tag(107).map(1).text(hostile).bytes(b"");
    });
    let text = Diagnostic::of(&bytes).to_string();
    assert!(text.is_ascii(), "{text}");
    assert!(
        text.contains(r#""\u001b[2J\u202e/\"\\\ud83d\ude00": h''"#),
        "{text}"
    );
}

#[test]
fn bombs_are_shown_and_end() {
    let deep = Diagnostic::of(&[0x81; 5000]).fault().unwrap();
    assert_eq!(deep.problem, tamarack_cose::cbor::Problem::TooDeep);
    let many = [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert!(Diagnostic::of(&many).to_string().len() < 200);
    assert!(Diagnostic::of(&[]).fault().is_some());
    let payload = ta(&author(2), 7, &[7; 3000]);
    assert!(Envelope::decode(&payload).is_ok());
}

proptest! {
    #[test]
    fn anything_is_shown(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let shown = Diagnostic::of(&bytes);
        prop_assert!(!shown.to_string().is_empty());
        let _ = locate(&bytes, bytes.len() / 2);
    }

    #[test]
    fn almost_good_input_is_shown(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = ta(&author(3), 7, b"payload");
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let shown = Diagnostic::of(&bytes);
        // What a decoder refuses as no CBOR is a fault here too, and there alone.
        let text = shown.to_string();
        prop_assert_eq!(shown.fault().is_some(), text.contains("/ byte "));
    }
}

#[test]
fn what_is_there_of_an_array_that_was_cut_off_is_shown() {
    let cut = Diagnostic::of(&[0x83, 0x01, 0x02]);
    assert_eq!(cut.fault().unwrap().offset, 3);
    let text: String = cut.to_string().split_whitespace().collect();
    assert!(text.starts_with("[1,2,/byte3:"), "{text}");
}

#[test]
fn names_stand_where_they_belong() {
    let author = author(2);
    let envelope = ta(&author, 1, b"payload");
    let decoded = Envelope::decode(&envelope).unwrap();
    assert_eq!(Content::of(&envelope), Content::Envelope);
    assert_eq!(Content::of(&decoded.encode_untagged()), Content::Envelope);
    let manifest = decoded.unverified_manifest().unwrap().encode();
    assert_eq!(Content::of(&manifest), Content::Manifest);
    let notation = Diagnostic::of(&manifest).to_string();
    assert!(notation.contains("/ common / 3: <<"), "{notation}");
    let block = decoded.authentication_blocks()[0];
    assert_eq!(Content::of(block), Content::Cose(18));
    let notation = Diagnostic::of(block).to_string();
    assert!(notation.contains("/ protected / <<"), "{notation}");
    // A COSE_Key, a report, text, and nothing.
    for other in [&[0xa1, 0x01, 0x02][..], &[0xa1, 0x03, 0x80], b"\x61a", b""] {
        assert_eq!(Content::of(other), Content::Other, "{other:02x?}");
        assert!(!Diagnostic::of(other).to_string().contains("manifest"));
    }
}
