//! The place of one build: namespaces of its own, and in them nothing but the lock's files.

use std::{
    collections::BTreeMap,
    io::{self, PipeReader, Read},
    path::Path,
    time::Instant,
};

use hakoniwa::{Container, ExitStatus, MountOptions, Namespace, Rlimit, Runctl, Stdio};
use rustix::process::{Resource, getrlimit};

use super::{EPOCH, Error, Sdist, Workshop};
use crate::{causes::printable, fs, tree::SYSTEM_DIRECTORIES};

/// Where a build sees the sdist, whatever it is called.
const SDIST: &str = "/in/sdist";
/// Leaves the session of whoever started this, who could be sent signals otherwise; before anything of a stranger's runs.
const ALONE: &str = "import os, sys; os.setsid(); os.execv(sys.executable, [sys.executable] + sys.argv[1:])";
const BACKEND: &str = include_str!("backend.py");
/// How much of what a build said is read.
const SAID: u64 = 1 << 16;
/// What the container returns when it could not even begin.
const NOT_BEGUN: i32 = 125;
/// How it says why.
const NOT_BEGUN_SAYS: &str = "hakoniwa: ";
/// Bytes that one file of a build may have, and processes that may run at a time: far more than any real build's.
const FILE_LIMIT: u64 = 16 << 30;
const PROCESS_LIMIT: u64 = 4096;
/// The libraries of glibc.
const C_LIBRARY: [&str; 12] = [
    "libBrokenLocale",
    "libanl",
    "libc",
    "libdl",
    "libm",
    "libmvec",
    "libnsl",
    "libpthread",
    "libresolv",
    "librt",
    "libthread_db",
    "libutil",
];
/// The devices that programs expect.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];

/// What differs between the two builds of an sdist, besides time and process numbers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Surroundings {
    Usual,
    /// Another host name and user, one processor, another file system with another order of names.
    Unusual,
}

pub(super) struct Place<'a> {
    pub(super) workshop: &'a Workshop<'a>,
    pub(super) surroundings: Surroundings,
    /// An empty directory: what the build sees as `/out`.
    pub(super) out: &'a Path,
}

impl Place<'_> {
    /// Runs a hook of the sdist's backend to its end.
    pub(super) fn run(&self, sdist: &Sdist, hook: &str) -> Result<(), Error> {
        let path = serde_json::to_string(sdist.backend_path).unwrap_or_default();
        let unusual = if self.surroundings == Surroundings::Usual { "usual" } else { "unusual" };
        let workshop = self.workshop;
        let python = format!("{}/{}", workshop.environment.prefix, workshop.python);
        let build = workshop.scratch.fresh();
        fs::create_directory(&build)?;
        let mut command = self.container(sdist.path, &build)?.command(&python);
        command
            .args(["-I", "-S", "-c", ALONE, "/in/backend.py", hook, SDIST, sdist.backend, &path, unusual])
            .envs(self.variables())
            .current_dir("/build")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .wait_timeout(workshop.timeout.as_secs());
        let began = Instant::now();
        let isolation = |error: hakoniwa::Error| Error::Isolation { reason: error.to_string() };
        let mut process = command.spawn().map_err(isolation)?;
        drop(process.stdin.take());
        let streams = [process.stdout.take(), process.stderr.take()];
        let listening = streams.map(|stream| std::thread::spawn(move || beginning(stream)));
        let status = process.wait().map_err(isolation)?;
        [build.as_path(), self.out].into_iter().for_each(fs::make_removable);
        // What cannot be removed now is tried again with the rest of what was made to be thrown away.
        let _ = fs::remove_tree(&build);
        let [_, early] = listening.map(|thread| thread.join().unwrap_or_default());
        if status.success() {
            return Ok(());
        }
        let early = String::from_utf8_lossy(&early);
        if let Some(reason) = not_begun(&status, &early) {
            return Err(Error::Isolation { reason });
        }
        let log = self.out.join("log");
        let mut said = early.into_owned();
        if fs::is_regular(&log) {
            said += &String::from_utf8_lossy(&fs::read_end(&log, SAID)?);
        }
        Err(match status.exit_code {
            None if began.elapsed() >= workshop.timeout => {
                Error::TimedOut { sdist: sdist.file_name.clone(), seconds: workshop.timeout.as_secs(), said }
            }
            None => Error::failed(sdist, "it was killed".to_owned(), said),
            Some(code) => Error::failed(sdist, format!("it ended with exit code {code}"), said),
        })
    }

    fn container(&self, sdist: &Path, build: &Path) -> Result<Container, Error> {
        let scratch = self.workshop.scratch;
        let root = scratch.fresh();
        fs::create_directory(&root)?;
        let is_usual = self.surroundings == Surroundings::Usual;
        let (user, group) = fs::who_we_are();
        let (id, host) = if is_usual { (1000, "build") } else { (1001, "elsewhere") };
        let mut container = Container::new();
        for namespace in [Namespace::Ipc, Namespace::Network, Namespace::Uts] {
            container.unshare(namespace);
        }
        container.uidmaps(&[(id, user, 1)]);
        container.gidmaps(&[(id, group, 1)]);
        container.setrlimit(Rlimit::Core, 0, 0);
        for (limit, ours, wanted) in
            [(Rlimit::Fsize, Resource::Fsize, FILE_LIMIT), (Rlimit::Nproc, Resource::Nproc, PROCESS_LIMIT)]
        {
            // Nobody can have more than there is.
            let limited = getrlimit(ours).maximum.map_or(wanted, |maximum| maximum.min(wanted));
            container.setrlimit(limit, limited, limited);
        }
        // Whoever is root outside could change the whole machine through a /proc that can be written to.
        let quiet = MountOptions::NOSUID | MountOptions::NODEV | MountOptions::NOEXEC | MountOptions::RDONLY;
        container.mount("proc", "/proc", "proc", quiet, None);
        container.rootdir(&root).runctl(Runctl::MountFallback).hostname(host).tmpfsmount("/tmp");
        container.bindmount_rw(text(self.out)?, "/out");
        show(&mut container, sdist, SDIST)?;
        if is_usual {
            container.bindmount_rw(text(build)?, "/build");
        } else {
            container.tmpfsmount("/build");
        }
        for device in DEVICES {
            container.bindmount_rw(device, device);
        }
        container.tmpfsmount("/dev/shm").symlink("/proc/self/fd", "/dev/fd");
        let environment = self.workshop.environment;
        show(&mut container, environment.root, environment.prefix)?;
        if fs::exists(&environment.root.join("bin/sh")) {
            container.dir("/bin", 0o755).symlink(&format!("{}/bin/sh", environment.prefix), "/bin/sh");
        }
        self.add_c_library(&mut container)?;
        container.dir("/etc", 0o755);
        container.file("/etc/passwd", &format!("build:x:{id}:{id}::/build:/bin/sh\n"));
        container.file("/etc/group", &format!("build:x:{id}:\n"));
        container.file("/in/backend.py", BACKEND);
        Ok(container)
    }

    /// Puts loader and C library where every program looks for them: the runtime's, else this machine's.
    fn add_c_library(&self, container: &mut Container) -> Result<(), Error> {
        if let Some((runtime, sysroot)) = self.workshop.runtime {
            show(container, runtime.root, runtime.prefix)?;
            container.dir("/usr", 0o755);
            for directory in SYSTEM_DIRECTORIES {
                if fs::exists(&runtime.root.join(sysroot).join(directory)) {
                    let target = format!("{}/{sysroot}/{directory}", runtime.prefix);
                    container.symlink(&target, &format!("/{directory}"));
                }
            }
            return Ok(());
        }
        for directory in SYSTEM_DIRECTORIES {
            let place = format!("/{directory}");
            if let Ok(target) = fs::read_link(Path::new(&place)) {
                container.symlink(&target.to_string_lossy(), &place);
                continue;
            }
            // Debian has them one directory deeper.
            for inner in [place.clone(), format!("{place}/{}-linux-gnu", std::env::consts::ARCH)] {
                for name in fs::names(Path::new(&inner))?.into_iter().filter(|name| is_of_c_library(name)) {
                    let path = format!("{inner}/{name}");
                    show(container, &fs::canonical(Path::new(&path))?, &path)?;
                }
            }
        }
        Ok(())
    }

    fn variables(&self) -> BTreeMap<String, String> {
        let workshop = self.workshop;
        let prefix = workshop.environment.prefix;
        let mut variables: BTreeMap<String, String> = [
            ("CONDA_PREFIX", prefix),
            ("CPATH", &format!("{prefix}/include")),
            ("LC_ALL", "C"),
            ("LIBRARY_PATH", &format!("{prefix}/lib")),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PYTHONIOENCODING", "utf-8"),
            ("PYTHONNOUSERSITE", "1"),
            ("PYTHONUTF8", "1"),
            ("TZ", "UTC"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        variables.extend(workshop.compilers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        variables.extend(workshop.variables.clone());
        for (name, value) in [
            ("HOME", "/build"),
            ("PATH", &format!("{prefix}/bin")),
            ("PYTHONHASHSEED", "0"),
            ("SOURCE_DATE_EPOCH", EPOCH),
            ("TMPDIR", "/tmp"),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        variables
    }
}

/// Why the container could not even begin, if it was so. Only before it ran anything of a stranger's does it say so itself.
fn not_begun(status: &ExitStatus, early: &str) -> Option<String> {
    let told = early.strip_prefix(NOT_BEGUN_SAYS).and_then(|told| told.lines().next());
    if status.code != NOT_BEGUN || status.exit_code.is_some() && told.is_none() {
        return None;
    }
    let reason = told.unwrap_or(&status.reason);
    // Of a system call that failed, its arguments tell nobody anything.
    Some(match (reason.split_once('('), reason.rsplit_once(" => ")) {
        (Some((call, _)), Some((_, why))) => printable(&format!("{call}: {why}")),
        _ => printable(reason),
    })
}

/// Whether a library is a part of glibc.
fn is_of_c_library(name: &str) -> bool {
    let stem = name.split(['.', '-']).next().unwrap_or_default();
    name.contains(".so")
        && (C_LIBRARY.contains(&stem) || stem.starts_with("libnss_") || name.starts_with("ld-linux"))
}

/// Shows something of this machine, and lets nobody write to it.
///
/// What its own file system forbids has to be forbidden again, or the kernel takes none of it from who is not root.
fn show(container: &mut Container, from: &Path, at: &str) -> Result<(), Error> {
    let mut options = MountOptions::BIND | MountOptions::REC | MountOptions::NOSUID | MountOptions::RDONLY;
    let forbidden = fs::forbidden(from)?;
    options.set(MountOptions::NODEV, forbidden.devices);
    options.set(MountOptions::NOEXEC, forbidden.programs);
    container.mount(text(from)?, at, "", options, None);
    Ok(())
}

/// The beginning of what a stream has; the rest is read and forgotten.
fn beginning(stream: Option<PipeReader>) -> Vec<u8> {
    let mut text = Vec::new();
    if let Some(mut stream) = stream {
        // A stream that breaks has said what it said.
        let _ = stream.by_ref().take(SAID).read_to_end(&mut text);
        let _ = io::copy(&mut stream, &mut io::sink());
    }
    text
}

/// A path as text, which is how the container takes it.
fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::Isolation { reason: format!("{} is not UTF-8", path.display()) })
}
