//! `envlock export`: a lock in the format of another tool.

use std::path::Path;

use super::locked::Locked;
use crate::{
    cli::Export,
    error::{Error, ExitCode},
    exchange::{self, Format, Subject},
    lock::Kind,
    printer::Printer,
};

/// Runs the command.
pub(super) fn export(arguments: &Export, printer: &Printer) -> Result<ExitCode, Error> {
    let choice = &arguments.choice;
    let locked = Locked::load(&choice.lock)?.with_dependencies()?;
    let environment = locked.environment(choice.environment.as_deref())?;
    let chosen = if arguments.format == Format::Pixi && choice.platform.is_none() {
        None
    } else {
        Some(locked.choose(choice.environment.as_deref(), choice.platform.as_deref())?.platform)
    };
    let directory = arguments.output.as_ref().and_then(|path| path.parent()).unwrap_or(Path::new(""));
    let mut platforms = Vec::new();
    for platform in environment.platforms.keys().filter(|it| chosen.is_none_or(|chosen| chosen == **it)) {
        let found = locked.choose(Some(&environment.name), Some(platform.as_str()))?;
        if !matches!(arguments.format, Format::Pylock | Format::Requirements) {
            // Without its conda-lock.yml neither needs nor channels are known.
            locked.graph(&found)?;
        }
        platforms.push((*platform, locked.seen_from(found.packages, directory)?));
    }
    let kinds: Vec<_> = platforms.iter().flat_map(|it| &it.1).map(|package| package.kind).collect();
    tell_what_is_left_out(arguments.format, &kinds, printer);
    let alias = locked.alias()?;
    let subject =
        Subject { environment: &environment.name, channels: &environment.channels, platforms, alias: &alias };
    let text = exchange::write(&subject, arguments.format)?;
    super::deliver(text.as_bytes(), arguments.output.as_ref(), printer)?;
    Ok(ExitCode::Success)
}

/// Says what a format has no place for.
fn tell_what_is_left_out(format: Format, kinds: &[Kind], printer: &Printer) {
    let conda = kinds.iter().filter(|kind| **kind == Kind::Conda).count();
    let pypi = kinds.len() - conda;
    match format {
        Format::Explicit if pypi > 0 => printer.warning(format_args!(
            "{pypi} packages of PyPI are comments in the list: `envlock export --format requirements` has them for pip"
        )),
        Format::Pylock | Format::Requirements if conda > 0 => printer.note(format_args!(
            "{conda} conda packages are not in it: `envlock export --format explicit` has them"
        )),
        Format::Environment => printer.note("it has no hashes: conda-lock.yml has them"),
        _ => {}
    }
}
