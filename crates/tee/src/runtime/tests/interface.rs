//! The runtime offers what the interface documents, neither more nor less.

use std::collections::BTreeMap;

use crate::runtime::imports::{EXPORTS, IMPORTS, OPTIONAL_EXPORTS, Signature};

const INTERFACE: &str = include_str!("../../../../ta/src/interface.rs");

/// The functions in the tables of the documentation, as text in WebAssembly's form.
fn documented() -> BTreeMap<String, String> {
    INTERFACE
        .lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("//! | `")?.split_once("` | `(")?;
            let ty = rest.split_once('`')?.0;
            let (parameters, result) = ty.split_once(") -> ")?;
            let parameters = parameters.split(", ").filter(|name| !name.is_empty());
            let parameters = parameters.map(|name| match name.trim_end_matches(": i64") {
                "offset" | "size" | "seconds" => " i64",
                _ => " i32",
            });
            let list = |keyword: &str, types: String| match types.is_empty() {
                true => types,
                false => format!(" ({keyword}{types})"),
            };
            let result = match result {
                "()" => String::new(),
                ty => format!(" {ty}"),
            };
            let parameters = list("param", parameters.collect());
            let text = format!("(func{parameters}{})", list("result", result));
            Some((name.into(), text))
        })
        .collect()
}

fn offered(signatures: &[Signature]) -> impl Iterator<Item = (String, String)> {
    signatures
        .iter()
        .map(|signature| (signature.name.into(), signature.text()))
}

#[test]
fn the_runtime_offers_what_is_documented() {
    let mut documented = documented();
    assert!(documented.remove("tee_abi_v1").is_some());
    let offered: BTreeMap<_, _> = offered(IMPORTS)
        .chain(offered(EXPORTS))
        .chain(offered(OPTIONAL_EXPORTS))
        .collect();
    assert_eq!(offered, documented);
}
