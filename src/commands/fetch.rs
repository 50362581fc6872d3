//! `envlock fetch`: the artifacts of a lock, all of them, into the store.

use std::{collections::BTreeMap, path::Path};

use rattler_conda_types::Subdir;
use serde_json::json;

use super::{demand_absent, locked::Locked, stage, trees::Builder};
use crate::{
    cli::Fetch,
    error::{Error, ExitCode},
    fs,
    lock::Package,
    printer::Printer,
    settings::Settings,
    spec::{self, environment::parse_platform},
    store,
};

/// Runs the command.
pub(super) fn fetch(arguments: &Fetch, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let locked = Locked::load(&arguments.lock)?;
    let packages = packages(&locked, &arguments.platform)?;
    if let Some(directory) = &arguments.links {
        demand_absent("--links", directory)?;
    }
    let _in_use = store::in_use(&settings.cache)?;
    let builder = Builder::new(&locked, &arguments.source, settings, printer)?;
    let fetched = builder.fetch(packages.iter().copied())?;
    if let Some(directory) = &arguments.links {
        link(&packages, directory, &builder, printer)?;
    }
    if arguments.json {
        printer.data(json!({ "artifacts": packages.len(), "fetched": fetched }))?;
    }
    printer.note(format_args!("{} artifacts are in the store, {fetched} of them new", packages.len()));
    Ok(ExitCode::Success)
}

/// Makes a directory of links to artifacts by file name; those that share a name have their hash before it.
fn link(packages: &[&Package], directory: &Path, builder: &Builder, printer: &Printer) -> Result<(), Error> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for package in packages {
        *counts.entry(package.file_name()).or_default() += 1;
    }
    let stage = stage(directory, printer)?;
    for package in packages {
        let mut name = package.file_name();
        if counts[&name] > 1 {
            name = format!("{}-{name}", &package.sha256[..16]);
        }
        fs::create_symlink(&stage.tree().join(name), &builder.path(package).to_string_lossy())?;
    }
    stage.publish()?;
    Ok(())
}

/// The packages of every environment on every platform, or on some; an artifact that several need comes once.
pub(super) fn packages<'a>(locked: &'a Locked, platforms: &[String]) -> Result<Vec<&'a Package>, Error> {
    let wanted: Vec<Subdir> = platforms
        .iter()
        .map(|text| parse_platform(text).map_err(|(message, hint)| spec::Error::usage(message, hint)))
        .collect::<Result<_, _>>()?;
    let all = || locked.environments.iter().flat_map(|environment| &environment.platforms);
    if let Some(missing) = wanted.iter().find(|platform| all().all(|(other, _)| other != *platform)) {
        let message = format!("the lock has nothing for {}", missing.as_str());
        return Err(spec::Error::usage(message, "see which platforms it names").into());
    }
    let of_interest = all().filter(|(platform, _)| wanted.is_empty() || wanted.contains(platform));
    let mut packages: Vec<&Package> =
        of_interest.flat_map(|(_, locked)| &locked.packages).flat_map(Package::artifacts).collect();
    packages.sort_by(|a, b| a.sha256.cmp(&b.sha256));
    packages.dedup_by(|a, b| a.sha256 == b.sha256);
    Ok(packages)
}
