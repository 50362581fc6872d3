//! A manifest as files in a directory.

use std::path::Path;

use rayon::prelude::*;

use super::{Entry, Error, Manifest};
use crate::{fs, store::Files};

/// Puts every entry of a manifest below `root`, which is empty. With `copies` no file is a link into the store.
///
/// [`Error::Stale`] says that the store has lost a file.
pub fn materialise(manifest: &Manifest, root: &Path, files: &Files, copies: bool) -> Result<(), Error> {
    let directories: Vec<&String> = manifest
        .entries
        .iter()
        .filter(|(_, (entry, _))| matches!(entry, Entry::Directory))
        .map(|(path, _)| path)
        .collect();
    // Sorted, so that what is above comes first.
    directories.iter().try_for_each(|path| fs::create_directory(&root.join(path)))?;
    let entries: Vec<_> = manifest.entries.iter().collect();
    entries.par_iter().with_min_len(64).try_for_each(|(path, (entry, owner))| {
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
    settle(root, &directories)
}

/// Gives directories their times, now that nothing is put into them any more.
fn settle(root: &Path, directories: &[&String]) -> Result<(), Error> {
    directories.par_iter().try_for_each(|path| fs::settle_directory(&root.join(path)))?;
    Ok(fs::settle_directory(root)?)
}
