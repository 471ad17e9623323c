//! Logs on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The variable that sets levels by module, such as `tamarack_tam=debug`.
const VARIABLE: &str = "TAMARACK_LOG";

/// Starts logging: warnings by default, more with each `-v`.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = std::env::var(VARIABLE)
        .ok()
        .and_then(|text| EnvFilter::try_new(text).ok())
        // Libraries below say little of interest to an operator.
        .unwrap_or_else(|| {
            EnvFilter::new(format!(
                "warn,tamarack={level},tamarack_tam={level},tamarack_tee={level},tamarack_broker={level},tamarack_trace={level}"
            ))
        });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
}
