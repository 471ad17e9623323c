use core::fmt;

use tamarack_ta::ResultCode;
use wasmi::{Error, Instance, Store, TypedResumableCall, WasmParams, WasmResults};
use zeroize::{Zeroize, Zeroizing};

use super::{
    Allowance, Input, TaModule,
    allowance::{Cancellation, End, Watch},
    fuel,
    host::Host,
    last_words::LastWords,
    stream::OpenStream,
};
use crate::services::TaServices;

/// An open session with a TA: a WebAssembly instance that no other session shares.
///
/// Each call is a transaction. A TA that traps, uses up its [`Allowance`] or whose changes
/// can't be committed is dead: the call and all later ones answer [`ResultCode::TARGET_DEAD`].
pub struct Session {
    store: Store<Host>,
    instance: Instance,
    death: Option<Death>,
}

/// Why a session died, for the operator; the application that called sees a result code only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Death {
    /// A call used up its fuel.
    #[error("it used up its fuel")]
    OutOfFuel,
    /// A call took longer than it may.
    #[error("it took too long")]
    OutOfTime,
    /// A call was cancelled, and the TA did not end it.
    #[error("it was cancelled and went on")]
    Cancelled,
    /// It trapped: a panic, an address outside its memory, too deep a recursion, …
    #[error("it trapped: {0}")]
    Trap(String),
    /// It reported success, but what it changed could not be made durable.
    #[error("its changes could not be committed: {0}")]
    Commit(ResultCode),
}

impl Death {
    fn of(error: &Error) -> Self {
        match error.downcast_ref::<End>() {
            Some(End::OutOfFuel) => Self::OutOfFuel,
            Some(End::OutOfTime) => Self::OutOfTime,
            Some(End::Cancelled) => Self::Cancelled,
            Some(End::NoRandomness) | None => Self::Trap(error.to_string()),
        }
    }

    fn result_code(&self) -> ResultCode {
        match self {
            Self::Commit(code) => *code,
            Self::Cancelled => ResultCode::CANCEL,
            _ => ResultCode::TARGET_DEAD,
        }
    }
}

impl From<Error> for Death {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

impl Session {
    pub(super) fn open(
        module: &TaModule,
        services: TaServices,
        input: &[u8],
        allowance: &mut Allowance,
    ) -> Result<Self, ResultCode> {
        let input_len = input_len(module.quota.input_bytes, input)?;
        let mut session = Self::new(module, services)?;
        session.transaction(Input::Whole(input), allowance, |session| {
            match session.enter("tee_create", ())? {
                ResultCode::SUCCESS => session.enter("tee_open_session", input_len),
                refused => Ok(refused),
            }
        })?;
        Ok(session)
    }

    pub(super) fn migrate(
        module: &TaModule,
        services: TaServices,
        from: &[u8],
        allowance: &mut Allowance,
    ) -> Result<(), ResultCode> {
        let from_len = input_len(module.quota.input_bytes, from)?;
        let mut session = Self::new(module, services)?;
        let migrates = module.module.get_export("tee_migrate").is_some();
        session.transaction(Input::Whole(from), allowance, |session| {
            if !migrates {
                return Ok(ResultCode::SUCCESS);
            }
            match session.enter("tee_create", ())? {
                ResultCode::SUCCESS => {}
                refused => return Ok(refused),
            }
            match session.enter("tee_migrate", from_len)? {
                ResultCode::SUCCESS => {}
                refused => return Ok(refused),
            }
            session.enter_silent("tee_destroy")?;
            Ok(ResultCode::SUCCESS)
        })?;
        Ok(())
    }

    fn new(module: &TaModule, services: TaServices) -> Result<Self, ResultCode> {
        let (store, instance) = instantiate(module, Some(services)).map_err(|error| {
            // It could be instantiated when it was loaded: only the machine's memory can be the reason.
            tracing::warn!(%error, "a Trusted Application could not be instantiated");
            ResultCode::OUT_OF_MEMORY
        })?;
        Ok(Self {
            store,
            instance,
            death: None,
        })
    }

    /// Invokes a command. The output is empty unless the TA set one.
    ///
    /// # Errors
    ///
    /// The TA's result code; [`ResultCode::EXCESS_DATA`] for more input than the quota allows, which
    /// the TA does not see; [`ResultCode::TARGET_DEAD`]; [`ResultCode::CANCEL`] if it was cancelled and died of it; a
    /// storage code if the changes of a command can't be committed.
    pub(crate) fn invoke(
        &mut self,
        command: u32,
        input: Input<'_>,
        allowance: &mut Allowance,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        let input_len = match &input {
            Input::Whole(bytes) => input_len(self.store.data().quota.input_bytes, bytes)?,
            Input::Streamed(_) => 0,
        };
        self.transaction(input, allowance, |session| {
            session.enter("tee_invoke_command", (command, input_len))
        })
    }

    /// Closes the session and ends the instance. A dead TA is not told.
    pub(crate) fn close(mut self, allowance: &mut Allowance) {
        // Nobody is left who could do something about a failure; it is logged like any other.
        let _ = self.transaction(Input::Whole(&[]), allowance, |session| {
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
        input: Input<'_>,
        allowance: &mut Allowance,
        call: impl FnOnce(&mut Self) -> Result<ResultCode, Death>,
    ) -> Result<Zeroizing<Vec<u8>>, ResultCode> {
        if self.death.is_some() {
            return Err(ResultCode::TARGET_DEAD);
        }
        let host = self.store.data_mut();
        (host.tray, host.stream) = match input {
            Input::Whole(bytes) => (Zeroizing::new(bytes.to_vec()), None),
            Input::Streamed(stream) => (Zeroizing::default(), Some(OpenStream::new(stream))),
        };
        host.output = Zeroizing::default();
        host.log_lines = allowance.log_lines;
        host.watch = allowance.watch.clone();
        let filled = fuel::fill(&mut self.store, allowance.fuel);
        let result = filled.map_err(Death::from).and_then(|()| call(self));
        allowance.fuel = fuel::left(&self.store);
        allowance.log_lines = self.store.data().log_lines;

        let host = self.store.data_mut();
        host.tray = Zeroizing::default();
        host.stream = None;
        let output = core::mem::take(&mut host.output);
        let last_words = core::mem::take(&mut host.last_words);
        let Some(services) = &mut host.services else {
            return Err(ResultCode::BAD_STATE);
        };
        let panic = match &result {
            Err(Death::Trap(_)) => last_words.panic(),
            _ => None,
        };
        if panic.is_none() {
            for line in last_words.into_lines() {
                services.log(&line);
            }
        }
        let death = match result {
            Ok(ResultCode::SUCCESS) => match services.commit() {
                Ok(()) => return Ok(output),
                // What the TA remembers differs from what is stored now.
                Err(code) => Death::Commit(code),
            },
            Ok(code) => {
                services.abort();
                // Whether a session is dead, the TEE says, and nobody in it.
                return Err(match code {
                    ResultCode::TARGET_DEAD => ResultCode::GENERIC,
                    code => code,
                });
            }
            Err(death) => {
                services.abort();
                death
            }
        };
        services.log_death(&panic.unwrap_or_else(|| format!("died: {death}")));
        let code = death.result_code();
        self.death = Some(death);
        Err(code)
    }

    fn enter<P: WasmParams>(&mut self, name: &str, params: P) -> Result<ResultCode, Death> {
        self.call::<P, u32>(name, params).map(ResultCode)
    }

    fn enter_silent(&mut self, name: &str) -> Result<(), Death> {
        self.call(name, ())
    }

    fn check_time(&self) -> Result<(), Error> {
        Ok(self.store.data().watch.check()?)
    }

    /// Runs an exported function, slice by slice.
    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> Result<R, Death> {
        self.check_time()?;
        let function = self.instance.get_typed_func::<P, R>(&self.store, name);
        let mut running =
            function.and_then(|function| function.call_resumable(&mut self.store, params))?;
        loop {
            running = match running {
                TypedResumableCall::Finished(result) => return Ok(result),
                TypedResumableCall::HostTrap(trap) => return Err(Death::of(trap.host_error())),
                TypedResumableCall::OutOfFuel(paused) => {
                    self.check_time()?;
                    fuel::refill(&mut self.store, paused.required_fuel())?;
                    paused.resume(&mut self.store)?
                }
            };
        }
    }
}

/// What the TA had in its memory is nobody's business any more.
impl Drop for Session {
    fn drop(&mut self) {
        if let Some(memory) = self.store.data().memory {
            memory.data_mut(&mut self.store).zeroize();
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("death", &self.death)
            .finish_non_exhaustive()
    }
}

/// Fuel for making an instance: copying data and element segments is charged like any other copy.
const INSTANTIATION: u64 = 1_000_000_000;

/// An instance in a store of its own. Runs no code of the module: start functions are refused.
pub(super) fn instantiate(
    module: &TaModule,
    services: Option<TaServices>,
) -> Result<(Store<Host>, Instance), Error> {
    let host = Host {
        services,
        quota: module.quota,
        limits: module.limits(),
        memory: None,
        tray: Zeroizing::default(),
        output: Zeroizing::default(),
        stream: None,
        log_lines: 0,
        last_words: LastWords::default(),
        reserve: 0,
        watch: Watch::new(core::time::Duration::ZERO, Cancellation::default()),
    };
    let mut store = Store::new(module.module.engine(), host);
    store.limiter(|host| &mut host.limits);
    store.set_fuel(INSTANTIATION)?;
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
