//! The content of every path of a package, now that prefix and neighbours are known.
//!
//! Prefixes are replaced by rattler's routines, byte for byte as conda has it; commands are rattler's, too, for
//! wheels as well. The records of a package name only paths that are its own in this tree.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rattler::install::{PythonInfo, link::copy_and_replace_placeholders, python_entry_point_template};
use rattler_conda_types::{
    PackageRecord, PrefixRecord, RepoDataRecord,
    package::FileMode,
    prefix_record::{PathType, PathsEntry},
};
use rattler_digest::{Sha256Hash, parse_digest_from_hex};

use super::{
    Entry, Error, MARKER, Request, TreePath,
    layout::{Item, Source},
    unpack::{About, File, Unpacked, What},
};
use crate::{
    lock::Package,
    store::{Added, Files},
};

/// What a package's content depends on besides itself.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) python: Option<&'a PythonInfo>,
    pub(super) files: &'a Files,
}

impl Context<'_> {
    /// The entries of a package's items, in their order.
    pub(super) fn finish(
        &self,
        package: &Package,
        unpacked: &Unpacked,
        items: &[Item],
        owned: &dyn Fn(&TreePath) -> bool,
    ) -> Result<Vec<Entry>, Error> {
        let mut entries = Vec::with_capacity(items.len());
        for item in items {
            entries.push(match &item.source {
                Source::Record => None,
                _ => Some(self.entry(package, item)?),
            });
        }
        let mut listed: Vec<(&Item, &Entry)> = items
            .iter()
            .zip(&entries)
            .filter_map(|(item, entry)| Some((item, entry.as_ref()?)))
            .filter(|(item, _)| owned(&item.path))
            .collect();
        listed.sort_by(|a, b| a.0.path.cmp(&b.0.path));
        let record = match &unpacked.about {
            About::Conda { .. } => conda_record(package, unpacked, &listed)?.into_bytes(),
            About::Wheel { .. } => {
                let own = items.iter().find(|item| matches!(item.source, Source::Record));
                wheel_record(own.map_or("", |item| &item.path), &listed)
                    .map_err(|error| Error::unsound(package, "RECORD", error.to_string()))?
            }
        };
        let record = self.generated(&record, false)?;
        Ok(entries.into_iter().map(|entry| entry.unwrap_or_else(|| record.clone())).collect())
    }

    fn entry(&self, package: &Package, item: &Item) -> Result<Entry, Error> {
        match &item.source {
            Source::Member(member) => match &member.what {
                What::Directory => Ok(Entry::Directory),
                What::Symlink { target } => {
                    // A path of noarch packages moves, and so does what a link from there means.
                    let target = item.path.check_link(target.as_bytes());
                    let target =
                        target.map_err(|reason| Error::unsound(package, member.path.clone(), reason))?;
                    Ok(Entry::Symlink { target })
                }
                What::File(file) => match &file.placeholder {
                    None => Ok(of(file)),
                    Some((mode, placeholder)) => {
                        self.with_prefix(package, &member.path, file, *mode, placeholder)
                    }
                },
            },
            Source::Script(member) => match &member.what {
                What::File(file) => self.script(package, &member.path, file),
                _ => Err(Error::unsound(package, member.path.clone(), "a script must be a file")),
            },
            Source::EntryPoint(point) => {
                let python = self.python()?;
                self.generated(
                    python_entry_point_template(self.request.prefix, false, point, python).as_bytes(),
                    true,
                )
            }
            Source::Installer => self.generated(b"envlock\n", false),
            Source::Record => Err(Error::unsound(package, item.path.to_string(), "a record of nothing")),
        }
    }

    fn python(&self) -> Result<&PythonInfo, Error> {
        self.python.ok_or_else(|| Error::Unsupported {
            what: self.request.environment.to_owned(),
            reason: "it has no Python".to_owned(),
            hint: "add `python` to its dependencies".to_owned(),
        })
    }

    fn generated(&self, content: &[u8], executable: bool) -> Result<Entry, Error> {
        let Added { sha256, size } = self.files.add(content, executable)?;
        Ok(Entry::File { sha256, size, executable })
    }

    /// The content of a file of the archive.
    fn content(&self, package: &Package, path: &str, file: &File) -> Result<Vec<u8>, Error> {
        self.files
            .read(&file.sha256, file.executable)?
            .ok_or_else(|| Error::Stale { artifact: package.file_name(), member: path.to_owned() })
    }

    fn with_prefix(
        &self,
        package: &Package,
        path: &str,
        file: &File,
        mode: FileMode,
        placeholder: &str,
    ) -> Result<Entry, Error> {
        let (content, prefix) = (self.content(package, path, file)?, self.request.prefix);
        if mode == FileMode::Binary && prefix.len() > placeholder.len() {
            return Err(Error::Unsupported {
                what: package.file_name(),
                reason: format!(
                    "{path} has room for a prefix of {} bytes, and {prefix} has {}",
                    placeholder.len(),
                    prefix.len()
                ),
                hint: "choose a shorter prefix".to_owned(),
            });
        }
        let mut replaced = Vec::with_capacity(content.len());
        copy_and_replace_placeholders(
            &content,
            &mut replaced,
            placeholder,
            prefix,
            &self.request.platform,
            mode,
        )
        .map_err(|error| Error::unsound(package, path, error.to_string()))?;
        self.generated(&replaced, file.executable)
    }

    /// A script of a wheel: what begins with `#!python` gets the environment's (PEP 427).
    fn script(&self, package: &Package, path: &str, file: &File) -> Result<Entry, Error> {
        let content = self.content(package, path, file)?;
        let end = content.iter().position(|byte| *byte == b'\n').unwrap_or(content.len());
        // Options and versions behind it go, as they do with pip.
        if !content.starts_with(b"#!python") {
            return self.generated(&content, true);
        }
        let mut script = self.python()?.shebang(self.request.prefix).into_bytes();
        script.extend_from_slice(&content[end..]);
        self.generated(&script, true)
    }
}

fn of(file: &File) -> Entry {
    Entry::File { sha256: file.sha256.clone(), size: file.size, executable: file.executable }
}

/// `conda-meta/*.json`: what `conda list` and `micromamba list` read. No times, and no paths of this machine.
fn conda_record(package: &Package, unpacked: &Unpacked, listed: &[(&Item, &Entry)]) -> Result<String, Error> {
    let wrong = |reason: String| Error::unsound(package, "info/index.json", reason);
    let About::Conda { index, .. } = &unpacked.about else { return Ok(String::new()) };
    let sha256 = digest(&package.sha256);
    let record = PackageRecord::from_index_json((**index).clone(), Some(unpacked.size), sha256, None)
        .map_err(|error| wrong(error.to_string()))?;
    let url = url::Url::parse(&package.url).map_err(|error| wrong(format!("{}: {error}", package.url)))?;
    let repodata_record = RepoDataRecord {
        package_record: record,
        identifier: package.file_name().parse().map_err(&wrong)?,
        // The channel is what the subdir lies in.
        channel: url.join("..").ok().map(|url| crate::spec::channel::bare(&url)),
        url,
    };
    let paths = listed.iter().map(|(item, entry)| paths_entry(item, entry)).collect();
    let record = PrefixRecord::from_repodata_record(repodata_record, paths);
    let text = serde_json::to_string_pretty(&record).map_err(|error| wrong(error.to_string()))?;
    Ok(text + "\n")
}

fn paths_entry(item: &Item, entry: &Entry) -> PathsEntry {
    let archived = match &item.source {
        Source::Member(member) => match &member.what {
            What::File(file) => Some(file),
            _ => None,
        },
        _ => None,
    };
    let (path_type, in_prefix, size) = match (&item.source, entry) {
        (Source::EntryPoint(_), Entry::File { sha256, size, .. }) => {
            (PathType::UnixPythonEntryPoint, Some(sha256), Some(*size))
        }
        (_, Entry::File { sha256, size, .. }) => (PathType::HardLink, Some(sha256), Some(*size)),
        (_, Entry::Symlink { .. }) => (PathType::SoftLink, None, None),
        (_, Entry::Directory) => (PathType::Directory, None, None),
    };
    let sha256 = archived.map(|file| &file.sha256).or(in_prefix);
    PathsEntry {
        relative_path: item.path.as_ref().into(),
        original_path: None,
        path_type,
        no_link: false,
        sha256: sha256.and_then(|hex| digest(hex)),
        sha256_in_prefix: in_prefix.filter(|it| Some(*it) != sha256).and_then(|hex| digest(hex)),
        size_in_bytes: size,
        file_mode: archived.and_then(|file| file.placeholder.as_ref()).map(|(mode, _)| *mode),
        prefix_placeholder: archived.and_then(|file| file.placeholder.as_ref()).map(|(_, text)| text.clone()),
    }
}

fn digest(hex: &str) -> Option<Sha256Hash> {
    parse_digest_from_hex::<rattler_digest::Sha256>(hex)
}

/// `RECORD` of an installed project (PEP 376): paths relative to site-packages, sorted, itself without a hash.
fn wheel_record(own: &str, listed: &[(&Item, &Entry)]) -> Result<Vec<u8>, csv::Error> {
    // RECORD lies in site-packages/NAME.dist-info.
    let site_packages = own.rsplitn(3, '/').nth(2).unwrap_or_default();
    let up = "../".repeat(site_packages.split('/').count());
    let relative = |path: &str| match path.strip_prefix(site_packages).and_then(|rest| rest.strip_prefix('/'))
    {
        Some(inner) => inner.to_owned(),
        None => format!("{up}{path}"),
    };
    let mut rows: BTreeMap<String, [String; 2]> = BTreeMap::from([(relative(own), Default::default())]);
    for (item, entry) in listed {
        if let Entry::File { sha256, size, .. } = entry {
            let digest = digest(sha256).map(|digest| URL_SAFE_NO_PAD.encode(digest)).unwrap_or_default();
            rows.insert(relative(&item.path), [format!("sha256={digest}"), size.to_string()]);
        }
    }
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    for (path, [digest, size]) in &rows {
        writer.write_record([path, digest, size])?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

/// Files that belong to the environment as a whole.
pub(super) fn of_the_environment(request: &Request) -> Vec<(&'static str, Vec<u8>)> {
    // Texts and numbers always serialise.
    let marker = serde_json::to_string_pretty(&request.marker()).unwrap_or_default();
    // Without a history, conda takes the directory for no environment.
    let mut files = vec![(MARKER, (marker + "\n").into_bytes()), ("conda-meta/history", Vec::new())];
    if !request.variables.is_empty() {
        let state = serde_json::json!({ "version": 1, "env_vars": request.variables });
        files.push(("conda-meta/state", format!("{state:#}\n").into_bytes()));
    }
    files
}
