//! One file with locks and all their artifacts, for machines without a network.
//!
//! It is a plain tar file (artifacts are compressed already): `envlock-bundle`, which states the version and how much
//! follows, then `locks/NAME` and `artifacts/SHA256`, each sorted. The same locks give the same bytes. Nothing is believed on the
//! way in: every artifact is hashed, every name is checked.

use std::{
    io::{Read, Write},
    path::Path,
};

use sha2::{Digest, Sha256};
use tar::{Archive, Builder, EntryType, Header};

use super::{Error, artifact_path};
use crate::{
    fs,
    lock::{NIX_FILE, file_name, fingerprint::hex},
    spec::USER,
};

const VERSION_FILE: &str = "envlock-bundle";
/// A lock is text that people review.
const LOCK_LIMIT: u64 = 64 << 20;

/// A file of a project, by name.
pub type LockFile = (String, Vec<u8>);

/// The first member: version 1, so many locks and artifacts.
fn head(locks: usize, artifacts: usize) -> String {
    format!("1\nlocks {locks}\nartifacts {artifacts}\n")
}

/// Writes a bundle of locks, and of artifacts by (sha256, URL), which the store has.
pub fn create(
    path: &Path,
    locks: &[LockFile],
    artifacts: &[(&str, &str)],
    cache: &Path,
) -> Result<u64, Error> {
    let failed = |source| Error::Fs(fs::Error::write(path)(source));
    let file = fs::temporary_archive(path)?;
    let mut tar = Builder::new(std::io::BufWriter::with_capacity(1 << 18, file));
    let mut locks: Vec<_> = locks.iter().collect();
    locks.sort();
    let mut artifacts = artifacts.to_vec();
    artifacts.sort_unstable();
    artifacts.dedup_by_key(|(sha256, _)| *sha256);
    let head = head(locks.len(), artifacts.len());
    append(&mut tar, VERSION_FILE, head.len() as u64, head.as_bytes()).map_err(failed)?;
    for (name, content) in locks {
        append(&mut tar, &format!("locks/{name}"), content.len() as u64, content.as_slice())
            .map_err(failed)?;
    }
    for (sha256, url) in artifacts {
        let content = super::open(cache, sha256, url)?;
        let size = fs::size(&artifact_path(cache, sha256)).unwrap_or_default();
        append(&mut tar, &format!("artifacts/{sha256}"), size, content).map_err(failed)?;
    }
    let file = tar
        .into_inner()
        .and_then(|buffer| buffer.into_inner().map_err(std::io::Error::from))
        .map_err(failed)?;
    let size = file.as_file().metadata().map_err(failed)?.len();
    fs::publish(file, path)?;
    Ok(size)
}

fn append(tar: &mut Builder<impl Write>, name: &str, size: u64, content: impl Read) -> std::io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(fs::TREE_TIME.into());
    header.set_size(size);
    tar.append_data(&mut header, name, content)
}

/// Puts the artifacts of a bundle into the store. Returns its locks, and how many artifacts there were.
pub fn import(path: &Path, cache: &Path) -> Result<(Vec<LockFile>, usize), Error> {
    let wrong = |reason: String| Error::Bundle { path: path.to_path_buf(), reason };
    let unreadable = |error: std::io::Error| wrong(crate::causes::chain(&error));
    let mut archive = Archive::new(std::io::BufReader::with_capacity(1 << 18, fs::open(path)?));
    let (mut locks, mut count, mut stated) = (Vec::<LockFile>::new(), 0, None);
    for member in archive.entries().map_err(unreadable)?.raw(true) {
        let mut member = member.map_err(unreadable)?;
        let name = String::from_utf8(member.path_bytes().into_owned())
            .map_err(|_| wrong("a name in it is not UTF-8".to_owned()))?;
        if member.header().entry_type() != EntryType::Regular {
            return Err(wrong(format!("{name} is no plain file")));
        }
        if stated.is_none() && name != VERSION_FILE {
            return Err(wrong("it is not a bundle of envlock's".to_owned()));
        }
        match name.split_once('/') {
            None if name == VERSION_FILE => {
                let mut text = String::new();
                (&mut member).take(256).read_to_string(&mut text).map_err(unreadable)?;
                let version = text.lines().next().unwrap_or_default();
                if version != "1" {
                    return Err(wrong(format!("its version is {version}, and only 1 is known here")));
                }
                stated = Some(text);
            }
            Some(("locks", file)) if is_lock(file) => {
                let mut content = Vec::new();
                (&mut member).take(LOCK_LIMIT + 1).read_to_end(&mut content).map_err(unreadable)?;
                if content.len() as u64 > LOCK_LIMIT {
                    return Err(wrong(format!("{name} is larger than any lock")));
                }
                locks.push((file.to_owned(), content));
            }
            Some(("artifacts", sha256)) if is_sha256(sha256) => {
                artifact(&mut member, sha256, path, cache)?;
                count += 1;
            }
            _ => return Err(wrong(format!("{name} does not belong in a bundle"))),
        }
    }
    match stated {
        None => Err(wrong("it is empty".to_owned())),
        // What is there is sound and stays; what is missing must be told of.
        Some(stated) if stated != head(locks.len(), count) => Err(wrong("it breaks off".to_owned())),
        Some(_) => Ok((locks, count)),
    }
}

fn artifact(member: &mut impl Read, sha256: &str, bundle: &Path, cache: &Path) -> Result<(), Error> {
    let mut file = fs::temporary_in(&cache.join("artifacts"))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        match member.read(&mut buffer).map_err(fs::Error::read(bundle))? {
            0 => break,
            length => {
                hasher.update(&buffer[..length]);
                file.write_all(&buffer[..length]).map_err(fs::Error::write(file.path()))?;
            }
        }
    }
    let found = hex(&hasher.finalize());
    if found != sha256 {
        let url = bundle.display().to_string();
        return Err(Error::WrongHash { url, kind: "sha256", expected: sha256.to_owned(), found });
    }
    super::fetch::publish(cache, file, sha256)
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// A bundle may write locks, and no other file of a project.
fn is_lock(name: &str) -> bool {
    let is_plain = !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    is_plain
        && (name == NIX_FILE || name == file_name(USER) || name.ends_with(&format!(".{}", file_name(USER))))
}
