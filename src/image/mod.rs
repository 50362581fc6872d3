//! Images of roles, from scratch: nothing in them is outside a lock.
//!
//! Guarantees: the same trees, lock files and role give the same bytes; an environment's layer is the same in every
//! role. It builds no tree and fetches nothing.

mod archive;
mod layer;
mod role;

pub use archive::{Built, build};
pub use role::{Content, Image};

use crate::{fs, store};

/// Why an image cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The role cannot become an image as it is.
    #[error("{message}")]
    Role {
        /// What is missing.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The store has lost a file of a tree.
    #[error("the cache has lost {path} of the {environment} environment")]
    Lost {
        /// The path in the tree.
        path: String,
        /// Which tree.
        environment: String,
    },
    /// The parts of an image cannot be put together.
    #[error("cannot describe the image: {reason}")]
    Oci {
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
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Role { hint, .. } => Some(hint.clone()),
            Self::Lost { .. } => Some("run `envlock cache verify`, then try again".to_owned()),
            Self::Oci { .. } => {
                Some("choose a platform that containers run on with --platform, such as linux-64".to_owned())
            }
            Self::Store(error) => error.hint(),
            Self::Fs(error) => error.hint(),
        }
    }
}
