//! `envlock wheel`: what an sdist of a lock becomes, as a file.

use std::path::PathBuf;

use serde_json::json;

use super::{
    locked::Locked,
    trees::{Builder, USER_PREFIX, request},
};
use crate::{
    cli::Wheel,
    error::{Error, ExitCode},
    fs,
    lock::Kind,
    printer::Printer,
    settings::Settings,
    spec::{self, name_map::normalised},
    store::{self, Files},
    tree,
};

/// Runs the command.
pub(super) fn wheel(arguments: &Wheel, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let choice = &arguments.choice;
    let locked = Locked::load(&choice.lock)?;
    let chosen = locked.choose(choice.environment.as_deref(), choice.platform.as_deref())?;
    let name = normalised(&arguments.package);
    let sdists: Vec<_> = chosen.packages.iter().filter(|package| package.kind == Kind::Sdist).collect();
    let Some(package) = sdists.iter().find(|package| normalised(&package.name) == name) else {
        let message =
            format!("the {} environment has no sdist of `{}`", chosen.environment, arguments.package);
        let known: Vec<_> = sdists.iter().map(|package| package.name.as_str()).collect();
        let hint = if known.is_empty() {
            "nothing in it has to be built".to_owned()
        } else {
            format!("its sdists are {}", known.join(", "))
        };
        return Err(spec::Error::usage(message, hint).into());
    };
    let wheel = tree::built_wheel(package)?;
    let files = Files::open(&settings.cache)?;
    let builder = Builder::new(&locked, &arguments.source, settings, printer)?;
    builder.ensure_wheels(&request(&chosen, USER_PREFIX, false), &files, &|it| it.name == package.name)?;
    let output = arguments.output.clone().unwrap_or_else(|| PathBuf::from(&wheel.file_name));
    fs::write_own(&output, &fs::read_bytes(&store::artifact_path(&settings.cache, &wheel.sha256))?)?;
    if arguments.json {
        printer.data(json!({
            "wheel": output.to_string_lossy(),
            "sdist": package.file_name(),
            "sha256": wheel.sha256,
            "size": wheel.size,
        }))?;
    }
    printer.note(format_args!("wrote {}", output.display()));
    Ok(ExitCode::Success)
}
