mod exchange;
mod hostile;
mod interop;
mod log;
mod measure;
mod outcomes;
