//! The members of a layer, whoever wrote it.

use std::{
    collections::BTreeMap,
    io::{self, Read},
    path::Path,
};

use flate2::read::MultiGzDecoder;
use oci_spec::image::MediaType;
use rattler_digest::{HashingReader, Sha256};
use tar::{Archive as Tar, EntryType};

use super::{
    content::LOCK_DIRECTORY,
    member::{Member, Members},
};
use crate::{lock::fingerprint::hex, tree::Entry};

/// How large all files of a layer whose content is kept may be.
const KEPT_LIMIT: u64 = 64 << 20;
/// How many bytes a layer may unpack to for each of its own, and how many besides.
const EXPANSION: (u64, u64) = (100, 64 << 20);

/// What is wrong with a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub reason: String,
    /// The member at which it was seen.
    pub path: Option<String>,
}

/// What is in a layer, as far as it can be read.
#[derive(Default)]
pub struct Found {
    /// Its members.
    pub members: Members,
    /// The content of those that say what is in the image: lock files, and the metadata of packages.
    pub kept: BTreeMap<String, Vec<u8>>,
    /// What is wrong with it.
    pub fault: Option<Fault>,
}

/// How many bytes a layer of some size may unpack to.
pub(super) fn limit(size: u64) -> u64 {
    size.saturating_mul(EXPANSION.0).saturating_add(EXPANSION.1)
}

/// What decompresses the bytes of a layer.
pub(super) fn decoder<'a>(source: impl Read + 'a, media_type: &MediaType) -> Box<dyn Read + 'a> {
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

/// Reads the members of a layer, of at most `limit` bytes; a fault names the one at which it was seen.
pub(super) fn unpack(source: impl Read, found: &mut Found, limit: u64) -> Result<(), Fault> {
    let mut at = None;
    members(source, found, &mut at, limit).map_err(|reason| Fault { reason, path: at })
}

fn members(source: impl Read, found: &mut Found, at: &mut Option<String>, limit: u64) -> Result<(), String> {
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
pub(super) fn flatten<'a>(layers: impl IntoIterator<Item = &'a Members>) -> BTreeMap<&'a str, &'a Member> {
    let mut whole: BTreeMap<&str, &Member> = BTreeMap::new();
    for layer in layers {
        for path in layer.keys() {
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let Some(hidden) = name.strip_prefix(".wh.") else { continue };
            let is_opaque = hidden == ".wh..opq";
            let hidden = match parent {
                _ if is_opaque => parent.to_owned(),
                "" => hidden.to_owned(),
                _ => format!("{parent}/{hidden}"),
            };
            whole.retain(|path, _| {
                let rest = path.strip_prefix(&hidden);
                let below = hidden.is_empty() || rest.is_some_and(|rest| rest.starts_with('/'));
                !below && (is_opaque || *path != hidden)
            });
        }
        let is_whiteout = |path: &str| path.rsplit('/').next().is_some_and(|name| name.starts_with(".wh."));
        let members = layer.iter().map(|(path, member)| (path.as_str(), member));
        whole.extend(members.filter(|(path, _)| !is_whiteout(path)));
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
        let whole = flatten([&lower, &upper]);
        assert_eq!(whole.keys().collect::<Vec<_>>(), [&"a", &"a/bc", &"d", &"d/f"]);
        let everything = members(&[".wh..wh..opq", "g"]);
        assert_eq!(flatten([&lower, &everything]).keys().collect::<Vec<_>>(), [&"g"]);
    }
}
