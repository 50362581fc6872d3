//! `envlock image`, and what else is made of images: `envlock sbom`, `envlock render`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SourceArguments;
use crate::{image::Compression, sbom::Format};

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
    /// Write a statement of where an image comes from, to be signed; the image is verified first
    Attest(ImageAttest),
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
#[allow(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub struct ImageVerify {
    /// Archives of images
    #[arg(value_name = "FILE", required = true)]
    pub archives: Vec<PathBuf>,
    /// The lock that they should be of [default: the one in each image]
    #[arg(long, value_name = "DIR")]
    pub lock: Option<PathBuf>,
    /// Believe the lock in an image, though it was not built on this machine: fetches what it names, and runs its Python
    #[arg(long, conflicts_with = "lock")]
    pub trust_lock: bool,
    /// Accept an archive that another tool has packed: the images that its index.json names are verified, not the rest
    #[arg(long)]
    pub repacked: bool,
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

/// `envlock image attest`.
#[derive(Args, Debug)]
#[command(after_help = ATTEST_EXAMPLES)]
pub struct ImageAttest {
    /// The archive of the image
    #[arg(value_name = "FILE")]
    pub archive: PathBuf,
    /// The lock that it should be of [default: the one in the image]
    #[arg(long, value_name = "DIR")]
    pub lock: Option<PathBuf>,
    /// Believe the lock in the image, though it was not built on this machine: fetches what it names, and runs its Python
    #[arg(long, conflicts_with = "lock")]
    pub trust_lock: bool,
    /// Which image of an archive for several platforms
    #[arg(long, value_name = "P")]
    pub platform: Option<String>,
    /// Write the predicate alone, as `cosign attest --predicate` wants it
    #[arg(long)]
    pub predicate: bool,
    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where artifacts come from.
    #[command(flatten)]
    pub source: SourceArguments,
}

const ATTEST_EXAMPLES: &str = "\
Examples:
  envlock image attest worker-image.tar -o worker.intoto.json
  envlock image attest worker-image.tar --predicate -o worker.slsa.json
  cosign attest --type slsaprovenance1 --predicate worker.slsa.json registry.example/worker@sha256:…

The statement is in-toto's, version 1, with the predicate of SLSA provenance 1. It holds no time and no secret.";

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

/// `envlock sbom`.
#[derive(Args, Debug)]
#[command(after_help = SBOM_EXAMPLES)]
pub struct Sbom {
    /// A lock, its directory, or an archive of images
    #[arg(value_name = "SOURCE", default_value = ".")]
    pub source: PathBuf,
    /// The format
    #[arg(long, value_name = "FORMAT")]
    pub format: Format,
    /// The platform [default: this machine's, or the image's]
    #[arg(long, short, value_name = "P")]
    pub platform: Option<String>,
    /// Where to write [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

const SBOM_EXAMPLES: &str = "\
Examples:
  envlock sbom --format cyclonedx -o lock.cdx.json
  envlock sbom worker-image.tar --format spdx -o worker.spdx.json

Licences are in the packages: the bill of an image states them, that of a lock cannot.";

/// `envlock render`.
#[derive(Args, Debug)]
pub struct Render {
    /// What to render.
    #[command(subcommand)]
    pub command: RenderCommand,
}

/// What can be rendered from a lock.
#[derive(Debug, Subcommand)]
pub enum RenderCommand {
    /// A Compose file: one service a container, with volumes, health checks, and secrets by file
    Compose(RenderCompose),
    /// What a node of a role has below /opt/envlock besides its environments: the programs and the table of its services,
    /// the lock, the treeDigest
    Node(RenderNode),
}

/// `envlock render compose`.
#[derive(Args, Debug)]
#[command(after_help = COMPOSE_EXAMPLES)]
pub struct RenderCompose {
    /// The project's envlock.nix, or its directory
    #[arg(long, value_name = "LOCK", default_value = ".")]
    pub lock: PathBuf,
    /// A directory or file to mount read-only into the home of every service, such as the application's code
    #[arg(long, value_name = "PATH")]
    pub mount: Vec<String>,
    /// The image of a role [default: ROLE-image:latest, as `docker load` names it]
    #[arg(long, value_name = "ROLE=NAME")]
    pub image: Vec<String>,
    /// Where to write [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `envlock render node`.
#[derive(Args, Debug)]
#[command(after_help = NODE_EXAMPLES)]
pub struct RenderNode {
    /// The role, as envlock.yml names it
    pub role: String,
    /// The project's envlock.nix, or its directory
    #[arg(long, value_name = "LOCK", default_value = ".")]
    pub lock: PathBuf,
    /// The directory to make
    #[arg(long, short, value_name = "DIR")]
    pub output: PathBuf,
    /// The platform of the node [default: this machine's]
    #[arg(long, short, value_name = "P")]
    pub platform: Option<String>,
    /// Where artifacts come from.
    #[command(flatten)]
    pub source: SourceArguments,
}

const NODE_EXAMPLES: &str = "\
Example:
  envlock render node worker -o node && cp -r node/. /opt/envlock";

const COMPOSE_EXAMPLES: &str = "\
Examples:
  envlock render compose -o compose.yml
  envlock render compose --mount ./tasks.py -o compose.yml && docker compose up --scale worker=3
  envlock render compose --image worker=registry.example/team/worker:2026-11

A secret NAME is read from the file ./secrets/NAME beside the Compose file; the user of the images must be able to read
it.";
