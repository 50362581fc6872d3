//! `envlock diff`: what a second lock has that a first one has not.

use std::collections::BTreeSet;

use indicatif::DecimalBytes;
use rattler_conda_types::Subdir;
use serde_json::{Value, json};

use super::locked::Locked;
use crate::{
    cli::Diff,
    error::{Error, ExitCode},
    lock::{
        LockedPlatform, Package,
        diff::{Change, changes},
    },
    printer::Printer,
    settings::Settings,
    spec,
    store::Files,
    tree::license,
};

/// Runs the command.
pub(super) fn diff(arguments: &Diff, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let first = Locked::load(&arguments.first)?.with_dependencies()?;
    let second = Locked::load(&arguments.second)?.with_dependencies()?;
    let pairs = pairs(&first, &second, super::platform(arguments.platform.as_deref())?)?;
    let comparisons: Vec<_> =
        pairs.iter().map(|(name, platform, a, b)| compare(name, *platform, a, b)).collect();
    let licenses = Licenses::open(settings);
    if arguments.json {
        let comparisons: Vec<_> = comparisons.iter().map(|it| it.as_json(&licenses)).collect();
        printer.data(Value::from(comparisons))?;
        return Ok(ExitCode::Success);
    }
    let text = if arguments.markdown { Comparison::as_markdown } else { Comparison::as_text };
    let texts: Vec<_> =
        comparisons.iter().filter(|it| !it.changes.is_empty()).map(|it| text(it, &licenses)).collect();
    if texts.is_empty() {
        printer.note("both locks have the same packages");
    } else {
        printer.data(texts.join("\n\n"))?;
    }
    Ok(ExitCode::Success)
}

/// Compares what two locks have for an environment on a platform.
pub(super) fn compare<'a>(
    environment: &'a str,
    platform: Subdir,
    before: &'a LockedPlatform,
    after: &'a LockedPlatform,
) -> Comparison<'a> {
    Comparison { environment, platform, changes: changes(before, after) }
}

/// An environment on a platform, and the packages that both locks have for it.
type Pair<'a> = (&'a str, Subdir, LockedPlatform, LockedPlatform);

/// What both locks have. An environment or a platform that only one of them has is all added or all removed, as long
/// as there is one in common.
fn pairs<'a>(first: &'a Locked, second: &'a Locked, wanted: Option<Subdir>) -> Result<Vec<Pair<'a>>, Error> {
    // A `conda-lock.yml` alone is one environment of a project, whatever the others are.
    let is_in = |name: &str, other: &Locked| {
        other.project.is_some() || other.environments.iter().any(|it| it.name == name)
    };
    let keys = |locked: &'a Locked, other: &Locked| -> BTreeSet<(&'a str, Subdir)> {
        let environments = locked.environments.iter().filter(|it| is_in(&it.name, other));
        let all =
            environments.flat_map(|it| it.platforms.keys().map(|platform| (it.name.as_str(), *platform)));
        all.filter(|(_, platform)| wanted.is_none_or(|wanted| wanted == *platform)).collect()
    };
    let (ours, theirs) = (keys(first, second), keys(second, first));
    if ours.is_disjoint(&theirs) {
        let said = |locked: &Locked, keys: &BTreeSet<(&str, Subdir)>| {
            let names = keys.iter().map(|(name, platform)| format!("{name} ({})", platform.as_str()));
            let names = names.collect::<Vec<_>>().join(", ");
            let file = locked.files.first().map(|file| file.display().to_string()).unwrap_or_default();
            format!("{file} has {}", if names.is_empty() { "nothing".to_owned() } else { names })
        };
        let message =
            format!("the locks have nothing in common: {}, {}", said(first, &ours), said(second, &theirs));
        return Err(spec::Error::usage(message, "compare locks for the same platform").into());
    }
    let of = |locked: &Locked, (name, platform): (&str, Subdir)| {
        let environment = locked.environments.iter().find(|it| it.name == name);
        environment.and_then(|it| it.platforms.get(&platform)).cloned().unwrap_or_default()
    };
    let all = ours.union(&theirs).map(|key| (key.0, key.1, of(first, *key), of(second, *key)));
    Ok(all.collect())
}

/// What packages state as their licence, as far as they are in the store.
pub(super) struct Licenses<'a> {
    settings: &'a Settings,
    files: Option<Files>,
}

impl<'a> Licenses<'a> {
    pub(super) fn open(settings: &'a Settings) -> Self {
        Self { settings, files: Files::open(&settings.cache).ok() }
    }

    fn of(&self, change: &Change) -> Option<String> {
        license::of_package(change.package, &self.settings.cache, self.files.as_ref()?)
    }
}

/// What differs in an environment on a platform.
pub(super) struct Comparison<'a> {
    environment: &'a str,
    platform: Subdir,
    pub(super) changes: Vec<Change<'a>>,
}

impl Comparison<'_> {
    fn title(&self) -> String {
        let count = |is: fn(&Change) -> bool| self.changes.iter().filter(|change| is(change)).count();
        let added = count(|change| change.before.is_none());
        let removed = count(|change| change.after.is_none());
        let changed = self.changes.len() - added - removed;
        let growth: Option<i64> = self.changes.iter().map(Change::growth).sum();
        let growth = growth.map(|growth| format!(", {}", signed(growth))).unwrap_or_default();
        format!(
            "{}, {}: {added} added, {removed} removed, {changed} changed{growth}",
            self.environment,
            self.platform.as_str()
        )
    }

    pub(super) fn as_text(&self, licenses: &Licenses) -> String {
        let mut lines = vec![self.title()];
        for change in &self.changes {
            let sign = match (change.before, change.after) {
                (None, _) => "+",
                (_, None) => "-",
                _ => "~",
            };
            let mut line = format!("  {sign} {} {}", change.package.name, versions(change));
            let size = change.growth().map(signed);
            for part in [size, licenses.of(change), change.why.clone()].into_iter().flatten() {
                line.push_str("; ");
                line.push_str(&part);
            }
            lines.push(line);
        }
        lines.join("\n")
    }

    fn as_markdown(&self, licenses: &Licenses) -> String {
        let mut lines = vec![
            format!("### {}", self.title()),
            String::new(),
            "| package | version | size | licence | why |".to_owned(),
            "| --- | --- | ---: | --- | --- |".to_owned(),
        ];
        for change in &self.changes {
            let cells = [
                change.package.name.clone(),
                versions(change),
                change.growth().map(signed).unwrap_or_default(),
                licenses.of(change).unwrap_or_default(),
                change.why.clone().unwrap_or_default(),
            ];
            lines.push(format!("| {} |", cells.map(|cell| plain(&cell)).join(" | ")));
        }
        lines.join("\n")
    }

    pub(super) fn as_json(&self, licenses: &Licenses) -> Value {
        let side = |package: Option<&Package>| {
            package.map(|it| {
                json!({
                    "version": it.version, "build": it.build, "url": it.url, "sha256": it.sha256, "size": it.size,
                })
            })
        };
        let changes = self.changes.iter().map(|change| {
            let package = change.package;
            json!({
                "name": package.name,
                "kind": package.kind.as_str(),
                "before": side(change.before),
                "after": side(change.after),
                "license": licenses.of(change),
                "why": change.why,
            })
        });
        json!({
            "environment": self.environment,
            "platform": self.platform.as_str(),
            "changes": changes.collect::<Vec<_>>(),
        })
    }
}

/// The text as Markdown shows it: requirements have asterisks, and licences are a stranger's text.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\`*_[]<>|".contains(c) {
            plain.push('\\');
        }
        plain.push(if c.is_control() { ' ' } else { c });
    }
    plain
}

/// What became of a version: the build as well, where nothing else changed.
fn versions(change: &Change) -> String {
    let (before, after) = match (change.before, change.after) {
        (Some(before), Some(after)) => (before, after),
        (Some(only), None) | (None, Some(only)) => return only.version.clone(),
        (None, None) => return String::new(),
    };
    let full = |it: &Package| format!("{} {}", it.version, it.build.as_deref().unwrap_or_default());
    if before.version != after.version {
        format!("{} → {}", before.version, after.version)
    } else if before.build != after.build {
        format!("{} → {}", full(before), full(after))
    } else if before.sha256 != after.sha256 {
        format!("{}, another file", after.version)
    } else if before.url != after.url {
        format!("{}, from elsewhere", after.version)
    } else {
        format!("{}, built otherwise", after.version)
    }
}

/// Bytes that came or went, for the eye.
fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { '-' } else { '+' };
    format!("{sign}{}", DecimalBytes(bytes.unsigned_abs()))
}
