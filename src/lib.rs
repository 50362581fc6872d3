//! envlock locks a conda `env.yml` once and builds identical nodes from the lock.
//!
//! The folders are the pipeline; dependencies point one way, and `tests/architecture.rs` keeps it so:
//! `spec < lock < store < tree < image < commands`, with `resolve` beside `tree` and `cluster` beside `lock`.
//! The binary is thin: [`run`] is all of it.

pub mod build;
pub mod causes;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod error;
pub mod exchange;
pub mod fs;
pub mod http;
pub mod image;
pub mod json;
pub mod lock;
pub mod nix;
pub mod printer;
pub mod resolve;
pub mod sbom;
pub mod settings;
pub mod spec;
pub mod store;
pub mod tree;

use clap::Parser;
use error::ExitCode;

/// Runs the command line of this process and returns its exit code.
pub fn run() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.global.color {
        cli::Color::Auto => {}
        cli::Color::Always => anstream::ColorChoice::Always.write_global(),
        cli::Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let printer = printer::Printer::new(cli.global.quiet);
    let settings = settings::Settings::new(&cli.global);
    commands::run(&cli, &settings, &printer)
}
