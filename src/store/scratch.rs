//! A directory for half-finished things, which nobody finds half-finished.
//!
//! It is locked while its process lives. Whoever begins one removes those of processes that were killed.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;

use crate::fs;

/// A temporary directory in the cache, removed when it is dropped.
pub struct Scratch {
    directory: TempDir,
    _lock: File,
    count: AtomicU64,
}

impl Scratch {
    /// Begins one.
    pub fn begin(cache: &Path) -> Result<Self, fs::Error> {
        let place = cache.join("tmp");
        loop {
            let directory = fs::scratch_in(&place)?;
            // Between its creation and its lock, another process may sweep it away: then again.
            let lock = match fs::open(directory.path()) {
                Err(error) if error.is_not_found() => continue,
                lock => lock?,
            };
            if lock.try_lock().is_ok() && directory.path().exists() {
                sweep(&place, directory.path());
                return Ok(Self { directory, _lock: lock, count: AtomicU64::new(0) });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Gives a file of the cache its content, whole or not at all; a process that is killed leaves nothing beside it.
    pub fn publish(&self, path: &Path, content: &[u8]) -> Result<(), fs::Error> {
        let temporary = self.fresh();
        let mut file = fs::create_file(&temporary)?;
        file.write_all(content).map_err(fs::Error::write(&temporary))?;
        fs::settle_in_tree(&file, &temporary, false)?;
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(&temporary, path)
    }

    /// A name that nothing in it has.
    pub fn fresh(&self) -> PathBuf {
        self.path().join(self.count.fetch_add(1, Ordering::Relaxed).to_string())
    }
}

/// Removes what killed processes left.
fn sweep(place: &Path, ours: &Path) {
    for name in fs::names(place).unwrap_or_default() {
        let path = place.join(name);
        let Some(file) = fs::open(&path).ok().filter(|_| path != ours) else { continue };
        if file.try_lock().is_ok() {
            // With the lock held, nobody begins to use it. What stays is swept by the next one.
            fs::make_removable(&path);
            let _ = fs::remove_tree(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_processes_left_is_removed_and_nothing_else() {
        let cache = tempfile::tempdir().unwrap();
        fs::create_dir_all(&cache.path().join("tmp/dead/deep")).unwrap();
        let first = Scratch::begin(cache.path()).unwrap();
        let second = Scratch::begin(cache.path()).unwrap();
        assert!(first.path().exists() && second.path().exists());
        assert_eq!(fs::names(&cache.path().join("tmp")).unwrap().len(), 2);
        drop((first, second));
        assert_eq!(fs::names(&cache.path().join("tmp")).unwrap().len(), 0);
    }
}
