//! Random manifests: any, those that make sense, and those that almost do.
#![allow(unreachable_pub, reason = "a module of a test binary")]

pub mod any;
pub mod mutate;
pub mod valid;
