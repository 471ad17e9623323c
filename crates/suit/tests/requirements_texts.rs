//! What authors write and decoders accept of texts for people.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_cose::cbor::{Problem, Reader};
use tamarack_suit::{
    Envelope, LanguageText, Limits, SequenceNumber, Text,
    author::{BuildError, ComponentBuilder, ManifestBuilder},
    explain::describe,
};

// req: SUIT-MAN-009
#[test]
fn text_is_a_map_by_language_and_component() {
    let text = Text {
        languages: vec![
            (
                "de-CH-1996".into(),
                LanguageText {
                    manifest: vec![(1, "Türschloss".into()), (-1, "eigenes".into())],
                    components: vec![(id("a/b"), vec![(1, "Hersteller".into()), (6, "2".into())])],
                },
            ),
            ("en".into(), LanguageText::default()),
        ],
    };
    let encoded = text.encode();
    let decoded = Text::decode(&encoded, &Limits::default()).unwrap();
    assert_eq!(decoded.encode(), encoded);
    assert_eq!(decoded.languages.len(), 2);
    let mut reader = Reader::new(&encoded);
    assert_eq!(reader.map("languages").unwrap(), 2);
    // The shorter key is first: bytewise order of the encoded keys.
    assert_eq!(reader.text("language").unwrap(), "en");
    let refused = |content: &[u8]| {
        Text::decode(content, &Limits::default())
            .unwrap_err()
            .problem
    };
    for bad in [
        &[0xa0][..],
        &[0x80],
        &[0xa1, 0x62, b'e', b'n', 0x80],
        &[0xa1, 0x62, b'e', b'n', 0xa1, 1, 1],
        &[0xa1, 0x62, b'e', b'n', 0xa1, 0x61, b'a', 0x61, b'b'],
        &[0xa1, 0x62, b'e', b'n', 0xa1, 0x81, 0x61, b'a', 0xa0],
        &[0xa1, 0x62, b'e', b'n', 0xa1, 0x81, 0x41, b'a', 0x61, b'b'],
        &[0xa1, 0x62, b'1', b'n', 0xa0],
        &[0xa1, 0x63, b'e', b'n', b'-', 0xa0],
        &[0xa1, 1, 0xa0],
    ] {
        assert!(
            matches!(refused(bad), Problem::Expected(_) | Problem::OutOfBounds(_)),
            "{bad:02x?}"
        );
    }
}

// req: SUIT-MAN-010
#[test]
fn text_is_about_components_of_the_manifest() {
    let about = |component: &str| {
        let text = Text {
            languages: vec![(
                "en".into(),
                LanguageText {
                    manifest: vec![],
                    components: vec![(id(component), vec![(5, "what it is".into())])],
                },
            )],
        };
        ManifestBuilder::new(SequenceNumber(1))
            .text(text)
            .component(ComponentBuilder::new(id("app/a")).content(&crypto(), *b"a"))
            .build()
    };
    assert!(about("app/a").is_ok());
    assert_eq!(
        about("app/b").unwrap_err(),
        BuildError::TextComponent(id("app/b"))
    );
}

// req: SUIT-UPD-009
#[test]
fn versions_in_texts_are_visible_text_of_one_line() {
    let decode = |label: i64, version: &str| {
        let language = LanguageText {
            manifest: Vec::new(),
            components: vec![(id("app/a"), vec![(label, version.to_owned().into())])],
        };
        let text = Text {
            languages: vec![("en".into(), language)],
        };
        Text::decode(&text.encode(), &Limits::default()).map(|_| ())
    };
    for label in [7, 8] {
        for version in ["1.2.3", ">=1.0", "= 2", "<= 1.0-beta.1", "> 1, < 2", "ж 1"] {
            assert_eq!(decode(label, version), Ok(()), "{version}");
        }
        for hidden in [
            "1\n2",
            "1\u{0}",
            "1\u{1b}[2J",
            "\u{202e}1",
            "1\u{200b}",
            "1\u{2028}",
        ] {
            assert!(decode(label, hidden).is_err(), "{hidden:?}");
            // Other texts may have several lines.
            assert_eq!(decode(5, hidden), Ok(()));
        }
    }
}

// req: SUIT-UPD-009, SUIT-UPD-010
#[test]
fn a_long_version_is_cut_where_it_is_shown() {
    let version = format!(">= {}", "1".repeat(2_000));
    let language = LanguageText {
        manifest: Vec::new(),
        components: vec![(id("a"), vec![(7, version.into())])],
    };
    let draft = ManifestBuilder::new(SequenceNumber(1))
        .component(ComponentBuilder::new(id("a")).content(&crypto(), *b"x"))
        .text(Text {
            languages: vec![("en".into(), language)],
        })
        .build()
        .unwrap();
    let bytes = signed(&draft);
    let author = author(2);
    assert_eq!(update(&mut device(), &author, &bytes).result, Ok(()));
    let shown = describe(&Envelope::decode(&bytes).unwrap(), None);
    let shown = shown.to_string();
    assert!(shown.contains("... (2003 bytes)"), "{shown}");
    assert!(!shown.contains(&"1".repeat(1_025)));
}

// req: SUIT-UPD-009
#[test]
fn authors_compare_versions_as_everybody_reads_them() {
    let build = |required: &str| {
        let language = LanguageText {
            manifest: Vec::new(),
            components: vec![(id("a"), vec![(7, required.to_owned().into())])],
        };
        ManifestBuilder::new(SequenceNumber(1))
            .component(ComponentBuilder::new(id("a")).content(&crypto(), *b"x"))
            .text(Text {
                languages: vec![("en".into(), language)],
            })
            .build()
            .map(|_| ())
    };
    for required in ["radio > 1.0", ">=2, <3", "= 1", "<=4", "anything"] {
        assert_eq!(build(required), Ok(()), "{required}");
    }
    for (required, operator) in [
        ("== 1.0", "=="),
        ("~> 1.0", "~>"),
        ("radio != 3", "!="),
        ("≥ 1.0", "≥"),
        (">1, =>2", "=>"),
    ] {
        let refused = BuildError::Comparison(operator.into());
        assert_eq!(build(required), Err(refused), "{required}");
    }
}

// req: SUIT-UPD-010
#[test]
fn text_is_shown_harmlessly_and_never_acted_on() {
    let hostile = "> 1.0\u{1b}[2J\r\u{202e}<script>\u{0}\n1: fake";
    let text = |required: &str| Text {
        languages: vec![(
            "en".into(),
            LanguageText {
                manifest: vec![(1, hostile.to_owned().into())],
                components: vec![(
                    id("app/a"),
                    vec![
                        (7, required.to_owned().into()),
                        (5, hostile.to_owned().into()),
                    ],
                )],
            },
        )],
    };
    let signed_with = |required: &str| {
        let draft = ManifestBuilder::new(SequenceNumber(1))
            .text(text(required))
            .component(ComponentBuilder::new(id("app/a")).content(&crypto(), *b"a"))
            .build()
            .unwrap();
        signed(&draft)
    };
    // A version that nothing fulfils is words.
    let envelope = signed_with("> 99999");
    assert_eq!(update(&mut device(), &author(2), &envelope).result, Ok(()));
    let envelope = signed_with("= 1.0");
    let shown = describe(&Envelope::decode(&envelope).unwrap(), None).to_string();
    let dangerous = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
    assert_eq!(shown.chars().find(dangerous), None);
    assert!(
        !shown
            .lines()
            .any(|line| line.trim_start().starts_with("1: fake"))
    );
}
