//! An artifact as a list of members whose contents are in the file store: read once, then reused for every prefix.
//!
//! Guarantees: the artifact's hash was checked before; every member path and link stays in the tree; there are no
//! devices, no setuid files, no duplicates; every file is what the package itself promises; expansion is bounded.
//! It does not know the prefix.

mod conda;
mod wheel;

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use rattler_conda_types::package::{EntryPoint, FileMode, IndexJson};
use serde::{Deserialize, Serialize};

use super::{Error, TreePath};
use crate::{
    fs,
    lock::{Kind, Package},
    store::{self, Content, Files},
};

/// The version of what is kept of an unpacked artifact.
const FORMAT: u32 = 1;
/// Members up to this many bytes are handled in memory.
const IN_MEMORY: usize = 1 << 20;

/// A package that was unpacked into the file store.
#[derive(Serialize, Deserialize)]
pub(super) struct Unpacked {
    format: u32,
    /// Sorted by path.
    pub(super) members: Vec<Member>,
    pub(super) about: About,
    /// Size of the artifact in bytes.
    pub(super) size: u64,
}

/// A member of an archive, where the archive has it.
#[derive(Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) path: String,
    pub(super) what: What,
}

/// What a member is.
#[derive(Serialize, Deserialize)]
pub(super) enum What {
    Directory,
    Symlink { target: String },
    File(File),
}

/// A file as the archive has it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct File {
    /// Hex.
    pub(super) sha256: String,
    pub(super) size: u64,
    pub(super) executable: bool,
    /// The prefix that it was built for and holds, and how it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) placeholder: Option<(FileMode, String)>,
}

/// What a package says about itself.
#[derive(Serialize, Deserialize)]
pub(super) enum About {
    Conda { index: Box<IndexJson>, entry_points: Vec<EntryPoint> },
    Wheel { dist_info: String, data: String, entry_points: Vec<EntryPoint> },
}

/// Unpacks an artifact of the store, or finds that it was unpacked before.
///
/// With `anew` nothing that was kept of it is believed: it is read again from its first byte.
pub(super) fn unpack(package: &Package, cache: &Path, files: &Files, anew: bool) -> Result<Unpacked, Error> {
    let kept = kept(cache, package);
    if !anew
        && let Some(text) = fs::read_own(&kept)?
        && let Some(unpacked) = serde_json::from_str::<Unpacked>(&text).ok().filter(|it| it.format == FORMAT)
    {
        return Ok(unpacked);
    }
    let open = || store::open(cache, &package.sha256, &package.url);
    let size = open()?.seek(io::SeekFrom::End(0)).map_err(|error| unreadable(package, &error))?;
    let source = Unpacker { package, files, limit: expansion_limit(size) };
    let (mut members, about) = match package.kind {
        Kind::Conda => conda::unpack(&source, &open)?,
        Kind::Wheel => wheel::unpack(&source, open()?)?,
        Kind::Sdist => return Err(sdist(package)),
    };
    members.sort_by(|a, b| a.path.cmp(&b.path));
    let unpacked = Unpacked { format: FORMAT, members, about, size };
    // Texts and numbers always serialise.
    fs::write_own(&kept, serde_json::to_string(&unpacked).unwrap_or_default().as_bytes())?;
    Ok(unpacked)
}

/// Why an sdist is not unpacked.
pub(super) fn sdist(package: &Package) -> Error {
    Error::Unsupported {
        what: package.file_name(),
        reason: "it is an sdist, which has to be built first, and envlock cannot do that yet".to_owned(),
        hint: format!(
            "lock a version of {0} that has a wheel: put `--only-binary {0}` into `pip:`",
            package.name
        ),
    }
}

fn kept(cache: &Path, package: &Package) -> PathBuf {
    let sha256 = &package.sha256;
    cache.join("unpacked").join(&sha256[..2.min(sha256.len())]).join(format!("{sha256}.json"))
}

/// How many bytes an artifact may become: far more than any real package does, far less than a bomb.
fn expansion_limit(artifact: u64) -> u64 {
    (1 << 29) + artifact.saturating_mul(100)
}

fn unreadable(package: &Package, error: &io::Error) -> Error {
    Error::unsound_whole(package, format!("it cannot be read: {}", crate::causes::chain(error)))
}

/// What a package promises about one of its files.
#[derive(Default)]
struct Promise {
    size: Option<u64>,
    /// Hex.
    sha256: Option<String>,
    placeholder: Option<(FileMode, String)>,
}

/// The artifact that is being unpacked.
struct Unpacker<'a> {
    package: &'a Package,
    files: &'a Files,
    /// Bytes that all members together may have.
    limit: u64,
}

impl Unpacker<'_> {
    /// Checks a member's path.
    fn path(&self, path: &[u8]) -> Result<TreePath, Error> {
        TreePath::parse(path)
            .map_err(|reason| Error::unsound(self.package, String::from_utf8_lossy(path), reason))
    }

    /// Reads a file of the archive into the file store, and checks what was promised of it.
    fn file(
        &self,
        path: &str,
        reader: &mut dyn Read,
        executable: bool,
        promise: &Promise,
    ) -> Result<File, Error> {
        let wrong = |reason: String| Error::unsound(self.package, path, reason);
        let unreadable =
            |error: io::Error| wrong(format!("its content cannot be read: {}", crate::causes::chain(&error)));
        let limit = promise.size.unwrap_or(self.limit);
        let mut head = Vec::new();
        let in_memory = IN_MEMORY as u64;
        reader.take(in_memory + 1).read_to_end(&mut head).map_err(unreadable)?;
        let too_long = || wrong(format!("it is longer than the {limit} bytes that were promised"));
        let added = if head.len() as u64 > limit {
            return Err(too_long());
        } else if head.len() <= IN_MEMORY {
            self.files.add(&head, executable)?
        } else {
            let added = self.files.add_stream(&head, reader, limit, executable)?;
            added.map_err(unreadable)?.ok_or_else(too_long)?
        };
        if let Some(expected) = promise.size.filter(|expected| *expected != added.size) {
            return Err(wrong(format!(
                "it has {} bytes instead of the {expected} that were promised",
                added.size
            )));
        }
        if let Some(expected) = promise.sha256.as_ref().filter(|expected| **expected != added.sha256) {
            return Err(wrong(format!("its sha256 is {} instead of the promised {expected}", added.sha256)));
        }
        Ok(File {
            sha256: added.sha256,
            size: added.size,
            executable,
            placeholder: promise.placeholder.clone(),
        })
    }

    /// Reads a small file of the archive, such as its metadata.
    fn small(&self, path: &str, reader: &mut dyn Read) -> Result<Vec<u8>, Error> {
        const LIMIT: u64 = 64 << 20;
        let mut content = Vec::new();
        let read = reader.take(LIMIT + 1).read_to_end(&mut content);
        read.map_err(|error| Error::unsound(self.package, path, crate::causes::chain(&error)))?;
        if content.len() as u64 > LIMIT {
            return Err(Error::unsound(self.package, path, "it is larger than any such file"));
        }
        Ok(content)
    }
}

/// A reader that fails when more comes out than may.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.left = self
            .left
            .checked_sub(length as u64)
            .ok_or_else(|| io::Error::other("it expands to more than any real package of its size"))?;
        Ok(length)
    }
}

type Open<'a> = &'a dyn Fn() -> Result<Box<dyn Content>, store::Error>;
