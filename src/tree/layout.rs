//! Which member of a package goes where: the rules of conda and of wheels.
//!
//! Sources: CEP 16 and conda's `noarch: python` for conda packages; PEP 427 and the installation schemes of
//! `sysconfig` for wheels. It reads no content.

use std::{collections::HashSet, path::Path};

use rattler::install::PythonInfo;
use rattler_conda_types::package::EntryPoint;

use super::{
    Error, TreePath,
    unpack::{About, Member, Unpacked, What},
};
use crate::lock::Package;

/// A path of a package, and where its content comes from.
pub(super) struct Item<'a> {
    pub(super) path: TreePath,
    pub(super) source: Source<'a>,
}

impl Item<'_> {
    pub(super) fn is_directory(&self) -> bool {
        matches!(&self.source, Source::Member(member) if matches!(member.what, What::Directory))
    }
}

/// Where the content of a path comes from.
pub(super) enum Source<'a> {
    /// A member of the archive, as it is or with the prefix in it.
    Member(&'a Member),
    /// A script of a wheel: always executable, and `#!python` stands for the environment's Python.
    Script(&'a Member),
    /// A command that starts an entry point.
    EntryPoint(&'a EntryPoint),
    /// What says who installed a wheel.
    Installer,
    /// The package's own record of what it installed: `conda-meta/*.json` or `RECORD`.
    Record,
}

/// Lays out a package. `python` is the environment's, if it has one.
pub(super) fn layout<'a>(
    package: &Package,
    unpacked: &'a Unpacked,
    python: Option<&PythonInfo>,
) -> Result<Vec<Item<'a>>, Error> {
    let items = match &unpacked.about {
        About::Conda { index, entry_points } => {
            let python =
                if index.noarch.is_python() { Some(python.ok_or_else(|| no_python(package))?) } else { None };
            conda(package, unpacked, entry_points, python)?
        }
        About::Wheel { dist_info, entry_points, .. } => {
            let python = python.ok_or_else(|| no_python(package))?;
            wheel(package, unpacked, dist_info, entry_points, python)?
        }
    };
    let mut seen = HashSet::new();
    match items.iter().find(|item| !seen.insert(&item.path)) {
        Some(twice) => {
            Err(Error::unsound(package, twice.path.to_string(), "two of its members have this place"))
        }
        None => Ok(items),
    }
}

fn conda<'a>(
    package: &Package,
    unpacked: &'a Unpacked,
    entry_points: &'a [EntryPoint],
    noarch_python: Option<&PythonInfo>,
) -> Result<Vec<Item<'a>>, Error> {
    let mut items = Vec::with_capacity(unpacked.members.len() + 1);
    for member in &unpacked.members {
        let path = match noarch_python {
            Some(python) => {
                python.get_python_noarch_target_path(member.path.as_ref()).to_string_lossy().into_owned()
            }
            None => member.path.clone(),
        };
        let path = place(package, &path)?;
        if is_reserved(&path) {
            return Err(Error::unsound(package, member.path.clone(), "only an installer writes there"));
        }
        items.push(Item { path, source: Source::Member(member) });
    }
    if noarch_python.is_some() {
        items.extend(commands(package, entry_points)?);
    }
    let build = package.build.as_deref().unwrap_or_default();
    let record = format!("conda-meta/{}-{}-{build}.json", package.name, package.version);
    items.push(Item { path: place(package, &record)?, source: Source::Record });
    Ok(items)
}

/// What `conda-meta` is for: records, and the few files that belong to the environment.
fn is_reserved(path: &TreePath) -> bool {
    let mut parts = path.split('/');
    let name = match (parts.next(), parts.next()) {
        (Some("conda-meta"), name) => name.unwrap_or("history"),
        _ => return false,
    };
    let is_json = Path::new(name).extension().is_some_and(|extension| extension == "json");
    is_json || ["history", "state", "envlock"].contains(&name)
}

fn wheel<'a>(
    package: &Package,
    unpacked: &'a Unpacked,
    dist_info: &str,
    entry_points: &'a [EntryPoint],
    python: &PythonInfo,
) -> Result<Vec<Item<'a>>, Error> {
    let site_packages = python.site_packages_path.to_string_lossy();
    let (major, minor) = python.short_version;
    let mut items = Vec::with_capacity(unpacked.members.len() + 2);
    for member in &unpacked.members {
        // `NAME-VERSION.data/SCHEME/PATH`
        let ends_so = |top: &str| Path::new(top).extension().is_some_and(|extension| extension == "data");
        let in_data = member.path.split_once('/').filter(|(top, _)| ends_so(top));
        let scheme = in_data.map(|(_, rest)| rest.split_once('/').unwrap_or((rest, "")));
        let (path, is_script) = match scheme {
            None => (format!("{site_packages}/{}", member.path), false),
            Some(("purelib" | "platlib", rest)) => (format!("{site_packages}/{rest}"), false),
            Some(("scripts", rest)) => (format!("bin/{rest}"), true),
            Some(("headers", rest)) => {
                (format!("include/python{major}.{minor}/{}/{rest}", package.name), false)
            }
            Some(("data", rest)) => (rest.to_owned(), false),
            Some((scheme, _)) => {
                let reason = format!("`{scheme}` is no part of an installation");
                return Err(Error::unsound(package, member.path.clone(), reason));
            }
        };
        // Who installed it is for the installer to say.
        if member.path == format!("{dist_info}/INSTALLER") {
            continue;
        }
        let path = place(package, &path)?;
        if path.split('/').next() == Some("conda-meta") {
            return Err(Error::unsound(package, member.path.clone(), "only an installer writes there"));
        }
        let source = if is_script { Source::Script(member) } else { Source::Member(member) };
        items.push(Item { path, source });
    }
    items.extend(commands(package, entry_points)?);
    for (name, source) in [("INSTALLER", Source::Installer), ("RECORD", Source::Record)] {
        items.push(Item { path: place(package, &format!("{site_packages}/{dist_info}/{name}"))?, source });
    }
    // A script that a wheel brings gives way to the command of the same name, as pip has it.
    let commands: HashSet<TreePath> = items
        .iter()
        .filter(|item| matches!(item.source, Source::EntryPoint(_)))
        .map(|item| item.path.clone())
        .collect();
    items.retain(|item| !matches!(item.source, Source::Script(_)) || !commands.contains(&item.path));
    Ok(items)
}

fn commands<'a>(package: &Package, entry_points: &'a [EntryPoint]) -> Result<Vec<Item<'a>>, Error> {
    let item = |point: &'a EntryPoint| {
        Ok(Item {
            path: place(package, &format!("bin/{}", point.command))?,
            source: Source::EntryPoint(point),
        })
    };
    entry_points.iter().map(item).collect()
}

fn place(package: &Package, path: &str) -> Result<TreePath, Error> {
    TreePath::parse(path.as_bytes()).map_err(|reason| Error::unsound(package, path, reason))
}

fn no_python(package: &Package) -> Error {
    Error::Unsupported {
        what: package.file_name(),
        reason: "it needs a Python, and the environment has none".to_owned(),
        hint: "add `python` to the dependencies of the environment and lock it again".to_owned(),
    }
}

/// Whether a package has a script that conda would run after linking it.
pub(super) fn link_script(package: &Package, unpacked: &Unpacked) -> Option<String> {
    let scripts = ["pre-link", "post-link"].map(|kind| format!("bin/.{}-{kind}.sh", package.name));
    let is_script = |member: &&Member| scripts.contains(&member.path) && matches!(member.what, What::File(_));
    unpacked.members.iter().find(is_script).map(|member| member.path.clone())
}
