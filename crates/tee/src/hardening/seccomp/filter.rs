//! The filters, as programs for the kernel.

use std::collections::BTreeMap;

use nix::libc as c;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule,
};

use super::{
    super::Need,
    calls::{HOSTILE, HOSTILE_HERE, NEEDED, NEEDED_HERE},
};

/// Rules for each call, of which one has to hold; without a rule the call is allowed whatever its arguments.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Names of regions, which newer C libraries give to what they map.
const PR_SET_VMA: i32 = 0x5356_4d41;

/// Requests of `ioctl`: whether a connection blocks, whether a descriptor outlives `execve`, what terminal it is. The numbers
/// are those of `asm-generic/ioctls.h`, the types of a C library's constants are its own.
const IOCTLS: [u64; 3] = [0x5421, 0x5451, 0x5401];

/// The type of a socket, without the flags beside it.
const SOCKET_TYPE: i32 = 0xf;

/// One that ends the process at each [hostile](HOSTILE) call.
pub(super) fn hostile() -> Result<BpfProgram, BackendError> {
    let calls = HOSTILE.iter().chain(HOSTILE_HERE);
    let rules = calls.map(|call| (*call, Vec::new())).collect();
    program(rules, SeccompAction::KillProcess, SeccompAction::Allow)
}

/// One that lets pass what the process with this id needs on a platform with these needs.
pub(super) fn needed(needs: &[Need], process: u32) -> Result<BpfProgram, BackendError> {
    let calls = NEEDED.iter().chain(NEEDED_HERE);
    let mut rules: Rules = calls.map(|call| (*call, Vec::new())).collect();
    // No memory is both written by us and run: an exploit has to make do with the code that is there.
    for call in [c::SYS_mmap, c::SYS_mprotect] {
        rules.insert(call, vec![all([has_not(2, c::PROT_EXEC)?])?]);
    }
    // A thread of this process, not another one. What starts threads since Linux 5.3, clone3, hides its flags behind a
    // pointer; C libraries come back to this one.
    rules.insert(c::SYS_clone, vec![all([has(0, c::CLONE_THREAD)?])?]);
    // The way out of an abort is a signal to oneself.
    let process = u64::from(process);
    rules.insert(c::SYS_tgkill, vec![all([is(0, process)?])?]);
    rules.insert(
        c::SYS_prctl,
        vec![
            all([equals(0, c::PR_SET_NAME)?])?,
            all([equals(0, PR_SET_VMA)?])?,
        ],
    );
    // One's own limits are looked up, not set.
    rules.insert(c::SYS_prlimit64, vec![all([is(0, 0)?, null(2)?])?]);
    let mut controls = Vec::new();
    for request in IOCTLS {
        controls.push(all([is(1, request)?])?);
    }
    rules.insert(c::SYS_ioctl, controls);
    for need in needs {
        allow(&mut rules, need)?;
    }
    program(
        rules,
        SeccompAction::Allow,
        SeccompAction::Errno(c::ENOSYS.unsigned_abs()),
    )
}

/// Adds what a need comes to. Sockets are made with certain arguments only, and what is connected can be used like
/// connections of the link.
fn allow(rules: &mut Rules, need: &Need) -> Result<(), BackendError> {
    match need {
        // Landlock says where.
        Need::Read(_) | Need::Write(_) => {}
        Need::Device(_) => {
            rules.insert(c::SYS_ioctl, Vec::new());
        }
        Need::UnixSockets => {
            let sockets = rules.entry(c::SYS_socket).or_default();
            sockets.push(all([equals(0, c::AF_UNIX)?])?);
            rules.insert(c::SYS_connect, Vec::new());
        }
        Need::Tcp(_) => {
            let sockets = rules.entry(c::SYS_socket).or_default();
            for family in [c::AF_INET, c::AF_INET6] {
                // Landlock, which says which ports, knows TCP by itself only, not as a part of MPTCP.
                for protocol in [0, c::IPPROTO_TCP] {
                    let stream = masked(1, SOCKET_TYPE, c::SOCK_STREAM)?;
                    sockets.push(all([equals(0, family)?, stream, equals(2, protocol)?])?);
                }
            }
            rules.insert(c::SYS_connect, Vec::new());
        }
    }
    Ok(())
}

fn program(
    rules: Rules,
    of_rules: SeccompAction,
    otherwise: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let processor = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, otherwise, of_rules, processor)?.try_into()
}

fn all<const N: usize>(conditions: [SeccompCondition; N]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into())
}

/// Condition: the lower half of an argument, which is all that the kernel looks at where a call takes an `int`.
fn half(
    argument: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)
}

fn bits(value: i32) -> u64 {
    u64::from(value.cast_unsigned())
}

fn is(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    half(argument, SeccompCmpOp::Eq, value)
}

fn equals(argument: u8, value: i32) -> Result<SeccompCondition, BackendError> {
    is(argument, bits(value))
}

fn masked(argument: u8, mask: i32, value: i32) -> Result<SeccompCondition, BackendError> {
    half(argument, SeccompCmpOp::MaskedEq(bits(mask)), bits(value))
}

fn has(argument: u8, flag: i32) -> Result<SeccompCondition, BackendError> {
    masked(argument, flag, flag)
}

fn has_not(argument: u8, flag: i32) -> Result<SeccompCondition, BackendError> {
    masked(argument, flag, 0)
}

/// Condition: a pointer to nothing.
fn null(argument: u8) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)
}

#[cfg(test)]
mod tests;
