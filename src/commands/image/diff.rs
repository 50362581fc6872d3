//! `envlock image diff`: what a second image has that a first one has not.

use std::collections::BTreeMap;

use serde_json::json;

use super::{super::locked::Locked, lock_in, name, printable, read_layers};
use crate::{
    cli::ImageDiff,
    error::{Error, ExitCode},
    image::{self, Archive, Difference, Found, Image},
    lock,
    printer::Printer,
    settings::Settings,
    spec,
    store::Files,
};

/// How many paths of a kind are listed without `--files`.
const LISTED: usize = 10;

/// What a version is of: environment, manager and name.
type Key = (String, String, String);

/// Runs the command.
pub(super) fn diff(arguments: &ImageDiff, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let first = Archive::open(&arguments.first)?;
    let second = Archive::open(&arguments.second)?;
    let files = Files::open(&settings.cache)?;
    let mut answers = Vec::new();
    for after in &second.images {
        let before = first.images.iter().find(|before| before.platform() == after.platform());
        let before = before.ok_or_else(|| {
            let platform = after.platform().unwrap_or("the platform");
            spec::Error::usage(
                format!("{} has no image for {platform} of {}", first.path.display(), second.path.display()),
                "compare images for the same platform",
            )
        })?;
        let old = read_layers(&first, before, printer)?;
        let new = read_layers(&second, after, printer)?;
        let packages = changes(&packages(before, &old, &files)?, &packages(after, &new, &files)?);
        answers.push((name(&second, after), packages, image::difference((before, &old), (after, &new))));
    }
    for (name, packages, difference) in answers {
        if arguments.json {
            printer.data(as_json(&name, &packages, &difference))?;
        } else {
            printer.data(describe(&packages, &difference, arguments.files))?;
        }
    }
    Ok(ExitCode::Success)
}

/// The packages of an image by the lock inside.
fn packages(image: &Image, found: &[Found], files: &Files) -> Result<BTreeMap<Key, String>, Error> {
    let Some(directory) = lock_in(found, files)? else { return Ok(BTreeMap::new()) };
    let locked = Locked::load(&directory.join(lock::NIX_FILE))?;
    let is_in = |name: &str| [spec::USER, spec::RUNTIME].contains(&name) || image.role() == Some(name);
    let mut packages = BTreeMap::new();
    for environment in locked.environments.iter().filter(|environment| is_in(&environment.name)) {
        let platforms = environment.platforms.iter();
        for (_, locked) in
            platforms.filter(|(platform, _)| image.platform().is_none_or(|it| it == platform.as_str()))
        {
            for package in &locked.packages {
                let key = (environment.name.clone(), package.kind.manager().to_owned(), package.name.clone());
                let build = package.build.as_ref().map(|build| format!(" {build}")).unwrap_or_default();
                packages.insert(key, format!("{}{build}", package.version));
            }
        }
    }
    Ok(packages)
}

/// What changed: before and after.
type Changes = BTreeMap<Key, (Option<String>, Option<String>)>;

fn changes(before: &BTreeMap<Key, String>, after: &BTreeMap<Key, String>) -> Changes {
    let keys = before.keys().chain(after.keys());
    keys.filter(|key| before.get(*key) != after.get(*key))
        .map(|key| (key.clone(), (before.get(key).cloned(), after.get(key).cloned())))
        .collect()
}

fn as_json(name: &str, packages: &Changes, difference: &Difference) -> serde_json::Value {
    let packages = packages.iter().map(|((environment, manager, name), (before, after))| {
        json!({ "environment": environment, "manager": manager, "name": name, "before": before, "after": after })
    });
    let layers = difference.new_layers.iter().map(|layer| {
        json!({ "digest": format!("sha256:{}", layer.digest), "size": layer.size, "about": layer.about })
    });
    json!({
        "image": name,
        "packages": packages.collect::<Vec<_>>(),
        "files": { "added": difference.added, "removed": difference.removed, "changed": difference.changed },
        "new_layers": layers.collect::<Vec<_>>(),
        "shared_layers": difference.shared_layers,
        "bytes_to_push": difference.bytes_to_push,
    })
}

fn describe(packages: &Changes, difference: &Difference, all_files: bool) -> String {
    let mut lines = vec![format!("packages: {} differ", packages.len())];
    for ((environment, _, name), change) in packages {
        lines.push(match change {
            (None, Some(after)) => format!("  + {name} {after} ({environment})"),
            (Some(before), None) => format!("  - {name} {before} ({environment})"),
            (before, after) => format!(
                "  ~ {name} {} -> {} ({environment})",
                before.as_deref().unwrap_or_default(),
                after.as_deref().unwrap_or_default()
            ),
        });
    }
    let Difference { added, removed, changed, .. } = difference;
    lines.push(format!("files: {} added, {} removed, {} changed", added.len(), removed.len(), changed.len()));
    for (sign, paths) in [("+", added), ("-", removed), ("~", changed)] {
        let listed = if all_files { paths.len() } else { LISTED };
        lines.extend(paths.iter().take(listed).map(|path| format!("  {sign} /{path}")));
        if paths.len() > listed {
            lines.push(format!("  {sign} and {} more; --files lists them", paths.len() - listed));
        }
    }
    lines.push(format!("layers: {} shared, {} new", difference.shared_layers, difference.new_layers.len()));
    for layer in &difference.new_layers {
        lines.push(format!("  {:>11} bytes  {}", layer.size, layer.about));
    }
    lines.push(format!("to push: {} bytes", difference.bytes_to_push));
    lines.iter().map(|line| printable(line)).collect::<Vec<_>>().join("\n")
}
