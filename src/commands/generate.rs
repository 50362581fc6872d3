//! `envlock completions` and `envlock man`: by clap's own generators, from the one definition.

use std::{io::Write, path::Path};

use clap::CommandFactory;

use crate::{
    cli::Cli,
    error::{Error, ExitCode},
    fs,
    printer::Printer,
};

/// Prints the completion script of a shell.
pub(super) fn completions(shell: clap_complete::Shell, printer: &Printer) -> Result<ExitCode, Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "envlock", &mut script);
    printer.raw(&script)?;
    Ok(ExitCode::Success)
}

/// A command and all below it, with the names of their pages.
fn collect(command: &clap::Command, name: String, pages: &mut Vec<(clap::Command, String)>) {
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        collect(sub, format!("{name}-{}", sub.get_name()), pages);
    }
    pages.push((command.clone(), name));
}

/// Writes `envlock.1` and a page for each command.
pub(super) fn man(directory: &Path, printer: &Printer) -> Result<ExitCode, Error> {
    let mut command = Cli::command();
    command.build();
    let mut pages = Vec::new();
    collect(&command, "envlock".to_owned(), &mut pages);
    let mut files = Vec::new();
    for (command, name) in pages {
        let mut page = Vec::new();
        let written = |source| fs::Error::Io { action: "write", path: directory.join(&name), source };
        clap_mangen::Man::new(command).title(name.to_uppercase()).render(&mut page).map_err(written)?;
        page.flush().map_err(written)?;
        files.push((format!("{name}.1"), page));
    }
    let written = fs::write_together(directory, &files)?;
    printer.note(format_args!("wrote {} man pages into {}", written.len(), directory.display()));
    Ok(ExitCode::Success)
}
