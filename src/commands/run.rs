//! `envlock run`: a command in an installed environment, activated as conda would.

use std::{collections::BTreeMap, os::unix::process::CommandExt, path::PathBuf, process::Command};

use rattler_conda_types::Subdir;
use rattler_shell::{
    activation::{ActivationVariables, Activator, PathModificationBehavior},
    shell::Bash,
};

use super::install::absolute_prefix;
use crate::{
    cli::Run,
    error::{Error, ExitCode},
    printer::Printer,
    settings::Settings,
    spec,
    tree::Marker,
};

/// Runs the command; it takes the place of this process.
pub(super) fn run(arguments: &Run, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let usage = |message: String, hint: &str| Error::from(spec::Error::usage(message, hint));
    let prefix = PathBuf::from(absolute_prefix(&arguments.prefix)?);
    let shown = prefix.display();
    let Some(marker) = Marker::read(&prefix)? else {
        let message = format!("{shown} is no environment that envlock installed");
        return Err(usage(message, "install it first: envlock install LOCK --prefix DIR"));
    };
    if prefix.to_str() != Some(&marker.prefix) {
        printer.warning(format_args!("{shown} was installed for {}: programs may look there", marker.prefix));
    }
    let (program, words) =
        arguments.command.split_first().ok_or_else(|| usage("no command is given".to_owned(), "add one"))?;
    let mut variables = activate(&prefix, &marker, settings, printer)?;
    if !marker.byte_code {
        // Python would write its own into the prefix, and verify would find it.
        variables.entry("PYTHONDONTWRITEBYTECODE".to_owned()).or_insert_with(|| "1".to_owned());
    }
    let path = variables.get("PATH").cloned();
    let found = which::which_in(program, path, std::path::absolute(".").unwrap_or_default());
    let found = found.map_err(|_| {
        let message = format!("there is no command {} in {shown} or on the PATH", program.display());
        usage(message, "`envlock install` prints what it installs; check the name")
    })?;
    let error = Command::new(found).arg0(program).args(words).envs(variables).exec();
    Err(usage(format!("cannot run {}: {error}", program.display()), "is it a program for this machine?"))
}

/// The environment variables that activation sets.
fn activate(
    prefix: &std::path::Path,
    marker: &Marker,
    settings: &Settings,
    printer: &Printer,
) -> Result<BTreeMap<String, String>, Error> {
    let failed = |error: &dyn std::error::Error| {
        let message = format!("{} cannot be activated: {}", prefix.display(), crate::causes::chain(error));
        Error::from(spec::Error::usage(message, "see the scripts in its etc/conda/activate.d"))
    };
    let platform = marker.platform.parse().unwrap_or(Subdir::Linux64);
    let activator =
        Activator::from_path(prefix, Bash::default(), platform).map_err(|error| failed(&error))?;
    let paths = activator.paths.iter().map(|path| path.display().to_string());
    let before = settings.variables.get("PATH").cloned();
    let path = paths.chain(before.clone()).collect::<Vec<_>>().join(":");
    let mut variables = BTreeMap::from([
        ("PATH".to_owned(), path),
        ("CONDA_PREFIX".to_owned(), prefix.display().to_string()),
        ("CONDA_DEFAULT_ENV".to_owned(), prefix.display().to_string()),
        ("CONDA_SHLVL".to_owned(), "1".to_owned()),
    ]);
    // Only those who bring scripts need a shell to run them.
    if !activator.activation_scripts.is_empty() {
        if which::which("bash").is_ok() {
            let state = ActivationVariables {
                path: before.map(|path| std::env::split_paths(&path).collect()),
                path_modification_behavior: PathModificationBehavior::Prepend,
                ..ActivationVariables::default()
            };
            variables.extend(activator.run_activation(state, None).map_err(|error| failed(&error))?);
        } else {
            printer.warning("activation scripts are not run: there is no bash");
        }
    }
    // As they are written: conda makes their names upper-case, and so did rattler when it read them.
    variables.extend(marker.variables.clone());
    Ok(variables)
}
