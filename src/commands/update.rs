//! `envlock update`: newer versions of some packages; everything else stays, unless it must move.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde_json::json;

use super::{
    check,
    diff::{self, Licenses},
    locked::Locked,
    locking::{self, Request},
};
use crate::{
    cli::Update,
    error::{Error, ExitCode},
    fs,
    lock::{self, Lock, LockedEnvironment, fingerprint},
    printer::Printer,
    resolve::{Demand, Pins},
    settings::Settings,
    spec::{self, name_map::normalised, options::Options},
};

/// Runs the command.
pub(super) fn update(arguments: &Update, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    // The lock says which options it was made with; to find it, read the inputs without.
    let load = |stated| spec::load(Path::new(""), &arguments.file, stated, &settings.variables);
    let inputs = load(Options::default())?;
    let directory = super::output_directory(arguments.output.as_ref(), &inputs.directory);
    let path = directory.join(lock::NIX_FILE);
    let locked = if fs::exists(&path) { Some(Locked::load(&path)?.with_dependencies()?) } else { None };
    let Some(before) = locked.and_then(Locked::into_project) else {
        let message = format!("there is no lock {}", path.display());
        return Err(spec::Error::usage(message, "make it with `envlock convert`").into());
    };
    let stated = check::stated_options(&before, &inputs.directory, &path)?;
    let inputs = load(stated.clone())?;
    if fingerprint::input_hash(&inputs) != before.input_hash {
        printer.note("what is asked for has changed since it was locked: that is locked, too");
    }

    let named: BTreeSet<String> = arguments.packages.iter().map(|name| normalised(name)).collect();
    let request = Request {
        inputs: &inputs,
        stated: &stated,
        mirrors: &arguments.mirror,
        offline: arguments.offline,
        frozen: false,
        directory: &directory,
        pins: pins(&before, arguments)?,
        earlier: (!named.is_empty()).then(|| without_wheels(&before, &named)),
        builds: !arguments.no_build,
    };
    let draft = locking::resolve(request, settings, printer)?;
    let mut comparisons = Vec::new();
    let empty = LockedEnvironment::default();
    for environment in &draft.lock.environments {
        let old = before.environments.iter().find(|it| it.name == environment.name).unwrap_or(&empty);
        for (platform, after) in &environment.platforms {
            let Some(before) = old.platforms.get(platform) else { continue };
            let mut comparison = diff::compare(&environment.name, *platform, before, after);
            for change in &mut comparison.changes {
                if named.contains(&normalised(&change.package.name)) {
                    change.why = Some("to be updated".to_owned());
                }
            }
            comparisons.push(comparison);
        }
    }
    let licenses = Licenses::open(settings);
    comparisons.retain(|comparison| !comparison.changes.is_empty());
    if comparisons.is_empty() {
        printer.note("nothing is newer that the requirements allow");
    } else if !arguments.json {
        let texts: Vec<_> = comparisons.iter().map(|it| it.as_text(&licenses)).collect();
        printer.data(texts.join("\n\n"))?;
    }
    if arguments.json {
        let changes: Vec<_> = comparisons.iter().map(|it| it.as_json(&licenses)).collect();
        printer.data(json!({ "written": !arguments.dry_run, "environments": changes }))?;
    }
    if !arguments.dry_run {
        draft.write(&directory, settings, printer)?;
    }
    Ok(ExitCode::Success)
}

/// Everything of the lock but the packages that are to be updated.
fn pins(before: &Lock, arguments: &Update) -> Result<BTreeMap<String, Pins>, Error> {
    if arguments.packages.is_empty() {
        return Ok(BTreeMap::new());
    }
    if arguments.to.is_some() && arguments.packages.len() > 1 {
        let message = "--to says the version of one package, and there are several";
        return Err(spec::Error::usage(message, "update them one after the other").into());
    }
    let mut pins = locking::pins(before);
    for name in &arguments.packages {
        let wanted = normalised(name);
        let mut is_known = false;
        for pins in pins.values_mut() {
            let (updated, kept) =
                std::mem::take(&mut pins.kept).into_iter().partition(|pin| normalised(&pin.name) == wanted);
            pins.kept = kept;
            let updated: Vec<crate::resolve::Pin> = updated;
            is_known |= !updated.is_empty();
            if let Some(version) = &arguments.to {
                pins.demanded.extend(updated.into_iter().map(|pin| Demand {
                    pypi: pin.pypi,
                    name: pin.name,
                    version: version.clone(),
                }));
            }
        }
        if !is_known {
            let platforms = before.environments.iter().flat_map(|it| it.platforms.values());
            let known: BTreeSet<&str> =
                platforms.flat_map(|it| &it.packages).map(|package| package.name.as_str()).collect();
            let hint = match spec::nearest(name, known) {
                Some(alike) => format!("did you mean `{alike}`?"),
                None => "what is new is asked for in the environment file, and locked by `envlock convert`"
                    .to_owned(),
            };
            return Err(spec::Error::usage(format!("the lock has no package `{name}`"), hint).into());
        }
    }
    Ok(pins)
}

/// A lock without the wheels of sdists that are to be updated, or that something to be updated builds.
fn without_wheels(before: &Lock, named: &BTreeSet<String>) -> Lock {
    let mut lock = before.clone();
    let platforms = lock.environments.iter_mut().flat_map(|environment| environment.platforms.values_mut());
    for package in platforms.flat_map(|locked| &mut locked.packages) {
        if package.artifacts().any(|it| named.contains(&normalised(&it.name))) {
            package.wheel = None;
        }
    }
    lock
}
