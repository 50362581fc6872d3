//! `envlock image`: images of roles, and what is in them; one file a command.

mod attest;
mod build;
mod diff;
mod index;
mod inspect;
mod push;
mod verify;

use std::path::{Path, PathBuf};

use crate::{
    cli::ImageCommand,
    error::{Error, ExitCode},
    fs,
    image::{self, Archive, Found, Image},
    lock::NIX_FILE,
    printer::Printer,
    settings::Settings,
    store::Files,
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
        ImageCommand::Attest(arguments) => (attest::attest(arguments, settings, printer), false),
        ImageCommand::Diff(arguments) => (diff::diff(arguments, settings, printer), arguments.json),
        ImageCommand::Index(arguments) => (index::index(arguments, settings, printer), arguments.json),
        ImageCommand::Push(arguments) => (push::push(arguments, printer), false),
    }
}

/// Reads the layers of an image of an archive, whatever is wrong with them.
fn look_at_layers(archive: &Archive, image: &Image, printer: &Printer) -> Vec<Found> {
    let count = image.layers.len();
    let waiting = printer.waiting(format!("reading {}", archive.path.display()));
    archive.read(image, &|done| waiting.on(format!("{}: {done} of {count} layers", archive.path.display())))
}

/// Reads the layers of an image of an archive, all of which must be sound.
pub(super) fn read_layers(archive: &Archive, image: &Image, printer: &Printer) -> Result<Vec<Found>, Error> {
    let found = look_at_layers(archive, image, printer);
    let mut both = found.iter().zip(&image.layers);
    match both.find_map(|(found, layer)| Some((found.fault.as_ref()?, layer))) {
        None => Ok(found),
        Some((fault, layer)) => Err(image::Error::Archive {
            path: archive.path.clone(),
            reason: format!("layer sha256:{}: {}", layer.digest, fault.reason),
        }
        .into()),
    }
}

/// Writes the lock that is in an image into a scratch directory; `None` if there is none.
pub(super) fn lock_in(found: &[Found], files: &Files) -> Result<Option<PathBuf>, Error> {
    let kept = || found.iter().flat_map(|layer| &layer.kept);
    let lock: Vec<_> =
        kept().filter_map(|(path, content)| Some((image::lock_file(path)?, content))).collect();
    if lock.iter().all(|(name, _)| *name != NIX_FILE) {
        return Ok(None);
    }
    let directory = files.scratch().fresh();
    fs::create_directory(&directory)?;
    for (name, content) in lock {
        files.scratch().publish(&directory.join(name), content)?;
    }
    Ok(Some(directory))
}

/// A line of a stranger's, without what a terminal would act on.
fn printable(line: &str) -> String {
    line.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// How an image of an archive is named: by its platform as well where the archive has several.
fn name(archive: &Archive, image: &Image) -> String {
    let path: &Path = &archive.path;
    match image.platform() {
        Some(platform) if archive.images.len() > 1 => format!("{} ({platform})", path.display()),
        _ => path.display().to_string(),
    }
}
