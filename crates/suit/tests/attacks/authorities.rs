//! Who vouches for a manifest, and with what rights: MACs, hash-based signatures, thresholds.

use serde_json::json;
use tamarack_cose::{
    CryptoProvider, Error, MacAlgorithm, MacKey, SecureRandom, Signer, SymmetricKey,
    hss::{HssHash, HssLevel, HssSecretKey, HssSigner, HssState},
    mac0_detached, sign_detached, sign1_detached,
};
use tamarack_suit::{
    Action, Command, Common, Condition, Dependency, Envelope, Manifest, Parameter, Section,
    SequenceNumber, Severable, author::Draft,
};

use crate::{common::*, fixture::Attack};

/// Primitives whose randomness is the same each time.
pub fn repeatable() -> CryptoProvider {
    struct Fixed;
    impl SecureRandom for Fixed {
        fn fill(&self, out: &mut [u8]) -> Result<(), Error> {
            out.fill(4);
            Ok(())
        }
    }
    CryptoProvider {
        random: &Fixed,
        ..crypto()
    }
}

/// Counts from 0, for fixtures only.
struct Count(u64);

impl HssState for Count {
    fn claim(&mut self) -> Result<u64, Error> {
        self.0 += 1;
        Ok(self.0 - 1)
    }
}

fn hss() -> HssSigner {
    let level = HssLevel {
        hash: HssHash::Sha256_192,
        height: 5,
        width: 8,
    };
    let key = HssSecretKey::generate(&repeatable(), &[level]).unwrap();
    HssSigner::new(&crypto(), key, Box::new(Count(0))).unwrap()
}

/// The draft's envelope with these authentication blocks, made of the digest.
fn with_blocks(draft: &Draft, make: impl FnOnce(&[u8]) -> Vec<Vec<u8>>) -> Vec<u8> {
    let unsigned = draft.encode_unsigned(&crypto());
    let envelope = Envelope::decode(&unsigned).unwrap();
    let digest = encoded_digest(&envelope.claimed_digest());
    let blocks = make(&digest);
    envelope_of(&digest, &blocks, envelope.manifest_item())
}

/// Writes a payload; needs nothing else from its envelope.
fn writing(number: u64, payload: &'static [u8]) -> Draft {
    let common = Common {
        components: vec![id("a/b")],
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(number), common);
    let install = sequence([
        set([digest_of(payload), content(payload)]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ]);
    manifest.set_section(Section::Install, Severable::Inline(install));
    Draft::new(manifest)
}

/// A manifest by `author` that depends on one that `theirs` signed, with these install commands.
fn around(author: &Author, theirs: &Author, install: Vec<Command<'static>>) -> Vec<u8> {
    let carried = {
        let common = Common {
            components: vec![id("theirs/x")],
            ..Common::default()
        };
        let mut manifest = Manifest::new(SequenceNumber(1), common);
        manifest.component_id = Some(id("theirs/suit"));
        manifest.set_section(Section::Install, Severable::Inline(sequence(install)));
        Draft::new(manifest)
            .sign(&crypto(), &[&*theirs.signer])
            .unwrap()
    };
    let digest = Envelope::decode(&carried).unwrap().claimed_digest();
    let common = Common {
        components: vec![],
        dependencies: vec![Dependency {
            index: 0,
            prefix: Some(id("theirs/suit")),
        }],
        shared_sequence: Some(sequence([set([
            Parameter::ImageDigest(digest),
            uri("#inner"),
        ])])),
    };
    let mut manifest = Manifest::new(SequenceNumber(1), common);
    manifest.component_id = Some(id("ours/suit"));
    let install = sequence([
        action(Action::Fetch),
        condition(Condition::DependencyIntegrity),
        action(Action::ProcessDependency),
    ]);
    manifest.set_section(Section::Install, Severable::Inline(install));
    Draft::new(manifest)
        .with_integrated("#inner", carried)
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

pub fn attacks() -> Vec<Attack> {
    let crypto = crypto();
    let (ours, theirs) = (author(2), author(4));
    let (ours_id, theirs_id) = (ours.key.key_id(&crypto), theirs.key.key_id(&crypto));
    let (draft, other) = (writing(1, b"payload"), writing(2, b"evil"));
    let write = || set([content(b"x"), digest_of(b"x")]);
    // What is no secret, as the key of a MAC.
    let public = crypto.sha256(&ours.key.to_cose_key());
    let confused = MacKey::new(MacAlgorithm::Hmac256, SymmetricKey::new(public)).unwrap();
    let truncated = |length: usize| {
        with_blocks(&draft, |digest| {
            let mut block = mac0_detached(&crypto, &mac_key(7), digest, None);
            // The tag is the last item: a byte string of 32 bytes with a head of two.
            let head = block.len() - 34;
            block.truncate(head);
            block.extend([0x58, u8::try_from(length).unwrap()]);
            let tag = mac0_detached(&crypto, &mac_key(7), digest, None);
            block.extend(&tag[head + 2..head + 2 + length]);
            vec![block]
        })
    };
    let hss = hss();
    let hss_key = hex(&hss.public_key().to_cose_key());
    let hss_block = |digest: &[u8]| sign1_detached(&hss, digest, None).unwrap();
    let mut first = Vec::new();
    let by_hss = with_blocks(&draft, |digest| {
        first = hss_block(digest);
        vec![first.clone()]
    });
    let second = with_blocks(&draft, |digest| vec![hss_block(digest)]);
    let mixed = with_blocks(&draft, |digest| {
        let again = hss_block(digest);
        // The head of one signature with the tail of another.
        let half = again.len() / 2;
        vec![[&first[..half], &again[half..]].concat()]
    });
    let cut = with_blocks(&draft, |_| {
        let mut block = first.clone();
        block.pop();
        vec![block]
    });
    vec![
        Attack::new(
            "mac-key-confusion",
            "makes a MAC with what everybody knows of a trusted key, and gives it the name of that key",
            "A public key verifies signatures and nothing else; a MAC is by whoever shares a secret key.",
        )
        .refused("nameless", with_blocks(&draft, |digest| {
            vec![mac0_detached(&crypto, &confused, digest, None)]
        }), "Unauthorized")
        .refused("in-its-name", with_blocks(&draft, |digest| {
            vec![mac0_detached(&crypto, &confused, digest, Some(ours_id.as_bytes()))]
        }), "Unauthorized"),
        Attack::new(
            "mac-truncated",
            "cuts a MAC short, until a guess of it costs little",
            "The tag has the whole length of its algorithm.",
        )
        .setting("macs", json!([7]))
        .refused("nothing", truncated(0), "Unauthorized")
        .refused("eight-bytes", truncated(8), "Unauthorized")
        .refused("one-less", truncated(31), "Unauthorized")
        .refused("another-key", other.mac(&crypto, &mac_key(8), None), "Unauthorized")
        .accepted("whole", truncated(32)),
        Attack::new(
            "hash-based-signature-replayed",
            "puts the hash-based signature of one manifest on another, or makes one of the parts of two",
            "A signature is about one digest, and holds whole or not at all.",
        )
        .setting("keys", json!([hss_key]))
        .refused("on-another-manifest", with_blocks(&other, |_| vec![first.clone()]), "Unauthorized")
        .refused("of-two-halves", mixed, "Unauthorized")
        .refused("cut-off", cut, "Decode(Truncated)")
        .accepted("first", by_hss)
        .accepted("second-leaf", second),
        Attack::new(
            "threshold-by-one",
            "signs twice, in one block or in two or under another name, where two have to sign",
            "Different authorities count, not signatures.",
        )
        .rights(&[(2, ""), (4, "")])
        .setting("threshold", json!(2))
        .refused("two-blocks", with_blocks(&draft, |digest| {
            let block = sign1_detached(&*ours.signer, digest, Some(&ours_id)).unwrap();
            vec![block.clone(), block]
        }), "TooFewSigners")
        .refused("one-block", with_blocks(&draft, |digest| {
            vec![sign_detached(&crypto, &[&*ours.signer, &*ours.signer], digest).unwrap()]
        }), "TooFewSigners")
        .refused("in-anothers-name", with_blocks(&draft, |digest| {
            [&ours_id, &theirs_id]
                .map(|id| sign1_detached(&*ours.signer, digest, Some(id)).unwrap())
                .to_vec()
        }), "Unauthorized")
        .accepted("both", draft.sign(&crypto, &[&*ours.signer, &*theirs.signer]).unwrap()),
        Attack::new(
            "command-hidden-in-dependency",
            "has no right to start components, and does so in a dependency, where no alternative ever gets to",
            "Each manifest is held against the rights of its own signers, nested commands included.",
        )
        .rights(&[(2, "ours"), (4, "theirs")])
        .setting("commands", json!([18, 21]))
        .rolled_back("hidden", around(&ours, &theirs, vec![
            write(),
            action(Action::Write),
            condition(Condition::ImageMatch),
            try_each([
                vec![condition(Condition::ImageMatch)],
                vec![action(Action::Invoke)],
            ], true),
        ]), "CommandUnauthorized")
        .accepted("without", around(&ours, &theirs, vec![
            write(),
            action(Action::Write),
            condition(Condition::ImageMatch),
        ])),
    ]
}
