//! The commands, one file each; this one hands the command line to them and reports how it ended.

mod building;
mod bundle;
mod cache;
mod check;
mod convert;
mod diff;
mod expansion;
mod export;
mod fetch;
mod generate;
mod image;
mod import;
mod init;
mod install;
mod locked;
mod locking;
mod network;
mod nix_build;
mod render;
mod role;
mod run;
mod sbom;
mod tree;
mod trees;
mod update;
mod verify;
mod wheel;
mod why;

use std::path::{Path, PathBuf};

use rattler_conda_types::Subdir;
use serde_json::json;

use crate::{
    cli::{Cli, Command},
    error::{Error, ExitCode},
    fs::{self, Stage},
    printer::Printer,
    settings::Settings,
    spec::{self, environment::parse_platform},
};

/// Runs a command and prints its error, if any.
pub fn run(cli: &Cli, settings: &Settings, printer: &Printer) -> ExitCode {
    let (result, as_json) = match &cli.command {
        Command::Init(arguments) => (init::init(arguments, settings, printer), false),
        Command::Convert(arguments) => (convert::convert(arguments, settings, printer), arguments.json),
        Command::Update(arguments) => (update::update(arguments, settings, printer), arguments.json),
        Command::Check(arguments) => (check::check(arguments, settings, printer), arguments.json),
        Command::Diff(arguments) => (diff::diff(arguments, settings, printer), arguments.json),
        Command::Why(arguments) => (why::why(arguments, printer), arguments.json),
        Command::Tree(arguments) => (tree::tree(arguments, printer), arguments.json),
        Command::Export(arguments) => (export::export(arguments, printer), false),
        Command::Import(arguments) => (import::import(arguments, settings, printer), false),
        Command::Install(arguments) => (install::install(arguments, settings, printer), arguments.json),
        Command::Verify(arguments) => (verify::verify(arguments, settings, printer), arguments.json),
        Command::Run(arguments) => (run::run(arguments, settings, printer), false),
        Command::Fetch(arguments) => (fetch::fetch(arguments, settings, printer), arguments.json),
        Command::Wheel(arguments) => (wheel::wheel(arguments, settings, printer), arguments.json),
        Command::Bundle(arguments) => (bundle::bundle(&arguments.command, settings, printer), false),
        Command::Cache(arguments) => cache::cache(&arguments.command, settings, printer),
        Command::Image(arguments) => image::image(&arguments.command, settings, printer),
        Command::NixBuild(arguments) => (nix_build::nix_build(arguments, settings, printer), arguments.json),
        Command::Sbom(arguments) => (sbom::sbom(arguments, settings, printer), false),
        Command::Render(arguments) => (render::render(&arguments.command, settings, printer), false),
        Command::Completions { shell } => (generate::completions(*shell, printer), false),
        Command::Man { dir } => (generate::man(dir, printer), false),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            let code = error.exit_code();
            let message = message(&error);
            let hint = error.hint();
            if as_json {
                let error = json!({ "exit_code": code as u8, "message": message, "hint": hint });
                // The error itself is told below, whether or not this can be written.
                let _ = printer.data(json!({ "error": error }));
            }
            printer.error(message, hint.as_deref());
            code
        }
    }
}

fn message(error: &Error) -> String {
    crate::causes::chain(error)
}

/// Refuses a directory that is there: what is made anew does not mix with what somebody else has made.
fn demand_absent(option: &str, directory: &Path) -> Result<(), Error> {
    if fs::exists(directory) {
        let message = format!("{option} {}: it is there already", directory.display());
        return Err(spec::Error::usage(message, "name a directory that is not there yet").into());
    }
    Ok(())
}

/// Begins a directory that appears whole.
fn stage(directory: &Path, printer: &Printer) -> Result<Stage, fs::Error> {
    Stage::begin(directory, || {
        printer.note(format_args!("waiting for another process that makes {}", directory.display()));
    })
}

/// Where outputs go: `-o`, else the directory of the first input file.
fn output_directory(output: Option<&PathBuf>, inputs: &Path) -> PathBuf {
    output.map_or_else(|| inputs.to_path_buf(), PathBuf::clone)
}

/// Writes an answer into a file, whole or not at all, or to standard output.
fn deliver(bytes: &[u8], output: Option<&PathBuf>, printer: &Printer) -> Result<(), fs::Error> {
    let Some(path) = output else { return printer.raw(bytes) };
    fs::write_own(path, bytes)?;
    printer.note(format_args!("wrote {}", path.display()));
    Ok(())
}

/// What `--platform` names, if it was given.
fn platform(stated: Option<&str>) -> Result<Option<Subdir>, spec::Error> {
    let parsed = stated.map(parse_platform).transpose();
    parsed.map_err(|(message, hint)| spec::Error::usage(format!("--platform: {message}"), hint))
}

/// The runtime of everything that waits for a network.
fn runtime() -> Result<tokio::runtime::Runtime, fs::Error> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|source| fs::Error::Io {
        action: "start threads for",
        path: "envlock".into(),
        source,
    })
}
