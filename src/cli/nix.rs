//! `envlock nix-build`.

use std::path::PathBuf;

use clap::Args;

/// `envlock nix-build`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct NixBuild {
    /// The role, as envlock.yml names it
    pub role: String,
    /// The project's envlock.nix, or its directory
    #[arg(long, value_name = "LOCK", default_value = ".")]
    pub lock: PathBuf,
    /// The link to make to what was built [default: result-ROLE]
    #[arg(long, short, value_name = "LINK")]
    pub out_link: Option<PathBuf>,
    /// The platform of the image [default: this machine's]
    #[arg(long, short, value_name = "P")]
    pub platform: Option<String>,
    /// Do not use the flake beside the lock, if there is one
    #[arg(long)]
    pub plain: bool,
    /// The envlock that builds without a flake, one file that needs no other [default: this one]
    #[arg(long, value_name = "FILE")]
    pub builder: Option<PathBuf>,
    /// Print a summary as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

const EXAMPLES: &str = "\
Examples:
  envlock nix-build worker && docker load < result-worker
  envlock nix-build master --plain --builder ./envlock-static

Where a flake.nix lies beside the lock, this is `nix build .#ROLE-image`; elsewhere `nix-build` with expressions that
come with envlock and need no nixpkgs. What it runs is said.";
