//! A directory that appears whole or not at all.
//!
//! Guarantees: what is built lies beside its place until [`Stage::publish`] renames it there; nothing outside is
//! touched; what a killed process left is removed by the next one that stages the same directory, and two that do
//! so at once wait for each other. It does not flush: after a power cut, look with `envlock verify`.
#![allow(clippy::disallowed_methods, reason = "part of the module that the rest uses instead")]

use std::{
    ffi::OsString,
    fs::{File, Permissions},
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::{
    fs::{AtFlags, CWD, OFlags, RenameFlags, Timespec, Timestamps},
    io::Errno,
};

use super::{Error, TEMPORARY};

/// The modification time of everything in a tree, in seconds since 1970: that of the Nix store.
pub const TREE_TIME: u32 = 1;

/// A directory that is being built.
pub struct Stage {
    target: PathBuf,
    /// Beside the target, locked by us as long as it is there.
    place: PathBuf,
    _lock: File,
}

impl Stage {
    /// Begins a directory that is to appear at `target`, whose parents are created. `waiting` is called
    /// if another process has begun the same one and must end first.
    pub fn begin(target: &Path, waiting: impl FnOnce()) -> Result<Self, Error> {
        let name = target.file_name().ok_or_else(|| Error::Io {
            action: "write",
            path: target.to_path_buf(),
            source: ErrorKind::InvalidInput.into(),
        })?;
        let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        super::create_dir_all(parent)?;
        let mut place = OsString::from(TEMPORARY);
        place.push(name);
        let place = parent.join(place);
        let failed = |source| Error::Io { action: "write", path: place.clone(), source };

        let mut waiting = Some(waiting);
        let lock = loop {
            match std::fs::DirBuilder::new().mode(0o700).create(&place) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => {}
            }
            let lock = match open_directory(&place) {
                // Whoever had it is done and has removed it.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                // A link in its place leads who knows where.
                lock => lock.map_err(failed)?,
            };
            let found = lock.metadata().map_err(failed)?;
            if found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
                // Whoever made it could exchange what is built in it.
                return Err(failed(std::io::Error::other("another user made it, or may write there")));
            }
            if lock.try_lock().is_err() {
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                lock.lock().map_err(failed)?;
            }
            let same = |there: std::fs::Metadata| {
                lock.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
            };
            if std::fs::symlink_metadata(&place).is_ok_and(same) {
                break lock;
            }
        };
        let stage = Self { target: target.to_path_buf(), place, _lock: lock };
        remove_tree(&stage.tree())?;
        create_directory(&stage.tree())?;
        Ok(stage)
    }

    /// Where it is built.
    pub fn tree(&self) -> PathBuf {
        self.place.join("tree")
    }

    /// Puts it in its place, in one step; what was there goes.
    pub fn publish(self) -> Result<(), Error> {
        let tree = self.tree();
        let failed = |source| Error::Io { action: "write", path: self.target.clone(), source };
        match std::fs::symlink_metadata(&self.target) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                std::fs::rename(&tree, &self.target).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
            Ok(_) => match rustix::fs::renameat_with(CWD, &tree, CWD, &self.target, RenameFlags::EXCHANGE) {
                Err(Errno::INVAL | Errno::NOSYS) => self.replace(&tree).map_err(failed)?,
                exchanged => exchanged.map_err(|error| failed(error.into()))?,
            },
        }
        Ok(())
    }

    /// The second best way, where the file system cannot exchange: for a moment there is nothing.
    fn replace(&self, tree: &Path) -> std::io::Result<()> {
        let old = self.place.join("old");
        std::fs::rename(&self.target, &old)?;
        std::fs::rename(tree, &self.target).inspect_err(|_| {
            // The first error is the one to tell.
            let _ = std::fs::rename(&old, &self.target);
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What stays is removed by the next one.
        let _ = remove_tree(&self.place);
    }
}

/// Removes a directory with everything in it, if it is there.
pub fn remove_tree(path: &Path) -> Result<(), Error> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes a file, if it is there.
pub fn remove_file(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Creates a directory of a tree, whose parent is there.
pub fn create_directory(path: &Path) -> Result<(), Error> {
    std::fs::create_dir(path).map_err(Error::io("write", path))
}

/// Creates a file of a tree. What is there already is neither followed nor replaced.
pub fn create_file(path: &Path) -> Result<File, Error> {
    File::options().write(true).create_new(true).open(path).map_err(Error::io("write", path))
}

/// Creates a symlink of a tree.
pub fn create_symlink(path: &Path, target: &str) -> Result<(), Error> {
    std::os::unix::fs::symlink(target, path).map_err(Error::io("write", path))?;
    let second = Timespec { tv_sec: TREE_TIME.into(), tv_nsec: 0 };
    let times = Timestamps { last_access: second, last_modification: second };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|error| Error::io("write", path)(error.into()))
}

/// Gives an open file or directory the mode and the time that it has in a tree, whatever the umask.
pub fn settle_in_tree(file: &File, path: &Path, executable: bool) -> Result<(), Error> {
    let mode = if executable { 0o755 } else { 0o644 };
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(TREE_TIME.into());
    file.set_permissions(Permissions::from_mode(mode))
        .and_then(|()| file.set_modified(time))
        .map_err(Error::io("write", path))
}

/// Opens a file that grows over several processes, at its start.
pub fn open_partial(path: &Path) -> Result<File, Error> {
    if let Some(parent) = path.parent() {
        super::create_dir_all(parent)?;
    }
    let options = File::options().read(true).write(true).create(true).truncate(false).clone();
    options.open(path).map_err(Error::io("write", path))
}

/// Locks a file; `None` if another process has it, or has renamed or removed it meanwhile.
pub fn lock_if_still_there(file: File, path: &Path) -> Result<Option<File>, Error> {
    if file.try_lock().is_err() {
        return Ok(None);
    }
    let ours = file.metadata().map_err(Error::io("lock", path))?;
    let there = std::fs::symlink_metadata(path);
    let same = there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino()));
    Ok(same.then_some(file))
}

/// Locks a directory, which is created, until the returned file is dropped: shared with others, or alone.
pub fn lock_directory(directory: &Path, alone: bool) -> Result<File, Error> {
    super::create_dir_all(directory)?;
    let file = super::open(directory)?;
    let locked = if alone { file.lock() } else { file.lock_shared() };
    locked.map_err(Error::io("lock", directory))?;
    Ok(file)
}

/// Whether a file still has the size, mode and time that it was given by [`settle_in_tree`].
pub fn is_settled(path: &Path, size: u64, executable: bool) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| {
        found.is_file()
            && found.len() == size
            && (found.mode() & 0o7777 == if executable { 0o755 } else { 0o644 })
            && (found.mtime(), found.mtime_nsec()) == (TREE_TIME.into(), 0)
    })
}

/// What the file system says of a file: it is another after every change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The stamp of a file, if there is one.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    Some(Stamp {
        device: found.dev(),
        inode: found.ino(),
        size: found.len(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}

/// Makes `to` another name of the file `from`; `false` where that is not possible, as across file systems.
pub fn hard_link(from: &Path, to: &Path) -> Result<bool, Error> {
    match std::fs::hard_link(from, to) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::CrossesDevices | ErrorKind::TooManyLinks) => {
            Ok(false)
        }
        // Of a file of another user (fs.protected_hardlinks), or on a file system without links.
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => {
            Ok(false)
        }
        Err(error) => Err(Error::io("write", to)(error)),
    }
}

/// [`settle_in_tree`] for a directory, when all that is in it is there.
pub fn settle_directory(path: &Path) -> Result<(), Error> {
    let directory = open_directory(path).map_err(Error::io("write", path))?;
    settle_in_tree(&directory, path, true)
}

/// Opens a directory that is one, and no link to one.
fn open_directory(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
    File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_is_dropped_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("env");
        let stage = Stage::begin(&target, || ()).unwrap();
        std::fs::write(stage.tree().join("file"), "half").unwrap();
        drop(stage);
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_process_left_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("env");
        let left = parent.path().join(format!("{TEMPORARY}env/tree/deep"));
        std::fs::create_dir_all(&left).unwrap();
        std::fs::write(left.join("file"), "half").unwrap();
        let stage = Stage::begin(&target, || ()).unwrap();
        assert_eq!(std::fs::read_dir(stage.tree()).unwrap().count(), 0);
        stage.publish().unwrap();
        assert_eq!(super::super::names(parent.path()).unwrap(), ["env"]);
    }

    #[test]
    fn publishing_replaces_in_one_step() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("env");
        for content in ["old", "new"] {
            let stage = Stage::begin(&target, || ()).unwrap();
            std::fs::write(stage.tree().join("file"), content).unwrap();
            stage.publish().unwrap();
        }
        assert_eq!(std::fs::read_to_string(target.join("file")).unwrap(), "new");
        assert_eq!(super::super::names(parent.path()).unwrap(), ["env"]);
    }

    #[test]
    fn two_at_once_wait_for_each_other() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("env");
        let first = Stage::begin(&target, || ()).unwrap();
        let other = target.clone();
        let second = std::thread::spawn(move || {
            let mut waited = false;
            let stage = Stage::begin(&other, || waited = true).unwrap();
            stage.publish().unwrap();
            waited
        });
        std::thread::sleep(Duration::from_millis(100));
        first.publish().unwrap();
        assert!(second.join().unwrap());
        assert_eq!(super::super::names(parent.path()).unwrap(), ["env"]);
    }
}
