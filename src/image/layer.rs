//! A layer: a tar file whose members are sorted, owned by root, and of one time.
//!
//! Source: the OCI image specification, "Image Layer Filesystem Changeset".

use std::{
    fs::File,
    io::{self, BufWriter},
    path::{Path, PathBuf},
};

use rattler_digest::{HashingReader, HashingWriter, Sha256};
use tar::{Builder, EntryType, Header};

use super::Error;
use crate::{
    fs,
    lock::fingerprint::hex,
    store::Files,
    tree::{Entry, Manifest},
};

/// A finished layer, uncompressed.
pub(super) struct Layer {
    /// Where it lies for now.
    pub(super) path: PathBuf,
    /// Hex sha256 of the tar file: its digest and its diff ID.
    pub(super) sha256: String,
    /// Bytes.
    pub(super) size: u64,
    /// What it holds, for the image's history.
    pub(super) about: String,
}

/// Who owns a member.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Root,
    User,
}

/// A layer that is being written.
pub(super) struct Writer {
    tar: Builder<HashingWriter<BufWriter<File>, Sha256>>,
    path: PathBuf,
    time: u64,
}

impl Writer {
    pub(super) fn begin(path: PathBuf, time: u64) -> Result<Self, Error> {
        let file = BufWriter::with_capacity(1 << 18, fs::create_file(&path)?);
        Ok(Self { tar: Builder::new(HashingWriter::new(file)), path, time })
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64, owner: Owner) -> Header {
        let id = if owner == Owner::User { super::role::USER_ID } else { 0 };
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_uid(id);
        header.set_gid(id);
        header.set_mtime(self.time);
        header
    }

    pub(super) fn directory(&mut self, path: &str, mode: u32, owner: Owner) -> Result<(), Error> {
        let mut header = self.header(EntryType::Directory, mode, 0, owner);
        let written = self.tar.append_data(&mut header, format!("{path}/"), io::empty());
        Ok(written.map_err(fs::Error::write(&self.path))?)
    }

    pub(super) fn symlink(&mut self, path: &str, target: &str) -> Result<(), Error> {
        let mut header = self.header(EntryType::Symlink, 0o777, 0, Owner::Root);
        let written = self.tar.append_link(&mut header, path, target);
        Ok(written.map_err(fs::Error::write(&self.path))?)
    }

    pub(super) fn file(
        &mut self,
        path: &str,
        executable: bool,
        size: u64,
        content: impl io::Read,
    ) -> Result<(), Error> {
        let mode = if executable { 0o755 } else { 0o644 };
        let mut header = self.header(EntryType::Regular, mode, size, Owner::Root);
        let written = self.tar.append_data(&mut header, path, content);
        Ok(written.map_err(fs::Error::write(&self.path))?)
    }

    pub(super) fn finish(self, about: String) -> Result<Layer, Error> {
        let failed = |source| Error::Fs(fs::Error::write(&self.path)(source));
        let (buffer, sha256) = self.tar.into_inner().map_err(failed)?.finalize();
        let file = buffer.into_inner().map_err(|error| failed(error.into()))?;
        let size = file.metadata().map_err(failed)?.len();
        Ok(Layer { path: self.path.clone(), sha256: hex(&sha256), size, about })
    }
}

/// The layer of a tree, at the prefix that it was built for.
pub(super) fn of_tree(manifest: &Manifest, files: &Files, path: PathBuf, time: u64) -> Result<Layer, Error> {
    let mut writer = Writer::begin(path, time)?;
    let prefix = manifest.marker.prefix.trim_start_matches('/');
    let mut above: Vec<&str> = prefix.match_indices('/').map(|(at, _)| &prefix[..at]).collect();
    above.push(prefix);
    for directory in above {
        writer.directory(directory, 0o755, Owner::Root)?;
    }
    for (path, (entry, _)) in &manifest.entries {
        let place = format!("{prefix}/{path}");
        match entry {
            Entry::Directory => writer.directory(&place, 0o755, Owner::Root)?,
            Entry::Symlink { target } => writer.symlink(&place, target)?,
            Entry::File { size: 0, executable, .. } => writer.file(&place, *executable, 0, io::empty())?,
            Entry::File { sha256, size, executable } => {
                let content = open(files, sha256, *size, *executable)?.ok_or_else(|| Error::Lost {
                    path: path.clone(),
                    environment: manifest.marker.environment.clone(),
                })?;
                let mut content = HashingReader::<_, Sha256>::new(content);
                writer.file(&place, *executable, *size, &mut content)?;
                // The image is what the manifest says, not what a link into the store may have become.
                if hex(&content.finalize().1) != *sha256 {
                    fs::remove_file(&files.path(sha256, *executable))?;
                    return Err(Error::Lost {
                        path: path.clone(),
                        environment: manifest.marker.environment.clone(),
                    });
                }
            }
        }
    }
    let Manifest { marker, packages, .. } = manifest;
    writer.finish(format!("{} environment: {}", marker.environment, packages.join(" ")))
}

fn open(files: &Files, sha256: &str, size: u64, executable: bool) -> Result<Option<File>, Error> {
    if !files.has(sha256, size, executable) {
        return Ok(None);
    }
    let path: &Path = &files.path(sha256, executable);
    Ok(Some(fs::open(path)?))
}
