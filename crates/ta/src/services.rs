//! Services of other Trusted Applications, which their security domains expose.

use alloc::vec::Vec;

use crate::{ResultCode, tee};

/// Invokes a command of the service `DOMAIN/NAME` and tells its output.
///
/// The service runs in an instance of its own for this one command, and sees this TA as its
/// [client](crate::session::client). What it changes is kept if it succeeds, even if the command that called it fails
/// afterwards. It has the fuel and the time of its own security domain, so that no caller can choose when it ends; the caller
/// pays a fixed price in fuel, and waits.
///
/// # Errors
///
/// [`ResultCode::ITEM_NOT_FOUND`] if there is no such service, or it is not for this TA's domain;
/// [`ResultCode::BAD_PARAMETERS`] if that is too long for a service's name; [`ResultCode::BUSY`] if it can't be called from
/// here, e.g. because it waits for this TA, or is busy with others for too long; [`ResultCode::TARGET_DEAD`] if it died; and
/// the service's own codes.
pub fn call(service: &str, command: u32, input: &[u8]) -> Result<Vec<u8>, ResultCode> {
    tee::call(service, command, input)
}
