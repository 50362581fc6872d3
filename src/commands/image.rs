//! `envlock image build`: the image of a role.

use std::path::PathBuf;

use serde_json::json;

use super::{
    bundle::lock_files,
    locked::Locked,
    trees::{Builder, RUNTIME_PREFIX, SYSTEM_PREFIX, USER_PREFIX, request},
};
use crate::{
    cli::ImageBuild,
    error::{Error, ExitCode},
    fs,
    image::{self, Content},
    lock,
    printer::Printer,
    settings::Settings,
    spec::{self, RUNTIME, USER},
    store::Files,
};

/// Runs the command.
pub(super) fn build(
    arguments: &ImageBuild,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let usage = |message: String, hint: String| Error::from(spec::Error::usage(message, hint));
    let (lock, is_dir) = (&arguments.lock, arguments.lock.is_dir());
    let nix = if is_dir { fs::normal(&lock.join(lock::NIX_FILE)) } else { lock.clone() };
    let locked = Locked::load(&nix)?;
    let project = locked.project.as_ref();
    let roles = project.map(|project| &project.roles);
    let name = &arguments.role;
    let role = roles.and_then(|roles| roles.get(name)).ok_or_else(|| {
        let known = roles.into_iter().flat_map(|roles| roles.keys()).cloned().collect::<Vec<_>>().join(", ");
        let hint = if known.is_empty() {
            "name roles in envlock.yml, and lock with `envlock convert`".to_owned()
        } else {
            format!("there are {known}")
        };
        usage(format!("the lock has no role `{name}`"), hint)
    })?;
    let user = locked.choose(Some(USER), arguments.platform.as_deref())?;
    let runtime = locked.runtime(user.platform).ok_or_else(|| {
        let message = format!("the lock has no {RUNTIME} for {}", user.platform.as_str());
        usage(
            message,
            "an image starts from one: name it in envlock.yml (`runtime:`) and lock again".to_owned(),
        )
    })?;
    let has_system = locked.environments.iter().any(|environment| environment.name == *name);
    let system =
        if has_system { Some(locked.choose(Some(name), Some(user.platform.as_str()))?) } else { None };

    let builder = Builder::new(&locked, &arguments.source, settings, printer)?;
    let files = Files::open(&settings.cache)?;
    let output = arguments.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}-image.tar")));
    let time = settings.source_date_epoch()?.unwrap_or(fs::TREE_TIME);
    let lock = lock_files(&locked)?;
    let write = |rebuild: bool| {
        let manifest = |request| builder.manifest(&request, &files, rebuild);
        let system =
            system.as_ref().map(|system| manifest(request(system, SYSTEM_PREFIX, true))).transpose()?;
        let (runtime, user_tree) = (
            manifest(request(&runtime, RUNTIME_PREFIX, false))?,
            manifest(request(&user, USER_PREFIX, true))?,
        );
        let content = Content {
            role: name,
            services: role,
            runtime: &runtime,
            user: &user_tree,
            system: system.as_ref(),
            lock: &lock,
        };
        let _waiting = printer.waiting(format!("writing {}", output.display()));
        Ok((image::build(&content, user.platform, time, &files, &output)?, user_tree.digest()))
    };
    let (built, digest) = match write(false) {
        // The store has lost a file since its manifest was kept: from the artifacts, then.
        Err(Error::Image(image::Error::Lost { .. })) => write(true)?,
        result => result?,
    };
    if arguments.json {
        printer.data(json!({
            "archive": output,
            "archive_sha256": built.archive,
            "image": format!("sha256:{}", built.image),
            "layers": built.layers.iter().map(|layer| format!("sha256:{layer}")).collect::<Vec<_>>(),
            "size": built.size,
            "tree_digest": digest,
        }))?;
    }
    printer.note(format_args!("wrote {}: {} bytes, sha256 {}", output.display(), built.size, built.archive));
    printer.note(format_args!("image sha256:{}", built.image));
    printer.note(format_args!("treeDigest {digest}"));
    Ok(ExitCode::Success)
}
