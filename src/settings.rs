//! What the command line means on this machine: the environment variables, the working directory
//! and the cache, read once and passed on as values.

use std::path::PathBuf;

use etcetera::BaseStrategy;

use crate::{cli::Global, spec::channel::Variables};

/// The surroundings of one run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Environment variables; what is not UTF-8 cannot be named in a file and is left out.
    pub variables: Variables,
    /// Where metadata and artifacts are kept.
    pub cache: PathBuf,
}

impl Settings {
    /// Reads the surroundings.
    pub fn new(global: &Global) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        // Without a home there is still a place for temporary things.
        let cache = global.cache_dir.clone().unwrap_or_else(|| {
            etcetera::choose_base_strategy()
                .map_or_else(|_| std::env::temp_dir(), |base| base.cache_dir())
                .join("envlock")
        });
        Self { variables, cache }
    }
}
