//! What a lock holds, whatever format it is written in.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use rattler_conda_types::Subdir;

use crate::spec::{
    channel::percent_decoded,
    project::{Cluster, Role},
};

/// Every locked environment of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// sha256 over envlock's reading of the inputs: see [`super::fingerprint::input_hash`].
    pub input_hash: String,
    /// The options that held, as [`crate::spec::options::Options::entries`] states them.
    pub options: BTreeMap<String, String>,
    /// The options among them that the command line gave.
    pub overridden: BTreeSet<String>,
    /// What the `conda-lock.yml` files say, as [`super::format::conda_lock::digest`]s by file name.
    pub files: BTreeMap<String, String>,
    /// In the order of the project: user, runtime, roles.
    pub environments: Vec<LockedEnvironment>,
    /// What the project file says of the cluster.
    pub cluster: Option<Cluster>,
    /// The roles of the project file.
    pub roles: BTreeMap<String, Role>,
}

/// One environment on all its platforms: one `conda-lock.yml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedEnvironment {
    /// [`crate::spec::USER`], [`crate::spec::RUNTIME`] or the name of a role.
    pub name: String,
    /// The channels, as written.
    pub channels: Vec<LockedChannel>,
    /// The input files, relative to the outputs.
    pub sources: Vec<String>,
    /// conda-lock's hash of the inputs, by platform.
    pub content_hash: BTreeMap<Subdir, String>,
    /// The packages, by platform.
    pub platforms: BTreeMap<Subdir, LockedPlatform>,
}

/// A channel as `conda-lock.yml` states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedChannel {
    /// Name, or URL with `${VARIABLE}` for credentials.
    pub url: String,
    /// Those variables.
    pub used_env_vars: Vec<String>,
    /// The base URLs that records of this channel have, without credentials.
    pub bases: Vec<String>,
}

/// One environment on one platform.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockedPlatform {
    /// The requirements as written, sorted: they tell which one changed.
    pub specs: Vec<String>,
    /// `variables:` of the environment file.
    pub variables: BTreeMap<String, String>,
    /// Sorted by kind and name.
    pub packages: Vec<Package>,
}

/// What kind of file an artifact is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A `.conda` or `.tar.bz2` package.
    Conda,
    /// A wheel, installed as it is.
    Wheel,
    /// A source distribution, built once.
    Sdist,
}

impl Kind {
    /// The word for it in `envlock.nix` and in the lock hash.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conda => "conda",
            Self::Wheel => "wheel",
            Self::Sdist => "sdist",
        }
    }

    /// The reverse of [`Kind::as_str`].
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Conda, Self::Wheel, Self::Sdist].into_iter().find(|kind| kind.as_str() == word)
    }

    /// What `conda-lock.yml` calls the tool that installs it.
    pub fn manager(self) -> &'static str {
        match self {
            Self::Conda => "conda",
            Self::Wheel | Self::Sdist => "pip",
        }
    }
}

/// One artifact and what it provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// What kind of file it is.
    pub kind: Kind,
    /// Package name, normalised.
    pub name: String,
    /// Version.
    pub version: String,
    /// Build string; only conda packages have one.
    pub build: Option<String>,
    /// Where the artifact is, without credentials.
    pub url: String,
    /// sha256 of the artifact, 64 lower-case hex digits.
    pub sha256: String,
    /// md5 of the artifact, where the metadata states one.
    pub md5: Option<String>,
    /// Size of the artifact in bytes, where the metadata states one.
    pub size: Option<u64>,
    /// Name → version requirement.
    pub dependencies: BTreeMap<String, String>,
    /// The categories that need it; `main` stands alone.
    pub categories: BTreeSet<String>,
    /// The wheel that an sdist becomes, where that is known.
    pub wheel: Option<Box<BuiltWheel>>,
}

/// What an sdist becomes when it is built, and what builds it besides the environment's conda packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltWheel {
    /// The name of the file.
    pub file_name: String,
    /// Its sha256, 64 lower-case hex digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// The build requirements: wheels, sorted by name.
    pub requires: Vec<Package>,
}

impl Package {
    /// The last part of the URL's path, decoded.
    pub fn file_name(&self) -> String {
        let path = self.url.split(['#', '?']).next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        percent_decoded(last)
    }

    /// The artifacts that installing it takes: its own, and for an sdist those that build it.
    pub fn artifacts(&self) -> impl Iterator<Item = &Self> {
        std::iter::once(self).chain(self.wheel.iter().flat_map(|wheel| &wheel.requires))
    }
}

/// Whether a text can be the name of a wheel (PEP 427): of a file, and nothing that means something to a terminal.
pub fn is_wheel_name(name: &str) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.+!".contains(&it);
    Path::new(name).extension().is_some_and(|extension| extension == "whl") && name.bytes().all(is_plain)
}

/// Repository, commit and directory of a git tree, by its URL in a lock.
pub fn git_tree(url: &str) -> Option<(&str, &str, Option<&str>)> {
    let url = url.strip_prefix("git+")?;
    let (url, inner) =
        url.split_once("#subdirectory=").map_or((url, None), |(url, inner)| (url, Some(inner)));
    let (repository, commit) = url.rsplit_once('@')?;
    Some((repository, commit, inner))
}

/// `depends` of a record as name → requirement.
pub fn dependencies(depends: &[String]) -> BTreeMap<String, String> {
    let mut result: BTreeMap<String, String> = BTreeMap::new();
    for text in depends {
        let text = text.rsplit("::").next().unwrap_or(text).trim();
        let split = text.find(|c: char| c == ' ' || "=<>!~[".contains(c)).unwrap_or(text.len());
        let (name, rest) = (text[..split].to_lowercase(), text[split..].trim());
        let stated = result.entry(name).or_default();
        if stated.is_empty() {
            rest.clone_into(stated);
        } else if !rest.is_empty() && stated != rest {
            *stated = format!("{stated},{rest}");
        }
    }
    result
}

/// A requirement that leads to a package: its category, the [`Kind::manager`], and the package's name.
pub type RootRequirement = (String, &'static str, String);

/// Gives every package the categories of the requirements that lead to it.
///
/// `provided` says which conda package answers for a PyPI name. A package that `main` needs is in
/// `main` alone, because an optional category never takes it away.
pub fn assign_categories(
    packages: &mut [Package],
    roots: &[RootRequirement],
    provided: &BTreeMap<String, String>,
) {
    let index: BTreeMap<(&'static str, String), usize> = packages
        .iter()
        .enumerate()
        .map(|(index, package)| ((package.kind.manager(), package.name.clone()), index))
        .collect();
    let find = |manager: &'static str, name: String| {
        let conda = || index.get(&("conda", provided.get(&name)?.clone()));
        index.get(&(manager, name.clone())).or_else(|| if manager == "pip" { conda() } else { None }).copied()
    };
    for (category, manager, root) in roots {
        let mut open = vec![(*manager, root.clone())];
        while let Some((manager, name)) = open.pop() {
            let Some(package) = find(manager, name).map(|index| &mut packages[index]) else { continue };
            if package.categories.insert(category.clone()) {
                let manager = package.kind.manager();
                open.extend(package.dependencies.keys().map(|name| (manager, name.clone())));
            }
        }
    }
    for package in packages {
        if package.categories.is_empty() || package.categories.contains("main") {
            package.categories = BTreeSet::from(["main".to_owned()]);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn package(name: &str, dependencies: &[&str]) -> Package {
        Package {
            kind: Kind::Conda,
            name: name.to_owned(),
            version: "1.0".to_owned(),
            build: Some("h0_0".to_owned()),
            url: format!("https://h/c/linux-64/{name}-1.0-h0_0.conda"),
            sha256: "ab".repeat(32),
            md5: Some("cd".repeat(16)),
            size: Some(17),
            dependencies: dependencies.iter().map(|name| ((*name).to_owned(), String::new())).collect(),
            categories: BTreeSet::from(["main".to_owned()]),
            wheel: None,
        }
    }

    #[test]
    fn requirements_of_one_name_are_joined() {
        let depends =
            ["Python >=3.6", "python *", "c::zlib=1.2", "__glibc", "a[version='>=1']"].map(str::to_owned);
        let result = dependencies(&depends);
        assert_eq!(result["python"], ">=3.6,*");
        assert_eq!(result["zlib"], "=1.2");
        assert_eq!(result["__glibc"], "");
        assert_eq!(result["a"], "[version='>=1']");
    }

    #[test]
    fn categories_follow_dependencies() {
        let mut packages =
            [package("a", &["c"]), package("b", &["c", "d"]), package("c", &[]), package("d", &["b"])];
        for package in &mut packages {
            package.categories.clear();
        }
        let root = |category: &str, name: &str| (category.to_owned(), "conda", name.to_owned());
        assign_categories(&mut packages, &[root("main", "a"), root("dev", "b")], &BTreeMap::new());
        let of = |index: usize| {
            packages[index].categories.iter().map(String::as_str).collect::<Vec<_>>().join(",")
        };
        assert_eq!([of(0), of(1), of(2), of(3)], ["main", "dev", "main", "dev"]);
    }

    #[test]
    fn categories_cross_from_pypi_to_conda() {
        let mut wheel = package("flask", &["torch"]);
        wheel.kind = Kind::Wheel;
        let mut packages = [package("pytorch", &["c"]), package("c", &[]), package("flask", &[]), wheel];
        for package in &mut packages {
            package.categories.clear();
        }
        let provided = BTreeMap::from([("torch".to_owned(), "pytorch".to_owned())]);
        let roots = [("dev".to_owned(), "pip", "flask".to_owned())];
        assign_categories(&mut packages, &roots, &provided);
        let of = |index: usize| packages[index].categories.iter().cloned().collect::<Vec<_>>().join(",");
        assert_eq!([of(0), of(1), of(2), of(3)], ["dev", "dev", "main", "dev"]);
    }

    #[test]
    fn file_names_are_decoded() {
        let mut epoch = package("a", &[]);
        epoch.url = "https://h/c/noarch/a-1%212.0-0.conda".to_owned();
        assert_eq!(epoch.file_name(), "a-1!2.0-0.conda");
    }
}
