use super::*;
use crate::runtime::imports::IMPORTS;

fn load(text: &str) -> Result<(), ModuleError> {
    load_text(text, &Quota::default()).map(|_| ())
}

#[test]
fn every_import_is_offered_with_the_type_of_the_table() {
    // What the linker offers decides at instantiation, which loading tries; the table decides before.
    let imports: String = IMPORTS
        .iter()
        .map(|import| format!("(import \"tee\" \"{}\" {})\n", import.name, import.text()))
        .collect();
    load(&module_text(&imports, "(i32.const 0)")).unwrap();
}

#[test]
fn the_table_is_that_of_the_interface() {
    let interface = include_str!("../../../../ta/src/interface.rs");
    let rows = interface.lines().filter_map(|line| {
        let (name, ty) = line.strip_prefix("//! | `")?.split_once("` | `(")?;
        let (params, result) = ty.strip_suffix("` |")?.split_once(") -> ")?;
        let params = params.split(", ").filter(|param| !param.is_empty());
        let params: String = params.map(|param| format!(" {}", type_of(param))).collect();
        let result = if result == "()" { "" } else { result };
        Some((name.to_owned(), params, result.to_owned()))
    });
    let rows: Vec<_> = rows.collect();
    assert_eq!(rows.len(), IMPORTS.len());
    for ((name, params, result), import) in rows.into_iter().zip(IMPORTS) {
        assert_eq!(name, import.name);
        let text = format!("(func (param{params}) (result {result}))");
        let text = text.replace(" (param)", "").replace(" (result )", "");
        assert_eq!(text, import.text(), "{name}");
    }
}

/// What the interface says about parameters of other types than `i32`.
fn type_of(param: &str) -> &str {
    match param {
        "offset" | "size" | "seconds: i64" => "i64",
        _ => "i32",
    }
}

#[test]
fn unknown_imports_are_refused() {
    for (module, name) in [
        ("env", "abort"),
        ("wasi_snapshot_preview1", "fd_write"),
        ("tee", "root_key"),
        ("", ""),
    ] {
        let import = format!(r#"(import "{module}" "{name}" (func))"#);
        assert_eq!(
            load(&module_text(&import, "(i32.const 0)")),
            Err(ModuleError::UnknownImport(format!("{module}.{name}")))
        );
    }
    let memory = r#"(import "tee" "take" (global i32))"#;
    assert_eq!(
        load(&module_text(memory, "(i32.const 0)")),
        Err(ModuleError::UnknownImport("tee.take".into()))
    );
}

#[test]
fn imports_of_another_type_are_refused() {
    let import = r#"(import "tee" "take" (func (param i32 i64) (result i32)))"#;
    assert_eq!(
        load(&module_text(import, "(i32.const 0)")),
        Err(ModuleError::ImportType("tee.take".into()))
    );
}

#[test]
fn the_abi_version_must_be_ours() {
    let text = module_text("", "(i32.const 0)");
    assert_eq!(
        load(&text.replace("tee_abi_v1", "other")),
        Err(ModuleError::AbiMissing)
    );
    assert_eq!(
        load(&text.replace("tee_abi_v1", "tee_abi_v2")),
        Err(ModuleError::AbiVersion("2".into()))
    );
    assert_eq!(load("(module)"), Err(ModuleError::AbiMissing));
}

#[test]
fn entry_points_are_needed() {
    let text = module_text("", "(i32.const 0)");
    for name in [
        "tee_create",
        "tee_open_session",
        "tee_close_session",
        "tee_destroy",
        "memory",
    ] {
        assert_eq!(
            load(&text.replace(&format!("\"{name}\""), "\"gone\"")),
            Err(ModuleError::Export(name))
        );
    }
    let wrong = text.replace(
        "(func (export \"tee_destroy\"))",
        "(func (export \"tee_destroy\") (param i32))",
    );
    assert_eq!(load(&wrong), Err(ModuleError::Export("tee_destroy")));
}

#[test]
fn memory_and_tables_are_bounded() {
    let text = module_text("", "(i32.const 0)");
    let quota = Quota {
        memory_bytes: 2 << 16,
        table_elements: 10,
        ..Quota::default()
    };
    let load = |text: &str| load_text(text, &quota).map(|_| ());
    load(&text.replace("\"memory\") 1", "\"memory\") 2")).unwrap();
    assert_eq!(
        load(&text.replace("\"memory\") 1", "\"memory\") 3")),
        Err(ModuleError::Memory {
            wanted: 3 << 16,
            max: 2 << 16
        })
    );
    assert!(matches!(
        load(&text.replace("(memory", "(table 11 funcref) (memory")),
        Err(ModuleError::Invalid(_))
    ));
    let tables = "(table 1 funcref) ".repeat(5) + "(memory";
    assert!(matches!(
        load(&text.replace("(memory", &tables)),
        Err(ModuleError::Invalid(_))
    ));
    let second = text.replace("(memory", "(memory 1) (memory");
    assert!(matches!(load(&second), Err(ModuleError::Invalid(_))));
}

#[test]
fn a_large_file_is_refused_unread() {
    let quota = Quota {
        module_bytes: 100,
        ..Quota::default()
    };
    assert_eq!(
        TaRuntime::new()
            .unwrap()
            .load(&[0; 101], &quota)
            .map(|_| ()),
        Err(ModuleError::TooLarge { len: 101, max: 100 })
    );
}

#[test]
fn code_that_would_run_at_load_time_is_refused() {
    let text = module_text("", "(i32.const 0)").replace("(memory", "(func $s) (start $s) (memory");
    assert!(matches!(load(&text), Err(ModuleError::Invalid(_))));
}

#[test]
fn a_data_segment_outside_the_memory_is_refused() {
    let text = module_text("", "(i32.const 0)").replace(
        "(func (export \"tee_abi_v1\"))",
        "(func (export \"tee_abi_v1\")) (data (i32.const 65535) \"ab\")",
    );
    assert!(matches!(load(&text), Err(ModuleError::Invalid(_))));
}

#[test]
fn garbage_is_refused() {
    let runtime = TaRuntime::new().unwrap();
    let wasm = wat::parse_str(module_text("", "(i32.const 0)")).unwrap();
    // What follows is a custom section that holds names for people, and can go.
    let end = wasm
        .windows(5)
        .position(|bytes| bytes == b"\x04name")
        .unwrap()
        - 2;
    for len in 0..end {
        assert!(
            runtime.load(&wasm[..len], &Quota::default()).is_err(),
            "cut at {len}"
        );
    }
    for position in 0..wasm.len() {
        let mut flipped = wasm.clone();
        flipped[position] ^= 0xFF;
        // Some flips hit a name or a constant and give another valid module; none may panic.
        let _ = runtime.load(&flipped, &Quota::default());
    }
}
