use alloc::{string::String, vec::Vec};

use tamarack_cose::cbor::{DecodeError, Reader};

use super::{
    Label,
    options::{OptionsReader, OptionsWriter, Taken, read_byte_strings, read_text, read_token},
};
use crate::Token;

/// An agent installed every manifest of an Update (section 4.5, type 5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Success {
    /// Label 20; the token of the Update, if that had one.
    pub token: Option<Token>,
    /// Label 11; Net-Unicode text, 1 to 128 bytes.
    pub msg: Option<String>,
    /// Label 19; an encoded SUIT report for each manifest.
    pub suit_reports: Vec<Vec<u8>>,
}

impl Success {
    pub(super) fn read(
        reader: &mut Reader<'_>,
        options: &mut OptionsReader,
    ) -> Result<Self, DecodeError> {
        let mut message = Self::default();
        options.read(reader, |label, r| {
            match label {
                Label::Token => message.token = Some(read_token(r)?),
                Label::Msg => message.msg = Some(read_text(r, 128, "1 to 128 bytes", "msg")?),
                Label::SuitReports => {
                    message.suit_reports = read_byte_strings(r, "suit-reports")?;
                }
                _ => return Ok(Taken::No),
            }
            Ok(Taken::Yes)
        })?;
        Ok(message)
    }

    pub(super) fn write_options(&self, options: &mut OptionsWriter) {
        options.put_token(self.token.as_ref());
        if let Some(msg) = &self.msg {
            options.put(Label::Msg, |w| {
                w.text(msg);
            });
        }
        options.put_byte_strings(Label::SuitReports, &self.suit_reports);
    }
}
