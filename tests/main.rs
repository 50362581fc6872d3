//! The one integration binary: a module a subject, `common` for what they share.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::format_collect,
    clippy::print_stdout,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test may stop at once, print, and touch files as it likes"
)]

mod architecture;
mod bad_input;
mod channel;
mod common;
mod containers;
mod content_hash;
mod convert;
mod credentials;
mod determinism;
mod examples;
mod exchange;
mod explaining;
mod faults;
mod images;
mod install;
mod malicious;
mod nix;
mod node;
mod outputs;
mod peers;
mod pip_lines;
mod pypi;
mod pypi_faults;
mod readers;
mod readme;
mod sdists;
mod store;
mod trees;
mod update;
