//! A manifest as files in a directory.

use std::{collections::BTreeSet, path::Path};

use rayon::prelude::*;

use super::{Entries, Entry, Error, Manifest};
use crate::{fs, store::Files};

/// Puts the entries of a manifest below `root`, which has none of them: all, or those that are to be added to it.
/// With `copies` no file is a link into the store.
///
/// [`Error::Stale`] says that the store has lost a file.
pub fn materialise(
    manifest: &Manifest,
    entries: &Entries,
    root: &Path,
    files: &Files,
    copies: bool,
) -> Result<(), Error> {
    let directories = entries.iter().filter(|(_, (entry, _))| matches!(entry, Entry::Directory));
    // Sorted, so that what is above comes first.
    for (path, _) in directories.clone() {
        fs::create_directory(&root.join(path))?;
    }
    let all: Vec<_> = entries.iter().collect();
    all.par_iter().with_min_len(64).try_for_each(|(path, (entry, owner))| {
        let target = root.join(path);
        match entry {
            Entry::Directory => Ok(()),
            Entry::Symlink { target: leads } => Ok(fs::create_symlink(&target, leads)?),
            Entry::File { sha256, size, executable } => {
                if files.place((sha256, *size, *executable), &target, copies)? {
                    return Ok(());
                }
                let artifact = owner.and_then(|owner| manifest.packages.get(owner as usize));
                Err(Error::Stale { artifact: artifact.cloned().unwrap_or_default(), member: (*path).clone() })
            }
        }
    })?;
    // Now that nothing is put into them any more.
    let mut touched: BTreeSet<&str> = directories.map(|(path, _)| path.as_str()).collect();
    touched.extend(entries.keys().map(|path| path.rsplit_once('/').map_or("", |(parent, _)| parent)));
    Ok(touched.par_iter().try_for_each(|path| fs::settle_directory(&root.join(path)))?)
}
