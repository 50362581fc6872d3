//! Locks in the formats of other tools, read by those tools.

use std::{collections::BTreeSet, path::PathBuf};

use crate::{
    common::{
        Place, Ran, assert_same_files, fake_channel,
        packages::{Conda, Member},
        project, root, skipped, test_cache,
    },
    pypi::Project,
};

/// A Python with the readers.
fn python() -> Option<PathBuf> {
    let python = test_cache().join("readers/bin/python");
    if !python.exists() {
        skipped("the readers that `make setup` installs");
        return None;
    }
    Some(python)
}

/// What a reader says of a file.
fn read(python: &PathBuf, script: &str, place: &Place, file: &str) -> serde_json::Value {
    let script = format!("import json, sys\npath = sys.argv[1]\n{script}");
    let said = duct::cmd!(python, "-c", script, file).dir(place.path()).read().unwrap();
    serde_json::from_str(&said).unwrap()
}

/// The quickstart of examples/, which is of conda-forge and PyPI.
fn genuine() -> Place {
    let place = Place::new();
    place.copy("examples/quickstart");
    place
}

fn export(place: &Place, format: &str, file: &str) -> Ran {
    place.run(&["export", "--format", format, "-o", file]).expect(0)
}

/// Name → sha256 of what `conda-lock.yml` has for linux-64.
fn hashes(place: &Place, manager: &str) -> serde_json::Map<String, serde_json::Value> {
    let lock: serde_yaml::Value = serde_yaml::from_str(&place.read("conda-lock.yml")).unwrap();
    let packages = lock["package"]
        .as_sequence()
        .unwrap()
        .iter()
        .filter(|it| it["manager"] == manager && it["platform"] == "linux-64");
    let pairs = packages.map(|it| {
        let text = |value: &serde_yaml::Value| value.as_str().unwrap().to_owned();
        (text(&it["name"]), text(&it["hash"]["sha256"]).into())
    });
    pairs.collect()
}

/// conda-lock reads the exported environment file as the very packages of the lock, and makes an explicit list of the lock
/// that has the URLs of ours.
#[test]
fn conda_lock_makes_and_reads_the_same() {
    let Some(python) = python() else { return };
    let (place, conda_lock) = (genuine(), python.with_file_name("conda-lock"));
    let template = ["--filename-template", "theirs-{platform}.lock"];
    let render = ["render", "-k", "explicit", "-p", "linux-64", template[0], template[1], "conda-lock.yml"];
    let run = |arguments: &[&str]| {
        let command = duct::cmd(&conda_lock, arguments).dir(place.path()).env("HOME", place.cache());
        command.stderr_null().read().unwrap()
    };
    run(&render);
    export(&place, "explicit", "ours.txt");
    let urls = |name: &str| -> BTreeSet<String> {
        let text = place.read(name);
        let urls = text.lines().filter(|line| line.starts_with("http"));
        urls.map(|line| line.split('#').next().unwrap().to_owned()).collect()
    };
    assert_eq!(urls("ours.txt"), urls("theirs-linux-64.lock"));

    place.run(&["export", "--format", "environment", "-p", "linux-64", "-o", "exported.yml"]).expect(0);
    place.put("names.yml", "{}\n");
    let names = format!("file://{}/names.yml", place.path().display());
    let mut arguments = vec!["render-lock-spec", "--file", "exported.yml", "--kind", "raw", "--stdout"];
    arguments.extend(["--pypi_to_conda_lookup_file", &names]);
    let spec: serde_json::Value = serde_json::from_str(&run(&arguments)).unwrap();
    let read = spec["dependencies"]["linux-64"].as_array().unwrap();
    let read: BTreeSet<_> = read.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
    let mut locked: BTreeSet<_> =
        ["conda", "pip"].iter().flat_map(|it| hashes(&place, it)).map(|it| it.0).collect();
    // It asks for pip where there is a `pip:` section.
    locked.insert("pip".to_owned());
    assert_eq!(read, locked);
}

#[test]
fn an_explicit_list_is_what_rattler_and_conda_read() {
    let Some(python) = python() else { return };
    let place = genuine();
    let ran = export(&place, "explicit", "explicit.txt");
    assert!(ran.stderr.contains("packages of PyPI are comments"), "{}", ran.stderr);
    let script = r#"
import pathlib, re
from rattler.explicit_environment import ExplicitEnvironmentSpec
spec = ExplicitEnvironmentSpec.from_path(pathlib.Path(path))
assert str(spec.platform) == "linux-64", spec.platform
# CEP 23's, which is conda's.
pattern = re.compile(r"(?:(?P<url_p>.+)(?:[/\\]))?(?P<fn>[^/\\#]+(?:\.tar\.bz2|\.conda))(?:#((?P<md5>[0-9a-f]{32})|((sha256:)?(?P<sha256>[0-9a-f]{64}))))?$")
matches = [pattern.match(package.url) for package in spec.packages]
print(json.dumps({match["fn"].rsplit("-", 2)[0]: match["sha256"] for match in matches}))
"#;
    assert_eq!(
        read(&python, script, &place, "explicit.txt"),
        serde_json::Value::from(hashes(&place, "conda"))
    );
    // What is needed comes first.
    let list = place.read("explicit.txt");
    assert!(list.find("/libzlib-").unwrap() < list.find("/python-3").unwrap(), "{list}");
}

#[test]
fn a_pixi_lock_is_what_rattler_reads() {
    let Some(python) = python() else { return };
    let place = genuine();
    export(&place, "pixi", "pixi.lock");
    let script = r#"
import pathlib
from rattler import LockFile
environment = LockFile.from_path(pathlib.Path(path)).default_environment()
platforms = {platform.name: platform for platform in environment.platforms()}
assert sorted(platforms) == ["linux-64", "linux-aarch64"], platforms
assert "https://conda.anaconda.org/conda-forge" in repr(environment.channels())
packages = environment.packages(platforms["linux-64"])
print(json.dumps({package.name: package.hashes.sha256.hex() for package in packages}))
"#;
    let mut all = hashes(&place, "conda");
    all.extend(hashes(&place, "pip"));
    assert_eq!(read(&python, script, &place, "pixi.lock"), serde_json::Value::from(all));
}

#[test]
fn a_pylock_is_what_packaging_reads() {
    let Some(python) = python() else { return };
    let place = genuine();
    export(&place, "pylock", "pylock.toml");
    let script = r#"
import tomllib
from packaging.pylock import Pylock
lock = Pylock.from_dict(tomllib.load(open(path, "rb")))
assert lock.requires_python.contains("3.11.9") == ("3.11" in str(lock.requires_python)), lock
assert lock.environments[0].evaluate({"sys_platform": "linux", "platform_machine": "x86_64"})
files = {package.name: package.wheels[0] if package.wheels else package.sdist for package in lock.packages}
print(json.dumps({name: file.hashes["sha256"] for name, file in files.items()}))
"#;
    assert_eq!(read(&python, script, &place, "pylock.toml"), serde_json::Value::from(hashes(&place, "pip")));
}

#[test]
fn an_archive_of_any_name_is_one_in_a_pylock() {
    let Some(python) = python() else { return };
    let mut project = Project::new();
    // As a forge names what it packs of a tag.
    let archive = crate::common::index::sdist(
        "arch",
        "1.0",
        &[("PKG-INFO", "Metadata-Version: 1.1\nName: arch\nVersion: 1.0\n")],
    );
    project.index.add("arch", "v1.0.tar.gz", &archive);
    let server = project.index.json().serve(&[]);
    let line = format!("arch @ {}/index/files/v1.0.tar.gz", server.url);
    project.env(&server, "python=3.11, pip", &[&line]);
    let place = &project.place;
    place.run(&["convert", "--no-build"]).expect(0);
    export(place, "pylock", "pylock.toml");
    let script = r#"
import tomllib
from packaging.pylock import Pylock
(package,) = Pylock.from_dict(tomllib.load(open(path, "rb"))).packages
print(json.dumps({package.name: package.archive.hashes["sha256"]}))
"#;
    assert_eq!(read(&python, script, place, "pylock.toml"), serde_json::Value::from(hashes(place, "pip")));
}

#[test]
fn requirements_are_what_pip_takes() {
    let Some(python) = python() else { return };
    let mut project = Project::new();
    project.index.wheel("web", "1.0", &["base>=1"]).wheel("base", "1.0", &[]).wheel("base", "2.0", &[]);
    project.place.put("wheels/tool-1.0-py3-none-any.whl", crate::common::index::wheel("tool", "1.0", &[]));
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip", &["web", "base<2", "./wheels/tool-1.0-py3-none-any.whl"]);
    let place = &project.place;
    place.run(&["convert"]).expect(0);
    export(place, "requirements", "requirements.txt");
    let install = |file: &str| {
        let arguments =
            ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", "target"];
        duct::cmd(&python, arguments.iter().copied().chain(["--no-index", "-r", file]))
            .dir(place.path())
            .stderr_to_stdout()
            .stdout_capture()
            .unchecked()
            .run()
            .unwrap()
    };
    let output = install("requirements.txt");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    for name in ["web-1.0", "base-1.0", "tool-1.0"] {
        assert!(place.path().join(format!("target/{name}.dist-info")).is_dir(), "{name}");
    }
    let text = place.read("requirements.txt");
    let zeros = format!("    --hash=sha256:{}", "0".repeat(64));
    let wrong: Vec<_> =
        text.lines().map(|line| if line.starts_with(' ') { zeros.as_str() } else { line }).collect();
    place.put("wrong.txt", wrong.join("\n"));
    assert!(!install("wrong.txt").status.success());
    // PyPI's own are pinned by version.
    let genuine = genuine();
    export(&genuine, "requirements", "requirements.txt");
    let lines = genuine.read("requirements.txt");
    let pinned = lines.lines().filter(|line| line.contains("==")).count();
    assert_eq!(pinned, hashes(&genuine, "pip").len(), "{lines}");
}

#[test]
fn a_pinned_environment_file_locks_to_the_same() {
    let channel = tempfile::tempdir().unwrap();
    let record: [(&str, &str, u64, &[&str], u64); 3] =
        [("a", "1.0", 0, &["b"], 0), ("b", "1.0", 0, &[], 0), ("b", "1.0", 1, &[], 0)];
    fake_channel(channel.path(), "linux-64", &record[..2]);
    let place =
        Place::with(&format!("channels: [\"file://{}\"]\ndependencies: [a]\n", channel.path().display()));
    place.run(&["convert"]).expect(0);
    fake_channel(channel.path(), "linux-64", &record);
    export(&place, "environment", "pinned.yml");
    place.run(&["convert", "pinned.yml", "-o", "again"]).expect(0);
    let packages = |text: String| text[text.find("package:").unwrap()..].to_owned();
    assert_eq!(packages(place.read("conda-lock.yml")), packages(place.read("again/conda-lock.yml")));
    assert!(place.read("again/conda-lock.yml").contains("b-1.0-h0_0.conda"));
}

#[test]
fn what_has_no_place_in_a_format_is_said() {
    let project = Project::new();
    project
        .place
        .put("tree/pyproject.toml", "[project]\nname = \"tree\"\nversion = \"1\"\ndependencies = []\n");
    project.env_without_index("python=3.11, pip", &["./tree"]);
    let place = &project.place;
    place.run(&["convert", "--no-build"]).expect(0);
    let ran = place.run(&["export", "--format", "requirements"]).expect(2);
    assert!(ran.stderr.contains("tree has no place in requirements.txt"), "{}", ran.stderr);
    assert_eq!(ran.stdout, "");
    for (format, text) in
        [("pylock", "path = \"tree\""), ("environment", "./tree"), ("pixi", "- pypi: ./tree")]
    {
        let ran = place.run(&["export", "--format", format]).expect(0);
        assert!(ran.stdout.contains(text), "{format}: {}", ran.stdout);
    }
    // Seen from where it is written.
    place.run(&["export", "--format", "pylock", "-o", "locks/pylock.toml"]).expect(0);
    assert!(place.read("locks/pylock.toml").contains("path = \"../tree\""));
    // Neither needs nor channels are in envlock.nix.
    std::fs::remove_file(place.path().join("conda-lock.yml")).unwrap();
    for format in ["pixi", "explicit", "environment"] {
        let ran = place.run(&["export", "--format", format]).expect(2);
        assert!(ran.stderr.contains("conda-lock.yml"), "{format}: {}", ran.stderr);
    }
    let ran = place.run(&["export", "--format", "toml"]).expect(2);
    assert!(ran.stderr.contains("possible values: explicit, pixi, pylock"), "{}", ran.stderr);
}

#[test]
fn the_same_lock_gives_the_same_bytes_anywhere() {
    let place = genuine();
    let other = root().join("examples/quickstart");
    for format in ["explicit", "pixi", "pylock", "requirements", "environment"] {
        let here = place.run(&["export", "--format", format]).expect(0).stdout;
        let mut command = place.command(&["export", "--format", format, "--lock", other.to_str().unwrap()]);
        command.current_dir("/").env("TZ", "Asia/Tokyo").env("LC_ALL", "C").env("RAYON_NUM_THREADS", "1");
        let there = Ran::from(command.output().unwrap()).expect(0).stdout;
        assert_eq!(here, there, "{format}");
    }
}

/// The packages of a `conda-lock.yml`, without what only the channel or the index says of them.
fn essence(text: &str) -> Vec<String> {
    let lock: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    let text = |value: &serde_yaml::Value| value.as_str().unwrap_or("-").to_owned();
    let line = |it: &serde_yaml::Value| {
        let keys = ["name", "version", "manager", "platform", "url", "build"].map(|key| text(&it[key]));
        format!("{} {}", keys.join(" "), text(&it["hash"]["sha256"]))
    };
    lock["package"].as_sequence().unwrap().iter().map(line).collect()
}

#[test]
fn a_pixi_lock_comes_back_as_it_went() {
    let place = genuine();
    export(&place, "pixi", "pixi.lock");
    place.run(&["import", "pixi.lock", "-o", "back", "--offline"]).expect(0);
    assert_eq!(essence(&place.read("back/conda-lock.yml")), essence(&place.read("conda-lock.yml")));
    let why = |lock: &str| {
        place.run(&["why", "openssl", "--lock", lock, "--platform", "linux-64"]).expect(0).stdout
    };
    assert!(why("back").contains("python"), "{}", why("back"));
    // It is a lock like any other.
    place.run(&["export", "--format", "pixi", "--lock", "back", "-o", "again.lock"]).expect(0);
    assert_eq!(place.read("again.lock"), place.read("pixi.lock"));
    let said = place.run(&["import", "pixi.lock", "--environment", "none", "-o", "x"]).expect(2).stderr;
    assert!(said.contains("it has no environment `none`, but default"), "{said}");
}

/// A place with a channel of real packages, and the lock of one of them.
fn with_packages() -> Place {
    let place = Place::new();
    let packages = ["a", "b"].map(|name| Conda::new(name, &[Member::file(&format!("share/{name}"), name)]));
    project::channel(&place, &packages);
    place.put(
        "env.yml",
        format!("channels: [\"file://{}/channel\"]\ndependencies: [a, b]\n", place.path().display()),
    );
    place.run(&["convert"]).expect(0);
    place
}

#[test]
fn an_explicit_list_comes_back_as_it_went() {
    let place = with_packages();
    export(&place, "explicit", "list.txt");
    place.run(&["import", "list.txt", "-o", "back"]).expect(0);
    assert_eq!(essence(&place.read("back/conda-lock.yml")), essence(&place.read("conda-lock.yml")));

    // Without hashes: what is there is what it is from now on.
    let bare: String = place
        .read("list.txt")
        .lines()
        .filter(|line| !line.starts_with("# platform"))
        .map(|line| line.split("#sha256").next().unwrap().to_owned() + "\n")
        .collect();
    place.put("bare.txt", &bare);
    place.run(&["import", "bare.txt", "-o", "bare"]).expect(0);
    assert_eq!(essence(&place.read("bare/conda-lock.yml")), essence(&place.read("conda-lock.yml")));
    place.run(&["install", "bare", "--prefix", "/opt/envlock/env", "--into", "tree"]).expect(0);

    // What was imported stays when it is locked for an environment file.
    let before = essence(&place.read("bare/conda-lock.yml"));
    place.run(&["convert", "-o", "bare"]).expect(0);
    assert_eq!(essence(&place.read("bare/conda-lock.yml")), before);
    place.run(&["check", "-o", "bare"]).expect(0);

    let wrong = bare.replace(".conda", &format!(".conda#{}", "0".repeat(32)));
    place.put("wrong.txt", wrong);
    let ran = place.run(&["import", "wrong.txt", "-o", "wrong"]).expect(6);
    assert!(ran.stderr.contains("md5"), "{}", ran.stderr);
    assert!(!place.path().join("wrong").exists());
}

#[test]
fn a_lock_of_conda_lock_without_sha256_is_completed() {
    let place = with_packages();
    let stripped: String = place
        .read("conda-lock.yml")
        .lines()
        .filter(|line| !line.contains("sha256:"))
        .map(|line| format!("{line}\n"))
        .collect();
    place.put("theirs/conda-lock.yml", stripped.replace("  hash:\n", "  hash: {}\n"));
    let ran = place.run(&["install", "theirs", "--prefix", "/opt/envlock/env", "--into", "tree"]).expect(2);
    assert!(ran.stderr.contains("sha256"), "{}", ran.stderr);
    place.run(&["import", "theirs/conda-lock.yml", "-o", "ours"]).expect(0);
    assert_eq!(essence(&place.read("ours/conda-lock.yml")), essence(&place.read("conda-lock.yml")));
}

#[test]
fn credentials_stay_variables() {
    let place = with_packages();
    let lock = place.read("conda-lock.yml");
    let channel = lock.split("- url: ").nth(1).unwrap().split_whitespace().next().unwrap();
    let theirs = lock
        .replace(channel, "https://h/t/${TOKEN}/c")
        .replace("used_env_vars: []", "used_env_vars: [TOKEN]");
    place.put("theirs/conda-lock.yml", &theirs);
    place.run(&["import", "theirs/conda-lock.yml", "-o", "ours", "--offline"]).expect(0);
    let ours = place.read("ours/conda-lock.yml");
    assert_eq!(ours.matches("https://h/t/${TOKEN}/c").count(), 3, "{ours}");
    assert!(!place.read("ours/envlock.nix").contains("TOKEN"));
}

#[test]
fn paths_of_a_lock_are_found_from_its_import() {
    let project = Project::new();
    let place = &project.place;
    place.put("wheels/tool-1.0-py3-none-any.whl", crate::common::index::wheel("tool", "1.0", &[]));
    project.env_without_index("python=3.11, pip", &["./wheels/tool-1.0-py3-none-any.whl"]);
    place.run(&["convert", "-o", "locks"]).expect(0);
    place.run(&["import", "locks/conda-lock.yml", "-o", "back"]).expect(0);
    let lock: serde_yaml::Value = serde_yaml::from_str(&place.read("back/conda-lock.yml")).unwrap();
    let tool = lock["package"].as_sequence().unwrap().iter().find(|it| it["name"] == "tool").unwrap();
    assert_eq!(tool["url"], "file:../wheels/tool-1.0-py3-none-any.whl");
    place.run(&["export", "--format", "pylock", "--lock", "back", "-o", "pylock.toml"]).expect(0);
    assert!(place.read("pylock.toml").contains("path = \"wheels/tool-1.0-py3-none-any.whl\""));
}

#[test]
fn what_cannot_be_imported_is_said_and_nothing_is_written() {
    let place = with_packages();
    let before = place.files();
    let url = "https://conda.anaconda.org/c/linux-64/a-1.0-0.conda";
    let cases = [
        ("", "not a conda-lock file"),
        ("version: 1\nmetadata: {}\n", "missing field"),
        ("@EXPLICIT\n", "it does not say which platform it is for: use --platform"),
        ("# platform: linux-64\n@EXPLICIT\n", "it names no packages"),
        ("@EXPLICIT\nhttps://h/c/linux-64/a.zip\n", "is the URL of no conda package"),
        ("@EXPLICIT\nhttps://u:pw@h/c/linux-64/a-1.0-0.conda\n", "holds credentials"),
        (
            "# platform: osx-64\n@EXPLICIT\nhttps://h/c/linux-64/a-1.0-0.conda\n",
            "it is for osx-64, and has packages for linux-64",
        ),
        ("version: 6\nenvironments:\n  default: [\n", "pixi.lock"),
        ("@EXPLICIT\nhttps://u:pw@h:99999/c/linux-64/a-1.0-0.conda\n", "holds credentials"),
        ("@EXPLICIT\nhttps://h/c/linux-64/..%2F..%2Fx-1.0-h0_0.conda\n", "x-1.0-h0_0.conda"),
    ];
    for (text, said) in cases {
        place.put("elsewhere/pixi.lock", text);
        let ran = place.run(&["import", "elsewhere/pixi.lock", "-o", "x"]).expect(2);
        assert!(ran.stderr.contains(said), "{text}: {}", ran.stderr);
        assert!(!ran.stderr.contains("pw"), "{}", ran.stderr);
        assert!(!place.path().join("x").exists());
    }
    // Of conda-lock's format, each wrong in one way.
    let lock = place.read("conda-lock.yml");
    let twice = lock[lock.find("package:\n").unwrap() + "package:\n".len()..].to_owned();
    let hash = lock.split("sha256: ").nth(1).unwrap().split_whitespace().next().unwrap();
    let channel = lock.split("- url: ").nth(1).unwrap().split_whitespace().next().unwrap();
    let of_pypi = |file: &str| {
        format!(
            "- name: t\n  version: 1\n  manager: pip\n  platform: linux-64\n  url: https://h/{file}\n  hash: {{sha256: {}}}\n  \
             category: main\n  optional: false\n",
            "0".repeat(64)
        )
    };
    let cases = [
        (lock.clone() + &of_pypi("t-1.tar.gz") + &of_pypi("t-1-py3-none-any.whl"), "has t twice"),
        (lock.replace(channel, "https://bob:pw@h/c"), "holds credentials"),
        (lock.replace(hash, "zzzz"), "which is none"),
        (lock.replace("- name: a\n", "- name: ../a\n"), "is no name of a package"),
        (lock.clone() + &twice, ""),
        (
            lock.clone()
                + &twice.replace("category: main", "category: dev").replace("version: ", "version: 9"),
            "",
        ),
    ];
    for (text, said) in cases {
        place.put("theirs/conda-lock.yml", text);
        let ran = place.run(&["import", "theirs/conda-lock.yml", "-o", "x", "--offline"]);
        if said.is_empty() {
            // What is said twice of one package is one package.
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            place.run(&["fetch", "x"]).expect(0);
            std::fs::remove_dir_all(place.path().join("x")).unwrap();
            continue;
        }
        let ran = ran.expect(2);
        assert!(ran.stderr.contains(said) && !ran.stderr.contains("pw"), "{said}: {}", ran.stderr);
        assert!(!place.path().join("x").exists());
    }
    let ran = place.run(&["import", "theirs/conda-lock.yml"]).expect(2);
    assert!(ran.stderr.contains("theirs/conda-lock.yml is there already"), "{}", ran.stderr);
    let ran = place.run(&["import", "theirs"]).expect(2);
    assert!(ran.stderr.contains("theirs"), "{}", ran.stderr);
    let list = place.read("conda-lock.yml");
    let a = list.split("url: ").find(|it| it.contains("/a-1.0")).unwrap().split_whitespace().next().unwrap();
    place.put("theirs/list.txt", format!("@EXPLICIT\n{a}\n{a}\n"));
    let ran = place.run(&["import", "theirs/list.txt", "-o", "x"]).expect(2);
    assert!(ran.stderr.contains("has a twice"), "{}", ran.stderr);

    place.put("list.txt", format!("@EXPLICIT\n{url}\n"));
    let ran = place.run(&["import", "list.txt"]).expect(2);
    assert!(ran.stderr.contains("envlock.nix is there already"), "{}", ran.stderr);
    let ran = place.run(&["import", "list.txt", "--force", "--offline"]).expect(7);
    assert!(ran.stderr.contains("is not in the cache"), "{}", ran.stderr);
    let ran = place.run(&["import", "none.txt"]).expect(2);
    assert!(ran.stderr.contains("there is no none.txt"), "{}", ran.stderr);
    std::fs::remove_file(place.path().join("list.txt")).unwrap();
    assert_same_files(&place.files(), &before);
}

#[test]
fn an_absolute_path_is_a_url_in_every_format() {
    let project = Project::new();
    let place = &project.place;
    place.put("my wheels/tool-1.0-py3-none-any.whl", crate::common::index::wheel("tool", "1.0", &[]));
    let url = format!("file://{}/my%20wheels/tool-1.0-py3-none-any.whl", place.path().display());
    project.env_without_index("python=3.11, pip", &[&format!("tool @ {url}")]);
    place.run(&["convert"]).expect(0);
    for format in ["requirements", "environment"] {
        let ran = place.run(&["export", "--format", format]).expect(0);
        assert!(ran.stdout.contains(&format!("tool @ {url}")), "{format}: {}", ran.stdout);
    }
}
