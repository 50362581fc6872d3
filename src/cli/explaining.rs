//! `envlock diff`, `envlock why` and `envlock tree`.

use std::path::PathBuf;

use clap::Args;

/// Which environment of which lock.
#[derive(Args, Debug)]
pub struct Choice {
    /// A conda-lock.yml, an envlock.nix, or a directory with them
    #[arg(long, value_name = "LOCK", default_value = ".")]
    pub lock: PathBuf,
    /// The environment [default: user]
    #[arg(long, short, value_name = "NAME")]
    pub environment: Option<String>,
    /// The platform [default: this machine's]
    #[arg(long, short, value_name = "P")]
    pub platform: Option<String>,
}

/// `envlock why`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  envlock why openssl\n  envlock why flask --lock locks --json")]
pub struct Why {
    /// The package, of conda or of PyPI
    #[arg(value_name = "PACKAGE")]
    pub package: String,
    /// Which environment of which lock.
    #[command(flatten)]
    pub choice: Choice,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `envlock tree`.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:\n  envlock tree --depth 1\n  envlock tree celery\n  envlock tree openssl --invert"
)]
pub struct Tree {
    /// Begin with these packages instead of those that the environment file asks for
    #[arg(value_name = "PACKAGE")]
    pub packages: Vec<String>,
    /// How many levels to go down
    #[arg(long, short, value_name = "N")]
    pub depth: Option<usize>,
    /// Show what needs a package instead of what it needs
    #[arg(long, requires = "packages")]
    pub invert: bool,
    /// Which environment of which lock.
    #[command(flatten)]
    pub choice: Choice,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// `envlock diff`.
#[derive(Args, Debug)]
#[command(after_help = DIFF_EXAMPLES)]
pub struct Diff {
    /// The lock to compare with: a conda-lock.yml, an envlock.nix, or a directory with them
    #[arg(value_name = "A")]
    pub first: PathBuf,
    /// The lock that is compared
    #[arg(value_name = "B", default_value = ".")]
    pub second: PathBuf,
    /// Only this platform
    #[arg(long, short, value_name = "P")]
    pub platform: Option<String>,
    /// Print tables in Markdown, for a pull request
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  envlock diff ../release/conda-lock.yml conda-lock.yml
  git worktree add /tmp/main main && envlock diff /tmp/main . --markdown";
