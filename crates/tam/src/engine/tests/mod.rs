mod exchange;
mod hostile;
mod log;
mod outcomes;
