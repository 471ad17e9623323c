use alloc::{string::String, vec::Vec};
use core::mem::take;

use super::{
    Label,
    options::{Options, OptionsWriter},
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
    pub(super) const OPTIONS: &[Label] = &[Label::Token, Label::Msg, Label::SuitReports];

    pub(super) fn read(options: &mut Options) -> Self {
        Self {
            token: options.token.take(),
            msg: options.msg.take(),
            suit_reports: take(&mut options.suit_reports),
        }
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
