//! Why an sdist does not become a wheel.

use super::Sdist;
use crate::{causes::printable, fs};

/// How many lines of what a build said are told.
const LINES: usize = 20;

/// Signs of a cause, each the words of one line of what a build says, and what to do about it.
const CAUSES: [(&[&[&str]], &str); 6] = [
    (
        &[
            &["Temporary failure in name resolution"],
            &["Name or service not known"],
            &["Network is unreachable"],
            &["NameResolutionError"],
            &["Failed to establish a new connection"],
        ],
        "it reaches for the network, which no build has: what it would fetch must be in the sdist, or be named below \
         `build-requires:` in envlock.yml",
    ),
    (
        &[&["Read-only file system"]],
        "it writes outside of its own directory, which no build may: tell its authors, or lock another version",
    ),
    (
        &[
            &["No such file or directory", "cc'"],
            &["No such file or directory", "++'"],
            &["No such file or directory", "clang'"],
            &["cc: not found"],
            &["Unknown compiler"],
            &["no acceptable C compiler"],
        ],
        "it needs a compiler, and compilers come from the lock alone: add `c-compiler` (and `cxx-compiler` for C++) to \
         the conda dependencies of the environment file, or lock a version that has a wheel",
    ),
    (
        &[&["fatal error: ", ".h"]],
        "it needs a header, and headers come from the lock alone: add the conda package that has it to the \
         environment file, or lock a version that has a wheel",
    ),
    (
        &[&["No space left on device"], &["MemoryError"], &["Cannot allocate memory"]],
        "give the build more space: its second run is in memory alone (a tmpfs, half of it by default)",
    ),
    (
        &[&["ModuleNotFoundError: No module named"], &["ImportError: No module named"]],
        "what it imports and does not ask for goes below `build-requires:` in envlock.yml; what newer build tools \
         no longer have, `build-constraints:` brings back, such as `setuptools<58`",
    ),
];

/// Why an sdist does not become a wheel.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The build itself failed.
    #[error("cannot build {sdist}: {reason}{}", shown(said))]
    Failed {
        /// The file name of the sdist.
        sdist: String,
        /// How it ended.
        reason: String,
        /// The end of what it said.
        said: String,
    },
    /// It did not come to an end.
    #[error("cannot build {sdist}: it was not done after {seconds} s{}", shown(said))]
    TimedOut {
        /// The file name of the sdist.
        sdist: String,
        /// How long it was waited for.
        seconds: u64,
        /// The end of what it said.
        said: String,
    },
    /// Two builds are not the same.
    #[error("{sdist} was built twice, and the wheels differ: {difference}")]
    Differs {
        /// The file name of the sdist.
        sdist: String,
        /// In what.
        difference: String,
    },
    /// It became another wheel than the one that is locked.
    #[error("{sdist} was built, and its wheel is not the locked one: sha256 {found} instead of {expected}")]
    WrongWheel {
        /// The file name of the sdist.
        sdist: String,
        /// The name of the package.
        name: String,
        /// As the lock states it.
        expected: String,
        /// As it is.
        found: String,
    },
    /// What was built says otherwise of itself than what was resolved.
    #[error("{sdist} was built, and its metadata is not what was resolved with: {reason}")]
    Disagrees {
        /// The file name of the sdist.
        sdist: String,
        /// What is unlike.
        reason: String,
    },
    /// What a build made cannot be read.
    #[error("{wheel} was built, and cannot be read: {reason}")]
    NoWheel {
        /// The file name of the wheel.
        wheel: String,
        /// Why not.
        reason: String,
    },
    /// This machine does not let a build be separated from it.
    #[error("this machine does not let a build be kept apart from it: {reason}")]
    Isolation {
        /// What it refused.
        reason: String,
    },
    /// The file system said no.
    #[error(transparent)]
    Fs(#[from] fs::Error),
}

impl Error {
    pub(super) fn failed(sdist: &Sdist, reason: String, said: String) -> Self {
        Self::Failed { sdist: sdist.file_name.clone(), reason, said }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Failed { said, .. } => {
                let is_said = |sign: &[&str]| said.lines().any(|line| sign.iter().all(|word| line.contains(word)));
                let cause = CAUSES.iter().find(|(signs, _)| signs.iter().any(|sign| is_said(sign)));
                let otherwise = "lock another version, or one that has a wheel (`--only-binary` in `pip:`); variables that \
                                 it wants go below `build-variables:` in envlock.yml";
                cause.map_or(otherwise, |(_, hint)| hint).to_owned()
            }
            Self::TimedOut { .. } => {
                "if it only needs longer, say so in envlock.yml: `build-timeout: SECONDS`".to_owned()
            }
            Self::Differs { .. } => {
                "a wheel that is another one every time cannot be locked: tell its authors, or lock another version".to_owned()
            }
            Self::WrongWheel { name, .. } => format!(
                "the build looks at something that is not locked: tell its authors; `envlock update {name}` locks what it \
                 becomes here"
            ),
            Self::Disagrees { .. } => {
                "what it declares before it is built is wrong for this Python: tell its authors, or lock another version"
                    .to_owned()
            }
            Self::NoWheel { .. } => "tell its authors, or lock another version".to_owned(),
            Self::Isolation { .. } => {
                "builds need Linux with user namespaces: allow them (sysctl kernel.unprivileged_userns_clone=1, on Ubuntu \
                 kernel.apparmor_restrict_unprivileged_userns=0), run as root, or in a container with --privileged; the cache \
                 must be where programs can be run"
                    .to_owned()
            }
            Self::Fs(error) => return error.hint(),
        })
    }
}

/// The last lines of what a build said, as they are shown below a message.
fn shown(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    last.iter().fold(String::new(), |text, line| text + "\n  | " + &printable(line))
}
