//! What can be typed: the command line, and nothing about what it means.

mod artifacts;
mod exchange;
mod explaining;
mod image;
mod installing;
mod locking;
mod nix;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use artifacts::{Bundle, BundleCommand, Cache, CacheCommand, Fetch};
pub use exchange::{Export, Import};
pub use explaining::{Choice, Diff, Tree, Why};
pub use image::{
    Image, ImageAttest, ImageBuild, ImageCommand, ImageDiff, ImageIndex, ImageInspect, ImagePush,
    ImageVerify, Render, RenderCommand, RenderCompose, RenderNode, Sbom,
};
pub use installing::{Install, Run, Verify, Wheel};
pub use locking::{Check, Convert, Init, Update};
pub use nix::NixBuild;

/// Lock a conda env.yml once, and build identical nodes from it.
#[derive(Debug, Parser)]
#[command(name = "envlock", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  `check` or `verify` found a difference
  2  the command line or an input file cannot be understood
  3  no set of packages satisfies the requirements, or what one needs cannot be known
  4  a channel, an index or an artifact cannot be reached
  5  a file cannot be read or written
  6  an artifact has another hash than promised
  7  --offline or --frozen-metadata needs something that is not cached
  8  a package is damaged or malicious, or cannot be built or installed
  9  another program that was called has failed, and said why";

/// Options of every command.
#[derive(Args, Debug)]
pub struct Global {
    /// Print warnings and errors only
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// When to use colour
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
    /// Where metadata and artifacts are kept [default: `$ENVLOCK_CACHE`, else ~/.cache/envlock]
    #[arg(long, global = true, value_name = "DIR")]
    pub cache_dir: Option<PathBuf>,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write an envlock.yml with the usual master and worker for an environment file
    Init(Init),
    /// Resolve an environment file and write conda-lock.yml and envlock.nix; what is locked stays, if it may
    Convert(Convert),
    /// Move packages of a lock to newer versions, and nothing else that need not move
    Update(Update),
    /// Say whether conda-lock.yml and envlock.nix are current and agree; uses no network
    Check(Check),
    /// Say what differs between two locks, and why
    Diff(Diff),
    /// Say why a package is in a lock
    Why(Why),
    /// Show what the packages of a lock need
    Tree(Tree),
    /// Write a lock in the format of another tool
    Export(Export),
    /// Make conda-lock.yml and envlock.nix of a lock that another tool has made
    Import(Import),
    /// Install a locked environment into a prefix: the same bytes everywhere
    Install(Install),
    /// Compare a prefix, byte for byte, with what its lock says
    Verify(Verify),
    /// Run a command in an installed environment
    Run(Run),
    /// Fetch the artifacts of a lock into the store
    Fetch(Fetch),
    /// Build an sdist of a lock into the wheel that the lock says it becomes
    Wheel(Wheel),
    /// Pack locks and artifacts into one file, for machines without a network
    Bundle(Bundle),
    /// Look after the cache
    Cache(Cache),
    /// Build and audit images of the roles of a project
    Image(Image),
    /// Build the image of a role with Nix: the same bytes as `image build`
    NixBuild(NixBuild),
    /// Write a software bill of materials of a lock or an image
    Sbom(Sbom),
    /// Render files that run the images of a project
    Render(Render),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the man pages into a directory
    Man {
        /// The directory
        dir: PathBuf,
    },
}

/// Where artifacts come from.
#[derive(Args, Debug)]
pub struct SourceArguments {
    /// Read a channel or an index from somewhere else
    #[arg(long, value_name = "CANONICAL=URL")]
    pub mirror: Vec<String>,
    /// A file that may be one of the artifacts, whatever its name is: found by its sha256
    #[arg(long, value_name = "FILE")]
    pub artifact: Vec<PathBuf>,
    /// Use what is in the store and open no connection
    #[arg(long)]
    pub offline: bool,
}
