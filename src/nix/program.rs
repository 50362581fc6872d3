//! Calls of `nix-build` and `nix build`.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    sync::Arc,
};

use goblin::elf::{
    Elf,
    header::{EM_AARCH64, EM_X86_64},
};
use rattler_conda_types::Subdir;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

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
        let process = Arc::new(call.reader().map_err(failed)?);
        // Whoever ends this process means Nix, which would go on by itself.
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(failed)?;
        let handle = signals.handle();
        let told = Arc::clone(&process);
        let telling = std::thread::spawn(move || {
            for _ in signals.forever() {
                for id in told.pids() {
                    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
                        // It may have ended by itself.
                        let _ = kill_process(id, Signal::TERM);
                    }
                }
            }
        });
        let (mut wrong_hash, mut hint) = (false, None);
        for said in BufReader::new(&*process).split(b'\n') {
            let said = said.map_err(failed)?;
            let said = String::from_utf8_lossy(&said);
            wrong_hash |= said.contains("hash mismatch in fixed-output derivation");
            hint = hint
                .or_else(|| HINTS.iter().find(|(needle, _)| said.contains(needle)).map(|(_, hint)| *hint));
            line(&said);
        }
        handle.close();
        let _ = telling.join();
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

/// Demands a program that runs on a platform without a loader and libraries.
///
/// # Errors
/// If it needs them, is for another processor, or cannot be read.
pub fn check_builder(program: &Path, platform: Subdir) -> Result<(), Error> {
    let bytes = fs::read_bytes(program)?;
    let path = program.to_path_buf();
    let elf = match Elf::parse(&bytes) {
        Ok(elf) if elf.interpreter.is_none() => elf,
        // What is no ELF file may still be a script, which needs even more.
        _ => return Err(Error::Dynamic { path }),
    };
    let is_of = |machine: u16| elf.header.e_machine == machine;
    let runs = match platform {
        Subdir::Linux64 => is_of(EM_X86_64),
        Subdir::LinuxAarch64 => is_of(EM_AARCH64),
        _ => true,
    };
    if runs { Ok(()) } else { Err(Error::Foreign { path, platform: platform.as_str() }) }
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
