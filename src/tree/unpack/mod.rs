//! An artifact as a list of members whose contents are in the file store: read once, then reused for every prefix.
//!
//! Guarantees: the artifact's hash was checked before; every member path and link stays in the tree; there are no
//! devices, no setuid files, no duplicates; every file is what the package itself promises; expansion is bounded.
//! It does not know the prefix.

mod conda;
mod wheel;

use std::{
    cell::Cell,
    io::{self, Read},
    path::{Path, PathBuf},
    rc::Rc,
};

use rattler_conda_types::package::{EntryPoint, FileMode, IndexJson};
use serde::{Deserialize, Serialize};

use super::{Error, TreePath};
use crate::{
    fs,
    lock::{BuiltWheel, Kind, Package},
    spec::name_map::normalised,
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
    Wheel { name: String, dist_info: String, entry_points: Vec<EntryPoint> },
}

impl Unpacked {
    fn is_of(&self, kind: Kind) -> bool {
        matches!(
            (&self.about, kind),
            (About::Conda { .. }, Kind::Conda) | (About::Wheel { .. }, Kind::Wheel | Kind::Sdist)
        )
    }

    /// Whether it is the package that the lock says it is.
    fn check_identity(&self, package: &Package) -> Result<(), Error> {
        match &self.about {
            About::Conda { index, .. } => {
                let found = (index.name.as_normalized(), index.version.to_string(), index.build.to_string());
                let build = package.build.clone().unwrap_or_else(|| found.2.clone());
                if found == (package.name.as_str(), package.version.clone(), build) {
                    return Ok(());
                }
                let (name, version, build) = found;
                let reason = format!("it says it is {name} {version} {build}");
                Err(Error::unsound(package, "info/index.json", reason))
            }
            About::Wheel { name, dist_info, .. } if normalised(name) != normalised(&package.name) => {
                let reason = format!("it says it is `{name}` instead of {}", package.name);
                Err(Error::unsound(package, format!("{dist_info}/METADATA"), reason))
            }
            About::Wheel { .. } => Ok(()),
        }
    }
}

/// Unpacks an artifact of the store, or finds that it was unpacked before.
///
/// With `anew` nothing that was kept of it is believed: it is read again from its first byte.
pub(super) fn unpack(package: &Package, cache: &Path, files: &Files, anew: bool) -> Result<Unpacked, Error> {
    if !anew && let Some(unpacked) = kept(cache, package)? {
        unpacked.check_identity(package)?;
        return Ok(unpacked);
    }
    let (sha256, kind) = artifact(package)?;
    let open = || store::open(cache, sha256, &package.url);
    let size = fs::size(&store::artifact_path(cache, sha256)).unwrap_or_default();
    let source = Unpacker { package, files, limit: expansion_limit(size), used: Cell::new(0) };
    let (mut members, about) = match kind {
        Kind::Conda => conda::unpack(&source, &open)?,
        Kind::Wheel | Kind::Sdist => wheel::unpack(&source, open()?)?,
    };
    members.sort_by(|a, b| a.path.cmp(&b.path));
    let unpacked = Unpacked { format: FORMAT, members, about, size };
    unpacked.check_identity(package)?;
    // Texts and numbers always serialise.
    files
        .scratch()
        .publish(&path(cache, package), serde_json::to_string(&unpacked).unwrap_or_default().as_bytes())?;
    Ok(unpacked)
}

/// sha256 and kind of the artifact that is unpacked: the package's own, or the wheel that an sdist becomes.
pub(super) fn artifact(package: &Package) -> Result<(&str, Kind), Error> {
    match package.kind {
        Kind::Sdist => Ok((&built_wheel(package)?.sha256, Kind::Wheel)),
        kind => Ok((&package.sha256, kind)),
    }
}

/// The wheel that an sdist becomes.
pub fn built_wheel(sdist: &Package) -> Result<&BuiltWheel, Error> {
    sdist.wheel.as_deref().ok_or_else(|| Error::Unsupported {
        what: sdist.file_name(),
        reason: "it is an sdist, and the lock does not say which wheel it becomes".to_owned(),
        hint: "`envlock convert` builds it, on a machine of its platform, and writes that into envlock.nix: install from there"
            .to_owned(),
    })
}

/// What is kept of an artifact that was unpacked before.
pub(super) fn kept(cache: &Path, package: &Package) -> Result<Option<Unpacked>, fs::Error> {
    let text = fs::read_kept(&path(cache, package))?;
    let unpacked = text.and_then(|text| serde_json::from_slice::<Unpacked>(&text).ok());
    Ok(unpacked.filter(|it| it.format == FORMAT && it.is_of(package.kind)))
}

/// Where that is.
fn path(cache: &Path, package: &Package) -> PathBuf {
    let sha256 = artifact(package).map_or(package.sha256.as_str(), |(sha256, _)| sha256);
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
    /// Bytes that members have had so far.
    used: Cell<u64>,
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
        let limit = promise.size.unwrap_or(u64::MAX).min(self.limit - self.used.get());
        let mut head = Vec::new();
        let in_memory = IN_MEMORY as u64;
        reader.take(in_memory + 1).read_to_end(&mut head).map_err(unreadable)?;
        let too_long = || match promise.size {
            Some(size) if size <= limit => {
                wrong(format!("it is longer than the {size} bytes that were promised"))
            }
            _ => wrong(EXPANDS.to_owned()),
        };
        let added = if head.len() as u64 > limit {
            return Err(too_long());
        } else if head.len() <= IN_MEMORY {
            self.files.add(&head, executable)?
        } else {
            let added = self.files.add_stream(&head, reader, limit, executable)?;
            added.map_err(unreadable)?.ok_or_else(too_long)?
        };
        self.used.set(self.used.get() + added.size);
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

const EXPANDS: &str = "it expands to more than any real package of its size";

/// A reader that fails when more comes out than may.
struct Bounded<R> {
    inner: R,
    left: u64,
    /// What may come out until somebody sets it again.
    allowance: Rc<Cell<u64>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        let left = self.left.checked_sub(length as u64);
        self.left = left.ok_or_else(|| io::Error::other(EXPANDS))?;
        let allowance = self.allowance.get().checked_sub(length as u64);
        let allowance =
            allowance.ok_or_else(|| io::Error::other("it has names longer than any real package has"))?;
        self.allowance.set(allowance);
        Ok(length)
    }
}

type Open<'a> = &'a dyn Fn() -> Result<Box<dyn Content>, store::Error>;
