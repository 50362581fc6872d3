//! `@EXPLICIT` lists: URLs with hashes, in the order in which they are linked.
//!
//! Source: CEP 23, and conda's `conda create --file`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    str::FromStr,
};

use rattler_conda_types::{
    ExplicitEnvironmentEntry, ExplicitEnvironmentSpec, PackageArchiveHash, PackageName, Subdir, Version,
    package::DistArchiveIdentifier,
};

use super::{Platforms, of_conda};
use crate::{
    lock::{Kind, Package, fingerprint::hex, graph::Graph},
    spec::channel::{percent_decoded, redact},
};

/// The line that makes a list of URLs an explicit one.
pub(super) const TAG: &str = "@EXPLICIT";

/// The conda packages as a list. Those of PyPI are comments in it, as conda-lock writes them.
pub(super) fn write(platform: Subdir, packages: &[Package]) -> String {
    let mut text = format!(
        "# Locked by envlock. To install it:\n#     conda create --name NAME --file FILE\n# platform: {}\n{TAG}\n",
        platform.as_str()
    );
    let conda: Vec<Package> = of_conda(packages, true).cloned().collect();
    for place in Graph::new(&conda, &[]).needs_first() {
        let package = &conda[place];
        let _ = writeln!(text, "{}#sha256:{}", package.url, package.sha256);
    }
    for package in of_conda(packages, false) {
        let _ = writeln!(text, "# pip {} @ {}#sha256={}", package.name, package.url, package.sha256);
    }
    text
}

/// The conda packages of a list; the error is a sentence. What they depend on is not in there.
pub(super) fn read(text: &str, platform: Option<Subdir>) -> Result<Platforms, String> {
    if let Some(at) = text.lines().position(|line| redact(line) != line) {
        return Err(format!("line {}: the URL holds credentials", at + 1));
    }
    let list = ExplicitEnvironmentSpec::from_str(text).map_err(|error| crate::causes::chain(&error))?;
    let subdirs: BTreeSet<Subdir> = list.packages.iter().filter_map(subdir).collect();
    let only = subdirs.iter().find(|_| subdirs.len() == 1).copied();
    let platform = platform
        .or(list.platform)
        .or(only)
        .ok_or("it does not say which platform it is for: use --platform")?;
    if let Some(other) = subdirs.iter().find(|subdir| **subdir != platform) {
        return Err(format!("it is for {}, and has packages for {}", platform.as_str(), other.as_str()));
    }
    Ok(BTreeMap::from([(platform, list.packages.iter().map(package).collect::<Result<_, _>>()?)]))
}

/// The platform of an entry, unless it is for any.
fn subdir(entry: &ExplicitEnvironmentEntry) -> Option<Subdir> {
    let subdir = entry.url.path_segments()?.rev().nth(1)?;
    Subdir::from_str(subdir).ok().filter(|subdir| *subdir != Subdir::NoArch)
}

fn package(entry: &ExplicitEnvironmentEntry) -> Result<Package, String> {
    let mut url = entry.url.clone();
    url.set_fragment(None);
    let file = url.path_segments().and_then(Iterator::last).unwrap_or_default();
    let file = percent_decoded(file);
    let archive = DistArchiveIdentifier::try_from_filename(&file)
        .ok_or_else(|| format!("`{url}` is the URL of no conda package"))?;
    let hash =
        entry.package_archive_hash().map_err(|error| format!("{file}: {}", crate::causes::chain(&error)))?;
    let (md5, sha256) = match hash {
        Some(PackageArchiveHash::Md5(digest)) => (Some(hex(&digest)), String::new()),
        Some(PackageArchiveHash::Sha256(digest)) => (None, hex(&digest)),
        None => (None, String::new()),
    };
    let identifier = archive.identifier;
    PackageName::from_str(&identifier.name).map_err(|error| format!("{file}: {error}"))?;
    Version::from_str(&identifier.version).map_err(|error| format!("{file}: {error}"))?;
    Ok(Package {
        kind: Kind::Conda,
        name: identifier.name,
        version: identifier.version,
        build: Some(identifier.build_string),
        url: url.to_string(),
        sha256,
        md5,
        size: None,
        dependencies: BTreeMap::new(),
        categories: BTreeSet::from(["main".to_owned()]),
        wheel: None,
    })
}
