//! Calls of `nix-build` and `nix build`.

use std::{
    io::{BufRead, BufReader},
    path::Path,
};

use goblin::elf::Elf;

use super::Error;
use crate::fs;

/// What Nix says about things outside of envlock, and what to do about it.
const HINTS: [(&str, &str); 3] = [
    (
        "build-users-group",
        "a Nix for root alone wants `build-users-group =` in /etc/nix/nix.conf, or in $NIX_CONFIG",
    ),
    (
        "does not provide attribute",
        "let the flake's outputs be those of `envlock.lib.mkCluster`, or add --plain",
    ),
    ("is not tracked by", "a flake sees only files that git knows: git add them"),
];

/// One call of Nix, as a user could type it.
pub struct Call {
    program: &'static str,
    words: Vec<String>,
    directory: Option<std::path::PathBuf>,
}

impl Call {
    /// Builds an output of the flake in a directory.
    pub fn flake(directory: &Path, output: &str, link: &Path) -> Self {
        let link = link.display().to_string();
        let words = ["--extra-experimental-features", "nix-command flakes", "build", &format!(".#{output}")];
        let words = words.into_iter().chain(["--out-link", &link]).map(str::to_owned).collect();
        Self { program: "nix", words, directory: Some(directory.to_path_buf()) }
    }

    /// Builds an attribute of expressions, which are functions of the named strings and expressions.
    pub fn plain(
        expressions: &Path,
        strings: &[(&str, &str)],
        arguments: &[(&str, &str)],
        attribute: &str,
        link: &Path,
    ) -> Self {
        let mut words = vec![expressions.display().to_string()];
        let named = strings.iter().map(|it| ("--argstr", it)).chain(arguments.iter().map(|it| ("--arg", it)));
        for (kind, (name, value)) in named {
            words.extend([kind, name, value].map(str::to_owned));
        }
        let link = link.display().to_string();
        words.extend(["--attr", attribute, "--out-link", &link].map(str::to_owned));
        Self { program: "nix-build", words, directory: None }
    }

    /// The call as a shell takes it.
    pub fn shown(&self) -> String {
        let join = |words: &mut dyn Iterator<Item = &str>| shlex::try_join(words).unwrap_or_default();
        let call = join(&mut std::iter::once(self.program).chain(self.words.iter().map(String::as_str)));
        match &self.directory {
            Some(directory) => {
                format!("cd {} && {call}", join(&mut std::iter::once(directory.to_string_lossy().as_ref())))
            }
            None => call,
        }
    }

    /// Runs it, and hands over each line that it says.
    ///
    /// # Errors
    /// If there is no Nix, or it fails.
    pub fn run(&self, mut line: impl FnMut(&str)) -> Result<(), Error> {
        let program = which::which(self.program).map_err(|_| Error::Missing { program: self.program })?;
        let failed = |source| fs::Error::Io { action: "run", path: self.program.into(), source };
        let mut call = duct::cmd(program, &self.words).stdin_null().stderr_to_stdout().unchecked();
        if let Some(directory) = &self.directory {
            call = call.dir(directory);
        }
        let process = call.reader().map_err(failed)?;
        let (mut wrong_hash, mut hint) = (false, None);
        for said in BufReader::new(&process).split(b'\n') {
            let said = said.map_err(failed)?;
            let said = String::from_utf8_lossy(&said);
            wrong_hash |= said.contains("hash mismatch in fixed-output derivation");
            hint = hint
                .or_else(|| HINTS.iter().find(|(needle, _)| said.contains(needle)).map(|(_, hint)| *hint));
            line(&said);
        }
        let ended = process.try_wait().map_err(failed)?;
        let status = ended.map(|ended| ended.status);
        match status {
            Some(status) if status.success() => Ok(()),
            status => {
                let status = status.map(|status| status.to_string()).unwrap_or_default();
                Err(if wrong_hash { Error::WrongHash { status } } else { Error::Failed { status, hint } })
            }
        }
    }
}

/// Whether a program runs without a loader and libraries.
///
/// # Errors
/// If it cannot be read.
pub fn is_self_contained(program: &Path) -> Result<bool, fs::Error> {
    let bytes = fs::read_bytes(program)?;
    // What is no ELF file may still be a script, which needs even more.
    Ok(Elf::parse(&bytes).is_ok_and(|elf| elf.interpreter.is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_as_a_shell_takes_it() {
        let call = Call::plain(
            Path::new("/cache/nix"),
            &[("lockDir", "/it's here")],
            &[("envlock", "builtins.path { }")],
            "images.worker",
            Path::new("result"),
        );
        assert_eq!(
            call.shown(),
            "nix-build /cache/nix --argstr lockDir \"/it's here\" --arg envlock 'builtins.path { }' --attr images.worker --out-link result"
        );
        let call = Call::flake(Path::new("/a b"), "worker-image", Path::new("/r"));
        assert_eq!(
            call.shown(),
            "cd '/a b' && nix --extra-experimental-features 'nix-command flakes' build '.#worker-image' --out-link /r"
        );
    }
}
