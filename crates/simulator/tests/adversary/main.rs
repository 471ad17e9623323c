//! The adversary against the real state machines, and against a model of them. One binary, as all of it is built
//! together.

mod conformance;
mod defects;
mod model;
mod replay;
mod simulation;
