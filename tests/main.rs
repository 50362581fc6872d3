//! The one integration binary: a module a subject, `common` for what they share.

mod architecture;
mod channel;
mod common;
mod content_hash;
mod convert;
mod credentials;
mod determinism;
mod examples;
mod faults;
mod outputs;
mod readers;
mod bad_input;
