//! Which metadata a resolution used, so that it can be asked for again.
//!
//! A resolution is a function of its inputs, of what it began with, and of the records that the channels had for it.
//! Their fingerprint and the answer are kept in the cache, by input hash; `--frozen-metadata` begins with that answer,
//! resolves from the cache and insists on the same fingerprint. It is not part of the lock: a channel that gains an
//! unrelated build would change it every day.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use rattler_conda_types::RepoDataRecord;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Pins;
use crate::{fs, lock::fingerprint::hex};

/// What is kept of a resolution.
#[derive(Default, Deserialize, Serialize)]
pub struct Recorded {
    /// `<environment>/<platform>` → fingerprint of the records its solver saw.
    pub metadata: BTreeMap<String, String>,
    /// `<environment>/<platform>` → what it came to.
    pub answers: BTreeMap<String, Pins>,
}

/// sha256 over everything about the records that a solver looks at; their order does not count.
pub(super) fn fingerprint(records: &[Arc<RepoDataRecord>]) -> String {
    let mut records: Vec<_> = records.iter().collect();
    records.sort_unstable_by(|a, b| (&a.channel, &a.url).cmp(&(&b.channel, &b.url)));
    let mut hasher = Sha256::new();
    let mut feed = |text: &str| {
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    for record in records {
        let package = &record.package_record;
        feed(record.url.as_str());
        feed(&package.sha256.map(|digest| hex(&digest)).unwrap_or_default());
        feed(&package.timestamp.map(|instant| format!("{instant:?}")).unwrap_or_default());
        feed(&package.build_number.to_string());
        for text in package.depends.iter().chain(&package.constrains).chain(&package.track_features) {
            feed(text);
        }
    }
    hex(&hasher.finalize())
}

fn path(cache: &Path, input_hash: &str) -> PathBuf {
    cache.join("resolutions").join(format!("{input_hash}.json"))
}

/// Reads what the last resolution of these inputs used.
pub fn recorded(cache: &Path, input_hash: &str) -> Result<Option<Recorded>, fs::Error> {
    let text = fs::read_own(&path(cache, input_hash))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

/// Keeps what a resolution of these inputs used.
pub fn record(cache: &Path, input_hash: &str, used: &Recorded) -> Result<(), fs::Error> {
    // Texts in maps always serialise.
    let text = serde_json::to_string(used).unwrap_or_default();
    fs::write_own(&path(cache, input_hash), text.as_bytes())
}
