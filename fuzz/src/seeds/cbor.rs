use tamarack_cose::cbor::Writer;

pub(super) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        (
            "every-type",
            Writer::build(|w| {
                w.array(8).uint(u64::MAX).int(i64::MIN).bytes(&[1, 2, 3]);
                w.text("text").bool(true).null();
                w.map(2).uint(1).uint(2).text("a").array(0);
                w.tag(107).tag(18).bytes(&[]);
            }),
        ),
        (
            "deep",
            Writer::build(|w| {
                (0..8).for_each(|_| {
                    w.array(1);
                });
                w.uint(0);
            }),
        ),
        (
            "float",
            vec![
                0x83, 0xf9, 0x3c, 0x00, 0xfa, 0, 0, 0, 0, 0xfb, 0, 0, 0, 0, 0, 0, 0, 0,
            ],
        ),
        (
            "indefinite",
            vec![
                0x9f, 0x01, 0x5f, 0x41, 0x01, 0x41, 0x02, 0xff, 0xbf, 0x61, b'a', 0x7f, 0x61, b'x',
                0x61, b'y', 0xff, 0xff, 0xff,
            ],
        ),
        ("duplicate-key", vec![0xa2, 0x01, 0x00, 0x18, 0x01, 0x00]),
        ("huge-length", vec![0x5b, 0x80, 0, 0, 0, 0, 0, 0, 0, 1]),
    ]
}
