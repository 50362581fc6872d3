//! The `pip:` part against an index of our own: what is read, chosen, dropped and written.

use std::collections::BTreeMap;

use crate::common::{
    Place, Ran, Server, assert_same_files, fake_channel,
    index::{self, Index},
    locked,
};

/// A project on a channel with Python 3.11, pip and some packages that Python imports.
pub struct Project {
    pub place: Place,
    pub index: Index,
    channel: tempfile::TempDir,
}

impl Project {
    pub fn new() -> Self {
        let channel = tempfile::tempdir().unwrap();
        let python: &[&str] = &["python >=3.6"];
        fake_channel(
            channel.path(),
            "linux-64",
            &[
                ("python", "3.11.2", 0, &[], 1),
                ("python", "3.6.7", 0, &[], 1),
                ("pip", "24.0", 0, python, 1),
                ("pip", "18.1", 0, python, 1),
                ("redis-py", "4.0.0", 0, python, 1),
                ("flask", "2.0.0", 0, python, 1),
            ],
        );
        Self { place: Place::new(), index: Index::new(), channel }
    }

    /// An env.yml with conda dependencies and pip lines; the first line names the server's index.
    pub fn env(&self, server: &Server, conda: &str, pip: &[&str]) {
        let url = format!("--index-url {}/index/simple", server.url);
        self.env_without_index(conda, &[&[url.as_str()], pip].concat());
    }

    pub fn env_without_index(&self, conda: &str, pip: &[&str]) {
        let channel = self.channel.path().display();
        let lines: String =
            pip.iter().map(|line| format!("      - '{}'\n", line.replace('\'', "''"))).collect();
        let text = format!(
            "channels: [\"file://{channel}\"]\ndependencies:\n  - {}\n  - pip:\n{lines}",
            conda.replace(", ", "\n  - ")
        );
        self.place.put("env.yml", text);
    }

    pub fn versions(&self) -> BTreeMap<String, String> {
        let mut all = locked(&self.place.read("conda-lock.yml"), "linux-64");
        all.retain(|name, _| !["python", "pip"].contains(&name.as_str()));
        all
    }
}

/// Converts pip lines over an index; panics unless it ends with `code`.
#[track_caller]
fn convert(fill: impl FnOnce(&mut Index), pip: &[&str], code: i32) -> (Project, Server, Ran) {
    let mut project = Project::new();
    fill(&mut project.index);
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip", pip);
    // Of this channel there are records alone: nothing can be built.
    let ran = project.place.run(&["convert", "--no-build"]).expect(code);
    if code == 0 {
        project.place.run(&["check"]).expect(0);
    }
    (project, server, ran)
}

fn pairs(project: &Project) -> Vec<String> {
    project.versions().iter().map(|(name, version)| format!("{name} {version}")).collect()
}

/// The entry of a package in `conda-lock.yml`.
fn entry(project: &Project, name: &str) -> serde_yaml::Value {
    let file: serde_yaml::Value = serde_yaml::from_str(&project.place.read("conda-lock.yml")).unwrap();
    let packages = file["package"].as_sequence().unwrap();
    packages.iter().find(|package| package["name"] == name).unwrap().clone()
}

#[test]
fn both_outputs_carry_wheels_and_sdists() {
    let (project, server, _) = convert(
        |index| {
            index.wheel("web", "1.0", &["extra: db", "base>=1", "driver[x]>=2,<3; extra == 'db'"]);
            index.wheel("base", "1.5", &[]).wheel("driver", "2.1", &["extra: x"]).wheel("driver", "3.0", &[]);
            index.sdist("old", "0.1", &[("PKG-INFO", "Metadata-Version: 1.1\nName: old\nVersion: 0.1\n")]);
        },
        &["web[db]", "old"],
        0,
    );
    assert_eq!(pairs(&project), ["base 1.5", "driver 2.1", "old 0.1", "web 1.0"]);
    let web = entry(&project, "web");
    let text = serde_yaml::to_string(&web).unwrap();
    assert_eq!(web["manager"], "pip", "{text}");
    assert_eq!(web["dependencies"]["driver"], ">=2,<3");
    assert_eq!(web["url"], format!("{}/index/files/web-1.0-py3-none-any.whl", server.url));
    assert_eq!(web["hash"].as_mapping().unwrap().len(), 1);
    assert!(web.get("build").is_none());
    let nix = project.place.read("envlock.nix");
    assert!(nix.contains("kind = \"wheel\";\n            name = \"web\";"), "{nix}");
    assert!(nix.contains("kind = \"sdist\";\n            name = \"old\";"), "{nix}");
    assert!(nix.contains("fileName = \"old-0.1.tar.gz\";"), "{nix}");
    // The index has no metadata files: the end of each wheel is asked for, not the whole.
    let requests = server.requests();
    assert!(requests.contains("GET /index/files/web-1.0-py3-none-any.whl 206"), "{requests}");
    assert!(!requests.contains("GET /index/files/web-1.0-py3-none-any.whl 200"), "{requests}");
}

#[test]
fn the_same_bytes_warm_offline_and_frozen() {
    let (project, _server, _) = convert(
        |index| {
            index.wheel("web", "1.0", &["old"]);
            index.sdist("old", "0.1", &[("PKG-INFO", "Metadata-Version: 1.1\nName: old\nVersion: 0.1\n")]);
        },
        &["web"],
        0,
    );
    let before = project.place.files();
    for option in ["--offline", "--frozen-metadata", "--quiet"] {
        project.place.run(&["convert", "--no-build", option]).expect(0);
        assert_same_files(&project.place.files(), &before);
    }
}

#[test]
fn nothing_cached_and_offline_is_said() {
    let mut project = Project::new();
    let server = project.index.wheel("web", "1.0", &[]).json().serve(&[]);
    project.env(&server, "python=3.11, pip", &["web"]);
    let ran = project.place.run(&["convert", "--offline"]).expect(7);
    assert!(ran.stderr.contains("error: the metadata of `web` is not in the cache"), "{}", ran.stderr);
    assert_eq!(server.requests(), "");
}

#[test]
fn conda_packages_are_facts() {
    let mut project = Project::new();
    project.index.wheel("web", "1.0", &["redis", "flask>=1"]);
    project.index.wheel("redis", "9.0", &[]).wheel("flask", "9.0", &[]);
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip, redis-py, flask", &["web"]);
    project.place.run(&["convert"]).expect(0);
    assert_eq!(pairs(&project), ["flask 2.0.0", "redis-py 4.0.0", "web 1.0"]);

    // The map says otherwise: then PyPI provides it.
    project.place.put("names.yml", "redis-py: not-redis\n");
    project.place.run(&["convert", "--name-map", "names.yml"]).expect(0);
    assert_eq!(pairs(&project), ["flask 2.0.0", "redis 9.0", "redis-py 4.0.0", "web 1.0"]);
}

#[test]
fn a_requirement_that_excludes_conda_shows_both_lines() {
    let mut project = Project::new();
    project.index.wheel("flask", "3.0", &[]).wheel("web", "1.0", &["flask>=3"]);
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip, flask", &["flask>=3"]);
    let ran = project.place.run(&["convert"]).expect(3);
    assert_eq!(
        ran.stderr.split_once("error: ").unwrap().1,
        "two requirements of flask cannot both hold:\n  \
         env.yml:5: `flask`, which is flask 2.0.0 of the conda part\n  \
         env.yml:8: `flask>=3`\n\n\
         hint: take the package from one of the two, or let pip replace conda's with --pip-resolver merge\n"
    );
    // Behind another package it is the chain that is shown.
    project.env(&server, "python=3.11, pip, flask", &["web"]);
    let ran = project.place.run(&["convert"]).expect(3);
    for part in [
        "all versions of web depend on flask>=3",
        "env.yml:8: `web`",
        "flask 2.0.0 comes from conda (env.yml:5: `flask`)",
    ] {
        assert!(ran.stderr.contains(part), "{part} in {}", ran.stderr);
    }
    assert!(!project.place.path().join("envlock.nix").exists());

    for reading in ["merge", "legacy"] {
        let ran = project.place.run(&["convert", "--pip-resolver", reading]).expect(0);
        assert!(
            ran.stderr.contains("flask 2.0.0 of conda is replaced by flask 3.0 of PyPI, as pip would"),
            "{}",
            ran.stderr
        );
        assert_eq!(pairs(&project), ["flask 3.0", "web 1.0"]);
        project.place.run(&["check"]).expect(0);
    }
}

#[test]
fn the_solved_pip_chooses_the_reading() {
    let mut project = Project::new();
    project.index.wheel("web", "1.0", &["extra: x", "more; extra == 'x'"]).wheel("web", "2.0", &[]);
    project.index.wheel("more", "1.0", &[]);
    let server = project.index.json().serve(&[]);
    let lines = ["web==1.0", "web[x]==2.0"];
    project.env(&server, "python=3.6, pip=18.1", &lines);
    let ran = project.place.run(&["convert"]).expect(0);
    assert!(
        ran.stderr.contains(
            "user/linux-64: pip 18.1 is solved for: its legacy reading is used\n\
             warning: user/linux-64: the legacy reading keeps the first requirement of a name; these are dropped, \
             with their extras:\n  env.yml:8: `web[x]==2.0`, behind `web==1.0` of line 7\n"
        ),
        "{}",
        ran.stderr
    );
    assert_eq!(pairs(&project), ["web 1.0"]);
    project.place.run(&["convert", "--pip-resolver", "merge"]).expect(0);
    assert_eq!(pairs(&project), ["more 1.0", "web 1.0"]);
    for (conda, option) in
        [("python=3.6, pip=18.1", "--pip-resolver=strict"), ("python=3.6, pip=24", "--quiet")]
    {
        project.env(&server, conda, &lines);
        let ran = project.place.run(&["convert", option]).expect(3);
        assert!(
            ran.stderr
                .contains("env.yml:7: `web==1.0`\n  env.yml:8: `web[x]==2.0`\n\nhint: keep one of the two"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn markers_and_tags_are_the_targets() {
    let (project, _server, _) = convert(
        |index| {
            index.tagged(
                "fast",
                "1.0",
                "cp311-cp311-manylinux_2_17_x86_64",
                &["old; python_version < '3.8'"],
            );
            index.tagged("fast", "2.0", "cp311-cp311-manylinux_2_34_x86_64", &[]);
            index.tagged("fast", "3.0", "cp312-cp312-manylinux_2_17_x86_64", &[]);
            index.wheel("arm", "1.0", &[]).wheel("windows", "1.0", &[]);
        },
        &["fast", "arm; platform_machine == 'aarch64'", "windows; sys_platform == 'win32'"],
        0,
    );
    assert_eq!(pairs(&project), ["fast 1.0"]);
    project.place.run(&["convert", "--upgrade", "--virtual-package", "__glibc=2.35"]).expect(0);
    assert_eq!(pairs(&project), ["fast 2.0"]);
}

#[test]
fn files_and_constraints() {
    let mut project = Project::new();
    for version in ["1.0", "2.0", "3.0"] {
        project.index.wheel("a", version, &["b"]).wheel("b", version, &[]);
    }
    let server = project.index.json().serve(&[]);
    project.env_without_index("python=3.11, pip", &["-r sub/all.txt", "-c limits.txt"]);
    project.place.put("sub/all.txt", format!("--index-url {}/index/simple\n-r more.txt\n", server.url));
    project.place.put("sub/more.txt", "a<3 # not yet\n");
    project.place.put("limits.txt", "b==1.0\nunused==7\n");
    project.place.run(&["convert"]).expect(0);
    assert_eq!(pairs(&project), ["a 2.0", "b 1.0"]);
    project.place.put("limits.txt", "a>=3\n");
    let ran = project.place.run(&["convert"]).expect(3);
    for line in ["sub/more.txt:1: `a<3`", "limits.txt:1: `a>=3`"] {
        assert!(ran.stderr.contains(line), "{}", ran.stderr);
    }
}

#[test]
fn binaries_prereleases_and_dates() {
    let mut project = Project::new();
    let bare = [("PKG-INFO", "Metadata-Version: 1.1\nName: a\nVersion: 2.0\n")];
    project.index.wheel("a", "1.0", &[]).sdist("a", "2.0", &bare).wheel("a", "3.0rc1", &[]);
    project.index.wheel("b", "1.0", &[]).uploaded("b", "2024-05-02T00:00:00Z");
    project.index.wheel("b", "2.0", &[]).uploaded("b", "2024-05-02T00:00:01Z");
    let server = project.index.json().serve(&[]);
    let run = |lines: &[&str], arguments: &[&str]| {
        project.env(&server, "python=3.11, pip", lines);
        project.place.run(&[&["convert", "--no-build", "--upgrade"], arguments].concat()).expect(0);
        pairs(&project)
    };
    assert_eq!(run(&["a"], &[]), ["a 2.0"]);
    assert_eq!(run(&["a", "--only-binary a"], &[]), ["a 1.0"]);
    assert_eq!(run(&["a", "--only-binary :all:", "--no-binary=a"], &[]), ["a 2.0"]);
    assert_eq!(run(&["a", "--pre"], &[]), ["a 3.0rc1"]);
    assert_eq!(run(&["a>=3.0rc1"], &[]), ["a 3.0rc1"]);
    // A date is its first instant, in UTC, as it is for conda.
    assert_eq!(run(&["b"], &["--exclude-newer", "2024-05-03"]), ["b 2.0"]);
    assert_eq!(run(&["b"], &["--exclude-newer", "2024-05-02T00:00:01Z"]), ["b 1.0"]);
}

/// The sha256 of a file of the index.
fn sha256(project: &Project, name: &str) -> String {
    use sha2::{Digest, Sha256};
    let bytes = std::fs::read(project.index.file(name)).unwrap();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn hashes_are_checked() {
    let mut project = Project::new();
    project.index.wheel("a", "1.0", &["b"]).wheel("b", "1.0", &[]);
    let server = project.index.json().serve(&[]);
    let a = format!("a==1.0 --hash=sha256:{}", sha256(&project, "a-1.0-py3-none-any.whl"));
    let b = format!("b==1.0 --hash=sha256:{}", sha256(&project, "b-1.0-py3-none-any.whl"));
    project.env(&server, "python=3.11, pip", &[&a, &b]);
    project.place.run(&["convert"]).expect(0);
    assert_eq!(pairs(&project), ["a 1.0", "b 1.0"]);
    let wrong = format!("b==1.0 --hash=sha256:{}", "0".repeat(64));
    project.env(&server, "python=3.11, pip", &[&a, &wrong]);
    let ran = project.place.run(&["convert"]).expect(6);
    assert!(
        ran.stderr.contains(&format!("hash {} instead of {}", &b[21..], "0".repeat(64))),
        "{}",
        ran.stderr
    );
    project.env(&server, "python=3.11, pip", &[&a]);
    let ran = project.place.run(&["convert"]).expect(2);
    assert!(ran.stderr.contains("`b` is needed and no line has its --hash"), "{}", ran.stderr);
    project.env(&server, "python=3.11, pip", &[&a, "b"]);
    let ran = project.place.run(&["convert"]).expect(2);
    assert!(ran.stderr.contains("env.yml:8:9: `b` needs `==` and a --hash"), "{}", ran.stderr);
}

#[test]
fn a_hash_chooses_among_the_files_of_a_version() {
    let mut project = Project::new();
    let bare = [("PKG-INFO", "Metadata-Version: 1.1\nName: a\nVersion: 1.0\n")];
    project.index.wheel("a", "1.0", &[]).sdist("a", "1.0", &bare);
    let server = project.index.json().serve(&[]);
    let line = format!("a==1.0 --hash=sha256:{}", sha256(&project, "a-1.0.tar.gz"));
    for (lines, kind) in [([line.as_str()], "sdist"), (["a==1.0"], "wheel")] {
        project.env(&server, "python=3.11, pip", &lines);
        project.place.run(&["convert", "--no-build", "--upgrade"]).expect(0);
        assert!(project.place.read("envlock.nix").contains(&format!("kind = \"{kind}\"")), "{kind}");
    }
}

#[test]
fn several_indexes_and_links() {
    let mut project = Project::new();
    project.index.wheel("ours", "1.0", &[]).wheel("public", "1.0", &[]);
    let mut foreign = Index::new();
    foreign.wheel("ours", "9.9", &[]);
    let (inner, outer) = (project.index.json().serve(&[]), foreign.json().serve(&[]));
    let extra = format!("--extra-index-url {}/index/simple", inner.url);
    project.env(&outer, "python=3.11, pip", &[&extra, "ours", "public"]);
    project.place.run(&["convert"]).expect(0);
    assert_eq!(pairs(&project), ["ours 1.0", "public 1.0"]);
    // Another index cannot put a newer one in front, and the answer says why.
    project.env(&outer, "python=3.11, pip", &[&extra, "ours>2"]);
    let ran = project.place.run(&["convert"]).expect(3);
    assert!(
        ran.stderr.contains("hint: a package is taken from the first index that has it at all"),
        "{}",
        ran.stderr
    );

    project.place.put("wheels/linked-1.0-py3-none-any.whl", index::wheel("linked", "1.0", &[]));
    project.env_without_index("python=3.11, pip", &["--no-index", "--find-links ./wheels", "linked"]);
    project.place.run(&["convert"]).expect(0);
    assert_eq!(pairs(&project), ["linked 1.0"]);
}

#[test]
fn places_become_packages() {
    let mut project = Project::new();
    project.index.wheel("a", "1.0", &["b"]).wheel(
        "b",
        "1.0",
        &["a @ https://elsewhere.invalid/a.whl ; extra == 'x'"],
    );
    project.index.wheel("c", "1.0", &[]);
    let server = project.index.json().serve(&[]);
    let url = format!("a @ {}/index/files/a-1.0-py3-none-any.whl", server.url);
    project
        .place
        .put("tree/pyproject.toml", "[project]\nname = 'tree'\nversion = '0.2'\ndependencies = ['c']\n");
    project.place.put("tree/tree.py", "");
    project.place.put("local-0.3-py3-none-any.whl", index::wheel("local", "0.3", &[]));
    let lines = [url.as_str(), "-e ./tree", "local-0.3-py3-none-any.whl"];
    project.env(&server, "python=3.11, pip", &lines);
    let ran = project.place.run(&["convert", "--no-build"]).expect(0);
    assert!(ran.stderr.contains("env.yml:8: `-e ./tree` has no effect"), "{}", ran.stderr);
    assert_eq!(pairs(&project), ["a 1.0", "b 1.0", "c 1.0", "local 0.3", "tree 0.2"]);
    assert_eq!(entry(&project, "tree")["url"], "file:tree");
    assert_eq!(entry(&project, "local")["url"], "file:local-0.3-py3-none-any.whl");
    assert_eq!(entry(&project, "tree")["dependencies"]["c"], "*");
    let before = project.place.files();
    project.place.run(&["convert", "--no-build", "--offline"]).expect(0);
    assert_same_files(&project.place.files(), &before);

    // What is in the tree counts, and nothing else.
    project.place.put("tree/tree.py", "1");
    project.place.run(&["convert", "--no-build"]).expect(0);
    assert_ne!(project.place.read("conda-lock.yml").into_bytes(), before["conda-lock.yml"]);
}

#[test]
fn a_place_must_fit() {
    let mut project = Project::new();
    let server = project.index.wheel("x", "1.0", &[]).json().serve(&[]);
    let wheel = |name: &str| project.place.put(name, index::wheel("a", "1.0", &[]));
    wheel("a-1.0-cp39-cp39-win_amd64.whl");
    wheel("a-1.0-py3-none-any.whl");
    wheel("a-2.0-py3-none-any.whl");
    project.place.put("b/a-1.0-py3-none-any.whl", index::wheel("a", "1.0", &["x"]));
    project.place.put("new/pyproject.toml", "[project]\nname='n'\nversion='1'\nrequires-python='>=3.12'\n");
    for (lines, code, said) in [
        (
            vec!["./a-1.0-cp39-cp39-win_amd64.whl"],
            2,
            "this wheel does not fit the solved Python and platform",
        ),
        (vec!["./a-2.0-py3-none-any.whl"], 2, "a-2.0-py3-none-any.whl says that it is a 1.0"),
        (vec!["./new"], 2, "env.yml:7:9: `./new` needs Python >=3.12, and 3.11.2 is solved for"),
        (
            vec!["./a-1.0-py3-none-any.whl", "./b/a-1.0-py3-none-any.whl"],
            3,
            "env.yml:7: `./a-1.0-py3-none-any.whl`\n  env.yml:8: `./b/a-1.0-py3-none-any.whl`\n\nhint: a package \
             comes from one place",
        ),
        (vec!["./a-1.0-py3-none-any.whl", "./b/../a-1.0-py3-none-any.whl"], 0, "1 packages of PyPI"),
    ] {
        project.env(&server, "python=3.11, pip", &lines);
        let ran = project.place.run(&["convert"]).expect(code);
        assert!(ran.stderr.contains(said), "{said} in {}", ran.stderr);
    }
    // A path that is written in full is stated so.
    let full = project.place.path().join("a-1.0-py3-none-any.whl").display().to_string();
    project.env(&server, "python=3.11, pip", &[&full]);
    project.place.run(&["convert"]).expect(0);
    assert_eq!(entry(&project, "a")["url"], format!("file://{full}"));
}

#[test]
fn version_control_trees_are_pinned_to_a_commit() {
    let project = Project::new();
    let repository = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"];
        duct::cmd("git", identity.iter().chain(arguments)).dir(repository.path()).read().unwrap()
    };
    git(&["init", "--quiet"]);
    let put = |text: &str| {
        std::fs::create_dir_all(repository.path().join("sub")).unwrap();
        std::fs::write(repository.path().join("sub/pyproject.toml"), text).unwrap();
        git(&["add", "."]);
        git(&["commit", "--quiet", "-m", "x"]);
        git(&["rev-parse", "HEAD"])
    };
    let first = put("[project]\nname = 'tree'\nversion = '0.1'\n");
    git(&["tag", "v1"]);
    put("[project]\nname = 'tree'\nversion = '0.2'\n");
    let url = format!("git+file://{}", repository.path().display());
    for (reference, version) in
        [("", "0.2"), ("@main", "0.2"), ("@v1", "0.1"), (&*format!("@{first}"), "0.1")]
    {
        let line = format!("{url}{reference}#egg=tree&subdirectory=sub");
        project.env_without_index("python=3.11, pip", &["--no-index", &line]);
        project.place.run(&["convert", "--no-build"]).expect(0);
        assert_eq!(project.versions()["tree"], version, "{reference}");
    }
    assert_eq!(entry(&project, "tree")["url"], format!("{url}@{first}#subdirectory=sub"));
    let before = project.place.files();
    project.place.run(&["convert", "--no-build", "--offline"]).expect(0);
    assert_same_files(&project.place.files(), &before);
    project.env_without_index("python=3.11, pip", &["--no-index", &format!("tree @ {url}@none")]);
    let ran = project.place.run(&["convert", "--no-build"]).expect(2);
    assert!(ran.stderr.contains("the repository has no `none`"), "{}", ran.stderr);
}

#[test]
fn extras_of_conda_packages_come_from_pypi() {
    let mut project = Project::new();
    project.index.wheel("x", "1.0", &[]).wheel("y", "1.0", &[]).wheel("always", "1.0", &[]);
    project.index.wheel(
        "flask",
        "2.0.0",
        &["extra: async", "always", "x; extra == 'async'", "y; extra == 'dotenv'"],
    );
    project.index.wheel("flask", "3.0.0", &["extra: async"]);
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip, flask", &["flask[async]"]);
    let ran = project.place.run(&["convert"]).expect(0);
    // conda has met what it needs in any case.
    assert_eq!(pairs(&project), ["flask 2.0.0", "x 1.0"]);
    assert!(!ran.stderr.contains("warning"), "{}", ran.stderr);
    let before = project.place.files();
    project.place.run(&["convert", "--offline"]).expect(0);
    assert_same_files(&project.place.files(), &before);
    project.place.run(&["check"]).expect(0);

    // Where no index has that version, it is told of.
    project.env(&server, "python=3.11, pip, redis-py", &["redis[hiredis]"]);
    let ran = project.place.run(&["convert"]).expect(0);
    assert!(
        ran.stderr.contains(
            "warning: user/linux-64: `redis[hiredis]`: redis-py 4.0.0 comes from conda, and no index says what its \
             extras need: list it"
        ),
        "{}",
        ran.stderr
    );
}

#[test]
fn extras_that_are_not_there_are_told_of() {
    let (_, _, ran) = convert(
        |index| {
            index.wheel("a", "1.0", &["extra: x"]);
        },
        &["a[x,y]"],
        0,
    );
    assert!(ran.stderr.contains("warning: user/linux-64: a 1.0 has no extra `y`\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("`x`"), "{}", ran.stderr);
}

#[test]
fn extras_may_go_in_circles() {
    let (project, ..) = convert(
        |index| {
            index.wheel(
                "a",
                "1.0",
                &["extra: x", "extra: y", "a[y]; extra == 'x'", "a[x]; extra == 'y'", "b; extra == 'y'"],
            );
            index.wheel("b", "1.0", &["a[x]"]);
        },
        &["a[x]"],
        0,
    );
    assert_eq!(pairs(&project), ["a 1.0", "b 1.0"]);
    assert_eq!(entry(&project, "a")["dependencies"]["b"], "*");
}

#[test]
fn categories_reach_through_to_pypi() {
    let mut project = Project::new();
    project.index.wheel("a", "1.0", &["b", "flask"]).wheel("b", "1.0", &[]).wheel("c", "1.0", &["b"]);
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip", &["c"]);
    let channel = project.place.read("env.yml").lines().next().unwrap().to_owned();
    project.place.put("dev.yml", format!("{channel}\ncategory: dev\ndependencies: [flask, {{pip: [a]}}]\n"));
    project.place.run(&["convert", "env.yml", "dev.yml"]).expect(0);
    let category = |name| entry(&project, name)["category"].as_str().unwrap().to_owned();
    assert_eq!(["a", "b", "c", "flask", "pip"].map(category), ["dev", "main", "main", "dev", "main"]);
}

#[test]
fn known_breaks_are_told_of() {
    let (_, _, ran) = convert(
        |index| {
            index.wheel("flower", "0.9.2", &["tornado>=4.2"]).wheel("tornado", "6.0", &[]);
        },
        &["flower"],
        0,
    );
    assert!(
        ran.stderr.contains("warning: user/linux-64: flower 0.9.2 and tornado 6.0 are allowed together and do not work: flower does not start; add `tornado<6`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_section_without_python_is_refused() {
    let project = Project::new();
    project.env_without_index("_libgcc_mutex", &["a"]);
    let text = project.place.read("env.yml").replace("  - _libgcc_mutex\n", "");
    project.place.put("env.yml", text);
    let ran = project.place.run(&["convert"]).expect(2);
    assert!(
        ran.stderr.contains(
            "env.yml:4:9: there is a `pip:` section and no Python on linux-64\n\nhint: add `python`"
        ),
        "{}",
        ran.stderr
    );
}
