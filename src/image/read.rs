//! An archive of images as it is: whoever wrote it, every blob is hashed while it is read.
//!
//! What is wrong with a layer is no error but a [`Fault`]: an audit says all that it finds.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

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
    unpack::{self, Fault, Found},
};
use crate::{fs, lock::fingerprint::hex};

/// The files of an archive that describe what is in it.
const INDEX: &str = "index.json";
const DESCRIPTIONS: [&str; 3] = [INDEX, "manifest.json", "oci-layout"];

/// How large a manifest or configuration may be.
const JSON_LIMIT: u64 = 16 << 20;
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
        let mut found = Found::default();
        let fault = |reason: String, path: Option<String>| Some(Fault { reason, path });
        let (source, size) = match self.source(&layer.digest) {
            Ok(source) => source,
            Err(reason) => {
                // What is there of it may still be read, to say where it ends.
                let rest = self.what_is_left(&layer.digest);
                let limit = unpack::limit(layer.size.min(self.length));
                let path = rest.and_then(|rest| {
                    let source = unpack::decoder(rest, &layer.media_type);
                    let read = unpack::unpack(source, &mut found, limit);
                    let last = || found.members.keys().next_back().cloned();
                    read.err().and_then(|fault| fault.path).or_else(last)
                });
                found.fault = fault(reason, path);
                return found;
            }
        };
        let mut compressed = HashingReader::<_, Sha256>::new(source);
        let mut tar = HashingReader::<_, Sha256>::new(unpack::decoder(&mut compressed, &layer.media_type));
        let limit = unpack::limit(size);
        let result = unpack::unpack(&mut tar, &mut found, limit).and_then(|()| {
            // What follows the last member is hashed, too.
            let rest = io::copy(&mut (&mut tar).take(limit), &mut io::sink());
            rest.map_err(|error| Fault { reason: error.to_string(), path: None })
        });
        let diff_id = hex(&tar.finalize().1);
        let rest = io::copy(&mut compressed, &mut io::sink());
        let digest = hex(&compressed.finalize().1);
        found.fault = match (result, rest) {
            (Err(fault), _) => Some(fault),
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
