//! What an image consists of: the trees of a role, each at its prefix, and the thin rest that makes a system of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Error, config,
    member::{Member, Members, add_parents},
};
use crate::{
    cluster::{self, ROLE_DIRECTORY, TREE_DIGEST, Tools},
    lock::Package,
    spec::project::{Cluster, Role},
    store::Files,
    tree::{Entry, Manifest, SYSTEM_DIRECTORIES},
};

/// Where the lock files are.
pub(super) const LOCK_DIRECTORY: &str = "opt/envlock/lock";

/// The init of a runtime, below its prefix.
pub(super) const TINI: &str = "bin/tini";
/// The certificates of a runtime, below its prefix.
pub(super) const CERTIFICATES: &str = "ssl/cacert.pem";

/// A tree at its prefix, and the packages that it was built from.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// What is there.
    pub manifest: &'a Manifest,
    /// All its packages.
    pub packages: &'a [Package],
}

impl Part<'_> {
    /// Its prefix, as members of layers begin.
    pub(super) fn prefix(&self) -> &str {
        self.manifest.marker.prefix.trim_start_matches('/')
    }

    fn has(&self, path: &str) -> bool {
        self.manifest.entries.contains_key(path)
    }

    fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.manifest.marker.prefix)
    }
}

/// What an image is made of.
#[derive(Clone, Copy)]
pub struct Content<'a> {
    /// The role's name.
    pub role: &'a str,
    /// What the project says of it.
    pub services: &'a Role,
    /// What the project says of the cluster.
    pub cluster: Option<&'a Cluster>,
    /// The runtime.
    pub runtime: Part<'a>,
    /// The user environment.
    pub user: Part<'a>,
    /// treeDigest of the user environment.
    pub tree_digest: &'a str,
    /// The role's own environment, if it has one.
    pub system: Option<Part<'a>>,
    /// The lock, as files by name.
    pub lock: &'a [(String, Vec<u8>)],
}

impl<'a> Content<'a> {
    /// Every tree, from what all roles have to what one has.
    pub(super) fn parts(&self) -> impl Iterator<Item = Part<'a>> {
        [self.runtime, self.user].into_iter().chain(self.system)
    }

    /// Paths of the programs that run other programs: Python and supervisor of the user environment or of the role's.
    pub(super) fn programs(&self) -> (Option<String>, Option<String>) {
        let user_first = [Some(self.user), self.system];
        let python = user_first.into_iter().flatten().find(|part| part.has("bin/python3"));
        let system_first = [self.system, Some(self.user)];
        let supervisor = system_first.into_iter().flatten().find(|part| part.has("bin/supervisord"));
        (python.map(|part| part.path("bin/python3")), supervisor.map(|part| part.path("bin/supervisord")))
    }

    /// Whether the role can be started with what the environments have.
    pub(super) fn check(&self) -> Result<(), Error> {
        let (python, supervisor) = self.programs();
        let name = self.role;
        let failed = |message: String, hint: &str| Err(Error::Role { message, hint: hint.to_owned() });
        let Role { services, secrets, publishes, .. } = self.services;
        if !self.runtime.has(TINI) {
            return failed(
                "the runtime has no init to be the first process of a container".to_owned(),
                "add tini to the dependencies of the runtime and lock it again",
            );
        }
        let refers = |text: &String| text.contains("${");
        let wants_python = services.len() + usize::from(*publishes) > 1
            || !secrets.is_empty()
            || self.services.environment.values().any(refers)
            || services.values().any(|service| {
                service.guard
                    || service.readiness.is_some()
                    || !service.environment.is_empty()
                    || service.command.iter().any(refers)
            });
        if wants_python && python.is_none() {
            return failed(
                format!(
                    "the services of `{name}` need Python to start them, and no environment of it has one"
                ),
                "add python to the dependencies of the environment file, and lock it again",
            );
        }
        if services.len() + usize::from(*publishes) > 1 && supervisor.is_none() {
            return failed(
                format!("`{name}` has several services, and no environment of it has supervisor to run them"),
                "add supervisor to the `pip:` section of the environment file or to the role's `system` file, and lock it again",
            );
        }
        let guarded = *publishes || services.values().any(|service| service.guard);
        let has_redis = self.parts().any(|part| {
            let module = |path: &String| path.ends_with("/site-packages/redis/__init__.py");
            python.as_ref().is_some_and(|python| python.starts_with(&part.manifest.marker.prefix))
                && part.manifest.entries.keys().any(module)
        });
        if guarded && !has_redis {
            return failed(
                format!(
                    "the drift guard of `{name}` needs the Python package redis, and the environment lacks it"
                ),
                "add redis (or celery[redis]) to the `pip:` section of the environment file, and lock it again",
            );
        }
        Ok(())
    }

    /// What tells trees and nodes apart: markers, the lock, the treeDigest. It changes with every package.
    pub(super) fn bookkeeping(&self, placed: &BTreeSet<&str>, files: &Files) -> Result<Members, Error> {
        let mut members = Members::new();
        for part in self.parts() {
            for (path, (entry, owner)) in &part.manifest.entries {
                let place = format!("{}/{path}", part.prefix());
                // Directories that layers of packages bring need not be here as well.
                if owner.is_none() && !placed.contains(place.as_str()) {
                    members.insert(place, Member::of(entry));
                }
            }
        }
        let mut keep = |path: String, content: &[u8]| -> Result<(), Error> {
            members.insert(path, Member::file(files, content)?);
            Ok(())
        };
        for (name, content) in self.lock {
            keep(format!("{LOCK_DIRECTORY}/{name}"), content)?;
        }
        let digest = format!("{}\n", self.tree_digest);
        keep(TREE_DIGEST.trim_start_matches('/').to_owned(), digest.as_bytes())?;
        add_parents(&mut members);
        Ok(members)
    }

    /// What makes a system of the trees: users, links at places that programs look at, the services.
    pub(super) fn role(&self, files: &Files) -> Result<Members, Error> {
        let user = &self.services.user;
        let home = self.home();
        let mut members = Members::from([
            (home[1..].to_owned(), Member::of(&Entry::Directory).owned_by(user.id)),
            ("tmp".to_owned(), Member { mode: 0o1777, ..Member::of(&Entry::Directory) }),
        ]);
        for volume in cluster::volumes(self.services) {
            members.insert(volume[1..].to_owned(), Member::of(&Entry::Directory).owned_by(user.id));
        }
        let (name, id) = (&user.name, user.id);
        // Where there is one: what sshd runs, it runs by the user's shell.
        let shell = if self.shell().is_some() { "/bin/sh" } else { "/bin/false" };
        let passwd = format!("root:x:0:0:root:/:/bin/false\n{name}:x:{id}:{id}::{home}:{shell}\n");
        let group = format!("root:x:0:\n{name}:x:{id}:\n");
        for (path, text) in [
            ("etc/passwd", passwd.as_str()),
            ("etc/group", group.as_str()),
            ("etc/nsswitch.conf", "hosts: files dns\n"),
        ] {
            members.insert(path.to_owned(), Member::file(files, text.as_bytes())?);
        }
        let directory = ROLE_DIRECTORY.trim_start_matches('/');
        let (python, supervisor) = self.programs();
        if let Some(python) = &python {
            let tools = Tools { python, supervisord: supervisor.as_deref() };
            for (path, text) in cluster::files(self.services, self.cluster, &config::variables(self), tools) {
                let member = Member::new(files, text.as_bytes(), path == cluster::PROGRAM)?;
                members.insert(format!("{directory}/{path}"), member);
            }
        }
        for (path, target) in self.links()? {
            members.insert(path, Member::of(&Entry::Symlink { target }));
        }
        add_parents(&mut members);
        Ok(members)
    }

    /// What a node has below `/opt/envlock` besides trees: programs and table of its services, the lock, the treeDigest.
    pub(super) fn node(&self, files: &Files) -> Result<Members, Error> {
        self.check()?;
        let mut members = self.role(files)?;
        members.extend(self.bookkeeping(&BTreeSet::new(), files)?);
        let wanted = [ROLE_DIRECTORY, TREE_DIGEST].map(|path| path.trim_start_matches('/'));
        let is_wanted = |path: &str| {
            wanted.into_iter().chain([LOCK_DIRECTORY]).any(|wanted| {
                path.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let below = |path: &str| path.strip_prefix("opt/envlock/").unwrap_or_default().to_owned();
        let wanted = members.into_iter().filter(|(path, _)| is_wanted(path));
        Ok(wanted.map(|(path, member)| (below(&path), member)).collect())
    }

    /// The home of the user that services run as.
    pub(super) fn home(&self) -> String {
        format!("/home/{}", self.services.user.name)
    }

    /// The shell of the role's own environment; not every channel's bash brings the name of one.
    fn shell(&self) -> Option<String> {
        let system = self.system?;
        ["bin/sh", "bin/bash"].into_iter().find(|path| system.has(path)).map(|path| system.path(path))
    }

    /// Links at places that programs look at, into the runtime.
    fn links(&self) -> Result<BTreeMap<String, String>, Error> {
        let runtime = self.runtime;
        let sysroot = runtime.manifest.entries.keys().find(|path| path.ends_with("/sysroot"));
        let sysroot = sysroot.ok_or_else(|| Error::Role {
            message: "the runtime has no C library".to_owned(),
            hint: "add sysroot_linux-64 to the dependencies of the runtime and lock it again".to_owned(),
        })?;
        let mut links = BTreeMap::new();
        // The loader of an executable is an absolute path, and so is what the loader looks through.
        for directory in SYSTEM_DIRECTORIES {
            let target = format!("{sysroot}/{directory}");
            if runtime.has(&target) {
                links.insert(directory.to_owned(), runtime.path(&target));
            }
        }
        for (path, target) in [
            ("etc/ssl/cert.pem", CERTIFICATES),
            ("etc/ssl/certs/ca-certificates.crt", CERTIFICATES),
            ("usr/share/zoneinfo", "share/zoneinfo"),
        ] {
            if runtime.has(target) {
                links.insert(path.to_owned(), runtime.path(target));
            }
        }
        if let Some(shell) = self.shell() {
            links.insert("bin/sh".to_owned(), shell);
        }
        Ok(links)
    }
}
