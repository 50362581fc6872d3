//! `envlock init`, `envlock convert`, `envlock update` and `envlock check`.

use std::path::PathBuf;

use clap::Args;

use crate::spec::options::{ChannelPriority, PipResolver};

/// `envlock init`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  envlock init\n  envlock init env.yml --app shop.tasks && envlock convert"
)]
pub struct Init {
    /// The environment file [default: env.yml or environment.yml here]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// The module with the Celery application, as `celery --app` takes it
    #[arg(long, value_name = "MODULE", default_value = "tasks")]
    pub app: String,
    /// A platform to build images for [default: the environment file's, else linux-64]
    #[arg(long, short, value_name = "P")]
    pub platform: Vec<String>,
    /// Replace files that are there
    #[arg(long)]
    pub force: bool,
}

/// `envlock convert`.
#[derive(Args, Debug)]
#[command(after_help = CONVERT_EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub struct Convert {
    /// Environment files, merged in order, or a project file [default: envlock.yml or env.yml here]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to write [default: beside the first FILE]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// A platform to lock for, where the file names none [default: linux-64]
    #[arg(long, short, value_name = "P")]
    pub platform: Vec<String>,
    /// Read a channel or an index from somewhere else; the lock keeps its own URLs
    #[arg(long, value_name = "CANONICAL=URL")]
    pub mirror: Vec<String>,
    /// Where channel names lead [default: conda.anaconda.org]
    #[arg(long, value_name = "URL")]
    pub channel_alias: Option<String>,
    /// Ignore packages that are newer: 2024-05-01 (midnight UTC) or 2024-05-01T12:00:00Z
    #[arg(long, value_name = "DATE")]
    pub exclude_newer: Option<String>,
    /// How conflicting pip requirements are read [default: as the solved pip would]
    #[arg(long, value_name = "HOW")]
    pub pip_resolver: Option<PipResolver>,
    /// How channels rank [default: strict]
    #[arg(long, value_name = "HOW")]
    pub channel_priority: Option<ChannelPriority>,
    /// What the target has, such as `__cuda=12.4` or `__glibc=2.17`
    #[arg(long, value_name = "NAME=VERSION")]
    pub virtual_package: Vec<String>,
    /// A variable for the builds of sdists
    #[arg(long, value_name = "NAME=VALUE")]
    pub build_variable: Vec<String>,
    /// A YAML file of conda name: PyPI name, for names that differ
    #[arg(long, value_name = "FILE")]
    pub name_map: Option<String>,
    /// Take the newest of everything, instead of what the lock that is there has
    #[arg(long, conflicts_with = "frozen_metadata")]
    pub upgrade: bool,
    /// Lock sdists without building them; envlock itself cannot install them then
    #[arg(long)]
    pub no_build: bool,
    /// Use what is cached and open no connection
    #[arg(long)]
    pub offline: bool,
    /// Resolve with the metadata of the last time, from the cache
    #[arg(long)]
    pub frozen_metadata: bool,
    /// Print a summary as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

const CONVERT_EXAMPLES: &str = "\
Examples:
  envlock convert env.yml
  envlock convert -p linux-64 -p linux-aarch64 env.yml
  envlock convert --exclude-newer 2024-05-01 -o locks env.yml dev.yml
  envlock convert --pip-resolver merge --name-map names.yml env.yml
  envlock convert --mirror https://conda.anaconda.org/conda-forge=https://mirror.example/conda-forge";

/// `envlock update`.
#[derive(Args, Debug)]
#[command(after_help = UPDATE_EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "switches of a command line")]
pub struct Update {
    /// The packages, of conda or of PyPI [default: all of them]
    #[arg(value_name = "PACKAGE")]
    pub packages: Vec<String>,
    /// The version that the one PACKAGE is to have, such as 1.2.3 or 1.2.*
    #[arg(long, value_name = "VERSION", requires = "packages")]
    pub to: Option<String>,
    /// A file that was converted [default: envlock.yml or env.yml here]
    #[arg(long, short, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// Where the lock is [default: beside the first FILE]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Read a channel or an index from somewhere else; the lock keeps its own URLs
    #[arg(long, value_name = "CANONICAL=URL")]
    pub mirror: Vec<String>,
    /// Lock sdists without building them; envlock itself cannot install them then
    #[arg(long)]
    pub no_build: bool,
    /// Use what is cached and open no connection
    #[arg(long)]
    pub offline: bool,
    /// Say what would change, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print what changed as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

const UPDATE_EXAMPLES: &str = "\
Examples:
  envlock update openssl
  envlock update celery redis --dry-run
  envlock update apache-airflow --to 2.11.2
  envlock update";

/// `envlock check`.
#[derive(Args, Debug)]
#[command(after_help = CHECK_EXAMPLES)]
pub struct Check {
    /// The files that were converted [default: envlock.yml or env.yml here]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where the outputs are [default: beside the first FILE]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Print the findings as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  envlock check
  envlock check env.yml -o locks || envlock convert env.yml -o locks";
