//! `envlock bundle`: locks and artifacts in one file, and out of it again.

use std::path::Path;

use super::{fetch::packages, locked::Locked, trees::Builder};
use crate::{
    cli::{BundleCommand, SourceArguments},
    error::{Error, ExitCode},
    fs, lock,
    printer::Printer,
    settings::Settings,
    store::bundle,
};

/// Runs the command.
pub(super) fn bundle(
    command: &BundleCommand,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    match command {
        BundleCommand::Create { lock, output, platform, source } => {
            create((lock, platform), output, source, settings, printer)
        }
        BundleCommand::Import { file, output } => import(file, output.as_deref(), settings, printer),
    }
}

fn create(
    (lock, platforms): (&Path, &[String]),
    output: &Path,
    source: &SourceArguments,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let locked = Locked::load(lock)?;
    let packages = packages(&locked, platforms)?;
    Builder::new(&locked, source, settings, printer)?.fetch(packages.iter().copied())?;
    let mut names: Vec<String> = vec![lock::NIX_FILE.to_owned()];
    names.extend(locked.environments.iter().map(|environment| lock::file_name(&environment.name)));
    let mut paths: Vec<_> = names.iter().map(|name| locked.directory.join(name)).collect();
    paths.extend(locked.files.iter().cloned());
    paths.sort();
    paths.dedup();
    let mut locks = Vec::new();
    for path in paths {
        if let (Some(text), Some(name)) = (fs::read_own(&path)?, path.file_name()) {
            locks.push((name.to_string_lossy().into_owned(), text.into_bytes()));
        }
    }
    let artifacts: Vec<_> =
        packages.iter().map(|package| (package.sha256.as_str(), package.url.as_str())).collect();
    let size = {
        let _waiting = printer.waiting(format!("packing {} artifacts", artifacts.len()));
        bundle::create(output, &locks, &artifacts, &settings.cache)?
    };
    printer.note(format_args!(
        "wrote {}: {} locks, {} artifacts, {size} bytes",
        output.display(),
        locks.len(),
        artifacts.len()
    ));
    Ok(ExitCode::Success)
}

fn import(
    file: &Path,
    output: Option<&Path>,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let (locks, count) = {
        let _waiting = printer.waiting(format!("importing {}", file.display()));
        bundle::import(file, &settings.cache)?
    };
    if let Some(directory) = output {
        let written = fs::write_together(directory, &locks)?;
        printer.note(format_args!("wrote {} locks into {}", written.len(), directory.display()));
    }
    printer.note(format_args!("{count} artifacts are in the store: install with --offline"));
    Ok(ExitCode::Success)
}
