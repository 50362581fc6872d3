//! `envlock check`: are the outputs current, and do they say the same thing? Without a network.

use std::path::Path;

use rattler_conda_types::Subdir;
use serde_json::json;

use super::{expansion::expand, locked::Locked, locking};
use crate::{
    cli::Check,
    error::{Error, ExitCode},
    fs,
    lock::{
        self, Kind, Lock, LockedEnvironment, LockedPlatform, Package, content_hash, diff, fingerprint,
        format::{conda_lock, nix},
    },
    printer::Printer,
    settings::Settings,
    spec::{self, EnvSpec, Inputs, options::Options},
};

/// Runs the command.
pub(super) fn check(arguments: &Check, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    // The outputs say which options the lock was made with; to find them, read the inputs without.
    let load = |stated| spec::load(Path::new(""), &arguments.files, stated, &settings.variables);
    let inputs = load(Options::default())?;
    let directory = super::output_directory(arguments.output.as_ref(), &inputs.directory);
    let nix_path = directory.join(lock::NIX_FILE);
    let Some(text) = fs::read_own(&nix_path)? else {
        return finish(&[format!("{} is missing", nix_path.display())], arguments.json, printer);
    };
    let lock = nix::read(&nix_path, &text)?;
    let stated = stated_options(&lock, &inputs.directory, &nix_path)?;
    let inputs = match load(stated) {
        // Since then every file has come to name its platforms, and --platform has no one to speak to.
        Err(spec::Error::Usage { message, .. }) if !lock.options.is_empty() => {
            return finish(&[message], arguments.json, printer);
        }
        inputs => inputs?,
    };

    let mut findings = Vec::new();
    let wanted = match as_it_should_be(&inputs, &lock) {
        // What was locked before the inputs changed need not fit them.
        Err(_) if fingerprint::input_hash(&inputs) != lock.input_hash => lock.clone(),
        wanted => wanted?,
    };
    current(&inputs, &lock, &wanted, &mut findings);
    if findings.is_empty() && inputs.airflow.is_some() && wanted.roles != lock.roles {
        findings.push("the services of Airflow are others in this version of envlock".to_owned());
    }
    if findings.is_empty() && !nix::says(&text, &wanted) {
        findings.push(format!("{} was edited: it does not say what its sources do", nix_path.display()));
    }
    for environment in &inputs.environments {
        let path = directory.join(lock::file_name(&environment.name));
        agree(environment, &lock, &path, settings, &directory, &mut findings)?;
    }
    for name in locking::left_over(&directory, &lock)? {
        findings.push(format!("{} is of no environment any more", directory.join(name).display()));
    }
    tell_unbuilt(&lock, printer);
    finish(&findings, arguments.json, printer)
}

/// Says what cannot be installed, though the lock is what it should be: sdists of which it does not say what they become.
fn tell_unbuilt(lock: &Lock, printer: &Printer) {
    for environment in &lock.environments {
        for (platform, locked) in &environment.platforms {
            let is_unbuilt = |package: &&Package| package.kind == Kind::Sdist && package.wheel.is_none();
            let names: Vec<_> =
                locked.packages.iter().filter(is_unbuilt).map(|it| it.name.as_str()).collect();
            if !names.is_empty() {
                printer.note(format_args!(
                    "{} ({}): not built yet, so envlock cannot install them: {}",
                    environment.name,
                    platform.as_str(),
                    names.join(", ")
                ));
            }
        }
    }
}

/// The options that the command line gave when a lock was made.
pub(super) fn stated_options(lock: &Lock, inputs: &Path, nix_path: &Path) -> Result<Options, Error> {
    let overridden = lock.options.iter().filter(|(name, _)| lock.overridden.contains(*name));
    let mut stated =
        Options::from_entries(&overridden.map(|(name, value)| (name.clone(), value.clone())).collect())
            .map_err(|(message, _)| lock::Error { path: nix_path.to_path_buf(), message })?;
    stated.name_map = stated.name_map.map(|file| inputs.join(file).display().to_string());
    Ok(stated)
}

/// Warns if the project file beside a lock says something else by now.
pub(super) fn warn_if_stale(locked: &Locked, settings: &Settings, printer: &Printer) {
    let project = locked.directory.join("envlock.yml");
    let Some(lock) = locked.project.as_ref().filter(|_| fs::exists(&project)) else { return };
    let stated = stated_options(lock, &locked.directory, &locked.directory.join(lock::NIX_FILE));
    let files = [project.clone()];
    let load = |stated| spec::load(Path::new(""), &files, stated, &settings.variables);
    // What cannot be read says so when it is converted.
    let inputs = stated.ok().and_then(|stated| load(stated).ok());
    if inputs.is_some_and(|inputs| fingerprint::input_hash(&inputs) != lock.input_hash) {
        printer.warning(format_args!(
            "{} or a file that it names has changed since it was locked: this is of the lock as it is, `envlock convert` \
             makes it anew",
            project.display()
        ));
    }
}

/// The lock with its own packages, and everything else as the inputs say it.
fn as_it_should_be(inputs: &Inputs, lock: &Lock) -> Result<Lock, Error> {
    let mut wanted = lock.clone();
    wanted.input_hash = fingerprint::input_hash(inputs);
    wanted.options = inputs.options.entries();
    (wanted.cluster, wanted.roles) = expand(inputs, &lock.environments)?;
    // Which file a role names is seen by its environment.
    wanted.roles.values_mut().for_each(|role| role.system = None);
    for (environment, spec) in wanted.environments.iter_mut().zip(&inputs.environments) {
        for (locked, read) in environment.platforms.values_mut().zip(spec.platforms.values()) {
            locked.specs = lock::stated_specs(read);
            locked.variables.clone_from(&read.variables);
        }
    }
    Ok(wanted)
}

/// Finds what changed in the inputs since the lock was made.
fn current(inputs: &Inputs, lock: &Lock, wanted: &Lock, findings: &mut Vec<String>) {
    if fingerprint::input_hash(inputs) == lock.input_hash {
        return;
    }
    let before = findings.len();
    for environment in &inputs.environments {
        for (platform, read) in &environment.platforms {
            let place = format!("{} ({})", environment.name, platform.as_str());
            let locked = locked(lock, &environment.name, *platform);
            let Some(locked) = locked else {
                findings.push(format!("{place} is not locked"));
                continue;
            };
            for line in diff::specs(&locked.specs, &lock::stated_specs(read)) {
                let finding = format!("{place}: {line}");
                if !findings.contains(&finding) {
                    findings.push(finding);
                }
            }
            if locked.variables != read.variables {
                findings.push(format!("{place}: `variables` changed"));
            }
        }
    }
    for environment in &lock.environments {
        let still = inputs.environments.iter().find(|spec| spec.name == environment.name);
        for platform in environment.platforms.keys() {
            if still.is_none_or(|spec| !spec.platforms.contains_key(platform)) {
                findings.push(format!(
                    "{} ({}) is locked and no longer asked for",
                    environment.name,
                    platform.as_str()
                ));
            }
        }
    }
    let entries = inputs.options.entries();
    for name in entries.keys().chain(lock.options.keys().filter(|name| !entries.contains_key(*name))) {
        let text = |value: Option<&String>| value.map_or("not set".to_owned(), |value| format!("`{value}`"));
        let (now, then) = (entries.get(name), lock.options.get(name));
        if now != then {
            findings.push(format!("option {name} is {} and was {} when locked", text(now), text(then)));
        }
    }
    if wanted.roles != lock.roles {
        findings.push("the roles of the project file changed".to_owned());
    }
    if wanted.cluster != lock.cluster {
        findings.push("the cluster of the project file changed".to_owned());
    }
    if findings.len() == before {
        // Nothing that is recorded one by one: channels, their order, or which file a role names.
        findings.push("the channels, the name map or the files of an environment changed".to_owned());
    }
}

fn locked<'a>(lock: &'a Lock, environment: &str, platform: Subdir) -> Option<&'a LockedPlatform> {
    lock.environments.iter().find(|it| it.name == environment)?.platforms.get(&platform)
}

/// Finds where an environment's `conda-lock.yml` says something else than `envlock.nix` or the inputs.
fn agree(
    spec: &EnvSpec,
    lock: &Lock,
    path: &Path,
    settings: &Settings,
    directory: &Path,
    findings: &mut Vec<String>,
) -> Result<(), Error> {
    let shown = path.display();
    let Some(text) = fs::read_own(path)? else {
        findings.push(format!("{shown} is missing"));
        return Ok(());
    };
    let file: LockedEnvironment = conda_lock::read(path, &spec.name, &text)?;
    let nix = lock.environments.iter().find(|it| it.name == spec.name);
    for (platform, stated) in &file.platforms {
        let Some(other) = nix.and_then(|it| it.platforms.get(platform)) else {
            findings.push(format!("{shown} has {} and {} does not", platform.as_str(), lock::NIX_FILE));
            continue;
        };
        for line in diff::packages(stated, other) {
            findings.push(format!(
                "{shown} (first) and {} (second) disagree on {}: {line}",
                lock::NIX_FILE,
                platform.as_str()
            ));
        }
        if let Some(hash) = file.content_hash.get(platform)
            && *hash != content_hash::content_hash(&spec.sources, *platform, &settings.variables)
            && findings.is_empty()
        {
            findings
                .push(format!("{shown}: content_hash of {} is not that of the inputs", platform.as_str()));
        }
    }
    for platform in
        nix.iter().flat_map(|it| it.platforms.keys()).filter(|it| !file.platforms.contains_key(it))
    {
        findings.push(format!("{} has {} and {shown} does not", lock::NIX_FILE, platform.as_str()));
    }
    if findings.is_empty() && lock.files.get(&lock::file_name(&spec.name)) != Some(&conda_lock::digest(&text))
    {
        findings.push(format!("{shown} was edited since it was written"));
    }
    let strip = |channels: Vec<lock::LockedChannel>| -> Vec<_> {
        channels.into_iter().map(|channel| (channel.url, channel.used_env_vars)).collect()
    };
    if strip(file.channels) != strip(locking::channels(spec)) && findings.is_empty() {
        findings.push(format!("{shown} has other channels than its source"));
    }
    if file.sources != locking::sources(spec, directory) {
        findings.push(format!("{shown} was made from other files: {}", file.sources.join(", ")));
    }
    Ok(())
}

fn finish(findings: &[String], as_json: bool, printer: &Printer) -> Result<ExitCode, Error> {
    let current = findings.is_empty();
    if as_json {
        printer.data(json!({ "current": current, "findings": findings }))?;
    }
    if current {
        printer.note("current: the outputs agree with each other and with their sources");
        return Ok(ExitCode::Success);
    }
    for finding in findings {
        printer.warning(finding);
    }
    printer.error("the lock is not current", Some("run `envlock convert` and commit what it writes"));
    Ok(ExitCode::Differs)
}
