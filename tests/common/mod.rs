//! What the integration tests share: a place to work in, the binary, the servers.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::OnceLock,
};

use tempfile::TempDir;

pub mod index;
pub mod packages;
pub mod project;

/// The repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A path below `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

/// Says on its own line that a test did not run, and what it needs. CI has everything.
pub fn skipped(needs: &str) {
    assert!(std::env::var_os("CI").is_none(), "CI must have {needs}");
    println!("skipped: needs {needs}");
}

/// Where the project's scripts keep what tests need.
pub fn test_cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    variable("ENVLOCK_TEST_CACHE").unwrap_or_else(|| {
        let caches = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        caches.expect("a home").join("envlock-test")
    })
}

/// Writes a channel of records alone: enough to resolve, nothing to install.
///
/// A record is (name, version, build number, depends, timestamp in ms or 0 for none).
pub fn fake_channel(directory: &Path, subdir: &str, records: &[(&str, &str, u64, &[&str], u64)]) {
    let mut packages = serde_json::Map::new();
    for (name, version, build, depends, timestamp) in records {
        let file = format!("{name}-{version}-h{build}_{build}.conda");
        let digest = |text: &str| {
            let length = if text == "md5" { 32 } else { 64 };
            let seed: u64 = file.bytes().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
            format!("{seed:016x}").repeat(4)[..length].to_owned()
        };
        let mut record = serde_json::json!({
            "name": name, "version": version, "build": format!("h{build}_{build}"), "build_number": build,
            "depends": depends, "subdir": subdir, "sha256": digest("sha256"), "md5": digest("md5"), "size": 1,
        });
        if *timestamp > 0 {
            record["timestamp"] = (*timestamp).into();
        }
        packages.insert(file, record);
    }
    for (name, packages) in [(subdir, packages), ("noarch", serde_json::Map::new())] {
        let repodata = serde_json::json!({
            "info": { "subdir": name }, "packages": {}, "packages.conda": packages, "repodata_version": 1,
        });
        std::fs::create_dir_all(directory.join(name)).unwrap();
        std::fs::write(directory.join(name).join("repodata.json"), repodata.to_string()).unwrap();
    }
}

/// Whether the test runs as root.
pub fn is_root() -> bool {
    duct::cmd!("id", "-u").read().is_ok_and(|id| id == "0")
}

/// An empty directory with a cache of its own.
pub struct Place {
    directory: TempDir,
    cache: TempDir,
}

impl Place {
    pub fn new() -> Self {
        let directory = || tempfile::Builder::new().prefix("envlock-test-").tempdir().unwrap();
        Self { directory: directory(), cache: directory() }
    }

    /// A place with one file, `env.yml`.
    pub fn with(env: &str) -> Self {
        let place = Self::new();
        place.put("env.yml", env);
        place
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn cache(&self) -> &Path {
        self.cache.path()
    }

    pub fn put(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Copies the files of a directory of the repository, without directories in it.
    pub fn copy(&self, from: &str) {
        for entry in std::fs::read_dir(root().join(from)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                continue;
            }
            std::fs::copy(entry.path(), self.path().join(entry.file_name())).unwrap();
        }
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The files in the place, by name, sorted.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(self.path()).unwrap().map(Result::unwrap);
        entries
            .filter(|entry| entry.path().is_file())
            .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
            .collect()
    }

    /// envlock in this place, with nothing of the tester's surroundings.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_envlock"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.cache())
            .env("ENVLOCK_CACHE", self.cache().join("envlock"))
            .env("TZ", "UTC")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }
}

/// Compares files without printing their bytes.
#[track_caller]
pub fn assert_same_files(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) {
    let differ: Vec<_> =
        left.iter().filter(|(name, bytes)| right.get(*name) != Some(bytes)).map(|(name, _)| name).collect();
    assert!(
        differ.is_empty() && left.len() == right.len(),
        "{differ:?} of {:?} and {:?}",
        left.keys(),
        right.keys()
    );
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// The folder of the test channel, built once; `None` with a line of explanation where it cannot be.
pub fn test_channel() -> Option<&'static Path> {
    static CHANNEL: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = CHANNEL.get_or_init(|| {
        if !Path::new("/etc/debian_version").exists() {
            return None;
        }
        let output = duct::cmd!(root().join("tests/channel/channel.sh"), "build").read();
        Some(PathBuf::from(output.expect("the test channel builds").lines().last()?))
    });
    if built.is_none() {
        skipped("Debian 12, whose packages make the test channel");
    }
    built.as_deref()
}

/// The address that files on the test channel state; tests read it through a mirror.
pub const CHANNEL: &str = "http://127.0.0.1:8765/debian";

/// A server of channels on a free port.
pub struct Server {
    child: Child,
    pub url: String,
    pub log: PathBuf,
    _directory: TempDir,
}

impl Server {
    /// Starts `serve.py` with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("log");
        let mut child = Command::new("/usr/bin/python3")
            .arg("-B")
            .arg(root().join("tests/channel/serve.py"))
            .args(arguments)
            .args(["--port", "0", "--log"])
            .arg(&log)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").expect("the server says where it is").to_owned();
        Self { child, url, log, _directory: directory }
    }

    /// The test channel at `/debian`, with faults.
    pub fn test_channel(faults: &[&str]) -> Option<Self> {
        let folder = test_channel()?.to_str().unwrap();
        let mut arguments = vec![folder];
        for fault in faults {
            arguments.extend(["--fault", fault]);
        }
        Some(Self::start(&arguments))
    }

    /// `--mirror` from the test channel's fixed address to this server.
    pub fn mirror(&self) -> String {
        format!("{CHANNEL}={}/debian", self.url)
    }

    pub fn requests(&self) -> String {
        let mut text = String::new();
        if let Ok(mut file) = std::fs::File::open(&self.log) {
            file.read_to_string(&mut text).unwrap();
        }
        text
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The names and versions of a `conda-lock.yml` on a platform.
pub fn locked(text: &str, platform: &str) -> BTreeMap<String, String> {
    let file: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    let packages = file["package"].as_sequence().unwrap();
    let text = |value: &serde_yaml::Value| value.as_str().unwrap().to_owned();
    packages
        .iter()
        .filter(|package| package["platform"] == platform)
        .map(|package| (text(&package["name"]), text(&package["version"])))
        .collect()
}
