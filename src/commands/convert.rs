//! `envlock convert`: read, resolve everything at once, write everything together.

use std::{collections::BTreeMap, path::Path};

use super::locking::{self, Request};
use crate::{
    cli::Convert,
    error::{Error, ExitCode},
    fs,
    lock::{self, format::nix},
    printer::Printer,
    resolve::Pins,
    settings::Settings,
    spec::{
        self,
        options::{self, Options},
    },
};

/// Runs the command.
pub(super) fn convert(
    arguments: &Convert,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let stated = stated_options(arguments)?;
    let inputs = spec::load(Path::new(""), &arguments.files, stated.clone(), &settings.variables)?;
    for note in &inputs.notes {
        printer.note(note);
    }
    let directory = super::output_directory(arguments.output.as_ref(), &inputs.directory);
    let request = Request {
        inputs: &inputs,
        stated: &stated,
        mirrors: &arguments.mirror,
        offline: arguments.offline,
        frozen: arguments.frozen_metadata,
        directory: &directory,
        pins: if arguments.upgrade { BTreeMap::new() } else { pins(&directory, printer)? },
    };
    let outcome = locking::resolve(request, settings, printer)?.write(&directory, settings, printer)?;
    if arguments.json {
        printer.data(locking::as_json(&outcome))?;
    }
    Ok(ExitCode::Success)
}

/// What the lock in a directory has, if there is one that can be read: what replaces it keeps that.
fn pins(directory: &Path, printer: &Printer) -> Result<BTreeMap<String, Pins>, Error> {
    let path = directory.join(lock::NIX_FILE);
    let Some(text) = fs::read_own(&path)? else { return Ok(BTreeMap::new()) };
    match nix::read(&path, &text) {
        Ok(lock) => Ok(locking::pins(&lock)),
        Err(error) => {
            printer.warning(format_args!("{}: everything is resolved anew", crate::causes::chain(&error)));
            Ok(BTreeMap::new())
        }
    }
}

/// The options that the command line states.
fn stated_options(arguments: &Convert) -> Result<Options, spec::Error> {
    let mut stated = Options {
        channel_priority: arguments.channel_priority,
        pip_resolver: arguments.pip_resolver,
        ..Options::default()
    };
    let texts = [
        ("channel-alias", &arguments.channel_alias),
        ("exclude-newer", &arguments.exclude_newer),
        ("name-map", &arguments.name_map),
    ];
    let usage = |option: &str| {
        let option = option.to_owned();
        move |(message, hint): (String, String)| spec::Error::usage(format!("--{option}: {message}"), hint)
    };
    for (name, value) in texts {
        if let Some(value) = value {
            stated.set(name, value).map_err(usage(name))?;
        }
    }
    for text in &arguments.platform {
        stated.set("platforms", text).map_err(usage("platform"))?;
    }
    for text in &arguments.virtual_package {
        let (name, version) = options::parse_virtual_package(text).map_err(usage("virtual-package"))?;
        stated.virtual_packages.insert(name, version);
    }
    Ok(stated)
}
