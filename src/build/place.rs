//! The place of one build: namespaces of its own, and in them nothing but the lock's files.

use std::{collections::BTreeMap, path::Path, time::Instant};

use hakoniwa::{Container, Namespace, Runctl};

use super::{EPOCH, Error, Sdist, Workshop};
use crate::{fs, tree::SYSTEM_DIRECTORIES};

const BACKEND: &str = include_str!("backend.py");
/// How much of what a build said is read, from its end.
const SAID: u64 = 1 << 16;
/// What the container returns when it could not even begin.
const NOT_BEGUN: i32 = 125;
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
        let archive = format!("/in/{}", sdist.file_name);
        let unusual = if self.surroundings == Surroundings::Usual { "usual" } else { "unusual" };
        let workshop = self.workshop;
        let python = format!("{}/{}", workshop.environment.prefix, workshop.python);
        let mut command = self.container(sdist.path, &archive)?.command(&python);
        command
            .args(["/in/backend.py", hook, &archive, sdist.backend, &path, unusual])
            .envs(self.variables())
            .current_dir("/build")
            .wait_timeout(workshop.timeout.as_secs());
        let began = Instant::now();
        let ended = command.output().map_err(|error| Error::Isolation { reason: error.to_string() })?;
        if ended.status.success() {
            return Ok(());
        }
        let log = self.out.join("log");
        let mut said = String::from_utf8_lossy(&ended.stderr).into_owned();
        if fs::is_regular(&log) {
            said += &String::from_utf8_lossy(&fs::read_end(&log, SAID)?);
        }
        Err(match ended.status.exit_code {
            None if ended.status.code == NOT_BEGUN => Error::Isolation { reason: ended.status.reason },
            None if began.elapsed() >= workshop.timeout => {
                Error::TimedOut { sdist: sdist.file_name.clone(), seconds: workshop.timeout.as_secs(), said }
            }
            None => Error::failed(sdist, "it was killed".to_owned(), said),
            Some(code) => Error::failed(sdist, format!("it ended with exit code {code}"), said),
        })
    }

    fn container(&self, sdist: &Path, archive: &str) -> Result<Container, Error> {
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
        container.rootdir(&root).runctl(Runctl::MountFallback).hostname(host).tmpfsmount("/tmp");
        container.bindmount_rw(text(self.out)?, "/out").bindmount_ro(text(sdist)?, archive);
        if is_usual {
            let build = scratch.fresh();
            fs::create_directory(&build)?;
            container.bindmount_rw(text(&build)?, "/build");
        } else {
            container.tmpfsmount("/build");
        }
        for device in DEVICES {
            container.bindmount_rw(device, device);
        }
        container.tmpfsmount("/dev/shm").symlink("/proc/self/fd", "/dev/fd");
        let environment = self.workshop.environment;
        container.bindmount_ro(text(environment.root)?, environment.prefix);
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
            container.bindmount_ro(text(runtime.root)?, runtime.prefix).dir("/usr", 0o755);
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
            match fs::read_link(Path::new(&place)) {
                Ok(target) => drop(container.symlink(&target.to_string_lossy(), &place)),
                Err(_) if fs::exists(Path::new(&place)) => drop(container.bindmount_ro(&place, &place)),
                Err(_) => {}
            }
        }
        if fs::exists(Path::new("/etc/ld.so.cache")) {
            container.bindmount_ro("/etc/ld.so.cache", "/etc/ld.so.cache");
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

/// A path as text, which is how the container takes it.
fn text(path: &Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::Isolation { reason: format!("{} is not UTF-8", path.display()) })
}
