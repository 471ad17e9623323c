//! CBOR that two parsers could read differently, or that breaks one.

use tamarack_cose::cbor::Writer;
use tamarack_suit::{Action, Condition, Section};

use crate::{common::*, fixture::Attack};

const DUPLICATE: &str = "Decode(DuplicateKey)";
const TRAILING: &str = "Decode(TrailingBytes)";
const INDEFINITE: &str = "Decode(IndefiniteLength)";
const EXPECTED: &str = "Decode(Expected)";
const BOUNDS: &str = "Decode(OutOfBounds)";

fn member(label: i64, content: &[u8]) -> Vec<u8> {
    Writer::build(|w| {
        w.int(label).bytes(content);
    })
}

/// A manifest with this content of common, signed.
fn with_common(common: &[u8]) -> Vec<u8> {
    let manifest = Writer::build(|w| {
        w.map(3).int(1).uint(1).int(2).uint(1).int(3).bytes(common);
    });
    sign_raw(&author(2), &manifest)
}

/// A manifest of `a/b` with this encoded install sequence, signed.
fn install(content: &[u8]) -> Vec<u8> {
    sign_raw(&author(2), &raw_manifest(&[(20, content)]))
}

/// A manifest of `a/b` with one more member, already encoded, signed.
fn with_member(member: &[u8]) -> Vec<u8> {
    let mut manifest = raw_manifest(&[]);
    manifest[0] += 1;
    manifest.extend(member);
    sign_raw(&author(2), &manifest)
}

/// The install sequence that sets one parameter, given as encoded label and value.
fn parameter(encoded: &[u8]) -> Vec<u8> {
    install(&[&[0x82, 20, 0xa1][..], encoded].concat())
}

fn text(content: &[u8]) -> Vec<u8> {
    with_member(&member(23, content))
}

/// The text map of one language with this encoded content.
fn english(content: &[u8]) -> Vec<u8> {
    text(&[&[0xa1, 0x62, b'e', b'n'][..], content].concat())
}

fn harmless() -> Vec<u8> {
    sequence([set([content(b"x")]), action(Action::Write)]).encode()
}

pub fn attacks() -> Vec<Attack> {
    let author = author(2);
    let manifest = raw_manifest(&[(20, &harmless())]);
    let other = raw_manifest(&[]);
    let second = |head: &[u8]| {
        let mut second = head.to_vec();
        second.extend(Writer::build(|w| {
            w.bytes(&other);
        }));
        sign_with_members(&author, &manifest, &[second])
    };
    let component = [0x02, 0x81, 0x81, 0x41, b'a'];
    vec![
        Attack::new(
            "duplicate-key-in-envelope",
            "adds a second manifest to a signed envelope: one parser verifies the first, another runs the second",
            "A map key that occurs twice is refused, also where one of the two has a longer head than it needs.",
        )
        .refused("same-head", second(&[3]), DUPLICATE)
        .refused("longer-head", second(&[0x18, 3]), DUPLICATE)
        .refused("longest-head", second(&[0x1b, 0, 0, 0, 0, 0, 0, 0, 3]), DUPLICATE),
        Attack::new(
            "duplicate-key-in-manifest",
            "has a manifest signed in which install occurs twice, and only one of the two was reviewed",
            "The signature is good, and the manifest is refused all the same.",
        )
        .refused(
            "same-head",
            sign_raw(&author, &raw_manifest(&[(20, &harmless()), (20, &harmless())])),
            DUPLICATE,
        )
        .refused("longer-head", {
            let mut manifest = raw_manifest(&[(20, &harmless())]);
            manifest[0] += 1;
            manifest.extend([0x18, 20]);
            manifest.extend(&member(20, &harmless())[1..]);
            sign_raw(&author, &manifest)
        }, DUPLICATE),
        Attack::new(
            "duplicate-key-in-common",
            "lists components twice in common, so that indices mean different things to different parsers",
            "Common is refused.",
        )
        .refused("same-head", with_common(&[&[0xa2][..], &component, &component].concat()), DUPLICATE)
        .refused(
            "longer-head",
            with_common(&[&[0xa2][..], &component, &[0x18], &component].concat()),
            DUPLICATE,
        ),
        Attack::new(
            "duplicate-parameter",
            "sets one parameter twice in one map",
            "The parameter map is refused, wherever it stands.",
        )
        .refused("same-head", install(&[0x82, 20, 0xa2, 14, 1, 14, 2]), DUPLICATE)
        .refused("longer-head", install(&[0x82, 20, 0xa2, 14, 1, 0x18, 14, 2]), DUPLICATE)
        .refused("set-parameters", install(&[0x82, 19, 0xa2, 14, 1, 14, 2]), DUPLICATE)
        .refused("override-multiple", install(&[0x82, 0x18, 34, 0xa2, 0, 0xa1, 14, 1, 0, 0xa1, 14, 2]), DUPLICATE),
        Attack::new(
            "duplicate-text",
            "describes the update twice, once for the reviewer and once for the operator",
            "The text is refused: a language, a label, or a component that occurs twice, in whatever encoding.",
        )
        .refused("language", text(&[0xa2, 0x62, b'e', b'n', 0xa0, 0x62, b'e', b'n', 0xa0]), DUPLICATE)
        .refused("label", english(&[0xa2, 1, 0x61, b'a', 1, 0x61, b'b']), DUPLICATE)
        .refused(
            "component",
            english(&[0xa2, 0x81, 0x41, b'a', 0xa1, 6, 0x61, b'1', 0x81, 0x41, b'a', 0xa1, 6, 0x61, b'2']),
            DUPLICATE,
        )
        .refused(
            "component-with-longer-head",
            english(&[0xa2, 0x81, 0x41, b'a', 0xa1, 6, 0x61, b'1', 0x81, 0x58, 1, b'a', 0xa1, 6, 0x61, b'2']),
            DUPLICATE,
        )
        .refused(
            "label-of-component",
            english(&[0xa1, 0x81, 0x41, b'a', 0xa2, 6, 0x61, b'1', 6, 0x61, b'2']),
            DUPLICATE,
        ),
        Attack::new(
            "label-zero",
            "leaves members at label 0, as memory that was never written to would have",
            "Label 0 is refused in the envelope, the manifest, common, commands, parameters and text.",
        )
        .refused("envelope", sign_with_members(&author, &manifest, &[member(0, b"")]), BOUNDS)
        .refused("manifest", with_member(&member(0, b"")), EXPECTED)
        .refused("common", with_common(&[&[0xa2, 0x00, 0x00][..], &component].concat()), EXPECTED)
        .refused("command", install(&[0x82, 0, 15]), BOUNDS)
        .refused("parameter", parameter(&[0, 0]), BOUNDS)
        .refused("text", english(&[0xa1, 0, 0x61, b'x']), BOUNDS),
        Attack::new(
            "delegation",
            "puts a chain of delegations at envelope label 1, where early revisions of the standard had it",
            "The label is reserved: the envelope is refused, and nobody is trusted on the strength of it.",
        )
        .refused("delegation", sign_with_members(&author, &manifest, &[member(1, &[0x80])]), BOUNDS),
        Attack::new(
            "unknown-label",
            "adds signed members whose meaning the Recipient does not know",
            "Whoever signed them meant something by them. They are refused in the manifest, in common and in the \
             metadata of dependencies; in the envelope, where no signature covers them, they have no effect.",
        )
        .refused("manifest", with_member(&member(10, b"")), EXPECTED)
        .refused("private-in-manifest", with_member(&member(-300, b"")), EXPECTED)
        .refused("common", with_common(&[&[0xa2][..], &component, &[7, 0xf5]].concat()), EXPECTED)
        .refused(
            "dependency",
            with_common(&[&[0xa2, 1, 0xa1, 0, 0xa1, 2, 0xf5][..], &component].concat()),
            EXPECTED,
        )
        .refused("text-key-in-manifest", with_member(&[0x61, b'x', 0x40]), EXPECTED)
        .refused("text-key-in-parameters", parameter(&[0x61, b'x', 0x40]), EXPECTED),
        Attack::new(
            "old-drafts",
            "replays what was built for earlier revisions of the standard, whose numbers mean other things today",
            "Refused by structure: the tag, the sections at 9, 13 and 17, integer keys of payloads, the list of dependencies.",
        )
        .refused("tag-48", {
            let mut envelope = sign_raw(&author, &manifest);
            envelope.splice(..2, [0xd8, 48]);
            envelope
        }, EXPECTED)
        .refused("install-at-17", with_member(&member(17, &harmless())), EXPECTED)
        .refused("text-at-13", with_member(&member(13, &[0xa1, 1, 0x61, b'x'])), EXPECTED)
        .refused("run-at-12", with_member(&member(12, &harmless())), EXPECTED)
        .refused(
            "dependency-list",
            with_common(&[&[0xa2, 1, 0x81, 0xa1, 1, 0x41, b'x'][..], &component].concat()),
            EXPECTED,
        )
        .refused("digest-not-wrapped", {
            let digest = Writer::build(|w| {
                w.int(3).array(2).int(-16).bytes(&[0; 32]);
            });
            parameter(&digest)
        }, EXPECTED)
        .refused("text-without-language", text(&[0xa1, 1, 0x61, b'x']), EXPECTED),
        Attack::new(
            "indefinite-lengths",
            "encodes with indefinite lengths, for which parsers have bugs and hashes have alternatives",
            "Refused at every level, under a good signature too.",
        )
        .refused("envelope", {
            let mut envelope = sign_raw(&author, &manifest);
            envelope[2] = 0xbf;
            envelope.push(0xff);
            envelope
        }, INDEFINITE)
        .refused("manifest", {
            let mut manifest = manifest.clone();
            manifest[0] = 0xbf;
            manifest.push(0xff);
            sign_raw(&author, &manifest)
        }, INDEFINITE)
        .refused("sequence", install(&[0x9f, 14, 15, 0xff]), INDEFINITE)
        .refused("byte-string", parameter(&[18, 0x5f, 0x41, b'x', 0xff]), INDEFINITE)
        .refused("text", parameter(&[21, 0x7f, 0x61, b'x', 0xff]), INDEFINITE),
        Attack::new(
            "trailing-bytes",
            "hides bytes behind an item, within the wrapper that is hashed or behind the envelope",
            "A byte string that wraps an item holds that item and nothing else.",
        )
        .refused("envelope", [sign_raw(&author, &manifest), vec![0]].concat(), TRAILING)
        .refused("manifest", sign_raw(&author, &[&manifest[..], &[0]].concat()), TRAILING)
        .refused("common", with_common(&[&[0xa1][..], &component, &[0xf6]].concat()), TRAILING)
        .refused("sequence", install(&[&harmless()[..], &[0]].concat()), TRAILING)
        .refused("nested-sequence", install(&[0x82, 0x18, 32, 0x44, 0x82, 14, 0, 0]), TRAILING)
        .refused("digest", {
            let digest = [&encoded_digest(&tamarack_suit::SuitDigest::sha256(&crypto(), b"x"))[..], &[0]];
            parameter(&member(3, &digest.concat()))
        }, TRAILING)
        .refused("severed", {
            let content = [&harmless()[..], &[0]].concat();
            let item = Writer::build(|w| {
                w.bytes(&content);
            });
            let digest = encoded_digest(&tamarack_suit::SuitDigest::sha256(&crypto(), &item));
            let mut manifest = raw_manifest(&[]);
            manifest[0] += 1;
            manifest.push(20);
            manifest.extend(digest);
            sign_with_members(&author, &manifest, &[member(20, &content)])
        }, TRAILING)
        .refused("text", text(&[0xa1, 0x62, b'e', b'n', 0xa0, 0]), TRAILING),
        Attack::new(
            "deep-nesting",
            "nests thousands of arrays, or sequences in sequences, to exhaust the stack",
            "Both depths are bounded, and nothing recurses before the bound is checked.",
        )
        .refused("arrays-in-envelope", {
            let member = [&[0x19, 0x03, 0xe8][..], &[0x81; 5000], &[0]].concat();
            sign_with_members(&author, &manifest, &[member])
        }, "Decode(TooDeep)")
        .refused("arrays-in-custom-argument", install(&[&[0x82, 0x39, 1, 0][..], &[0x81; 5000], &[0]].concat()), "Decode(TooDeep)")
        .refused("tags", install(&[&[0x82, 0x39, 1, 0][..], &[0xc1; 5000], &[0]].concat()), "Decode(TooDeep)")
        .refused("try-each", {
            let inner = vec![condition(Condition::Abort)];
            let nested = (0..20).fold(inner, |inner, _| vec![try_each([inner], true)]);
            sign_sections(&author, &["a"], vec![(Section::Install, nested)])
        }, "Decode(TooDeep)")
        .refused("run-sequence", {
            let inner = vec![condition(Condition::Abort)];
            let nested = (0..20).fold(inner, |inner, _| vec![run(inner)]);
            sign_sections(&author, &["a"], vec![(Section::Install, nested)])
        }, "Decode(TooDeep)"),
        Attack::new(
            "length-that-lies",
            "announces more than there is: four thousand million commands, a text of 2^63 bytes",
            "Nothing is allocated on the strength of an announcement.",
        )
        .refused("commands", install(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 14, 15]), "Decode(Truncated)")
        .refused("uri", parameter(&[21, 0x7b, 0x80, 0, 0, 0, 0, 0, 0, 0, b'x']), "Decode(Truncated)")
        .refused("parameters", install(&[0x82, 20, 0xba, 0xff, 0xff, 0xff, 0xff, 14, 1]), "Decode(Truncated)"),
        Attack::new(
            "wrong-language-tag",
            "names languages in ways that a user interface might take for a path or markup",
            "Language tags are letters and digits in groups of one to eight; anything else is refused.",
        )
        .refused("path", text(&[0xa1, 0x64, b'.', b'.', b'/', b'x', 0xa0]), EXPECTED)
        .refused("underscore", text(&[0xa1, 0x65, b'e', b'n', b'_', b'U', b'S', 0xa0]), EXPECTED)
        .refused("empty", text(&[0xa1, 0x60, 0xa0]), EXPECTED)
        .refused("nine-letters", text(&[&[0xa1, 0x69][..], b"ninechars", &[0xa0]].concat()), EXPECTED)
        .refused("no-language", text(&[0xa0]), BOUNDS),
        Attack::new(
            "parameter-of-wrong-type",
            "gives parameters values of other types, which a parser may cast",
            "Each parameter has one type; those that are structures are wrapped in a byte string.",
        )
        .refused("vendor-as-text", parameter(&[&[1, 0x70][..], &[b'x'; 16]].concat()), EXPECTED)
        .refused("vendor-of-15-bytes", parameter(&[&[1, 0x4f][..], &[1; 15]].concat()), BOUNDS)
        .refused("class-as-number", parameter(&[2, 1]), EXPECTED)
        .refused("digest-as-bytes", parameter(&[&[3, 0x58, 32][..], &[0; 32]].concat()), TRAILING)
        .refused("use-before-negative", parameter(&[4, 0x20]), EXPECTED)
        .refused("slot-as-text", parameter(&[5, 0x61, b'1']), EXPECTED)
        .refused("soft-failure-as-number", parameter(&[13, 1]), EXPECTED)
        .refused("size-as-float", parameter(&[14, 0xf9, 0x3c, 0]), EXPECTED)
        .refused("size-negative", parameter(&[14, 0x20]), EXPECTED)
        .refused("content-as-text", parameter(&[18, 0x61, b'x']), EXPECTED)
        .refused("uri-tagged", parameter(&[21, 0xd8, 32, 0x61, b'x']), EXPECTED)
        .refused("uri-as-bytes", parameter(&[21, 0x41, b'x']), EXPECTED)
        .refused("source-as-list", parameter(&[22, 0x81, 0]), EXPECTED)
        .refused("uri-not-utf-8", parameter(&[21, 0x61, 0xff]), "Decode(InvalidUtf8)"),
        Attack::new(
            "wrong-version",
            "sends a manifest of another version, or of none",
            "Only version 1 is processed; a manifest without its mandatory members is none.",
        )
        .refused("version-2", {
            let mut manifest = manifest.clone();
            manifest[2] = 2;
            sign_raw(&author, &manifest)
        }, BOUNDS)
        .refused("no-version", {
            let manifest = Writer::build(|w| {
                w.map(2).int(2).uint(1).int(3).bytes(&[&[0xa1][..], &component].concat());
            });
            sign_raw(&author, &manifest)
        }, "Decode(Missing)")
        .refused("no-sequence-number", {
            let manifest = Writer::build(|w| {
                w.map(2).int(1).uint(1).int(3).bytes(&[&[0xa1][..], &component].concat());
            });
            sign_raw(&author, &manifest)
        }, "Decode(Missing)")
        .refused("no-common", sign_raw(&author, &[0xa2, 1, 1, 2, 1]), "Decode(Missing)"),
        Attack::new(
            "digest-confusion",
            "passes one digest off as another: too short, too long, or under the label of another algorithm",
            "A digest has the length of its algorithm, and algorithms that are not implemented are refused. \
             What has the right length is compared whole.",
        )
        .refused("sha-512-of-32-bytes", digest(-44, &[0; 32]), BOUNDS)
        .refused("sha-384-with-sha-256-value", digest(-43, &crypto().sha256(b"payload")), BOUNDS)
        .refused("sha-256-truncated", digest(-16, &crypto().sha256(b"payload")[..16]), BOUNDS)
        .refused("empty", digest(-16, b""), BOUNDS)
        .refused("unknown-algorithm", digest(-99, &[0; 32]), "AlgorithmUnsupported")
        .refused("three-elements", {
            let digest = Writer::build(|w| {
                w.array(3).int(-16).bytes(&[0; 32]).uint(0);
            });
            parameter(&member(3, &digest))
        }, EXPECTED)
        .rolled_back("sha-384-padded", {
            let mut padded = crypto().sha256(b"payload").to_vec();
            padded.resize(48, 0);
            digest(-43, &padded)
        }, "ConditionFailed(image-match)"),
    ]
}

/// Writes `payload` and compares it with this digest.
fn digest(algorithm: i64, bytes: &[u8]) -> Vec<u8> {
    let digest = Writer::build(|w| {
        w.array(2).int(algorithm).bytes(bytes);
    });
    let install = Writer::build(|w| {
        w.array(6).int(20).map(2);
        w.int(3).bytes(&digest).int(18).bytes(b"payload");
        w.int(18).uint(15).int(3).uint(15);
    });
    self::install(&install)
}
