//! `envlock image`: images of roles, and what is in them; one file a command.

mod build;
mod diff;
mod index;
mod inspect;
mod push;
mod role;
mod verify;

use std::path::Path;

use crate::{
    cli::ImageCommand,
    error::{Error, ExitCode},
    image::{Archive, Found, Image},
    printer::Printer,
    settings::Settings,
};

/// Runs the command; says as well whether its answer is JSON.
pub(super) fn image(
    command: &ImageCommand,
    settings: &Settings,
    printer: &Printer,
) -> (Result<ExitCode, Error>, bool) {
    match command {
        ImageCommand::Build(arguments) => (build::build(arguments, settings, printer), arguments.json),
        ImageCommand::Inspect(arguments) => (inspect::inspect(arguments, printer), arguments.json),
        ImageCommand::Verify(arguments) => (verify::verify(arguments, settings, printer), arguments.json),
        ImageCommand::Diff(arguments) => (diff::diff(arguments, settings, printer), arguments.json),
        ImageCommand::Index(arguments) => (index::index(arguments, settings, printer), arguments.json),
        ImageCommand::Push(arguments) => (push::push(arguments, printer), false),
    }
}

/// Reads the layers of an image of an archive.
fn read_layers(archive: &Archive, image: &Image, printer: &Printer) -> Vec<Found> {
    let count = image.layers.len();
    let waiting = printer.waiting(format!("reading {}", archive.path.display()));
    archive.read(image, &|done| waiting.on(format!("{}: {done} of {count} layers", archive.path.display())))
}

/// How an image of an archive is named: by its platform as well where the archive has several.
fn name(archive: &Archive, image: &Image) -> String {
    let path: &Path = &archive.path;
    match image.platform() {
        Some(platform) if archive.images.len() > 1 => format!("{} ({platform})", path.display()),
        _ => path.display().to_string(),
    }
}
