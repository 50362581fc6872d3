//! The role that a lock and a name mean, and the trees that its image is made of.

use std::path::Path;

use rattler_conda_types::Subdir;

use super::{
    locked::{Chosen, Locked},
    trees::{Builder, RUNTIME_PREFIX, SYSTEM_PREFIX, USER_PREFIX, request},
};
use crate::{
    error::Error,
    fs,
    image::{self, Content, Part},
    lock::Lock,
    spec::{self, RUNTIME, USER, project},
    store::Files,
    tree::{Manifest, Request},
};

/// A role of a lock on one platform.
pub(super) struct Role<'a> {
    pub(super) name: &'a str,
    pub(super) services: &'a project::Role,
    project: &'a Lock,
    user: Chosen<'a>,
    runtime: Chosen<'a>,
    system: Option<Chosen<'a>>,
}

/// The trees of a role's image.
pub(super) struct Trees {
    runtime: Manifest,
    user: Manifest,
    /// treeDigest of `user`.
    digest: String,
    system: Option<Manifest>,
}

impl<'a> Role<'a> {
    /// Finds what an image of a role needs.
    pub(super) fn find(locked: &'a Locked, name: &'a str, platform: Option<&str>) -> Result<Self, Error> {
        let usage = |message: String, hint: String| Error::from(spec::Error::usage(message, hint));
        let roles = locked.project.as_ref().map(|project| &project.roles);
        let (Some(project), Some(services)) = (&locked.project, roles.and_then(|roles| roles.get(name)))
        else {
            let known: Vec<_> = roles.into_iter().flat_map(|roles| roles.keys()).cloned().collect();
            let hint = if known.is_empty() {
                "write an envlock.yml with roles (`envlock init`), and lock with `envlock convert`".to_owned()
            } else {
                format!("there are {}", known.join(", "))
            };
            return Err(usage(format!("the lock has no role `{name}`"), hint));
        };
        let user = locked.choose(Some(USER), platform)?;
        let runtime = locked.runtime(user.platform).ok_or_else(|| {
            let message = format!("the lock has no {RUNTIME} for {}", user.platform.as_str());
            let hint = "an image is built from scratch, so it needs a C library and an init of its own: name their \
                        file in envlock.yml (`runtime: runtime.yml`, as `envlock init` writes it) and lock again";
            usage(message, hint.to_owned())
        })?;
        let has_system = locked.environments.iter().any(|environment| environment.name == name);
        let system =
            has_system.then(|| locked.choose(Some(name), Some(user.platform.as_str()))).transpose()?;
        Ok(Self { name, services, project, user, runtime, system })
    }

    pub(super) fn platform(&self) -> Subdir {
        self.user.platform
    }

    fn runtime_tree(&self) -> Request<'_> {
        request(&self.runtime, RUNTIME_PREFIX, false)
    }

    fn user_tree(&self) -> Request<'_> {
        request(&self.user, USER_PREFIX, true)
    }

    fn system_tree(&self) -> Option<Request<'_>> {
        self.system.as_ref().map(|system| request(system, SYSTEM_PREFIX, true))
    }

    fn requests(&self) -> impl Iterator<Item = Request<'_>> {
        [self.runtime_tree(), self.user_tree()].into_iter().chain(self.system_tree())
    }

    /// Whether the store has the trees of an earlier time.
    pub(super) fn is_kept(&self, cache: &Path) -> bool {
        self.requests().all(|request| fs::exists(&request.kept_manifest(cache)))
    }

    /// The trees, from the store or from the artifacts.
    pub(super) fn trees(&self, builder: &Builder, files: &Files, rebuild: bool) -> Result<Trees, Error> {
        let manifest = |request: Request| builder.manifest(&request, files, rebuild);
        let user = manifest(self.user_tree())?;
        Ok(Trees {
            runtime: manifest(self.runtime_tree())?,
            digest: user.digest(),
            user,
            system: self.system_tree().map(manifest).transpose()?,
        })
    }

    /// What the image is made of.
    pub(super) fn content<'b>(&'b self, trees: &'b Trees, lock: &'b [(String, Vec<u8>)]) -> Content<'b> {
        let part = |manifest, chosen: &'b Chosen<'a>| Part { manifest, packages: chosen.packages };
        Content {
            role: self.name,
            services: self.services,
            cluster: self.project.cluster.as_ref(),
            runtime: part(&trees.runtime, &self.runtime),
            user: part(&trees.user, &self.user),
            tree_digest: &trees.digest,
            system: trees.system.as_ref().zip(self.system.as_ref()).map(|(tree, chosen)| part(tree, chosen)),
            lock,
        }
    }

    /// All that the image depends on besides the trees' own lock hashes, as text.
    pub(super) fn fingerprint(&self, lock: &[(String, Vec<u8>)]) -> String {
        let markers: Vec<_> = self.requests().map(|request| request.marker()).collect();
        format!("{markers:?} {:?} {:?} {:?} {lock:?}", self.name, self.services, self.project.cluster)
    }
}

/// Does what needs the trees of an image. Where the store has lost something since it was kept, a layer is written anew,
/// and, if it `may_rebuild`, what trees lack comes from the artifacts.
pub(super) fn with_what_is_lost<T>(
    rebuild: bool,
    may_rebuild: bool,
    attempt: impl Fn(bool) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut result = attempt(rebuild);
    for rebuild in [false, may_rebuild] {
        if matches!(result, Err(Error::Image(image::Error::Lost { .. }))) {
            result = attempt(rebuild);
        }
    }
    result
}
