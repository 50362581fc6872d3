//! Artifacts by content: fetched, hashed while they stream, and kept by their sha256.
//!
//! Guarantees: a file below `artifacts/sha256/` has the digest that its name says, whatever
//! processes were killed on the way.

mod fetch;

use std::path::{Path, PathBuf};

pub use fetch::{Artifact, Digests, Fetcher};

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
    /// The server does not give it.
    #[error("cannot fetch {url}: {reason}")]
    Unreachable {
        /// Which artifact.
        url: String,
        /// Why not.
        reason: String,
    },
    /// It is needed and not there, and the network may not be used.
    #[error("{url} is not in the cache, and the lock needs to know it")]
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
