//! The one error type of the commands, and the exit code of each.
//!
//! Every module has its own typed error; this is where they meet. It guarantees that an error
//! has a stable [`ExitCode`] and, where there is something to do next, a hint. It does not
//! print: that is [`crate::printer`].

use crate::{build, exchange, fs, image, lock, nix, resolve, sbom, spec, store, tree};

/// What the process returns. The numbers are documented in the README and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything that was asked for is done.
    Success = 0,
    /// `check` or `verify` looked and found a difference.
    Differs = 1,
    /// The command line or an input file cannot be understood.
    BadInput = 2,
    /// There is no environment that satisfies every requirement, or what one needs cannot be known.
    NoSolution = 3,
    /// A channel, an index or an artifact could not be had from where it should be.
    Unreachable = 4,
    /// A file or directory could not be read or written.
    FileSystem = 5,
    /// An artifact is not the one that was promised.
    WrongHash = 6,
    /// `--offline` or `--frozen-metadata` needs something that the cache does not hold.
    NotCached = 7,
    /// A package is damaged or malicious, or cannot be built or installed.
    UnsoundPackage = 8,
    /// Another program, such as Nix, was called and failed; it has said why.
    OtherProgram = 9,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the user wrote makes no sense.
    #[error(transparent)]
    Spec(#[from] spec::Error),
    /// No resolution.
    #[error(transparent)]
    Resolve(#[from] resolve::Error),
    /// A lock file that is there cannot be read.
    #[error(transparent)]
    Lock(#[from] lock::Error),
    /// An artifact could not be fetched or is wrong.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A tree cannot be built.
    #[error(transparent)]
    Tree(#[from] tree::Error),
    /// An sdist does not become a wheel.
    #[error(transparent)]
    Build(#[from] build::Error),
    /// An image cannot be built.
    #[error(transparent)]
    Image(#[from] image::Error),
    /// A bill of materials cannot be written.
    #[error(transparent)]
    Sbom(#[from] sbom::Error),
    /// A format of another tool has no place for something.
    #[error(transparent)]
    Exchange(#[from] exchange::Error),
    /// Nix did not build.
    #[error(transparent)]
    Nix(#[from] nix::Error),
    /// The file system said no.
    #[error(transparent)]
    Fs(#[from] fs::Error),
}

impl Error {
    /// The exit code: the only place where errors are mapped to one.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Spec(spec::Error::Fs(error)) if !error.is_bad_input() => ExitCode::FileSystem,
            Self::Spec(_) | Self::Lock(_) | Self::Sbom(_) | Self::Exchange(_) => ExitCode::BadInput,
            Self::Fs(_) | Self::Build(build::Error::Fs(_)) => ExitCode::FileSystem,
            Self::Resolve(error) => match error {
                resolve::Error::NoSolution { .. }
                | resolve::Error::Conflict { .. }
                | resolve::Error::Metadata { .. } => ExitCode::NoSolution,
                resolve::Error::Channel { .. }
                | resolve::Error::Index { .. }
                | resolve::Error::Package { .. } => ExitCode::Unreachable,
                resolve::Error::Store(error) => of_store(error),
                resolve::Error::NotCached { .. } => ExitCode::NotCached,
                resolve::Error::Cache { .. } | resolve::Error::Fs(_) => ExitCode::FileSystem,
                resolve::Error::SamePlace { .. }
                | resolve::Error::Unusable { .. }
                | resolve::Error::Version { .. } => ExitCode::BadInput,
            },
            Self::Store(error) => of_store(error),
            Self::Tree(error) => match error {
                tree::Error::Store(error) => of_store(error),
                tree::Error::Fs(_) | tree::Error::Stale { .. } => ExitCode::FileSystem,
                tree::Error::Unsound { .. }
                | tree::Error::Unsupported { .. }
                | tree::Error::ByteCode { .. } => ExitCode::UnsoundPackage,
            },
            Self::Build(build::Error::WrongWheel { .. }) => ExitCode::WrongHash,
            Self::Build(_) => ExitCode::UnsoundPackage,
            Self::Image(error) => match error {
                image::Error::Role { .. } | image::Error::Oci { .. } | image::Error::Archive { .. } => {
                    ExitCode::BadInput
                }
                image::Error::Lost { .. } | image::Error::Fs(_) => ExitCode::FileSystem,
                image::Error::Push { .. } => ExitCode::Unreachable,
                image::Error::Store(error) => of_store(error),
            },
            Self::Nix(error) => match error {
                nix::Error::Missing { .. } | nix::Error::Dynamic { .. } | nix::Error::Foreign { .. } => {
                    ExitCode::BadInput
                }
                nix::Error::WrongHash { .. } => ExitCode::WrongHash,
                nix::Error::Failed { .. } => ExitCode::OtherProgram,
                nix::Error::Fs(_) => ExitCode::FileSystem,
            },
        }
    }

    /// What the user can do next, if this error knows.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Spec(error) => error.hint(),
            Self::Resolve(error) => error.hint(),
            Self::Lock(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Tree(error) => error.hint(),
            Self::Build(error) => error.hint(),
            Self::Image(error) => error.hint(),
            Self::Nix(error) => error.hint(),
            Self::Exchange(error) => error.hint(),
            Self::Sbom(_) => {
                Some("lock again with `envlock convert`, which states what a bill needs".to_owned())
            }
            Self::Fs(error) => error.hint(),
        }
    }
}

fn of_store(error: &store::Error) -> ExitCode {
    match error {
        store::Error::WrongHash { .. } | store::Error::Damaged { .. } => ExitCode::WrongHash,
        store::Error::Bundle { .. } => ExitCode::BadInput,
        store::Error::NotCached { .. } => ExitCode::NotCached,
        store::Error::Unreachable { .. } => ExitCode::Unreachable,
        store::Error::Fs(_) => ExitCode::FileSystem,
    }
}
