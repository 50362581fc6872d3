//! `envlock render`: files that run the images of a project.

use std::{collections::BTreeMap, path::Path};

use super::{
    bundle::lock_files, check::warn_if_stale, demand_absent, locked::Locked, role::Role, stage,
    trees::Builder,
};
use crate::{
    cli::{RenderCommand, RenderCompose, RenderNode},
    cluster::compose,
    error::{Error, ExitCode},
    fs, image,
    printer::Printer,
    settings::Settings,
    spec,
    store::Files,
};

/// Runs the command.
pub(super) fn render(
    command: &RenderCommand,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    match command {
        RenderCommand::Compose(arguments) => compose(arguments, settings, printer),
        RenderCommand::Node(arguments) => node(arguments, settings, printer),
    }
}

fn node(arguments: &RenderNode, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let locked = Locked::load_project(&arguments.lock)?.with_channels()?;
    locked.demand_files()?;
    warn_if_stale(&locked, settings, printer);
    let role = Role::find(&locked, &arguments.role, arguments.platform.as_deref())?;
    let directory = &arguments.output;
    demand_absent("--output", directory)?;
    let files = Files::open(&settings.cache)?;
    let builder = Builder::new(&locked, &arguments.source, settings, printer)?;
    let lock = lock_files(&locked)?;
    let trees = role.trees(&builder, &files, false)?;
    let stage = stage(directory, printer)?;
    image::write_node(&role.content(&trees, &lock), &stage.tree(), &files)?;
    stage.publish()?;
    printer.note(format_args!("wrote {}", directory.display()));
    Ok(ExitCode::Success)
}

fn compose(arguments: &RenderCompose, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let usage = |message: String, hint: &str| Error::from(spec::Error::usage(message, hint));
    let locked = Locked::load_project(&arguments.lock)?;
    warn_if_stale(&locked, settings, printer);
    let roles = locked.project.as_ref().map(|project| &project.roles);
    let roles =
        roles.filter(|roles| roles.values().any(|role| !role.services.is_empty())).ok_or_else(|| {
            usage(
                format!("{} has no role with services", arguments.lock.display()),
                "write an envlock.yml with roles (`envlock init`), and lock with `envlock convert`",
            )
        })?;
    let mut mounts = BTreeMap::new();
    for mount in &arguments.mount {
        // Compose starts from where its file is.
        let directory = arguments.output.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
        let path = match Path::new(mount) {
            path if path.is_absolute() => mount.clone(),
            path => format!("./{}", fs::relative(path, directory)),
        };
        let name = Path::new(mount).file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.filter(|name| !name.is_empty()).ok_or_else(|| {
            usage(
                format!("`{mount}` has no name to be mounted under"),
                "name a file or a directory by its own name",
            )
        })?;
        if mounts.insert(name.clone(), path).is_some() {
            return Err(usage(
                format!("two mounts would be named {name}"),
                "mount the directory that holds both, or rename one",
            ));
        }
    }
    let mut images = BTreeMap::new();
    for stated in &arguments.image {
        let (role, name) = stated
            .split_once('=')
            .filter(|(role, name)| roles.contains_key(*role) && !name.is_empty())
            .ok_or_else(|| {
                let known = roles.keys().cloned().collect::<Vec<_>>().join(", ");
                usage(
                    format!("--image {stated}: it names no role, or no image"),
                    &format!("write ROLE=NAME; the roles are {known}"),
                )
            })?;
        images.insert(role, name.to_owned());
    }
    let image = |role: &str| images.get(role).cloned().unwrap_or_else(|| image::image_name(role));
    let text = compose::render(roles, image, &mounts)
        .map_err(|reason| usage(format!("cannot render the roles: {reason}"), "check envlock.yml"))?;
    super::deliver(text.as_bytes(), arguments.output.as_ref(), printer)?;
    Ok(ExitCode::Success)
}
