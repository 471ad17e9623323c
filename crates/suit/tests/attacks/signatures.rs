//! Envelopes that nobody trusted signed, or not like this.

use tamarack_cose::cbor::Writer;
use tamarack_suit::{Action, Envelope, Section};

use crate::{common::*, fixture::Attack};

/// A signed manifest that writes `payload` to `a/b`, in parts: digest, block and manifest item.
fn parts(author: &Author, payload: &'static [u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let envelope = writing(author, payload);
    let decoded = Envelope::decode(&envelope).unwrap();
    (
        encoded_digest(&decoded.claimed_digest()),
        decoded.authentication_blocks()[0].to_vec(),
        decoded.manifest_item().to_vec(),
    )
}

/// Writes and verifies a payload.
fn writing(author: &Author, payload: &'static [u8]) -> Vec<u8> {
    let install = vec![
        set([digest_of(payload), content(payload)]),
        action(Action::Write),
        condition(tamarack_suit::Condition::ImageMatch),
    ];
    sign_sections(author, &["a/b"], vec![(Section::Install, install)])
}

/// A COSE_Sign1 by hand: protected header, unprotected header, payload field, and what is signed.
fn block(
    author: &Author,
    protected: &[u8],
    unprotected: &[u8],
    payload: Option<&[u8]>,
    digest: &[u8],
) -> Vec<u8> {
    let message = Writer::build(|w| {
        w.array(4).text("Signature1").bytes(protected).bytes(b"");
        w.bytes(digest);
    });
    Writer::build(|w| {
        w.tag(18).array(4).bytes(protected).raw(unprotected);
        match payload {
            Some(payload) => w.bytes(payload),
            None => w.null(),
        };
        w.bytes(&author.signer.sign(&message).unwrap());
    })
}

fn algorithm(author: &Author) -> Vec<u8> {
    Writer::build(|w| {
        w.map(1).int(1).int(author.key.algorithm().cose_id());
    })
}

pub fn attacks() -> Vec<Attack> {
    let (ours, stranger) = (author(2), author(6));
    let (digest, good, item) = parts(&ours, b"payload");
    let (other_digest, other_block, other_item) = parts(&ours, b"other");
    let with = |blocks: &[Vec<u8>]| envelope_of(&digest, blocks, &item);
    let (_, foreign, _) = parts(&stranger, b"payload");
    let protected = algorithm(&ours);
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let retagged = |tag: u8| {
        let mut block = good.clone();
        assert_eq!(block[0], 0xd2);
        block[0] = 0xc0 | tag;
        block
    };
    vec![
        Attack::new(
            "no-signature",
            "removes every signature: the wrapper holds the digest of the manifest alone, or nothing at all",
            "A right digest vouches for nothing.",
        )
        .refused("digest-only", with(&[]), "Unsigned")
        .refused("empty-wrapper", Writer::build(|w| {
            w.map(2).int(2).bytes(&[0x80]).int(3).raw(&item);
        }), "Decode(OutOfBounds)")
        .refused("no-wrapper", Writer::build(|w| {
            w.map(1).int(3).raw(&item);
        }), "Decode(Missing)")
        .refused("empty-block", with(&[vec![]]), "Decode(Truncated)"),
        Attack::new(
            "stranger",
            "signs with a key of their own, and names the trusted key as the signer",
            "A key id is a hint: the signature has to verify with a trusted key.",
        )
        .refused("own-key-id", with(std::slice::from_ref(&foreign)), "Unauthorized")
        .refused("trusted-key-id", {
            let unprotected = Writer::build(|w| {
                w.map(1).int(4).bytes(ours.key.key_id(&crypto()).as_bytes());
            });
            with(&[block(&stranger, &algorithm(&stranger), &unprotected, None, &digest)])
        }, "Unauthorized")
        .refused("no-key-id", {
            with(&[block(&stranger, &algorithm(&stranger), &[0xa0], None, &digest)])
        }, "Unauthorized"),
        Attack::new(
            "good-and-bad-signature",
            "adds to a good signature a forged one that names a trusted key, or puts it first",
            "One signature in the name of a trusted key that does not verify spoils the envelope. \
             Signatures by strangers are passed over.",
        )
        .refused("good-then-bad", with(&[good.clone(), forged.clone()]), "Unauthorized")
        .refused("bad-then-good", with(&[forged.clone(), good.clone()]), "Unauthorized")
        .accepted("good-and-a-strangers", with(&[good.clone(), foreign])),
        Attack::new(
            "signature-of-another-manifest",
            "pastes the signature, or the whole wrapper, of another manifest by the same author",
            "Signature, digest and manifest belong together.",
        )
        .refused("signature", with(std::slice::from_ref(&other_block)), "Unauthorized")
        .refused("wrapper", envelope_of(&other_digest, std::slice::from_ref(&other_block), &item), "ManifestDigest")
        .refused("manifest", envelope_of(&digest, std::slice::from_ref(&good), &other_item), "ManifestDigest"),
        Attack::new(
            "attached-payload",
            "attaches a payload to the signature, which verifies by itself and says nothing of this manifest",
            "The payload has to be detached, even where the attached one is the digest.",
        )
        .refused("other", with(&[block(&ours, &protected, &[0xa0], Some(&other_digest), &other_digest)]), "CoseUnsupported")
        .refused("same", with(&[block(&ours, &protected, &[0xa0], Some(&digest), &digest)]), "CoseUnsupported"),
        Attack::new(
            "wrong-cose-structure",
            "changes the tag of an authentication block, so that another structure is read in its place",
            "Only the tagged structures of the standard are read, each as itself.",
        )
        .refused("untagged", with(&[good[1..].to_vec()]), "CoseUnsupported")
        .refused("encrypt0", with(&[retagged(16)]), "CoseUnsupported")
        .refused("tag-19", with(&[retagged(19)]), "CoseUnsupported")
        .refused("sign", with(&[[&[0xd8, 98][..], &good[1..]].concat()]), "Decode(Expected)")
        .refused("twice-tagged", with(&[[&[0xd2][..], &good].concat()]), "Decode(Expected)"),
        Attack::new(
            "unknown-critical-header",
            "has a signature made under a critical header parameter that the Recipient does not understand",
            "What is critical and not understood ends it, however good the signature.",
        )
        .refused("critical", {
            let protected = Writer::build(|w| {
                w.map(3).int(1).int(ours.key.algorithm().cose_id());
                w.int(2).array(1).int(99).int(99).uint(1);
            });
            with(&[block(&ours, &protected, &[0xa0], None, &digest)])
        }, "CoseUnsupported"),
        Attack::new(
            "algorithm-confusion",
            "moves the algorithm out of the protected header, or names that of another kind of key",
            "An unprotected algorithm does not count, and a key is used with its own algorithm only.",
        )
        .refused("unprotected", with(&[block(&ours, b"", &protected, None, &digest)]), "CoseUnsupported")
        .refused("other-algorithm", {
            let protected = algorithm(&author(3));
            with(&[block(&ours, &protected, &[0xa0], None, &digest)])
        }, "Unauthorized"),
        Attack::new(
            "many-signatures",
            "adds a hundred signatures, each of which costs a verification",
            "The number of authentication blocks is bounded before any is looked at.",
        )
        .refused("hundred", with(&vec![good; 100]), "Decode(OutOfBounds)"),
        Attack::new(
            "wrong-digest-in-wrapper",
            "changes the digest in the wrapper to another length or algorithm of the same manifest",
            "The digest is checked for its form, compared with the manifest, and covered by the signature.",
        )
        .refused("truncated", {
            let digest = Writer::build(|w| {
                w.array(2).int(-16).bytes(&crypto().sha256(&item)[..16]);
            });
            envelope_of(&digest, std::slice::from_ref(&other_block), &item)
        }, "Decode(OutOfBounds)")
        .refused("sha-384-label", {
            let digest = Writer::build(|w| {
                w.array(2).int(-43).bytes(&crypto().sha256(&item));
            });
            envelope_of(&digest, std::slice::from_ref(&other_block), &item)
        }, "Decode(OutOfBounds)")
        .refused("unknown-algorithm", {
            let digest = Writer::build(|w| {
                w.array(2).int(-99).bytes(&crypto().sha256(&item));
            });
            envelope_of(&digest, &[other_block], &item)
        }, "AlgorithmUnsupported"),
    ]
}
