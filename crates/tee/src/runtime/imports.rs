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
pub(super) const IMPORTS: &[Signature] = &[
    f("take", &[I32, I32], &[I32]),
    f("output", &[I32, I32], &[I32]),
    f("object_read", &[I32, I32], &[I64]),
    f("object_write", &[I32, I32, I32, I32], &[I32]),
    f("object_delete", &[I32, I32], &[I32]),
    f("object_list", &[], &[I64]),
    f("personalization_read", &[I32, I32], &[I64]),
    f("key_generate", &[I32, I32, I32], &[I32]),
    f("key_public", &[I32, I32], &[I64]),
    f("key_sign", &[I32, I32, I32, I32], &[I64]),
    f("key_delete", &[I32, I32], &[I32]),
    f("random", &[I32, I32], &[]),
    f("time", &[], &[I64]),
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
