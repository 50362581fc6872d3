//! What the command line means on this machine: the environment variables, the working directory
//! and the cache, read once and passed on as values.

use std::{path::PathBuf, sync::Arc, time::Duration};

use etcetera::BaseStrategy;
use rattler_networking::authentication_storage::backends::netrc::{NetRcStorage, NetRcStorageError};

use crate::{
    cli::Global,
    printer::Printer,
    spec::{self, channel::Variables},
};

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
        let variables: Variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        // Without a home there is still a place for temporary things.
        let said = variable(&variables, "ENVLOCK_CACHE").map(PathBuf::from);
        let cache = global.cache_dir.clone().or(said).unwrap_or_else(|| {
            etcetera::choose_base_strategy()
                .map_or_else(|_| std::env::temp_dir(), |base| base.cache_dir())
                .join("envlock")
        });
        // Programs are run from it, some of them in another directory.
        let cache = std::path::absolute(&cache).unwrap_or(cache);
        Self { variables, cache }
    }

    /// `$ENVLOCK_HTTP_TIMEOUT`: how many seconds a server may be silent, by default 30.
    pub fn patience(&self) -> Duration {
        let said = variable(&self.variables, "ENVLOCK_HTTP_TIMEOUT").and_then(|text| text.parse().ok());
        Duration::from_secs(said.filter(|seconds| *seconds > 0).unwrap_or(30))
    }

    /// `$SOURCE_DATE_EPOCH`: the time of everything in an image, in seconds since 1970.
    pub fn source_date_epoch(&self) -> Result<Option<u32>, spec::Error> {
        let Some(text) = variable(&self.variables, "SOURCE_DATE_EPOCH") else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let message = format!("SOURCE_DATE_EPOCH is `{text}`, which is no number of seconds");
            spec::Error::usage(message, "set it like SOURCE_DATE_EPOCH=1700000000, or not at all")
        })
    }

    /// Credentials by host from `$NETRC` or `~/.netrc`; one that cannot be read is told of.
    pub fn netrc(&self, printer: &Printer) -> Option<Arc<NetRcStorage>> {
        let path = variable(&self.variables, "NETRC").map(PathBuf::from).or_else(|| {
            Some(PathBuf::from(variable(&self.variables, "HOME")?).join(".netrc")).filter(|it| it.exists())
        })?;
        match NetRcStorage::from_path(&path) {
            Ok(netrc) => Some(Arc::new(netrc)),
            Err(error) => {
                // Its own message may quote the line.
                let reason = match error {
                    NetRcStorageError::IOError(error) => crate::causes::chain(&error),
                    _ => "it is not in the form of a netrc file".to_owned(),
                };
                printer.warning(format_args!("{} is not used: {reason}", path.display()));
                None
            }
        }
    }
}

/// A variable that is set to something.
fn variable<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
    variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
}
