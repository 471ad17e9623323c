use alloc::{collections::VecDeque, vec::Vec};

use crate::ResultCode;

/// Input that reaches a command in parts.
#[derive(Debug, Clone, Default)]
pub struct StreamedInput {
    parts: VecDeque<Vec<u8>>,
    end: End,
}

#[derive(Debug, Clone, Copy, Default)]
enum End {
    #[default]
    Regular,
    BrokenOff,
}

impl StreamedInput {
    /// Input in these parts.
    #[must_use]
    pub fn new(parts: &[&[u8]]) -> Self {
        Self {
            parts: parts
                .iter()
                .filter(|part| !part.is_empty())
                .map(|part| part.to_vec())
                .collect(),
            end: End::Regular,
        }
    }

    /// Input in these parts, after which whoever sends it vanishes.
    #[must_use]
    pub fn broken_off(parts: &[&[u8]]) -> Self {
        Self {
            end: End::BrokenOff,
            ..Self::new(parts)
        }
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<usize, ResultCode> {
        let Some(part) = self.parts.front_mut() else {
            return match self.end {
                End::Regular => Ok(0),
                End::BrokenOff => Err(ResultCode::CANCEL),
            };
        };
        let len = part.len().min(out.len());
        for (to, from) in out.iter_mut().zip(part.drain(..len)) {
            *to = from;
        }
        if part.is_empty() {
            self.parts.pop_front();
        }
        Ok(len)
    }
}

/// What came of a command with streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streamed {
    /// How it ended.
    pub result: Result<(), ResultCode>,
    /// What left the TEE, which it did even if the command failed.
    pub output: Vec<u8>,
}
