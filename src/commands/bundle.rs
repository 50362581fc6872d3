//! `envlock bundle`: locks and artifacts in one file, and out of it again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{fetch::packages, locked::Locked, trees::Builder};
use crate::{
    cli::{BundleCommand, SourceArguments},
    error::{Error, ExitCode},
    fs, lock,
    printer::Printer,
    settings::Settings,
    store::{self, bundle},
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
    let _in_use = store::in_use(&settings.cache)?;
    Builder::new(&locked, source, settings, printer)?.fetch(packages.iter().copied())?;
    let locks = lock_files(&locked)?;
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

/// The lock as files, under the names that envlock gives them, whatever the one that was named is called.
pub(super) fn lock_files(locked: &Locked) -> Result<Vec<bundle::LockFile>, Error> {
    let own = locked.files.first().zip(locked.environments.first());
    let own = own.map(|(file, environment)| (lock::file_name(&environment.name), file.clone()));
    let own = own.filter(|(_, file)| file.extension().is_none_or(|extension| extension != "nix"));
    let names = locked.environments.iter().map(|environment| lock::file_name(&environment.name));
    let names = names.chain([lock::NIX_FILE.to_owned()]);
    let mut files: BTreeMap<String, PathBuf> =
        names.map(|name| (name.clone(), locked.directory.join(name))).collect();
    files.extend(own);
    let mut contents = Vec::new();
    for (name, path) in files {
        if let Some(text) = fs::read_own(&path)? {
            contents.push((name, text.into_bytes()));
        }
    }
    Ok(contents)
}

fn import(
    file: &Path,
    output: Option<&Path>,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let _in_use = store::in_use(&settings.cache)?;
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
