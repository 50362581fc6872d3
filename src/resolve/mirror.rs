//! Mirrors: a channel that is read from somewhere else than its name says.
//!
//! The mirror is read as a channel of its own; what its records say about their place is rewritten
//! to the canonical channel before anything else sees them, so a lock does not depend on mirrors.

use std::sync::Arc;

use rattler_conda_types::{Channel as CondaChannel, RepoDataRecord};
use url::Url;

use crate::spec::channel::{Access, Channel, Context};

/// `--mirror CANONICAL=URL`.
#[derive(Clone, Debug)]
pub struct Mirror {
    /// The channel's own base URL, or one above several channels; with a final `/`.
    pub canonical: Url,
    /// Where to read instead; with a final `/`.
    pub url: Url,
    /// Its credentials, if it wants any.
    pub access: Option<Access>,
}

impl Mirror {
    /// Reads `CANONICAL=URL`; the error is a message and a hint.
    pub fn parse(text: &str, context: Context) -> Result<Self, (String, String)> {
        let form = || {
            "write it like `--mirror https://conda.anaconda.org/conda-forge=file:///srv/conda-forge`"
                .to_owned()
        };
        let (canonical, url) = text
            .split_once('=')
            .ok_or_else(|| (format!("mirror `{}` has no `=`", crate::spec::channel::redact(text)), form()))?;
        let one = |written: &str| {
            let channel = Channel::parse(written, context)?;
            let url = channel.urls.first().cloned();
            url.map(|url| (url, channel.access))
                .ok_or_else(|| (format!("`{written}` is not a channel"), form()))
        };
        let ((canonical, _), (url, access)) = (one(canonical)?, one(url)?);
        Ok(Self { canonical, url, access })
    }
}

/// Where the artifact at a canonical `url` is read: on the longest mirror that covers it.
pub fn read_from(url: &Url, mirrors: &[Mirror]) -> Url {
    let covering = mirrors
        .iter()
        .filter_map(|mirror| Some((mirror, url.as_str().strip_prefix(mirror.canonical.as_str())?)))
        .min_by_key(|(_, rest)| rest.len());
    covering.and_then(|(mirror, rest)| mirror.url.join(rest).ok()).unwrap_or_else(|| url.clone())
}

/// The canonical URL of what was read at `url`: the reverse of [`read_from`].
pub(super) fn canonical(url: &Url, mirrors: &[Mirror]) -> Url {
    let covering = mirrors
        .iter()
        .filter_map(|mirror| Some((mirror, url.as_str().strip_prefix(mirror.url.as_str())?)))
        .min_by_key(|(_, rest)| rest.len());
    covering.and_then(|(mirror, rest)| mirror.canonical.join(rest).ok()).unwrap_or_else(|| url.clone())
}

/// A base URL of a channel: what it is called and where it is read.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) canonical: CondaChannel,
    pub(super) read: CondaChannel,
}

impl Place {
    pub(super) fn new(canonical: &Url, mirrors: &[Mirror]) -> Self {
        let read = read_from(canonical, mirrors);
        Self { canonical: CondaChannel::from_url(canonical.clone()), read: CondaChannel::from_url(read) }
    }

    /// A record of the place that is read, as a record of the canonical channel.
    pub(super) fn canonical_record(&self, record: &Arc<RepoDataRecord>) -> Arc<RepoDataRecord> {
        let (canonical, read) = (self.canonical.base_url.url(), self.read.base_url.url());
        if canonical == read {
            return record.clone();
        }
        let mut record = RepoDataRecord::clone(record);
        record.channel = Some(self.canonical.canonical_name());
        // A record may lie elsewhere than its channel (CEP 15): only what lies below it moves.
        if let Some(rest) = record.url.as_str().strip_prefix(read.as_str())
            && let Ok(url) = canonical.join(rest)
        {
            record.url = url;
        }
        Arc::new(record)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn mirrors(texts: &[&str]) -> Vec<Mirror> {
        let alias = Url::parse(crate::spec::channel::DEFAULT_ALIAS).unwrap();
        let variables = crate::spec::channel::Variables::new();
        let context = Context { alias: &alias, directory: Path::new("/"), variables: &variables };
        texts.iter().map(|text| Mirror::parse(text, context).unwrap()).collect()
    }

    #[test]
    fn the_longest_mirror_that_covers_a_channel_is_read() {
        let mirrors = mirrors(&["https://h=https://m/all", "https://h/c=file:///srv/c"]);
        let read = |url| Place::new(&Url::parse(url).unwrap(), &mirrors).read.base_url.to_string();
        assert_eq!(read("https://h/c/"), "file:///srv/c/");
        assert_eq!(read("https://h/cd/"), "https://m/all/cd/");
        assert_eq!(read("https://other/c/"), "https://other/c/");
    }
}
