//! An index of Python packages on disk: real wheels and sdists with real hashes.

use std::{
    collections::BTreeMap,
    io::{Cursor, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::Server;

/// A file of the index.
struct File {
    name: String,
    sha256: String,
    requires_python: Option<String>,
    yanked: Option<String>,
    uploaded: String,
}

/// An index that is being made, at `simple/` and `files/` of a directory.
pub struct Index {
    directory: tempfile::TempDir,
    projects: BTreeMap<String, Vec<File>>,
}

impl Index {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), projects: BTreeMap::new() }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join("files").join(name)
    }

    /// A pure wheel with these `Requires-Dist`; an entry `extra: x` declares an extra.
    pub fn wheel(&mut self, name: &str, version: &str, requires: &[&str]) -> &mut Self {
        self.tagged(name, version, "py3-none-any", requires)
    }

    /// A wheel for a platform.
    pub fn tagged(&mut self, name: &str, version: &str, tag: &str, requires: &[&str]) -> &mut Self {
        let bytes = wheel(name, version, requires);
        self.add(name, &format!("{}-{version}-{tag}.whl", name.replace('-', "_")), &bytes)
    }

    /// An sdist with these files below its top directory.
    pub fn sdist(&mut self, name: &str, version: &str, files: &[(&str, &str)]) -> &mut Self {
        let bytes = sdist(name, version, files);
        self.add(name, &format!("{name}-{version}.tar.gz"), &bytes)
    }

    /// Any file.
    pub fn add(&mut self, project: &str, file: &str, bytes: &[u8]) -> &mut Self {
        let path = self.file(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self.projects.entry(project.to_owned()).or_default().push(File {
            name: file.to_owned(),
            sha256: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
            requires_python: None,
            yanked: None,
            uploaded: "2024-01-01T00:00:00Z".to_owned(),
        });
        self
    }

    fn last(&mut self, project: &str) -> &mut File {
        self.projects.get_mut(project).unwrap().last_mut().unwrap()
    }

    /// Of the project's last file.
    pub fn requires_python(&mut self, project: &str, range: &str) -> &mut Self {
        self.last(project).requires_python = Some(range.to_owned());
        self
    }

    pub fn yanked(&mut self, project: &str, reason: &str) -> &mut Self {
        self.last(project).yanked = Some(reason.to_owned());
        self
    }

    pub fn uploaded(&mut self, project: &str, instant: &str) -> &mut Self {
        instant.clone_into(&mut self.last(project).uploaded);
        self
    }

    pub fn claims_sha256(&mut self, project: &str, sha256: &str) -> &mut Self {
        sha256.clone_into(&mut self.last(project).sha256);
        self
    }

    /// Writes the pages as PyPI does, in JSON (PEP 691).
    pub fn json(&self) -> &Self {
        for (project, files) in &self.projects {
            let files: Vec<_> = files
                .iter()
                .map(|file| {
                    serde_json::json!({
                        "filename": file.name, "url": format!("../../files/{}", file.name),
                        "hashes": { "sha256": file.sha256 }, "requires-python": file.requires_python,
                        "yanked": file.yanked.as_ref().map_or(serde_json::json!(false), |it| it.as_str().into()),
                        "upload-time": file.uploaded,
                        "size": std::fs::metadata(self.file(&file.name)).unwrap().len(),
                    })
                })
                .collect();
            let page =
                serde_json::json!({ "meta": { "api-version": "1.1" }, "name": project, "files": files });
            self.page(project, "index.json", &page.to_string());
        }
        self
    }

    /// Writes the pages in HTML alone (PEP 503), with or without hashes.
    pub fn html(&self, hashes: bool) -> &Self {
        for (project, files) in &self.projects {
            let link = |file: &File| {
                let fragment = if hashes { format!("#sha256={}", file.sha256) } else { String::new() };
                format!("<a href=\"../../files/{}{fragment}\">{}</a><br>\n", file.name, file.name)
            };
            let links: String = files.iter().map(link).collect();
            self.page(
                project,
                "index.html",
                &format!("<!DOCTYPE html><html><body>\n{links}</body></html>\n"),
            );
        }
        self
    }

    fn page(&self, project: &str, name: &str, text: &str) {
        let directory = self.path().join("simple").join(project);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(name), text).unwrap();
    }

    /// Serves it at `/index`, with faults.
    pub fn serve(&self, faults: &[&str]) -> Server {
        let root = format!("index={}", self.path().display());
        let mut arguments = vec!["--root", &root];
        for fault in faults {
            arguments.extend(["--fault", fault]);
        }
        Server::start(&arguments)
    }
}

/// The bytes of a wheel.
pub fn wheel(name: &str, version: &str, requires: &[&str]) -> Vec<u8> {
    let mut metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    metadata.extend(requires.iter().map(|requirement| match requirement.strip_prefix("extra: ") {
        Some(extra) => format!("Provides-Extra: {extra}\n"),
        None => format!("Requires-Dist: {requirement}\n"),
    }));
    wheel_with(name, version, &metadata)
}

/// The bytes of a wheel with this METADATA.
pub fn wheel_with(name: &str, version: &str, metadata: &str) -> Vec<u8> {
    let stem = name.replace('-', "_");
    let top = format!("{stem}-{version}.dist-info");
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let tags = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    for (path, text) in [
        (format!("{stem}/__init__.py"), ""),
        (format!("{top}/METADATA"), metadata),
        (format!("{top}/WHEEL"), tags),
        (format!("{top}/RECORD"), ""),
    ] {
        archive.start_file(path, options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// The bytes of an sdist with these files below its top directory.
pub fn sdist(name: &str, version: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{name}-{version}/{path}"), text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}
