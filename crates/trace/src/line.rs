use std::time::{Duration, SystemTime};

use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The version of the format, and the first member of every line.
pub(crate) const VERSION: u64 = 1;

/// How every line starts.
const START: &[u8] = b"{\"trace\":1,";

/// A side of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Party {
    /// The agent, which the broker speaks for.
    Agent,
    /// The TAM.
    Tam,
}

/// One line of a trace: a message, the lack of one, or a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The version of the format: 1.
    pub trace: u64,
    /// When it passed, by the clock of the machine.
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    pub at: SystemTime,
    /// On which side it was written.
    pub by: Party,
    /// The process that wrote it, since each counts exchanges from 1.
    pub run: String,
    /// Broker: the exchange, from the first request until one side has nothing more to say. TAM: the HTTP
    /// request and its response. 0 for a note.
    #[serde(default)]
    pub exchange: u64,
    /// Who it went to; nobody for a note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Party>,
    /// The URI of the TAM, if the writer knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tam: Option<String>,
    /// The HTTP status of a response, if the writer knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The message; no bytes for a body without any.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_body",
        deserialize_with = "read_body"
    )]
    pub body: Option<Vec<u8>>,
    /// Why there is no message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// Something about the trace itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Line {
    /// The line with its end.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Strings and numbers always become JSON.
        let mut bytes = serde_json::to_vec(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

/// A trace that was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines {
    /// What is there, in the order of the file.
    pub lines: Vec<Line>,
    /// The lines that are not understood, counted from 1, and why.
    pub faults: Vec<(usize, String)>,
}

impl Lines {
    /// Whether bytes look like a trace.
    #[must_use]
    pub fn recognise(bytes: &[u8]) -> bool {
        bytes.trim_ascii_start().starts_with(START)
    }

    /// Reads a trace. A line that is broken costs nothing but itself.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        let mut found = Self::default();
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice::<Line>(line) {
                Ok(line) if line.trace == VERSION => found.lines.push(line),
                Ok(line) => {
                    let why = format!("version {} of the format; {VERSION} is known", line.trace);
                    found.faults.push((at + 1, why));
                }
                Err(error) => found.faults.push((at + 1, error.to_string())),
            }
        }
        found
    }
}

fn write_time<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    // humantime refuses times before 1970, which a clock that is wrong may say.
    let at = (*at).max(SystemTime::UNIX_EPOCH);
    let last = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let text = humantime::format_rfc3339_micros(at.min(last));
    serializer.collect_str(&text)
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_rfc3339(&text).map_err(D::Error::custom)
}

fn write_body<S: Serializer>(body: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = body.as_deref().map(Base64::encode_string);
    text.serialize(serializer)
}

fn read_body<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let body = text.map(|text| Base64::decode_vec(&text)).transpose();
    body.map_err(|_| D::Error::custom("body is not base64"))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        reason = "a test fails by panicking"
    )]

    use super::*;

    fn line() -> Line {
        Line {
            trace: VERSION,
            at: SystemTime::UNIX_EPOCH + Duration::from_micros(1_764_123_832_000_001),
            by: Party::Agent,
            run: "5f".into(),
            exchange: 3,
            to: Some(Party::Tam),
            tam: Some("http://tam.example/tam".into()),
            status: None,
            body: Some(vec![1, 2]),
            fault: None,
            note: None,
        }
    }

    #[test]
    fn a_line_is_as_documented() {
        let text = String::from_utf8(line().encode()).unwrap();
        let expected = "{\"trace\":1,\"at\":\"2025-11-26T02:23:52.000001Z\",\"by\":\"agent\",\"run\":\"5f\",\
                        \"exchange\":3,\"to\":\"tam\",\"tam\":\"http://tam.example/tam\",\"body\":\"AQI=\"}\n";
        assert_eq!(text, expected);
        assert_eq!(Lines::read(text.as_bytes()).lines, [line()]);
    }

    #[test]
    fn a_broken_line_costs_itself_only() {
        let mut bytes = line().encode();
        bytes.extend_from_slice(b"{\"trace\":1,\"at\":\"20");
        bytes.push(b'\n');
        bytes.extend(line().encode());
        bytes.extend_from_slice(b"{\"trace\":1,");
        let lines = Lines::read(&bytes);
        assert_eq!(lines.lines.len(), 2);
        let numbers: Vec<usize> = lines.faults.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [2, 4]);
        assert!(Lines::recognise(&bytes) && !Lines::recognise(b"{}"));
    }

    #[test]
    fn a_time_before_all_times_is_written() {
        let at = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let early = Line { at, ..line() };
        assert_eq!(Lines::read(&early.encode()).lines.len(), 1);
    }
}
