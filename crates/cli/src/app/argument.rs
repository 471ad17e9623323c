//! Parameters of a command as the SDK's typed commands read them.

use clap::Args;
use tamarack_ta::{
    minicbor::Encoder,
    wire::{Output, WriteItem},
};

/// What `--arg` takes.
const TYPES: &str =
    "u8, u16, u32, u64, i32, i64, bool, text, hex and base64, and null without a value";

/// Typed parameters.
#[derive(Args)]
pub(super) struct Arguments {
    /// A typed parameter, such as u32:7 or text:Ada; once for each, in their order.
    ///
    /// The types are u8, u16, u32, u64, i32, i64, bool, text, hex and base64 (both bytes); `null`, which has no value, is an
    /// `Option` that is `None`. One parameter becomes its own bytes, several become an array in CBOR, as `commands!` of the
    /// SDK reads them.
    #[arg(long = "arg", value_name = "TYPE:VALUE", value_parser = Argument::parse)]
    #[arg(conflicts_with_all = ["input", "input_file"])]
    arguments: Vec<Argument>,
}

impl Arguments {
    pub(super) fn is_empty(&self) -> bool {
        self.arguments.is_empty()
    }

    /// The bytes that the command is given.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self.arguments.as_slice() {
            [] => Vec::new(),
            [alone] => alone.alone(),
            several => {
                let mut items = Encoder::new(Vec::new());
                // Into memory nothing fails.
                let _ = items.array(several.len() as u64);
                for argument in several {
                    argument.item().write(&mut items);
                }
                items.into_writer()
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Argument {
    U8(u8),
    U16(u16),
    U32(u32),
    U64(u64),
    I32(i32),
    I64(i64),
    Bool(bool),
    Text(String),
    Bytes(Vec<u8>),
    Null,
}

impl Argument {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "null" {
            return Ok(Self::Null);
        }
        let (of_type, value) = text
            .split_once(':')
            .ok_or_else(|| format!("a type is missing, as in text:{text}; there are {TYPES}"))?;
        let unfit = |cause: &dyn std::fmt::Display| format!("{value} is no {of_type}: {cause}");
        match of_type {
            "u8" => value.parse().map(Self::U8).map_err(|e| unfit(&e)),
            "u16" => value.parse().map(Self::U16).map_err(|e| unfit(&e)),
            "u32" => value.parse().map(Self::U32).map_err(|e| unfit(&e)),
            "u64" => value.parse().map(Self::U64).map_err(|e| unfit(&e)),
            "i32" => value.parse().map(Self::I32).map_err(|e| unfit(&e)),
            "i64" => value.parse().map(Self::I64).map_err(|e| unfit(&e)),
            "bool" => value.parse().map(Self::Bool).map_err(|e| unfit(&e)),
            "text" => Ok(Self::Text(value.to_owned())),
            "hex" => base16ct::mixed::decode_vec(value)
                .map(Self::Bytes)
                .map_err(|e| unfit(&e)),
            "base64" => <base64ct::Base64 as base64ct::Encoding>::decode_vec(value)
                .map(Self::Bytes)
                .map_err(|e| unfit(&e)),
            other => Err(format!("there is no type {other}; there are {TYPES}")),
        }
    }

    fn alone(&self) -> Vec<u8> {
        let bytes = match self {
            Self::U8(value) => value.into_output(),
            Self::U16(value) => value.into_output(),
            Self::U32(value) => value.into_output(),
            Self::U64(value) => value.into_output(),
            Self::I32(value) => value.into_output(),
            Self::I64(value) => value.into_output(),
            Self::Bool(value) => value.into_output(),
            Self::Text(text) => text.as_str().into_output(),
            Self::Bytes(bytes) => bytes.as_slice().into_output(),
            Self::Null => ().into_output(),
        };
        // Only a `Result` has no bytes.
        bytes.unwrap_or_default()
    }

    fn item(&self) -> &dyn WriteItem {
        match self {
            Self::U8(value) => value,
            Self::U16(value) => value,
            Self::U32(value) => value,
            Self::U64(value) => value,
            Self::I32(value) => value,
            Self::I64(value) => value,
            Self::Bool(value) => value,
            Self::Text(text) => text,
            Self::Bytes(bytes) => bytes,
            Self::Null => &None::<bool>,
        }
    }
}

#[cfg(test)]
mod tests {
    use tamarack_ta::wire::Parameters;

    use super::*;

    fn encoded(arguments: &[&str]) -> Vec<u8> {
        let arguments = arguments.iter().map(|text| Argument::parse(text).unwrap());
        let arguments = arguments.collect();
        Arguments { arguments }.encode()
    }

    #[test]
    fn the_sdk_reads_what_was_given() {
        assert_eq!(Parameters::from_input(&encoded(&[])), Ok(()));
        assert_eq!(Parameters::from_input(&encoded(&["u32:7"])), Ok((7u32,)));
        assert_eq!(Parameters::from_input(&encoded(&["i64:-2"])), Ok((-2i64,)));
        assert_eq!(
            Parameters::from_input(&encoded(&["text:a:b"])),
            Ok(("a:b",))
        );
        let several = [
            "text:door",
            "u8:255",
            "hex:00fF",
            "base64:AAE=",
            "bool:true",
            "null",
        ];
        assert_eq!(
            Parameters::from_input(&encoded(&several)),
            Ok(("door", 255u8, [0u8, 255], &[0u8, 1], true, None::<u32>))
        );
        let numbers = ["u16:300", "u64:18446744073709551615", "i32:-1"];
        assert_eq!(
            Parameters::from_input(&encoded(&numbers)),
            Ok((300u16, u64::MAX, -1i32))
        );
    }

    #[test]
    fn what_is_no_value_of_its_type_is_refused() {
        for (text, word) in [
            ("Ada", "text:Ada"),
            ("float:1", "float"),
            ("u8:256", "256 is no u8"),
            ("bool:1", "1 is no bool"),
            ("hex:0", "0 is no hex"),
            ("base64:?", "? is no base64"),
        ] {
            let error = Argument::parse(text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
