//! Byte-code, compiled once by the environment's own Python.
//!
//! Guarantees: the same sources and prefix give the same bytes, whatever the machine, the order and the number of
//! processes; none is ever found stale, because from Python 3.7 on it is checked by nothing (PEP 552), and before
//! by the time that a tree fixes. The Python runs through the runtime's loader where the lock has a runtime, else
//! through this machine's.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use rattler::install::PythonInfo;
use rayon::prelude::*;

use super::{Entries, Entry, Error, Manifest, Request, TreePath};
use crate::{
    fs,
    store::{Added, Files},
};

const SCRIPT: &str = include_str!("byte_code.py");
/// How many sources one process compiles.
const SOURCES_AT_ONCE: usize = 256;
/// How long a line of its output may be: a number and a path.
const LINE_LIMIT: u64 = 8192;

/// The dynamic loader of a runtime that was materialised.
pub struct Loader {
    program: PathBuf,
    library_path: Vec<PathBuf>,
}

impl Loader {
    /// Finds the loader and the C library of the runtime at `root`.
    pub fn find(runtime: &Manifest, root: &Path) -> Option<Self> {
        let is_loader = |name: &str| name.starts_with("ld-linux") || name.starts_with("ld64.so");
        let named = |path: &&String| path.rsplit('/').next().is_some_and(is_loader);
        let program = runtime.entries.keys().find(named)?;
        let libc = runtime.entries.keys().filter_map(|path| path.strip_suffix("/libc.so.6"));
        Some(Self { program: root.join(program), library_path: libc.map(|path| root.join(path)).collect() })
    }
}

/// Compiles every source of a tree that was materialised at `root`; returns the entries to add, by path.
pub(super) fn compile(
    request: &Request,
    manifest: &Manifest,
    root: &Path,
    files: &Files,
    python: &PythonInfo,
    loader: Option<&Loader>,
) -> Result<Entries, Error> {
    let is_source = |path: &&String| Path::new(path).extension().is_some_and(|extension| extension == "py");
    let sources = manifest.entries.iter().filter(|(_, (entry, _))| matches!(entry, Entry::File { .. }));
    // Where something else than a directory would hold it, there is no byte-code.
    let has_place = |path: &&String| {
        let place = path.rsplit_once('/').map(|(directory, _)| format!("{directory}/__pycache__"));
        let held = manifest.entries.get(place.as_deref().unwrap_or("__pycache__"));
        held.is_none_or(|(entry, _)| matches!(entry, Entry::Directory))
    };
    let sources: Vec<&String> = sources.map(|(path, _)| path).filter(is_source).filter(has_place).collect();
    // A list is one process: what its earlier sources leave behind in it must not depend on the number of cores.
    let lists: Vec<&[&String]> = sources.chunks(SOURCES_AT_ONCE).collect();
    let directory = files.scratch().fresh();
    fs::create_directory(&directory)?;
    let script = directory.join("byte_code.py");
    files.scratch().publish(&script, SCRIPT.as_bytes())?;

    let run = |list: &&[&String]| {
        let listed = files.scratch().fresh();
        let lines = list.iter().map(|path| path.as_str()).collect::<Vec<_>>().join("\n");
        files.scratch().publish(&listed, lines.as_bytes())?;
        let python = root.join(&python.path);
        let words = [&script, root, Path::new(request.prefix), &listed].map(PathBuf::from);
        receive(&mut command(&python, &words, loader), list, manifest, files)
    };
    let written: Vec<Entries> = lists.par_iter().with_max_len(1).map(run).collect::<Result<_, Error>>()?;
    let mut added: Entries = written.into_iter().flatten().collect();
    // A package's own directory may stand where a file of byte-code would be.
    added.retain(|path, _| !manifest.entries.contains_key(path));
    let parents: BTreeSet<String> =
        added.keys().filter_map(|path| path.rsplit_once('/')).map(|(parent, _)| parent.to_owned()).collect();
    added.extend(
        parents
            .into_iter()
            .filter(|parent| !manifest.entries.contains_key(parent))
            .map(|parent| (parent, (Entry::Directory, None))),
    );
    Ok(added)
}

/// The command that compiles, without anything of this machine's surroundings.
fn command(python: &Path, arguments: &[PathBuf], loader: Option<&Loader>) -> duct::Expression {
    let mut words: Vec<OsString> = Vec::new();
    if let Some(loader) = loader {
        let path = std::env::join_paths(&loader.library_path).unwrap_or_default();
        words.extend(["--inhibit-cache".into(), "--library-path".into(), path, python.into()]);
    }
    // -S and -B: no site-packages are looked at, nothing is written on the way.
    words.extend(["-S", "-B", "-W", "ignore"].map(Into::into));
    words.extend(arguments.iter().map(Into::into));
    // The seed matters before 3.11, where sets are stored as they lie.
    let variables = [("PYTHONHASHSEED", "0"), ("PYTHONUTF8", "1"), ("LC_ALL", "C")];
    let program = loader.map_or(python, |loader| &loader.program);
    let directory = arguments.first().and_then(|script| script.parent()).unwrap_or(python);
    duct::cmd(program, words).full_env(variables).dir(directory).stdin_null().stderr_capture().unchecked()
}

/// Takes what the command writes into the file store, while it comes.
fn receive(
    command: &mut duct::Expression,
    sources: &[&String],
    manifest: &Manifest,
    files: &Files,
) -> Result<Entries, Error> {
    let failed = |reason: String| Error::ByteCode { reason };
    let unreadable = |error: io::Error| failed(error.to_string());
    let process = command.reader().map_err(unreadable)?;
    let mut output = BufReader::with_capacity(1 << 16, &process);
    let (mut added, mut answered) = (Entries::new(), 0);
    for source in sources {
        let mut line = String::new();
        (&mut output).take(LINE_LIMIT).read_line(&mut line).map_err(unreadable)?;
        if line.is_empty() {
            break;
        }
        if line == "-\n" {
            answered += 1;
            continue;
        }
        let stated = line.trim_end_matches('\n').split_once(' ');
        let stated = stated.and_then(|(size, path)| Some((size.parse::<u64>().ok()?, path)));
        let (size, path) = stated.ok_or_else(|| failed(format!("it says `{}`", line.trim_end())))?;
        let mut content = Vec::new();
        (&mut output).take(size).read_to_end(&mut content).map_err(unreadable)?;
        if content.len() as u64 != size {
            break;
        }
        answered += 1;
        // The Python is the environment's own, and still is what it says checked like everything from outside. A name
        // that is too long with its ending has no byte-code, as Python has it.
        let Ok(path) = TreePath::parse(path.as_bytes()) else { continue };
        let owner = manifest.entries.get(*source).and_then(|(_, owner)| *owner);
        let Added { sha256, size } = files.add(&content, false)?;
        added.insert(path.to_string(), (Entry::File { sha256, size, executable: false }, owner));
    }
    // To the end, which is when it is known how it went.
    let rest = io::copy(&mut output, &mut io::sink()).map_err(unreadable)?;
    let ended = process.try_wait().map_err(unreadable)?;
    match ended {
        Some(ended) if !ended.status.success() => {
            let said = String::from_utf8_lossy(&ended.stderr);
            let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
            Err(failed(format!("it ended with {}: {last}", ended.status)))
        }
        _ if rest > 0 || answered < sources.len() => {
            Err(failed(format!("of {} sources it answers for {answered}", sources.len())))
        }
        _ => Ok(added),
    }
}
