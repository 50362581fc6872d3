//! `diff`, `why` and `tree`: what they say of a lock, and of what is none.

use crate::{
    common::{
        Place, fake_channel,
        packages::{Conda, Member},
        project,
    },
    pypi::Project,
};

/// A project in which `shared` is needed in two ways, and whose `web` comes from PyPI.
fn locked() -> Project {
    let mut project = Project::new();
    project.index.wheel("web", "1.0", &["base>=1", "flask<3"]).wheel("base", "1.5", &[]);
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip, flask", &["web", "base"]);
    project.place.run(&["convert"]).expect(0);
    project
}

#[test]
fn why_follows_every_requirement() {
    let place = locked().place;
    let ran = place.run(&["why", "Base"]).expect(0);
    assert_eq!(
        ran.stdout,
        "base 1.5 (PyPI) in user, linux-64\n  is asked for: `pip: base`\n  \
         `pip: web`: web 1.0 (PyPI) → base 1.5 (PyPI) [>=1]\n"
    );
    // Conda's flask answers for PyPI's, and needs Python.
    let ran = place.run(&["why", "python"]).expect(0);
    assert!(ran.stdout.contains("`flask`: flask 2.0.0 → python 3.11.2 [>=3.6]"), "{}", ran.stdout);
    let ran = place.run(&["why", "flask", "--json"]).expect(0);
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["packages"][0]["needed_by"][0]["name"], "web");
    assert_eq!(said["packages"][0]["asked_for"][0], "flask");
    assert_eq!(said["packages"][0]["chains"].as_array().unwrap().len(), 2);
}

#[test]
fn trees_go_both_ways() {
    let place = locked().place;
    let ran = place.run(&["tree"]).expect(0);
    assert_eq!(
        ran.stdout,
        "flask 2.0.0\n└── python 3.11.2 [>=3.6]\npip 24.0\n└── python 3.11.2 [>=3.6]\npython 3.11.2\n\
         base 1.5 (PyPI)\nweb 1.0 (PyPI)\n├── base 1.5 (PyPI) [>=1]\n└── flask 2.0.0 [<3] (*)\n"
    );
    assert!(ran.stderr.contains("(*)"), "{}", ran.stderr);
    let ran = place.run(&["tree", "--depth", "0"]).expect(0);
    assert_eq!(ran.stdout.lines().count(), 5, "{}", ran.stdout);
    let ran = place.run(&["tree", "base", "--invert"]).expect(0);
    assert_eq!(ran.stdout, "base 1.5 (PyPI)\n└── web 1.0 (PyPI) [>=1]\n");
    let ran = place.run(&["tree", "--json"]).expect(0);
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["roots"].as_array().unwrap().len(), 5);
    let web = said["packages"].as_array().unwrap().iter().find(|it| it["name"] == "web").unwrap();
    assert_eq!(web["needs"][1]["requirement"], "<3");
}

#[test]
fn a_package_that_is_not_there() {
    let place = locked().place;
    for command in ["why", "tree"] {
        let ran = place.run(&[command, "flaks"]).expect(2);
        assert!(ran.stderr.contains("the user environment has no package `flaks`"), "{}", ran.stderr);
        assert!(ran.stderr.contains("did you mean `flask`?"), "{}", ran.stderr);
    }
    let ran = place.run(&["why", "flask", "--environment", "worker"]).expect(2);
    assert!(ran.stderr.contains("the lock has no environment `worker`"), "{}", ran.stderr);
}

#[test]
fn without_a_conda_lock_nothing_is_known_of_needs() {
    let place = locked().place;
    std::fs::remove_file(place.path().join("conda-lock.yml")).unwrap();
    let ran = place.run(&["why", "flask"]).expect(2);
    assert!(ran.stderr.contains("conda-lock.yml"), "{}", ran.stderr);
}

/// Two locks of one project, before and after its channel got newer packages.
fn pair() -> Place {
    let channel = tempfile::tempdir().unwrap();
    let place = Place::new();
    let env = |wanted: &str| {
        let channel = channel.path().display();
        place.put("env.yml", format!("channels: [\"file://{channel}\"]\ndependencies: [{wanted}]\n"));
    };
    let old: [(&str, &str, u64, &[&str], u64); 3] =
        [("web", "1.0", 0, &["base >=1"], 0), ("base", "1.0", 0, &[], 0), ("tool", "1.0", 0, &[], 0)];
    fake_channel(channel.path(), "linux-64", &old);
    env("web, tool");
    place.run(&["convert", "-o", "a"]).expect(0);
    let new: [(&str, &str, u64, &[&str], u64); 3] = [
        ("web", "1.1", 0, &["base >=2", "extra"], 0),
        ("base", "2.0", 0, &[], 0),
        ("extra", "0.1", 0, &[], 0),
    ];
    fake_channel(channel.path(), "linux-64", &new);
    env("web >=1.1");
    place.run(&["convert", "-o", "b"]).expect(0);
    place
}

#[test]
fn a_diff_in_three_forms() {
    let place = pair();
    let ran = place.run(&["diff", "a", "b"]).expect(0);
    assert_eq!(
        ran.stdout,
        "user, linux-64: 1 added, 1 removed, 2 changed, +0 B\n  \
         ~ base 1.0 → 2.0; +0 B; needed by web 1.1 (>=2)\n  \
         + extra 0.1; +1 B; needed by web 1.1\n  \
         - tool 1.0; -1 B; no longer asked for: `tool`\n  \
         ~ web 1.0 → 1.1; +0 B; asked for: `web >=1.1`, before `web`\n"
    );
    let ran = place.run(&["diff", "a/conda-lock.yml", "b/envlock.nix", "--markdown"]).expect(0);
    assert_eq!(
        ran.stdout.lines().take(5).collect::<Vec<_>>(),
        [
            "### user, linux-64: 1 added, 1 removed, 2 changed, +0 B",
            "",
            "| package | version | size | licence | why |",
            "| --- | --- | ---: | --- | --- |",
            r"| base | 1.0 → 2.0 | +0 B |  | needed by web 1.1 (\>=2) |",
        ]
    );
    let ran = place.run(&["diff", "a", "b", "--json"]).expect(0);
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said[0]["platform"], "linux-64");
    assert_eq!(said[0]["changes"][1]["before"], serde_json::Value::Null);
    assert_eq!(said[0]["changes"][1]["after"]["version"], "0.1");
    let ran = place.run(&["diff", "a", "a"]).expect(0);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("the same packages"), "{}", ran.stderr);
}

#[test]
fn locks_for_different_platforms_have_nothing_in_common() {
    let place = pair();
    let lock = place.read("a/conda-lock.yml").replace("linux-64", "linux-aarch64");
    place.put("c/conda-lock.yml", lock);
    let ran = place.run(&["diff", "a", "c"]).expect(2);
    assert!(
        ran.stderr
            .contains("a/conda-lock.yml has user (linux-64), c/conda-lock.yml has user (linux-aarch64)"),
        "{}",
        ran.stderr
    );
    let ran = place.run(&["diff", "a", "b", "--platform", "osx-64"]).expect(2);
    assert!(ran.stderr.contains("nothing in common"), "{}", ran.stderr);
    let ran = place.run(&["diff", "a", "none"]).expect(2);
    assert!(ran.stderr.contains("there is no lock none"), "{}", ran.stderr);
}

#[test]
fn licences_are_those_of_unpacked_packages() {
    let place = Place::new();
    let mut package = Conda::new("a", &[Member::file("share/a", "a")]);
    package.index["license"] = "MIT".into();
    project::channel(&place, &[package]);
    let channel = format!("channels: [\"file://{}/channel\"]\n", place.path().display());
    place.put("env.yml", format!("{channel}dependencies: [a]\n"));
    place.run(&["convert"]).expect(0);
    place.put("empty.yml", format!("{channel}dependencies: []\n"));
    place.run(&["convert", "empty.yml", "-o", "empty"]).expect(0);
    let told = || place.run(&["diff", "empty", "."]).expect(0).stdout;
    assert!(told().ends_with("asked for: `a`\n") && !told().contains("MIT"), "{}", told());
    place.run(&["install", "--prefix", "/opt/envlock/env", "--into", "env"]).expect(0);
    assert!(told().contains("; MIT; asked for: `a`\n"), "{}", told());
}
