//! The tree of a commit as an artifact, by git itself.

use std::path::Path;

use duct::cmd;

use super::tree;
use crate::{fs, spec::channel::redact_words};

/// Why there is no tree.
pub(super) enum Failure {
    /// There is no git.
    NoGit,
    /// The repository cannot be read; git says why.
    Unreachable(String),
    /// It has nothing of that name.
    NoReference(String),
    /// What the commit has cannot be packed; a sentence.
    NoTree(String),
    Fs(fs::Error),
}

/// Packs the tree of a branch, a tag or a commit, or a directory in it; returns the commit, too.
pub(super) fn pack(
    repository: &str,
    authorization: Option<&str>,
    reference: Option<&str>,
    subdirectory: Option<&str>,
    cache: &Path,
) -> Result<(String, Vec<u8>), Failure> {
    let git = which::which("git").map_err(|_| Failure::NoGit)?;
    let scratch = fs::scratch_in(cache).map_err(Failure::Fs)?;
    let at = scratch.path().join("checkout");
    let run = |arguments: &[&str]| {
        let all =
            ["-c", "core.autocrlf=false", "-c", "core.symlinks=true", "-c", "advice.detachedHead=false"];
        let output = cmd(&git, all.iter().chain(arguments))
            .env("GIT_TERMINAL_PROMPT", "0")
            // Hooks and settings of this machine are no part of the tree.
            .env("GIT_CONFIG_NOSYSTEM", "1")
            // In the environment, where no list of processes shows it.
            .env("GIT_CONFIG_COUNT", if authorization.is_some() { "1" } else { "0" })
            .env("GIT_CONFIG_KEY_0", format!("http.{repository}.extraHeader"))
            .env("GIT_CONFIG_VALUE_0", authorization.unwrap_or_default())
            .stdin_null()
            .stdout_capture()
            .stderr_capture()
            .unchecked()
            .run();
        match output {
            Ok(output) if output.status.success() => {
                Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
            }
            Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
            Err(error) => Err(error.to_string()),
        }
    };
    let failed = |said: String| Failure::Unreachable(redact_words(&said.replace('\n', " ")));
    let checkout = at.display().to_string();
    run(&["clone", "--quiet", "--no-checkout", "--", repository, &checkout]).map_err(failed)?;
    let wanted = reference.unwrap_or("HEAD");
    // A branch is known to a clone under its remote's name, anything else under its own.
    let commit = [format!("origin/{wanted}^{{commit}}"), format!("{wanted}^{{commit}}")]
        .iter()
        .find_map(|name| {
            run(&["-C", &checkout, "rev-parse", "--verify", "--quiet", "--end-of-options", name]).ok()
        })
        .ok_or_else(|| Failure::NoReference(wanted.to_owned()))?;
    run(&["-C", &checkout, "checkout", "--quiet", "--detach", &commit]).map_err(failed)?;
    run(&["-C", &checkout, "submodule", "--quiet", "update", "--init", "--recursive"]).map_err(failed)?;
    let packed = tree::subdirectory(&at, subdirectory).and_then(|part| tree::pack(&part));
    Ok((commit, packed.map_err(Failure::NoTree)?))
}
