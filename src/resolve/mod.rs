//! From what is wanted to what that is: solving against channels and indexes.
//!
//! The solvers are rattler's and uv's, in process. This module chooses what they see (channels, mirrors, dates,
//! virtual packages, markers) and says in the user's words why they failed.

mod bridge;
mod conda;
mod explain;
mod known_breaks;
mod metadata;
mod mirror;
mod names;
mod pins;
mod pypi;
mod virtual_packages;

pub use conda::{Job, PIP, Resolver, Solution, key};
pub use metadata::{Recorded, record, recorded};
pub use mirror::{Mirror, read_from};
pub use pins::{Demand, Pin, Pins};
pub use pypi::{BuildRequest, BuildSystem, PypiResolver, PypiSolution, build_system, disagreement, repack};

use std::collections::BTreeMap;

use crate::{
    fs,
    spec::{Position, options::Options},
    store,
};

/// Solves all jobs concurrently, each conda's part first and PyPI's on top of it; the first error of the
/// first job wins, whatever finishes first. With `frozen`, the metadata must be what it was.
pub async fn solve_all(
    conda: &Resolver,
    pypi: &PypiResolver<'_>,
    jobs: &[Job<'_>],
    options: &Options,
    frozen: Option<&Recorded>,
) -> Result<BTreeMap<String, (Solution, PypiSolution)>, Error> {
    jobs.iter().try_for_each(|job| pypi.check(job))?;
    let solve = async |job: &Job<'_>| {
        let prefetched = async {
            pypi.prefetch(job).await;
            Ok(())
        };
        let (solution, ()) =
            futures::future::try_join(conda.solve(*job, options, frozen), prefetched).await?;
        let packages = pypi.solve(*job, &solution.records, options).await?;
        let recorded = frozen.and_then(|recorded| recorded.metadata.get(&pypi_key(&job.key())));
        if frozen.is_some() && recorded.map_or("", String::as_str) != packages.fingerprint {
            return Err(metadata_gone(job));
        }
        Ok((solution, packages))
    };
    let solved = futures::future::join_all(jobs.iter().map(async |job| (job.key(), solve(job).await))).await;
    solved.into_iter().map(|(key, solved)| Ok((key, solved?))).collect()
}

/// The fingerprints of what a resolution saw, for [`Recorded`].
pub fn fingerprints(solved: &BTreeMap<String, (Solution, PypiSolution)>) -> BTreeMap<String, String> {
    let conda = solved.iter().map(|(key, (conda, _))| (key.clone(), conda.fingerprint.clone()));
    let pypi = solved.iter().filter(|(_, (_, pypi))| !pypi.fingerprint.is_empty());
    conda.chain(pypi.map(|(key, (_, pypi))| (pypi_key(key), pypi.fingerprint.clone()))).collect()
}

fn pypi_key(key: &str) -> String {
    format!("{key}/pypi")
}

fn metadata_gone(job: &Job) -> Error {
    Error::NotCached {
        what: format!("the metadata that {} was resolved with is no longer in the cache", job.key()),
        hint: "resolve anew without --frozen-metadata, or restore the cache of that time".to_owned(),
    }
}

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
    /// Two requirements of one package cannot both hold.
    #[error("two requirements of {name} cannot both hold:\n  {first}\n  {second}")]
    Conflict {
        /// The package.
        name: String,
        /// One line, with its place.
        first: String,
        /// The other.
        second: String,
        /// What to change.
        hint: String,
    },
    /// An index of Python packages cannot be read.
    #[error("cannot read the index {index}: {reason}")]
    Index {
        /// What was read, without credentials.
        index: String,
        /// Why not.
        reason: String,
    },
    /// What a package needs cannot be known.
    #[error("the metadata of {package} cannot be read: {reason}")]
    Metadata {
        /// Name and version.
        package: String,
        /// Why not.
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
    /// A version that was demanded is none.
    #[error("`{version}` is no version: {reason}")]
    Version {
        /// As it was given.
        version: String,
        /// Why not.
        reason: String,
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
    /// An artifact could not be fetched or is wrong.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The cache directory failed.
    #[error(transparent)]
    Fs(#[from] fs::Error),
}

impl Error {
    /// An index that cannot be read.
    fn index(index: &str, reason: &str) -> Self {
        Self::Index { index: crate::spec::channel::redact(index), reason: reason.to_owned() }
    }

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
            Self::Index { .. } => Some(
                "try again later; --index-url names another index, ~/.netrc holds credentials for a private one"
                    .to_owned(),
            ),
            Self::Channel { hint, .. }
            | Self::Conflict { hint, .. }
            | Self::Metadata { hint, .. }
            | Self::NotCached { hint, .. }
            | Self::Unusable { hint, .. } => Some(hint.clone()),
            Self::Version { .. } => Some("write it like 1.2.3, or 1.2.* for any that begins with 1.2".to_owned()),
            Self::Store(error) => error.hint(),
            Self::Fs(error) => error.hint(),
        }
    }
}
