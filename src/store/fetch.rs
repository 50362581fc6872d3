//! Fetching one artifact while the lock is made: to learn its sha256, or what it says about itself.

use std::{
    io::{Read, Write},
    path::PathBuf,
};

use futures::StreamExt;
use rattler_digest::Md5;
use rattler_networking::LazyClient;
use sha2::{Digest, Sha256};
use url::Url;

use super::{Error, artifact_path};
use crate::{fs, http::Network, lock::fingerprint::hex};

/// What the metadata promises about an artifact; absent means not promised.
#[derive(Clone, Debug, Default)]
pub struct Digests {
    /// Hex md5.
    pub md5: Option<String>,
    /// Hex sha256.
    pub sha256: Option<String>,
    /// Bytes.
    pub size: Option<u64>,
}

/// What an artifact turned out to be.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Hex sha256.
    pub sha256: String,
    /// Hex md5; unknown where nothing was fetched and the metadata has none.
    pub md5: Option<String>,
    /// Bytes; unknown likewise.
    pub size: Option<u64>,
}

/// Fetches artifacts into the store.
pub struct Fetcher {
    cache: PathBuf,
    client: LazyClient,
    offline: bool,
}

impl Fetcher {
    /// A fetcher that keeps artifacts below `cache`.
    pub fn new(cache: PathBuf, network: &Network) -> Self {
        Self { cache, client: network.client(), offline: network.offline }
    }

    /// Fetches an artifact, checks what is promised, and keeps it; one that is kept is not fetched again.
    ///
    /// `url` names it in messages; it is read from `from`, which may be a mirror or a local file.
    pub async fn complete(&self, url: &Url, from: &Url, promised: &Digests) -> Result<Artifact, Error> {
        if let Some(sha256) = &promised.sha256
            && let Ok(kept) = fs::open(&artifact_path(&self.cache, sha256))
        {
            let size = kept.metadata().ok().map(|metadata| metadata.len());
            return Ok(Artifact { sha256: sha256.clone(), md5: promised.md5.clone(), size });
        }
        let shown = url.to_string();
        let directory = self.cache.join("artifacts");
        let mut file = fs::temporary_in(&directory)?;
        let mut sink = Sink::default();
        let written = |source| fs::Error::Io { action: "write", path: directory.clone(), source };
        if let Ok(path) = from.to_file_path() {
            let mut source = fs::open(&path)?;
            let mut buffer = vec![0; 1 << 16];
            loop {
                let length = source.read(&mut buffer).map_err(|source| fs::Error::Io {
                    action: "read",
                    path: path.clone(),
                    source,
                })?;
                if length == 0 {
                    break;
                }
                sink.add(&buffer[..length]);
                file.write_all(&buffer[..length]).map_err(written)?;
            }
        } else {
            if self.offline {
                return Err(Error::NotCached { url: shown });
            }
            let unreachable = |reason: String| Error::Unreachable { url: shown.clone(), reason };
            let response = self.client.client().get(from.clone()).send().await;
            let response = response.map_err(|error| unreachable(crate::causes::chain(&error)))?;
            if !response.status().is_success() {
                return Err(unreachable(format!("the server answers {}", response.status())));
            }
            let mut body = response.bytes_stream();
            while let Some(piece) = body.next().await {
                let piece = piece.map_err(|error| unreachable(crate::causes::chain(&error.without_url())))?;
                sink.add(&piece);
                file.write_all(&piece).map_err(written)?;
            }
        }
        let (md5, sha256, size) = (hex(&sink.md5.finalize()), hex(&sink.sha256.finalize()), sink.size);
        let differs = |kind, expected: String, found: String| Error::WrongHash {
            url: shown.clone(),
            kind,
            expected,
            found,
        };
        if let Some(expected) = promised.size.filter(|expected| *expected != size) {
            return Err(differs("size", expected.to_string(), size.to_string()));
        }
        if let Some(expected) = promised.md5.clone().filter(|expected| *expected != md5) {
            return Err(differs("md5", expected, md5));
        }
        if let Some(expected) = promised.sha256.clone().filter(|expected| *expected != sha256) {
            return Err(differs("sha256", expected, sha256));
        }
        self.publish(file, &sha256)?;
        Ok(Artifact { sha256, md5: Some(md5), size: Some(size) })
    }

    /// Keeps an artifact that was made here.
    pub fn keep(&self, bytes: &[u8]) -> Result<Artifact, Error> {
        let directory = self.cache.join("artifacts");
        let mut file = fs::temporary_in(&directory)?;
        file.write_all(bytes).map_err(|source| fs::Error::Io { action: "write", path: directory, source })?;
        let mut sink = Sink::default();
        sink.add(bytes);
        let sha256 = hex(&sink.sha256.finalize());
        self.publish(file, &sha256)?;
        Ok(Artifact { sha256, md5: None, size: Some(sink.size) })
    }

    /// The bytes of an artifact that is kept, if they still are what they were.
    pub fn read(&self, sha256: &str) -> Result<Vec<u8>, Error> {
        let path = artifact_path(&self.cache, sha256);
        let mut bytes = Vec::new();
        let read = fs::open(&path)?.read_to_end(&mut bytes);
        read.map_err(|source| fs::Error::Io { action: "read", path: path.clone(), source })?;
        let found = hex(&Sha256::digest(&bytes));
        if found == sha256 {
            return Ok(bytes);
        }
        Err(Error::WrongHash {
            url: path.display().to_string(),
            kind: "sha256",
            expected: sha256.to_owned(),
            found,
        })
    }

    fn publish(&self, file: tempfile::NamedTempFile, sha256: &str) -> Result<(), Error> {
        let path = artifact_path(&self.cache, sha256);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok(fs::publish(file, &path)?)
    }
}

#[derive(Default)]
struct Sink {
    md5: Md5,
    sha256: Sha256,
    size: u64,
}

impl Sink {
    fn add(&mut self, piece: &[u8]) {
        self.md5.update(piece);
        self.sha256.update(piece);
        self.size += piece.len() as u64;
    }
}
