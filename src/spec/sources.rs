//! Which files make up the input, and how several of them merge.
//!
//! This is the loader of the module: everything beside it takes text.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use rattler_conda_types::Subdir;
use url::Url;

use super::{
    EnvSpec, Environment, Error, RUNTIME, Source, USER,
    channel::{Context, DEFAULT_ALIAS, Variables},
    environment,
    name_map::{self, NameMap},
    options::Options,
    project::{self, Airflow, Cluster, Project, Role},
};
use crate::fs;

/// Everything that a conversion starts from.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// The user environment first, then the runtime, then the roles by name.
    pub environments: Vec<EnvSpec>,
    /// What the project file says of the cluster.
    pub cluster: Option<Cluster>,
    /// What of Airflow's own cluster is different from the usual, if roles are parts of one.
    pub airflow: Option<Airflow>,
    /// The roles of the project file.
    pub roles: BTreeMap<String, Role>,
    /// The options that hold: the command line's, else the project file's.
    pub options: Options,
    /// Where channel names lead.
    pub alias: Url,
    /// conda name → PyPI name, from `--name-map`.
    pub name_map: NameMap,
    /// The directory of the first file: where outputs go without `-o`.
    pub directory: PathBuf,
    /// What was ignored on purpose, in words.
    pub notes: Vec<String>,
}

/// Reads the input files. Without `files`: `envlock.yml` or `env.yml` of `directory`.
///
/// A project file counts when it is named, when nothing is named, or when it lies beside the named
/// files and its `environment` is exactly them: otherwise naming `env.yml` would rewrite the
/// project's outputs without its runtime and roles.
pub fn load(
    directory: &Path,
    files: &[PathBuf],
    options: Options,
    variables: &Variables,
) -> Result<Inputs, Error> {
    if let Some(file) = files.iter().find(|file| file.exists() && !file.is_file() && !file.is_dir()) {
        return Err(Error::usage(
            format!("{} is no regular file, and outputs go beside the first file", file.display()),
            "save the environment as env.yml first",
        ));
    }
    let files = if files.is_empty() { vec![default_file(directory)?] } else { files.to_vec() };
    let (project, files) = find_project(&files)?;
    let base = files.first().map(|file| parent(file)).unwrap_or_default();
    let mut options = options.or(&Options {
        name_map: project.options.name_map.as_ref().map(|file| base.join(file).display().to_string()),
        ..project.options
    });
    let mut name_map = NameMap::new();
    if let Some(file) = &options.name_map {
        let path = Path::new(file);
        name_map = name_map::parse(file, &fs::read_input(path)?)?;
        // Recorded as seen from the inputs: the working directory is nobody's business.
        options.name_map = Some(fs::relative(path, &base));
    }
    let alias = match &options.channel_alias {
        Some(alias) => alias.clone(),
        None => Url::parse(DEFAULT_ALIAS).map_err(|error| Error::usage(error.to_string(), ""))?,
    };
    let loader = Loader { platforms: &options.platforms, alias: &alias, variables };

    let mut environments = vec![loader.environment(USER, &files)?];
    if let Some(file) = &project.runtime {
        environments.push(loader.environment(RUNTIME, &[base.join(file)])?);
    }
    for (name, role) in &project.roles {
        if let Some(file) = &role.system {
            environments.push(loader.environment(name, &[base.join(file)])?);
        }
    }
    if !options.platforms.is_empty() && environments.iter().all(|environment| environment.states_platforms) {
        return Err(Error::usage(
            "--platform is for files that name no platforms, and every file here does",
            "change `platforms:` in the environment file instead",
        ));
    }
    let environments: Vec<_> = environments.into_iter().map(|environment| environment.spec).collect();
    let mut notes: Vec<String> = Vec::new();
    for note in environments.iter().flat_map(|spec| spec.platforms.values()).flat_map(|read| &read.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    let Project { cluster, airflow, roles, .. } = project;
    Ok(Inputs { environments, cluster, airflow, roles, options, alias, name_map, directory: base, notes })
}

/// What an environment file is called where nobody says.
pub const ENVIRONMENT_FILES: [&str; 4] = ["env.yml", "environment.yml", "env.yaml", "environment.yaml"];

fn default_file(directory: &Path) -> Result<PathBuf, Error> {
    let candidates = ["envlock.yml", "envlock.yaml"].into_iter().chain(ENVIRONMENT_FILES);
    let found = candidates.map(|name| directory.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        Error::usage(
            "there is no envlock.yml or env.yml here",
            "name the environment file: `envlock convert path/to/env.yml`",
        )
    })
}

/// The project that governs `files`, and the files of its user environment.
fn find_project(files: &[PathBuf]) -> Result<(Project, Vec<PathBuf>), Error> {
    let is_project = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == "envlock");
    if let Some(path) = files.iter().find(|path| is_project(path)) {
        if files.len() > 1 {
            return Err(Error::usage(
                format!("{} names the files of the project itself", path.display()),
                "give either the project file or environment files",
            ));
        }
        let project = project::parse(&path.display().to_string(), &fs::read_input(path)?)?;
        let files = project.environment.iter().map(|file| parent(path).join(file)).collect();
        return Ok((project, files));
    }
    let beside = files.first().map(|file| parent(file)).unwrap_or_default();
    for name in ["envlock.yml", "envlock.yaml"] {
        let path = beside.join(name);
        if !path.is_file() {
            continue;
        }
        let project = project::parse(&path.display().to_string(), &fs::read_input(&path)?)?;
        let same = |named: &Path, given: &Path| fs::relative(named, given) == ".";
        let named: Vec<_> = project.environment.iter().map(|file| beside.join(file)).collect();
        if named.len() == files.len() && named.iter().zip(files).all(|(named, given)| same(named, given)) {
            return Ok((project, files.to_vec()));
        }
    }
    Ok((Project::default(), files.to_vec()))
}

fn parent(path: &Path) -> PathBuf {
    path.parent().map(Path::to_path_buf).unwrap_or_default()
}

struct Loader<'a> {
    platforms: &'a [Subdir],
    alias: &'a Url,
    variables: &'a Variables,
}

struct Loaded {
    spec: EnvSpec,
    states_platforms: bool,
}

impl Loader<'_> {
    fn environment(&self, name: &str, files: &[PathBuf]) -> Result<Loaded, Error> {
        let mut sources = Vec::new();
        let mut stated: Vec<Subdir> = Vec::new();
        for path in files {
            let shown: Arc<str> = path.display().to_string().into();
            let text: Arc<str> = fs::read_input(path)?.into();
            for platform in environment::platforms(&shown, &text)?.unwrap_or_default() {
                if !stated.contains(&platform) {
                    stated.push(platform);
                }
            }
            sources.push(Source { shown, path: path.clone(), text });
        }
        let states_platforms = !stated.is_empty();
        let targets = if states_platforms {
            stated
        } else if self.platforms.is_empty() {
            vec![Subdir::Linux64]
        } else {
            self.platforms.to_vec()
        };
        let mut platforms = BTreeMap::new();
        for platform in targets {
            let mut merged = Environment::default();
            for source in &sources {
                let directory = parent(&source.path);
                let context = Context { alias: self.alias, directory: &directory, variables: self.variables };
                merge(&mut merged, environment::parse(&source.shown, &source.text, platform, context)?);
            }
            platforms.insert(platform, merged);
        }
        Ok(Loaded { spec: EnvSpec { name: name.to_owned(), sources, platforms }, states_platforms })
    }
}

/// Adds a further file: new channels rank behind those that are there, requirements of one name
/// must hold together, later variables win.
fn merge(into: &mut Environment, other: Environment) {
    for channel in other.channels {
        if !into.channels.contains(&channel) {
            into.channels.push(channel);
        }
    }
    into.conda.extend(other.conda);
    into.pip.extend(other.pip);
    into.variables.extend(other.variables);
    into.notes.extend(other.notes);
}
