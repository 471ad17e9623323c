//! Memory that is not swapped out.

use nix::{
    errno::Errno,
    libc,
    sys::{
        mman::{MlockAllFlags, mlockall},
        resource::{Resource, getrlimit, rlim_t, setrlimit},
    },
};

use super::State;

/// Keeps all memory of the process, now and later, from being swapped out.
///
/// Keys are derived where they are needed and live all over the heap and the stacks, so it is all or nothing. Under a limit
/// it is nothing: what does not fit is not left unlocked, it is not given at all, and the TEE would run out of memory long before
/// the machine does.
pub(super) fn lock() -> State {
    let outcome = getrlimit(Resource::RLIMIT_MEMLOCK).and_then(|(soft, hard)| {
        if hard == libc::RLIM_INFINITY {
            setrlimit(Resource::RLIMIT_MEMLOCK, hard, hard)?;
            return lock_all().map(|()| Ok(()));
        }
        // Under a limit of nothing only those lock who are exempt from it.
        setrlimit(Resource::RLIMIT_MEMLOCK, 0, hard)?;
        let locked = lock_all();
        setrlimit(Resource::RLIMIT_MEMLOCK, soft, hard)?;
        match locked {
            Ok(()) => Ok(Ok(())),
            Err(Errno::EPERM | Errno::ENOMEM) => Ok(Err(hard)),
            Err(error) => Err(error),
        }
    });
    match outcome {
        Ok(Ok(())) => State::On,
        Ok(Err(limit)) => State::Missing(limited(limit)),
        Err(error) => State::Missing(error.desc().into()),
    }
}

fn lock_all() -> Result<(), Errno> {
    // Pages are locked when they are first used: a stack that is reserved and empty takes no memory.
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault)
}

fn limited(limit: rlim_t) -> String {
    format!(
        "the limit of locked memory is {} KiB; with none (LimitMEMLOCK=infinity, ulimit -l unlimited) all of it is locked",
        limit / 1024
    )
}
