//! From an sdist to its wheel, by the environment's own Python, where nothing of this machine is.
//!
//! Guarantees: a build sees no network, no file but those of the lock and of the sdist, no user, and a time that stands
//! still ([`EPOCH`]); its paths are the same on every machine; nothing that it does outlives it but its answer. A
//! wheel counts only if a second build, in surroundings that differ on purpose, gives the same bytes.
//!
//! Sources: PEP 517 (hooks of a build backend), PEP 518 (`[build-system]`), the specification of `SOURCE_DATE_EPOCH`.

mod difference;
mod error;
mod place;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

pub use error::Error;

use crate::{
    fs,
    lock::{fingerprint::hex, model::is_wheel_name},
    store::Scratch,
};
use place::{Place, Surroundings};

/// What every build takes for now: the first day that a zip file can state (1980-01-01), in seconds.
pub const EPOCH: &str = "315532800";
/// The version of how builds are done; another one may give other wheels.
pub const FORMAT: u32 = 1;
/// After how long a build is given up, if nobody says otherwise.
pub const TIMEOUT: Duration = Duration::from_hours(1);
/// What an answer may be long: names of requirements, or of one file.
const ANSWER_LIMIT: u64 = 1 << 20;

/// A tree that was materialised somewhere, and the prefix that it was made for.
#[derive(Clone, Copy)]
pub struct Root<'a> {
    /// Where it is now.
    pub root: &'a Path,
    /// Where a build sees it.
    pub prefix: &'a str,
}

/// Where sdists are built: Python, compilers and build requirements, and what they run with.
#[derive(Clone, Copy)]
pub struct Workshop<'a> {
    /// Python and everything that builds.
    pub environment: Root<'a>,
    /// Path of the Python below it.
    pub python: &'a str,
    /// The prefix's own compilers for C and C++ by their names in `bin`, if they have unusual ones.
    pub compilers: &'a [(&'static str, String)],
    /// The C library, and its sysroot below it; none: this machine's.
    pub runtime: Option<(Root<'a>, &'a str)>,
    /// Variables that the builds want.
    pub variables: &'a BTreeMap<String, String>,
    /// After how long a build is given up.
    pub timeout: Duration,
    /// For what is only made to be thrown away.
    pub scratch: &'a Scratch,
}

/// An sdist and who builds it.
pub struct Sdist<'a> {
    /// Its file name.
    pub file_name: String,
    /// Where it is.
    pub path: &'a Path,
    /// `build-backend` of its `[build-system]`.
    pub backend: &'a str,
    /// `backend-path` of it.
    pub backend_path: &'a [String],
}

/// A wheel that was built.
#[derive(Debug)]
pub struct Built {
    /// Its name.
    pub file_name: String,
    /// Where it is; a part of the scratch directory.
    pub path: PathBuf,
    /// sha256, 64 lower-case hex digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
}

impl Workshop<'_> {
    /// What building an sdist takes besides what its `[build-system]` states, as requirements.
    pub fn requires(&self, sdist: &Sdist) -> Result<Vec<String>, Error> {
        let out = self.run(sdist, "requires", Surroundings::Usual)?;
        answer(sdist, &out)
    }

    /// Builds an sdist twice, and returns the wheel if both are the same.
    pub fn wheel(&self, sdist: &Sdist) -> Result<Built, Error> {
        let began = std::time::Instant::now();
        let first = self.build(sdist, Surroundings::Usual)?;
        // The times of a zip file have two seconds' resolution: a clock that is looked at has to show.
        std::thread::sleep(Duration::from_secs(2).saturating_sub(began.elapsed()));
        let second = self.build(sdist, Surroundings::Unusual)?;
        if (&first.file_name, &first.sha256) != (&second.file_name, &second.sha256) {
            let difference = difference::of(&first, &second)?;
            return Err(Error::Differs { sdist: sdist.file_name.clone(), difference });
        }
        Ok(first)
    }

    fn build(&self, sdist: &Sdist, surroundings: Surroundings) -> Result<Built, Error> {
        let out = self.run(sdist, "wheel", surroundings)?;
        let file_name: String = answer(sdist, &out)?;
        let failed = |reason: &str| Error::failed(sdist, reason.to_owned(), String::new());
        let path = out.join(&file_name);
        // The build chose the name, and what is there.
        if !is_wheel_name(&file_name) || !fs::is_regular(&path) {
            return Err(failed("its backend names a wheel that is not there"));
        }
        let size = fs::size(&path).unwrap_or_default();
        Ok(Built { sha256: hex(&fs::sha256(&path)?), file_name, path, size })
    }

    /// Runs a hook, and returns the directory with its answer.
    fn run(&self, sdist: &Sdist, hook: &str, surroundings: Surroundings) -> Result<PathBuf, Error> {
        let out = self.scratch.fresh();
        fs::create_directory(&out)?;
        Place { workshop: self, surroundings, out: &out }.run(sdist, hook)?;
        Ok(out)
    }
}

/// What a hook has answered, in a directory where it could put anything.
fn answer<T: serde::de::DeserializeOwned>(sdist: &Sdist, out: &Path) -> Result<T, Error> {
    let path = out.join("answer.json");
    let is_sound = fs::is_regular(&path) && fs::size(&path).is_some_and(|size| size <= ANSWER_LIMIT);
    let text = if is_sound { fs::read_bytes(&path)? } else { Vec::new() };
    serde_json::from_slice(&text)
        .map_err(|error| Error::failed(sdist, format!("its backend gives no answer: {error}"), String::new()))
}
