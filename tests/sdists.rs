//! sdists: built once into wheels, where nothing of this machine is, or refused with a reason.

use std::{os::unix::fs::symlink, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::common::{
    Place, Ran, Server, assert_same_files, fake_channel,
    index::Index,
    is_root,
    packages::{Wheel, sha256, zipped},
    skipped, test_channel,
};
use crate::peers::pypi_is_there;

/// A backend that needs no build requirements; lines of a test stand at `HERE`.
const BACKEND: &str = r#"
import base64, hashlib, os, sys, zipfile

REQUIRES = []
METADATA = "Metadata-Version: 2.1\nName: own\nVersion: 1.0\n"
WHEEL = "own-1.0-py3-none-any.whl"
CONTENT = "VALUE = 1\n"


def get_requires_for_build_wheel(settings=None):
    return REQUIRES


def build_wheel(directory, settings=None, metadata=None):
    global CONTENT
    # HERE
    files = {
        "own.py": CONTENT,
        "own-1.0.dist-info/METADATA": METADATA,
        "own-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: own\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
        rows += "%s,sha256=%s,%d\n" % (path, digest, len(text.encode()))
    files["own-1.0.dist-info/RECORD"] = rows + "own-1.0.dist-info/RECORD,,\n"
    with zipfile.ZipFile(os.path.join(directory, WHEEL), "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), text)
    return WHEEL
"#;

const PYPROJECT: &str = "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n\n[project]\nname = 'own'\nversion = '1.0'\n";

/// A project on the test channel whose one PyPI package is the sdist `own`.
struct Project {
    place: Place,
    index: Index,
    channel: Server,
    server: Server,
}

impl Project {
    /// With lines of `build_wheel`, and lines for envlock.yml.
    fn new(here: &str, options: &str) -> Option<Self> {
        Self::with(&[("pyproject.toml", PYPROJECT), ("backend.py", &backend(here))], options, |_| {})
    }

    fn with(files: &[(&str, &str)], options: &str, fill: impl FnOnce(&mut Index)) -> Option<Self> {
        if duct::cmd!("unshare", "--user", "--net", "true").stderr_null().run().is_err() {
            skipped("user namespaces, to build in");
            return None;
        }
        let channel = Server::test_channel(&[])?;
        let mut index = Index::new();
        index.sdist("own", "1.0", files);
        fill(&mut index);
        let server = index.json().serve(&[]);
        let project = Self { place: Place::new(), index, channel, server };
        project.put(&project.place, options);
        Some(project)
    }

    /// The input files, in a place.
    fn put(&self, place: &Place, options: &str) {
        place.copy("tests/channel/quickstart");
        for name in ["master.yml", "run-docker"] {
            std::fs::remove_file(place.path().join(name)).unwrap();
        }
        let simple = format!("{}/index/simple", self.server.url);
        let env = format!(
            "channels: [\"http://127.0.0.1:8765/debian\"]\ndependencies:\n  - python=3.11\n  - pip:\n      \
             - --index-url {simple}\n      - own\n"
        );
        place.put("env.yml", env);
        place.put("envlock.yml", format!("environment: env.yml\nruntime: runtime.yml\n{options}"));
    }

    /// Locks for a platform more, which does not run here: of its channel there are records alone.
    fn also_for_aarch64(&self) {
        let channel = self.place.path().join("channel");
        fake_channel(&channel, "linux-aarch64", &[("python", "3.11.2", 0, &[], 1)]);
        let _ = std::fs::remove_dir_all(channel.join("noarch"));
        for subdir in ["linux-64", "noarch"] {
            symlink(test_channel().unwrap().join(subdir), channel.join(subdir)).unwrap();
        }
        let channels =
            format!("platforms: [linux-64, linux-aarch64]\nchannels: [\"file://{}\"]\n", channel.display());
        let env = self.place.read("env.yml");
        let (_, rest) = env.split_once('\n').unwrap();
        self.place.put("env.yml", channels + rest);
        self.place.put("envlock.yml", "environment: env.yml\n");
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.place.run(&[arguments, &["--mirror", &self.channel.mirror()]].concat())
    }

    /// Converts what cannot be built; returns what is said. Nothing is written.
    #[track_caller]
    fn refused(&self, code: i32) -> String {
        let before = self.place.files();
        let said = self.run(&["convert", "--quiet"]).expect(code).stderr;
        assert_same_files(&self.place.files(), &before);
        said
    }
}

fn backend(here: &str) -> String {
    let lines: Vec<&str> = here.lines().collect();
    BACKEND.replace("# HERE", &lines.join("\n    "))
}

/// Converts with a `build_wheel` that misbehaves; returns what is said.
#[track_caller]
fn refused(here: &str, options: &str, parts: &[&str]) {
    let Some(project) = Project::new(here, options) else { return };
    let said = project.refused(8);
    for part in parts {
        assert!(said.contains(part), "{part}\nin\n{said}");
    }
}

/// The value of `key` in the lock's entry of the wheel.
fn stated(place: &Place, key: &str) -> String {
    let text = place.read("envlock.nix");
    let wheel = text.split("wheel = {").nth(1).expect("a wheel is stated");
    let line = wheel.lines().find(|line| line.trim().starts_with(&format!("{key} = "))).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

/// Has the lock state another wheel; returns what it said before.
fn state_another_wheel(place: &Place) -> String {
    let text = place.read("envlock.nix");
    let other = format!("sha256-{}=", "A".repeat(43));
    place.put("envlock.nix", text.replace(&stated(place, "hash"), &other));
    text
}

#[test]
fn a_wheel_is_the_same_wherever_it_is_built_and_knows_nothing_of_this_machine() {
    let here = "names = sorted(os.environ)\n\
                seen = [os.getcwd(), sys.executable, os.environ['PATH'], os.environ['HOME'], names, sorted(os.listdir('/'))]\n\
                CONTENT = 'SEEN = %r\\n' % (seen,)";
    let Some(project) = Project::new(here, "") else { return };
    let said = project.run(&["convert"]).expect(0).stderr;
    assert!(said.contains("built own-1.0-py3-none-any.whl from own-1.0.tar.gz in "), "{said}");
    let nix = project.place.read("envlock.nix");
    assert!(!project.place.read("conda-lock.yml").contains(".whl"), "conda-lock.yml keeps the sdist");
    // Somewhere else, with other habits, and with nothing in its cache.
    let elsewhere = Place::new();
    project.put(&elsewhere, "");
    let mut command = elsewhere.command(&["convert", "--mirror", &project.channel.mirror()]);
    command.envs([
        ("TZ", "Asia/Tokyo"),
        ("LC_ALL", "C"),
        ("SECRET", "x"),
        ("PYTHONPATH", "/tmp"),
        ("CC", "false"),
    ]);
    let words = [command.get_program().to_owned()].into_iter().chain(command.get_args().map(Into::into));
    let mut shell = std::process::Command::new("/bin/sh");
    shell
        .args(["-c", "umask 077; ulimit -p 3000; exec \"$@\"", "sh"])
        .args(words)
        .current_dir(elsewhere.path())
        .env_clear();
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    Ran::from(shell.output().unwrap()).expect(0);
    assert_eq!(elsewhere.read("envlock.nix"), nix);
    // Again, from what is kept.
    let said = project.run(&["convert"]).expect(0).stderr;
    assert!(said.contains("unchanged") && !said.contains("built "), "{said}");

    let ran = project.run(&["install", "--prefix", "env", "--json"]).expect(0);
    let python = project.place.path().join("env/bin/python");
    let seen = duct::cmd!(python, "-c", "import own; print(own.SEEN)").read().unwrap();
    assert!(
        seen.starts_with(
            "['/build/own-1.0', '/opt/envlock/env/bin/python3', '/opt/envlock/env/bin', '/build', "
        ),
        "{seen}"
    );
    for stranger in ["SECRET", "PYTHONPATH", "'CC'", "'root'", "'home'", "'var'"] {
        assert!(!seen.contains(stranger), "{stranger} in {seen}");
    }
    // The wheel is built again where the store has lost it.
    std::fs::remove_dir_all(project.place.cache().join("envlock")).unwrap();
    let again = project.run(&["install", "--prefix", "env", "--into", "other", "--json"]).expect(0);
    assert!(again.stderr.contains("built own-1.0-py3-none-any.whl"), "{}", again.stderr);
    let digest = |ran: &Ran| {
        let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        said["tree_digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest(&again), digest(&ran));
    project.run(&["wheel", "Own", "--output", "own.whl"]).expect(0);
    let wheel = std::fs::read(project.place.path().join("own.whl")).unwrap();
    let hex = sha256(&wheel);
    let bytes: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
    let sri = format!("sha256-{}", STANDARD.encode(bytes));
    assert_eq!(stated(&project.place, "hash"), sri);
}

#[test]
fn build_requirements_are_locked_and_kept() {
    let tool = |content: &str| Wheel::new("tool", &[("tool.py", content)]).bytes();
    let files =
        [("pyproject.toml", PYPROJECT), ("backend.py", &backend("import tool\nCONTENT = tool.CONTENT"))];
    let files = files.map(|(path, text)| (path, text.replace("REQUIRES = []", "REQUIRES = ['tool']")));
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let fill = |index: &mut Index| {
        index.add("tool", "tool-1.0-py3-none-any.whl", &tool("CONTENT = '1'"));
    };
    let Some(mut project) = Project::with(&files, "", fill) else { return };
    project.run(&["convert"]).expect(0);
    let before = project.place.read("envlock.nix");
    assert!(before.contains("fileName = \"tool-1.0-py3-none-any.whl\""), "{before}");
    assert!(!project.place.read("conda-lock.yml").contains("name: tool"), "it is of the build alone");
    // A newer one is there, and what is locked stays; it is no sound wheel, which would be noticed.
    project.index.wheel("tool", "2.0", &[]).json();
    std::fs::remove_dir_all(project.place.cache().join("envlock")).unwrap();
    project.run(&["convert"]).expect(0);
    assert_eq!(project.place.read("envlock.nix"), before);
    project.run(&["convert", "--upgrade"]).expect(8);
    assert_eq!(project.place.read("envlock.nix"), before);
    project.put(&project.place, "build-constraints: [tool<2]\n");
    project.run(&["convert", "--upgrade"]).expect(0);
    assert!(project.place.read("envlock.nix").contains("build-constraints = \"tool<2\""));
    for option in ["--offline", "--frozen-metadata"] {
        let said = project.run(&["convert", option]).expect(0).stderr;
        assert!(said.contains("unchanged"), "{said}");
    }
    // All of it goes into a bundle, and out of it where there is no network.
    project.run(&["bundle", "create", "-o", "all.tar"]).expect(0);
    let other = Place::new();
    let bundle = project.place.path().join("all.tar");
    other.run(&["bundle", "import", bundle.to_str().unwrap(), "-o", "locks"]).expect(0);
    let said = other.run(&["install", "locks/envlock.nix", "--offline", "--prefix", "env"]).expect(0).stderr;
    assert!(said.contains("built own-1.0-py3-none-any.whl"), "{said}");
    // What needs the sdist is kept, and so is what the sdist needs.
    project.place.run(&["cache", "prune", "--keep", "envlock.nix"]).expect(0);
    project.place.run(&["install", "--offline", "--prefix", "env"]).expect(0);
}

#[test]
fn what_a_package_asks_for_is_a_requirement_by_name_and_nothing_else() {
    let asked = [
        "git+https://x:${HOME}@127.0.0.1:1/r.git",
        "--index-url http://127.0.0.1:1/simple",
        "--only-binary :none:",
        "-r /etc/passwd",
        "/etc",
        "tool @ https://127.0.0.1:1/tool-1.0-py3-none-any.whl",
    ];
    for asked in asked {
        let pyproject = PYPROJECT.replace("requires = []", &format!("requires = ['{asked}']"));
        let hook = BACKEND.replace("REQUIRES = []", &format!("REQUIRES = ['{asked}']"));
        for (pyproject, backend) in [(pyproject.as_str(), BACKEND), (PYPROJECT, hook.as_str())] {
            let files = [("pyproject.toml", pyproject), ("backend.py", backend)];
            let Some(project) = Project::with(&files, "", |_| {}) else { return };
            let said = project.refused(3);
            assert!(said.contains(&format!("it asks for `{asked}`: ")), "{said}");
        }
    }
}

#[test]
fn a_directory_is_built_wherever_it_is_still_the_same() {
    let Some(project) = Project::new("", "") else { return };
    let put = |place: &Place| {
        project.put(place, "");
        place.put("env.yml", place.read("env.yml").replace("- own", "- ./tree"));
        place.put("tree/pyproject.toml", PYPROJECT);
        place.put("tree/backend.py", BACKEND);
        // Near the end of what is packed, where a zip file would have its index.
        place.put("tree/test/data.zip", zipped(&[("other/setup.py", b"".to_vec())]));
    };
    put(&project.place);
    project.run(&["convert"]).expect(0);
    let elsewhere = Place::new();
    put(&elsewhere);
    for name in ["conda-lock.yml", "runtime.conda-lock.yml", "envlock.nix"] {
        elsewhere.put(name, project.place.read(name));
    }
    let install = ["install", "--prefix", "env", "--mirror", &project.channel.mirror()];
    let said = elsewhere.run(&install).expect(0).stderr;
    assert!(said.contains("built own-1.0-py3-none-any.whl"), "{said}");
    std::fs::remove_dir_all(elsewhere.cache().join("envlock")).unwrap();
    elsewhere.put("tree/more.py", "");
    let said = elsewhere.run(&["wheel", "own", "--mirror", &project.channel.mirror()]).expect(6).stderr;
    assert!(said.contains("file:tree is not the promised artifact: sha256 "), "{said}");
}

#[test]
fn a_locked_wheel_is_not_replaced_in_silence() {
    let Some(project) = Project::new("", "") else { return };
    project.run(&["convert"]).expect(0);
    let text = state_another_wheel(&project.place);
    let said = project.refused(6);
    assert!(said.contains("its wheel is not the locked one: sha256 "), "{said}");
    // Another wheel of the same sdist is a difference between locks.
    std::fs::create_dir(project.place.path().join("other")).unwrap();
    std::fs::copy(project.place.path().join("envlock.nix"), project.place.path().join("other/envlock.nix"))
        .unwrap();
    assert!(said.contains("`envlock update own` locks what it becomes here"), "{said}");
    project.run(&["update", "own"]).expect(0);
    assert_eq!(project.place.read("envlock.nix"), text);
    let said = project.place.run(&["diff", "other/envlock.nix", "envlock.nix"]).expect(0).stdout;
    assert!(said.contains("  ~ own 1.0, built otherwise; +0 B; it becomes another wheel"), "{said}");
}

#[test]
fn variables_are_those_of_the_project() {
    let here = "CONTENT = 'VALUE = %r\\n' % os.environ['OWN_FLAVOUR']";
    let Some(project) = Project::new(here, "build-variables: {OWN_FLAVOUR: sweet}\n") else { return };
    project.run(&["convert"]).expect(0);
    let sweet = stated(&project.place, "hash");
    assert!(project.place.read("envlock.nix").contains("OWN_FLAVOUR = \"sweet\""));
    project.run(&["install", "--prefix", "env"]).expect(0);
    let installed = |name: &str| {
        let path = project.place.path().join(name).join("lib/python3.11/site-packages/own.py");
        std::fs::read_to_string(path).unwrap()
    };
    assert_eq!(installed("env"), "VALUE = 'sweet'\n");
    project.run(&["convert", "--build-variable", "OWN_FLAVOUR=sour"]).expect(0);
    assert_ne!(stated(&project.place, "hash"), sweet);
    // The same packages, and still another tree.
    project.run(&["install", "--prefix", "other"]).expect(0);
    assert_eq!(installed("other"), "VALUE = 'sour'\n");
    project.place.run(&["check"]).expect(0);
    for (options, expected) in [
        ("build-variables: {PATH: /bin}\n", "envlock.yml:3:25: a build cannot choose its own PATH"),
        ("build-variables: {A-B: x}\n", "envlock.yml:3:24: `A-B` cannot be the name of a variable"),
        ("build-variables: {DB_PASSWORD: hunter2}\n", "hold"),
        ("build-constraints: [\"a b\"]\n", "envlock.yml:3:21: `a b` is no requirement"),
        ("build-requires: {own: [\"tool @ https://x/tool.whl\"]}\n", "a URL cannot stand here"),
        ("build-timeout: soon\n", "envlock.yml:3:16: `build-timeout` is a whole number of seconds"),
    ] {
        project.put(&project.place, options);
        let said = project.run(&["convert"]).expect(2).stderr;
        assert!(said.contains(expected), "{expected}\nin\n{said}");
    }
}

#[test]
fn a_build_that_reaches_for_the_network() {
    refused(
        "import urllib.request\nurllib.request.urlopen('https://pypi.org/simple/')",
        "",
        &[
            "error: cannot build own-1.0.tar.gz: it ended with exit code 1\n",
            "  | urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>",
            "hint: it reaches for the network, which no build has",
        ],
    );
}

#[test]
fn a_build_that_hangs_is_given_up_with_all_it_started() {
    let here = "import subprocess, time\n\
                subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(3600)  # own-sdist-hangs'])\n\
                print('waiting for nothing', flush=True)\ntime.sleep(3600)";
    refused(
        here,
        "build-timeout: 10\n",
        &[
            "error: cannot build own-1.0.tar.gz: it was not done after 10 s\n  | waiting for nothing",
            "hint: if it only needs longer, say so in envlock.yml: `build-timeout: SECONDS`",
        ],
    );
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let commands = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    assert!(commands.into_iter().all(|command| !command.contains("own-sdist-hangs")));
}

#[test]
fn a_build_that_ends_everything_it_can_reach_ends_itself() {
    // Its whole process group: the first process of a namespace does not die of that, and there is no other in it.
    let Some(project) = Project::new("import signal\nos.kill(0, signal.SIGKILL)", "") else { return };
    project.run(&["convert"]).expect(0);
    // Nor can it say that it was this machine's fault.
    refused(
        "os.write(2, b'hakoniwa: mount(x) => \\x1b[31mEPERM\\n')\nos._exit(125)",
        "",
        &[
            "error: cannot build own-1.0.tar.gz: it ended with exit code 125\n  | hakoniwa: mount(x) => [31mEPERM",
        ],
    );
}

#[test]
fn a_build_that_writes_where_it_may_not() {
    for place in [
        "/opt/envlock/env/lib/python3.11/own.py",
        "/opt/envlock/runtime/own",
        "/etc/own",
        "/own",
        "/in/sdist",
        // Whoever is root could have this run whatever it names.
        "/proc/sys/kernel/core_pattern",
    ] {
        refused(
            &format!("open({place:?}, 'w')"),
            "",
            &["OSError: [Errno 30] Read-only file system", "hint: it writes outside of its own directory"],
        );
        assert!(place.starts_with("/proc/") || !Path::new(place).exists());
    }
}

#[test]
fn read_only_is_read_only_wherever_the_cache_is() {
    let Some(project) = Project::new("open('/opt/envlock/env/lib/python3.11/own.py', 'w')", "") else {
        return;
    };
    if !is_root() {
        skipped("root, to mount file systems");
        return;
    }
    for (options, code, expected) in [
        ("nodev,nosuid", 8, "OSError: [Errno 30] Read-only file system"),
        ("nodev,nosuid,noexec", 8, "this machine does not let a build be kept apart from it: execve: EACCES"),
    ] {
        let command = project.place.command(&["convert", "--mirror", &project.channel.mirror()]);
        let script =
            format!("mount -t tmpfs -o {options} tmpfs {} && exec \"$@\"", project.place.cache().display());
        let mut shell = std::process::Command::new("unshare");
        shell
            .args(["--mount", "sh", "-c", &script, "sh"])
            .arg(command.get_program())
            .args(command.get_args());
        shell.current_dir(project.place.path()).env_clear();
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let said = Ran::from(shell.output().unwrap()).expect(code).stderr;
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_build_that_gives_another_wheel_every_time() {
    for (here, difference) in [
        ("import time\nCONTENT = 'BUILT = %f\\n' % time.time()", "own.py has other content"),
        ("import socket\nCONTENT = 'BUILT = %r\\n' % socket.gethostname()", "own.py has other content"),
        ("CONTENT = repr(os.listdir('.'))", "own.py has other content"),
        ("CONTENT = repr(os.cpu_count()) + repr(len(os.sched_getaffinity(0)))", "own.py has other content"),
        (
            "import time\nnow = time.localtime()[:6]\n\
             class Dated(zipfile.ZipInfo):\n    def __init__(self, path, _):\n        super().__init__(path, now)\n\
             zipfile.ZipInfo = Dated",
            "own-1.0.dist-info/METADATA, own-1.0.dist-info/WHEEL, own.py has another time or mode",
        ),
    ] {
        if here.contains("affinity") && std::thread::available_parallelism().unwrap().get() == 1 {
            continue;
        }
        refused(
            here,
            "",
            &[
                &format!("error: own-1.0.tar.gz was built twice, and the wheels differ: {difference}\n"),
                "hint: a wheel that is another one every time cannot be locked",
            ],
        );
    }
}

#[test]
fn a_wheel_that_says_otherwise_than_what_was_resolved() {
    refused(
        "global METADATA\nMETADATA += 'Requires-Dist: six\\nRequires-Dist: other; python_version < \"3\"\\n'",
        "",
        &[
            "error: own-1.0.tar.gz was built, and its metadata is not what was resolved with: the wheel asks for six, the \
             sdist for nothing else",
        ],
    );
    refused(
        "global METADATA\nMETADATA = METADATA.replace('1.0', '2.0')",
        "",
        &["its metadata is not what was resolved with: it is own 2.0 instead of own 1.0"],
    );
}

#[test]
fn an_answer_that_leads_out_of_the_place() {
    refused(
        "os.symlink('/etc/passwd', os.path.join(directory, WHEEL))\nreturn WHEEL",
        "",
        &["error: cannot build own-1.0.tar.gz: its backend names a wheel that is not there"],
    );
    refused("return '../../etc/own.whl'", "", &["its backend names a wheel that is not there"]);
    refused("return 3", "", &["its backend gives no answer: invalid type: integer `3`, expected a string"]);
}

#[test]
fn what_is_missing_is_named() {
    refused(
        "import numpy",
        "",
        &["ModuleNotFoundError: No module named 'numpy'", "goes below `build-requires:` in envlock.yml"],
    );
    // The host's compiler is not there, whatever it is called.
    refused(
        "import subprocess\nsubprocess.run(['gcc', '--version'])",
        "",
        &[
            "No such file or directory: 'gcc'",
            "hint: it needs a compiler, and compilers come from the lock alone",
        ],
    );
    let pyproject = PYPROJECT.replace("requires = []", "requires = ['nothere']");
    let files = [("pyproject.toml", pyproject.as_str()), ("backend.py", BACKEND)];
    let Some(project) = Project::with(&files, "", |_| {}) else { return };
    let said = project.refused(3);
    assert!(said.contains("no packages satisfy the own-build environment on linux-64"), "{said}");
    assert!(said.contains("own-1.0.tar.gz:1: `nothere`"), "{said}");
    let files = [
        ("pyproject.toml", "[build-system]\nrequires = 3\n"),
        ("PKG-INFO", "Metadata-Version: 2.2\nName: own\nVersion: 1.0\n"),
    ];
    let Some(project) = Project::with(&files, "", |_| {}) else { return };
    let said = project.refused(3);
    assert!(said.contains("its pyproject.toml: invalid type: integer `3`"), "{said}");
}

#[test]
fn a_compiler_comes_from_the_lock() {
    if !pypi_is_there() {
        return;
    }
    let Some(project) = Project::new("", "") else { return };
    let zig = "python -m ziglang cc -target x86_64-linux-gnu.2.28";
    let options = format!(
        "environment: env.yml\nruntime: runtime.yml\nbuild-requires: {{PsUtil: [ziglang]}}\n\
         build-variables: {{CC: {zig}, LDSHARED: {zig} -shared, CFLAGS: -I/opt/envlock/env/include}}\n"
    );
    project.place.put("envlock.yml", options);
    project.place.put(
        "env.yml",
        "channels: [\"http://127.0.0.1:8765/debian\"]\n\
         dependencies: [python=3.11, python-headers, {pip: [psutil==4.4.2]}]\n",
    );
    let said = project.run(&["convert"]).expect(0).stderr;
    assert!(
        said.contains("built psutil-4.4.2-cp311-cp311-linux_x86_64.whl from psutil-4.4.2.tar.gz"),
        "{said}"
    );
    assert!(project.place.read("envlock.nix").contains("name = \"ziglang\""));
    project.run(&["install", "--prefix", "env"]).expect(0);
    let python = project.place.path().join("env/bin/python");
    let counted = duct::cmd!(python, "-c", "import psutil; print(psutil.cpu_count() > 0)").read().unwrap();
    assert_eq!(counted, "True");
}

/// A wheel that fits any platform, or only this one, for the sdist on a platform that does not run here.
#[test]
fn a_platform_that_does_not_run_here() {
    // Without a runtime a build has the C library of this machine, and no other of its libraries.
    let here = "import glob\nassert glob.glob('/usr/lib/*/libc.so.6') + glob.glob('/lib*/libc.so.6')\n\
                assert not glob.glob('/usr/lib/*/libz.so*') + glob.glob('/lib*/libz.so*')";
    let Some(project) = Project::new(here, "") else { return };
    project.also_for_aarch64();
    let wheels = || project.place.read("envlock.nix").matches("wheel = {").count();
    project.run(&["convert"]).expect(0);
    assert_eq!(wheels(), 2);
    // One that does not fit: there is none for the other platform, until a machine of that platform adds it.
    let tagged = "global WHEEL\nWHEEL = 'own-1.0-cp311-cp311-linux_x86_64.whl'";
    let Some(project) = Project::new(tagged, "") else { return };
    project.also_for_aarch64();
    let wheels = || project.place.read("envlock.nix").matches("wheel = {").count();
    let said = project.run(&["convert"]).expect(0).stderr;
    assert!(
        said.contains("warning: own-1.0.tar.gz for linux-aarch64 cannot be built on this machine"),
        "{said}"
    );
    assert_eq!(wheels(), 1);
    let text = project.place.read("envlock.nix");
    let (before, wheel) = text.split_once("            wheel = {").unwrap();
    let wheel =
        format!("            wheel = {{{}            }};\n", wheel.split_once("            };\n").unwrap().0);
    // What is locked for aarch64 comes first, and the sdist last.
    let at = before.find("          }\n        ];").unwrap();
    project
        .place
        .put("envlock.nix", format!("{}{}{}", &text[..at], wheel.replace("x86_64", "aarch64"), &text[at..]));
    let before = project.place.read("envlock.nix");
    for option in ["--offline", "--frozen-metadata"] {
        let said = project.run(&["convert", option]).expect(0).stderr;
        assert!(!said.contains("cannot be built"), "{said}");
        assert_eq!(project.place.read("envlock.nix"), before);
    }
    // Where something else decides what it becomes, what it became before is none.
    project.place.put("envlock.yml", "environment: env.yml\nbuild-constraints: [setuptools<80]\n");
    let said = project.run(&["convert"]).expect(0).stderr;
    assert!(said.contains("own-1.0.tar.gz for linux-aarch64 cannot be built"), "{said}");
    assert_eq!(wheels(), 1);
    std::fs::create_dir(project.place.path().join("before")).unwrap();
    project.place.put("before/envlock.nix", before);
    let said = project.place.run(&["diff", "before/envlock.nix", "envlock.nix"]).expect(0).stdout;
    assert!(said.contains("it is not built any more"), "{said}");
}

#[test]
fn a_lock_that_does_not_say_which_wheel() {
    let Some(project) = Project::new("", "") else { return };
    project.run(&["convert", "--no-build"]).expect(0);
    let said = project.place.run(&["check"]).expect(0).stderr;
    assert!(said.contains("user (linux-64): not built yet, so envlock cannot install them: own"), "{said}");
    let said = project.run(&["install", "--prefix", "env"]).expect(8).stderr;
    assert!(
        said.contains(
            "error: cannot install own-1.0.tar.gz: it is an sdist, and the lock does not say which wheel it becomes\n\n\
             hint: `envlock convert` builds it"
        ),
        "{said}"
    );
    project.run(&["convert"]).expect(0);
    state_another_wheel(&project.place);
    let said = project.run(&["install", "--prefix", "env"]).expect(6).stderr;
    assert!(
        said.contains("own-1.0.tar.gz was built, and its wheel is not the locked one: sha256 "),
        "{said}"
    );
    let said = project.run(&["wheel", "python"]).expect(2).stderr;
    assert!(
        said.contains("the user environment has no sdist of `python`\n\nhint: its sdists are own"),
        "{said}"
    );
}
