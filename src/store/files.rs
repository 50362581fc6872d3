//! The files of unpacked packages by content, so that a file is unpacked once and linked into every prefix.
//!
//! Guarantees: a file gets its place when its content is complete, hashed and settled; it is hashed again whenever it
//! is put into a tree or read; one that was changed since, through a link to it or by a failing disk, is removed.

use std::{
    collections::BTreeSet,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Scratch;
use crate::{fs, lock::fingerprint::hex};

/// The file store below a cache.
#[derive(Clone)]
pub struct Files {
    root: PathBuf,
    scratch: Arc<Scratch>,
    /// Whether what is there is hashed before it is taken for what is to be added.
    distrusts: bool,
    /// Whoever prunes waits until nobody has the file store open.
    _lock: Arc<std::fs::File>,
}

/// A file that the store now has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Added {
    /// sha256 of its content, 64 hex digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl Files {
    /// Opens the file store of a cache.
    pub fn open(cache: &Path) -> Result<Self, fs::Error> {
        Self::locked(cache, false)
    }

    /// Opens the file store when no other process has it open.
    pub fn open_alone(cache: &Path) -> Result<Self, fs::Error> {
        Self::locked(cache, true)
    }

    fn locked(cache: &Path, alone: bool) -> Result<Self, fs::Error> {
        let lock = Arc::new(fs::lock_directory(cache, alone)?);
        Ok(Self {
            root: cache.join("files"),
            scratch: Arc::new(Scratch::begin(cache)?),
            distrusts: false,
            _lock: lock,
        })
    }

    /// The same store, to which everything is added anew unless it is there to the last byte.
    #[must_use]
    pub fn distrusting(&self) -> Self {
        Self { distrusts: true, ..self.clone() }
    }

    /// The directory for half-finished things of this process.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Where a file is kept. Two files with the same content and other permissions are two.
    pub fn path(&self, sha256: &str, executable: bool) -> PathBuf {
        let suffix = if executable { ".x" } else { "" };
        self.root.join(&sha256[..2.min(sha256.len())]).join(format!("{sha256}{suffix}"))
    }

    /// Adds a file whose content is at hand.
    pub fn add(&self, content: &[u8], executable: bool) -> Result<Added, fs::Error> {
        let added = Added { sha256: hex(&Sha256::digest(content)), size: content.len() as u64 };
        let is_right =
            || fs::sha256(&self.path(&added.sha256, executable)).is_ok_and(|it| hex(&it) == added.sha256);
        if !self.has(&added.sha256, added.size, executable) || self.distrusts && !is_right() {
            let path = self.scratch.fresh();
            let mut file = fs::create_file(&path)?;
            file.write_all(content).map_err(fs::Error::write(&path))?;
            self.keep(&file, &path, &added, executable)?;
        }
        Ok(added)
    }

    /// Adds a file from a stream of which `head` has been read already. Returns `None` if there are more than
    /// `limit` bytes; an error of the reader is the inner one.
    pub fn add_stream(
        &self,
        head: &[u8],
        reader: &mut dyn Read,
        limit: u64,
        executable: bool,
    ) -> Result<io::Result<Option<Added>>, fs::Error> {
        let path = self.scratch.fresh();
        let mut file = fs::create_file(&path)?;
        let (mut hasher, mut size) = (Sha256::new(), 0);
        let mut buffer = vec![0; 1 << 18];
        let mut piece = head;
        loop {
            size += piece.len() as u64;
            if size > limit {
                fs::remove_file(&path)?;
                return Ok(Ok(None));
            }
            hasher.update(piece);
            file.write_all(piece).map_err(fs::Error::write(&path))?;
            piece = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => &buffer[..length],
                Err(error) => {
                    fs::remove_file(&path)?;
                    return Ok(Err(error));
                }
            };
        }
        let added = Added { sha256: hex(&hasher.finalize()), size };
        self.keep(&file, &path, &added, executable)?;
        Ok(Ok(Some(added)))
    }

    /// Takes over a finished file of the scratch directory, whose hash its writer knows.
    pub fn adopt(&self, file: &std::fs::File, path: &Path, added: &Added) -> Result<(), fs::Error> {
        self.keep(file, path, added, false)
    }

    fn keep(
        &self,
        file: &std::fs::File,
        path: &Path,
        added: &Added,
        executable: bool,
    ) -> Result<(), fs::Error> {
        fs::settle_in_tree(file, path, executable)?;
        let target = self.path(&added.sha256, executable);
        match fs::rename(path, &target) {
            Err(error) if error.is_not_found() => {
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::rename(path, &target)
            }
            renamed => renamed,
        }
    }

    /// Whether a file is there with the size, mode and time that it was given; its content is not read.
    pub fn has(&self, sha256: &str, size: u64, executable: bool) -> bool {
        fs::is_settled(&self.path(sha256, executable), size, executable)
    }

    /// Puts a file at `target`, as a link to the store or as a copy; `false` if the store has none that is right.
    ///
    /// Empty files are never links: everything that is empty would be one file, and a byte for one a byte for all.
    pub fn place(
        &self,
        (sha256, size, executable): (&str, u64, bool),
        target: &Path,
        copies: bool,
    ) -> Result<bool, fs::Error> {
        if size == 0 {
            fs::settle_in_tree(&fs::create_file(target)?, target, executable)?;
            return Ok(true);
        }
        let source = self.path(sha256, executable);
        if !self.has(sha256, size, executable) {
            return Ok(false);
        }
        if hex(&fs::sha256(&source)?) != sha256 {
            fs::remove_file(&source)?;
            return Ok(false);
        }
        if !copies && fs::hard_link(&source, target)? {
            return Ok(true);
        }
        let mut file = fs::create_file(target)?;
        io::copy(&mut fs::open(&source)?, &mut file).map_err(fs::Error::write(target))?;
        fs::settle_in_tree(&file, target, executable)?;
        Ok(true)
    }

    /// The content of a file; `None` if there is none that is right.
    pub fn read(&self, sha256: &str, executable: bool) -> Result<Option<Vec<u8>>, fs::Error> {
        let path = self.path(sha256, executable);
        let content = match fs::read_bytes(&path) {
            Err(error) if error.is_not_found() => return Ok(None),
            content => content?,
        };
        if hex(&Sha256::digest(&content)) == sha256 {
            return Ok(Some(content));
        }
        fs::remove_file(&path)?;
        Ok(None)
    }

    /// Reads every file and removes those that are not what their name says. Returns how many there were, and
    /// the wrong ones.
    pub fn verify(&self) -> Result<(u64, Vec<PathBuf>), fs::Error> {
        verify(&self.root)
    }

    /// Removes the files whose sha256 is not among those to keep; returns how many.
    pub fn prune(&self, keep: &BTreeSet<String>) -> Result<usize, fs::Error> {
        let paths = files_below(&self.root)?;
        let unwanted: Vec<_> = paths.iter().filter(|path| !keep.contains(&sha256_of(path))).collect();
        unwanted.iter().try_for_each(|path| fs::remove_file(path))?;
        Ok(unwanted.len())
    }
}

/// Reads every file two levels below a directory, and removes those that are not what their name says.
pub(super) fn verify(root: &Path) -> Result<(u64, Vec<PathBuf>), fs::Error> {
    use rayon::prelude::*;
    let paths = files_below(root)?;
    let is_wrong = |path: &&PathBuf| fs::sha256(path).map_or(true, |found| hex(&found) != sha256_of(path));
    let wrong: Vec<PathBuf> = paths.par_iter().filter(is_wrong).cloned().collect();
    wrong.iter().try_for_each(|path| fs::remove_file(path))?;
    Ok((paths.len() as u64, wrong))
}

/// The sha256 that a file's name states.
fn sha256_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.strip_suffix(".x").unwrap_or(&name).to_owned()
}

/// The files two levels below a directory, sorted.
pub(super) fn files_below(root: &Path) -> Result<Vec<PathBuf>, fs::Error> {
    let mut paths = Vec::new();
    for directory in fs::names(root)? {
        let directory = root.join(directory);
        paths.extend(fs::names(&directory)?.into_iter().map(|name| directory.join(name)));
    }
    Ok(paths)
}
