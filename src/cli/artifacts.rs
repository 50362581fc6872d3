//! `envlock fetch`, `envlock bundle` and `envlock cache`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SourceArguments;

/// `envlock fetch`.
#[derive(Args, Debug)]
#[command(after_help = FETCH_EXAMPLES)]
pub struct Fetch {
    /// A conda-lock.yml, an envlock.nix, or a directory with them
    #[arg(value_name = "LOCK", default_value = ".")]
    pub lock: PathBuf,
    /// Only these platforms of the lock
    #[arg(long, short, value_name = "P")]
    pub platform: Vec<String>,
    /// Make a directory of links to the artifacts, by file name
    #[arg(long, value_name = "DIR")]
    pub links: Option<PathBuf>,
    /// Where artifacts come from.
    #[command(flatten)]
    pub source: SourceArguments,
    /// Print a summary as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

const FETCH_EXAMPLES: &str = "\
Examples:
  envlock fetch
  envlock fetch conda-lock.yml --platform linux-64
  envlock fetch --links artifacts";

/// `envlock bundle`.
#[derive(Args, Debug)]
#[command(after_help = BUNDLE_EXAMPLES)]
pub struct Bundle {
    /// What to do.
    #[command(subcommand)]
    pub command: BundleCommand,
}

const BUNDLE_EXAMPLES: &str = "\
Examples:
  envlock bundle create -o airflow.tar
  envlock bundle import airflow.tar -o locks && envlock install locks --offline --prefix /opt/envlock/env";

/// What can be done with a bundle.
#[derive(Debug, Subcommand)]
pub enum BundleCommand {
    /// Write locks and all their artifacts into one file; the same locks give the same bytes
    Create {
        /// A conda-lock.yml, an envlock.nix, or a directory with them
        #[arg(value_name = "LOCK", default_value = ".")]
        lock: PathBuf,
        /// The file to write
        #[arg(long, short, value_name = "FILE", default_value = "envlock-bundle.tar")]
        output: PathBuf,
        /// Only these platforms of the lock
        #[arg(long, short, value_name = "P")]
        platform: Vec<String>,
        /// Where artifacts come from.
        #[command(flatten)]
        source: SourceArguments,
    },
    /// Put the artifacts of a bundle into the store, each checked, and its locks into a directory
    Import {
        /// The bundle
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Where to write the locks [default: they are not written]
        #[arg(long, short, value_name = "DIR")]
        output: Option<PathBuf>,
    },
}

/// `envlock cache`.
#[derive(Args, Debug)]
#[command(after_help = CACHE_EXAMPLES)]
pub struct Cache {
    /// What to do.
    #[command(subcommand)]
    pub command: CacheCommand,
}

const CACHE_EXAMPLES: &str = "\
Examples:
  envlock cache info
  envlock cache prune --keep projects/airflow --keep projects/quickstart";

/// What can be done with the cache.
#[derive(Debug, Subcommand)]
pub enum CacheCommand {
    /// Say where it is and what is in it
    Info {
        /// Print it as JSON on stdout
        #[arg(long)]
        json: bool,
    },
    /// Remove what broken downloads left, and with --keep everything that no lock needs
    Prune {
        /// Keep what these locks need, and remove all other artifacts and trees
        #[arg(long, value_name = "LOCK")]
        keep: Vec<PathBuf>,
    },
    /// Read every file again; what is damaged is told of and removed
    Verify,
}
