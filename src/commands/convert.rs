//! `envlock convert`: read, resolve everything at once, write everything together.

use std::path::Path;

use super::locking::{self, Request};
use crate::{
    cli::Convert,
    error::{Error, ExitCode},
    fs,
    lock::{self, Lock, format::nix},
    printer::Printer,
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
    let earlier = if arguments.upgrade { None } else { earlier(&directory, printer)? };
    let request = Request {
        inputs: &inputs,
        stated: &stated,
        mirrors: &arguments.mirror,
        offline: arguments.offline,
        frozen: arguments.frozen_metadata,
        directory: &directory,
        pins: earlier.as_ref().map(locking::pins).unwrap_or_default(),
        earlier,
        builds: !arguments.no_build,
    };
    let outcome = locking::resolve(request, settings, printer)?.write(&directory, settings, printer)?;
    if arguments.json {
        printer.data(locking::as_json(&outcome))?;
    }
    Ok(ExitCode::Success)
}

/// The lock in a directory, if there is one that can be read: what replaces it keeps what it has.
fn earlier(directory: &Path, printer: &Printer) -> Result<Option<Lock>, Error> {
    let path = directory.join(lock::NIX_FILE);
    let Some(text) = fs::read_own(&path)? else { return Ok(None) };
    match nix::read(&path, &text) {
        Ok(lock) => Ok(Some(lock)),
        Err(error) => {
            printer.warning(format_args!("{}: everything is resolved anew", crate::causes::chain(&error)));
            Ok(None)
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
    for text in &arguments.build_variable {
        let wrong = || (format!("`{text}` has no value"), "write it like `NAME=VALUE`".to_owned());
        let added = text.split_once('=').ok_or_else(wrong);
        let added = added.and_then(|(name, value)| stated.add_build_variable(name, value));
        added.map_err(usage("build-variable"))?;
    }
    for text in &arguments.virtual_package {
        let (name, version) = options::parse_virtual_package(text).map_err(usage("virtual-package"))?;
        stated.virtual_packages.insert(name, version);
    }
    Ok(stated)
}
