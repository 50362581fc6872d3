//! Packages made for a test, sound or not, and locks that name them.

use std::{
    fmt::Write as _,
    io::{Cursor, Write},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};
use tar::{EntryType, Header};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::Place;

/// sha256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A member of a tar archive, exactly as it is stated.
#[derive(Clone)]
pub struct Member {
    pub path: Vec<u8>,
    pub kind: EntryType,
    pub mode: u32,
    pub content: Vec<u8>,
    pub link: Vec<u8>,
}

impl Member {
    pub fn file(path: &str, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref().to_vec();
        Self { path: path.into(), kind: EntryType::Regular, mode: 0o644, content, link: Vec::new() }
    }

    pub fn executable(path: &str, content: impl AsRef<[u8]>) -> Self {
        Self { mode: 0o755, ..Self::file(path, content) }
    }

    pub fn link(path: &str, kind: EntryType, target: &str) -> Self {
        Self { path: path.into(), kind, mode: 0o777, content: Vec::new(), link: target.into() }
    }

    pub fn symlink(path: &str, target: &str) -> Self {
        Self::link(path, EntryType::Symlink, target)
    }

    pub fn of_kind(path: &str, kind: EntryType) -> Self {
        Self::link(path, kind, "")
    }
}

/// A tar file of these members; no name is checked.
pub fn tar(members: &[Member]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        let mut header = Header::new_gnu();
        let old = header.as_old_mut();
        old.name[..member.path.len()].copy_from_slice(&member.path);
        old.linkname[..member.link.len()].copy_from_slice(&member.link);
        header.set_entry_type(member.kind);
        header.set_mode(member.mode);
        header.set_size(member.content.len() as u64);
        header.set_cksum();
        builder.append(&header, member.content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A conda package that is being made.
#[derive(Clone)]
pub struct Conda {
    pub name: &'static str,
    pub members: Vec<Member>,
    /// Replaces `paths` of `info/paths.json`.
    pub paths: Option<serde_json::Value>,
    /// Added to `info/index.json`.
    pub index: serde_json::Value,
    /// Path → (file mode, placeholder).
    pub placeholders: Vec<(&'static str, &'static str, String)>,
    /// More files of `info/`.
    pub info: Vec<Member>,
}

impl Conda {
    pub fn new(name: &'static str, members: &[Member]) -> Self {
        let index = serde_json::json!({});
        Self {
            name,
            members: members.to_vec(),
            paths: None,
            index,
            placeholders: Vec::new(),
            info: Vec::new(),
        }
    }

    pub fn depends(mut self, on: &[&str]) -> Self {
        self.index["depends"] = on.into();
        self
    }

    pub fn paths(mut self, paths: serde_json::Value) -> Self {
        self.paths = Some(paths);
        self
    }

    pub fn placeholder(mut self, path: &'static str, mode: &'static str, placeholder: &str) -> Self {
        self.placeholders.push((path, mode, placeholder.to_owned()));
        self
    }

    /// `paths` as the members have it.
    pub fn true_paths(&self) -> serde_json::Value {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let entry = |member: &Member| {
            let path = text(&member.path);
            let kind = match member.kind {
                EntryType::Symlink => "softlink",
                EntryType::Directory => "directory",
                _ => "hardlink",
            };
            let mut entry = serde_json::json!({
                "_path": path, "path_type": kind, "sha256": sha256(&member.content), "size_in_bytes": member.content.len(),
            });
            if let Some((_, mode, placeholder)) = self.placeholders.iter().find(|it| it.0 == path) {
                entry["file_mode"] = (*mode).into();
                entry["prefix_placeholder"] = placeholder.as_str().into();
            }
            entry
        };
        self.members.iter().map(entry).collect::<Vec<_>>().into()
    }

    fn info(&self) -> Vec<Member> {
        let mut index = serde_json::json!({
            "name": self.name, "version": "1.0", "build": "0", "build_number": 0, "depends": [], "subdir": "linux-64",
        });
        for (key, value) in self.index.as_object().unwrap() {
            index[key] = value.clone();
        }
        let paths = self.paths.clone().unwrap_or_else(|| self.true_paths());
        let paths = serde_json::json!({ "paths": paths, "paths_version": 1 });
        let mut info = vec![
            Member::file("info/index.json", index.to_string()),
            Member::file("info/paths.json", paths.to_string()),
        ];
        info.extend(self.info.clone());
        info
    }

    /// A `.conda` file.
    pub fn conda(&self) -> Vec<u8> {
        zipped(&[
            ("metadata.json", br#"{"conda_pkg_format_version":2}"#.to_vec()),
            (&format!("pkg-{}-1.0-0.tar.zst", self.name), zstd(&tar(&self.members))),
            (&format!("info-{}-1.0-0.tar.zst", self.name), zstd(&tar(&self.info()))),
        ])
    }

    /// A `.tar.bz2` file.
    pub fn tar_bz2(&self) -> Vec<u8> {
        let mut members = self.info();
        members.extend(self.members.clone());
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(&tar(&members)).unwrap();
        encoder.finish().unwrap()
    }
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// A zip file of stored members.
pub fn zipped(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .last_modified_time(zip::DateTime::default());
    for (name, content) in members {
        zip.start_file(*name, stored).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A wheel that is being made; `RECORD` is true unless it is given.
pub struct Wheel {
    pub name: &'static str,
    /// Path, content, Unix mode.
    pub files: Vec<(String, Vec<u8>, u32)>,
    pub record: Option<String>,
}

impl Wheel {
    pub fn new(name: &'static str, files: &[(&str, &str)]) -> Self {
        let files =
            files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec(), 0o100_644));
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
        let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        let info = [("METADATA", metadata.as_str()), ("WHEEL", wheel)];
        let info = info.map(|(file, text)| (format!("{name}-1.0.dist-info/{file}"), text.into(), 0o100_644));
        Self { name, files: files.chain(info).collect(), record: None }
    }

    pub fn file(mut self, path: &str, content: &[u8], mode: u32) -> Self {
        self.files.push((path.to_owned(), content.to_vec(), mode));
        self
    }

    pub fn true_record(&self) -> String {
        let row = |(path, content, _): &(String, Vec<u8>, u32)| {
            let path = if path.contains(',') { format!("\"{path}\"") } else { path.clone() };
            format!("{path},sha256={},{}\n", URL_SAFE_NO_PAD.encode(Sha256::digest(content)), content.len())
        };
        let rows: String = self.files.iter().map(row).collect();
        format!("{rows}{}-1.0.dist-info/RECORD,,\n", self.name)
    }

    pub fn record(mut self, record: impl Into<String>) -> Self {
        self.record = Some(record.into());
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let record = self.record.clone().unwrap_or_else(|| self.true_record()).into_bytes();
        let record = (format!("{}-1.0.dist-info/RECORD", self.name), record, 0o100_644);
        for (path, content, mode) in self.files.iter().chain([&record]) {
            let options = SimpleFileOptions::default()
                .unix_permissions(mode & 0o7777)
                .last_modified_time(zip::DateTime::default());
            if mode & 0o170_000 == 0o120_000 {
                zip.add_symlink(path.as_str(), String::from_utf8_lossy(content), options).unwrap();
            } else {
                zip.start_file(path.as_str(), options).unwrap();
                zip.write_all(content).unwrap();
            }
        }
        zip.finish().unwrap().into_inner()
    }
}

/// A file that a lock names: manager, project, file name, content.
pub struct Artifact {
    pub manager: &'static str,
    pub name: String,
    pub file: String,
    pub bytes: Vec<u8>,
}

impl Artifact {
    pub fn conda(package: &Conda) -> Self {
        let file = format!("{}-1.0-0.conda", package.name);
        Self { manager: "conda", name: package.name.to_owned(), file, bytes: package.conda() }
    }

    pub fn tar_bz2(package: &Conda) -> Self {
        let file = format!("{}-1.0-0.tar.bz2", package.name);
        Self { manager: "conda", name: package.name.to_owned(), file, bytes: package.tar_bz2() }
    }

    pub fn wheel(wheel: &Wheel) -> Self {
        let file = format!("{}-1.0-py3-none-any.whl", wheel.name);
        Self { manager: "pip", name: wheel.name.to_owned(), file, bytes: wheel.bytes() }
    }
}

/// Puts artifacts into `channel/linux-64` of a place, and a `conda-lock.yml` that names them beside it.
pub fn lock(place: &Place, artifacts: &[Artifact]) {
    let base = format!("file://{}", place.path().display());
    lock_at(place, artifacts, &base);
}

/// The same with another base URL than the place itself.
pub fn lock_at(place: &Place, artifacts: &[Artifact], base: &str) {
    let mut text =
        "version: 1\nmetadata:\n  content_hash: {linux-64: x}\n  channels: []\n  platforms: [linux-64]\n  \
                    sources: [env.yml]\npackage:\n"
            .to_owned();
    for artifact in artifacts {
        let path = format!("channel/linux-64/{}", artifact.file);
        place.put(&path, &artifact.bytes);
        let Artifact { manager, name, .. } = artifact;
        let build = if *manager == "conda" { "  build: \"0\"\n" } else { "" };
        let _ = write!(
            text,
            "- name: {name}\n  version: \"1.0\"\n  manager: {manager}\n  platform: linux-64\n  dependencies: {{}}\n  \
             url: {base}/{path}\n  hash: {{sha256: {}}}\n{build}  category: main\n  optional: false\n",
            sha256(&artifact.bytes)
        );
    }
    place.put("conda-lock.yml", text);
}

/// A conda package that makes an environment one with a Python, as far as layout goes: it cannot run.
pub fn fake_python() -> Conda {
    Conda::new("python", &[Member::executable("bin/python1.0", "no program")])
}
