//! Envelopes that nobody trusted signed, or not like this: refused, before anything happens.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_cose::cbor::{Problem, Writer};
use tamarack_suit::{
    Action, Envelope, Error, Limits, NoFetch, Processor, Section, Settings, SingleAuthority,
    report::Reason,
};

// req: SUIT-ENV-004, SUIT-ENV-017
#[test]
fn truncated_anywhere() {
    let severed = ta_draft(1, b"payload").sever(&crypto(), Section::Install);
    for draft in [ta_draft(1, b"payload"), severed] {
        let envelope = draft.sign(&crypto(), &[&*author(2).signer]).unwrap();
        for length in 0..envelope.len() {
            refused_untouched(&envelope[..length]);
        }
        let mut longer = envelope.clone();
        longer.push(0);
        assert_eq!(problem(&longer), Problem::TrailingBytes);
    }
}

// req: SUIT-ENV-004, SUIT-SEV-006, SUIT-SEV-016
#[test]
fn any_single_bit_flipped() {
    let author = author(2);
    let severed = ta_draft(1, b"payload").sever(&crypto(), Section::Install);
    for draft in [ta_draft(1, b"payload"), severed] {
        let envelope = draft.sign(&crypto(), &[&*author.signer]).unwrap();
        let mut survived = 0;
        for bit in 0..envelope.len() * 8 {
            let mut flipped = envelope.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut device = device();
            let outcome = update(&mut device, &author, &flipped);
            match outcome.result {
                // Only what changes nothing that counts may pass, with the content that was signed.
                Ok(()) => {
                    survived += 1;
                    // The key id in the unprotected header, which no signature covers: the key is then found
                    // by trying.
                    assert_eq!(
                        device.content(&id("provider/app/ta")),
                        Some(&b"payload"[..])
                    );
                    assert_eq!(outcome.report.reference.digest, draft.digest(&crypto()));
                }
                Err(_) => assert_eq!(device.components().count(), 0),
            }
        }
        assert!(survived <= 33 * 8);
    }
}

// req: SUIT-ENV-005
#[test]
fn a_wrapper_without_a_block() {
    let envelope = ta_draft(1, b"payload").encode_unsigned(&crypto());
    assert_eq!(refused_untouched(&envelope), Error::Unsigned);
    // Not even the digest.
    let empty = Writer::build(|w| {
        w.map(2)
            .int(2)
            .bytes(&[0x80])
            .int(3)
            .bytes(&raw_manifest(&[]));
    });
    assert!(matches!(problem(&empty), Problem::OutOfBounds(_)));
}

// req: SUIT-ENV-006, SUIT-ENV-007
#[test]
fn blocks_that_are_no_tagged_detached_signature() {
    let envelope = ta(&author(2), 1, b"payload");
    let decoded = Envelope::decode(&envelope).unwrap();
    let block = decoded.authentication_blocks()[0].to_vec();
    let digest = decoded.claimed_digest();
    let with = |block: &[u8]| {
        let digest = Writer::build(|w| {
            w.array(2).int(digest.algorithm_id()).bytes(digest.bytes());
        });
        let wrapper = Writer::build(|w| {
            w.array(2).bytes(&digest).bytes(block);
        });
        Writer::build(|w| {
            w.map(2)
                .int(2)
                .bytes(&wrapper)
                .int(3)
                .raw(decoded.manifest_item());
        })
    };
    assert_eq!(block[0], 0xd2);
    assert!(matches!(
        refused_untouched(&with(&block[1..])),
        Error::CoseUnsupported(_)
    ));
    // The tag of a MAC does not make the signature one.
    let mut mac = block.clone();
    mac[0] = 0xd1;
    let error = refused_untouched(&with(&mac));
    assert_eq!(error, Error::AlgorithmUnsupported(-9));
    assert_eq!(error.reason(), Reason::AlgorithmUnsupported);
    let mut encrypted = block.clone();
    encrypted[0] = 0xd0;
    assert!(matches!(
        refused_untouched(&with(&encrypted)),
        Error::CoseUnsupported(_)
    ));
    let attached = tamarack_cose::sign1(&*author(2).signer, b"x", None).unwrap();
    assert!(matches!(
        refused_untouched(&with(&attached)),
        Error::CoseUnsupported(_)
    ));
    assert!(matches!(refused_untouched(&with(b"")), Error::Decode(_)));
    let mut trailing = block;
    trailing.push(0);
    assert_eq!(problem(&with(&trailing)), Problem::TrailingBytes);
}

// req: SUIT-ENV-011
#[test]
fn one_good_and_one_bad_signature() {
    let (good, other) = (author(2), author(4));
    let draft = ta_draft(1, b"payload");
    let crypto = crypto();
    let both = draft
        .sign(&crypto, &[&*good.signer, &*other.signer])
        .unwrap();
    let envelope = Envelope::decode(&both).unwrap();
    let mut keys = envelope
        .authenticate(&crypto, &[other.key, good.key])
        .unwrap()
        .signers()
        .to_vec();
    keys.sort();
    let mut expected = [good.key, other.key].map(tamarack_suit::Authority::from);
    expected.sort();
    assert_eq!(keys, expected);
    // By a stranger: passed over.
    let signers = envelope
        .authenticate(&crypto, &[good.key])
        .unwrap()
        .signers()
        .to_vec();
    assert_eq!(signers, [good.key]);
    // In the name of a trusted key, and wrong: refused.
    let block = envelope.authentication_blocks()[1];
    let at = both
        .windows(block.len())
        .position(|window| window == block)
        .unwrap();
    let mut forged = both.clone();
    forged[at + block.len() - 1] ^= 1;
    let forged = Envelope::decode(&forged).unwrap();
    assert!(forged.authenticate(&crypto, &[good.key]).is_ok());
    assert!(matches!(
        forged.authenticate(&crypto, &[good.key, other.key]),
        Err(Error::Unauthorized(_))
    ));
}

// A key id of another scheme is no reason to refuse a good signature.
#[test]
fn key_ids_of_another_scheme() {
    let author = author(2);
    let crypto = crypto();
    let envelope = ta(&author, 1, b"payload");
    let kid = author.key.key_id(&crypto);
    let at = envelope
        .windows(32)
        .position(|window| window == kid.as_bytes())
        .unwrap();
    // {4: h'…32 bytes…'} becomes {4: 'kid-1'}, with the lengths around it.
    let mut short = envelope.clone();
    short.splice(at - 2..at + 32, *b"\x45kid-1");
    let removed = 34 - 6;
    // The wrapper and the block, each with a one-byte length.
    assert_eq!((short[4], short[45]), (0x58, 0x58));
    for length in [5, 46] {
        short[length] -= removed;
    }
    let decoded = Envelope::decode(&short).unwrap();
    assert_eq!(
        decoded
            .authenticate(&crypto, &[author.key])
            .unwrap()
            .signers(),
        [author.key]
    );
    // Nor is one that has the form of a thumbprint and is nobody's.
    let mut other = envelope;
    other[at] ^= 1;
    let decoded = Envelope::decode(&other).unwrap();
    assert!(decoded.authenticate(&crypto, &[author.key]).is_ok());
}

// req: SUIT-SEV-006, SUIT-SEV-007, SUIT-SEV-008
#[test]
fn severed_install_swapped_under_a_good_signature() {
    let author = author(2);
    let crypto = crypto();
    let evil = sequence([set([content(b"evil")]), action(Action::Write)]).encode();
    let member = |label: i64, content: &[u8]| {
        Writer::build(|w| {
            w.int(label).bytes(content);
        })
    };
    let draft = ta_draft(1, b"payload").sever(&crypto, Section::Install);
    let manifest = draft.manifest().encode();
    let swapped = sign_with_members(&author, &manifest, &[member(20, &evil)]);
    assert_eq!(refused_untouched(&swapped), Error::SeveredDigest(20));
    // Left out: nothing runs.
    let gone = sign_raw(&author, &manifest);
    assert_eq!(refused_untouched(&gone), Error::SeveredMissing("install"));
    // Where the manifest has the section itself, or has none, the envelope's is never looked at.
    let inline = ta_draft(1, b"payload");
    let payload = Writer::build(|w| {
        w.text("#ta").bytes(b"payload");
    });
    let members = [member(15, &evil), member(20, &evil), payload];
    let extra = sign_with_members(&author, &inline.manifest().encode(), &members);
    let mut device = device();
    assert_eq!(update(&mut device, &author, &extra).result, Ok(()));
    assert_eq!(
        device.content(&id("provider/app/ta")),
        Some(&b"payload"[..])
    );
}

#[test]
fn an_envelope_longer_than_the_limit() {
    let author = author(2);
    let crypto = crypto();
    let trusted = [author.key];
    let limits = Limits {
        envelope_bytes: 100,
        ..Limits::default()
    };
    let processor = Processor::new(&crypto, &trusted, &SingleAuthority).with_settings(Settings {
        limits,
        ..Settings::default()
    });
    let outcome = processor.update_bytes(&mut device(), &mut NoFetch, &ta(&author, 1, b"payload"));
    assert!(matches!(outcome.result, Err(Error::Decode(_))));
}

#[test]
fn what_the_manifest_does_not_name_is_not_kept() {
    let author = author(2);
    let manifest = ta_draft(1, b"payload").manifest().encode();
    let stuffing = |label| {
        Writer::build(|w| {
            w.int(label).bytes(&[7; 1 << 16]);
        })
    };
    let kept = |members: &[Vec<u8>]| {
        let payload = Writer::build(|w| {
            w.text("#ta").bytes(b"payload");
        });
        let members = [members, &[payload]].concat();
        let envelope = sign_with_members(&author, &manifest, &members);
        let mut device = device();
        assert_eq!(update(&mut device, &author, &envelope).result, Ok(()));
        device.content(&id("provider/app/suit")).unwrap().len()
    };
    assert_eq!(kept(&[stuffing(14), stuffing(23)]), kept(&[]));
}
