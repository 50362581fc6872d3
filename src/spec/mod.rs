//! What the user wrote: `env.yml`, the requirements files it names, and `envlock.yml`.
//!
//! Text in, [`EnvSpec`] out, every problem with file, line and column. Nothing here knows a
//! channel's content or a lock.

pub mod channel;
pub mod environment;
pub mod name_map;
pub mod options;
pub mod pip;
mod problem;
pub mod project;
pub mod remote;
mod selectors;
mod sources;
pub mod yaml;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

pub use environment::{CondaSpec, Environment};
pub use problem::{Position, Problem, nearest};
use rattler_conda_types::Subdir;
pub use sources::{ENVIRONMENT_FILES, Inputs, load};

/// The name of the user environment.
pub const USER: &str = "user";
/// The name of the runtime.
pub const RUNTIME: &str = "runtime";

/// One environment of a project: its files, and what they say on each platform.
#[derive(Clone, Debug)]
pub struct EnvSpec {
    /// [`USER`], [`RUNTIME`] or the name of a role.
    pub name: String,
    /// The files that make it, in order.
    pub sources: Vec<Source>,
    /// What they say together, by platform.
    pub platforms: BTreeMap<Subdir, Environment>,
}

/// An input file.
#[derive(Clone, Debug)]
pub struct Source {
    /// As messages name it.
    pub shown: Arc<str>,
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub text: Arc<str>,
}

/// Why the input cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something in a file makes no sense.
    #[error(transparent)]
    Problem(#[from] Problem),
    /// A file cannot be read.
    #[error(transparent)]
    Fs(#[from] crate::fs::Error),
    /// The command line asks for something that does not fit together.
    #[error("{message}")]
    Usage {
        /// What does not fit.
        message: String,
        /// What to type instead.
        hint: String,
    },
}

impl Error {
    /// A usage error with what to do about it.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: hint.into() }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Problem(problem) => problem.hint.clone(),
            Self::Fs(error) => error.hint(),
            Self::Usage { hint, .. } => Some(hint.clone()),
        }
    }
}
