//! Encrypted payloads, by who has no key and by who has one.

use serde_json::json;
use tamarack_cose::encrypt::{ContentAlgorithm, Encryption, Recipient};
use tamarack_suit::{Action, Command, Condition, Parameter, Section};

use crate::{
    authorities::repeatable,
    common::*,
    fixture::{Attack, kek},
};

const PLAINTEXT: &[u8] = b"the secret firmware";
const URI: &str = "coap://x";

/// Encrypts for a key; information and ciphertext.
fn encrypt(
    algorithm: ContentAlgorithm,
    seed: u8,
    key_id: &[u8],
    plaintext: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    let key = kek(seed);
    let recipient = Recipient::wrapping(&key).unwrap().with_key_id(key_id);
    let encryption = Encryption::new(algorithm, b"SUIT Payload Encryption");
    let (info, mut encryptor) = encryption.detached(&repeatable(), &[recipient]).unwrap();
    let mut ciphertext = Vec::new();
    encryptor.update(plaintext, &mut ciphertext).unwrap();
    encryptor.finish(&mut ciphertext).unwrap();
    (info, ciphertext)
}

/// Fetches a ciphertext and decrypts it into the first component; `after` is what follows for that.
fn decrypting(
    author: &Author,
    components: &[&str],
    info: &[u8],
    after: Vec<Command<'static>>,
) -> Vec<u8> {
    let mut install = vec![
        index(1),
        set([uri(URI)]),
        action(Action::Fetch),
        index(0),
        set([
            Parameter::EncryptionInfo(info.to_vec().into()),
            Parameter::SourceComponent(1),
        ]),
        action(Action::Copy),
    ];
    install.extend(after);
    sign_sections(author, components, vec![(Section::Install, install)])
}

pub fn attacks() -> Vec<Attack> {
    let (ours, theirs) = (author(2), author(4));
    let gcm = |plaintext: &[u8]| encrypt(ContentAlgorithm::A128Gcm, 7, b"kid-1", plaintext);
    let (info, ciphertext) = gcm(PLAINTEXT);
    let (counter_info, counter) = encrypt(ContentAlgorithm::A128Ctr, 7, b"kid-1", PLAINTEXT);
    let own = ["ours/app", "ours/staged"];
    // The digest of what was fetched comes last, so that everything before it is tried.
    let matches = |plaintext: &[u8], fetched: &[u8]| {
        vec![
            set([digest_of(plaintext)]),
            condition(Condition::ImageMatch),
            index(1),
            set([digest_of(fetched)]),
            condition(Condition::ImageMatch),
        ]
    };
    let good =
        |info: &[u8], fetched: &[u8]| decrypting(&ours, &own, info, matches(PLAINTEXT, fetched));
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes[3] ^= 1;
        bytes
    };
    let bad = "ActionFailed(copy, BadCiphertext)";
    let mismatch = "ConditionFailed(image-match)";
    let (foreign, foreign_ciphertext) = encrypt(ContentAlgorithm::A128Gcm, 9, b"kid-9", PLAINTEXT);
    let (misnamed, misnamed_ciphertext) =
        encrypt(ContentAlgorithm::A128Gcm, 9, b"kid-1", PLAINTEXT);
    // The list of recipients is the last item: an array of one.
    let start = info.windows(2).rposition(|w| w == [0x81, 0x83]).unwrap();
    let stripped = [&info[..start], &[0x80]].concat();
    let (_, other_ciphertext) = encrypt(
        ContentAlgorithm::A128Gcm,
        7,
        b"kid-1",
        b"some other firmware",
    );
    vec![
        Attack::new(
            "encryption-replayed",
            "may sign for `theirs`, and has content that is encrypted for the device decrypted into a component of \
             their own, or under another manifest",
            "Content has to be vouched for by its digest, which who can't decrypt it does not know.",
        )
        .rights(&[(2, "ours"), (4, "theirs")])
        .setting("decrypts", json!(7))
        .rolled_back("on-another-component", decrypting(&theirs, &["theirs/app", "theirs/staged"], &info, vec![]), "Unverified")
        .serving(URI, "ciphertext.bin", &ciphertext)
        .rolled_back("with-a-guess", decrypting(&theirs, &["theirs/app", "theirs/staged"], &info, matches(b"a guess", &ciphertext)), mismatch)
        .serving(URI, "ciphertext.bin", &ciphertext)
        .refused("into-ours", decrypting(&theirs, &["ours/app", "theirs/staged"], &info, vec![]), "ComponentUnauthorized")
        .serving(URI, "ciphertext.bin", &ciphertext)
        .accepted("where-it-belongs", good(&info, &ciphertext))
        .serving(URI, "ciphertext.bin", &ciphertext),
        Attack::new(
            "ciphertext-swapped",
            "answers the fetch of a ciphertext with a changed one, or with another",
            "The tag of an authenticated cipher shows the change, and the digest of the plaintext shows it for the \
             others. Nothing becomes visible before.",
        )
        .setting("decrypts", json!(7))
        .rolled_back("tag", good(&info, &ciphertext), bad)
        .serving(URI, "flipped.bin", &flipped(&ciphertext))
        .rolled_back("other", good(&info, &ciphertext), mismatch)
        .serving(URI, "other.bin", &other_ciphertext)
        .rolled_back("cut-off", good(&info, &ciphertext), bad)
        .serving(URI, "cut-off.bin", &ciphertext[..10])
        .rolled_back("empty", good(&info, &ciphertext), bad)
        .serving(URI, "empty.bin", b"")
        .rolled_back("counter-mode", good(&counter_info, &counter), mismatch)
        .serving(URI, "counter-flipped.bin", &flipped(&counter))
        .accepted("counter-mode-unchanged", good(&counter_info, &counter))
        .serving(URI, "counter.bin", &counter),
        Attack::new(
            "recipient-stripped",
            "has encryption information signed that names no recipient, or others only",
            "There is no content key but for a recipient; what is no encryption information is refused at once.",
        )
        .setting("decrypts", json!(7))
        .refused("no-recipient", good(&stripped, &ciphertext), "Decode(OutOfBounds)")
        .serving(URI, "ciphertext.bin", &ciphertext)
        .rolled_back("another-recipient", good(&foreign, &foreign_ciphertext), "ActionFailed(copy, NoRecipient)")
        .serving(URI, "foreign.bin", &foreign_ciphertext)
        .rolled_back("in-our-name", good(&misnamed, &misnamed_ciphertext), "ActionFailed(copy, NoRecipient)")
        .serving(URI, "misnamed.bin", &misnamed_ciphertext),
        Attack::new(
            "counter-mode-without-digest",
            "uses a cipher that does not authenticate, and leaves out the digest of the plaintext",
            "What was decrypted passes a condition, or is undone.",
        )
        .setting("decrypts", json!(7))
        .rolled_back("copied", decrypting(&ours, &own, &counter_info, vec![]), "Unverified")
        .serving(URI, "counter.bin", &counter)
        .rolled_back("digest-of-the-ciphertext-only", decrypting(&ours, &own, &counter_info, vec![
            index(1),
            set([digest_of(&counter)]),
            condition(Condition::ImageMatch),
        ]), "Unverified")
        .serving(URI, "counter.bin", &counter),
    ]
}
