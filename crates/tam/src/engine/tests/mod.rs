mod attestation_results;
mod exchange;
mod hostile;
mod interop;
mod log;
mod negotiation;
mod outcomes;
mod remedy;
