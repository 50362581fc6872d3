//! The lock: what every environment consists of, and the files that say so.

pub mod content_hash;
pub mod diff;
pub mod fingerprint;
pub mod format;
pub mod graph;
pub mod model;

use std::path::PathBuf;

pub use model::{BuiltWheel, Kind, Lock, LockedChannel, LockedEnvironment, LockedPlatform, Package};

use crate::spec::{Environment, USER};

/// A lock file that is there and cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {message}", path.display())]
pub struct Error {
    /// The lock file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub message: String,
}

impl Error {
    /// What to do next.
    #[allow(clippy::unused_self, reason = "every error answers the same two questions")]
    pub fn hint(&self) -> Option<String> {
        Some("write it anew with `envlock convert`".to_owned())
    }
}

/// The requirements of an environment as written, sorted, each once.
pub fn stated_specs(environment: &Environment) -> Vec<String> {
    let conda = environment.conda.iter().map(|spec| spec.text.clone());
    let pip = environment.pip.iter().map(|line| format!("pip: {}", line.text));
    let mut specs: Vec<String> = conda.chain(pip).collect();
    specs.sort();
    specs.dedup();
    specs
}

/// The file name of an environment's `conda-lock.yml`.
pub fn file_name(environment: &str) -> String {
    if environment == USER { "conda-lock.yml".to_owned() } else { format!("{environment}.conda-lock.yml") }
}

/// The file name of the output for Nix.
pub const NIX_FILE: &str = "envlock.nix";
