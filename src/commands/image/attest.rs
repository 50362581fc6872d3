//! `envlock image attest`: from which lock an image was built, as a statement that can be signed.

use super::{
    super::sbom::of_image,
    verify::{UNSOUND, audits},
};
use crate::{
    cli::{ImageAttest, ImageVerify, SourceArguments},
    error::{Error, ExitCode},
    fs,
    image::Archive,
    printer::Printer,
    sbom,
    settings::Settings,
    spec,
};

/// Runs the command.
pub(super) fn attest(
    arguments: &ImageAttest,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let archive = Archive::open(&arguments.archive)?;
    if archive.images.len() > 1 && arguments.platform.is_none() {
        let platforms: Vec<_> = archive.images.iter().filter_map(|image| image.platform()).collect();
        let message = format!("{} has images for {}", archive.path.display(), platforms.join(", "));
        return Err(spec::Error::usage(message, "choose one with --platform").into());
    }
    // Only what is known to be so is stated, of the very archive that it is known of.
    let SourceArguments { mirror, artifact, offline } = &arguments.source;
    let verified = audits(
        std::slice::from_ref(&archive),
        &ImageVerify {
            archives: vec![arguments.archive.clone()],
            lock: arguments.lock.clone(),
            trust_lock: arguments.trust_lock,
            repacked: false,
            rebuild: false,
            source: SourceArguments { mirror: mirror.clone(), artifact: artifact.clone(), offline: *offline },
            json: false,
        },
        settings,
        printer,
    )?;
    if verified.iter().any(|(_, _, audit)| !audit.findings.is_empty()) {
        printer.error("the image is not what its lock says: nothing is stated of it", Some(UNSOUND));
        return Ok(ExitCode::Differs);
    }
    let (subject, lock) =
        of_image(&archive, arguments.platform.as_deref(), fs::TREE_TIME, settings, printer)?;
    let statement = sbom::provenance(&subject, &lock, arguments.predicate)?;
    super::super::deliver(&statement, arguments.output.as_ref(), printer)?;
    Ok(ExitCode::Success)
}
