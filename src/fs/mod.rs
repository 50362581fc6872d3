//! The only place that touches the file system.
//!
//! Guarantees: every error names the path; input files have a size limit; outputs appear
//! together or not at all ([`write_together`]). It does not know what the bytes mean.
#![allow(clippy::disallowed_methods, reason = "this module is what the rest uses instead")]

mod stage;
mod walk;

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Write},
    path::{Component, Path, PathBuf},
};

use sha2::{Digest, Sha256};
use tempfile::{NamedTempFile, TempDir};

pub use stage::{
    Stage, Stamp, TREE_TIME, create_directory, create_file, create_symlink, hard_link, is_settled,
    lock_directory, lock_if_still_there, open_partial, remove_file, remove_tree, settle_directory,
    settle_in_tree, stamp,
};
pub use walk::{
    Found, canonical, count, exists, forbidden, is_regular, leads_to, make_removable, read_end, read_link,
    size, walk, who_we_are,
};

/// How the name of a temporary archive ends.
const ARCHIVE_END: &str = ".archive";

/// Input files larger than this are refused: no environment file is a mebibyte long, but a
/// wrong file name easily is.
pub const INPUT_LIMIT: u64 = 1 << 20;

/// How the names of temporary files begin.
const TEMPORARY: &str = ".envlock-tmp-";
/// And how they end: with six random letters between, no file of a user's has such a name.
const TEMPORARY_END: &str = ".part";

/// A failed file operation.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: `read`, `write`, `lock`.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// An input file is larger than [`INPUT_LIMIT`].
    #[error("{} is {size} bytes long, more than the {INPUT_LIMIT} that an input file may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
    },
    /// An input file is not text.
    #[error("{}:{line}: not UTF-8 text", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line (from 1) that holds the first wrong byte.
        line: usize,
    },
}

impl Error {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_path_buf(), source }
    }

    /// A failure to write.
    pub fn write(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io("write", path)
    }

    /// A failure to read.
    pub fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io("read", path)
    }

    /// Whether something is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == ErrorKind::NotFound)
    }

    /// Whether a file that the user named is not there or is no text: bad input, not a broken disk.
    pub fn is_bad_input(&self) -> bool {
        match self {
            Self::Io { action, source, .. } => {
                *action == "read" && matches!(source.kind(), ErrorKind::NotFound | ErrorKind::IsADirectory)
            }
            Self::TooLarge { .. } | Self::NotText { .. } => true,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Io { source, action, .. } => match source.kind() {
                ErrorKind::NotFound if *action == "read" => "check the path",
                ErrorKind::IsADirectory => "name a file, not a directory",
                ErrorKind::AlreadyExists | ErrorKind::NotADirectory if *action == "write" => {
                    "a file is in the way: name a directory"
                }
                ErrorKind::InvalidInput if *action == "write" => {
                    "name a file that is there, or that can be made"
                }
                ErrorKind::StorageFull => "free some space; nothing was changed",
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem if *action == "write" => {
                    "make the directory writable or choose another with -o; nothing was changed"
                }
                _ => return None,
            },
            Self::TooLarge { .. } => "is this really an environment file?",
            Self::NotText { .. } => "save the file as UTF-8",
        };
        Some(hint.to_owned())
    }
}

/// The path without `.` and `dir/..`, by its text alone.
pub fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(normal.components().next_back(), Some(Component::Normal(_))) => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

/// The path of `to` as seen from the directory `from`, with `/` between its parts.
pub fn relative(to: &Path, from: &Path) -> String {
    // The empty path is the working directory, which `absolute` does not know.
    let absolute = |path: &Path| {
        normal(&std::path::absolute(Path::new(".").join(path)).unwrap_or_else(|_| path.to_path_buf()))
    };
    let (to, from) = (absolute(to), absolute(from));
    let common = to.components().zip(from.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| "..".to_owned());
    let down = to.components().skip(common).map(|part| part.as_os_str().to_string_lossy().into_owned());
    let path = up.chain(down).collect::<Vec<_>>().join("/");
    if path.is_empty() { ".".to_owned() } else { path }
}

/// Reads an input file as text, up to [`INPUT_LIMIT`].
pub fn read_input(path: &Path) -> Result<String, Error> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let size = file.metadata().map_err(Error::io("read", path))?.len();
    if size > INPUT_LIMIT {
        return Err(Error::TooLarge { path: path.to_path_buf(), size });
    }
    let mut bytes = Vec::new();
    // A pipe has no size: the limit holds for what is read, too.
    file.take(INPUT_LIMIT + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > INPUT_LIMIT {
        return Err(Error::TooLarge { path: path.to_path_buf(), size: bytes.len() as u64 });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]);
        let line = before.matches('\n').count() + 1;
        Error::NotText { path: path.to_path_buf(), line }
    })?;
    // A byte order mark is no part of the text.
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}

/// Reads a file that envlock wrote itself; `None` if there is none.
pub fn read_own(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

/// Reads a file that the cache or a prefix keeps for envlock; `None` if there is none. Whoever reads it decides
/// whether it is any good.
pub fn read_kept(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    match read_bytes(path) {
        Err(error) if error.is_not_found() => Ok(None),
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotADirectory => Ok(None),
        bytes => bytes.map(Some),
    }
}

/// Writes a file of envlock's own, whole or not at all.
pub fn write_own(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut file = temporary_in(path.parent().unwrap_or(Path::new("")))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    publish(file, path)
}

/// The names in a directory, sorted; none if there is no such directory.
pub fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Error::io("read", directory))?,
    };
    let mut names: Vec<_> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    Ok(names)
}

/// Opens a file for reading, as a stream.
pub fn open(path: &Path) -> Result<File, Error> {
    File::open(path).map_err(Error::io("read", path))
}

/// The whole content of a file, which no user wrote.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(Error::io("read", path))
}

/// sha256 of a file.
pub fn sha256(path: &Path) -> Result<[u8; 32], Error> {
    let mut file = open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 17];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => break,
            length => hasher.update(&buffer[..length]),
        }
    }
    Ok(hasher.finalize().into())
}

/// Renames a file within a file system.
pub fn rename(from: &Path, to: &Path) -> Result<(), Error> {
    std::fs::rename(from, to).map_err(Error::io("write", to))
}

/// Creates a directory and those above it.
pub fn create_dir_all(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(Error::io("write", path))
}

/// Creates a temporary file in `directory`, to be renamed by [`publish`].
pub fn temporary_in(directory: &Path) -> Result<NamedTempFile, Error> {
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    create_dir_all(directory)?;
    tempfile::Builder::new()
        .prefix(TEMPORARY)
        .suffix(TEMPORARY_END)
        .tempfile_in(directory)
        .map_err(Error::io("write", directory))
}

/// Creates a temporary file beside `path` that is to become it, by [`publish`], and is locked until then. What killed
/// processes left of earlier ones goes.
pub fn temporary_archive(path: &Path) -> Result<NamedTempFile, Error> {
    can_become(path)?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    create_dir_all(directory)?;
    for name in
        names(directory)?.iter().filter(|name| name.starts_with(TEMPORARY) && name.ends_with(ARCHIVE_END))
    {
        let path = directory.join(name);
        // Locked, it is of somebody who is alive. What stays is swept by the next one.
        if let Some(_lock) = open(&path).and_then(|file| lock_if_still_there(file, &path)).ok().flatten() {
            let _ = remove_file(&path);
        }
    }
    loop {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .suffix(ARCHIVE_END)
            .tempfile_in(directory)
            .map_err(Error::io("write", path))?;
        // Between its creation and its lock, another process may sweep it away: then again.
        if file.as_file().try_lock().is_ok() && file.path().exists() {
            return Ok(file);
        }
    }
}

/// Creates a directory below `directory` that goes when it is dropped.
pub fn scratch_in(directory: &Path) -> Result<TempDir, Error> {
    create_dir_all(directory)?;
    tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(directory).map_err(Error::io("write", directory))
}

/// Refuses what a file must not take the place of: a directory, or a device, /dev/null of everybody.
fn can_become(path: &Path) -> Result<(), Error> {
    if path.file_name().is_some() && !std::fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Ok(());
    }
    let source = io::Error::new(ErrorKind::InvalidInput, "it is not a regular file");
    Err(Error::Io { action: "write", path: path.to_path_buf(), source })
}

/// Gives a finished temporary file its name, with the permissions that a new file would have.
pub fn publish(file: NamedTempFile, path: &Path) -> Result<(), Error> {
    can_become(path)?;
    settle(&file, path)?;
    file.persist(path).map(drop).map_err(|error| Error::io("write", path)(error.error))
}

/// Writes files of one directory together or not at all.
///
/// Everything is on the disk under temporary names before the first rename, so a full disk or a
/// read-only directory changes nothing; a rename that fails takes back those before it. Writers of
/// one directory wait for each other. Files that already have the wanted bytes are left alone.
/// Returns the paths that changed.
pub fn write_together(directory: &Path, files: &[(String, Vec<u8>)]) -> Result<Vec<PathBuf>, Error> {
    let shown = directory;
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    create_dir_all(directory)?;
    let guard = File::open(directory).map_err(Error::io("lock", directory))?;
    guard.lock().map_err(Error::io("lock", directory))?;
    remove_stale(directory);

    let mut staged = Vec::new();
    for (name, bytes) in files {
        let path = shown.join(name);
        let before = match std::fs::read(&path) {
            Ok(before) => Some(before),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("write", &path)(error)),
        };
        if before.as_ref() == Some(bytes) {
            continue;
        }
        let file = stage(directory, &path, bytes)?;
        // The way back is staged before the first step forward: it cannot fail for lack of space.
        let back = before.map(|before| stage(directory, &path, &before)).transpose()?;
        staged.push((path, file, back));
    }

    let mut done: Vec<(PathBuf, Option<NamedTempFile>)> = Vec::new();
    for (path, file, back) in staged {
        if let Err(error) = file.persist(&path) {
            for (path, back) in done {
                // Nothing more can be done if this fails as well: the first error is the one to tell.
                let _ = match back {
                    Some(back) => back.persist(&path).map(drop).map_err(|error| error.error),
                    None => std::fs::remove_file(&path),
                };
            }
            return Err(Error::io("write", &path)(error.error));
        }
        done.push((path, back));
    }
    let _ = guard.sync_all();
    Ok(done.into_iter().map(|(path, _)| path).collect())
}

/// Removes what a killed writer left. With the lock held, no other writer's files can be there.
fn remove_stale(directory: &Path) {
    // A leftover that stays does no harm.
    let _ = remove_temporary(directory);
}

/// Removes the temporary files of a directory; returns how many.
pub fn remove_temporary(directory: &Path) -> Result<usize, Error> {
    let mut removed = 0;
    for name in names(directory)? {
        let random = name.strip_prefix(TEMPORARY).and_then(|name| name.strip_suffix(TEMPORARY_END));
        if random.is_some_and(|random| random.len() == 6) {
            remove_file(&directory.join(name))?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn stage(directory: &Path, path: &Path, bytes: &[u8]) -> Result<NamedTempFile, Error> {
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .suffix(TEMPORARY_END)
        .tempfile_in(directory)
        .map_err(Error::io("write", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    settle(&file, path)?;
    Ok(file)
}

/// Flushes to the disk and replaces tempfile's 0600 by what every output has, whatever the umask.
fn settle(file: &NamedTempFile, path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    let file = file.as_file();
    file.set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(Error::io("write", path))?;
    file.sync_all().map_err(Error::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_rename_takes_back_the_ones_before_it() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("a"), "old").unwrap();
        // A directory in the way of `b` makes its rename fail.
        std::fs::create_dir_all(directory.path().join("b/x")).unwrap();
        let files = [("a".to_owned(), b"new".to_vec()), ("b".to_owned(), b"new".to_vec())];
        assert!(write_together(directory.path(), &files).is_err());
        assert_eq!(std::fs::read_to_string(directory.path().join("a")).unwrap(), "old");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn unchanged_files_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let files = [("a".to_owned(), b"same".to_vec())];
        assert_eq!(write_together(directory.path(), &files).unwrap().len(), 1);
        assert_eq!(write_together(directory.path(), &files).unwrap().len(), 0);
    }

    #[test]
    fn paths_are_relative_to_a_directory() {
        let relative = |to, from| relative(Path::new(to), Path::new(from));
        assert_eq!(relative("/a/b/env.yml", "/a/b"), "env.yml");
        assert_eq!(relative("/a/b/env.yml", "/a/c/d"), "../../b/env.yml");
        assert_eq!(relative("/a/b/../env.yml", "/a/./c"), "../env.yml");
        assert_eq!(relative("env.yml", ""), "env.yml");
        assert_eq!(relative("env.yml", "locks"), "../env.yml");
        assert_eq!(normal(Path::new("../../a/./b/../c")), Path::new("../../a/c"));
    }

    #[test]
    fn the_line_of_a_wrong_byte_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("env.yml");
        std::fs::write(&path, b"a\nb\n\xff").unwrap();
        assert!(matches!(read_input(&path), Err(Error::NotText { line: 3, .. })));
    }
}
