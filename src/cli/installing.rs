//! `envlock install`, `envlock verify`, `envlock run` and `envlock wheel`.

use std::{ffi::OsString, path::PathBuf};

use clap::Args;

use super::{Choice, SourceArguments};

/// A tree: a lock, which part of it, and a place.
#[derive(Args, Debug)]
pub struct TreeArguments {
    /// A conda-lock.yml, an envlock.nix, or a directory with them
    #[arg(value_name = "LOCK", default_value = ".")]
    pub lock: PathBuf,
    /// Which environment of a project [default: the user environment]
    #[arg(long, short, value_name = "NAME")]
    pub environment: Option<String>,
    /// Which platform of the lock [default: this machine's]
    #[arg(long, short, value_name = "P")]
    pub platform: Option<String>,
    /// Where the environment is used: an absolute path is made of it
    #[arg(long, value_name = "DIR")]
    pub prefix: PathBuf,
    /// Where the tree is, if not at its prefix
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
}

/// `envlock install`.
#[derive(Args, Debug)]
#[command(after_help = INSTALL_EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Install {
    /// What to install, and where.
    #[command(flatten)]
    pub tree: TreeArguments,
    /// Leave out Python's byte-code
    #[arg(long)]
    pub no_byte_code: bool,
    /// Give the prefix files of its own instead of links into the store
    #[arg(long)]
    pub copy: bool,
    /// Replace a prefix even if it holds files that envlock did not install
    #[arg(long)]
    pub force: bool,
    /// Where artifacts come from.
    #[command(flatten)]
    pub source: SourceArguments,
    /// Print a summary as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

const INSTALL_EXAMPLES: &str = "\
Examples:
  envlock install conda-lock.yml --prefix /opt/envlock/env
  envlock install --prefix ./env --no-byte-code
  envlock install --environment master --prefix /opt/envlock/system
  envlock install --offline --prefix /opt/envlock/env --into rootfs/opt/envlock/env";

/// `envlock verify`.
#[derive(Args, Debug)]
#[command(after_help = VERIFY_EXAMPLES)]
pub struct Verify {
    /// What should be there.
    #[command(flatten)]
    pub tree: TreeArguments,
    /// Derive what should be there from the artifacts again, whatever the store remembers
    #[arg(long)]
    pub rebuild: bool,
    /// Where artifacts come from, should they be needed.
    #[command(flatten)]
    pub source: SourceArguments,
    /// Print the findings as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

const VERIFY_EXAMPLES: &str = "\
Examples:
  envlock verify conda-lock.yml --prefix /opt/envlock/env
  envlock verify --prefix ./env --rebuild || envlock install --prefix ./env";

/// `envlock run`.
#[derive(Args, Debug)]
#[command(after_help = RUN_EXAMPLES)]
pub struct Run {
    /// The prefix
    #[arg(long, value_name = "DIR")]
    pub prefix: PathBuf,
    /// The command and its arguments
    #[arg(value_name = "CMD", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub command: Vec<OsString>,
}

const RUN_EXAMPLES: &str = "\
Examples:
  envlock run --prefix /opt/envlock/env -- celery --version";

/// `envlock wheel`.
#[derive(Args, Debug)]
#[command(after_help = WHEEL_EXAMPLES)]
pub struct Wheel {
    /// The package that is locked as an sdist
    #[arg(value_name = "PACKAGE")]
    pub package: String,
    /// Which environment of which lock.
    #[command(flatten)]
    pub choice: Choice,
    /// Where to write it [default: under its own name, here]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Where artifacts come from.
    #[command(flatten)]
    pub source: SourceArguments,
    /// Print a summary as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

const WHEEL_EXAMPLES: &str = "\
Examples:
  envlock wheel python-nvd3
  envlock wheel python-nvd3 --lock locks --output nvd3.whl";
