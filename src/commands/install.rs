//! `envlock install`: a lock becomes a prefix, complete or not at all.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{
    locked::Locked,
    stage,
    trees::{Builder, Place, request},
};
use crate::{
    cli::Install,
    error::{Error, ExitCode},
    fs,
    printer::Printer,
    settings::Settings,
    spec,
    store::Files,
    tree::{self, Manifest, Marker, Request, TreePath},
};

/// Runs the command.
pub(super) fn install(
    arguments: &Install,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let wanted = &arguments.tree;
    let locked = Locked::load(&wanted.lock)?;
    let chosen = locked.choose(wanted.environment.as_deref(), wanted.platform.as_deref())?;
    let prefix = absolute_prefix(&wanted.prefix)?;
    let target = match &wanted.into {
        None => PathBuf::from(&prefix),
        // Absolute, since the Python that compiles byte-code there has a working directory of its own.
        Some(into) => std::path::absolute(into).map_err(fs::Error::write(into))?,
    };
    let request = request(&chosen, &prefix, !arguments.no_byte_code);
    tree::check_kinds(request.packages)?;

    let before = what_is_there(&target, &request, arguments.force, settings)?;
    if let Some(manifest) = before {
        return report(arguments, &request, &manifest, true, printer);
    }
    let builder = Builder::new(&locked, &arguments.source, settings, printer)?;
    let files = Files::open(&settings.cache)?;
    let stage = stage(&target, printer)?;
    let place = Place { root: &stage.tree(), copies: arguments.copy };
    let manifest = builder.build(&request, &files, place)?;
    // What has come there meanwhile must not be lost either.
    what_is_there(&target, &request, arguments.force, settings)?;
    stage.publish()?;
    report(arguments, &request, &manifest, false, printer)
}

/// The prefix as an absolute path without `.` and `..`: it is written into files.
pub(super) fn absolute_prefix(prefix: &Path) -> Result<String, Error> {
    let usage = |message: String, hint: &str| Error::from(spec::Error::usage(message, hint));
    let absolute = std::path::absolute(prefix)
        .map_err(|error| usage(format!("--prefix {}: {error}", prefix.display()), "name a directory"))?;
    let normal = fs::normal(&absolute);
    match normal.to_str() {
        None => Err(usage(format!("--prefix {}: it is not UTF-8", prefix.display()), "choose another name")),
        Some("/") => {
            Err(usage("--prefix /: that is all of this machine".to_owned(), "name a directory in it"))
        }
        Some(text) if text.chars().any(|c| c.is_control() || c == '"' || c == '\\') => {
            let message = format!("--prefix {text:?}: programs cannot be told of such a path");
            Err(usage(message, "choose a name without quotes, backslashes and line breaks"))
        }
        Some(text) => Ok(text.to_owned()),
    }
}

/// Looks at what an installation would replace: the manifest, if it is what is asked for already; an error, if it is
/// nothing that may go.
fn what_is_there(
    target: &Path,
    request: &Request,
    force: bool,
    settings: &Settings,
) -> Result<Option<Manifest>, Error> {
    let usage = |message: String, hint: &str| Error::from(spec::Error::usage(message, hint));
    let shown = target.display();
    if !fs::exists(target) {
        return Ok(None);
    }
    if target.is_symlink() {
        return Err(usage(format!("{shown} is a symlink"), "name the directory that it leads to"));
    }
    if !target.is_dir() {
        return Err(usage(format!("{shown} is there, and no directory"), "choose another prefix"));
    }
    if fs::count(target)? == 0 {
        return Ok(None);
    }
    let Some(marker) = Marker::read(target)? else {
        let message = format!("{shown} is not empty, and no environment that envlock installed");
        return Err(usage(message, "choose another prefix, or remove it first"));
    };
    let Some(manifest) = Manifest::load(&marker.kept_manifest(&settings.cache))? else {
        if force {
            return Ok(None);
        }
        let message = format!("the cache does not remember what was installed in {shown}");
        return Err(usage(message, "to replace all that is there, add --force"));
    };
    if marker == request.marker() && tree::is_unchanged(&manifest, target)? {
        return Ok(Some(manifest));
    }
    if force {
        return Ok(None);
    }
    let found = fs::walk(target)?;
    let extra: Vec<&String> = found
        .iter()
        .filter(|(path, what)| {
            !manifest.entries.contains_key(*path) && !matches!(what, fs::Found::Directory { .. })
        })
        .map(|(path, _)| path)
        // What Python wrote on its own is no loss.
        .filter(|path| {
            !TreePath::parse(path.as_bytes()).is_ok_and(|path| path.source_of_byte_code().is_some())
        })
        .collect();
    if extra.is_empty() {
        return Ok(None);
    }
    let named = extra.iter().take(3).map(|path| path.as_str()).collect::<Vec<_>>().join(", ");
    let more = if extra.len() > 3 { format!(" and {} more", extra.len() - 3) } else { String::new() };
    let message = format!("{shown} holds what envlock did not install: {named}{more}");
    Err(usage(message, "move it away, or add --force to lose it"))
}

fn report(
    arguments: &Install,
    request: &Request,
    manifest: &Manifest,
    unchanged: bool,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let digest = manifest.digest();
    if arguments.json {
        printer.data(json!({
            "prefix": request.prefix,
            "environment": request.environment,
            "platform": request.platform.as_str(),
            "lock_hash": request.marker().lock_hash,
            "tree_digest": digest,
            "byte_code": request.byte_code,
            "entries": manifest.entries.len(),
            "changed": !unchanged,
        }))?;
    }
    let place = arguments
        .tree
        .into
        .as_ref()
        .map_or_else(|| request.prefix.to_owned(), |into| into.display().to_string());
    if unchanged {
        printer.note(format_args!("{place} is unchanged (envlock verify reads every byte)"));
    } else {
        printer.note(format_args!("installed {} packages into {place}", request.packages.len()));
    }
    printer.note(format_args!("treeDigest {digest}"));
    Ok(ExitCode::Success)
}
