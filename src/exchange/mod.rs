//! Locks in the formats of other tools: written for them, and read where they were made by them.
//!
//! Guarantees: the same packages give the same bytes; what a format has no place for is refused or told of. What was read
//! may lack a sha256: it is empty then.

mod environment;
mod explicit;
mod pixi;
mod pylock;
mod requirements;

use std::{collections::BTreeMap, path::Path};

use rattler_conda_types::Subdir;
use url::Url;

use crate::{
    lock::{
        self, Kind, LockedChannel, LockedEnvironment, LockedPlatform, Package, fingerprint,
        format::conda_lock, model::git_tree,
    },
    spec::channel::redact_words,
};

/// A format of another tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// An `@EXPLICIT` list of the conda packages, for conda and micromamba
    Explicit,
    /// pixi.lock
    Pixi,
    /// pylock.toml with the PyPI packages, for pip and uv
    Pylock,
    /// requirements.txt with the PyPI packages and their hashes, for pip
    Requirements,
    /// env.yml with every version pinned, for conda
    Environment,
}

/// An environment that is to be written.
pub struct Subject<'a> {
    /// Its name.
    pub environment: &'a str,
    /// The channels, as written.
    pub channels: &'a [LockedChannel],
    /// Its platforms: several for [`Format::Pixi`], one for any other. A relative URL is seen from where the output will be.
    pub platforms: Vec<(Subdir, Vec<Package>)>,
    /// Where channel names lead.
    pub alias: &'a Url,
}

/// Why a lock cannot be written in a format.
#[derive(Debug, thiserror::Error)]
#[error("{package} has no place in {format}: {reason}")]
pub struct Error {
    /// Which package.
    pub package: String,
    /// The format.
    pub format: &'static str,
    /// Why not.
    pub reason: String,
}

impl Error {
    /// What to do next.
    #[allow(clippy::unused_self, reason = "every error answers the same two questions")]
    pub fn hint(&self) -> Option<String> {
        Some("conda-lock.yml and envlock.nix hold everything; or publish the package as a wheel".to_owned())
    }
}

/// Writes an environment in a format; it ends with a newline.
pub fn write(subject: &Subject, format: Format) -> Result<String, Error> {
    match format {
        Format::Explicit => subject.each(|platform, packages| Ok(explicit::write(platform, packages))),
        Format::Pylock => subject.each(pylock::write),
        Format::Requirements => subject.each(requirements::write),
        Format::Environment => {
            subject.each(|platform, packages| environment::write(subject.channels, platform, packages))
        }
        Format::Pixi => pixi::write(subject),
    }
}

impl Subject<'_> {
    fn each(&self, write: impl Fn(Subdir, &[Package]) -> Result<String, Error>) -> Result<String, Error> {
        self.platforms.iter().map(|(platform, packages)| write(*platform, packages)).collect()
    }
}

/// A lock that was made elsewhere, whose format shows: `@EXPLICIT`, `pixi.lock` or `conda-lock.yml`.
///
/// `environment` is which one of a `pixi.lock`; `platform` is for a list that does not say it.
pub fn read(
    path: &Path,
    text: &str,
    environment: Option<&str>,
    platform: Option<Subdir>,
) -> Result<LockedEnvironment, lock::Error> {
    // What a parser quotes may be a URL with a password.
    let wrong = |message: String| lock::Error {
        path: path.to_path_buf(),
        message: message.lines().map(redact_words).collect::<Vec<_>>().join("\n"),
    };
    let (channels, platforms) = if text.lines().any(|line| line.trim() == explicit::TAG) {
        (Vec::new(), explicit::read(text, platform).map_err(wrong)?)
    } else if text.lines().any(|line| line.trim_end() == "environments:") {
        pixi::read(text, environment).map_err(wrong)?
    } else {
        return conda_lock::read(path, crate::spec::USER, text);
    };
    if platforms.values().all(Vec::is_empty) {
        return Err(wrong("it names no packages".to_owned()));
    }
    let hash = fingerprint::of_text(text);
    let content_hash = platforms.keys().map(|platform| (*platform, hash.clone())).collect();
    let locked = |packages| LockedPlatform { packages, ..LockedPlatform::default() };
    Ok(LockedEnvironment {
        name: crate::spec::USER.to_owned(),
        channels,
        sources: Vec::new(),
        content_hash,
        platforms: platforms.into_iter().map(|(platform, packages)| (platform, locked(packages))).collect(),
    })
}

/// The packages of each platform.
type Platforms = BTreeMap<Subdir, Vec<Package>>;

/// The packages that conda installs, or those of PyPI.
fn of_conda(packages: &[Package], conda: bool) -> impl Iterator<Item = &Package> {
    packages.iter().filter(move |package| (package.kind == Kind::Conda) == conda)
}

/// Where the file of a PyPI package is.
enum Place {
    /// On PyPI itself, which has it by name and version.
    Pypi(Url),
    /// Anywhere else behind a URL.
    Url(Url),
    /// A local file; a relative path is seen from where the format's file is.
    File(String),
    /// A directory, likewise.
    Directory(String),
    /// A commit of a repository, and a directory in it.
    Git { repository: String, commit: String, subdirectory: Option<String> },
}

impl Place {
    fn of(package: &Package) -> Option<Self> {
        if let Some((repository, commit, subdirectory)) = git_tree(&package.url) {
            return Some(Self::Git {
                repository: repository.to_owned(),
                commit: commit.to_owned(),
                subdirectory: subdirectory.map(str::to_owned),
            });
        }
        let is_archive = [".whl", ".tar.gz", ".tgz", ".zip", ".tar", ".tar.bz2", ".tar.xz"]
            .iter()
            .any(|ending| package.file_name().ends_with(ending));
        if let Some(path) = package.url.strip_prefix("file:") {
            let path = crate::spec::channel::percent_decoded(path);
            let path = path.strip_prefix("//").unwrap_or(&path).to_owned();
            return Some(if is_archive { Self::File(path) } else { Self::Directory(path) });
        }
        let url = Url::parse(&package.url).ok()?;
        let is_pypi = url.host_str() == Some("files.pythonhosted.org");
        Some(if is_pypi { Self::Pypi(url) } else { Self::Url(url) })
    }
}

fn nowhere(package: &Package, format: &'static str) -> Error {
    Error { package: package.name.clone(), format, reason: format!("its URL is `{}`", package.url) }
}
