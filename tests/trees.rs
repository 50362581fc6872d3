//! Trees and images in any surroundings, and beside what others install.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt,
    path::Path,
    process::Command,
};

use crate::{
    common::{Place, Ran, Server, is_root, skipped, test_cache},
    install::contents,
    peers::pypi_is_there,
};

/// A locked project of `tests/channel` in a place of its own.
fn locked(project: &str, server: &Server) -> Place {
    let place = Place::new();
    place.copy(&format!("tests/channel/{project}"));
    place.run(&["convert", "--quiet", "--mirror", &server.mirror()]).expect(0);
    place
}

/// Surroundings: words in front of the command, variables, umask.
struct Surroundings<'a> {
    wrap: &'a [&'a str],
    variables: &'a [(&'a str, &'a str)],
    umask: &'a str,
    mirror: &'a str,
}

impl Surroundings<'_> {
    fn run(&self, place: &Place, arguments: &[&str]) -> serde_json::Value {
        let program = place.path().join("envlock");
        if !program.exists() {
            // Where another user can read it, too.
            std::fs::copy(env!("CARGO_BIN_EXE_envlock"), &program).unwrap();
            duct::cmd!("chmod", "-R", "a+rwX", place.path(), place.cache()).run().unwrap();
        }
        let script = format!("umask {}; exec \"$@\"", self.umask);
        let output = Command::new("env")
            .args(self.wrap)
            .args(["sh", "-c", &script, "sh"])
            .arg(program)
            .args(arguments)
            .args(["--json", "--mirror", self.mirror])
            .current_dir(place.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", place.cache())
            .env("ENVLOCK_CACHE", place.cache().join("a cache"))
            .envs(self.variables.iter().copied())
            .output()
            .unwrap();
        let ran = Ran::from(output).expect(0);
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

/// Everything that a tree's identity covers, and its times.
fn state(root: &Path) -> BTreeMap<String, (u32, i64)> {
    let entries = walkdir::WalkDir::new(root).min_depth(1).into_iter().map(Result::unwrap);
    entries
        .map(|entry| {
            let metadata = entry.metadata().unwrap();
            let path = entry.path().strip_prefix(root).unwrap().display().to_string();
            (path, (metadata.mode(), metadata.mtime()))
        })
        .collect()
}

#[test]
fn surroundings_leave_no_trace_in_trees_and_images() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let mirror = server.mirror();
    let project = locked("quickstart", &server);
    let copy = || {
        let place = Place::new();
        for (name, content) in project.files() {
            place.put(&name, content);
        }
        place
    };
    let usual = Surroundings { wrap: &[], variables: &[("TZ", "UTC")], umask: "022", mirror: &mirror };
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "taskset", "-c", "0"];
    if !is_root() {
        skipped("root and setpriv, to install as another user");
    }
    let odd = Surroundings {
        wrap: if is_root() { &nobody } else { &nobody[4..] },
        variables: &[
            ("TZ", "Asia/Tokyo"),
            ("LC_ALL", "C.UTF-8"),
            ("LANG", "de_DE.UTF-8"),
            ("PYTHONHASHSEED", "7"),
            ("PYTHONPATH", "/nowhere"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PYTHONOPTIMIZE", "2"),
            ("LD_LIBRARY_PATH", "/nowhere"),
            ("RAYON_NUM_THREADS", "1"),
        ],
        umask: "077",
        mirror: &mirror,
    };
    let (one, other) = (copy(), copy());
    let install = ["install", "--prefix", "/opt/envlock/env", "--into", "tree"];
    let (first, second) = (usual.run(&one, &install), odd.run(&other, &install));
    assert_eq!(first["tree_digest"], second["tree_digest"]);
    let (first_tree, second_tree) = (one.path().join("tree"), other.path().join("tree"));
    assert!(contents(&first_tree) == contents(&second_tree), "the contents differ");
    let is_link = |mode: u32| mode & 0o170_000 == 0o120_000;
    for ((path, (mode, time)), (_, other)) in state(&first_tree).into_iter().zip(state(&second_tree)) {
        assert_eq!((mode, time), other, "{path}");
        assert!(
            time == 1 && (is_link(mode) || [0o644, 0o755].contains(&(mode & 0o7777))),
            "{path}: {mode:o}"
        );
    }
    let byte_code = contents(&first_tree).into_keys().filter(|path| path.contains("__pycache__")).count();
    assert!(byte_code > 1000, "only {byte_code} files of byte-code");
    // From the kept manifest, it is the same again.
    let third = usual.run(&one, &["install", "--prefix", "/opt/envlock/env", "--into", "again"]);
    assert_eq!(first["tree_digest"], third["tree_digest"]);

    for role in ["worker", "master"] {
        let build = ["image", "build", role];
        let (first, second) = (usual.run(&one, &build), odd.run(&other, &build));
        assert_eq!(first["archive_sha256"], second["archive_sha256"], "{role}");
        let archive = format!("{role}-image.tar");
        assert!(one.files()[&archive] == other.files()[&archive], "{role}");
        // Another time is another image.
        let dated = Surroundings { variables: &[("SOURCE_DATE_EPOCH", "1700000000")], ..usual };
        assert_ne!(dated.run(&one, &build)["archive_sha256"], first["archive_sha256"]);
    }
    // One environment: the layers of packages of runtime and user environment are those of every role.
    let layers =
        |role: &str| usual.run(&one, &["image", "build", role])["layers"].as_array().unwrap().clone();
    let (worker, master) = (layers("worker"), layers("master"));
    let packages = worker.len() - 2;
    assert!(packages > 10 && master.len() > worker.len());
    assert_eq!(worker[..packages], master[..packages]);
    // Little enough to be pulled by every new worker.
    let size = one.files()["worker-image.tar"].len();
    assert!(size < 45_000_000, "{size}");
}

/// Python scripts that start something: what they import.
fn starts(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    text.lines().find(|line| line.starts_with("from ")).unwrap_or_default().to_owned()
}

/// Paths that only py-rattler and uv write.
fn only_theirs(path: &str) -> bool {
    path == "CACHEDIR.TAG"
        || path.contains("/__pycache__/")
        || path.ends_with(".dist-info/REQUESTED")
        || path.ends_with(".dist-info/direct_url.json")
        || path.ends_with(".dist-info/uv_cache.json")
}

/// Compares two prefixes, apart from what docs/determinism.md lists.
fn compare(ours: &Path, theirs: &Path) {
    let (our, their) = (contents(ours), contents(theirs));
    let only_ours = ["conda-meta/envlock", "conda-meta/history"];
    let missing: Vec<_> =
        their.keys().filter(|path| !our.contains_key(*path) && !only_theirs(path)).collect();
    let extra: Vec<_> =
        our.keys().filter(|path| !their.contains_key(*path) && !only_ours.contains(&path.as_str())).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing: {missing:?}, extra: {extra:?}");
    let mut commands = 0;
    for (path, content) in &our {
        let Some(other) = their.get(path).filter(|other| *other != content) else { continue };
        if path.starts_with("bin/") {
            // Another wording of the same start.
            assert_eq!(starts(content), starts(other), "{path}");
            commands += 1;
        } else if path.ends_with(".dist-info/RECORD") {
            let listed = |content: &[u8]| -> BTreeSet<String> {
                let text = String::from_utf8_lossy(content).into_owned();
                let paths = text.lines().map(|line| line.rsplitn(3, ',').nth(2).unwrap().to_owned());
                paths.filter(|path| !only_theirs(path)).collect()
            };
            assert_eq!(listed(content), listed(other), "{path}");
        } else {
            let known = path.ends_with(".dist-info/INSTALLER") || path.starts_with("conda-meta/");
            assert!(known, "{path} differs");
        }
    }
    assert!(commands > 0, "no command was compared");
    for (path, (mode, _)) in state(ours) {
        let theirs = std::fs::symlink_metadata(theirs.join(&path)).map(|metadata| metadata.mode());
        // uv leaves the mode of some wheels on RECORD, which nobody runs.
        if let (Ok(theirs), false) = (theirs, path.ends_with("/RECORD")) {
            assert_eq!(mode & 0o170_100, theirs & 0o170_100, "{path}: type or permission to run");
        }
    }
}

/// Installs a project here and by py-rattler and uv, and compares, apart from what docs/determinism.md lists.
fn compare_with_peers(project: &str) -> Option<Place> {
    let server = Server::test_channel(&[])?;
    let readers = test_cache().join("readers/bin");
    if !readers.join("uv").exists() || !pypi_is_there() {
        return None;
    }
    let place = locked(project, &server);
    let theirs = place.path().join("theirs");
    let channel = format!("{}/debian", server.url);
    let script = crate::common::root().join("tests/readers/install_py_rattler.py");
    duct::cmd!(
        readers.join("python"),
        &script,
        "conda-lock.yml",
        &channel,
        &theirs,
        place.cache().join("rattler")
    )
    .dir(place.path())
    .run()
    .unwrap();
    let lock: serde_yaml::Value = serde_yaml::from_str(&place.read("conda-lock.yml")).unwrap();
    let wheels = lock["package"].as_sequence().unwrap().iter().filter(|package| package["manager"] == "pip");
    let text = |value: &serde_yaml::Value| value.as_str().unwrap().to_owned();
    let line = |it: &serde_yaml::Value| {
        format!("{} @ {}#sha256={}\n", text(&it["name"]), text(&it["url"]), text(&it["hash"]["sha256"]))
    };
    place.put("requirements.txt", wheels.map(line).collect::<String>());
    duct::cmd!(
        readers.join("uv"),
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-config",
        "-r",
        "requirements.txt"
    )
    .before_spawn({
        let python = theirs.join("bin/python");
        move |command| {
            command.arg("--python").arg(&python);
            Ok(())
        }
    })
    .env("PYTHONDONTWRITEBYTECODE", "1")
    .dir(place.path())
    .run()
    .unwrap();
    // For the place where theirs is: then contents may hold the prefix and still be equal.
    let prefix = theirs.display().to_string();
    let mirror = server.mirror();
    place
        .run(&["install", "--prefix", &prefix, "--into", "ours", "--no-byte-code", "--mirror", &mirror])
        .expect(0);
    let ours = place.path().join("ours");
    compare(&ours, &theirs);
    // py-rattler reads our records, and finds in them the files that it has itself installed.
    let list = |prefix: &Path| {
        duct::cmd!(readers.join("python"), &script, "--list", prefix)
            .read()
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    };
    let (ours, theirs): (BTreeSet<String>, BTreeSet<String>) = (list(&ours), list(&theirs));
    assert_eq!(ours, theirs.into_iter().filter(|line| !line.contains("/__pycache__/")).collect());
    Some(place)
}

#[test]
fn the_quickstart_is_what_others_install() {
    compare_with_peers("quickstart");
}

#[test]
fn airflow_is_what_others_install_and_runs() {
    let Some(place) = compare_with_peers("airflow-3") else { return };
    place.run(&["install", "--prefix", "env", "--offline"]).expect(0);
    let run = |command: &[&str]| {
        let arguments = [&["run", "--prefix", "env", "--"], command].concat();
        let output =
            place.command(&arguments).env("AIRFLOW_HOME", place.path().join("home")).output().unwrap();
        Ran::from(output).expect(0).stdout
    };
    assert_eq!(run(&["airflow", "version"]).lines().last(), Some("3.3.2"));
    assert!(run(&["celery", "--version"]).starts_with("5.6.3"));
    let python = place.path().join("env/bin/python");
    let check = duct::cmd!(test_cache().join("readers/bin/pip"), "--python", python, "check").read().unwrap();
    assert_eq!(check, "No broken requirements found.");
    // All of that used the byte-code that was there, and wrote none.
    place.run(&["verify", "--prefix", "env"]).expect(0);
}
