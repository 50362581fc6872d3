//! Fetching artifacts: those of a lock, and those whose hash is to be learned while a lock is made.

use std::{
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use futures::{StreamExt, TryStreamExt};
use rattler_networking::LazyClient;
use url::Url;

use super::{
    Error, artifact_path,
    download::{Partial, Sink, download},
};
use crate::{fs, http::Network, lock::fingerprint::hex};

/// How many artifacts are fetched at once.
const AT_ONCE: usize = 8;

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

/// An artifact that a lock names.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its URL in the lock, which names it in messages.
    pub url: String,
    /// Where it is read: there, on a mirror, or in a file.
    pub from: Url,
    /// Hex sha256.
    pub sha256: String,
    /// Bytes, where the lock states them.
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
        Self { cache, client: network.client_without_retries(), offline: network.offline }
    }

    /// Fetches those artifacts that the store does not have, several at once; `progress` is told how many are there
    /// and how many bytes of them came over the network. Returns how many were fetched.
    pub async fn fetch_all(&self, wanted: &[Wanted], progress: &dyn Fn(usize, u64)) -> Result<usize, Error> {
        let mut missing: Vec<&Wanted> = wanted.iter().filter(|it| !self.has(it)).collect();
        missing.sort_by_key(|it| (std::cmp::Reverse(it.size), &it.sha256));
        missing.dedup_by_key(|it| &it.sha256);
        if self.offline
            && let Some(first) = missing.iter().find(|it| it.from.scheme() != "file")
        {
            return Err(Error::NotCached { url: first.url.clone() });
        }
        let (mut done, mut bytes) = (wanted.len() - missing.len(), 0);
        let mut fetches =
            futures::stream::iter(missing.iter().map(|it| self.fetch(it))).buffer_unordered(AT_ONCE);
        while let Some(size) = fetches.try_next().await? {
            done += 1;
            bytes += size;
            progress(done, bytes);
        }
        Ok(missing.len())
    }

    /// Whether an artifact is there. Whoever reads it checks its hash.
    fn has(&self, wanted: &Wanted) -> bool {
        let found = fs::size(&artifact_path(&self.cache, &wanted.sha256));
        found.is_some_and(|found| wanted.size.is_none_or(|size| size == found))
    }

    /// Fetches one artifact; returns its size.
    async fn fetch(&self, wanted: &Wanted) -> Result<u64, Error> {
        let path = self.cache.join("artifacts").join("partial").join(format!("{}.part", wanted.sha256));
        let Some(mut partial) = self.partial(&path, wanted).await? else { return Ok(0) };
        let begun = partial.sink.size;
        let mut received = self.receive(wanted, &mut partial).await;
        let mut found = hex(&sha2::Digest::finalize(partial.sink.sha256.clone()));
        let may_be_parts = begun > 0 || partial.resumed || wanted.size.is_none();
        if received.is_ok() && found != wanted.sha256 && may_be_parts {
            // Its parts were of different files, or it broke off unnoticed: all of it again, once.
            partial.reset()?;
            received = self.receive(wanted, &mut partial).await;
            found = hex(&sha2::Digest::finalize(partial.sink.sha256.clone()));
        }
        if let Err(error) = received {
            // What came is a start for the next time, unless it cannot be right.
            if matches!(error, Error::WrongHash { .. }) || partial.sink.size == 0 {
                fs::remove_file(&path)?;
            }
            return Err(error);
        }
        if found != wanted.sha256 {
            fs::remove_file(&path)?;
            return Err(Error::WrongHash {
                url: wanted.url.clone(),
                kind: "sha256",
                expected: wanted.sha256.clone(),
                found,
            });
        }
        let target = artifact_path(&self.cache, &wanted.sha256);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::settle_in_tree(&partial.file, &path, false)?;
        partial.file.sync_all().map_err(fs::Error::write(&path))?;
        fs::rename(&path, &target)?;
        Ok(partial.sink.size)
    }

    /// Receives what is missing of an artifact.
    async fn receive(&self, wanted: &Wanted, partial: &mut Partial) -> Result<(), Error> {
        match local(&wanted.from) {
            Some(file) => {
                partial.reset()?;
                copy(&file, partial)
            }
            None => download(&self.client, &wanted.url, &wanted.from, partial, wanted.size).await,
        }
    }

    /// What earlier processes have received of an artifact, locked; `None` if it is there by now.
    async fn partial(&self, path: &Path, wanted: &Wanted) -> Result<Option<Partial>, Error> {
        loop {
            if self.has(wanted) {
                return Ok(None);
            }
            let file = fs::open_partial(path)?;
            let Some(mut file) = fs::lock_if_still_there(file, path)? else {
                // Another process is at it. It ends, or dies and leaves what it has.
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            };
            let mut sink = Sink::default();
            let mut buffer = vec![0; 1 << 16];
            loop {
                match file.read(&mut buffer).map_err(fs::Error::read(path))? {
                    0 => break,
                    length => sink.add(&buffer[..length]),
                }
            }
            file.seek(SeekFrom::End(0)).map_err(fs::Error::read(path))?;
            return Ok(Some(Partial { file, path: path.to_path_buf(), sink, resumed: false }));
        }
    }

    /// Fetches an artifact, checks what is promised, and keeps it; one that is kept is not fetched again.
    ///
    /// `url` names it in messages; it is read from `from`, which may be a mirror or a local file.
    pub async fn complete(&self, url: &Url, from: &Url, promised: &Digests) -> Result<Artifact, Error> {
        if let Some(sha256) = &promised.sha256
            && let Some(size) = fs::size(&artifact_path(&self.cache, sha256))
        {
            return Ok(Artifact { sha256: sha256.clone(), md5: promised.md5.clone(), size: Some(size) });
        }
        let shown = url.to_string();
        let temporary = fs::temporary_in(&self.cache.join("artifacts"))?;
        let file = temporary.reopen().map_err(fs::Error::write(temporary.path()))?;
        let path = temporary.path().to_path_buf();
        let mut partial = Partial { file, path, sink: Sink::default(), resumed: false };
        if let Some(path) = local(from) {
            copy(&path, &mut partial)?;
        } else if self.offline {
            return Err(Error::NotCached { url: shown });
        } else {
            download(&self.client, &shown, from, &mut partial, promised.size).await?;
        }
        let size = partial.sink.size;
        let md5 = hex(&sha2::Digest::finalize(partial.sink.md5));
        let sha256 = hex(&sha2::Digest::finalize(partial.sink.sha256));
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
        publish(&self.cache, temporary, &sha256)?;
        Ok(Artifact { sha256, md5: Some(md5), size: Some(size) })
    }

    /// Keeps an artifact that was made here.
    pub fn keep(&self, bytes: &[u8]) -> Result<Artifact, Error> {
        let mut file = fs::temporary_in(&self.cache.join("artifacts"))?;
        file.write_all(bytes).map_err(fs::Error::write(file.path()))?;
        let mut sink = Sink::default();
        sink.add(bytes);
        let sha256 = hex(&sha2::Digest::finalize(sink.sha256));
        publish(&self.cache, file, &sha256)?;
        Ok(Artifact { sha256, md5: None, size: Some(sink.size) })
    }

    /// The bytes of an artifact that is kept, if they still are what they were.
    pub fn read(&self, sha256: &str) -> Result<Vec<u8>, Error> {
        let path = artifact_path(&self.cache, sha256);
        let mut bytes = Vec::new();
        let mut content = super::open(&self.cache, sha256, &path.display().to_string())?;
        content.read_to_end(&mut bytes).map_err(fs::Error::read(&path))?;
        Ok(bytes)
    }
}

/// The path of a `file:` URL. (`to_file_path` alone takes `http://localhost/` for one, too.)
fn local(url: &Url) -> Option<PathBuf> {
    if url.scheme() == "file" { url.to_file_path().ok() } else { None }
}

fn copy(from: &Path, to: &mut Partial) -> Result<(), Error> {
    let mut source = fs::open(from)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match source.read(&mut buffer).map_err(fs::Error::read(from))? {
            0 => return Ok(()),
            length => to.add(&buffer[..length])?,
        }
    }
}

/// Gives an artifact its place.
pub(super) fn publish(cache: &Path, file: tempfile::NamedTempFile, sha256: &str) -> Result<(), Error> {
    let path = artifact_path(cache, sha256);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    Ok(fs::publish(file, &path)?)
}
