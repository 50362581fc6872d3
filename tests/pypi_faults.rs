//! Indexes and packages that are not what they should be: the exact answer, and nothing half-written.

use crate::{
    common::index::{self, Index},
    pypi::Project,
};

/// Converts against an index with faults; what is said has `URL` for the server's address.
#[track_caller]
fn refused(faults: &[&str], fill: impl FnOnce(&mut Index), pip: &[&str], code: i32) -> String {
    let mut project = Project::new();
    fill(&mut project.index);
    let server = project.index.json().serve(faults);
    project.env(&server, "python=3.11, pip", pip);
    let ran = project.place.run(&["convert", "--quiet"]).expect(code);
    assert_eq!(project.place.files().len(), 1, "only env.yml is there after: {}", ran.stderr);
    ran.stderr.replace(&server.url, "URL")
}

#[track_caller]
fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part}\nin\n{said}");
    }
}

#[test]
fn an_unknown_package() {
    let said = refused(
        &[],
        |index| {
            index.wheel("a", "1.0", &["nothere"]);
        },
        &["a"],
        3,
    );
    has(
        &said,
        &[
            "error: no packages satisfy the user environment on linux-64:\nBecause nothere was not found in the package registry",
            "  env.yml:7: `a`\n\nhint: no index has `nothere`: check the name",
        ],
    );
}

#[test]
fn no_wheel_for_the_target_and_no_sdist() {
    let fill = |index: &mut Index| {
        index.tagged("a", "1.0", "cp39-cp39-win_amd64", &[]);
    };
    has(&refused(&[], fill, &["a"], 3), &["a==1.0 has no wheels with a matching Python", "env.yml:7: `a`"]);
}

#[test]
fn only_an_sdist_and_none_wanted() {
    let fill = |index: &mut Index| {
        index.sdist("a", "1.0", &[("PKG-INFO", "Metadata-Version: 1.0\n")]);
    };
    has(&refused(&[], fill, &["a", "--only-binary=:all:"], 3), &["a", "has no usable wheels"]);
}

#[test]
fn yanked() {
    let fill = |index: &mut Index| {
        index.wheel("a", "1.0", &[]).yanked("a", "oops");
    };
    has(&refused(&[], fill, &["a"], 3), &["a==1.0 was yanked (reason: oops)"]);
    // By `==` it is used, as pip does, and told of.
    let mut project = Project::new();
    let server = project.index.wheel("a", "1.0", &[]).yanked("a", "oops").json().serve(&[]);
    project.env(&server, "python=3.11, pip", &["a==1.0"]);
    let ran = project.place.run(&["convert"]).expect(0);
    has(&ran.stderr, &["warning: user/linux-64: a 1.0 was yanked by its authors"]);
}

#[test]
fn another_python_is_wanted() {
    let fill = |index: &mut Index| {
        index.wheel("a", "1.0", &[]).requires_python("a", ">=3.12");
    };
    has(&refused(&[], fill, &["a"], 3), &["a==1.0 depends on Python>=3.12"]);
}

#[test]
fn an_sdist_that_must_be_built_to_be_known() {
    let files = [("setup.py", "import socket"), ("pyproject.toml", "[build-system]\nrequires = []\n")];
    let said = refused(
        &[],
        |index| {
            index.sdist("a", "1.0", &files);
        },
        &["a"],
        3,
    );
    assert_eq!(
        said,
        "error: the metadata of a 1.0 cannot be read: a-1.0.tar.gz declares its requirements only when it is \
         built\n\nhint: envlock reads metadata and runs nothing: ask for a version of a that has a wheel, or exclude \
         this one with `a!=1.0`\n"
    );
}

#[test]
fn an_index_that_lies_about_a_hash() {
    let fill = |index: &mut Index| {
        index.sdist("a", "1.0", &[("PKG-INFO", "Metadata-Version: 1.0\nName: a\nVersion: 1.0\n")]);
        index.claims_sha256("a", &"0".repeat(64));
    };
    let said = refused(&[], fill, &["a"], 6);
    has(
        &said,
        &["error: URL/index/files/a-1.0.tar.gz is not the promised artifact: sha256 ", "instead of 000"],
    );
}

#[test]
fn an_index_without_hashes_is_completed() {
    let mut project = Project::new();
    let server = project.index.wheel("a", "1.0", &[]).html(false).serve(&[]);
    project.env(&server, "python=3.11, pip", &["a"]);
    project.place.run(&["convert"]).expect(0);
    assert!(project.versions().contains_key("a"));
    let hashed = project.place.read("envlock.nix");
    // The page with hashes says the same.
    project.index.html(true);
    let other = Project::new();
    other.env(&server, "python=3.11, pip", &["a"]);
    other.place.run(&["convert"]).expect(0);
    let hash = |text: &str| text.lines().rfind(|line| line.contains("hash = \"sha256-")).unwrap().to_owned();
    assert_eq!(hash(&hashed), hash(&other.place.read("envlock.nix")));
}

#[test]
fn an_index_that_refuses_or_is_none() {
    let fill = |index: &mut Index| {
        index.wheel("a", "1.0", &[]);
    };
    let said = refused(&["status:/index/simple/*:500"], fill, &["a"], 4);
    has(&said, &["error: cannot read the index URL/index/simple/a/: the server answers 500"]);
    let fill = |index: &mut Index| {
        index.wheel("a", "1.0", &[]);
    };
    let said = refused(&["content-type:/index/simple/*:text/plain"], fill, &["a"], 4);
    has(&said, &["error: cannot read the index URL/index/simple/a/: it is not what an index serves"]);
}

#[test]
fn an_index_that_cuts() {
    let fill = |index: &mut Index| {
        index.wheel("a", "1.0", &[]);
    };
    let said = refused(&["truncate:/index/simple/*:40"], fill, &["a"], 4);
    has(&said, &["error: cannot read the index URL/index/simple/a/: "]);
    let fill = |index: &mut Index| {
        index.sdist("a", "1.0", &[("PKG-INFO", "Metadata-Version: 1.0\nName: a\nVersion: 1.0\n")]);
    };
    let said = refused(&["truncate:/index/files/*:0"], fill, &["a"], 4);
    has(&said, &["error: cannot fetch URL/index/files/a-1.0.tar.gz: "]);
}

#[test]
fn an_index_that_stalls() {
    let mut project = Project::new();
    let server = project.index.wheel("a", "1.0", &[]).json().serve(&["hang:/index/simple/*"]);
    project.env(&server, "python=3.11, pip", &["a"]);
    let output = project.place.command(&["convert", "--quiet"]).env("ENVLOCK_HTTP_TIMEOUT", "1").output();
    let ran = crate::common::Ran::from(output.unwrap()).expect(4);
    assert_eq!(
        ran.stderr.replace(&server.url, "URL"),
        "error: cannot read the index URL/index/simple/a/: the server does not answer in time\n\nhint: try again \
         later; --index-url names another index, ~/.netrc holds credentials for a private one\n"
    );
    assert_eq!(project.place.files().len(), 1);
}

#[test]
fn invalid_metadata() {
    let broken =
        index::wheel_with("a", "1.0", "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: ???\n");
    let fill = |index: &mut Index| {
        index.add("a", "a-1.0-py3-none-any.whl", &broken);
    };
    has(&refused(&[], fill, &["a"], 3), &["a==1.0 has invalid metadata"]);
    // Known broken forms are repaired, and the warning names the package.
    let old = index::wheel_with(
        "a",
        "1.0",
        "Metadata-Version: 2.1\nName: a\nVersion: 1.0\nRequires-Dist: b (>=2011k)\n",
    );
    let mut project = Project::new();
    project.index.add("a", "a-1.0-py3-none-any.whl", &old).wheel("b", "2012", &[]);
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip", &["a"]);
    let ran = project.place.run(&["convert"]).expect(0);
    has(&ran.stderr, &["warning: user/linux-64: a asks for `b (>=2011k)`, which is read as `b>=2011`"]);
    assert_eq!(project.versions()["b"], "2012");
}

#[test]
fn files_that_say_they_are_something_else() {
    let other = index::wheel_with("a", "1.0", "Metadata-Version: 2.1\nName: b\nVersion: 1.0\n");
    let fill = |index: &mut Index| {
        index.add("a", "a-1.0-py3-none-any.whl", &other);
    };
    has(
        &refused(&[], fill, &["a"], 3),
        &["cannot be read: Package metadata name `b` does not match given name `a`"],
    );
    let fill = |index: &mut Index| {
        index.sdist("a", "1.0", &[("PKG-INFO", "Metadata-Version: 2.2\nName: a\nVersion: 2.0\n")]);
    };
    has(
        &refused(&[], fill, &["a"], 3),
        &["the metadata of a 1.0 cannot be read: a-1.0.tar.gz says that it is a 2.0"],
    );
}

#[test]
fn ten_thousand_lines() {
    let mut project = Project::new();
    let server = project.index.wheel("a", "1.0", &[]).json().serve(&[]);
    project.env(&server, "python=3.11, pip", &["-r all.txt"]);
    let never = "; python_version < '3'";
    let lines: String = (0..10_000).map(|n| format!("package-{n}=={n}.0{never}\n")).collect();
    project.place.put("all.txt", format!("{lines}a\n"));
    project.place.run(&["convert"]).expect(0);
    assert_eq!(project.versions().keys().collect::<Vec<_>>(), ["a"]);
    assert!(!server.requests().contains("package-"), "what is not wanted is not asked for");
}

#[test]
fn credentials_reach_the_index_and_nothing_else() {
    let mut project = Project::new();
    let bare = [("PKG-INFO", "Metadata-Version: 1.0\nName: b\nVersion: 1.0\n")];
    project.index.wheel("a", "1.0", &["b"]).sdist("b", "1.0", &bare);
    let server = project.index.json().serve(&["auth:*:jane:s3cr/t"]);
    let index = server.url.replace("http://", "--index-url http://jane:${INDEX_PASSWORD}@") + "/index/simple";
    project.env_without_index("python=3.11, pip", &[&index, "a"]);
    let run = |password: Option<&str>| {
        let mut command = project.place.command(&["convert", "--no-build"]);
        if let Some(password) = password {
            command.env("INDEX_PASSWORD", password);
        }
        crate::common::Ran::from(command.output().unwrap())
    };
    has(&run(None).expect(2).stderr, &["needs the environment variable INDEX_PASSWORD"]);
    let wrong = run(Some("wrong-one"));
    assert!(matches!(wrong.code, 3 | 4) && !wrong.stderr.contains("wrong-one"), "{wrong:?}");
    run(Some("s3cr/t")).expect(0);
    assert_eq!(project.versions().len(), 2);
    for (name, bytes) in project.place.files() {
        let text = String::from_utf8(bytes).unwrap();
        assert!(!text.contains("s3cr"), "{name}");
        assert!(name == "env.yml" || !text.contains("jane"), "{name}: {text}");
    }
    let kept = duct::cmd!("grep", "-rl", "s3cr", project.place.cache()).unchecked().read().unwrap();
    assert_eq!(kept, "", "a secret lies in the cache");
}
