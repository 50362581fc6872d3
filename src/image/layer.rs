//! A layer: a tar file whose members are sorted, compressed, and kept in the store.
//!
//! Source: the OCI image specification, "Image Layer Filesystem Changeset". A layer that was written before is found by
//! what it holds, and not written again.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use flate2::{Compression as Level, GzBuilder, write::GzEncoder};
use oci_spec::image::MediaType;
use rattler_digest::{HashingReader, HashingWriter, Sha256};
use serde::{Deserialize, Serialize};
use sha2::Digest;
use tar::{Builder, EntryType, Header};

use super::{Error, member::Member, plan::Planned};
use crate::{
    fs,
    lock::fingerprint::hex,
    store::{Added, Files},
    tree::Entry,
};

/// The version of the rules by which members become a layer. A change that alters any layer raises it.
pub const LAYER_FORMAT: u32 = 1;
/// gzip's own default, which is also that of `docker push`.
const GZIP_LEVEL: u32 = 6;
/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;

/// How layers are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Compression {
    /// Read by every engine
    #[default]
    Gzip,
    /// Smaller and faster; Docker Engine reads it from version 23 on
    Zstd,
    /// Not compressed
    None,
}

impl Compression {
    /// The one by which a layer of some media type is compressed.
    pub(super) fn of(media_type: &MediaType) -> Option<Self> {
        [Self::Gzip, Self::Zstd, Self::None].into_iter().find(|it| it.media_type() == *media_type)
    }

    pub(super) fn media_type(self) -> MediaType {
        match self {
            Self::Gzip => MediaType::ImageLayerGzip,
            Self::Zstd => MediaType::ImageLayerZstd,
            Self::None => MediaType::ImageLayer,
        }
    }
}

/// A finished layer; its compressed bytes are in the store, by `digest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Layer {
    /// Hex sha256 of its bytes.
    pub(super) digest: String,
    /// How many they are.
    pub(super) size: u64,
    /// Hex sha256 of the tar file.
    pub(super) diff_id: String,
}

/// The layer of some members: the one that the store has, or a new one.
pub(super) fn layer(
    planned: &Planned,
    compression: Compression,
    time: u32,
    cache: &Path,
    files: &Files,
) -> Result<Layer, Error> {
    let record = record_path(planned, compression, time, cache);
    let kept = fs::read_kept(&record)?.and_then(|text| serde_json::from_slice::<Layer>(&text).ok());
    if let Some(layer) = kept.filter(|layer| files.has(&layer.digest, layer.size, false)) {
        return Ok(layer);
    }
    let layer = write(planned, compression, time, files)?;
    let text = serde_json::to_vec(&layer).map_err(super::oci)?;
    files.scratch().publish(&record, &text)?;
    Ok(layer)
}

/// Where the store says which layer some members are.
fn record_path(planned: &Planned, compression: Compression, time: u32, cache: &Path) -> PathBuf {
    let mut hasher = sha2::Sha256::new();
    // Debug quotes every text, so that none can pretend to be two.
    let version = env!("CARGO_PKG_VERSION");
    hasher.update(format!("{LAYER_FORMAT} {version} {compression:?} {time}"));
    for (path, member) in &planned.members {
        hasher.update(format!("\n{path:?} {member:?}"));
    }
    cache.join(super::LAYERS).join(format!("{}.json", hex(&hasher.finalize())))
}

fn write(planned: &Planned, compression: Compression, time: u32, files: &Files) -> Result<Layer, Error> {
    let path = files.scratch().fresh();
    let failed = |source| Error::Fs(fs::Error::write(&path)(source));
    let file = BufWriter::with_capacity(1 << 18, fs::create_file(&path)?);
    let compressed = HashingWriter::<_, Sha256>::new(file);
    let encoder = Encoder::new(compressed, compression).map_err(failed)?;
    let mut tar = Builder::new(HashingWriter::<_, Sha256>::new(encoder));
    for (place, member) in &planned.members {
        append(&mut tar, place, member, time, files).map_err(|error| match error {
            Failure::Io(source) => failed(source),
            Failure::Lost => Error::Lost { what: format!("/{place}") },
            Failure::Fs(error) => error.into(),
        })?;
    }
    let (encoder, diff_id) = tar.into_inner().map_err(failed)?.finalize();
    let (buffer, digest) = encoder.finish().map_err(failed)?.finalize();
    let file = buffer.into_inner().map_err(|error| failed(error.into()))?;
    let size = file.metadata().map_err(failed)?.len();
    let added = Added { sha256: hex(&digest), size };
    files.adopt(&file, &path, &added)?;
    Ok(Layer { digest: added.sha256, size, diff_id: hex(&diff_id) })
}

enum Failure {
    Io(io::Error),
    Fs(fs::Error),
    Lost,
}

fn append(
    tar: &mut Builder<impl Write>,
    place: &str,
    member: &Member,
    time: u32,
    files: &Files,
) -> Result<(), Failure> {
    let mut header = Header::new_gnu();
    header.set_mode(member.mode);
    header.set_uid(member.owner.into());
    header.set_gid(member.group.into());
    header.set_mtime(time.into());
    header.set_size(member.size());
    match &member.entry {
        Entry::Directory => {
            header.set_entry_type(EntryType::Directory);
            tar.append_data(&mut header, format!("{place}/"), io::empty()).map_err(Failure::Io)
        }
        Entry::Symlink { target } => {
            header.set_entry_type(EntryType::Symlink);
            tar.append_link(&mut header, place, target).map_err(Failure::Io)
        }
        Entry::File { size: 0, .. } => tar.append_data(&mut header, place, io::empty()).map_err(Failure::Io),
        Entry::File { sha256, size, executable } => {
            if !files.has(sha256, *size, *executable) {
                return Err(Failure::Lost);
            }
            let path = files.path(sha256, *executable);
            let mut content = HashingReader::<_, Sha256>::new(fs::open(&path).map_err(Failure::Fs)?);
            tar.append_data(&mut header, place, &mut content).map_err(Failure::Io)?;
            // The image is what the manifest says, not what a link into the store may have become.
            if hex(&content.finalize().1) != *sha256 {
                fs::remove_file(&path).map_err(Failure::Fs)?;
                return Err(Failure::Lost);
            }
            Ok(())
        }
    }
}

/// What compresses: one stream on one thread, so that its bytes depend on nothing else.
enum Encoder<W: Write> {
    Gzip(GzEncoder<W>),
    Zstd(zstd::Encoder<'static, W>),
    None(W),
}

impl<W: Write> Encoder<W> {
    fn new(inner: W, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            // No name, no time, and no operating system in its header.
            Compression::Gzip => {
                Self::Gzip(GzBuilder::new().operating_system(255).write(inner, Level::new(GZIP_LEVEL)))
            }
            Compression::Zstd => Self::Zstd(zstd::Encoder::new(inner, ZSTD_LEVEL)?),
            Compression::None => Self::None(inner),
        })
    }

    fn finish(self) -> io::Result<W> {
        match self {
            Self::Gzip(encoder) => encoder.finish(),
            Self::Zstd(encoder) => encoder.finish(),
            Self::None(inner) => Ok(inner),
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(encoder) => encoder.write(piece),
            Self::Zstd(encoder) => encoder.write(piece),
            Self::None(inner) => inner.write(piece),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(encoder) => encoder.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::None(inner) => inner.flush(),
        }
    }
}
