//! Requirements by place: archives behind a URL, local files and directories, version control trees.
//!
//! Each is fetched, hashed and read before anything is resolved, and from then on is a package with one
//! version like any other.

use std::{
    io::{Cursor, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use url::Url;
use uv_distribution_filename::{SourceDistFilename, WheelFilename};
use uv_normalize::PackageName;
use uv_pep440::Version;
use uv_pypi_types::{HashAlgorithm, ResolutionMetadata};

use super::{
    super::{Error, Mirror, bridge::Target, read_from},
    git, repair,
    requirements::{Direct, Git, Place, unusable},
    sdist, tree,
};
use crate::{
    fs,
    lock::{Kind, fingerprint::hex},
    spec::{channel::Credentials, pip::PipLine},
    store::{self, Artifact, Digests, Fetcher},
};

/// A requirement by place that has been read.
pub(super) struct Located {
    pub(super) direct: Direct,
    pub(super) metadata: ResolutionMetadata,
    pub(super) kind: Kind,
    /// As the lock states it: a commit for a branch, a relative path for a local file.
    pub(super) url: String,
    pub(super) artifact: Artifact,
    pub(super) warnings: Vec<String>,
}

/// What reading places needs.
pub(super) struct Locator<'a> {
    pub(super) fetcher: &'a Fetcher,
    pub(super) mirrors: &'a [Mirror],
    /// Local paths are stated relative to this directory.
    pub(super) base: &'a Path,
    pub(super) cache: &'a Path,
    pub(super) offline: bool,
    pub(super) target: &'a Target,
}

impl Locator<'_> {
    pub(super) async fn locate(&self, direct: Direct) -> Result<Located, Error> {
        let line = &direct.line;
        let (url, file_name, artifact) = match &direct.place {
            Place::Archive(url) => {
                let mut bare = url.clone();
                bare.set_fragment(None);
                let (stated, name) = state(&bare);
                let artifact = self.fetch(&bare, &direct).await?;
                (stated, name, artifact)
            }
            Place::Path { path, absolute } if path.is_dir() => {
                let bytes = tree::pack(path).map_err(|said| unusable(line, said, NO_TREE))?;
                let artifact = self.fetcher.keep(&bytes)?;
                (self.state_path(path, *absolute), TREE.to_owned(), artifact)
            }
            Place::Path { path, absolute: stated } => {
                let absolute =
                    std::path::absolute(Path::new(".").join(path)).unwrap_or_else(|_| path.clone());
                let url = Url::from_file_path(&absolute).ok().filter(|_| absolute.is_file());
                let url = url.ok_or_else(|| {
                    let message = format!("`{}`: there is no {}", line.text, path.display());
                    unusable(line, message, "paths are relative to the file that names them")
                })?;
                let (_, name) = state(&url);
                let artifact = self.fetch(&url, &direct).await?;
                (self.state_path(path, *stated), name, artifact)
            }
            Place::Git(git) => {
                let (commit, artifact) = self.git(line, git)?;
                let inner = git.subdirectory.as_ref();
                let inner = inner.map_or_else(String::new, |inner| format!("#subdirectory={inner}"));
                (format!("git+{}@{commit}{inner}", git.repository), TREE.to_owned(), artifact)
            }
        };
        check(&direct, &url, &artifact)?;
        let bytes = self.fetcher.read(&artifact.sha256)?;
        let (kind, metadata, warnings) = self.read(&direct, &file_name, &bytes).map_err(|said| {
            let said = said.replace(TREE, "it");
            unusable(line, format!("`{}`: {said}", line.text), BUILT)
        })?;
        if let Some(name) = direct.name.as_ref().filter(|name| **name != metadata.name) {
            let message = format!("`{}` is {} and not {name}", line.text, metadata.name);
            return Err(unusable(line, message, "write the name that the package has"));
        }
        let python = self.target.markers.python_full_version();
        if let Some(wanted) = metadata.requires_python.as_ref().filter(|wanted| !wanted.contains(python)) {
            let message = format!("`{}` needs Python {wanted}, and {python} is solved for", line.text);
            return Err(unusable(line, message, "name another version of it, or another Python"));
        }
        Ok(Located { direct, metadata, kind, url, artifact, warnings })
    }

    /// A local path as the lock states it: the same in every checkout.
    fn state_path(&self, path: &Path, absolute: bool) -> String {
        let url = if path.is_dir() { Url::from_directory_path(path) } else { Url::from_file_path(path) };
        match url {
            Ok(url) if absolute => url.as_str().trim_end_matches('/').to_owned(),
            _ => format!("file:{}", fs::relative(path, self.base)),
        }
    }

    /// What an archive says about itself; the error is a sentence.
    fn read(
        &self,
        direct: &Direct,
        file_name: &str,
        bytes: &[u8],
    ) -> Result<(Kind, ResolutionMetadata, Vec<String>), String> {
        if Path::new(file_name).extension().is_some_and(|extension| extension == "whl") {
            let named = WheelFilename::from_str(file_name).map_err(|error| error.to_string())?;
            if !named.is_compatible(&self.target.tags) {
                return Err("this wheel does not fit the solved Python and platform".to_owned());
            }
            let (metadata, warnings) = wheel_metadata(named.name.as_ref(), bytes)?;
            if (&metadata.name, &metadata.version) != (&named.name, &named.version) {
                return Err(format!("{file_name} says that it is {} {}", metadata.name, metadata.version));
            }
            return Ok((Kind::Wheel, metadata, warnings));
        }
        let known = known(direct, file_name);
        let known = known.as_ref().map(|(name, version)| (name, version));
        let (metadata, warnings) = sdist::metadata(file_name, bytes, known)?;
        Ok((Kind::Sdist, metadata, warnings))
    }

    /// What was found under a key in an earlier run: a text and an artifact that is still kept.
    fn recall(&self, key: &str) -> Result<Option<(String, Artifact)>, Error> {
        let Some(text) = fs::read_own(&self.kept(key))? else { return Ok(None) };
        let Some((text, sha256)) = text.split_once(' ') else { return Ok(None) };
        let size = self.fetcher.read(sha256).ok().map(|bytes| bytes.len() as u64);
        let artifact = Artifact { sha256: sha256.to_owned(), md5: None, size };
        Ok(size.map(|_| (text.to_owned(), artifact)))
    }

    fn remember(&self, key: &str, text: &str, artifact: &Artifact) -> Result<(), Error> {
        let path = self.kept(key);
        let mut file = fs::temporary_in(path.parent().unwrap_or(self.cache))?;
        std::io::Write::write_all(&mut file, format!("{text} {}", artifact.sha256).as_bytes())
            .map_err(|source| fs::Error::Io { action: "write", path: path.clone(), source })?;
        Ok(fs::publish(file, &path)?)
    }

    fn kept(&self, key: &str) -> PathBuf {
        self.cache.join("places").join(hex(&Sha256::digest(key)))
    }

    async fn fetch(&self, url: &Url, direct: &Direct) -> Result<Artifact, Error> {
        let sha256 = direct.hashes.iter().filter(|digest| digest.algorithm() == HashAlgorithm::Sha256);
        let mut sha256: Vec<_> = sha256.map(|digest| digest.digest.to_string()).collect();
        // Several are alternatives; a single one is a promise.
        let promised = Digests { sha256: sha256.pop().filter(|_| sha256.is_empty()), ..Digests::default() };
        if self.offline
            && promised.sha256.is_none()
            && let Some((_, artifact)) = self.recall(url.as_str())?
        {
            return Ok(artifact);
        }
        let artifact = self.fetcher.complete(url, &read_from(url, self.mirrors), &promised).await?;
        self.remember(url.as_str(), "-", &artifact)?;
        Ok(artifact)
    }

    /// The commit that a reference is, and its tree.
    fn git(&self, line: &PipLine, place: &Git) -> Result<(String, Artifact), Error> {
        let Git { repository, .. } = place;
        let (reference, subdirectory) = (place.reference.as_deref(), place.subdirectory.as_deref());
        let key_of =
            |reference: &str| format!("{repository}@{reference}#{}", subdirectory.unwrap_or_default());
        let key = key_of(reference.unwrap_or_default());
        // What a commit is never changes; a branch is asked for anew.
        if (self.offline || reference.is_some_and(is_commit))
            && let Some(found) = self.recall(&key)?
        {
            return Ok(found);
        }
        if self.offline {
            return Err(Error::NotCached {
                what: format!("`{}` is a version control URL that is not in the cache", line.text),
                hint: "run once without --offline".to_owned(),
            });
        }
        let header = place.credentials.as_ref().map(authorization);
        let found = git::pack(repository.as_str(), header.as_deref(), reference, subdirectory, self.cache);
        let (commit, bytes) = found.map_err(|failure| match failure {
            git::Failure::NoGit => {
                unusable(line, format!("`{}` needs git, which is not on PATH", line.text), "install git")
            }
            git::Failure::NoReference(wanted) => {
                let message = format!("`{}`: the repository has no `{wanted}`", line.text);
                unusable(line, message, "name a tag, a branch or a commit behind `@`")
            }
            git::Failure::NoTree(said) => unusable(line, format!("`{}`: {said}", line.text), NO_TREE),
            git::Failure::Unreachable(reason) => {
                Error::Store(store::Error::Unreachable { url: format!("git+{repository}"), reason })
            }
            git::Failure::Fs(error) => error.into(),
        })?;
        let artifact = self.fetcher.keep(&bytes)?;
        self.remember(&key, &commit, &artifact)?;
        self.remember(&key_of(&commit), &commit, &artifact)?;
        Ok((commit, artifact))
    }
}

/// The URL as the lock states it, and the name of its file.
fn state(url: &Url) -> (String, String) {
    let name = url.path_segments().and_then(Iterator::last).unwrap_or_default();
    let name = crate::spec::channel::percent_decoded(name);
    (url.to_string(), name)
}

/// Whether the artifact has one of the hashes that its line states.
fn check(direct: &Direct, url: &str, artifact: &Artifact) -> Result<(), Error> {
    let stated: Vec<_> = direct.hashes.iter().filter(|it| it.algorithm() == HashAlgorithm::Sha256).collect();
    if stated.is_empty() || stated.iter().any(|digest| *digest.digest == *artifact.sha256) {
        return Ok(());
    }
    Err(Error::Store(store::Error::WrongHash {
        url: url.to_owned(),
        kind: "sha256",
        expected: stated.iter().map(|digest| digest.digest.to_string()).collect::<Vec<_>>().join(" or "),
        found: artifact.sha256.clone(),
    }))
}

fn authorization(credentials: &Credentials) -> String {
    let pair = STANDARD.encode(format!("{}:{}", credentials.user, credentials.password));
    format!("Authorization: Basic {pair}")
}

/// The name under which a packed tree is read.
const TREE: &str = "tree.tar";
const NO_TREE: &str = "name a directory whose files can be read, all of them in it";
const BUILT: &str =
    "envlock reads metadata and runs nothing: publish a wheel, or declare `[project]` in pyproject.toml";

/// Whether a reference names one tree for ever.
pub(super) fn is_commit(reference: &str) -> bool {
    reference.len() == 40 && reference.chars().all(|c| c.is_ascii_hexdigit())
}

/// Name and version by the file's name.
fn known(direct: &Direct, file_name: &str) -> Option<(PackageName, Version)> {
    if let Ok(parsed) = SourceDistFilename::parsed_normalized_filename(file_name) {
        return Some((parsed.name, parsed.version));
    }
    let name = direct.name.as_ref()?;
    let stem =
        [".tar.gz", ".tgz", ".zip", ".tar"].iter().find_map(|ending| file_name.strip_suffix(ending))?;
    let version = stem.rsplit_once('-').map_or(stem, |(_, version)| version);
    Some((name.clone(), Version::from_str(version).ok()?))
}

/// What the `METADATA` of a wheel says, repaired where it must be; the error is a sentence.
pub(super) fn wheel_metadata(name: &str, bytes: &[u8]) -> Result<(ResolutionMetadata, Vec<String>), String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let is_metadata = |name: &str| {
        name.split_once('/').is_some_and(|(top, rest)| top.ends_with(".dist-info") && rest == "METADATA")
    };
    let index = (0..archive.len()).find(|index| {
        archive.by_index_raw(*index).is_ok_and(|entry| entry.name().is_ok_and(|name| is_metadata(&name)))
    });
    let index = index.ok_or("there is no METADATA in it")?;
    let mut text = Vec::new();
    let entry = archive.by_index(index).map_err(|error| error.to_string())?;
    entry.take(sdist::LIMIT).read_to_end(&mut text).map_err(|error| error.to_string())?;
    let broken = match ResolutionMetadata::parse_metadata(&text) {
        Ok(metadata) => return Ok((metadata, Vec::new())),
        Err(error) => crate::causes::chain(&error),
    };
    let (text, warnings) = repair::metadata(name, &String::from_utf8_lossy(&text)).ok_or(broken)?;
    let metadata = ResolutionMetadata::parse_metadata(text.as_bytes());
    Ok((metadata.map_err(|error| crate::causes::chain(&error))?, warnings))
}
