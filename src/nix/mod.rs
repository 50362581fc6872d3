//! Nix as a program: the expressions that come with envlock, the two ways to build with them, and what Nix says when it
//! fails.
//!
//! It evaluates nothing itself, and Nix decides what has to be built.

mod program;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

pub use program::{Call, check_builder};

use crate::fs::{self, Stage};

/// The expressions that build from a lock without nixpkgs, by their path in `nix/`.
const EXPRESSIONS: [(&str, &str); 6] = [
    ("default.nix", include_str!("../../nix/default.nix")),
    ("lib/build.nix", include_str!("../../nix/lib/build.nix")),
    ("lib/default.nix", include_str!("../../nix/lib/default.nix")),
    ("lib/lock.nix", include_str!("../../nix/lib/lock.nix")),
    ("lib/tree-digest.nix", include_str!("../../nix/lib/tree-digest.nix")),
    ("lib/tree_digest.py", include_str!("../../nix/lib/tree_digest.py")),
];

/// Why Nix did not build.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such program.
    #[error("there is no `{program}` on the PATH")]
    Missing {
        /// `nix` or `nix-build`.
        program: &'static str,
    },
    /// The builder needs other files.
    #[error("{} needs a loader and libraries of this machine, and Nix's sandbox has neither", path.display())]
    Dynamic {
        /// The builder.
        path: PathBuf,
    },
    /// The builder does not run on the platform.
    #[error("{} is no program of {platform}", path.display())]
    Foreign {
        /// The builder.
        path: PathBuf,
        /// What is to be built for.
        platform: &'static str,
    },
    /// A fetch gave other bytes than the lock promises.
    #[error("Nix fetched something else than the lock promises ({status})")]
    WrongHash {
        /// How Nix ended.
        status: String,
    },
    /// Anything else; Nix has said what.
    #[error("Nix failed ({status})")]
    Failed {
        /// How Nix ended.
        status: String,
        /// What to do next, if what it said tells.
        hint: Option<&'static str>,
    },
    /// A file.
    #[error(transparent)]
    Fs(#[from] fs::Error),
}

impl Error {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some(
                "install Nix (Debian: apt-get install nix-bin); `envlock image build` writes the same bytes without it"
                    .to_owned(),
            ),
            Self::Dynamic { .. } => {
                Some("build a program that is one file with `cargo static`, and name it with --builder".to_owned())
            }
            Self::Foreign { platform, .. } => {
                Some(format!("build the program for {platform} with `cargo static`, and name it with --builder"))
            }
            Self::WrongHash { .. } => Some(
                "what is at that URL has changed, or is not what was locked: do not use it before you know why, then \
                 lock again with `envlock convert`"
                    .to_owned(),
            ),
            Self::Failed { hint, .. } => hint.map(str::to_owned),
            Self::Fs(error) => error.hint(),
        }
    }
}

/// The directory of the expressions in the cache; it is made if it is not there.
///
/// # Errors
/// If it cannot be written.
pub fn expressions(cache: &Path) -> Result<PathBuf, fs::Error> {
    let mut digest = Sha256::new();
    for (name, text) in EXPRESSIONS {
        digest.update(format!("{name}\0{text}\0"));
    }
    let digest = crate::lock::fingerprint::hex(&digest.finalize());
    let directory = cache.join("nix").join(&digest[..16]);
    if !fs::exists(&directory) {
        let stage = Stage::begin(&directory, || {})?;
        fs::create_directory(&stage.tree().join("lib"))?;
        for (name, text) in EXPRESSIONS {
            fs::write_own(&stage.tree().join(name), text.as_bytes())?;
        }
        stage.publish()?;
    }
    Ok(directory)
}
