//! The envelopes whose bits are flipped: the published ones, and ours.

use tamarack_cose::{PublicKey, cbor::Writer};
use tamarack_suit::{
    Action, Command, Common, Condition, DependencyIntegrity, Envelope, IndexArgument, LanguageText,
    Manifest, MemoryDevice, Parameter, Parameters, Section, SequenceNumber, Settings, Severable,
    SuitDigest, Text, Version, WrittenContent,
    author::{ComponentBuilder, DependencyBuilder, Draft, ManifestBuilder},
};

use crate::common::*;

/// An envelope, and the Recipient that it is for.
pub struct Sample {
    pub name: String,
    pub envelope: Vec<u8>,
    pub trusted: Vec<PublicKey>,
    pub device: MemoryDevice,
    /// What the network serves.
    pub served: Vec<(String, Vec<u8>)>,
    pub settings: Settings,
}

impl Sample {
    pub fn server(&self) -> Server {
        let mut server = Server::default();
        server.files.extend(self.served.iter().cloned());
        server
    }
}

/// The lenient side of every choice: as much as possible is processed.
fn lenient() -> Settings {
    Settings {
        dependency_integrity: DependencyIntegrity::Implied,
        written_content: WrittenContent::CoveredBySignature,
        ..Settings::default()
    }
}

/// Every signed SUIT envelope of the vectors folder; none without the folder.
pub fn published() -> Vec<Sample> {
    let Some(folder) = vectors() else {
        return Vec::new();
    };
    let trusted = vec![
        pem(&folder, "trust-anchor-p256.pem"),
        pem(&folder, "delegated-authority-p256.pem"),
    ];
    let mut files = suit_draft().unwrap();
    files.retain(|(name, _)| !name.ends_with(".0.cbor"));
    for (folder, ending) in [
        ("suit-trust-domains", ".cbor"),
        ("suit-encryption", ".signed.cbor"),
        ("teep-draft", ".cbor"),
    ] {
        let mut more = vector_files(folder, ending).unwrap();
        more.retain(|(name, _)| folder != "teep-draft" || name.starts_with("suit_"));
        files.extend(more);
    }
    let dependent = files
        .iter()
        .find(|(name, _)| name == "example0_dependent.cbor")
        .unwrap()
        .1
        .clone();
    let mut served: Vec<_> = ["file.bin", "file1.bin", "file2.bin"]
        .iter()
        .map(|name| (format!("http://example.com/{name}"), b"no image".to_vec()))
        .collect();
    served.push(("http://example.com/dependent.suit".into(), dependent));
    let ta = "https://example.org/8d82573a-926d-4754-9353-32dc29997f74.ta";
    served.push((ta.into(), b"Hello, Secure World!".to_vec()));
    let mut device = draft_device();
    device.set_slot(&id("0x00"), 1);
    files
        .into_iter()
        .map(|(name, envelope)| Sample {
            name,
            envelope,
            trusted: trusted.clone(),
            device: device.clone(),
            served: served.clone(),
            settings: lenient(),
        })
        .collect()
}

/// Envelopes that together use everything that an envelope can hold.
pub fn ours() -> Vec<Sample> {
    let crypto = crypto();
    let (p256, ed25519) = (author(2), author(3));
    let one = |draft: Draft| draft.sign(&crypto, &[&*p256.signer]).unwrap();
    let integrated = || {
        ManifestBuilder::new(SequenceNumber(2))
            .manifest_id(id("app/suit"))
            .component(
                ComponentBuilder::new(id("app/ta"))
                    .vendor(vendor())
                    .class(class())
                    .integrated(&crypto, "#ta", b"payload"),
            )
    };
    let ta = one(integrated().build().unwrap());
    let mut samples = Vec::new();
    let mut put = |name: &str, envelope: Vec<u8>| {
        samples.push(Sample {
            name: name.into(),
            envelope,
            trusted: vec![p256.key, ed25519.key],
            device: device(),
            served: vec![],
            settings: Settings::default(),
        });
    };

    put("integrated", ta.clone());
    put(
        "ed25519",
        integrated()
            .build()
            .unwrap()
            .sign(&crypto, &[&*ed25519.signer])
            .unwrap(),
    );
    put(
        "two-signers",
        integrated()
            .build()
            .unwrap()
            .sign(&crypto, &[&*p256.signer, &*ed25519.signer])
            .unwrap(),
    );
    put("severed-install", {
        let draft = integrated().build().unwrap();
        one(draft.sever(&crypto, Section::Install))
    });
    put("severed-install-and-text", {
        let text = Text {
            languages: vec![(
                "en".into(),
                LanguageText {
                    manifest: vec![(1, "An update".into())],
                    components: vec![(id("app/ta"), vec![(6, "2.0".into())])],
                },
            )],
        };
        let draft = integrated().text(text).build().unwrap();
        one(draft.sever(&crypto, Section::Install).sever_text(&crypto))
    });
    put("written-content-and-version", {
        let draft = ManifestBuilder::new(SequenceNumber(1 << 40))
            .manifest_id(id("config/suit"))
            .reference_uri("https://example.com/config")
            .version(vec![1, 2, -1, 3])
            .component(ComponentBuilder::new(id("config/json")).content(&crypto, *b"{\"a\": 1}"))
            .build()
            .unwrap();
        one(draft)
    });
    put("several-components-try-each-and-swap", several(&p256));
    put("uninstall-section", {
        let commands = [run([
            index(0),
            try_each([vec![action(Action::Unlink)]], true),
        ])];
        let draft = integrated()
            .section(Section::Uninstall, sequence(commands))
            .build()
            .unwrap();
        one(draft)
    });
    put("unknown-member-and-unused-payload", {
        let draft = integrated().build().unwrap();
        let unknown = Writer::build(|w| {
            w.int(-400).map(1).int(1).text("for somebody else");
        });
        let payload = |key: &str| {
            Writer::build(|w| {
                w.text(key).bytes(b"payload");
            })
        };
        let members = [unknown, payload("#ta"), payload("#unused")];
        sign_with_members(&p256, &draft.manifest().encode(), &members)
    });
    put("sha-512-and-no-key-id", no_key_id(&p256));
    put("cose-sign", cose_sign(&p256, &ed25519));
    let dependency = DependencyBuilder::of(&Envelope::decode(&ta).unwrap()).unwrap();
    let dependent = |dependency: DependencyBuilder| {
        ManifestBuilder::new(SequenceNumber(1))
            .manifest_id(id("config/suit"))
            .component(ComponentBuilder::new(id("config/json")).content(&crypto, *b"{}"))
            .dependency(dependency)
            .build()
            .unwrap()
    };
    put(
        "integrated-dependency",
        one(dependent(dependency.clone().integrated("#app", ta.clone()))),
    );
    put(
        "fetched-dependency",
        one(dependent(dependency.uri("coap://app"))),
    );
    put("fetched-payload-and-invoke", {
        let digest = SuitDigest::sha256(&crypto, b"firmware");
        let draft = ManifestBuilder::new(SequenceNumber(1))
            .manifest_id(id("fw/suit"))
            .component(
                ComponentBuilder::new(id("fw/image"))
                    .vendor(vendor())
                    .uri("coap://firmware", digest, 8)
                    .invoke(Some(b"fast".to_vec())),
            )
            .build()
            .unwrap();
        one(draft)
    });
    put("coswid-and-two-severed-sections", coswid(&p256));
    for sample in &mut samples {
        sample.served = vec![
            ("coap://app".into(), ta.clone()),
            ("coap://firmware".into(), b"firmware".to_vec()),
        ];
        sample.device.put(&id("part/c"), b"old");
    }
    samples
}

fn several(author: &Author) -> Vec<u8> {
    let all = || Command::SetComponentIndex(IndexArgument::All);
    let install = sequence([
        all(),
        set([digest_of(b"new"), Parameter::ImageSize(3)]),
        index(0),
        set([content(b"new")]),
        action(Action::Write),
        condition(Condition::ImageMatch),
        index(1),
        try_each(
            [
                vec![condition(Condition::ImageMatch)],
                vec![
                    set([Parameter::SourceComponent(0)]),
                    action(Action::Copy),
                    condition(Condition::ImageMatch),
                ],
            ],
            false,
        ),
        index(2),
        Command::OverrideMultiple(vec![(
            2,
            Parameters::from_list([Parameter::SourceComponent(1)]),
        )]),
        action(Action::Swap),
        condition(Condition::ImageMatch),
        index(1),
        set([digest_of(b"old")]),
        condition(Condition::ImageMatch),
    ]);
    let common = Common {
        components: ["part/a", "part/b", "part/c"].map(id).to_vec(),
        ..Common::default()
    };
    let mut manifest = Manifest::new(SequenceNumber(7), common);
    manifest.component_id = Some(id("part/suit"));
    manifest.set_section(Section::Install, Severable::Inline(install));
    Draft::new(manifest)
        .sign(&crypto(), &[&*author.signer])
        .unwrap()
}

/// A manifest with a SHA-512 digest under a signature that does not say whose it is.
fn no_key_id(author: &Author) -> Vec<u8> {
    let install = [
        set([
            Parameter::ImageDigest(sha512_of_payload()),
            Parameter::ImageSize(7),
            content(b"payload"),
        ]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let manifest = raw_manifest(&[(20, &sequence(install).encode())]);
    let item = Writer::build(|w| {
        w.bytes(&manifest);
    });
    let digest = encoded_digest(&SuitDigest::sha256(&crypto(), &item));
    let block = tamarack_cose::sign1_detached(&*author.signer, &digest, None).unwrap();
    envelope_of(&digest, &[block], &item)
}

fn sha512_of_payload() -> SuitDigest {
    let mut context = crypto()
        .digests
        .start(tamarack_cose::DigestAlgorithm::Sha512);
    context.update(b"payload");
    SuitDigest::new(
        tamarack_cose::DigestAlgorithm::Sha512,
        context.finish().as_ref(),
    )
    .unwrap()
}

/// One COSE_Sign with two signatures.
fn cose_sign(one: &Author, other: &Author) -> Vec<u8> {
    let install = [
        set([digest_of(b"payload"), content(b"payload")]),
        action(Action::Write),
        condition(Condition::ImageMatch),
    ];
    let item = Writer::build(|w| {
        w.bytes(&raw_manifest(&[(20, &sequence(install).encode())]));
    });
    let digest = encoded_digest(&SuitDigest::sha256(&crypto(), &item));
    let block = Writer::build(|w| {
        w.tag(98).array(4).bytes(b"").map(0).null().array(2);
        for author in [one, other] {
            let protected = Writer::build(|w| {
                w.map(1).int(1).int(author.key.algorithm().cose_id());
            });
            let message = Writer::build(|w| {
                w.array(5).text("Signature").bytes(b"").bytes(&protected);
                w.bytes(b"").bytes(&digest);
            });
            let key_id = author.key.key_id(&crypto());
            w.array(3).bytes(&protected).map(1).int(4);
            w.bytes(key_id.as_bytes());
            w.bytes(&author.signer.sign(&message).unwrap());
        }
    });
    envelope_of(&digest, &[block], &item)
}

fn coswid(author: &Author) -> Vec<u8> {
    let crypto = crypto();
    let draft = ManifestBuilder::new(SequenceNumber(3))
        .manifest_id(id("app/suit"))
        .component(ComponentBuilder::new(id("app/ta")).integrated(&crypto, "#ta", b"payload"))
        .section(
            Section::PayloadFetch,
            sequence([
                set([Parameter::Uri("#ta".into())]),
                action(Action::Fetch),
                condition(Condition::ImageMatch),
            ]),
        )
        .build()
        .unwrap();
    let mut manifest = draft.manifest().clone();
    manifest.set_version = Some(Version(vec![3]));
    let coswid = [0xa1, 0x00, 0x61, b'x'];
    manifest.coswid = Some(Severable::Severed {
        digest: SuitDigest::sha256(&crypto, &[&[0x44], &coswid[..]].concat()),
        content: None,
    });
    let draft = Draft::new(manifest.clone())
        .sever(&crypto, Section::PayloadFetch)
        .sever(&crypto, Section::Install);
    let content_of = |section| {
        let sequence = manifest.section(section).and_then(Severable::content);
        sequence.unwrap().encode()
    };
    let member = |label: i64, content: &[u8]| {
        Writer::build(|w| {
            w.int(label).bytes(content);
        })
    };
    let members = [
        member(14, &coswid),
        member(16, &content_of(Section::PayloadFetch)),
        member(20, &content_of(Section::Install)),
        Writer::build(|w| {
            w.text("#ta").bytes(b"payload");
        }),
    ];
    sign_with_members(author, &draft.manifest().encode(), &members)
}
