//! `install`, `verify` and `run`: a lock becomes a prefix, and stays what it is.

use std::{
    collections::BTreeMap,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use tar::EntryType;

use crate::common::{
    Place, Server,
    packages::{Artifact, Conda, Member, Wheel, fake_python, lock},
};

/// The quickstart, locked in a place of its own.
fn quickstart(server: &Server) -> Place {
    let place = Place::new();
    place.copy("tests/channel/quickstart");
    place.run(&["convert", "--quiet", "--mirror", &server.mirror()]).expect(0);
    place
}

fn install(place: &Place, server: &Server, more: &[&str]) -> crate::common::Ran {
    let mirror = server.mirror();
    let arguments = [&["install", "--prefix", "env", "--mirror", &mirror], more].concat();
    place.run(&arguments)
}

/// Paths and contents below a directory; links as their targets.
pub fn contents(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = walkdir::WalkDir::new(root).min_depth(1).into_iter().map(Result::unwrap);
    entries
        .filter(|entry| !entry.file_type().is_dir())
        .map(|entry| {
            let content = if entry.path_is_symlink() {
                std::fs::read_link(entry.path()).unwrap().display().to_string().into_bytes()
            } else {
                std::fs::read(entry.path()).unwrap()
            };
            (entry.path().strip_prefix(root).unwrap().display().to_string(), content)
        })
        .collect()
}

#[test]
fn the_quickstart_installs_runs_and_verifies() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = quickstart(&server);
    let installed = install(&place, &server, &[]).expect(0).stderr;
    assert!(
        installed.contains("installed 38 packages into") || installed.contains("installed 39 packages into"),
        "{installed}"
    );
    let digest = installed.lines().find_map(|line| line.strip_prefix("treeDigest ")).unwrap().to_owned();
    assert_eq!(digest.len(), 64);

    let env = place.path().join("env");
    let version = duct::cmd!(env.join("bin/celery"), "--version").read().unwrap();
    assert!(version.starts_with("5."), "{version}");
    let verified = place.run(&["verify", "--prefix", "env"]).expect(0).stderr;
    assert!(verified.starts_with("identical: ") && verified.contains(&digest), "{verified}");
    // Its own Python compiled it, and runs it without writing a byte: what was there was all it needed.
    duct::cmd!(env.join("bin/python"), "-c", "import celery, redis, json")
        .env_remove("PYTHONDONTWRITEBYTECODE")
        .run()
        .unwrap();
    place.run(&["verify", "--prefix", "env", "--rebuild", "--mirror", &server.mirror()]).expect(0);
    // Anyone can compute the digest, as docs/determinism.md says.
    let page = std::fs::read_to_string(crate::common::root().join("docs/determinism.md")).unwrap();
    let script = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(duct::cmd!("/usr/bin/python3", "-c", script, &env).read().unwrap(), digest);
    // Byte-code is what py_compile would have made of it.
    let script = "import py_compile, sys; source, target = sys.argv[1:]; \
                  py_compile.compile(source, target, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)";
    for module in ["json/decoder", "site-packages/celery/app/base", "enum"] {
        let source = env.join(format!("lib/python3.11/{module}.py"));
        duct::cmd!(env.join("bin/python"), "-c", script, &source, place.path().join("by-hand.pyc"))
            .run()
            .unwrap();
        let name = format!("{}.cpython-311.pyc", source.file_stem().unwrap().display());
        let ours = std::fs::read(source.parent().unwrap().join("__pycache__").join(name)).unwrap();
        assert!(ours == place.files()["by-hand.pyc"], "{module}");
    }

    // A byte, a file too many, a file too few, a mode.
    std::fs::write(env.join("bin/celery"), std::fs::read(env.join("bin/celery")).unwrap().repeat(2)).unwrap();
    std::fs::write(env.join("bin/extra"), "x").unwrap();
    std::fs::remove_file(env.join("bin/openssl")).unwrap();
    let readme = env.join("lib/python3.11/site-packages/README.txt");
    std::fs::set_permissions(&readme, std::fs::Permissions::from_mode(0o600)).unwrap();
    let ran = place.run(&["verify", "--prefix", "env"]).expect(1);
    for line in [
        "warning: missing: bin/openssl\n",
        "warning: changed: bin/celery (",
        "warning: changed: lib/python3.11/site-packages/README.txt (mode 600 instead of 644)\n",
        "warning: extra: bin/extra\n",
        "4 paths differ from the lock\n\nhint: `envlock install` with the same lock and prefix puts it right\n",
    ] {
        assert!(ran.stderr.contains(line), "{line}: {}", ran.stderr);
    }
    let json = place.run(&["verify", "--prefix", "env", "--json", "--quiet"]).expect(1).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["identical"], false);
    assert_eq!(json["extra"], serde_json::json!(["bin/extra"]));

    // What nobody installed is not thrown away unasked.
    let ran = install(&place, &server, &[]).expect(2);
    assert!(
        ran.stderr.contains("env holds what envlock did not install: bin/extra\n\nhint: "),
        "{}",
        ran.stderr
    );
    assert!(install(&place, &server, &["--force"]).expect(0).stderr.contains(&digest));
    place.run(&["verify", "--prefix", "env"]).expect(0);
    assert_eq!(place.files().keys().filter(|name| name.starts_with(".envlock")).count(), 0);
}

#[test]
fn an_unchanged_prefix_is_left_alone() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = quickstart(&server);
    install(&place, &server, &[]).expect(0);
    let inode = std::fs::metadata(place.path().join("env")).unwrap().ino();
    let ran = install(&place, &server, &["--offline"]).expect(0);
    assert!(ran.stderr.contains("env is unchanged (envlock verify reads every byte)"), "{}", ran.stderr);
    assert_eq!(std::fs::metadata(place.path().join("env")).unwrap().ino(), inode);
    // Byte-code that is not asked for any more is a change.
    let ran = install(&place, &server, &["--offline", "--no-byte-code", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&json["changed"], &json["byte_code"]), (&true.into(), &false.into()));
    assert!(contents(&place.path().join("env")).keys().all(|path| !path.contains("__pycache__")));
    // Python writes its own then, and verify knows where it comes from.
    duct::cmd!(place.path().join("env/bin/python"), "-c", "import json")
        .env_remove("PYTHONDONTWRITEBYTECODE")
        .run()
        .unwrap();
    let ran = place.run(&["verify", "--prefix", "env"]).expect(1);
    assert!(ran.stderr.contains("hint: Python has written byte-code"), "{}", ran.stderr);
    // Nothing is lost with it.
    install(&place, &server, &["--offline", "--no-byte-code"]).expect(0);
    place.run(&["run", "--prefix", "env", "--", "python", "-c", "import json"]).expect(0);
    place.run(&["verify", "--prefix", "env"]).expect(0);
}

#[test]
fn what_is_no_environment_is_not_replaced() {
    let place = Place::new();
    lock(&place, &[Artifact::conda(&Conda::new("a", &[Member::file("a", "x")]))]);
    place.put("env/precious", "x");
    let ran = place.run(&["install", "--prefix", "env", "--force"]).expect(2);
    assert!(
        ran.stderr.contains("env is not empty, and no environment that envlock installed"),
        "{}",
        ran.stderr
    );
    assert_eq!(place.read("env/precious"), "x");
    std::os::unix::fs::symlink("env", place.path().join("link")).unwrap();
    let ran = place.run(&["install", "--prefix", "link"]).expect(2);
    assert!(ran.stderr.contains("link is a symlink"), "{}", ran.stderr);
    let ran = place.run(&["install", "--prefix", "env/precious"]).expect(2);
    assert!(ran.stderr.contains("precious is there, and no directory"), "{}", ran.stderr);
    // What was put into one is not lost either, whatever it is called.
    place.run(&["install", "--prefix", "mine"]).expect(0);
    for name in ["line\nbreak", "my__pycache__/a.cpython-311.pyc"] {
        place.put(&format!("mine/{name}"), "precious");
        lock(&place, &[Artifact::conda(&Conda::new("a", &[Member::file("a", name)]))]);
        let ran = place.run(&["install", "--prefix", "mine"]).expect(2);
        assert!(ran.stderr.contains("holds what envlock did not install"), "{name}: {}", ran.stderr);
        std::fs::remove_file(place.path().join("mine").join(name)).unwrap();
    }
    lock(&place, &[Artifact::conda(&Conda::new("a", &[Member::file("a", "x")]))]);
    // Nor does anybody else get to build it.
    std::fs::create_dir(place.path().join(".envlock-tmp-shared")).unwrap();
    let shared = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(place.path().join(".envlock-tmp-shared"), shared).unwrap();
    let ran = place.run(&["install", "--prefix", "shared"]).expect(5);
    assert!(ran.stderr.contains("another user made it, or may write there"), "{}", ran.stderr);
    // An empty directory may become one.
    std::fs::create_dir(place.path().join("empty")).unwrap();
    place.run(&["install", "--prefix", "empty"]).expect(0);
    assert_eq!(place.read("empty/a"), "x");
}

#[test]
fn a_tree_can_be_written_elsewhere_than_its_prefix() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = quickstart(&server);
    let mirror = server.mirror();
    place
        .run(&[
            "install",
            "--prefix",
            "/opt/envlock/env",
            "--into",
            "root/env",
            "--copy",
            "--mirror",
            &mirror,
        ])
        .expect(0);
    let script = place.read("root/env/bin/celery");
    assert!(script.starts_with("#!/opt/envlock/env/bin/python3.11\n"), "{script}");
    place.run(&["verify", "--prefix", "/opt/envlock/env", "--into", "root/env"]).expect(0);
    let celery = std::fs::metadata(place.path().join("root/env/bin/celery")).unwrap();
    assert_eq!((celery.nlink(), celery.mtime()), (1, 1), "a copy, with the time of every tree");
    // No byte of it names the place where it was built.
    let needle = place.path().to_str().unwrap().as_bytes();
    for (path, content) in contents(&place.path().join("root/env")) {
        assert!(!content.windows(needle.len()).any(|window| window == needle), "{path}");
    }
}

#[test]
fn both_outputs_give_the_same_tree() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = quickstart(&server);
    let digest = |lock: &str, prefix: &str| {
        let (into, mirror) = (format!("tree-{lock}"), server.mirror());
        let arguments = ["install", lock, "--prefix", prefix, "--into", &into, "--json", "--mirror", &mirror];
        let json: serde_json::Value = serde_json::from_str(&place.run(&arguments).expect(0).stdout).unwrap();
        json["tree_digest"].as_str().unwrap().to_owned()
    };
    assert_eq!(digest("conda-lock.yml", "/opt/envlock/env"), digest("envlock.nix", "/opt/envlock/env"));
    // Alone, as micromamba's users have it, it needs nothing beside it.
    let alone = Place::new();
    alone.put("conda-lock.yml", place.read("conda-lock.yml"));
    let ran = alone.run(&["install", "--prefix", "env", "--no-byte-code", "--mirror", &server.mirror()]);
    ran.expect(0);
    // With another envlock.nix beside it, one of the two is wrong.
    alone.put("envlock.nix", place.read("envlock.nix"));
    alone.put(
        "conda-lock.yml",
        place.read("conda-lock.yml").replacen("version: \"5.4.1\"", "version: \"5.4.2\"", 1),
    );
    let ran = alone.run(&["install", "--prefix", "env"]).expect(2);
    assert!(
        ran.stderr.contains("it disagrees with envlock.nix about the packages for linux-64"),
        "{}",
        ran.stderr
    );
}

#[test]
fn variables_and_activation_scripts_reach_a_command() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::with(&format!(
        "channels: [\"{}\"]\ndependencies: [bash]\nvariables: {{Greeting: \"hello 'world' $HOME\"}}\n",
        crate::common::CHANNEL
    ));
    place.run(&["convert", "--quiet", "--mirror", &server.mirror()]).expect(0);
    install(&place, &server, &[]).expect(0);
    let script = r#"echo "$Greeting|$CONDA_PREFIX|${PATH%%:*}""#;
    let ran = place.run(&["run", "--prefix", "env", "--", "bash", "-c", script]).expect(0);
    let env = place.path().join("env").display().to_string();
    assert_eq!(ran.stdout, format!("hello 'world' $HOME|{env}|{env}/bin\n"));
    // conda finds the variables where it puts them itself.
    let state: serde_json::Value = serde_json::from_str(&place.read("env/conda-meta/state")).unwrap();
    assert_eq!(state["env_vars"]["Greeting"], "hello 'world' $HOME");

    let script = Member::file("etc/conda/activate.d/set.sh", "export FROM_SCRIPT=\"$CONDA_PREFIX/share\"\n");
    let place = Place::new();
    lock(&place, &[Artifact::conda(&Conda::new("a", &[script]))]);
    place.run(&["install", "--prefix", "env"]).expect(0);
    let ran = place.run(&["run", "--prefix", "env", "--", "sh", "-c", "echo $FROM_SCRIPT; exit 7"]).expect(7);
    assert_eq!(ran.stdout, format!("{}/env/share\n", place.path().display()));
    let ran = place.run(&["run", "--prefix", "env", "--", "no-such-command"]).expect(2);
    assert!(ran.stderr.contains("there is no command no-such-command in"), "{}", ran.stderr);
    let ran = place.run(&["run", "--prefix", ".", "--", "true"]).expect(2);
    assert!(ran.stderr.contains("is no environment that envlock installed"), "{}", ran.stderr);
}

#[test]
fn prefixes_replace_placeholders() {
    let long = format!("/placehold{}", "_placehold".repeat(24));
    let text = format!("#!{long}/bin/tool -x\npath={long}/share and {long}\n");
    let binary =
        [b"\0a:", long.as_bytes(), b"/lib:", long.as_bytes(), b"/x\0tail\0", long.as_bytes(), b"\0"].concat();
    let members = [
        Member::executable("bin/tool", &text),
        Member::file("lib/binary", &binary),
        Member::file("lib/untouched", &text),
    ];
    let package = Conda::new("a", &members).placeholder("bin/tool", "text", &long).placeholder(
        "lib/binary",
        "binary",
        &long,
    );
    let place = Place::new();
    lock(&place, &[Artifact::conda(&package)]);
    place.run(&["install", "--prefix", "env"]).expect(0);
    let prefix = place.path().join("env").display().to_string();
    assert_eq!(place.read("env/bin/tool"), text.replace(&long, &prefix));
    assert_eq!(place.read("env/lib/untouched"), text);
    // A C string keeps its length: what is saved is zeros at its end.
    let found = std::fs::read(place.path().join("env/lib/binary")).unwrap();
    assert_eq!(found.len(), binary.len());
    let strings: Vec<_> = found.split(|byte| *byte == 0).filter(|part| !part.is_empty()).collect();
    let expected = [format!("a:{prefix}/lib:{prefix}/x"), "tail".to_owned(), prefix.clone()];
    assert_eq!(strings, expected.iter().map(String::as_bytes).collect::<Vec<_>>());
    assert_eq!(std::fs::metadata(place.path().join("env/bin/tool")).unwrap().mode() & 0o7777, 0o755);

    // One with a space in it, or with a Python behind it, as well.
    let script = |program: &str| format!("#!{long}/bin/{program} -x\n{long}\n");
    let members =
        [Member::executable("bin/py", script("python3.11")), Member::executable("bin/sh", script("bash"))];
    let scripts =
        Conda::new("b", &members).placeholder("bin/py", "text", &long).placeholder("bin/sh", "text", &long);
    let spaced = Place::new();
    lock(&spaced, &[Artifact::conda(&scripts)]);
    spaced.run(&["install", "--prefix", "/a b/env", "--into", "env"]).expect(0);
    assert_eq!(
        spaced.read("env/bin/py"),
        "#!/bin/sh\n'''exec' \"/a b/env/bin/python3.11\" -x \"$0\" \"$@\" #'''\n/a b/env\n"
    );
    assert_eq!(spaced.read("env/bin/sh"), "#!/usr/bin/env bash -x\n/a b/env\n");

    // A shebang that the kernel would cut off goes a longer way.
    let deep = format!("/{}", "deep/".repeat(30));
    place.run(&["install", "--prefix", &deep, "--into", "deep"]).expect(0);
    assert!(
        place.read("deep/bin/tool").starts_with("#!/usr/bin/env tool -x\n"),
        "{}",
        place.read("deep/bin/tool")
    );
    // And one that has no room in a binary is refused.
    let longer = format!("/{}", "far/".repeat(70));
    let ran = place.run(&["install", "--prefix", &longer, "--into", "far"]).expect(8);
    assert!(ran.stderr.contains("lib/binary has room for a prefix of 250 bytes"), "{}", ran.stderr);
    assert!(!place.path().join("far").exists());
}

#[test]
fn two_packages_and_one_path() {
    let package = |name, members: &[Member]| Conda::new(name, members);
    let same = Member::file("share/same", "same");
    let below =
        package("below", &[Member::file("etc/file", "below"), same.clone(), Member::file("x/sub/file", "x")]);
    // What needs the other comes later, whatever their names are.
    let above = package("above", &[Member::file("etc/file", "above"), same, Member::file("x/sub", "file")]);
    let place = Place::new();
    lock(&place, &[Artifact::conda(&above.depends(&["below"])), Artifact::conda(&below)]);
    let ran = place.run(&["install", "--prefix", "env"]).expect(0);
    assert_eq!(place.read("env/etc/file"), "above");
    assert_eq!(place.read("env/x/sub"), "file");
    assert!(ran.stderr.contains("etc/file is that of above; below has another\n"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("x/sub/file of below is left out: above has something else in its place\n"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("share/same"), "{}", ran.stderr);
    // Records name what is there.
    let record: serde_json::Value =
        serde_json::from_str(&place.read("env/conda-meta/below-1.0-0.json")).unwrap();
    assert_eq!(record["files"], serde_json::json!([]));
    let record: serde_json::Value =
        serde_json::from_str(&place.read("env/conda-meta/above-1.0-0.json")).unwrap();
    assert_eq!(record["files"], serde_json::json!(["etc/file", "share/same", "x/sub"]));

    // Of three that know nothing of each other the first by name, in whatever order the lock has them.
    let of = |name| Artifact::conda(&Conda::new(name, &[Member::file("etc/which", name)]));
    for order in [["one", "two", "three"], ["two", "three", "one"], ["three", "two", "one"]] {
        let place = Place::new();
        lock(&place, &order.map(of));
        place.run(&["install", "--prefix", "env"]).expect(0);
        assert_eq!(place.read("env/etc/which"), "one", "{order:?}");
    }
    // Where two noarch packages bring one module, and one is gone in the next lock, the other's comes back.
    let noarch = |name, text: &str| {
        let mut package = Conda::new(name, &[Member::file("site-packages/module.py", text)]);
        package.index["noarch"] = "python".into();
        Artifact::conda(&package)
    };
    let place = Place::new();
    lock(&place, &[Artifact::conda(&fake_python()), noarch("a", "a\n"), noarch("b", "b\n")]);
    place.run(&["install", "--prefix", "env", "--no-byte-code"]).expect(0);
    assert_eq!(place.read("env/lib/python1.0/site-packages/module.py"), "a\n");
    lock(&place, &[Artifact::conda(&fake_python()), noarch("b", "b\n")]);
    place.run(&["install", "--prefix", "env", "--no-byte-code"]).expect(0);
    assert_eq!(place.read("env/lib/python1.0/site-packages/module.py"), "b\n");
    assert!(!place.path().join("env/conda-meta/a-1.0-0.json").exists());

    // PyPI's come after conda's, as pip would have installed them.
    let conda = package("zzz", &[Member::file("lib/python1.0/site-packages/module.py", "conda\n")]);
    let wheel = Wheel::new("aaa", &[("module.py", "wheel\n")]);
    let place = Place::new();
    lock(&place, &[Artifact::conda(&conda), Artifact::conda(&fake_python()), Artifact::wheel(&wheel)]);
    let ran = place.run(&["install", "--prefix", "env", "--no-byte-code"]).expect(0);
    assert_eq!(place.read("env/lib/python1.0/site-packages/module.py"), "wheel\n");
    assert!(ran.stderr.contains("module.py is that of aaa; zzz has another"), "{}", ran.stderr);
}

#[test]
fn everything_that_a_wheel_can_bring() {
    let wheel = Wheel::new("tool", &[("tool/__init__.py", ""), ("tool-1.0.data/purelib/extra.py", "")])
        .file("tool-1.0.data/scripts/plain", b"#!/bin/sh\n", 0o100_644)
        .file("tool-1.0.data/scripts/script", b"#!python\nprint(1)\n", 0o100_644)
        .file("tool-1.0.data/scripts/old", b"#!python3 -E\nprint(1)\n", 0o100_644)
        .file("tool-1.0.data/headers/tool.h", b"int x;\n", 0o100_644)
        .file("tool-1.0.data/data/share/tool/a,b", b"data\n", 0o100_644)
        .file("tool/run.sh", b"#!/bin/sh\n", 0o100_755)
        .file("tool-1.0.dist-info/INSTALLER", b"somebody\n", 0o100_644)
        .file(
            "tool-1.0.dist-info/entry_points.txt",
            b"[console_scripts]\ntool = tool.main:run [extra]\nscript = tool:script\n[other]\nx = y\n",
            0o100_644,
        );
    let place = Place::new();
    lock(&place, &[Artifact::conda(&fake_python()), Artifact::wheel(&wheel)]);
    place.run(&["install", "--prefix", "/p", "--into", "env", "--no-byte-code"]).expect(0);
    let site = "env/lib/python1.0/site-packages";
    let mode = |path: &str| std::fs::metadata(place.path().join(path)).unwrap().mode() & 0o7777;
    assert_eq!(place.read("env/bin/plain"), "#!/bin/sh\n");
    assert_eq!(mode("env/bin/plain"), 0o755);
    assert_eq!(place.read("env/bin/old"), "#!/p/bin/python1.0\nprint(1)\n");
    assert_eq!(mode(&format!("{site}/tool/run.sh")), 0o755);
    assert_eq!(place.read("env/include/python1.0/tool/tool.h"), "int x;\n");
    assert_eq!(place.read("env/share/tool/a,b"), "data\n");
    assert_eq!(place.read(&format!("{site}/tool-1.0.dist-info/INSTALLER")), "envlock\n");
    let command = place.read("env/bin/tool");
    assert!(
        command.starts_with("#!/p/bin/python1.0\n") && command.contains("from tool.main import run"),
        "{command}"
    );
    // The command of an entry point comes before a script of the same name.
    assert!(place.read("env/bin/script").contains("from tool import script"));
    let record = place.read(&format!("{site}/tool-1.0.dist-info/RECORD"));
    let paths: Vec<&str> = record.lines().map(|line| line.rsplitn(3, ',').nth(2).unwrap()).collect();
    assert_eq!(
        paths,
        [
            "../../../bin/old",
            "../../../bin/plain",
            "../../../bin/script",
            "../../../bin/tool",
            "../../../include/python1.0/tool/tool.h",
            "\"../../../share/tool/a,b\"",
            "extra.py",
            "tool-1.0.dist-info/INSTALLER",
            "tool-1.0.dist-info/METADATA",
            "tool-1.0.dist-info/RECORD",
            "tool-1.0.dist-info/WHEEL",
            "tool-1.0.dist-info/entry_points.txt",
            "tool/__init__.py",
            "tool/run.sh",
        ]
    );
}

#[test]
fn noarch_python_and_its_commands() {
    let mut package = Conda::new(
        "tool",
        &[Member::file("site-packages/tool.py", ""), Member::file("python-scripts/t", "x")],
    );
    package.index["noarch"] = "python".into();
    package.info.push(Member::file(
        "info/link.json",
        r#"{"noarch":{"type":"python","entry_points":["tool = tool:main"]},"package_metadata_version":1}"#,
    ));
    let place = Place::new();
    lock(&place, &[Artifact::conda(&fake_python()), Artifact::tar_bz2(&package)]);
    place.run(&["install", "--prefix", "/p", "--into", "env", "--no-byte-code"]).expect(0);
    assert_eq!(place.read("env/lib/python1.0/site-packages/tool.py"), "");
    assert_eq!(place.read("env/bin/t"), "x");
    assert!(place.read("env/bin/tool").starts_with("#!/p/bin/python1.0\n"));
    let record: serde_json::Value =
        serde_json::from_str(&place.read("env/conda-meta/tool-1.0-0.json")).unwrap();
    assert_eq!(
        record["files"],
        serde_json::json!(["bin/t", "bin/tool", "lib/python1.0/site-packages/tool.py"])
    );
    assert_eq!(record["paths_data"]["paths"][1]["path_type"], "unix_python_entry_point");
}

#[test]
fn packages_of_all_ages_and_shapes() {
    // Hard links within a package, empty directories, and files that no list names.
    let members = [
        Member::file("lib/a", "content"),
        Member::link("lib/b", EntryType::Link, "lib/a"),
        Member::of_kind("empty", EntryType::Directory),
        Member::symlink("lib/c", "a"),
        Member::file("unlisted", "x"),
    ];
    let package = Conda::new("new", &members);
    let digest = crate::common::packages::sha256(b"content");
    let paths = serde_json::json!([
        { "_path": "lib/a", "path_type": "hardlink", "sha256": digest, "size_in_bytes": 7 },
        { "_path": "lib/b", "path_type": "hardlink", "sha256": digest, "size_in_bytes": 7 },
        { "_path": "lib/c", "path_type": "softlink", "sha256": digest, "size_in_bytes": 7 },
        { "_path": "empty", "path_type": "directory" },
    ]);
    // Before paths.json, several files said the same.
    let mut old = Conda::new("old", &[Member::file("etc/old", "prefix: /old/placeholder\n")]);
    old.info.push(Member::file("info/files", "etc/old\n"));
    old.info.push(Member::file("info/has_prefix", "/old/placeholder text etc/old\n"));
    let mut artifact = Artifact::tar_bz2(&old);
    artifact.bytes = {
        let mut members = vec![Member::file(
            "info/index.json",
            r#"{"name":"old","version":"1.0","build":"0","build_number":0,"depends":[],"subdir":"linux-64"}"#,
        )];
        members.extend(old.info.clone());
        members.extend(old.members.clone());
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        std::io::Write::write_all(&mut encoder, &crate::common::packages::tar(&members)).unwrap();
        encoder.finish().unwrap()
    };
    let place = Place::new();
    lock(&place, &[Artifact::conda(&package.paths(paths)), artifact]);
    place.run(&["install", "--prefix", "/p", "--into", "env"]).expect(0);
    assert_eq!((place.read("env/lib/b"), place.read("env/lib/c")), ("content".into(), "content".into()));
    assert!(place.path().join("env/empty").is_dir());
    assert!(!place.path().join("env/unlisted").exists());
    assert_eq!(place.read("env/etc/old"), "prefix: /p\n");
}

#[test]
fn byte_code_has_no_place_but_its_own() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place =
        Place::with(&format!("channels: [\"{}\"]\ndependencies: [python=3.11]\n", crate::common::CHANNEL));
    place.run(&["convert", "--quiet", "--mirror", &server.mirror()]).expect(0);
    // Sources whose byte-code another package brings, whose directory is taken, and that are no Python at all.
    let members = [
        Member::file("lib/mine/a.py", "x = 1\n"),
        Member::file("lib/taken/b.py", "x = 1\n"),
        Member::file("lib/taken/__pycache__", "a file"),
        Member::file("top.py", "x = 1\n"),
        Member::file("__pycache__", "a file"),
        Member::file("lib/held/c.py", "x = 1\n"),
        Member::file("lib/held/__pycache__/c.cpython-311.pyc/x", "a directory"),
        Member::file("lib/mine/deep.py", format!("{}1{}\n", "(".repeat(500), ")".repeat(500))),
        Member::file("lib/mine/bad.py", "this is = no Python\n"),
        Member::file("lib/mine/odd.cpython-39.py", "x = 1\n"),
        Member::file("lib/mine/latin.py", b"# coding: cp1252\nx = '\xe9'\n"),
    ];
    let other = Conda::new("b", &[Member::file("lib/mine/__pycache__/a.cpython-311.pyc", "not valid here")]);
    let artifacts = [Artifact::conda(&Conda::new("a", &members)), Artifact::conda(&other)];
    let more = Place::new();
    lock(&more, &artifacts);
    let entries = more.read("conda-lock.yml");
    let entries = entries.split("package:\n").nth(1).unwrap();
    std::fs::remove_file(place.path().join("envlock.nix")).unwrap();
    place.put("conda-lock.yml", place.read("conda-lock.yml") + entries);
    let digest = |prefix: &str, threads: &str| {
        let mirror = server.mirror();
        let mut command =
            place.command(&["install", "--prefix", "/p", "--into", prefix, "--json", "--mirror", &mirror]);
        let output = command
            .env("RAYON_NUM_THREADS", threads)
            .env("ENVLOCK_CACHE", place.path().join(threads))
            .output();
        let ran = crate::common::Ran::from(output.unwrap()).expect(0);
        serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()["tree_digest"].clone()
    };
    assert_eq!(digest("one", "1"), digest("three", "3"));
    let byte_code: Vec<String> =
        contents(&place.path().join("one/lib/mine/__pycache__")).into_keys().collect();
    assert_eq!(byte_code, ["a.cpython-311.pyc", "latin.cpython-311.pyc", "odd.cpython-39.cpython-311.pyc"]);
    assert_ne!(place.read("one/lib/taken/__pycache__"), "");
    let compiled = std::fs::read(place.path().join("one/lib/mine/__pycache__/a.cpython-311.pyc")).unwrap();
    assert!(compiled.len() > 16 && compiled != b"not valid here");
}

#[test]
fn link_scripts_are_told_of_and_not_run() {
    let script = Member::executable("bin/.gtk3-post-link.sh", "touch \"$PREFIX/ran\"\n");
    let place = Place::new();
    lock(&place, &[Artifact::conda(&Conda::new("gtk3", &[script]))]);
    let ran = place.run(&["install", "--prefix", "env"]).expect(0);
    assert!(
        ran.stderr.contains(
            "gtk3 has bin/.gtk3-post-link.sh, which envlock does not run; without it its icon cache is missing"
        ),
        "{}",
        ran.stderr
    );
    assert!(!place.path().join("env/ran").exists());
    // Also where the tree was built before.
    let again = place.run(&["install", "--prefix", "env", "--into", "again"]).expect(0);
    let ran = place.run(&["install", "--prefix", "env", "--into", "once-more"]).expect(0);
    assert!(
        again.stderr.contains("which envlock does not run")
            && ran.stderr.contains("which envlock does not run")
    );
}

#[test]
fn what_cannot_be_meant_is_explained() {
    let place = Place::new();
    lock(&place, &[Artifact::conda(&Conda::new("a", &[Member::file("a", "x")]))]);
    for (arguments, message) in [
        (&["install", "nowhere.yml", "--prefix", "env"][..], "there is no lock nowhere.yml"),
        (&["install", "--prefix", "/"], "--prefix /: that is all of this machine"),
        (&["install", "--prefix", "a\"b"], "programs cannot be told of such a path"),
        (&["install", "--prefix", "env", "--environment", "master"], "the lock has no environment `master`"),
        (
            &["install", "--prefix", "env", "--platform", "linux-aarch64"],
            "the user environment is not locked for linux-aarch64",
        ),
        (&["install", "--prefix", "env", "--platform", "linux"], "unknown platform `linux`"),
        (&["verify", "--prefix", "env"], "there is no directory"),
        (&["image", "build", "worker"], "there is no lock envlock.nix"),
    ] {
        let ran = place.run(arguments).expect(2);
        assert!(ran.stderr.contains(message) && ran.stderr.contains("\nhint: "), "{message}: {}", ran.stderr);
    }
    place.put("conda-lock.yml", place.read("conda-lock.yml").replace("sha256: ", "sha256: x"));
    let ran = place.run(&["install", "--prefix", "env"]).expect(2);
    assert!(ran.stderr.contains("the sha256 of a is `x"), "{}", ran.stderr);
}
