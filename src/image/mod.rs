//! Images of roles, from scratch: nothing in them is outside a lock. And archives of images, whoever made them.
//!
//! Guarantees: the same trees, lock files and role give the same bytes; the layers of an environment's packages are the
//! same in every role. It builds no tree and fetches nothing.

mod archive;
mod audit;
mod config;
mod content;
mod difference;
mod index;
mod layer;
mod member;
mod node;
mod plan;
mod read;
mod unpack;

use std::path::{Path, PathBuf};

pub use archive::{Built, Described, Options, build, describe, image_name};
pub use audit::{Audit, Finding, audit, audit_archive, faults, time, wanted};
pub use content::{Content, Part};
pub use difference::{Difference, difference};
pub use index::assemble;
pub use layer::{Compression, LAYER_FORMAT};
pub use member::{Member, Members};
pub use node::write_node;
pub use plan::{Planned, plan};
pub use read::{Archive, Image, LayerOf};
pub use unpack::{Fault, Found, lock_file};

use crate::{fs, store};

/// Where the cache keeps which images were written.
pub const IMAGES: &str = "images";
/// Where it keeps which layers were.
const LAYERS: &str = "layers";

/// Why an image cannot be built or read.
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
    #[error("the cache has lost {what} of the image")]
    Lost {
        /// A path in the image, or the digest of a layer.
        what: String,
    },
    /// A file that should be an archive of images is none, or is damaged before its layers begin.
    #[error("{} is not a sound image archive: {reason}", path.display())]
    Archive {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The parts of an image cannot be put together.
    #[error("cannot describe the image: {reason}")]
    Oci {
        /// Why not.
        reason: String,
    },
    /// skopeo did not push.
    #[error("skopeo could not push to {destination}: it ended with {status}")]
    Push {
        /// Where to.
        destination: String,
        /// How it ended.
        status: String,
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
            Self::Archive { .. } => Some(
                "build it again with `envlock image build`, or fetch it with `skopeo copy docker://NAME oci-archive:FILE`"
                    .to_owned(),
            ),
            Self::Push { .. } => Some(
                "it says why above; `skopeo login` keeps credentials, and options of skopeo follow `--`, such as \
                 `-- --dest-tls-verify=false`"
                    .to_owned(),
            ),
            Self::Oci { .. } => {
                Some("choose a platform that containers run on with --platform, such as linux-64".to_owned())
            }
            Self::Store(error) => error.hint(),
            Self::Fs(error) => error.hint(),
        }
    }
}

/// Forgets which layers and images were written; returns how many files went.
pub fn prune(cache: &Path) -> Result<usize, fs::Error> {
    let mut removed = 0;
    for directory in [cache.join(LAYERS), cache.join(IMAGES)] {
        for name in fs::names(&directory)? {
            fs::remove_file(&directory.join(name))?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn oci(error: impl std::fmt::Display) -> Error {
    Error::Oci { reason: error.to_string() }
}
