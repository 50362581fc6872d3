//! The archive: an OCI image layout that `docker load` takes, too.
//!
//! Sources: the OCI image specification (layout, index, manifest), and Docker's image archive, whose `manifest.json` is
//! what Engines before 25 read.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use oci_spec::image::{
    DescriptorBuilder, ImageIndexBuilder, ImageManifestBuilder, MediaType, OciLayoutBuilder, Os, Sha256Digest,
};
use rattler_conda_types::Subdir;
use rattler_digest::{HashingReader, HashingWriter, Sha256};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::Digest;
use tar::{Builder, EntryType, Header};

use super::{
    Compression, Content, Error, Planned,
    config::{self, architecture},
    layer::{self, Layer},
    oci,
};
use crate::{fs, json::sorted, lock::fingerprint::hex, store::Files};

/// How an image is to be built, besides what is in it.
#[derive(Clone, Copy)]
pub struct Options {
    /// For which platform.
    pub platform: Subdir,
    /// How its layers are compressed.
    pub compression: Compression,
    /// The time of everything in it, in seconds since 1970.
    pub time: u32,
}

/// What was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Built {
    /// Hex sha256 of the archive.
    pub archive: String,
    /// Size of the archive in bytes.
    pub size: u64,
    /// Digest of the image's manifest.
    pub image: String,
    /// Digests of the layers, lowest first.
    pub layers: Vec<String>,
    /// treeDigest of the user environment.
    pub tree_digest: String,
}

/// An image whose layers are in the store, and all that describes it.
pub struct Described {
    /// Digest of its manifest.
    pub image: String,
    /// The digests of its layers, lowest first.
    pub layers: Vec<String>,
    /// Its configuration.
    pub(super) config: Value,
    /// Digest of that.
    pub(super) config_digest: String,
    pub(super) layout: Layout,
}

/// Makes the layers that were planned, and describes the image that they are. `progress` is told how many are done.
pub fn describe(
    content: &Content,
    planned: &[Planned],
    options: Options,
    cache: &Path,
    files: &Files,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Described, Error> {
    let Options { platform, compression, time } = options;
    let layers = layers(planned, options, cache, files, progress)?;
    let configuration = config::configuration(content, planned, &layers, platform, time)?;
    let config = Blob::of(json(&configuration)?);
    let descriptors = layers
        .iter()
        .map(|layer| descriptor(compression.media_type(), &layer.digest, layer.size))
        .collect::<Result<Vec<_>, _>>()?;
    let mut annotations = config::labels(content, platform);
    annotations.insert("org.opencontainers.image.created".to_owned(), config::created(time)?);
    let manifest = ImageManifestBuilder::default()
        .schema_version(2_u32)
        .media_type(MediaType::ImageManifest)
        .config(descriptor(MediaType::ImageConfig, &config.digest, config.size)?)
        .layers(descriptors)
        .annotations(annotations)
        .build()
        .map_err(oci)?;
    let manifest = Blob::of(json(&manifest)?);
    let image = manifest.digest.clone();

    let name = image_name(content.role);
    let mut entry = descriptor(MediaType::ImageManifest, &image, manifest.size)?;
    let on = oci_spec::image::PlatformBuilder::default().architecture(architecture(platform)?).os(Os::Linux);
    entry.set_platform(Some(on.build().map_err(oci)?));
    entry.set_annotations(Some(names(&name)));
    let docker = json!([{
        "Config": blob_path(&config.digest),
        "RepoTags": [name],
        "Layers": layers.iter().map(|layer| blob_path(&layer.digest)).collect::<Vec<_>>(),
    }]);
    let config_digest = config.digest.clone();
    let mut blobs = vec![config, manifest];
    blobs.extend(layers.iter().map(|layer| Blob {
        digest: layer.digest.clone(),
        size: layer.size,
        content: Bytes::Kept(files.path(&layer.digest, false)),
    }));
    Ok(Described {
        image,
        layers: layers.into_iter().map(|layer| layer.digest).collect(),
        config: configuration,
        config_digest,
        layout: Layout { entry, docker: Some(docker), blobs },
    })
}

/// Builds the image of planned layers and writes its archive. `progress` is told how many layers are done.
pub fn build(
    content: &Content,
    planned: &[Planned],
    options: Options,
    cache: &Path,
    files: &Files,
    path: &Path,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Built, Error> {
    let Described { image, layers, layout, .. } =
        describe(content, planned, options, cache, files, progress)?;
    let (archive, size) = layout.write(path, options.time)?;
    Ok(Built { archive, size, image, layers, tree_digest: content.tree_digest.to_owned() })
}

/// The name under which an engine finds the image of a role.
pub fn image_name(role: &str) -> String {
    format!("{role}-image:latest")
}

fn layers(
    planned: &[Planned],
    options: Options,
    cache: &Path,
    files: &Files,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Vec<Layer>, Error> {
    let done = std::sync::atomic::AtomicUsize::new(0);
    // The large ones first: the last one to end should be a small one.
    let mut order: Vec<usize> = (0..planned.len()).collect();
    let size = |index: &usize| planned[*index].members.values().map(super::Member::size).sum::<u64>();
    order.sort_by_key(|index| std::cmp::Reverse(size(index)));
    let mut layers: Vec<(usize, Result<Layer, Error>)> = order
        .into_par_iter()
        .with_max_len(1)
        .map(|index| {
            let layer = layer::layer(&planned[index], options.compression, options.time, cache, files);
            progress(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1);
            (index, layer)
        })
        .collect();
    layers.sort_by_key(|(index, _)| *index);
    // Of several errors, always the same is told.
    layers.into_iter().map(|(_, layer)| layer).collect()
}

/// A part of an archive that is named by its digest.
pub(super) struct Blob {
    pub(super) digest: String,
    pub(super) size: u64,
    pub(super) content: Bytes,
}

/// Where the bytes of a blob are.
pub(super) enum Bytes {
    /// Here.
    Here(Vec<u8>),
    /// In the store, which can make them again.
    Kept(PathBuf),
    /// In another archive.
    Part(PathBuf, u64),
}

impl Blob {
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self { digest: sha256(&bytes), size: bytes.len() as u64, content: Bytes::Here(bytes) }
    }
}

/// What an archive holds.
pub(super) struct Layout {
    /// The one entry of its index.
    pub(super) entry: oci_spec::image::Descriptor,
    /// Docker's own description.
    pub(super) docker: Option<Value>,
    /// All blobs, in order.
    pub(super) blobs: Vec<Blob>,
}

impl Layout {
    /// Writes an archive: it is there whole, or not at all. Returns its hex sha256 and its size.
    pub(super) fn write(&self, path: &Path, time: u32) -> Result<(String, u64), Error> {
        let file = fs::temporary_archive(path)?;
        let (file, archive) = self.pack(file, path, time)?;
        let size = file.as_file().metadata().map_err(fs::Error::write(path))?.len();
        fs::publish(file, path)?;
        Ok((archive, size))
    }

    /// Hex sha256 of the archive that would be written.
    pub(super) fn digest(&self, time: u32) -> Result<String, Error> {
        Ok(self.pack(io::sink(), Path::new("the archive"), time)?.1)
    }

    fn pack<W: Write>(&self, to: W, path: &Path, time: u32) -> Result<(W, String), Error> {
        let index = ImageIndexBuilder::default()
            .schema_version(2_u32)
            .media_type(MediaType::ImageIndex)
            .manifests(vec![self.entry.clone()])
            .build()
            .map_err(oci)?;
        let layout = OciLayoutBuilder::default().image_layout_version("1.0.0").build().map_err(oci)?;
        let failed = |source| Error::Fs(fs::Error::write(path)(source));
        let buffer = io::BufWriter::with_capacity(1 << 18, to);
        let mut tar = Builder::new(HashingWriter::<_, Sha256>::new(buffer));
        append(&mut tar, "oci-layout", &json(&layout)?, time).map_err(failed)?;
        append(&mut tar, "index.json", &json(&index)?, time).map_err(failed)?;
        if let Some(docker) = &self.docker {
            append(&mut tar, "manifest.json", &json(docker)?, time).map_err(failed)?;
        }
        for Blob { digest, size, content } in &self.blobs {
            let name = blob_path(digest);
            let (from, start) = match content {
                Bytes::Here(bytes) => {
                    append(&mut tar, &name, bytes, time).map_err(failed)?;
                    continue;
                }
                Bytes::Kept(path) => (path, 0),
                Bytes::Part(path, start) => (path, *start),
            };
            let mut source = fs::open(from)?;
            io::Seek::seek(&mut source, io::SeekFrom::Start(start)).map_err(fs::Error::read(from))?;
            let mut read = HashingReader::<_, Sha256>::new(source.take(*size));
            tar.append_data(&mut header(*size, time), &name, &mut read).map_err(failed)?;
            if hex(&read.finalize().1) == *digest {
                continue;
            }
            let Bytes::Kept(path) = content else {
                return Err(Error::Archive {
                    path: from.clone(),
                    reason: format!("it does not hold sha256:{digest}"),
                });
            };
            fs::remove_file(path)?;
            return Err(Error::Lost { what: format!("sha256:{digest}") });
        }
        let (buffer, archive) = tar.into_inner().map_err(failed)?.finalize();
        let to = buffer.into_inner().map_err(|error| failed(error.into()))?;
        Ok((to, hex(&archive)))
    }
}

/// The annotations by which engines name an image.
pub(super) fn names(name: &str) -> HashMap<String, String> {
    HashMap::from([
        ("io.containerd.image.name".to_owned(), format!("docker.io/library/{name}")),
        ("org.opencontainers.image.ref.name".to_owned(), "latest".to_owned()),
    ])
}

pub(super) fn descriptor(
    kind: MediaType,
    digest: &str,
    size: u64,
) -> Result<oci_spec::image::Descriptor, Error> {
    let digest: Sha256Digest = digest.parse().map_err(oci)?;
    DescriptorBuilder::default().media_type(kind).digest(digest).size(size).build().map_err(oci)
}

pub(super) fn blob_path(digest: &str) -> String {
    format!("blobs/sha256/{digest}")
}

/// JSON with sorted keys: some of the types hold their maps in no order.
pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, Error> {
    let value = serde_json::to_value(value).map_err(oci)?;
    serde_json::to_vec(&sorted(value)).map_err(oci)
}

fn sha256(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

fn header(size: u64, time: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_mtime(time.into());
    header.set_size(size);
    header
}

fn append(tar: &mut Builder<impl Write>, name: &str, content: &[u8], time: u32) -> io::Result<()> {
    tar.append_data(&mut header(content.len() as u64, time), name, content)
}
