//! The thin layer that makes an image of environments: users, links to loader, certificates and time zones, the lock.

use std::{collections::BTreeMap, path::PathBuf};

use super::{
    Error,
    layer::{Layer, Owner, Writer},
};
use crate::{spec::project::Role, tree::Manifest};

/// The user that services run as, and its group.
pub(super) const USER_ID: u64 = 50_000;
const HOME: &str = "home/airflow";

/// What an image is made of.
pub struct Content<'a> {
    /// The role's name.
    pub role: &'a str,
    /// What the project says of it.
    pub services: &'a Role,
    /// The trees, each for its place in an image.
    pub runtime: &'a Manifest,
    /// The user environment's.
    pub user: &'a Manifest,
    /// The role's own, if it has one.
    pub system: Option<&'a Manifest>,
    /// The lock, as files by name.
    pub lock: &'a [(String, Vec<u8>)],
}

/// What a container of the image starts with.
pub struct Image {
    /// What every command is started by.
    pub entrypoint: Vec<String>,
    /// The command, if none is given.
    pub command: Vec<String>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// User and group.
    pub user: String,
    /// Where it starts.
    pub directory: String,
}

impl Content<'_> {
    /// Every tree, from what all roles have to what one has.
    pub(super) fn trees(&self) -> impl Iterator<Item = &Manifest> {
        [self.runtime, self.user].into_iter().chain(self.system)
    }

    /// What a container starts with.
    pub(super) fn image(&self) -> Image {
        let prefix = |manifest: &Manifest| manifest.marker.prefix.clone();
        let system = self.system.map(prefix);
        let bins = [Some(prefix(self.user)), system, Some(prefix(self.runtime))];
        let path = bins.into_iter().flatten().map(|it| format!("{it}/bin")).collect::<Vec<_>>().join(":");
        let mut environment = BTreeMap::from([
            ("HOME".to_owned(), format!("/{HOME}")),
            ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ("PATH".to_owned(), path),
        ]);
        environment.extend(self.user.marker.variables.clone());
        environment.extend(self.services.environment.clone());
        let tini = format!("{}/bin/tini", prefix(self.runtime));
        let has_tini = self.runtime.entries.contains_key("bin/tini");
        let command = match self.services.services.values().collect::<Vec<_>>().as_slice() {
            [only] => (*only).clone(),
            _ => Vec::new(),
        };
        Image {
            entrypoint: if has_tini { vec![tini, "--".to_owned()] } else { Vec::new() },
            command,
            environment,
            user: format!("{USER_ID}:{USER_ID}"),
            directory: format!("/{HOME}"),
        }
    }

    /// The role's own layer.
    pub(super) fn layer(&self, path: PathBuf, time: u64) -> Result<Layer, Error> {
        let mut directories: BTreeMap<String, (u32, Owner)> = BTreeMap::from([
            (HOME.to_owned(), (0o755, Owner::User)),
            ("opt/envlock/lock".to_owned(), (0o755, Owner::Root)),
            ("tmp".to_owned(), (0o1777, Owner::Root)),
        ]);
        let mut files: BTreeMap<String, &[u8]> = BTreeMap::new();
        let user =
            format!("root:x:0:0:root:/:/bin/false\nairflow:x:{USER_ID}:{USER_ID}::/{HOME}:/bin/false\n");
        let group = format!("root:x:0:\nairflow:x:{USER_ID}:\n");
        files.insert("etc/passwd".to_owned(), user.as_bytes());
        files.insert("etc/group".to_owned(), group.as_bytes());
        files.insert("etc/nsswitch.conf".to_owned(), b"hosts: files dns\n");
        for (name, content) in self.lock {
            files.insert(format!("opt/envlock/lock/{name}"), content);
        }
        let links = self.links()?;
        let paths: Vec<String> =
            directories.keys().chain(files.keys()).chain(links.keys()).cloned().collect();
        for path in paths {
            for (at, _) in path.match_indices('/') {
                directories.entry(path[..at].to_owned()).or_insert((0o755, Owner::Root));
            }
        }
        let mut writer = Writer::begin(path, time)?;
        // Directories first, so that whatever is in one finds it.
        for (path, (mode, owner)) in &directories {
            writer.directory(path, *mode, *owner)?;
        }
        for (path, content) in &files {
            writer.file(path, false, content.len() as u64, *content)?;
        }
        for (path, target) in &links {
            writer.symlink(path, target)?;
        }
        writer.finish(format!("{} role", self.role))
    }

    /// Links at places that programs look at, into the runtime.
    fn links(&self) -> Result<BTreeMap<String, String>, Error> {
        let runtime = self.runtime;
        let prefix = &runtime.marker.prefix;
        let sysroot =
            runtime.entries.keys().find(|path| path.ends_with("/sysroot")).ok_or_else(|| Error::Role {
                message: "the runtime has no C library".to_owned(),
                hint: "add sysroot_linux-64 to the dependencies of the runtime and lock it again".to_owned(),
            })?;
        let mut links = BTreeMap::new();
        // The loader of an executable is an absolute path, and so is what the loader looks through.
        for directory in ["lib", "lib64", "usr/lib", "usr/lib64"] {
            if runtime.entries.contains_key(&format!("{sysroot}/{directory}")) {
                links.insert(directory.to_owned(), format!("{prefix}/{sysroot}/{directory}"));
            }
        }
        for (path, target) in [
            ("etc/ssl/cert.pem", "ssl/cacert.pem"),
            ("etc/ssl/certs/ca-certificates.crt", "ssl/cacert.pem"),
            ("usr/share/zoneinfo", "share/zoneinfo"),
        ] {
            if runtime.entries.contains_key(target) {
                links.insert(path.to_owned(), format!("{prefix}/{target}"));
            }
        }
        if let Some(system) = self.system.filter(|system| system.entries.contains_key("bin/sh")) {
            links.insert("bin/sh".to_owned(), format!("{}/bin/sh", system.marker.prefix));
        }
        Ok(links)
    }
}
