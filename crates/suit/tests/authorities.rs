//! Who is believed: several authorities, MACs, and thresholds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that meets the unexpected fails"
)]

mod common;

use common::*;
use tamarack_cose::{
    KeyId, MacAlgorithm, MacKey, MacWrappingKey, PublicKey, Signer, SymmetricKey, cbor::Writer,
    mac0_detached, sign_detached, sign1_detached,
};
use tamarack_suit::{
    Authority, Envelope, Error, NoFetch, Processor, TrustAnchor, TrustAnchors, author::Draft,
    report::Reason,
};

/// The draft's envelope with authentication blocks of any kind, each made of the digest.
fn with_blocks(draft: &Draft, make: &dyn Fn(&[u8]) -> Vec<Vec<u8>>) -> Vec<u8> {
    let unsigned = draft.encode_unsigned(&crypto());
    let envelope = Envelope::decode(&unsigned).unwrap();
    let digest = Writer::build(|w| envelope.claimed_digest().write(w));
    let blocks = make(&digest);
    let wrapper = Writer::build(|w| {
        w.array(1 + blocks.len()).bytes(&digest);
        for block in &blocks {
            w.bytes(block);
        }
    });
    Writer::build(|w| {
        w.tag(107).map(2 + envelope.integrated().len());
        w.int(2)
            .bytes(&wrapper)
            .int(3)
            .raw(envelope.manifest_item());
        for (key, payload) in envelope.integrated() {
            w.text(key).bytes(payload);
        }
    })
}

/// A COSE_Sign1 by `author` that names the key with this id.
fn block(author: &Author, digest: &[u8], key_id: Option<&KeyId>) -> Vec<u8> {
    sign1_detached(&*author.signer, digest, key_id).unwrap()
}

fn authenticate(envelope: &[u8], trusted: &TrustAnchors) -> Result<Vec<Authority>, Error> {
    Envelope::decode(envelope)
        .unwrap()
        .authenticate(&crypto(), trusted)
        .map(|authentic| authentic.signers().to_vec())
}

const FORGED: Error = Error::Unauthorized(tamarack_cose::Error::BadSignature);
const UNKNOWN: Error = Error::Unauthorized(tamarack_cose::Error::UnknownKey);

// req: SUIT-ENV-006, SUIT-ENV-007, SUIT-ENV-010, SUIT-ENV-011
#[test]
fn a_mac_authenticates() {
    let crypto = crypto();
    let (ours, theirs) = (mac_key(1), mac_key(2));
    let draft = ta_draft(1, b"payload");
    let trusted = anchors([TrustAnchor::new(ours.clone())]);
    let authority = Authority::Mac(ours.key_id(&crypto));
    for key_id in [
        None,
        Some(&b"somebody's"[..]),
        Some(ours.key_id(&crypto).as_bytes()),
    ] {
        let envelope = draft.mac(&crypto, &ours, key_id);
        assert_eq!(authenticate(&envelope, &trusted), Ok(vec![authority]));
    }
    // By the key of another: unknown, or a forgery if it has our key's name.
    let envelope = draft.mac(&crypto, &theirs, None);
    assert_eq!(authenticate(&envelope, &trusted), Err(UNKNOWN));
    let named = ours.key_id(&crypto);
    let envelope = draft.mac(&crypto, &theirs, Some(named.as_bytes()));
    assert_eq!(authenticate(&envelope, &trusted), Err(FORGED));
    // The name that the device was configured with counts as much.
    let trusted = anchors([TrustAnchor::new(ours.clone()).with_key_id(*b"kid-1")]);
    let envelope = draft.mac(&crypto, &theirs, Some(b"kid-1"));
    assert_eq!(authenticate(&envelope, &trusted), Err(FORGED));
    let envelope = draft.mac(&crypto, &ours, Some(b"kid-1"));
    assert_eq!(authenticate(&envelope, &trusted), Ok(vec![authority]));
    // Beside a signature, both count.
    let author = author(2);
    let envelope = Envelope::decode(&envelope).unwrap();
    let both = envelope
        .add_signatures(&crypto, &[&*author.signer])
        .unwrap();
    let trusted = anchors([TrustAnchor::new(author.key), TrustAnchor::new(ours.clone())]);
    let expected = vec![authority, author.key.into()];
    assert_eq!(authenticate(&both, &trusted), Ok(expected));
    // A Recipient's own MAC goes on as well, and a changed manifest gets none.
    let signed = ta(&author, 1, b"payload");
    let signed = Envelope::decode(&signed).unwrap();
    let with_mac = signed.add_mac(&crypto, &ours, None).unwrap();
    let own = anchors([TrustAnchor::new(ours)]);
    assert_eq!(authenticate(&with_mac, &own), Ok(vec![authority]));
}

// req: SUIT-ENV-004, SUIT-ENV-006, SUIT-MTI-005
#[test]
fn macs_that_are_none() {
    let crypto = crypto();
    let key = mac_key(1);
    let trusted = anchors([TrustAnchor::new(key.clone())]);
    let draft = ta_draft(1, b"payload");
    let good = draft.mac(&crypto, &key, None);
    // Every bit of the tag counts, and its length.
    let block = Envelope::decode(&good).unwrap().authentication_blocks()[0].to_vec();
    let at = good.windows(block.len()).position(|w| w == block).unwrap();
    for bit in 0..256 {
        let mut bad = good.clone();
        bad[at + block.len() - 1 - bit / 8] ^= 1 << (bit % 8);
        assert_eq!(authenticate(&bad, &trusted), Err(UNKNOWN));
    }
    let mac0 = |algorithm: i64, tag: &[u8], payload: Option<&[u8]>| {
        let protected = Writer::build(|w| {
            w.map(1).int(1).int(algorithm);
        });
        with_blocks(&draft, &|_| {
            vec![Writer::build(|w| {
                w.tag(17).array(4).bytes(&protected).map(0);
                match payload {
                    Some(payload) => w.bytes(payload),
                    None => w.null(),
                };
                w.bytes(tag);
            })]
        })
    };
    let tag = &block[block.len() - 32..];
    assert_eq!(
        authenticate(&mac0(5, tag, None), &trusted).map(drop),
        Ok(())
    );
    assert_eq!(
        authenticate(&mac0(5, &tag[..8], None), &trusted),
        Err(UNKNOWN)
    );
    assert_eq!(authenticate(&mac0(5, b"", None), &trusted), Err(UNKNOWN));
    // HMAC 256/64 is not believed, with a tag of any length.
    for length in [8, 32] {
        assert_eq!(
            authenticate(&mac0(4, &tag[..length], None), &trusted),
            Err(Error::AlgorithmUnsupported(4))
        );
    }
    assert!(matches!(
        authenticate(&mac0(5, tag, Some(b"attached")), &trusted),
        Err(Error::CoseUnsupported(_))
    ));
    // No algorithm in the protected header.
    let bare = with_blocks(&draft, &|_| {
        vec![Writer::build(|w| {
            w.tag(17)
                .array(4)
                .bytes(b"")
                .map(1)
                .int(1)
                .int(5)
                .null()
                .bytes(tag);
        })]
    });
    assert!(matches!(
        authenticate(&bare, &trusted),
        Err(Error::CoseUnsupported(_))
    ));
    // The bytes of a public key are no secret.
    let author = author(3);
    let PublicKey::Ed25519 { x } = author.key else {
        panic!("an Ed25519 key")
    };
    let public = MacKey::new(MacAlgorithm::Hmac256, SymmetricKey::new(x)).unwrap();
    let confused = draft.mac(
        &crypto,
        &public,
        Some(author.key.key_id(&crypto).as_bytes()),
    );
    let trusted = anchors([TrustAnchor::new(author.key)]);
    assert_eq!(authenticate(&confused, &trusted), Err(UNKNOWN));
}

// req: SUIT-ENV-006, SUIT-ENV-007, SUIT-ENV-010
#[test]
fn a_mac_for_several_recipients() {
    let crypto = crypto();
    let [ours, theirs, stranger] = [1, 2, 3].map(|byte| {
        MacWrappingKey::new(SymmetricKey::new(vec![byte; 8 + 8 * usize::from(byte)])).unwrap()
    });
    let draft = ta_draft(1, b"payload");
    let to = |recipients: &[(&MacWrappingKey, Option<&[u8]>)]| {
        draft
            .mac_to(&crypto, MacAlgorithm::Hmac256, recipients)
            .unwrap()
    };
    let envelope = to(&[(&ours, None), (&theirs, Some(b"kid-2"))]);
    for key in [&ours, &theirs] {
        let trusted = anchors([TrustAnchor::new(key.clone())]);
        let authority = Authority::Mac(key.key_id(&crypto));
        assert_eq!(authenticate(&envelope, &trusted), Ok(vec![authority]));
    }
    let trusted = anchors([TrustAnchor::new(stranger.clone())]);
    assert_eq!(authenticate(&envelope, &trusted), Err(UNKNOWN));
    // Whoever has one of the keys knows the key of the MAC: it does not count for both.
    let both = [&ours, &theirs].map(|key| TrustAnchor::new(key.clone()));
    let few = Error::TooFewSigners {
        needed: 2,
        found: 1,
    };
    assert_eq!(
        authenticate(&envelope, &anchors(both).with_threshold(2)),
        Err(few)
    );
    // In the name of our key, under the key of another of the same length.
    let other = MacWrappingKey::new(SymmetricKey::new([9; 16])).unwrap();
    let envelope = to(&[(&other, Some(b"kid-1"))]);
    let trusted = anchors([TrustAnchor::new(ours.clone()).with_key_id(*b"kid-1")]);
    assert_eq!(authenticate(&envelope, &trusted), Err(FORGED));
    // A key that wraps and a key that MACs are not one another.
    let bytes = SymmetricKey::new([7; 32]);
    let wrapping = MacWrappingKey::new(bytes.clone()).unwrap();
    let direct = MacKey::new(MacAlgorithm::Hmac256, bytes).unwrap();
    let trusted = anchors([TrustAnchor::new(wrapping.clone())]);
    let maced = draft.mac(&crypto, &direct, None);
    assert_eq!(authenticate(&maced, &trusted), Err(UNKNOWN));
    let trusted = anchors([TrustAnchor::new(direct)]);
    let wrapped = to(&[(&wrapping, None)]);
    assert_eq!(authenticate(&wrapped, &trusted), Err(UNKNOWN));
}

// req: SUIT-ENV-005, SUIT-ENV-011
#[test]
fn two_of_three() {
    let crypto = crypto();
    let (one, two, three) = (author(2), author(3), author(4));
    let stranger = author(6);
    let trusted =
        anchors([&one, &two, &three].map(|author| TrustAnchor::new(author.key))).with_threshold(2);
    let signed = |authors: &[&Author]| {
        let signers: Vec<&dyn Signer> = authors.iter().map(|author| &*author.signer).collect();
        let draft = ta_draft(1, b"payload");
        [
            draft.sign(&crypto, &signers).unwrap(),
            draft.sign_together(&crypto, &signers).unwrap(),
        ]
    };
    let few = |found| Err(Error::TooFewSigners { needed: 2, found });
    for pair in [[&one, &two], [&three, &one], [&two, &three]] {
        for envelope in signed(&pair) {
            let keys = pair.map(|author| author.key.into()).to_vec();
            assert_eq!(authenticate(&envelope, &trusted), Ok(keys));
        }
    }
    for envelope in signed(&[&one, &two, &three]) {
        assert_eq!(authenticate(&envelope, &trusted).unwrap().len(), 3);
    }
    // One is one, however often, and a stranger is nobody.
    let often = |authors: &[&Author]| {
        let draft = ta_draft(1, b"payload");
        let signers: Vec<&dyn Signer> = authors.iter().map(|author| &*author.signer).collect();
        [
            with_blocks(&draft, &|digest| {
                let blocks = authors.iter();
                blocks
                    .map(|author| block(author, digest, Some(&author.key.key_id(&crypto))))
                    .collect()
            }),
            with_blocks(&draft, &|digest| {
                vec![sign_detached(&crypto, &signers, digest).unwrap()]
            }),
        ]
    };
    for alone in [
        &[&one][..],
        &[&one, &one],
        &[&one, &stranger, &one],
        &[&two, &two, &two],
    ] {
        for envelope in often(alone) {
            assert_eq!(authenticate(&envelope, &trusted), few(1));
        }
    }
    for envelope in often(&[&stranger, &stranger]) {
        assert_eq!(authenticate(&envelope, &trusted), Err(UNKNOWN));
    }
    assert_eq!(few(1).unwrap_err().reason(), Reason::Unauthorized);
    // A key that was configured twice is one too.
    let twice = [&one, &one, &two].map(|author| TrustAnchor::new(author.key));
    let trusted = anchors(twice).with_threshold(2);
    for envelope in often(&[&one, &one]) {
        assert_eq!(authenticate(&envelope, &trusted), few(1));
    }
    // Nobody is as few as nobody.
    let unsigned = ta_draft(1, b"payload").encode_unsigned(&crypto);
    let none = anchors([TrustAnchor::new(one.key)]).with_threshold(0);
    assert_eq!(authenticate(&unsigned, &none), Err(Error::Unsigned));
    assert_eq!(authenticate(&unsigned, &anchors([])), Err(Error::Unsigned));
    for envelope in signed(&[&one]) {
        assert_eq!(authenticate(&envelope, &anchors([])), Err(UNKNOWN));
    }
}

// req: SUIT-ENV-004, SUIT-ENV-011
#[test]
fn signatures_in_the_name_of_another() {
    let crypto = crypto();
    let (good, other, stranger) = (author(2), author(4), author(6));
    let draft = ta_draft(1, b"payload");
    let trusted = anchors([TrustAnchor::new(good.key), TrustAnchor::new(other.key)]);
    let id = |author: &Author| author.key.key_id(&crypto);
    // The right name and the wrong key, alone and beside a good signature, before and after it.
    let forged = |digest: &[u8]| block(&stranger, digest, Some(&id(&other)));
    let fine = |digest: &[u8]| block(&good, digest, Some(&id(&good)));
    let envelopes = [
        with_blocks(&draft, &|digest| vec![forged(digest)]),
        with_blocks(&draft, &|digest| vec![forged(digest), fine(digest)]),
        with_blocks(&draft, &|digest| vec![fine(digest), forged(digest)]),
        // By a trusted key, in the name of another trusted one.
        with_blocks(&draft, &|digest| {
            vec![block(&good, digest, Some(&id(&other)))]
        }),
        // Of another digest.
        with_blocks(&draft, &|_| vec![fine(b"another"), fine(b"another")]),
    ];
    for envelope in envelopes {
        assert_eq!(authenticate(&envelope, &trusted), Err(FORGED));
        let key = [good.key, other.key];
        let decoded = Envelope::decode(&envelope).unwrap();
        assert_eq!(decoded.authenticate(&crypto, &key), Err(FORGED));
    }
    // Nobody's name, and the wrong key: as if it were not there.
    let envelope = with_blocks(&draft, &|digest| {
        vec![block(&stranger, digest, None), fine(digest)]
    });
    assert_eq!(authenticate(&envelope, &trusted), Ok(vec![good.key.into()]));
    // In one COSE_Sign it is the same.
    let signers: [&dyn Signer; 2] = [&*good.signer, &*other.signer];
    let spoil = |position: usize| {
        with_blocks(&draft, &|digest| {
            let mut block = sign_detached(&crypto, &signers, digest).unwrap();
            let end = block.len() - 1 - position * (block.len() - 7) / 2;
            block[end] ^= 1;
            vec![block]
        })
    };
    for position in [0, 1] {
        assert_eq!(authenticate(&spoil(position), &trusted), Err(FORGED));
    }
    // Algorithms that nobody knows are passed over, and said if there is nothing else.
    let strange = |_: &[u8]| {
        Writer::build(|w| {
            w.tag(18)
                .array(4)
                .bytes(&[0xa1, 0x01, 0x38, 0x63])
                .map(0)
                .null();
            w.bytes(&[0; 64]);
        })
    };
    let envelope = with_blocks(&draft, &|digest| vec![strange(digest), fine(digest)]);
    assert_eq!(authenticate(&envelope, &trusted), Ok(vec![good.key.into()]));
    let envelope = with_blocks(&draft, &|digest| vec![strange(digest)]);
    assert_eq!(
        authenticate(&envelope, &trusted),
        Err(Error::AlgorithmUnsupported(-100))
    );
    // A MAC in the name of a public key is none.
    let envelope = with_blocks(&draft, &|digest| {
        let id = id(&good);
        vec![mac0_detached(
            &crypto,
            &mac_key(1),
            digest,
            Some(id.as_bytes()),
        )]
    });
    assert_eq!(authenticate(&envelope, &trusted), Err(UNKNOWN));
}

// req: SUIT-ENV-016
#[test]
fn a_manifest_that_was_changed_after_it_was_verified() {
    let crypto = crypto();
    let author = author(2);
    let trusted = [author.key];
    let processor = Processor::new(&crypto, &trusted, &tamarack_suit::SingleAuthority);
    let envelope = ta(&author, 1, b"payload");
    let decoded = Envelope::decode(&envelope).unwrap();
    let authentic = decoded.authenticate(&crypto, &trusted).unwrap();
    // What was verified has its bytes itself: it outlives those that came in, and no one can change it.
    let owned = authentic.clone().into_owned();
    assert_eq!(owned, authentic);
    drop(authentic);
    drop(envelope);
    let mut device = device();
    let outcome = processor.update(&mut device, &mut NoFetch, &owned);
    assert_eq!(outcome.result, Ok(()));
    // The stored manifest, with any byte of it changed, is not run; what it installed goes by its record.
    let place = id("provider/app/suit");
    let kept = device.content(&place).unwrap().to_vec();
    let manifest = Envelope::decode(&kept).unwrap().manifest_item().to_vec();
    let start = kept
        .windows(manifest.len())
        .position(|w| w == manifest)
        .unwrap();
    for at in start..start + manifest.len() {
        let mut changed = kept.clone();
        changed[at] ^= 1;
        let mut device = device.clone();
        device.put(&place, &changed);
        let outcome = processor.invoke(&mut device, &mut NoFetch, &place);
        assert!(outcome.result.is_err(), "byte {at}");
        let outcome = processor.uninstall(&mut device, &mut NoFetch, &place);
        assert_eq!(outcome.result, Ok(()), "byte {at}");
        assert_eq!(device.components().count(), 0);
    }
}

// req: SUIT-ENV-010
#[test]
fn an_author_signs_once() {
    let crypto = crypto();
    let (one, two) = (author(2), author(3));
    let draft = ta_draft(1, b"payload");
    let twice = tamarack_cose::Error::DuplicateSigner;
    let same: [&dyn Signer; 3] = [&*one.signer, &*two.signer, &*one.signer];
    assert_eq!(draft.sign(&crypto, &same), Err(twice.clone()));
    assert_eq!(draft.sign_together(&crypto, &same), Err(twice.clone()));
    let again = |envelope: &[u8], signers: &[&dyn Signer]| {
        let envelope = Envelope::decode(envelope).unwrap();
        envelope.add_signatures(&crypto, signers)
    };
    let refused = Err(Error::Unauthorized(twice));
    let [first, together] = [
        draft.sign(&crypto, &[&*one.signer]).unwrap(),
        draft.sign_together(&crypto, &[&*one.signer]).unwrap(),
    ];
    let nameless = with_blocks(&draft, &|digest| vec![block(&one, digest, None)]);
    for envelope in [&first, &together, &nameless] {
        assert_eq!(again(envelope, &[&*one.signer]), refused);
        assert_eq!(again(envelope, &[&*two.signer, &*two.signer]), refused);
        let both = again(envelope, &[&*two.signer]).unwrap();
        let trusted = anchors([&one, &two].map(|author| TrustAnchor::new(author.key)));
        assert_eq!(authenticate(&both, &trusted).unwrap().len(), 2);
    }
    // A signature of another manifest by the same key is none of this one.
    let foreign = with_blocks(&draft, &|_| vec![block(&one, b"another digest", None)]);
    assert!(again(&foreign, &[&*one.signer]).is_ok());
    let (key, other) = (mac_key(1), mac_key(2));
    let envelope = draft.mac(&crypto, &key, Some(b"kid-1"));
    let envelope = Envelope::decode(&envelope).unwrap();
    assert_eq!(envelope.add_mac(&crypto, &key, Some(b"kid-2")), refused);
    assert!(envelope.add_mac(&crypto, &other, Some(b"kid-1")).is_ok());
}

// Key ids say nothing about secret keys, and are each key's own.
#[test]
fn authorities_are_told_apart() {
    let crypto = crypto();
    let (one, two) = (mac_key(1), mac_key(2));
    let ids = [one.key_id(&crypto), two.key_id(&crypto)];
    assert_ne!(ids[0], ids[1]);
    assert_ne!(*ids[0].as_bytes(), crypto.sha256(&[1; 32]));
    let author = author(2);
    let authority = Authority::from(author.key);
    assert_eq!(authority.key_id(&crypto), author.key.key_id(&crypto));
    assert_eq!(authority, author.key);
    assert_eq!(authority.public_key(), Some(&author.key));
    assert_eq!(Authority::Mac(ids[0]).public_key(), None);
    let shown = format!("{:?}", TrustAnchor::new(one));
    assert!(!shown.contains("1, 1, 1"), "{shown}");
}
