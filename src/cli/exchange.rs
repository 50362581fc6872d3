//! `envlock export` and `envlock import`.

use std::path::PathBuf;

use clap::Args;

use super::{Choice, SourceArguments};
use crate::exchange::Format;

/// `envlock export`.
#[derive(Args, Debug)]
#[command(after_help = EXPORT_EXAMPLES)]
pub struct Export {
    /// The format
    #[arg(long, short, value_name = "FORMAT")]
    pub format: Format,
    /// The file to write [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Which environment of which lock.
    #[command(flatten)]
    pub choice: Choice,
}

const EXPORT_EXAMPLES: &str = "\
Examples:
  envlock export --format pylock -o pylock.toml
  envlock export --format explicit --platform linux-64 -o explicit.txt
  envlock export --format requirements | pip install --no-deps --require-hashes -r /dev/stdin";

/// `envlock import`.
#[derive(Args, Debug)]
#[command(after_help = IMPORT_EXAMPLES)]
pub struct Import {
    /// A conda-lock.yml, a pixi.lock, or an @EXPLICIT list
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Where to write [default: beside FILE]
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Which environment of a pixi.lock [default: default]
    #[arg(long, short, value_name = "NAME")]
    pub environment: Option<String>,
    /// The platform of a list that does not say it
    #[arg(long, short, value_name = "P")]
    pub platform: Option<String>,
    /// Replace the lock that is there
    #[arg(long)]
    pub force: bool,
    /// Where artifacts come from.
    #[command(flatten)]
    pub source: SourceArguments,
}

const IMPORT_EXAMPLES: &str = "\
Examples:
  envlock import pixi.lock -o locks
  envlock import explicit.txt && envlock convert env.yml    # keeps what was imported, where env.yml allows it";
