//! From what is wanted to what that is: solving against channels.
//!
//! The solver is rattler's, in process. This module chooses what it sees (channels, mirrors, dates,
//! virtual packages) and says in the user's words why it failed.

mod conda;
mod explain;
mod metadata;
mod mirror;
mod virtual_packages;

pub use conda::{Job, Resolver, Solution, solve_all};
pub use metadata::{Recorded, record, recorded};
pub use mirror::{Mirror, read_from};

use crate::{fs, spec::Position};

/// Why there is no resolution.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No set of packages satisfies every requirement.
    #[error("no packages satisfy the {environment} environment on {platform}:\n{explanation}")]
    NoSolution {
        /// Which environment.
        environment: String,
        /// On which platform.
        platform: &'static str,
        /// The chain of packages that ends in a contradiction.
        explanation: String,
        /// What to change.
        hint: Option<String>,
    },
    /// A channel cannot be read.
    #[error("cannot read channel {channel} ({subdir}): {reason}")]
    Channel {
        /// The channel's URL, without credentials.
        channel: String,
        /// The subdir that failed.
        subdir: String,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// Two channels are read in one place.
    #[error("channels {first} and {second} are both read from {place}")]
    SamePlace {
        /// One channel.
        first: String,
        /// The other.
        second: String,
        /// Where.
        place: String,
    },
    /// A package that is named by its URL cannot be had.
    #[error("cannot read the package {url}: {reason}")]
    Package {
        /// The package's URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// The directory that keeps metadata failed.
    #[error("cannot keep channel metadata: {reason}")]
    Cache {
        /// Why.
        reason: String,
    },
    /// What is needed is not in the cache, and the network may not be used.
    #[error("{what}")]
    NotCached {
        /// What is missing.
        what: String,
        /// What to do.
        hint: String,
    },
    /// A requirement that no solver can be given.
    #[error("{}:{}:{}: {message}", file, position.line, position.column)]
    Unusable {
        /// The input file.
        file: String,
        /// Where in it.
        position: Position,
        /// What is wrong.
        message: String,
        /// What to write instead.
        hint: String,
    },
    /// The cache directory failed.
    #[error(transparent)]
    Fs(#[from] fs::Error),
}

impl Error {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoSolution { hint, .. } => hint.clone(),
            Self::SamePlace { .. } => {
                Some("leave one of them out, or mirror them to different places".to_owned())
            }
            Self::Package { .. } => Some("check the URL; a mirror of its channel serves it, too".to_owned()),
            Self::Cache { .. } => Some(
                "make the cache writable and give it space, or choose another with --cache-dir".to_owned(),
            ),
            Self::Channel { hint, .. } | Self::NotCached { hint, .. } | Self::Unusable { hint, .. } => {
                Some(hint.clone())
            }
            Self::Fs(error) => error.hint(),
        }
    }
}
