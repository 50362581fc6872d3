//! What a directory really holds.
#![allow(clippy::disallowed_methods, reason = "part of the module that the rest uses instead")]

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::Error;

/// What is at a path; links are not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A directory.
    Directory {
        /// Its permissions.
        mode: u32,
    },
    /// A file.
    File {
        /// Its permissions.
        mode: u32,
        /// Bytes.
        size: u64,
    },
    /// A symlink.
    Symlink {
        /// Where it leads.
        target: String,
    },
    /// A device, a socket or a pipe.
    Other,
}

impl Found {
    /// What it is, in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Directory { .. } => "a directory",
            Self::File { .. } => "a file",
            Self::Symlink { .. } => "a symlink",
            Self::Other => "a device or socket",
        }
    }
}

/// Everything below a directory, by path with `/`; a name that is not UTF-8 is shown as well as it can be.
pub fn walk(root: &Path) -> Result<BTreeMap<String, Found>, Error> {
    let mut found = BTreeMap::new();
    for entry in walkdir::WalkDir::new(root).min_depth(1) {
        let failed = |error: walkdir::Error| {
            let path = error.path().map_or_else(|| root.to_path_buf(), Path::to_path_buf);
            Error::io("read", &path)(error.into())
        };
        let entry = entry.map_err(failed)?;
        let metadata = entry.metadata().map_err(failed)?;
        let mode = metadata.mode() & 0o7777;
        let what = if metadata.is_dir() {
            Found::Directory { mode }
        } else if metadata.is_file() {
            Found::File { mode, size: metadata.len() }
        } else if metadata.is_symlink() {
            let target: PathBuf =
                std::fs::read_link(entry.path()).map_err(Error::io("read", entry.path()))?;
            Found::Symlink { target: target.to_string_lossy().into_owned() }
        } else {
            Found::Other
        };
        let path = entry.path().strip_prefix(root).unwrap_or(entry.path());
        found.insert(path.to_string_lossy().into_owned(), what);
    }
    Ok(found)
}

/// How many entries a directory has.
pub fn count(directory: &Path) -> Result<usize, Error> {
    Ok(std::fs::read_dir(directory).map_err(Error::io("read", directory))?.count())
}

/// A path without links, `.` and `..`; something must be there.
pub fn canonical(path: &Path) -> Result<PathBuf, Error> {
    std::fs::canonicalize(path).map_err(Error::read(path))
}

/// Where a symlink leads, as it says.
pub fn read_link(path: &Path) -> Result<PathBuf, Error> {
    std::fs::read_link(path).map_err(Error::read(path))
}

/// Whether a path is a symlink to `target`.
pub fn leads_to(path: &Path, target: &str) -> bool {
    std::fs::read_link(path).is_ok_and(|found| found == Path::new(target))
}

/// The size of a file in bytes, if it is there.
pub fn size(path: &Path) -> Option<u64> {
    std::fs::metadata(path).ok().map(|metadata| metadata.len())
}

/// Whether a regular file is at a path, and no link to one.
pub fn is_regular(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

/// The last `limit` bytes of a file, or all of it.
pub fn read_end(path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let mut file = super::open(path)?;
    let length = size(path).unwrap_or_default();
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(length.saturating_sub(limit))).map_err(Error::read(path))?;
    file.take(limit).read_to_end(&mut end).map_err(Error::read(path))?;
    Ok(end)
}

/// What a file system that is mounted forbids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forbidden {
    /// Devices are none there.
    pub devices: bool,
    /// Nothing can be run from there.
    pub programs: bool,
}

/// What the file system that a path is on forbids.
pub fn forbidden(path: &Path) -> Result<Forbidden, Error> {
    let found = rustix::fs::statvfs(path).map_err(|error| Error::read(path)(error.into()))?;
    let has = |flag| found.f_flag.contains(flag);
    let (devices, programs) =
        (has(rustix::fs::StatVfsMountFlags::NODEV), has(rustix::fs::StatVfsMountFlags::NOEXEC));
    Ok(Forbidden { devices, programs })
}

/// Lets whoever made a tree remove it, whatever permissions its directories were given.
pub fn make_removable(root: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mut open = vec![root.to_path_buf()];
    while let Some(directory) = open.pop() {
        // What cannot be changed or read shows when it is removed.
        let _ = std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o700));
        let inner = std::fs::read_dir(&directory).into_iter().flatten().flatten();
        let is_directory = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        open.extend(inner.filter(is_directory).map(|entry| entry.path()));
    }
}

/// User and group that this process runs as.
pub fn who_we_are() -> (u32, u32) {
    (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
}

/// Whether something is at a path, even a link that leads nowhere.
pub fn exists(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok()
}
