//! An archive of images as it is: whoever wrote it, every blob is hashed while it is read.
//!
//! What is wrong with a layer is no error but a [`Fault`]: an audit says all that it finds.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;
use oci_spec::image::{Descriptor, ImageIndex, ImageManifest, MediaType};
use rattler_digest::{HashingReader, Sha256};
use rayon::prelude::*;
use serde_json::Value;
use sha2::Digest;
use tar::{Archive as Tar, EntryType};

use super::{
    Error,
    archive::{Blob, Bytes},
    config,
    content::LOCK_DIRECTORY,
    member::{Member, Members},
};
use crate::{fs, lock::fingerprint::hex, tree::Entry};

/// The files of an archive that describe what is in it.
const INDEX: &str = "index.json";
const DESCRIPTIONS: [&str; 3] = [INDEX, "manifest.json", "oci-layout"];

/// How large a manifest or configuration may be.
const JSON_LIMIT: u64 = 16 << 20;
/// How large all files of a layer whose content is kept may be.
const KEPT_LIMIT: u64 = 64 << 20;
/// How many bytes a layer may unpack to for each of its own, and how many besides.
const EXPANSION: (u64, u64) = (100, 64 << 20);
/// How many layers an image may have: what engines take.
const LAYERS: usize = 127;

/// An archive, and the images in it.
pub struct Archive {
    /// Where it is.
    pub path: PathBuf,
    /// The images: one for each platform.
    pub images: Vec<Image>,
    /// Members that are neither blobs nor descriptions.
    pub strangers: Vec<String>,
    /// Digests of indexes within.
    indexes: Vec<String>,
    blobs: HashMap<String, (u64, u64)>,
    length: u64,
}

/// An image as its manifest and its configuration describe it.
pub struct Image {
    /// Hex sha256 of its manifest.
    pub digest: String,
    /// Its manifest, with all that it refers to.
    pub manifest: ImageManifest,
    /// Its configuration.
    pub config: Value,
    /// Its layers, lowest first.
    pub layers: Vec<LayerOf>,
    descriptor: Descriptor,
}

/// A layer as a manifest and a configuration describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerOf {
    /// Hex sha256 of its bytes.
    pub digest: String,
    /// How many they are.
    pub size: u64,
    /// How they are compressed.
    pub media_type: MediaType,
    /// Hex sha256 of its tar file.
    pub diff_id: String,
    /// What it holds, by its history.
    pub about: String,
}

/// What is wrong with a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub reason: String,
    /// The member at which it was seen.
    pub path: Option<String>,
}

/// What is in a layer, as far as it can be read.
pub struct Found {
    /// Its members.
    pub members: Members,
    /// The content of those that say what is in the image: lock files, and the metadata of packages.
    pub kept: BTreeMap<String, Vec<u8>>,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

impl Image {
    /// A label of the image.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.config["config"]["Labels"][name].as_str()
    }

    /// The role that it is of.
    pub fn role(&self) -> Option<&str> {
        self.label(config::ROLE)
    }

    /// The conda platform that it is for.
    pub fn platform(&self) -> Option<&str> {
        self.label(config::PLATFORM)
    }

    /// The treeDigest that it states.
    pub fn tree_digest(&self) -> Option<&str> {
        self.label(config::TREE_DIGEST)
    }

    /// The lockHash that it states.
    pub fn lock_hash(&self) -> Option<&str> {
        self.label(config::LOCK_HASH)
    }

    /// Its entry in an index.
    pub(super) fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }
}

impl Archive {
    /// Opens an archive and reads what describes its images.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let unsound = |reason: String| Error::Archive { path: path.to_path_buf(), reason };
        let file = fs::open(path)?;
        let length = file.metadata().map_err(fs::Error::read(path))?.len();
        let mut blobs = HashMap::new();
        let mut strangers = Vec::new();
        let mut described: HashMap<&str, Vec<u8>> = HashMap::new();
        let mut tar = Tar::new(file);
        let entries = tar.entries_with_seek().map_err(|error| unsound(error.to_string()))?;
        for entry in entries {
            let mut entry = match entry {
                Ok(entry) => entry,
                // What was there until here may tell which part is missing.
                Err(_) if described.contains_key(INDEX) => break,
                Err(error) => return Err(unsound(format!("it is no tar archive: {error}"))),
            };
            let kind = entry.header().entry_type();
            if kind == EntryType::Directory {
                continue;
            }
            let is_file = kind == EntryType::Regular;
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let name = name.trim_start_matches("./");
            let twice = || unsound(format!("{name} is there twice"));
            if let Some(digest) = name.strip_prefix("blobs/sha256/").filter(|_| is_file) {
                let position = (entry.raw_file_position(), entry.size());
                if blobs.insert(digest.to_owned(), position).is_some() {
                    return Err(twice());
                }
            } else if let Some(known) = DESCRIPTIONS.iter().find(|known| **known == name && is_file) {
                let mut bytes = Vec::new();
                let read = (&mut entry).take(JSON_LIMIT).read_to_end(&mut bytes);
                read.map_err(|error| unsound(format!("{name}: {error}")))?;
                if described.insert(known, bytes).is_some() {
                    return Err(twice());
                }
            } else {
                strangers.push(name.to_owned());
            }
        }
        let index = described.remove(INDEX);
        let index =
            index.ok_or_else(|| unsound("it has no index.json, so it is no OCI image layout".to_owned()))?;
        let index: ImageIndex =
            serde_json::from_slice(&index).map_err(|error| unsound(format!("index.json: {error}")))?;
        let mut archive = Self {
            path: path.to_path_buf(),
            images: Vec::new(),
            strangers,
            indexes: Vec::new(),
            blobs,
            length,
        };
        let mut open: Vec<Descriptor> = index.manifests().iter().rev().cloned().collect();
        let mut seen = 0;
        while let Some(descriptor) = open.pop() {
            seen += 1;
            if seen > 100 {
                return Err(archive.unsound("it has more than 100 images"));
            }
            if *descriptor.media_type() == MediaType::ImageIndex {
                let digest = descriptor.digest().digest();
                let index: ImageIndex = archive.json(digest, "the index")?;
                archive.indexes.push(digest.to_owned());
                open.extend(index.manifests().iter().rev().cloned());
            } else {
                let image = archive.image(descriptor)?;
                archive.images.push(image);
            }
        }
        if archive.images.is_empty() {
            return Err(archive.unsound("it has no image"));
        }
        Ok(archive)
    }

    fn unsound(&self, reason: impl Into<String>) -> Error {
        Error::Archive { path: self.path.clone(), reason: reason.into() }
    }

    fn image(&self, descriptor: Descriptor) -> Result<Image, Error> {
        let digest = descriptor.digest().digest().to_owned();
        let manifest: ImageManifest = self.json(&digest, "the manifest")?;
        let config: Value = self.json(manifest.config().digest().digest(), "the configuration")?;
        let texts = |value: &Value| value.as_str().map(str::to_owned);
        let diff_ids: Vec<_> =
            config["rootfs"]["diff_ids"].as_array().into_iter().flatten().filter_map(texts).collect();
        if manifest.layers().len() > LAYERS {
            return Err(self.unsound(format!("its image has more than {LAYERS} layers")));
        }
        if diff_ids.len() != manifest.layers().len() {
            return Err(self.unsound(format!(
                "its manifest has {} layers and its configuration {}",
                manifest.layers().len(),
                diff_ids.len()
            )));
        }
        let history = config["history"].as_array().into_iter().flatten();
        let abouts: Vec<_> = history
            .filter(|step| step["empty_layer"] != true)
            .map(|step| texts(&step["comment"]).or_else(|| texts(&step["created_by"])).unwrap_or_default())
            .collect();
        let layers =
            manifest.layers().iter().zip(&diff_ids).enumerate().map(|(index, (layer, diff_id))| LayerOf {
                digest: layer.digest().digest().to_owned(),
                size: layer.size(),
                media_type: layer.media_type().clone(),
                diff_id: diff_id.trim_start_matches("sha256:").to_owned(),
                about: abouts.get(index).cloned().unwrap_or_default(),
            });
        Ok(Image { digest, layers: layers.collect(), manifest, config, descriptor })
    }

    /// A small blob that is JSON.
    fn json<T: serde::de::DeserializeOwned>(&self, digest: &str, what: &str) -> Result<T, Error> {
        let (mut source, size) =
            self.source(digest).map_err(|reason| self.unsound(format!("{what} {reason}")))?;
        if size > JSON_LIMIT {
            return Err(self.unsound(format!("{what} is larger than {JSON_LIMIT} bytes")));
        }
        let mut bytes = Vec::new();
        source.read_to_end(&mut bytes).map_err(fs::Error::read(&self.path))?;
        let found = hex(&sha2::Sha256::digest(&bytes));
        if found != digest {
            return Err(self.unsound(format!("{what} is damaged: sha256 {found} instead of {digest}")));
        }
        serde_json::from_slice(&bytes).map_err(|error| self.unsound(format!("{what}: {error}")))
    }

    /// The bytes of a blob; the error says what is wrong with it.
    fn source(&self, digest: &str) -> Result<(io::Take<File>, u64), String> {
        let Some(&(start, size)) = self.blobs.get(digest) else {
            return Err(format!("sha256:{digest} is missing"));
        };
        if start.saturating_add(size) > self.length {
            let there = self.length.saturating_sub(start);
            return Err(format!("sha256:{digest} is cut off after {there} of {size} bytes"));
        }
        let mut file = fs::open(&self.path).map_err(|error| error.to_string())?;
        file.seek(SeekFrom::Start(start)).map_err(|error| error.to_string())?;
        Ok((file.take(size), size))
    }

    /// Whether it is of the kind that holds several platforms.
    pub(super) fn is_index(&self) -> bool {
        !self.indexes.is_empty()
    }

    /// The digests of all blobs.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &str> {
        self.blobs.keys().map(String::as_str)
    }

    /// The digests of the blobs that images refer to.
    pub(super) fn referred(&self) -> BTreeSet<&str> {
        let mut referred: BTreeSet<&str> = self.indexes.iter().map(String::as_str).collect();
        for image in &self.images {
            referred.extend([image.digest.as_str(), image.manifest.config().digest().digest()]);
            referred.extend(image.layers.iter().map(|layer| layer.digest.as_str()));
        }
        referred
    }

    /// A blob, to be copied into another archive.
    pub(super) fn blob(&self, digest: &str) -> Result<Blob, Error> {
        let (_, size) = self.source(digest).map_err(|reason| self.unsound(reason))?;
        let (start, _) = self.blobs[digest];
        Ok(Blob { digest: digest.to_owned(), size, content: Bytes::Part(self.path.clone(), start) })
    }

    /// Reads every layer of an image. `progress` is told how many are read.
    pub fn read(&self, image: &Image, progress: &(dyn Fn(usize) + Sync)) -> Vec<Found> {
        let done = std::sync::atomic::AtomicUsize::new(0);
        image
            .layers
            .par_iter()
            .with_max_len(1)
            .map(|layer| {
                let found = self.layer(layer);
                progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
                found
            })
            .collect()
    }

    fn layer(&self, layer: &LayerOf) -> Found {
        let mut found = Found { members: Members::new(), kept: BTreeMap::new(), fault: None };
        let fault = |reason: String, path: Option<String>| Some(Fault { reason, path });
        let (source, size) = match self.source(&layer.digest) {
            Ok(source) => source,
            Err(reason) => {
                // What is there of it may still be read, to say where it ends.
                found.fault = fault(reason, None);
                if let Some(rest) = self.what_is_left(&layer.digest) {
                    let mut path = None;
                    let _ = unpack(
                        decoder(rest, &layer.media_type),
                        &mut found,
                        &mut path,
                        EXPANSION.1 + EXPANSION.0 * layer.size.min(self.length),
                    );
                    found.fault = found.fault.map(|fault| Fault { path, ..fault });
                }
                return found;
            }
        };
        let mut compressed = HashingReader::<_, Sha256>::new(source);
        let mut tar = HashingReader::<_, Sha256>::new(decoder(&mut compressed, &layer.media_type));
        let limit = size.saturating_mul(EXPANSION.0).saturating_add(EXPANSION.1);
        let mut path = None;
        let result = unpack(&mut tar, &mut found, &mut path, limit).and_then(|()| {
            path = None;
            // What follows the last member is hashed, too.
            io::copy(&mut (&mut tar).take(limit), &mut io::sink()).map_err(|error| error.to_string())
        });
        let diff_id = hex(&tar.finalize().1);
        let rest = io::copy(&mut compressed, &mut io::sink());
        let digest = hex(&compressed.finalize().1);
        found.fault = match (result, rest) {
            (Err(reason), _) => fault(reason, path),
            (_, Err(error)) => fault(error.to_string(), None),
            _ if digest != layer.digest => fault(format!("its bytes have sha256 {digest}"), None),
            _ if diff_id != layer.diff_id => fault(
                format!("its tar file has sha256 {diff_id}, its configuration says {}", layer.diff_id),
                None,
            ),
            _ => None,
        };
        found
    }

    fn what_is_left(&self, digest: &str) -> Option<io::Take<File>> {
        let (start, size) = *self.blobs.get(digest)?;
        let mut file = fs::open(&self.path).ok()?;
        file.seek(SeekFrom::Start(start)).ok()?;
        Some(file.take(size))
    }
}

fn decoder<'a>(source: impl Read + 'a, media_type: &MediaType) -> Box<dyn Read + 'a> {
    match media_type {
        MediaType::ImageLayerGzip => Box::new(MultiGzDecoder::new(source)),
        MediaType::ImageLayerZstd => match zstd::Decoder::new(source) {
            Ok(decoder) => Box::new(decoder),
            Err(_) => Box::new(io::empty()),
        },
        MediaType::Other(name) if name.ends_with("gzip") => Box::new(MultiGzDecoder::new(source)),
        _ => Box::new(source),
    }
}

/// Reads the members of a layer; `at` is the one that is being read.
fn unpack(source: impl Read, found: &mut Found, at: &mut Option<String>, limit: u64) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let mut tar = Tar::new(source.take(limit));
    let mut kept = 0;
    for entry in tar.entries().map_err(text)? {
        let mut entry = entry.map_err(text)?;
        let path = String::from_utf8(entry.path_bytes().into_owned())
            .map_err(|error| format!("`{}` is not UTF-8", String::from_utf8_lossy(error.as_bytes())))?;
        let path = path.trim_start_matches("./").trim_end_matches('/').to_owned();
        *at = Some(path.clone());
        if path.is_empty() || path == "." {
            continue;
        }
        if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err("its path leads out of the image".to_owned());
        }
        for extension in entry.pax_extensions().map_err(text)?.into_iter().flatten() {
            let extension = extension.map_err(text)?;
            let key = extension.key().map_err(|error| error.to_string())?;
            // Paths and sizes are read as they are meant; attributes would give a file powers that nothing here shows.
            if !["path", "linkpath", "size", "uid", "gid", "mtime", "atime", "ctime"].contains(&key) {
                return Err(format!("it has the attribute {key}"));
            }
        }
        let header = entry.header();
        let mode = header.mode().map_err(text)? & 0o7777;
        let number = |id: io::Result<u64>| id.map(|id| u32::try_from(id).unwrap_or(u32::MAX)).map_err(text);
        let (owner, group) = (number(header.uid())?, number(header.gid())?);
        let link = entry.link_name_bytes().map(|name| String::from_utf8_lossy(&name).into_owned());
        let member = match header.entry_type() {
            EntryType::Directory => Member { entry: Entry::Directory, mode, owner, group },
            EntryType::Symlink => Member {
                entry: Entry::Symlink { target: link.unwrap_or_default() },
                mode: 0o777,
                owner,
                group,
            },
            EntryType::Link => {
                let target = link.unwrap_or_default();
                let target = target.trim_start_matches("./");
                found.members.get(target).cloned().ok_or("it is a hard link to nothing")?
            }
            EntryType::Regular | EntryType::Continuous => {
                let keeps = is_kept(&path) && entry.size() <= KEPT_LIMIT - kept;
                kept += if keeps { entry.size() } else { 0 };
                let mut content = HashingReader::<_, Sha256>::new(&mut entry);
                let size = if keeps {
                    let mut bytes = Vec::new();
                    let size = content.read_to_end(&mut bytes).map_err(text)?;
                    found.kept.insert(path.clone(), bytes);
                    size as u64
                } else {
                    io::copy(&mut content, &mut io::sink()).map_err(text)?
                };
                let sha256 = hex(&content.finalize().1);
                let executable = mode & 0o111 != 0;
                Member { entry: Entry::File { sha256, size, executable }, mode, owner, group }
            }
            _ => return Err("it is neither a directory, a file nor a link".to_owned()),
        };
        found.members.insert(path, member);
    }
    Ok(())
}

/// Whether a file says what is in the image.
fn is_kept(path: &str) -> bool {
    let is_record =
        path.contains("/conda-meta/") && Path::new(path).extension().is_some_and(|it| it == "json");
    lock_file(path).is_some() || is_record || path.ends_with(".dist-info/METADATA")
}

/// The name of a lock file, if a path is that of one.
pub fn lock_file(path: &str) -> Option<&str> {
    let name = path.strip_prefix(LOCK_DIRECTORY)?.strip_prefix('/')?;
    (!name.contains('/')).then_some(name)
}

/// What is in an image: a later layer wins, and `.wh.` removes what is below it.
pub fn flatten(layers: impl IntoIterator<Item = Members>) -> Members {
    let mut whole = Members::new();
    for layer in layers {
        for path in layer.keys() {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let Some(hidden) = name.strip_prefix(".wh.") else { continue };
            let hidden = match (hidden, parent) {
                (".wh..opq", _) => parent.to_owned(),
                (_, "") => hidden.to_owned(),
                _ => format!("{parent}/{hidden}"),
            };
            let keeps_itself = name == ".wh..wh..opq";
            whole.retain(|path, _| {
                let below = path.strip_prefix(&hidden).is_some_and(|rest| rest.starts_with('/'));
                !below && (keeps_itself || *path != hidden)
            });
        }
        let is_whiteout = |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with(".wh."));
        whole.extend(layer.into_iter().filter(|(path, _)| !is_whiteout(path)));
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whiteouts_hide_what_is_below() {
        let members = |paths: &[&str]| -> Members {
            paths.iter().map(|path| ((*path).to_owned(), Member::of(&Entry::Directory))).collect()
        };
        let lower = members(&["a", "a/b", "a/b/c", "a/bc", "d", "d/e"]);
        let upper = members(&["a/.wh.b", "d/.wh..wh..opq", "d/f"]);
        let whole = flatten([lower, upper]);
        assert_eq!(whole.keys().collect::<Vec<_>>(), ["a", "a/bc", "d", "d/f"]);
    }
}
