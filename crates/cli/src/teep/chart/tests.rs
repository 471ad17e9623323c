#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::Duration;

use tamarack_cose::SignatureAlgorithm;
use tamarack_teep::{
    Challenge, CipherSuite, DataItems, Encoding, QueryRequest, Success, SuitCoseProfile, Token,
    Update,
};

use super::*;

fn token(number: u8) -> Option<Token> {
    Token::new(vec![number; 8])
}

fn request(number: u8) -> Vec<u8> {
    let request = QueryRequest {
        token: token(number),
        challenge: None::<Challenge>,
        supported_teep_cipher_suites: vec![CipherSuite::sign1(SignatureAlgorithm::Esp256)],
        supported_suit_cose_profiles: vec![SuitCoseProfile::ESP256_A128CTR],
        data_items: DataItems::TRUSTED_COMPONENTS,
        ..QueryRequest::default()
    };
    tamarack_teep::Message::from(request).encode(Encoding::default())
}

fn success(number: u8) -> Vec<u8> {
    let success = Success {
        token: token(number),
        ..Success::default()
    };
    tamarack_teep::Message::from(success).encode(Encoding::default())
}

fn update(number: u8) -> Vec<u8> {
    let update = Update {
        token: token(number),
        ..Update::default()
    };
    tamarack_teep::Message::from(update).encode(Encoding::default())
}

/// A line as the TAM writes it.
fn line(exchange: u64, to: Party, body: Vec<u8>) -> Line {
    Line {
        trace: 1,
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(1_000 + exchange),
        by: Party::Tam,
        run: "run".into(),
        exchange,
        to: Some(to),
        tam: None,
        status: Some(200).filter(|_| to == Party::Agent),
        body: Some(body),
        fault: None,
        note: None,
    }
}

fn lines(lines: Vec<Line>) -> Lines {
    Lines {
        lines,
        faults: Vec::new(),
    }
}

fn drawn(lines: &Lines, width: usize, charset: Charset) -> String {
    let keys = Keys::none();
    let chart = Trace::of(lines, &keys).draw(Path::new("t"), width, charset);
    anstream::adapter::strip_str(&chart).to_string()
}

#[test]
fn requests_that_repeat_a_token_belong_together() {
    // Two devices at once.
    let lines = lines(vec![
        line(1, Party::Tam, Vec::new()),
        line(2, Party::Tam, Vec::new()),
        line(1, Party::Agent, update(1)),
        line(2, Party::Agent, update(2)),
        line(3, Party::Tam, success(2)),
        line(4, Party::Tam, success(1)),
        line(3, Party::Agent, Vec::new()),
        line(4, Party::Agent, Vec::new()),
        line(5, Party::Tam, success(9)),
    ]);
    let keys = Keys::none();
    let trace = Trace::of(&lines, &keys);
    let numbers =
        |group: &Group| -> Vec<usize> { group.messages.iter().map(|at| at + 1).collect() };
    let groups: Vec<Vec<usize>> = trace.groups.iter().map(numbers).collect();
    assert_eq!(groups, [vec![1, 3, 6, 8], vec![2, 4, 5, 7], vec![9]]);
}

#[test]
fn a_chart_has_lifelines_and_arrows() {
    let mut lost = line(2, Party::Agent, Vec::new());
    lost.body = None;
    lost.fault = Some("HTTP status 500\u{1b}[2J".into());
    let mut note = line(0, Party::Agent, Vec::new());
    (note.to, note.body, note.note) = (None, None, Some("the limit is reached".into()));
    let lines = lines(vec![
        line(1, Party::Tam, Vec::new()),
        line(1, Party::Agent, request(1)),
        line(2, Party::Tam, success(1)[..6].to_vec()),
        lost,
        note,
    ]);
    let expected = "\
t  4 messages, 2 exchanges

exchange 1  agent ⇄ TAM  1970-01-01T00:00:01.001Z
              agent                                         TAM
  #1    0.000 s │── connect ──────────────────────────────────▶│
  #2    0.000 s │◀── QueryRequest, 28 bytes ───────────────────│
                │   token 01010101…  asks for                  │
                │   trusted-components                         │

exchange 2  agent ⇄ TAM  1970-01-01T00:00:01.002Z
              agent                                         TAM
  #3    0.000 s │── Success, 6 bytes ─────────────────────────▶│
                │   token 01                                   │
                │   ✗ byte 5, Success / options / token (20):  │
                │     the input ends in the middle of this     │
                │     [RFC 8949, section 5.3]                  │
  #4    0.000 s │✗── no answer ────────────────────────────────│
                │   ✗ HTTP status 500\\u{1b}[2J                 │

note: the limit is reached";
    assert_eq!(drawn(&lines, 64, Charset::UNICODE), expected);
}

#[test]
fn every_width_is_kept_and_ascii_is_ascii() {
    let lines = lines(vec![
        line(1, Party::Tam, Vec::new()),
        line(1, Party::Agent, request(1)),
        line(2, Party::Tam, vec![0x82, 0x05]),
    ]);
    for width in [52, 60, 80, 110] {
        let chart = drawn(&lines, width, Charset::ASCII);
        assert!(chart.is_ascii(), "{chart}");
        let widest = chart.lines().map(str::len).max().unwrap();
        assert!(widest <= width, "{widest} columns of {width}: {chart}");
    }
}
