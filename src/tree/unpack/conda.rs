//! conda packages: `.conda` and `.tar.bz2`, by rattler's streams of their members.
//!
//! Sources: conda's package specification, CEP 34 (contents of conda packages) for `info/`.

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet, HashMap},
    io::Read,
    rc::Rc,
};

use rattler_conda_types::package::{
    CondaArchiveType, Files as FilesList, HasPrefix, IndexJson, LinkJson, NoArchLinks, PackageFile, PathType,
    PathsEntry, PathsJson,
};
use rattler_package_streaming::{read, seek};
use tar::{Archive, EntryType};

use super::{About, Bounded, Error, File, Member, Open, Promise, TreePath, Unpacker, What};

/// Where a package keeps what it says about itself.
const INFO: &str = "info/";
/// What of that is read.
const WANTED: [&str; 5] =
    ["info/index.json", "info/paths.json", "info/link.json", "info/files", "info/has_prefix"];
const TWICE: &str = "it is in the archive twice";

/// Whether there is nothing more to read: only `noarch: python` packages need their `link.json`.
fn is_complete(texts: &BTreeMap<&'static str, Vec<u8>>) -> bool {
    let index = texts.get("info/index.json").and_then(|text| IndexJson::from_slice(text).ok());
    let is_python = index.is_some_and(|index| index.noarch.is_python());
    texts.contains_key("info/index.json")
        && texts.contains_key("info/paths.json")
        && (!is_python || texts.contains_key("info/link.json"))
}

/// Unpacks a package.
pub(super) fn unpack(unpacker: &Unpacker, open: Open) -> Result<(Vec<Member>, About), Error> {
    let info = Info::read(unpacker, open)?;
    let promises = info.promises(unpacker)?;
    let members = contents(unpacker, open, &promises)?;
    Ok((members, About::Conda { index: Box::new(info.index), entry_points: info.entry_points }))
}

/// What `info/` says.
struct Info {
    index: IndexJson,
    paths: PathsJson,
    entry_points: Vec<rattler_conda_types::package::EntryPoint>,
}

impl Info {
    fn read(unpacker: &Unpacker, open: Open) -> Result<Self, Error> {
        let package = unpacker.package;
        let mut texts: BTreeMap<&'static str, Vec<u8>> = BTreeMap::new();
        let mut kinds = HashMap::new();
        each_member(unpacker, open, Part::Info, &mut |path, entry| {
            if let Some(name) = WANTED.iter().find(|name| **name == &**path) {
                let content = unpacker.small(name, entry)?;
                if texts.insert(name, content).is_some() {
                    return Err(Error::unsound(package, *name, TWICE));
                }
            } else if !path.starts_with(INFO) {
                kinds.insert(path.clone(), entry.header().entry_type());
                // A .tar.bz2 has its info first, so that whoever only wants that can stop here.
                return Ok(if is_complete(&texts) { Next::Stop } else { Next::Go });
            }
            Ok(Next::Go)
        })?;
        let index: IndexJson = parse(unpacker, &texts)?
            .ok_or_else(|| Error::unsound_whole(package, "it has no info/index.json"))?;
        let paths = match parse(unpacker, &texts)? {
            Some(paths) => paths,
            None => Self::old_paths(unpacker, &texts, &kinds)?,
        };
        let link: Option<LinkJson> = parse(unpacker, &texts)?;
        let entry_points = match link.map(|link| link.noarch) {
            Some(NoArchLinks::Python(python)) => python.entry_points,
            _ => Vec::new(),
        };
        Ok(Self { index, paths, entry_points })
    }

    /// Before there was `paths.json`, several files said the same.
    fn old_paths(
        unpacker: &Unpacker,
        texts: &BTreeMap<&'static str, Vec<u8>>,
        kinds: &HashMap<TreePath, EntryType>,
    ) -> Result<PathsJson, Error> {
        let package = unpacker.package;
        let files: FilesList = parse(unpacker, texts)?
            .ok_or_else(|| Error::unsound_whole(package, "it has neither info/paths.json nor info/files"))?;
        let has_prefix: Option<HasPrefix> = parse(unpacker, texts)?;
        PathsJson::from_deprecated(files, has_prefix, None, None, |path| {
            let path = unpacker.path(path.as_os_str().as_encoded_bytes())?;
            match kinds.get(&path) {
                Some(EntryType::Symlink) => Ok(PathType::SoftLink),
                Some(EntryType::Directory) => Ok(PathType::Directory),
                Some(_) => Ok(PathType::HardLink),
                None => {
                    Err(Error::unsound(package, path.to_string(), "info/files names it, and it is not there"))
                }
            }
        })
    }

    /// What `paths.json` promises, by path.
    fn promises(&self, unpacker: &Unpacker) -> Result<BTreeMap<TreePath, PathsEntry>, Error> {
        let package = unpacker.package;
        let mut promises = BTreeMap::new();
        let mut sum: u64 = 0;
        for entry in &self.paths.paths {
            let path = unpacker.path(entry.relative_path.as_os_str().as_encoded_bytes())?;
            sum = sum.saturating_add(entry.size_in_bytes.unwrap_or_default());
            if promises.insert(path.clone(), entry.clone()).is_some() {
                return Err(Error::unsound(package, path.to_string(), "info/paths.json names it twice"));
            }
        }
        if sum > unpacker.limit {
            let reason = format!("it promises {sum} bytes, more than any real package of its size has");
            return Err(Error::unsound(package, "info/paths.json", reason));
        }
        Ok(promises)
    }
}

/// Reads the members that `paths.json` names; others are not part of the package, as conda has it.
fn contents(
    unpacker: &Unpacker,
    open: Open,
    promises: &BTreeMap<TreePath, PathsEntry>,
) -> Result<Vec<Member>, Error> {
    let package = unpacker.package;
    let wrong = |path: &TreePath, reason: &str| Error::unsound(package, path.to_string(), reason);
    let mut found: BTreeMap<TreePath, What> = BTreeMap::new();
    // Links to another member: (link, target).
    let mut links: Vec<(TreePath, TreePath)> = Vec::new();
    let mut seen = BTreeSet::new();
    each_member(unpacker, open, Part::Content, &mut |path, entry| {
        let kind = entry.header().entry_type();
        if kind != EntryType::Directory && !seen.insert(path.clone()) {
            return Err(wrong(path, TWICE));
        }
        if path.starts_with(INFO) {
            return Ok(Next::Go);
        }
        let mode = entry.header().mode().map_err(|_| wrong(path, "its mode cannot be read"))?;
        let promise = promises.get(path);
        let what = match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                if mode & 0o6000 != 0 {
                    return Err(wrong(
                        path,
                        "it wants to run with the rights of its owner (setuid or setgid)",
                    ));
                }
                let Some(promise) = promise else { return Ok(Next::Go) };
                if promise.path_type != PathType::HardLink {
                    return Err(wrong(path, "it is a file and info/paths.json says otherwise"));
                }
                What::File(unpacker.file(path, entry, mode & 0o111 != 0, &of_paths_entry(promise))?)
            }
            EntryType::Symlink => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let target = path.check_link(&target).map_err(|reason| wrong(path, reason))?;
                let Some(promise) = promise else { return Ok(Next::Go) };
                if promise.path_type != PathType::SoftLink {
                    return Err(wrong(path, "it is a symlink and info/paths.json says otherwise"));
                }
                What::Symlink { target }
            }
            EntryType::Link => {
                let target = entry.link_name_bytes().unwrap_or_default().into_owned();
                let target = TreePath::parse(&target)
                    .map_err(|reason| wrong(path, &format!("it is a link to another file: {reason}")))?;
                links.push((path.clone(), target));
                return Ok(Next::Go);
            }
            EntryType::Directory if promise.is_some_and(|it| it.path_type == PathType::Directory) => {
                What::Directory
            }
            EntryType::Directory | EntryType::XGlobalHeader => return Ok(Next::Go),
            _ => return Err(wrong(path, "it is neither file, directory nor link")),
        };
        found.insert(path.clone(), what);
        Ok(Next::Go)
    })?;
    hard_links(unpacker, open, links, promises, &seen, &mut found)?;
    if let Some(missing) = promises.keys().find(|path| !found.contains_key(*path)) {
        return Err(wrong(missing, "info/paths.json names it, and it is not in the archive"));
    }
    Ok(found.into_iter().map(|(path, what)| Member { path: path.to_string(), what }).collect())
}

/// Gives hard links the content of the member that they name, which is read again, since it need not be in
/// `paths.json` itself.
fn hard_links(
    unpacker: &Unpacker,
    open: Open,
    links: Vec<(TreePath, TreePath)>,
    promises: &BTreeMap<TreePath, PathsEntry>,
    seen: &BTreeSet<TreePath>,
    found: &mut BTreeMap<TreePath, What>,
) -> Result<(), Error> {
    let package = unpacker.package;
    if links.is_empty() {
        return Ok(());
    }
    // A link to a link is one to what that names; what is linked to comes first in an archive.
    let mut resolved: BTreeMap<TreePath, TreePath> = BTreeMap::new();
    let mut by_target: BTreeMap<TreePath, Vec<TreePath>> = BTreeMap::new();
    for (path, target) in links {
        let target = resolved.get(&target).cloned().unwrap_or(target);
        if !seen.contains(&target) {
            let reason = format!("it is a link to {target}, which is not in the archive");
            return Err(Error::unsound(package, path.to_string(), reason));
        }
        resolved.insert(path.clone(), target.clone());
        by_target.entry(target).or_default().push(path);
    }
    each_member(unpacker, open, Part::Content, &mut |target, entry| {
        let mode = entry.header().mode().unwrap_or(0o644);
        if !entry.header().entry_type().is_file() {
            return Ok(Next::Go);
        }
        let mut stored: Option<File> = None;
        for path in by_target.remove(target).unwrap_or_default() {
            let Some(promise) = promises.get(&path) else { continue };
            if promise.path_type != PathType::HardLink {
                return Err(Error::unsound(
                    package,
                    path.to_string(),
                    "it is a file and info/paths.json says otherwise",
                ));
            }
            let promise = of_paths_entry(promise);
            let holds = |file: &File| {
                promise.sha256.as_ref().is_none_or(|sha256| *sha256 == file.sha256)
                    && promise.size.is_none_or(|size| size == file.size)
            };
            let file = match stored.take() {
                None => unpacker.file(&path, entry, mode & 0o111 != 0, &promise)?,
                // The same file: what is promised of this name of it must hold as well.
                Some(file) if holds(&file) => File { placeholder: promise.placeholder, ..file },
                Some(_) => {
                    return Err(Error::unsound(
                        package,
                        path.to_string(),
                        "its size or sha256 is not the promised one",
                    ));
                }
            };
            stored = Some(file.clone());
            found.insert(path, What::File(file));
        }
        Ok(Next::Go)
    })?;
    match by_target.into_iter().next() {
        Some((target, _)) => {
            Err(Error::unsound(package, target.to_string(), "a link names it, and it is no file"))
        }
        None => Ok(()),
    }
}

fn of_paths_entry(entry: &PathsEntry) -> Promise {
    Promise {
        size: entry.size_in_bytes,
        sha256: entry.sha256.map(|digest| crate::lock::fingerprint::hex(&digest)),
        placeholder: entry.prefix_placeholder.as_ref().map(|it| (it.file_mode, it.placeholder.clone())),
    }
}

fn parse<T: PackageFile>(
    unpacker: &Unpacker,
    texts: &BTreeMap<&'static str, Vec<u8>>,
) -> Result<Option<T>, Error> {
    let name = T::package_path().to_string_lossy();
    let Some(text) = texts.get(&*name) else { return Ok(None) };
    T::from_slice(text)
        .map(Some)
        .map_err(|error| Error::unsound(unpacker.package, name, format!("it cannot be understood: {error}")))
}

/// A part of a package; a `.tar.bz2` has all in one.
enum Part {
    Info,
    Content,
}

/// Whether to go on to the next member.
enum Next {
    Go,
    Stop,
}

/// How many bytes of a tar file may go by between two members: padding, and long names.
const BETWEEN_MEMBERS: u64 = 1 << 20;

type Entry<'a> = tar::Entry<'a, Box<dyn Read>>;

/// Calls `visit` with every member and its checked path, but for the top of the archive itself.
fn each_member(
    unpacker: &Unpacker,
    open: Open,
    part: Part,
    visit: &mut dyn FnMut(&TreePath, &mut Entry) -> Result<Next, Error>,
) -> Result<(), Error> {
    let package = unpacker.package;
    let unreadable = |error: std::io::Error| super::unreadable(package, &error);
    let allowance = Rc::new(Cell::new(BETWEEN_MEMBERS));
    let inner = stream(unpacker, open, part)?;
    let reader: Box<dyn Read> =
        Box::new(Bounded { inner, left: unpacker.limit, allowance: allowance.clone() });
    let mut archive = Archive::new(reader);
    for entry in archive.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        allowance.set(u64::MAX);
        let bytes = entry.path_bytes().into_owned();
        let is_top = bytes.iter().all(|byte| b"./".contains(byte));
        if !(is_top && entry.header().entry_type() == EntryType::Directory) {
            let path = unpacker.path(&bytes)?;
            if matches!(visit(&path, &mut entry)?, Next::Stop) {
                return Ok(());
            }
        }
        // What was not read of it goes by as well, as it is stored: holes are not.
        allowance.set(BETWEEN_MEMBERS + entry.header().entry_size().unwrap_or_default());
    }
    Ok(())
}

/// The tar file of a part.
fn stream(unpacker: &Unpacker, open: Open, part: Part) -> Result<Box<dyn Read>, Error> {
    let package = unpacker.package;
    let unreadable = |error: &dyn std::error::Error| {
        Error::unsound_whole(package, format!("it cannot be read: {}", crate::causes::chain(error)))
    };
    let content = open()?;
    let name = package.file_name();
    Ok(match (CondaArchiveType::try_from(std::path::Path::new(&name)), part) {
        (Some(CondaArchiveType::TarBz2), _) => Box::new(read::stream_tar_bz2(content).into_inner()),
        (Some(CondaArchiveType::Conda), Part::Info) => {
            Box::new(seek::stream_conda_info(content).map_err(|error| unreadable(&error))?.into_inner())
        }
        (Some(CondaArchiveType::Conda), Part::Content) => {
            Box::new(seek::stream_conda_content(content).map_err(|error| unreadable(&error))?.into_inner())
        }
        (None, _) => return Err(Error::unsound_whole(package, "it is neither a .conda nor a .tar.bz2 file")),
    })
}
