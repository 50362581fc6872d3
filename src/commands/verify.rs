//! `envlock verify`: is a prefix, byte for byte, what its lock says?

use std::path::PathBuf;

use serde_json::json;

use super::{
    install::absolute_prefix,
    locked::Locked,
    trees::{Builder, request},
};
use crate::{
    cli::Verify,
    error::{Error, ExitCode},
    printer::Printer,
    settings::Settings,
    spec,
    store::Files,
    tree::{self, Differences, Marker},
};

/// How many differences of a kind are printed; `--json` has all.
const SHOWN: usize = 20;

/// Runs the command.
pub(super) fn verify(arguments: &Verify, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let wanted = &arguments.tree;
    let locked = Locked::load(&wanted.lock)?;
    let chosen = locked.choose(wanted.environment.as_deref(), wanted.platform.as_deref())?;
    let prefix = absolute_prefix(&wanted.prefix)?;
    let root = wanted.into.clone().unwrap_or_else(|| PathBuf::from(&prefix));
    if !root.is_dir() {
        let message = format!("there is no directory {}", root.display());
        return Err(spec::Error::usage(message, "install it first: envlock install LOCK --prefix DIR").into());
    }
    // Whether there should be byte-code is for the prefix to say; a lie shows, since the marker is part of the tree.
    let marker = Marker::read(&root)?;
    let byte_code = marker.as_ref().is_none_or(|marker| marker.byte_code);
    let request = request(&chosen, &prefix, byte_code);
    let builder = Builder::new(&locked, &arguments.source, settings, printer)?;
    let files = Files::open(&settings.cache)?;
    let manifest = builder.manifest(&request, &files, arguments.rebuild)?;
    let differences = {
        let _waiting = printer.waiting(format!("reading {} files", manifest.entries.len()));
        tree::differences(&manifest, &root)?
    };
    let digest = manifest.digest();
    if arguments.json {
        let changed = differences.changed.iter().map(|(path, how)| json!({ "path": path, "how": how }));
        printer.data(json!({
            "identical": differences.is_empty(),
            "tree_digest": digest,
            "missing": differences.missing,
            "changed": changed.collect::<Vec<_>>(),
            "extra": differences.extra,
        }))?;
    }
    if differences.is_empty() {
        printer.note(format_args!("identical: {} paths, treeDigest {digest}", manifest.entries.len()));
        return Ok(ExitCode::Success);
    }
    tell(&differences, printer);
    let count = differences.missing.len() + differences.changed.len() + differences.extra.len();
    let other = marker.filter(|marker| *marker != request.marker());
    let hint = match other {
        Some(other) => format!(
            "it was installed from another lock, or for another place: lockHash {}, prefix {}",
            other.lock_hash, other.prefix
        ),
        None if !byte_code && only_byte_code(&differences) => {
            "Python has written byte-code: install with it, or set PYTHONDONTWRITEBYTECODE".to_owned()
        }
        None => "`envlock install` with the same lock and prefix puts it right".to_owned(),
    };
    let paths = if count == 1 { "path differs" } else { "paths differ" };
    printer.error(format_args!("{}: {count} {paths} from the lock", root.display()), Some(&hint));
    Ok(ExitCode::Differs)
}

fn only_byte_code(differences: &Differences) -> bool {
    let is_byte_code = |path: &String| path.contains("/__pycache__/") || path.ends_with("/__pycache__");
    differences.missing.is_empty()
        && differences.changed.is_empty()
        && differences.extra.iter().all(is_byte_code)
}

fn tell(differences: &Differences, printer: &Printer) {
    let changed = differences.changed.iter().map(|(path, how)| format!("{path} ({how})"));
    let kinds: [(&str, Vec<String>); 3] = [
        ("missing", differences.missing.clone()),
        ("changed", changed.collect()),
        ("extra", differences.extra.clone()),
    ];
    for (kind, paths) in kinds {
        for path in paths.iter().take(SHOWN) {
            printer.warning(format_args!("{kind}: {path}"));
        }
        if paths.len() > SHOWN {
            printer.warning(format_args!("{kind}: {} more (--json lists them)", paths.len() - SHOWN));
        }
    }
}
