//! The C header says what the interface says: names, numbers and types.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;

const INTERFACE: &str = include_str!("../src/interface.rs");
const RESULT_CODES: &str = include_str!("../src/result_code.rs");

fn header() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/c/tee.h");
    let text = std::fs::read_to_string(path).unwrap();
    // Without comments.
    let mut rest = &text[..];
    let mut bare = String::new();
    while let Some((before, after)) = rest.split_once("/*") {
        bare.push_str(before);
        rest = after.split_once("*/").unwrap().1;
    }
    bare + rest
}

/// Parameters and result of a function, each `i32` or `i64`.
type Signature = (Vec<&'static str>, Option<&'static str>);

fn of_c(ty: &str) -> Option<&'static str> {
    // The last word of a parameter is its name.
    let words: Vec<&str> = ty.split_whitespace().collect();
    let is_pointer = ty.contains('*');
    match words.as_slice() {
        ["void"] => None,
        _ if is_pointer => Some("i32"),
        ["uint32_t" | "int32_t" | "TEE_Result", ..] => Some("i32"),
        ["uint64_t" | "int64_t" | "TEE_Answer", ..] => Some("i64"),
        _ => panic!("{ty:?} is a type that this test does not know"),
    }
}

/// The functions that are declared with a macro, by the name that it is given.
fn declared(header: &str, with: &str) -> BTreeMap<String, Signature> {
    header
        .split(';')
        .filter_map(|statement| {
            let start = statement.rfind(with)?;
            let (name, rest) = statement[start + with.len()..].split_once(')')?;
            let (head, parameters) = rest.split_once('(')?;
            let parameters = parameters.trim().strip_suffix(')')?;
            let (result, c_name) = head.trim().rsplit_once(' ')?;
            let prefixed = format!("tee_{}", name.trim_start_matches("tee_"));
            assert_eq!(c_name, prefixed, "the name in C");
            let parameters = parameters.split(',').filter_map(of_c).collect();
            Some((name.into(), (parameters, of_c(result))))
        })
        .collect()
}

/// A table of functions in the documentation of the interface: those whose type is written in the `column`th cell.
fn documented(column: usize) -> BTreeMap<String, Signature> {
    INTERFACE
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("//! | ")?.split(" | ").collect();
            let name = cells.first()?.strip_prefix('`')?.strip_suffix('`')?;
            let ty = cells.get(column)?.trim_end_matches(" |");
            let ty = ty.strip_prefix("`(")?.strip_suffix('`')?;
            let (parameters, result) = ty.split_once(") -> ")?;
            let parameters = parameters
                .split(", ")
                .filter(|parameter| !parameter.is_empty())
                .map(|parameter| match parameter.trim_end_matches(": i64") {
                    "offset" | "size" | "seconds" => "i64",
                    _ => "i32",
                })
                .collect();
            let result = match result {
                "()" => None,
                "i32" => Some("i32"),
                "i64" => Some("i64"),
                other => panic!("{name} has an unknown result {other:?}"),
            };
            Some((name.into(), (parameters, result)))
        })
        .collect()
}

#[test]
fn imports_are_those_of_the_interface() {
    let documented: BTreeMap<_, _> = documented(1)
        .into_iter()
        .filter(|(name, _)| !name.starts_with("tee_"))
        .collect();
    assert!(documented.len() > 40, "{documented:?}");
    assert_eq!(declared(&header(), "TEE_IMPORT("), documented);
}

#[test]
fn exports_are_those_of_the_interface() {
    let documented: BTreeMap<_, _> = documented(1)
        .into_iter()
        .filter(|(name, _)| name.starts_with("tee_"))
        .collect();
    assert_eq!(documented.len(), 7, "{documented:?}");
    assert_eq!(declared(&header(), "TEE_EXPORT("), documented);
}

/// The numbers that the header defines.
fn defined(header: &str) -> BTreeMap<String, i64> {
    let number = |text: &str| {
        let text = text.trim_start_matches('(').trim_end_matches(')');
        match text.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).ok(),
            None => text.parse().ok(),
        }
    };
    header
        .lines()
        .filter_map(|line| {
            let (name, value) = line.strip_prefix("#define ")?.split_once(' ')?;
            Some((name.to_owned(), number(value)?))
        })
        .collect()
}

#[test]
fn numbers_are_those_of_the_interface() {
    let constants = INTERFACE.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("pub const ")?.split_once(": ")?;
        let value = rest.split_once(" = ")?.1.trim_end_matches(';');
        let value = value.replace('_', "").parse::<i64>().ok()?;
        Some((format!("TEE_{name}"), value))
    });
    let codes = RESULT_CODES.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("    ")?.split_once(" = ")?;
        let value = rest.split_once(',')?.0;
        let value = match value.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(&hex.replace('_', ""), 16).ok()?,
            None => value.parse().ok()?,
        };
        let prefix = if value == 0 { "TEE_" } else { "TEE_ERROR_" };
        Some((format!("{prefix}{name}"), value))
    });
    let expected: BTreeMap<_, _> = constants.chain(codes).collect();
    assert!(expected.len() > 40, "{expected:?}");
    assert_eq!(defined(&header()), expected);
}
