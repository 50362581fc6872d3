//! `envlock image`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::SourceArguments;

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
    /// Build the image of a role, from scratch, as an archive that `docker load` takes
    Build(ImageBuild),
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
    /// The platform of the image [default: this machine's]
    #[arg(long, short, value_name = "P")]
    pub platform: Option<String>,
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
  envlock image build master -o master.tar && docker load -i master.tar";
