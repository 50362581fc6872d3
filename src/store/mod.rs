//! Artifacts by content: fetched, hashed while they stream, and kept by their sha256.
//!
//! Guarantees: a file below `artifacts/sha256/` has the digest that its name says, whatever
//! processes were killed on the way.

mod artifact;
pub mod bundle;
mod download;
mod fetch;
mod files;
mod scratch;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

pub use artifact::{Content, open};
pub use fetch::{Artifact, Digests, Fetcher, Wanted};
pub use files::{Added, Files};
pub use scratch::Scratch;

use crate::fs;

/// Why an artifact is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What came is not what was promised.
    #[error("{url} is not the promised artifact: {kind} {found} instead of {expected}")]
    WrongHash {
        /// Where it came from.
        url: String,
        /// `md5`, `sha256` or `size`.
        kind: &'static str,
        /// As the metadata states it.
        expected: String,
        /// As it is.
        found: String,
    },
    /// What the store keeps is not what it was when it came.
    #[error("{} of the cache is damaged: sha256 {found} instead of {expected} ({url})", path.display())]
    Damaged {
        /// The file in the store.
        path: PathBuf,
        /// Which artifact.
        url: String,
        /// The sha256 that names it.
        expected: String,
        /// Its sha256 now.
        found: String,
    },
    /// A file that should be a bundle is none.
    #[error("{} is not a sound bundle: {reason}", path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The server does not give it.
    #[error("cannot fetch {url}: {reason}")]
    Unreachable {
        /// Which artifact.
        url: String,
        /// Why not.
        reason: String,
    },
    /// It is needed and not there, and the network may not be used.
    #[error("{url} is not in the cache")]
    NotCached {
        /// Which artifact.
        url: String,
    },
    /// The cache directory failed.
    #[error(transparent)]
    Fs(#[from] fs::Error),
}

impl Error {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::WrongHash { .. } => {
                "the file and what was promised of it (by a channel, an index or a `--hash`) disagree: try again \
                 later, and tell who serves it"
                    .to_owned()
            }
            Self::Damaged { .. } => {
                "`envlock cache verify` removes what is damaged; it is fetched again when it is needed".to_owned()
            }
            Self::Bundle { .. } => "make it again with `envlock bundle create`".to_owned(),
            Self::Unreachable { .. } => {
                "check its URL and try again, or read it from elsewhere with --mirror".to_owned()
            }
            Self::NotCached { .. } => "run once without --offline".to_owned(),
            Self::Fs(error) => return error.hint(),
        })
    }
}

/// Where an artifact is kept.
pub fn artifact_path(cache: &Path, sha256: &str) -> PathBuf {
    cache.join("artifacts").join("sha256").join(&sha256[..2.min(sha256.len())]).join(sha256)
}

/// Keeps others from pruning the cache until it is dropped.
pub fn in_use(cache: &Path) -> Result<std::fs::File, fs::Error> {
    fs::lock_directory(cache, false)
}

/// Removes what broken downloads left; returns how many files.
pub fn prune_leftovers(cache: &Path) -> Result<usize, fs::Error> {
    let artifacts = cache.join("artifacts");
    let partial = artifacts.join("partial");
    let mut removed = 0;
    for path in fs::names(&partial)?.into_iter().map(|name| partial.join(name)) {
        if fs::lock_if_still_there(fs::open_partial(&path)?, &path)?.is_some() {
            fs::remove_file(&path)?;
            removed += 1;
        }
    }
    Ok(removed + fs::remove_temporary(&artifacts)?)
}

/// Removes the artifacts that are not among those to keep; returns how many.
pub fn prune_artifacts(cache: &Path, keep: &BTreeSet<String>) -> Result<usize, fs::Error> {
    let paths = files::files_below(&cache.join("artifacts").join("sha256"))?;
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unwanted: Vec<_> = paths.iter().filter(|path| !keep.contains(&name(path))).collect();
    unwanted.iter().try_for_each(|path| fs::remove_file(path))?;
    Ok(unwanted.len())
}

/// Reads every artifact and removes those that are not what their name says. Returns how many there were, and the
/// wrong ones.
pub fn verify_artifacts(cache: &Path) -> Result<(u64, Vec<PathBuf>), fs::Error> {
    files::verify(&cache.join("artifacts").join("sha256"))
}
