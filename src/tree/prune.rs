//! What the cache no longer needs: kept manifests and lists of unpacked artifacts of locks that are gone.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::{
    Entry, Manifest,
    unpack::{Unpacked, What},
};
use crate::fs;

/// Removes what is of no artifact and no lock (by lockHash) that is kept. Returns the sha256 of every file that the
/// rest needs, and adds to `removed` how many files went.
pub fn prune(
    cache: &Path,
    artifacts: &BTreeSet<String>,
    locks: &BTreeSet<String>,
    removed: &mut usize,
) -> Result<BTreeSet<String>, fs::Error> {
    let mut used = BTreeSet::new();
    let mut remove = |path: PathBuf| {
        *removed += 1;
        fs::remove_file(&path)
    };
    let trees = cache.join("trees");
    for path in fs::names(&trees)?.into_iter().map(|name| trees.join(name)) {
        match Manifest::load(&path)?.filter(|manifest| locks.contains(&manifest.marker.lock_hash)) {
            Some(manifest) => used.extend(manifest.entries.into_values().filter_map(|(entry, _)| match entry {
                Entry::File { sha256, .. } => Some(sha256),
                _ => None,
            })),
            None => remove(path)?,
        }
    }
    let unpacked = cache.join("unpacked");
    for directory in fs::names(&unpacked)?.into_iter().map(|name| unpacked.join(name)) {
        for name in fs::names(&directory)? {
            let path = directory.join(&name);
            let kept = name.strip_suffix(".json").is_some_and(|sha256| artifacts.contains(sha256));
            let text = if kept { fs::read_own(&path)? } else { None };
            match text.and_then(|text| serde_json::from_str::<Unpacked>(&text).ok()) {
                Some(unpacked) => used.extend(unpacked.members.into_iter().filter_map(|member| match member.what {
                    What::File(file) => Some(file.sha256),
                    _ => None,
                })),
                None => remove(path)?,
            }
        }
    }
    Ok(used)
}
