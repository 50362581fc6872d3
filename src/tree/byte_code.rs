//! Byte-code, compiled once by the environment's own Python.
//!
//! Guarantees: the same sources and prefix give the same bytes, whatever the machine, the order and the number of
//! processes; none is ever found stale, because from Python 3.7 on it is checked by nothing (PEP 552), and before
//! by the time that a tree fixes. The Python runs through the runtime's loader where the lock has a runtime, else
//! through this machine's.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use rattler::install::PythonInfo;
use rayon::prelude::*;

use super::{Entry, Error, Manifest, Request, TreePath};
use crate::{
    fs,
    store::{Added, Files},
};

const SCRIPT: &str = include_str!("byte_code.py");

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

/// Compiles every source of a tree that was materialised at `root`, and adds the result to the manifest.
pub(super) fn compile(
    request: &Request,
    manifest: &mut Manifest,
    root: &Path,
    files: &Files,
    python: &PythonInfo,
    loader: Option<&Loader>,
) -> Result<(), Error> {
    let is_source = |path: &&String| Path::new(path).extension().is_some_and(|extension| extension == "py");
    let sources = manifest.entries.iter().filter(|(_, (entry, _))| matches!(entry, Entry::File { .. }));
    let sources: Vec<&String> = sources.map(|(path, _)| path).filter(is_source).collect();
    let workers = rayon::current_num_threads().min(sources.len().div_ceil(32)).max(1);
    // Every worker gets every so-manieth, so that none gets all the large ones.
    let list =
        |worker| sources.iter().skip(worker).step_by(workers).map(|path| path.as_str()).collect::<Vec<_>>();
    let lists: Vec<String> = (0..workers).map(|worker| list(worker).join("\n")).collect();
    let script = files.scratch().fresh();
    fs::create_directory(&script)?;
    let script = script.join("byte_code.py");
    fs::write_own(&script, SCRIPT.as_bytes())?;

    let run = |list: &String| {
        let listed = files.scratch().fresh();
        fs::write_own(&listed, list.as_bytes())?;
        let written = run(request, root, &root.join(&python.path), &script, &listed, loader)?;
        fs::remove_file(&listed)?;
        Ok(written)
    };
    let written: Vec<Vec<String>> = lists.par_iter().map(run).collect::<Result<_, Error>>()?;
    let adopt = |path: &String| {
        // The Python is the environment's own, and still what it says is checked like everything from outside.
        let checked = TreePath::parse(path.as_bytes())
            .map_err(|reason| Error::ByteCode { reason: reason.to_owned() })?;
        let source = checked.source_of_byte_code();
        let owner = source.as_ref().and_then(|source| Some(manifest.entries.get(source)?.1));
        let owner = owner
            .ok_or_else(|| Error::ByteCode { reason: format!("it wrote {path}, which is of no source") })?;
        let Added { sha256, size } = files.adopt(&root.join(path), false)?;
        Ok((path.clone(), (Entry::File { sha256, size, executable: false }, owner)))
    };
    let added: BTreeMap<_, _> = written.concat().par_iter().map(adopt).collect::<Result<_, Error>>()?;
    let parents: BTreeSet<&str> =
        added.keys().filter_map(|path| path.rsplit_once('/')).map(|(parent, _)| parent).collect();
    let settled: BTreeSet<&str> = parents
        .iter()
        .flat_map(|parent| [Some(*parent), parent.rsplit_once('/').map(|it| it.0)])
        .flatten()
        .collect();
    settled.par_iter().try_for_each(|directory| fs::settle_directory(&root.join(directory)))?;
    let directories: Vec<_> =
        parents.into_iter().map(|parent| (parent.to_owned(), (Entry::Directory, None))).collect();
    for (path, entry) in directories {
        manifest.entries.entry(path).or_insert(entry);
    }
    manifest.entries.extend(added);
    Ok(())
}

fn run(
    request: &Request,
    root: &Path,
    python: &Path,
    script: &Path,
    listed: &Path,
    loader: Option<&Loader>,
) -> Result<Vec<String>, Error> {
    let mut words: Vec<std::ffi::OsString> = Vec::new();
    if let Some(loader) = loader {
        let path = std::env::join_paths(&loader.library_path);
        words.extend([
            "--inhibit-cache".into(),
            "--library-path".into(),
            path.unwrap_or_default(),
            python.into(),
        ]);
    }
    // -S and -B: no site-packages are looked at, nothing is written on the way.
    words.extend(["-S", "-B", "-W", "ignore"].map(Into::into));
    words.extend([script.into(), root.into(), request.prefix.into(), listed.into()]);
    let program = loader.map_or(python, |loader| &loader.program);
    // Nothing of this machine's surroundings. The seed matters before 3.11, where sets are stored as they lie.
    let variables = [("PYTHONHASHSEED", "0"), ("PYTHONUTF8", "1"), ("LC_ALL", "C")];
    let output = duct::cmd(program, words)
        .full_env(variables)
        .dir(script.parent().unwrap_or(root))
        .stdin_null()
        .stdout_capture()
        .stderr_capture()
        .unchecked()
        .run()
        .map_err(|error| Error::ByteCode { reason: format!("{}: {error}", program.display()) })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it says nothing");
        return Err(Error::ByteCode {
            reason: format!("{} ended with {}: {last}", python.display(), output.status),
        });
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}
