//! The flake: what needs no nixpkgs never asks for it, and the rest asks for what the stand-in has.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{has_nix, nix};
use crate::common::{Place, root};

fn flake() -> String {
    format!("git+file://{}", root().display())
}

fn stand_in() -> String {
    format!("path:{}", root().join("tests/nix/nixpkgs").display())
}

/// Evaluates an output as JSON, with the locked nixpkgs, which is out of reach.
fn evaluated(output: &str, apply: &str) -> Value {
    let output = format!("{}#{output}", flake());
    let ran = nix("nix", &["eval", "--offline", "--no-write-lock-file", "--json", &output, "--apply", apply]);
    serde_json::from_str(&ran.expect(0).stdout).unwrap()
}

fn names(output: &str) -> BTreeSet<String> {
    serde_json::from_value(evaluated(output, "builtins.attrNames")).unwrap()
}

#[test]
fn what_needs_no_nixpkgs_evaluates_without_it() {
    if !has_nix() {
        return;
    }
    let metadata = nix("nix", &["flake", "metadata", "--offline", "--json", &flake()]).expect(0);
    let metadata: Value = serde_json::from_str(&metadata.stdout).unwrap();
    let locked = &metadata["locks"]["nodes"]["nixpkgs"]["locked"];
    assert_eq!(locked["rev"], "21a67dc470149f337cecafbe965d8d252a390518");

    assert_eq!(names("lib"), ["mkCluster", "mkEnvironment", "mkImage"].map(str::to_owned).into());
    let packages = names("packages.x86_64-linux");
    for wanted in [
        "default",
        "environment",
        "envlock",
        "envlock-static",
        "master-disk",
        "master-image",
        "worker-disk",
        "worker-image",
    ] {
        assert!(packages.contains(wanted), "{wanted}: {packages:?}");
    }
    // The example locks no runtime for it, and so no image.
    let others = names("packages.aarch64-linux");
    assert!(others.contains("environment") && !others.contains("worker-image"), "{others:?}");
    let template = evaluated("templates.default", "template: toString template.path");
    assert!(template.as_str().unwrap().ends_with("/examples/quickstart"), "{template}");
    names("nixosModules");

    // A lock outside of a flake, which may not be read.
    let place = Place::new();
    place.copy("tests/nix/lock");
    let make = format!(
        "lib: (lib.mkEnvironment {{ system = \"x86_64-linux\"; envlock = builtins.toFile \"e\" \"\"; lockDir = {}; }}).drvPath",
        place.path().display()
    );
    let ran = nix(
        "nix",
        &["eval", "--offline", "--no-write-lock-file", &format!("{}#lib", flake()), "--apply", &make],
    );
    let said = ran.expect(1).stderr;
    assert!(said.contains("a flake sees only files of its own, after `git add`"), "{said}");
}

#[test]
fn every_output_evaluates_with_what_it_asks_of_nixpkgs() {
    if !has_nix() {
        return;
    }
    for command in [&["show", "--json"][..], &["check", "--no-build"]] {
        let (flake, stand_in) = (flake(), stand_in());
        let options = ["--offline", "--no-write-lock-file", "--override-input", "nixpkgs", &stand_in, &flake];
        let words: Vec<&str> = ["flake"].iter().chain(command).chain(&options).copied().collect();
        let ran = nix("nix", &words).expect(0);
        if command[0] == "show" {
            let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
            let of = |output: &str| shown[output]["x86_64-linux"].as_object().unwrap().clone();
            assert_eq!(of("packages")["worker-image"]["name"], "worker-image.tar");
            let checks: BTreeSet<String> = of("checks").keys().cloned().collect();
            for wanted in ["clippy", "deny", "doc", "environment-tree-digest", "fmt", "nix", "unit-tests"] {
                assert!(checks.contains(wanted), "{wanted}: {checks:?}");
            }
            // Each scenario is one as soon as it lies there.
            let on_machines: BTreeSet<String> =
                checks.into_iter().filter_map(|name| Some(name.strip_prefix("vm-")?.to_owned())).collect();
            let mut scenarios: BTreeSet<String> = std::fs::read_dir(root().join("vm-tests/scenarios"))
                .unwrap()
                .map(Result::unwrap)
                // Those of Airflow want a lock of such a project.
                .filter(|entry| entry.file_type().unwrap().is_file())
                .map(|entry| entry.path().file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            scenarios.insert("containers".to_owned());
            assert_eq!(on_machines, scenarios);
            assert_eq!(of("apps")["default"]["type"], "app");
            assert_eq!(shown["templates"]["default"]["type"], "template");
        }
    }
}

#[test]
fn the_template_is_a_project_that_is_locked() {
    if !has_nix() {
        return;
    }
    let place = Place::new();
    let script = format!("cd {} && nix flake init --offline --template {}", place.path().display(), flake());
    let ran =
        duct::cmd!("sh", "-c", script).env("NIX_CONFIG", super::SETTINGS).stderr_to_stdout().read().unwrap();
    assert!(ran.contains("git add flake.nix *.yml envlock.nix"), "{ran}");
    let flake = place.read("flake.nix");
    let lines = flake.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#')).count();
    assert!(lines <= 10, "{flake}");
    // Its locks are those of its files.
    place.run(&["check"]).expect(0);
}

#[test]
fn the_flake_is_wiring() {
    let lines = std::fs::read_to_string(root().join("flake.nix")).unwrap().lines().count();
    assert!(lines < 100, "flake.nix has {lines} lines: the rest is below nix/");
}
