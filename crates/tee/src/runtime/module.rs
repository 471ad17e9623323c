use tamarack_ta::{
    ResultCode,
    interface::{ABI_EXPORT_PREFIX, ABI_VERSION, IMPORT_MODULE},
};
use wasmi::{
    CompilationMode, Config, EnforcedLimits, Engine, ExternType, Linker, Module, StoreLimitsBuilder,
};

use super::{
    Allowance, Quota, Session,
    host::{self, Host},
    imports::{EXPORTS, IMPORTS, OPTIONAL_EXPORTS},
    session,
};
use crate::services::TaServices;

/// Checks and compiles TAs. One for the whole TEE.
#[derive(Debug)]
pub struct TaRuntime {
    engine: Engine,
    linker: Linker<Host>,
}

impl TaRuntime {
    /// A runtime with nothing loaded.
    ///
    /// # Errors
    ///
    /// [`ModuleError::Interpreter`] if the interpreter refuses the imports, which no input can cause.
    pub fn new() -> Result<Self, ModuleError> {
        let mut config = Config::default();
        config
            .consume_fuel(true)
            // All of a module is checked and translated when it is loaded, none of it at a session's cost.
            .compilation_mode(CompilationMode::Eager)
            .enforced_limits(EnforcedLimits::strict())
            // Code runs when the life cycle says so, not before.
            .allow_start_fn(false)
            .ignore_custom_sections(true)
            .wasm_multi_memory(false)
            .wasm_tail_call(false);
        let engine = Engine::new(&config);
        let linker = host::linker(&engine).map_err(ModuleError::interpreter)?;
        Ok(Self { engine, linker })
    }

    /// Checks a module against the ABI and `quota`, and compiles it. None of its code runs.
    ///
    /// # Errors
    ///
    /// What keeps it from running here.
    pub fn load(&self, wasm: &[u8], quota: &Quota) -> Result<TaModule, ModuleError> {
        if wasm.len() > quota.module_bytes {
            return Err(ModuleError::TooLarge {
                len: wasm.len(),
                max: quota.module_bytes,
            });
        }
        let module = Module::new(&self.engine, wasm)
            .map_err(|error| ModuleError::Invalid(error.to_string()))?;
        check_imports(&module)?;
        check_abi(&module)?;
        check_exports(&module, quota)?;
        let module = TaModule {
            module,
            linker: self.linker.clone(),
            quota: *quota,
        };
        // Tables and data segments can't be seen from outside: whether they fit shows in a trial.
        session::instantiate(&module, None)
            .map_err(|error| ModuleError::Invalid(error.to_string()))?;
        Ok(module)
    }
}

fn check_imports(module: &Module) -> Result<(), ModuleError> {
    for import in module.imports() {
        let full_name = || format!("{}.{}", import.module(), import.name());
        let signature = IMPORTS.iter().find(|known| known.name == import.name());
        match (signature, import.ty()) {
            (Some(signature), ExternType::Func(ty)) if import.module() == IMPORT_MODULE => {
                if !signature.is(ty) {
                    return Err(ModuleError::ImportType(full_name()));
                }
            }
            _ => return Err(ModuleError::UnknownImport(full_name())),
        }
    }
    Ok(())
}

fn check_abi(module: &Module) -> Result<(), ModuleError> {
    let mut versions = module
        .exports()
        .filter_map(|export| export.name().strip_prefix(ABI_EXPORT_PREFIX));
    match (versions.next(), versions.next()) {
        (Some(version), None) if version == ABI_VERSION.to_string() => Ok(()),
        (Some(version), None) => Err(ModuleError::AbiVersion(version.to_owned())),
        (None, _) => Err(ModuleError::AbiMissing),
        (Some(_), Some(_)) => Err(ModuleError::AbiVersion("stated twice".to_owned())),
    }
}

fn check_exports(module: &Module, quota: &Quota) -> Result<(), ModuleError> {
    for signature in EXPORTS {
        match module.get_export(signature.name) {
            Some(ExternType::Func(ty)) if signature.is(&ty) => {}
            _ => return Err(ModuleError::Export(signature.name)),
        }
    }
    for signature in OPTIONAL_EXPORTS {
        match module.get_export(signature.name) {
            None => {}
            Some(ExternType::Func(ty)) if signature.is(&ty) => {}
            Some(_) => return Err(ModuleError::Export(signature.name)),
        }
    }
    match module.get_export("memory") {
        Some(ExternType::Memory(memory)) => {
            let wanted = memory.minimum().saturating_mul(WASM_PAGE);
            let max = quota.memory_bytes;
            if usize::try_from(wanted).is_ok_and(|wanted| wanted <= max) {
                Ok(())
            } else {
                Err(ModuleError::Memory { wanted, max })
            }
        }
        _ => Err(ModuleError::Export("memory")),
    }
}

/// Bytes in a page of WebAssembly's memory.
const WASM_PAGE: u64 = 64 << 10;

/// A TA that can run: checked, compiled, with the quota its sessions get.
#[derive(Debug, Clone)]
pub struct TaModule {
    pub(super) module: Module,
    pub(super) linker: Linker<Host>,
    pub(super) quota: Quota,
}

impl TaModule {
    /// Makes an instance and opens a session with it (`tee_create`, `tee_open_session`), in one transaction.
    ///
    /// # Errors
    ///
    /// The TA's result code, [`ResultCode::EXCESS_DATA`] for more input than the quota allows, or
    /// [`ResultCode::TARGET_DEAD`] if it died.
    pub(crate) fn open_session(
        &self,
        services: TaServices,
        input: &[u8],
        allowance: &mut Allowance,
    ) -> Result<Session, ResultCode> {
        Session::open(self, services, input, allowance)
    }

    /// Has the code bring what is stored up to date (`tee_migrate`), in an instance of its own and one transaction.
    ///
    /// # Errors
    ///
    /// As [`open_session`](Self::open_session).
    pub(crate) fn migrate(
        &self,
        services: TaServices,
        from: &[u8],
        allowance: &mut Allowance,
    ) -> Result<(), ResultCode> {
        Session::migrate(self, services, from, allowance)
    }

    pub(super) fn limits(&self) -> wasmi::StoreLimits {
        StoreLimitsBuilder::new()
            .memory_size(self.quota.memory_bytes)
            .table_elements(self.quota.table_elements)
            .instances(1)
            .memories(1)
            .tables(4)
            .build()
    }
}

/// Why a module can't run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModuleError {
    /// The file is larger than the quota allows.
    #[error("the module has {len} bytes, {max} are allowed")]
    TooLarge {
        /// Bytes of the file.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// It is no WebAssembly module, or one with features that a TA must not use.
    #[error("not a valid WebAssembly module for this TEE: {0}")]
    Invalid(String),
    /// It imports something that this TEE does not offer.
    #[error("the module imports {0}, which this TEE does not offer")]
    UnknownImport(String),
    /// It imports a service with another type.
    #[error("the module imports {0} with a type other than the TEE's")]
    ImportType(String),
    /// It does not say for which ABI it was made.
    #[error("the module is no Trusted Application: it states no ABI version")]
    AbiMissing,
    /// It was made for another ABI.
    #[error("the module is for ABI version {0}, this TEE offers {ABI_VERSION}")]
    AbiVersion(String),
    /// An entry point is missing or has another type.
    #[error("the module does not export {0}, or with another type")]
    Export(&'static str),
    /// It starts with more memory than the quota allows.
    #[error("the module needs {wanted} bytes of memory, {max} are allowed")]
    Memory {
        /// Bytes that it starts with.
        wanted: u64,
        /// Bytes allowed.
        max: usize,
    },
    /// The interpreter failed; not the module's fault.
    #[error("the WebAssembly interpreter failed: {0}")]
    Interpreter(String),
}

impl ModuleError {
    #[expect(clippy::needless_pass_by_value, reason = "for map_err")]
    fn interpreter(error: wasmi::Error) -> Self {
        Self::Interpreter(error.to_string())
    }
}
