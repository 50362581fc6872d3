//! `envlock image index`: one archive for several platforms.

use serde_json::json;

use crate::{
    cli::ImageIndex,
    error::{Error, ExitCode},
    fs,
    image::{self, Archive},
    printer::Printer,
    settings::Settings,
};

/// Runs the command.
pub(super) fn index(
    arguments: &ImageIndex,
    settings: &Settings,
    printer: &Printer,
) -> Result<ExitCode, Error> {
    let archives =
        arguments.archives.iter().map(|path| Archive::open(path)).collect::<Result<Vec<_>, _>>()?;
    let time = settings.source_date_epoch()?.unwrap_or(fs::TREE_TIME);
    let output = &arguments.output;
    let waiting = printer.waiting(format!("writing {}", output.display()));
    let (index, sha256, size) = image::assemble(&archives, time, output)?;
    drop(waiting);
    let images = archives.iter().flat_map(|archive| &archive.images);
    let platforms: Vec<_> = images.filter_map(|image| image.platform()).collect();
    if arguments.json {
        printer.data(json!({
            "archive": output.to_string_lossy(),
            "archive_sha256": sha256,
            "index": format!("sha256:{index}"),
            "platforms": platforms,
            "size": size,
        }))?;
    }
    printer.note(format_args!(
        "wrote {} for {}: {size} bytes, sha256 {sha256}",
        output.display(),
        platforms.join(", ")
    ));
    printer.note(format_args!("index sha256:{index}"));
    Ok(ExitCode::Success)
}
