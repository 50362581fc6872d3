//! `envlock init`: the usual master and worker for an environment file.

use std::path::{Path, PathBuf};

use rattler_conda_types::Subdir;

use crate::{
    cli::Init,
    cluster::defaults::{self, Wanted},
    error::{Error, ExitCode},
    fs,
    printer::Printer,
    settings::Settings,
    spec::{
        self, Environment,
        channel::{Context, DEFAULT_ALIAS},
        environment,
        pip::PipItem,
        project::is_name,
    },
};

/// Runs the command.
pub(super) fn init(arguments: &Init, settings: &Settings, printer: &Printer) -> Result<ExitCode, Error> {
    let usage = |message: String, hint: &str| Error::from(spec::Error::usage(message, hint));
    let here = || spec::ENVIRONMENT_FILES.iter().map(PathBuf::from).find(|path| path.is_file());
    let file = arguments.file.clone().or_else(here).ok_or_else(|| {
        usage(
            "there is no env.yml here".to_owned(),
            "name the environment file: `envlock init path/to/env.yml`",
        )
    })?;
    let text = fs::read_input(&file)?;
    let shown = file.display().to_string();
    let name = environment::name(&shown, &text).map_err(spec::Error::from)?;
    let mut platforms = arguments.platform.clone();
    for platform in &platforms {
        environment::parse_platform(platform)
            .map_err(|(message, hint)| usage(format!("--platform: {message}"), &hint))?;
    }
    if platforms.is_empty() {
        let stated = environment::platforms(&shown, &text).map_err(spec::Error::from)?.unwrap_or_default();
        platforms = stated.iter().map(|platform| platform.as_str().to_owned()).collect();
    }
    if let Some(platform) = platforms.iter().find(|platform| !platform.starts_with("linux-")) {
        return Err(usage(
            format!("there are no containers for {platform}"),
            "say with --platform which of the platforms nodes have, such as --platform linux-64",
        ));
    }
    let directory = file.parent().unwrap_or(Path::new(""));
    let alias = DEFAULT_ALIAS.parse().map_err(|error: url::ParseError| usage(error.to_string(), ""))?;
    let context = Context { alias: &alias, directory, variables: &settings.variables };
    let platform = platforms.first().and_then(|it| it.parse().ok()).unwrap_or(Subdir::Linux64);
    let read =
        environment::parse(&shown.as_str().into(), &text, platform, context).map_err(spec::Error::from)?;
    let has = |name: &str| names(&read).any(|known| known == name);
    let has_airflow = has("apache-airflow") || has("airflow");
    if !has_airflow && !has("celery") {
        return Err(usage(
            format!("{shown} does not name celery, so there is no worker to run"),
            "add celery[redis] to its `pip:` section, or write envlock.yml yourself",
        ));
    }
    let channels = read.channels.iter().map(|channel| channel.lock_url.clone()).collect();
    let cluster = name.as_deref().unwrap_or("cluster").to_lowercase().replace(['_', '.', ' '], "-");
    let wanted = Wanted {
        file: &file.file_name().unwrap_or_default().to_string_lossy(),
        name: if is_name(&cluster) { &cluster } else { "cluster" },
        channels,
        platforms,
        app: &arguments.app,
        has_supervisor: has("supervisor"),
        has_postgresql: has("postgresql"),
    };
    let files = if has_airflow { defaults::airflow(&wanted) } else { defaults::celery(&wanted) };
    if !arguments.force {
        for (name, content) in &files {
            let path = directory.join(name);
            if fs::exists(&path) && fs::read_bytes(&path)? != *content {
                return Err(usage(
                    format!("{} is there already", path.display()),
                    "keep it and edit it, or replace all of them with --force",
                ));
            }
        }
    }
    for path in fs::write_together(directory, &files)? {
        printer.note(format_args!("wrote {}", path.display()));
    }
    // Where the project is not here, it is to be named.
    let (project, lock) = if directory.as_os_str().is_empty() {
        (String::new(), String::new())
    } else {
        (format!(" {}", directory.join("envlock.yml").display()), format!(" --lock {}", directory.display()))
    };
    printer.note(format_args!(
        "next: read envlock.yml, then `envlock convert{project}`, `envlock image build master{lock}` and `… worker`"
    ));
    Ok(ExitCode::Success)
}

/// The names of all packages that an environment file asks for.
fn names(environment: &Environment) -> impl Iterator<Item = String> {
    let conda = environment.conda.iter().filter_map(|spec| {
        let name = spec.spec.name.as_exact()?;
        Some(name.as_normalized().to_owned())
    });
    let pip = environment.pip.iter().filter_map(|line| match &line.item {
        PipItem::Requirement { requirement, constraint: false, .. } => Some(requirement.name.to_string()),
        _ => None,
    });
    conda.chain(pip)
}
