//! Byte-code, compiled once by the environment's own Python.
//!
//! Guarantees: the same sources and prefix give the same bytes, whatever the machine, the order and the number of
//! processes; none is ever found stale, because from Python 3.7 on it is checked by nothing (PEP 552), and before
//! by the time that a tree fixes. The Python runs through the runtime's loader where the lock has a runtime, else
//! through this machine's.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use rattler::install::PythonInfo;
use rayon::prelude::*;

use super::{Entries, Entry, Error, Manifest, Request, TREE_FORMAT, TreePath};
use crate::{
    fs,
    lock::{Kind, fingerprint::of_text},
    store::{Added, Files},
};

const SCRIPT: &str = include_str!("byte_code.py");
/// Where the cache keeps which byte-code came of which sources.
pub(super) const RECORDS: &str = "byte-code";
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

/// Sources that one process compiles together, and where the store keeps what came of them.
pub struct List {
    sources: Vec<String>,
    record: PathBuf,
}

/// What came of a list: where byte-code is, its source, and its content.
pub(super) type Compiled = Vec<(String, String, Added)>;

/// The byte-code of a tree, as far as it is known.
pub struct ByteCode {
    known: Vec<Compiled>,
    /// What is still to be compiled.
    pub missing: Vec<List>,
}

impl ByteCode {
    /// Finds the byte-code that the store has of an earlier time; with `anew`, none.
    pub(super) fn find(
        request: &Request,
        manifest: &Manifest,
        runtime: &str,
        cache: &Path,
        files: &Files,
        anew: bool,
    ) -> Result<Self, fs::Error> {
        let (mut known, mut missing) = (Vec::new(), Vec::new());
        for list in lists(request, manifest, runtime, cache) {
            match if anew { None } else { list.kept(files)? } {
                Some(compiled) => known.push(compiled),
                None => missing.push(list),
            }
        }
        Ok(Self { known, missing })
    }

    /// Compiles what is missing, with the Python of a tree that was materialised at `root`.
    pub(super) fn compile(
        &mut self,
        request: &Request,
        root: &Path,
        files: &Files,
        python: &PythonInfo,
        loader: Option<&Loader>,
    ) -> Result<(), Error> {
        let directory = files.scratch().fresh();
        fs::create_directory(&directory)?;
        let script = directory.join("byte_code.py");
        files.scratch().publish(&script, SCRIPT.as_bytes())?;
        let run = |list: &List| {
            let listed = files.scratch().fresh();
            files.scratch().publish(&listed, list.sources.join("\n").as_bytes())?;
            let python = root.join(&python.path);
            let words = [&script, root, Path::new(request.prefix), &listed].map(PathBuf::from);
            let compiled = receive(&mut command(&python, &words, loader), &list.sources, files)?;
            files.scratch().publish(&list.record, &serde_json::to_vec(&compiled).unwrap_or_default())?;
            Ok(compiled)
        };
        let compiled = self.missing.par_iter().with_max_len(1).map(run).collect::<Result<Vec<_>, Error>>()?;
        self.known.extend(compiled);
        self.missing.clear();
        Ok(())
    }

    /// The entries to add to a tree.
    pub(super) fn entries(&self, manifest: &Manifest) -> Entries {
        let mut entries: Entries = self
            .known
            .iter()
            .flatten()
            // A package's own directory may stand where a file of byte-code would be.
            .filter(|(path, _, _)| !manifest.entries.contains_key(path))
            .map(|(path, source, Added { sha256, size })| {
                let owner = manifest.entries.get(source).and_then(|(_, owner)| *owner);
                (
                    path.clone(),
                    (Entry::File { sha256: sha256.clone(), size: *size, executable: false }, owner),
                )
            })
            .collect();
        let new = super::parents(entries.keys()).into_iter();
        let new = new.filter(|parent| !manifest.entries.contains_key(parent));
        entries.extend(new.map(|parent| (parent, (Entry::Directory, None))));
        entries
    }
}

impl List {
    /// The sources, by path.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        self.sources.iter().map(String::as_str)
    }

    /// What the store has of an earlier time, if it is all there.
    fn kept(&self, files: &Files) -> Result<Option<Compiled>, fs::Error> {
        Ok(load(&self.record)?
            .filter(|kept| kept.iter().all(|(_, _, it)| files.has(&it.sha256, it.size, false))))
    }
}

/// What a record of the store says.
pub(super) fn load(record: &Path) -> Result<Option<Compiled>, fs::Error> {
    Ok(fs::read_kept(record)?.and_then(|text| serde_json::from_slice(&text).ok()))
}

/// Every source of a tree. A list is one process, and what its earlier sources leave behind in it may show: so it has
/// sources of one package alone, and another version of a package changes no other's byte-code.
fn lists(request: &Request, manifest: &Manifest, runtime: &str, cache: &Path) -> Vec<List> {
    let mut sources: BTreeMap<Option<u32>, Vec<(&String, &String)>> = BTreeMap::new();
    for (path, (entry, owner)) in &manifest.entries {
        let Entry::File { sha256, .. } = entry else { continue };
        let is_source = Path::new(path).extension().is_some_and(|extension| extension == "py");
        // Where something else than a directory would hold it, there is no byte-code.
        let place = path.rsplit_once('/').map(|(directory, _)| format!("{directory}/__pycache__"));
        let held = manifest.entries.get(place.as_deref().unwrap_or("__pycache__"));
        if is_source && held.is_none_or(|(entry, _)| matches!(entry, Entry::Directory)) {
            sources.entry(*owner).or_default().push((path, sha256));
        }
    }
    // All that runs when it is compiled, besides the sources: Python, what it may load, and the C library.
    let runs = request.packages.iter().filter(|package| package.kind == Kind::Conda);
    let runs: Vec<&String> = runs.map(|package| &package.sha256).collect();
    let base = format!("{TREE_FORMAT} {:?} {runtime:?} {runs:?} {SCRIPT:?}", request.prefix);
    let list = |sources: &[(&String, &String)]| List {
        sources: sources.iter().map(|(path, _)| (*path).clone()).collect(),
        record: cache.join(RECORDS).join(format!("{}.json", of_text(&format!("{base} {sources:?}")))),
    };
    sources.values().flat_map(|sources| sources.chunks(SOURCES_AT_ONCE)).map(list).collect()
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
fn receive(command: &mut duct::Expression, sources: &[String], files: &Files) -> Result<Compiled, Error> {
    let failed = |reason: String| Error::ByteCode { reason };
    let unreadable = |error: io::Error| failed(error.to_string());
    let process = command.reader().map_err(unreadable)?;
    let mut output = BufReader::with_capacity(1 << 16, &process);
    let (mut compiled, mut answered) = (Compiled::new(), 0);
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
        compiled.push((path.to_string(), source.clone(), files.add(&content, false)?));
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
        _ => Ok(compiled),
    }
}
