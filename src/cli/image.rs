//! `envlock image`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SourceArguments;
use crate::image::Compression;

/// `envlock image`.
#[derive(Args, Debug)]
pub struct Image {
    /// What to do.
    #[command(subcommand)]
    pub command: ImageCommand,
}

/// What can be done with images.
#[derive(Debug, Subcommand)]
pub enum ImageCommand {
    /// Build the image of a role, from scratch, as an OCI archive that `docker load` takes
    Build(ImageBuild),
    /// Say what an archive is: role, digests, layers, and what a container starts with
    Inspect(ImageInspect),
    /// Say whether images have the same environment, and nothing that their lock does not account for
    Verify(ImageVerify),
    /// Say what a second image has that a first one has not, and how much of it is to be pushed
    Diff(ImageDiff),
    /// Assemble one archive for several platforms from archives that were built on each
    Index(ImageIndex),
    /// Push an archive to a registry with skopeo
    Push(ImagePush),
}

/// `envlock image build`.
#[derive(Args, Debug)]
#[command(after_help = BUILD_EXAMPLES)]
pub struct ImageBuild {
    /// The role, as envlock.yml names it
    pub role: String,
    /// The project's envlock.nix, or its directory
    #[arg(long, value_name = "LOCK", default_value = ".")]
    pub lock: PathBuf,
    /// The archive to write [default: ROLE-image.tar]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// How layers are compressed
    #[arg(long, value_name = "HOW", default_value = "gzip")]
    pub compression: Compression,
    /// The platform of the image [default: this machine's]
    #[arg(long, short, value_name = "P")]
    pub platform: Option<String>,
    /// Derive everything from the artifacts again, whatever the cache has kept
    #[arg(long)]
    pub rebuild: bool,
    /// Where artifacts come from.
    #[command(flatten)]
    pub source: SourceArguments,
    /// Print a summary as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

const BUILD_EXAMPLES: &str = "\
Examples:
  envlock image build worker
  envlock image build master -o master.tar && docker load -i master.tar
  envlock image build worker --compression zstd

SOURCE_DATE_EPOCH, if set, is the time of everything in the image; it is 1 otherwise.";

/// `envlock image inspect`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  envlock image inspect worker-image.tar")]
pub struct ImageInspect {
    /// An archive of images
    #[arg(value_name = "FILE")]
    pub archive: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `envlock image verify`.
#[derive(Args, Debug)]
#[command(after_help = VERIFY_EXAMPLES)]
pub struct ImageVerify {
    /// Archives of images
    #[arg(value_name = "FILE", required = true)]
    pub archives: Vec<PathBuf>,
    /// The lock that they should be of [default: the one in each image]
    #[arg(long, value_name = "DIR")]
    pub lock: Option<PathBuf>,
    /// Derive what should be there from the artifacts again, whatever the cache has kept
    #[arg(long)]
    pub rebuild: bool,
    /// Where artifacts come from.
    #[command(flatten)]
    pub source: SourceArguments,
    /// Print a summary as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  envlock image verify master-image.tar worker-image.tar
  envlock image verify worker-image.tar --lock . --rebuild

Exit code 0: they are; 1: something differs, which is listed; others: it could not be known.";

/// `envlock image diff`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  envlock image diff yesterday.tar worker-image.tar")]
pub struct ImageDiff {
    /// The archive to compare with
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// The archive that is compared
    #[arg(value_name = "B")]
    pub second: PathBuf,
    /// List every path
    #[arg(long)]
    pub files: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `envlock image index`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  envlock image index worker-amd64.tar worker-arm64.tar -o worker.tar")]
pub struct ImageIndex {
    /// Archives of one role, one for each platform
    #[arg(value_name = "FILE", required = true)]
    pub archives: Vec<PathBuf>,
    /// The archive to write
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Print a summary as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// `envlock image push`.
#[derive(Args, Debug)]
#[command(after_help = PUSH_EXAMPLES)]
pub struct ImagePush {
    /// An archive of images
    #[arg(value_name = "FILE")]
    pub archive: PathBuf,
    /// Where to: a name in a registry, or one of skopeo's transports
    #[arg(value_name = "DESTINATION")]
    pub destination: String,
    /// Options of skopeo, behind `--`
    #[arg(last = true, value_name = "OPTION")]
    pub options: Vec<String>,
}

const PUSH_EXAMPLES: &str = "\
Examples:
  envlock image push worker-image.tar registry.example/team/worker:2026-11
  envlock image push worker-image.tar localhost:5000/worker -- --dest-tls-verify=false";
