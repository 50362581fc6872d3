//! Why a tree cannot be built.

use crate::{fs, lock::Package, store};

/// How much of a member's name is shown: it may be a megabyte long.
const MEMBER_SHOWN: usize = 200;

/// Why a tree cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An artifact is what the lock says, and still cannot be trusted: it contradicts itself or wants out of the tree.
    #[error("{artifact} is not a sound package: {}{reason}", member.as_ref().map(|it| format!("{it}: ")).unwrap_or_default())]
    Unsound {
        /// The file name of the artifact.
        artifact: String,
        /// What in it.
        member: Option<String>,
        /// What is wrong.
        reason: String,
    },
    /// What the cache kept of an artifact is no longer whole; whoever meets this reads the artifact anew.
    #[error("the cache has lost {member} of {artifact}")]
    Stale {
        /// The file name of the artifact.
        artifact: String,
        /// What is missing.
        member: String,
    },
    /// The lock asks for something that cannot be installed here.
    #[error("cannot install {what}: {reason}")]
    Unsupported {
        /// A package or an environment.
        what: String,
        /// Why not.
        reason: String,
        /// What to do instead.
        hint: String,
    },
    /// The locked Python did not compile.
    #[error("the environment's Python cannot compile byte-code: {reason}")]
    ByteCode {
        /// Why not.
        reason: String,
    },
    /// An artifact could not be had.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The file system said no.
    #[error(transparent)]
    Fs(#[from] fs::Error),
}

impl Error {
    /// An artifact with something wrong in it.
    pub(super) fn unsound(package: &Package, member: impl Into<String>, reason: impl Into<String>) -> Self {
        let member: String = member.into();
        let shown = match member.char_indices().nth(MEMBER_SHOWN) {
            Some((end, _)) => format!("{}…", &member[..end]),
            None => member,
        };
        Self::Unsound { artifact: package.file_name(), member: Some(shown), reason: reason.into() }
    }

    /// An artifact that is wrong as a whole.
    pub(super) fn unsound_whole(package: &Package, reason: impl Into<String>) -> Self {
        Self::Unsound { artifact: package.file_name(), member: None, reason: reason.into() }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unsound { .. } => Some(
                "nothing was installed; tell who published the package, and lock another version or build of it"
                    .to_owned(),
            ),
            Self::Unsupported { hint, .. } => Some(hint.clone()),
            Self::Stale { .. } => Some("run `envlock cache verify`, then try again".to_owned()),
            Self::ByteCode { .. } => Some(
                "install with --no-byte-code, or lock a runtime for this platform (`runtime:` in envlock.yml)"
                    .to_owned(),
            ),
            Self::Store(error) => error.hint(),
            Self::Fs(error) => error.hint(),
        }
    }
}
