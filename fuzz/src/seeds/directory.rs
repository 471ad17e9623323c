/// Identifiers that a file system could confuse.
pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let list = |ids: &[&[&[u8]]]| {
        let mut bytes = Vec::new();
        for id in ids {
            bytes.push(u8::try_from(id.len()).expect("few"));
            for segment in *id {
                bytes.push(u8::try_from(segment.len()).expect("short"));
                bytes.extend_from_slice(segment);
            }
        }
        bytes
    };
    vec![
        ("case", list(&[&[b"acme", b"A"], &[b"acme", b"a"], &[b"ACME", b"a"], &[b"!acme"]])),
        ("dots", list(&[&[b".."], &[b".", b"a"], &[b".suit", b"records"], &[b"a."], &[b""]])),
        ("file-and-folder", list(&[&[b"acme"], &[b"acme", b"x"], &[b"acme+", b"x"], &[], &[b"+"]])),
        ("slashes", list(&[&[b"a/b"], &[b"a", b"b"], &[b"a%2fb"], &[b"a\\b"], &[b"a\0b"]])),
        ("long", [&[1, 251][..], &[b'x'; 300], &[1, 255], &[b'y'; 240]].concat()),
    ]
}
