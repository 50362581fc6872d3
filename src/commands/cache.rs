//! `envlock cache`: what is in it, what may go, what is damaged.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::json;

use super::{locked::Locked, trees::prune_wheels};
use crate::{
    cli::CacheCommand,
    error::{Error, ExitCode},
    fs, image,
    lock::{Package, fingerprint::lock_hash},
    printer::Printer,
    settings::Settings,
    store::{self, Files},
    tree,
};

/// Runs the command; says as well whether its answer is JSON.
pub(super) fn cache(
    command: &CacheCommand,
    settings: &Settings,
    printer: &Printer,
) -> (Result<ExitCode, Error>, bool) {
    match command {
        CacheCommand::Info { json } => (info(*json, settings, printer), *json),
        CacheCommand::Prune { keep } => (prune(keep, settings, printer), false),
        CacheCommand::Verify => (verify(settings, printer), false),
    }
}

fn info(as_json: bool, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let parts = [
        ("artifacts", "artifacts as they were fetched"),
        ("files", "files of unpacked packages"),
        ("unpacked", "lists of those files"),
        ("trees", "manifests of trees"),
        ("byte-code", "which byte-code came of which sources"),
        ("wheels", "which wheel came of which sdist"),
        ("layers", "which layers were written"),
        ("images", "which images were written"),
    ];
    let mut rows = Vec::new();
    for (part, what) in parts {
        let found = fs::walk(&settings.cache.join(part)).unwrap_or_default();
        let sizes = found
            .values()
            .filter_map(|it| if let fs::Found::File { size, .. } = it { Some(*size) } else { None });
        let (count, bytes) = sizes.fold((0_u64, 0_u64), |(count, bytes), size| (count + 1, bytes + size));
        rows.push((part, what, count, bytes));
    }
    if as_json {
        let parts: serde_json::Map<_, _> = rows
            .iter()
            .map(|(part, _, count, bytes)| ((*part).to_owned(), json!({ "files": count, "bytes": bytes })))
            .collect();
        printer.data(json!({ "cache": settings.cache.to_string_lossy(), "parts": parts }))?;
        return Ok(ExitCode::Success);
    }
    printer.data(settings.cache.display())?;
    for (_, what, count, bytes) in rows {
        #[allow(clippy::cast_precision_loss, reason = "for the eye")]
        printer.data(format_args!("{count:>8} {:>10.1} MB  {what}", bytes as f64 / 1e6))?;
    }
    Ok(ExitCode::Success)
}

fn prune(keep: &[PathBuf], settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let mut artifacts = BTreeSet::new();
    let mut locks = BTreeSet::new();
    for path in keep {
        let locked = Locked::load(path)?;
        for platform in locked.environments.iter().flat_map(|environment| environment.platforms.values()) {
            locks.insert(lock_hash(&platform.packages));
            let needed = platform.packages.iter().flat_map(Package::artifacts);
            artifacts.extend(needed.map(|package| package.sha256.clone()));
            let wheels = platform.packages.iter().filter_map(|package| package.wheel.as_ref());
            artifacts.extend(wheels.map(|wheel| wheel.sha256.clone()));
        }
    }
    let waiting = printer.waiting("waiting for other processes that use the cache");
    let files = Files::open_alone(&settings.cache)?;
    waiting.on("removing what is not needed");
    let mut removed = store::prune_leftovers(&settings.cache)?;
    if !keep.is_empty() {
        removed += store::prune_artifacts(&settings.cache, &artifacts)?;
        removed += prune_wheels(&settings.cache, &artifacts)?;
        let used = tree::prune(&settings.cache, &artifacts, &locks, &mut removed)?;
        // What an image was is not what a lock needs: its layers are written again from the rest.
        removed += image::prune(&settings.cache)?;
        removed += files.prune(&used)?;
    }
    drop(waiting);
    printer.note(format_args!("removed {removed} files"));
    Ok(ExitCode::Success)
}

fn verify(settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let waiting = printer.waiting("reading the cache");
    let files = Files::open(&settings.cache)?;
    let (artifacts, mut damaged) = store::verify_artifacts(&settings.cache)?;
    let (files, wrong) = files.verify()?;
    drop(waiting);
    damaged.extend(wrong);
    for path in &damaged {
        printer.warning(format_args!("damaged, and removed: {}", path.display()));
    }
    if damaged.is_empty() {
        printer.note(format_args!("sound: {artifacts} artifacts, {files} files"));
        return Ok(ExitCode::Success);
    }
    let hint = "what was removed is fetched or unpacked again when it is needed; prefixes with links to a damaged \
                file are found by `envlock verify`";
    printer.error(format_args!("{} files of the cache were damaged", damaged.len()), Some(hint));
    Ok(ExitCode::Differs)
}
