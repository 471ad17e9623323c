use core::fmt;

use tamarack_ta::ResultCode;
use wasmi::{Error, Instance, Store, TrapCode, WasmParams, WasmResults};

use super::{Services, TaModule, host::Host};

/// An open session with a TA: a WebAssembly instance that no other session shares.
///
/// Each call is a transaction of the TA's [`Services`]. A TA that traps, runs out of fuel or whose changes
/// can't be committed is dead: the call and all later ones answer [`ResultCode::TARGET_DEAD`].
pub struct Session {
    store: Store<Host>,
    instance: Instance,
    death: Option<Death>,
}

/// Why a session died, for the operator; the application that called sees [`ResultCode::TARGET_DEAD`] only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Death {
    /// A call used up its fuel.
    #[error("it used up its fuel")]
    OutOfFuel,
    /// It trapped: a panic, an address outside its memory, too deep a recursion, …
    #[error("it trapped: {0}")]
    Trap(String),
    /// It reported success, but what it changed could not be made durable.
    #[error("its changes could not be committed: {0}")]
    Commit(ResultCode),
}

impl Session {
    pub(super) fn open(
        module: &TaModule,
        services: Box<dyn Services>,
        input: &[u8],
    ) -> Result<Self, ResultCode> {
        let input_len = input_len(module.quota.input_bytes, input)?;
        let (store, instance) = instantiate(module, Some(services)).map_err(|error| {
            // It could be instantiated when it was loaded: only the machine's memory can be the reason.
            tracing::warn!(%error, "a Trusted Application could not be instantiated");
            ResultCode::OUT_OF_MEMORY
        })?;
        let mut session = Self {
            store,
            instance,
            death: None,
        };
        session.transaction(input, |session| match session.enter("tee_create", ())? {
            ResultCode::SUCCESS => session.enter("tee_open_session", input_len),
            refused => Ok(refused),
        })?;
        Ok(session)
    }

    /// Invokes a command. The output is empty unless the TA set one.
    ///
    /// # Errors
    ///
    /// The TA's result code; [`ResultCode::EXCESS_DATA`] for more input than the quota allows, which
    /// the TA does not see; [`ResultCode::TARGET_DEAD`]; a storage code if the changes of a
    /// command can't be committed.
    pub fn invoke(&mut self, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode> {
        let input_len = input_len(self.store.data().quota.input_bytes, input)?;
        self.transaction(input, |session| {
            session.enter("tee_invoke_command", (command, input_len))
        })
    }

    /// Closes the session and ends the instance. A dead TA is not told.
    pub fn close(mut self) {
        // Nobody is left who could do something about a failure; it is logged like any other.
        let _ = self.transaction(&[], |session| {
            session.enter_silent("tee_close_session")?;
            session.enter_silent("tee_destroy")?;
            Ok(ResultCode::SUCCESS)
        });
    }

    /// Why the session is dead, if it is.
    #[must_use]
    pub fn death(&self) -> Option<&Death> {
        self.death.as_ref()
    }

    /// One call from outside: fresh fuel, the input on the tray, and at the end commit or abort.
    fn transaction(
        &mut self,
        input: &[u8],
        call: impl FnOnce(&mut Self) -> Result<ResultCode, Error>,
    ) -> Result<Vec<u8>, ResultCode> {
        if self.death.is_some() {
            return Err(ResultCode::TARGET_DEAD);
        }
        let host = self.store.data_mut();
        host.tray = input.to_vec();
        host.output = Vec::new();
        host.log_lines = host.quota.log_lines;
        let fuel = host.quota.fuel;
        let result = self.store.set_fuel(fuel).and_then(|()| call(self));

        let host = self.store.data_mut();
        host.tray = Vec::new();
        let output = core::mem::take(&mut host.output);
        let Some(services) = &mut host.services else {
            return Err(ResultCode::BAD_STATE);
        };
        match result {
            Ok(ResultCode::SUCCESS) => match services.commit() {
                Ok(()) => Ok(output),
                Err(code) => {
                    // What the TA remembers differs from what is stored now.
                    self.die(Death::Commit(code));
                    Err(code)
                }
            },
            Ok(code) => {
                services.abort();
                Err(code)
            }
            Err(error) => {
                services.abort();
                self.die(match error.as_trap_code() {
                    Some(TrapCode::OutOfFuel) => Death::OutOfFuel,
                    _ => Death::Trap(error.to_string()),
                });
                Err(ResultCode::TARGET_DEAD)
            }
        }
    }

    fn die(&mut self, death: Death) {
        tracing::warn!(reason = %death, "a Trusted Application died");
        self.death = Some(death);
    }

    fn enter<P: WasmParams>(&mut self, name: &str, params: P) -> Result<ResultCode, Error> {
        self.call::<P, u32>(name, params).map(ResultCode)
    }

    fn enter_silent(&mut self, name: &str) -> Result<(), Error> {
        self.call(name, ())
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> Result<R, Error> {
        self.instance
            .get_typed_func::<P, R>(&self.store, name)?
            .call(&mut self.store, params)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("death", &self.death)
            .finish_non_exhaustive()
    }
}

/// An instance in a store of its own. Runs no code of the module: start functions are refused.
pub(super) fn instantiate(
    module: &TaModule,
    services: Option<Box<dyn Services>>,
) -> Result<(Store<Host>, Instance), Error> {
    let host = Host {
        services,
        quota: module.quota,
        limits: module.limits(),
        memory: None,
        tray: Vec::new(),
        output: Vec::new(),
        log_lines: 0,
    };
    let mut store = Store::new(module.module.engine(), host);
    store.limiter(|host| &mut host.limits);
    // Copying the data and element segments is charged like any other copy.
    store.set_fuel(module.quota.fuel)?;
    let instance = module
        .linker
        .instantiate_and_start(&mut store, &module.module)?;
    store.data_mut().memory = instance.get_memory(&store, "memory");
    Ok((store, instance))
}

fn input_len(max: usize, input: &[u8]) -> Result<u32, ResultCode> {
    if input.len() > max {
        return Err(ResultCode::EXCESS_DATA);
    }
    u32::try_from(input.len()).map_err(|_| ResultCode::EXCESS_DATA)
}
