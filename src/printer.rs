//! The one writer of stdout and stderr.
//!
//! Data goes to stdout, talk to stderr; colour and moving progress appear only on a terminal;
//! `--quiet` leaves warnings and errors. Known secrets are blotted out of everything it prints.

use std::{
    collections::BTreeSet,
    fmt::Display,
    io::{ErrorKind, Write},
    sync::{Arc, Mutex},
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::fs;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// Writes what a command has to say.
#[derive(Clone)]
pub struct Printer {
    quiet: bool,
    progress: MultiProgress,
    secrets: Arc<Mutex<Vec<String>>>,
    said: Arc<Mutex<BTreeSet<String>>>,
}

impl Printer {
    /// A printer for this process; `quiet` silences notes and progress.
    pub fn new(quiet: bool) -> Self {
        // indicatif hides the bars by itself where stderr is no terminal.
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        Self {
            quiet,
            progress: MultiProgress::with_draw_target(target),
            secrets: Arc::default(),
            said: Arc::default(),
        }
    }

    /// Whether notes are silent.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// From now on `secret` is printed as `***`.
    pub fn conceal(&self, secret: &str) {
        if let Ok(mut secrets) = self.secrets.lock()
            // Blotting out a letter would only show which one it is; URLs are printed without secrets anyway.
            && secret.len() >= 4
        {
            secrets.push(secret.to_owned());
        }
    }

    /// Data: what a script reads.
    pub fn data(&self, text: impl Display) -> Result<(), fs::Error> {
        self.raw(format!("{}\n", self.blot(&text.to_string())).as_bytes())
    }

    /// Data as it is, such as a completion script.
    pub fn raw(&self, bytes: &[u8]) -> Result<(), fs::Error> {
        let written = self.progress.suspend(|| {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        });
        match written {
            // Whoever reads has read enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|source| fs::Error::Io {
                action: "write",
                path: "standard output".into(),
                source,
            }),
        }
    }

    /// Something good to know; silent with `--quiet`.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            self.talk(&text.to_string());
        }
    }

    /// Something to act on that does not stop the work.
    pub fn warning(&self, text: impl Display) {
        self.talk(&format!("{WARNING}warning:{WARNING:#} {text}"));
    }

    /// A warning that several concurrent jobs may come to.
    pub fn warning_once(&self, text: impl Display) {
        let text = text.to_string();
        let new = self.said.lock().is_ok_and(|mut said| said.insert(text.clone()));
        if new {
            self.warning(text);
        }
    }

    /// Why the work stopped, and what to do about it.
    pub fn error(&self, text: impl Display, hint: Option<&str>) {
        self.talk(&format!("{ERROR}error:{ERROR:#} {text}"));
        if let Some(hint) = hint {
            self.talk(&format!("\n{HINT}hint:{HINT:#} {hint}"));
        }
    }

    /// A line that moves while something is waited for, and goes when it is dropped.
    pub fn waiting(&self, text: impl Into<String>) -> Waiting {
        let bar = self.progress.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_message(text.into());
        bar.enable_steady_tick(Duration::from_millis(120));
        Waiting(bar)
    }

    fn talk(&self, text: &str) {
        let text = self.blot(text);
        self.progress.suspend(|| {
            let _ = writeln!(anstream::stderr(), "{text}");
        });
    }

    fn blot(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Ok(secrets) = self.secrets.lock() {
            for secret in secrets.iter() {
                text = text.replace(secret.as_str(), "***");
            }
        }
        text
    }
}

/// The text without colours.
pub fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// A progress line; see [`Printer::waiting`].
pub struct Waiting(ProgressBar);

impl Waiting {
    /// Says what is waited for now.
    pub fn on(&self, text: impl Into<String>) {
        self.0.set_message(text.into());
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blotted_out() {
        let printer = Printer::new(true);
        printer.conceal("hunter2");
        assert_eq!(printer.blot("https://u:hunter2@host/t/hunter2/c"), "https://u:***@host/t/***/c");
    }
}
