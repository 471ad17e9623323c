mod examples;
mod home;
mod hostile;
mod limits;
mod loading;
mod services;

use super::{Input, ModuleError, Quota, Session, TaModule, TaRuntime};
use home::{Home, invoke, logged, plenty};

/// The text of a module that is a TA: `imports` in front, `body` as the body of `tee_invoke_command`.
fn module_text(imports: &str, body: &str) -> String {
    format!(
        r#"(module
            {imports}
            (memory (export "memory") 1)
            (func (export "tee_abi_v1"))
            (func (export "tee_create") (result i32) (i32.const 0))
            (func (export "tee_open_session") (param i32) (result i32) (i32.const 0))
            (func $invoke (export "tee_invoke_command")
                (param $command i32) (param $len i32) (result i32) {body})
            (func (export "tee_close_session"))
            (func (export "tee_destroy")))"#
    )
}

fn load_text(text: &str, quota: &Quota) -> Result<TaModule, ModuleError> {
    TaRuntime::new()
        .unwrap()
        .load(&wat::parse_str(text).unwrap(), quota)
}

/// A session with a module made by [`module_text`], in a home of its own.
fn session(imports: &str, body: &str, quota: &Quota) -> Session {
    let module = load_text(&module_text(imports, body), quota).unwrap();
    Home::new().open(&module).unwrap()
}
