//! `pylock.toml`: the packages of PyPI, for any installer that knows it.
//!
//! Source: PEP 751.

use std::collections::BTreeMap;

use rattler_conda_types::Subdir;
use serde::Serialize;
use url::Url;

use super::{Error, Place, nowhere, of_conda};
use crate::lock::{Kind, Package};

const FORMAT: &str = "pylock.toml";

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct File<'a> {
    lock_version: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    environments: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requires_python: Option<String>,
    created_by: &'static str,
    packages: Vec<Entry<'a>>,
}

#[derive(Default, Serialize)]
struct Entry<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vcs: Option<Vcs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<Directory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<Artifact<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sdist: Option<Artifact<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wheels: Vec<Artifact<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Vcs {
    r#type: &'static str,
    url: String,
    commit_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subdirectory: Option<String>,
}

#[derive(Serialize)]
struct Directory {
    path: String,
}

#[derive(Serialize)]
struct Artifact<'a> {
    /// An archive has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Url>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    hashes: BTreeMap<&'static str, &'a str>,
}

/// The packages of PyPI.
pub(super) fn write(platform: Subdir, packages: &[Package]) -> Result<String, Error> {
    let python = of_conda(packages, true).find(|package| package.name == "python");
    let minor = python.map(|python| python.version.split('.').take(2).collect::<Vec<_>>().join("."));
    let file = File {
        lock_version: "1.0",
        environments: marker(platform).into_iter().collect(),
        requires_python: minor.map(|minor| format!("=={minor}.*")),
        created_by: "envlock",
        packages: of_conda(packages, false).map(entry).collect::<Result<_, _>>()?,
    };
    // Texts and numbers in maps with text as keys always serialise.
    let body = toml::to_string(&file).unwrap_or_default();
    Ok(format!("# Locked by envlock: the PyPI packages for {}.\n{body}", platform.as_str()))
}

fn entry(package: &Package) -> Result<Entry<'_>, Error> {
    let name = package.name.as_str();
    let artifact = |url: Option<Url>, path: Option<String>, is_of_index: bool| {
        let is_archive = package.kind == Kind::Sdist && !is_of_index;
        let artifact = Artifact {
            name: (!is_archive).then(|| package.file_name()),
            url,
            path,
            size: package.size,
            hashes: BTreeMap::from([("sha256", package.sha256.as_str())]),
        };
        let version = Some(package.version.as_str());
        if package.kind == Kind::Wheel {
            Entry { name, version, wheels: vec![artifact], ..Entry::default() }
        } else if is_archive {
            // Its name may be anything, such as that of a branch.
            Entry { name, version, archive: Some(artifact), ..Entry::default() }
        } else {
            Entry { name, version, sdist: Some(artifact), ..Entry::default() }
        }
    };
    Ok(match Place::of(package).ok_or_else(|| nowhere(package, FORMAT))? {
        Place::Pypi(url) => artifact(Some(url), None, true),
        Place::Url(url) => artifact(Some(url), None, false),
        Place::File(path) => artifact(None, Some(path), false),
        // The version of a tree is what it says when it is built.
        Place::Directory(path) => Entry { name, directory: Some(Directory { path }), ..Entry::default() },
        Place::Git { repository, commit, subdirectory } => {
            let vcs = Vcs { r#type: "git", url: repository, commit_id: commit, subdirectory };
            Entry { name, vcs: Some(vcs), ..Entry::default() }
        }
    })
}

/// The marker that holds on a platform alone.
fn marker(platform: Subdir) -> Option<String> {
    let (system, machine) = match platform {
        Subdir::Linux64 => ("linux", "x86_64"),
        Subdir::LinuxAarch64 => ("linux", "aarch64"),
        Subdir::LinuxPpc64le => ("linux", "ppc64le"),
        Subdir::Osx64 => ("darwin", "x86_64"),
        Subdir::OsxArm64 => ("darwin", "arm64"),
        Subdir::Win64 => ("win32", "AMD64"),
        _ => return None,
    };
    Some(format!("sys_platform == '{system}' and platform_machine == '{machine}'"))
}
