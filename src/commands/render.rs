//! `envlock render`: files that run the images of a project.

use std::collections::BTreeMap;

use super::locked::Locked;
use crate::{
    cli::{RenderCommand, RenderCompose},
    cluster::compose,
    error::{Error, ExitCode},
    fs, image,
    printer::Printer,
    spec,
};

/// Runs the command.
pub(super) fn render(command: &RenderCommand, printer: &Printer) -> Result<ExitCode, Error> {
    match command {
        RenderCommand::Compose(arguments) => compose(arguments, printer),
    }
}

fn compose(arguments: &RenderCompose, printer: &Printer) -> Result<ExitCode, Error> {
    let usage = |message: String, hint: &str| Error::from(spec::Error::usage(message, hint));
    let locked = Locked::load_project(&arguments.lock)?;
    let roles = locked.project.as_ref().map(|project| &project.roles);
    let roles =
        roles.filter(|roles| roles.values().any(|role| !role.services.is_empty())).ok_or_else(|| {
            usage(
                format!("{} has no role with services", arguments.lock.display()),
                "write an envlock.yml with roles (`envlock init`), and lock with `envlock convert`",
            )
        })?;
    if let Some(mount) = arguments.mount.iter().find(|mount| mount.contains(':') || mount.is_empty()) {
        return Err(usage(
            format!("`{mount}` cannot be mounted: Compose takes `:` for a separator"),
            "name a path without it",
        ));
    }
    let mut images = BTreeMap::new();
    for stated in &arguments.image {
        let (role, name) =
            stated.split_once('=').filter(|(role, _)| roles.contains_key(*role)).ok_or_else(|| {
                let known = roles.keys().cloned().collect::<Vec<_>>().join(", ");
                usage(
                    format!("--image {stated}: it names no role"),
                    &format!("write ROLE=NAME; the roles are {known}"),
                )
            })?;
        images.insert(role, name.to_owned());
    }
    let image = |role: &str| images.get(role).cloned().unwrap_or_else(|| image::image_name(role));
    let text = compose::render(roles, image, &arguments.mount)
        .map_err(|reason| usage(format!("cannot render the roles: {reason}"), "check envlock.yml"))?;
    match &arguments.output {
        None => printer.raw(text.as_bytes())?,
        Some(path) => {
            fs::write_own(path, text.as_bytes())?;
            printer.note(format_args!("wrote {}", path.display()));
        }
    }
    Ok(ExitCode::Success)
}
