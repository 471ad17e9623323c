//! The types of what a TA may import and must export: [`tamarack_ta::interface`] as a table.

use wasmi::{
    FuncType,
    ValType::{self, I32, I64},
};

/// A function's name and type.
pub(super) struct Signature {
    pub(super) name: &'static str,
    params: &'static [ValType],
    results: &'static [ValType],
}

impl Signature {
    pub(super) fn is(&self, ty: &FuncType) -> bool {
        ty.params() == self.params && ty.results() == self.results
    }

    /// As it stands in the text format.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        let list = |keyword: &str, types: &[ValType]| {
            let names = types.iter().map(|ty| match ty {
                I64 => " i64",
                _ => " i32",
            });
            match types.is_empty() {
                true => String::new(),
                false => format!(" ({keyword}{})", names.collect::<String>()),
            }
        };
        format!(
            "(func{}{})",
            list("param", self.params),
            list("result", self.results)
        )
    }
}

const fn f(
    name: &'static str,
    params: &'static [ValType],
    results: &'static [ValType],
) -> Signature {
    Signature {
        name,
        params,
        results,
    }
}

/// What a TA may import from module `tee`.
#[rustfmt::skip]
pub(super) const IMPORTS: &[Signature] = &[
    f("take", &[I32, I32], &[I32]),
    f("output", &[I32, I32], &[I32]),
    f("input_read", &[I32, I32], &[I64]),
    f("output_write", &[I32, I32], &[I32]),
    f("client", &[], &[I64]),
    f("cancelled", &[], &[I32]),
    f("commit", &[], &[I32]),
    f("object_create", &[I32, I32, I32, I32, I32], &[I32]),
    f("object_size", &[I32, I32, I32], &[I64]),
    f("object_read", &[I32, I32, I32], &[I64]),
    f("object_read_at", &[I32, I32, I32, I64, I32], &[I64]),
    f("object_write", &[I32, I32, I32, I32, I32], &[I32]),
    f("object_write_at", &[I32, I32, I32, I64, I32, I32], &[I32]),
    f("object_truncate", &[I32, I32, I32, I64], &[I32]),
    f("object_rename", &[I32, I32, I32, I32, I32], &[I32]),
    f("object_delete", &[I32, I32, I32], &[I32]),
    f("object_list", &[I32], &[I64]),
    f("personalization_read", &[I32, I32], &[I64]),
    f("personalization_list", &[], &[I64]),
    f("key_generate", &[I32, I32, I32], &[I32]),
    f("key_derive", &[I32, I32, I32, I32, I32], &[I32]),
    f("key_agree", &[I32, I32, I32, I32, I32, I32, I32, I32, I32], &[I32]),
    f("key_import", &[I32, I32, I32, I32], &[I32]),
    f("key_public", &[I32, I32], &[I64]),
    f("key_sign", &[I32, I32, I32, I32], &[I64]),
    f("key_verify", &[I32, I32, I32, I32, I32, I32], &[I32]),
    f("key_mac", &[I32, I32, I32, I32], &[I64]),
    f("key_mac_verify", &[I32, I32, I32, I32, I32, I32], &[I32]),
    f("key_seal", &[I32, I32, I32, I32, I32, I32], &[I64]),
    f("key_open", &[I32, I32, I32, I32, I32, I32], &[I64]),
    f("key_delete", &[I32, I32], &[I32]),
    f("key_list", &[], &[I64]),
    f("verify", &[I32, I32, I32, I32, I32, I32], &[I32]),
    f("digest", &[I32, I32, I32], &[I64]),
    f("attest", &[I32, I32, I32, I32], &[I64]),
    f("call", &[I32, I32, I32, I32, I32], &[I64]),
    f("random", &[I32, I32], &[]),
    f("time", &[], &[I64]),
    f("time_system", &[], &[I64]),
    f("time_persistent", &[], &[I64]),
    f("time_persistent_set", &[I64], &[I32]),
    f("log", &[I32, I32], &[]),
];

/// What a TA must export, beside its memory and its ABI version.
pub(super) const EXPORTS: &[Signature] = &[
    f("tee_create", &[], &[I32]),
    f("tee_open_session", &[I32], &[I32]),
    f("tee_invoke_command", &[I32, I32], &[I32]),
    f("tee_close_session", &[], &[]),
    f("tee_destroy", &[], &[]),
];

/// What a TA may export besides, and only with this type.
pub(super) const OPTIONAL_EXPORTS: &[Signature] = &[f("tee_migrate", &[I32], &[I32])];
