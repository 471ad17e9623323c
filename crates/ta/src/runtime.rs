use core::{arch::wasm32, panic::PanicInfo};

use dlmalloc::GlobalDlmalloc;

use crate::tee;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

/// Logs where and, if that takes no formatting, why; then traps, which ends the session.
///
/// The TEE makes one warning of these lines.
///
/// Formatting a panic's message would add some ten kilobytes to every TA.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    tee::log("panic");
    if let Some(location) = info.location() {
        tee::log(location.file());
        tee::log(decimal(location.line(), &mut [0; 10]));
    }
    if let Some(message) = info.message().as_str() {
        tee::log(message);
    }
    wasm32::unreachable()
}

fn decimal(mut number: u32, digits: &mut [u8; 10]) -> &str {
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    let start = digits.len().saturating_sub(used);
    digits
        .get(start..)
        .and_then(|digits| core::str::from_utf8(digits).ok())
        .unwrap_or_default()
}
