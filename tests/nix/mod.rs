//! The Nix side, as far as evaluation goes. What is built with it: `tests/nix/build.sh`.

mod command;
mod flake;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::common::{Place, Ran, root, skipped};

/// Settings of its own: nobody's substituters, no build users, what the tests need switched on.
pub const SETTINGS: &str = "experimental-features = nix-command flakes\nsubstituters =\nbuild-users-group =\n\
     flake-registry =\nwarn-dirty = false";

/// Runs a program of Nix.
pub fn nix(program: &str, arguments: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(program)
        .args(arguments)
        .env("NIX_CONFIG", SETTINGS)
        .env("HOME", home.path())
        .env_remove("NIX_PATH")
        .output();
    Ran::from(output.unwrap())
}

/// Whether there is a Nix; says so if there is none.
pub fn has_nix() -> bool {
    let there = which::which("nix-instantiate").is_ok();
    if !there {
        skipped("nix");
    }
    there
}

fn evaluated(expression: &str) -> Ran {
    // What is evaluated names files of the store, which have to be put there.
    nix("nix-instantiate", &["--read-write-mode", "--eval", "--strict", "--json", "--expr", expression])
}

fn value(expression: &str) -> Value {
    serde_json::from_str(&evaluated(expression).expect(0).stdout).unwrap()
}

fn at(path: &Path) -> String {
    format!("(/. + {})", Value::from(path.to_str().unwrap()))
}

/// Every .nix file that git knows or is about to know.
fn nix_files() -> Vec<PathBuf> {
    let listed = duct::cmd!("git", "ls-files", "--cached", "--others", "--exclude-standard", "*.nix");
    let listed = listed.dir(root()).read().unwrap();
    let files: Vec<PathBuf> = listed.lines().map(|line| root().join(line)).filter(|it| it.exists()).collect();
    assert!(files.len() > 5, "{files:?}");
    files
}

#[test]
fn every_nix_file_is_formatted_as_nixfmt_does() {
    for file in nix_files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let formatted =
            nixfmt_rs::format(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if std::env::var_os("UPDATE_CASES").is_some() {
            std::fs::write(&file, formatted).unwrap();
        } else {
            assert!(text == formatted, "{} is not formatted: UPDATE_CASES=1 does it", file.display());
        }
    }
}

#[test]
fn every_function_of_nix_lib_gives_what_its_golden_file_says() {
    if !has_nix() {
        return;
    }
    let cases = value(&format!("import {}", at(&root().join("tests/nix/cases.nix"))));
    let lib = at(&root().join("nix/lib"));
    let exported = format!(
        "builtins.attrNames (import {lib}) ++ \
         builtins.attrNames (import ({lib} + \"/make.nix\") {{ programOf = null; systems = null; machineOf = null; }})"
    );
    let exported: BTreeSet<String> = serde_json::from_value(value(&exported)).unwrap();
    let cases = cases.as_object().unwrap();
    assert_eq!(cases.keys().cloned().collect::<BTreeSet<_>>(), exported, "each function has one case");
    let golden = root().join("tests/nix/golden");
    for (name, given) in cases {
        let path = golden.join(format!("{name}.json"));
        let text = format!("{}\n", serde_json::to_string_pretty(given).unwrap());
        if std::env::var_os("UPDATE_CASES").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{}", path.display());
    }
    let files: BTreeSet<String> = std::fs::read_dir(&golden)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().replace(".json", ""))
        .collect();
    assert_eq!(files, exported, "no golden file is left over");
}

/// Evaluates an attribute of nix/default.nix for a lock that was changed.
fn attribute_of(place: &Place, system: &str, attribute: &str) -> Ran {
    let (nix, lock) = (at(&root().join("nix")), at(place.path()));
    evaluated(&format!(
        "(import {nix} {{ envlock = builtins.toFile \"envlock\" \"\"; system = \"{system}\"; lockDir = {lock}; }}).{attribute}.drvPath"
    ))
}

#[test]
fn what_is_wrong_with_a_lock_is_said_while_it_is_evaluated() {
    if !has_nix() {
        return;
    }
    let cases: [(&str, &str, &str); 9] = [
        (
            "    hash = \"sha256-",
            "    hash = \"sha1-",
            "the hash of redis-server of the master environment is `sha1-",
        ),
        ("    hash = ", "    unknown = ", "redis-server of the master environment lacks `hash`"),
        ("    inherit name;\n", "", "a package of the master environment lacks `name`"),
        ("formatVersion = 1", "formatVersion = 2", "its format is not 1"),
        ("  roles = {", "  others = {", "it lacks `roles`"),
        ("https://conda.example.org/channel", "file:channel", "cannot read. Serve it by HTTP"),
        ("runtime.conda-lock.yml", "gone.conda-lock.yml", "there is no gone.conda-lock.yml"),
        (
            "    storeName = \"",
            "    storeName = \".",
            "the store name of redis-server of the master environment is `.redis",
        ),
        ("kind = \"conda\"", "kind = \"sdist\"", "is locked as python-1.0-0.conda, and not which wheel"),
    ];
    for (from, to, expected) in cases {
        let place = Place::new();
        place.copy("tests/nix/lock");
        let text = place.read("envlock.nix");
        assert!(text.contains(from), "{from}");
        place.put("envlock.nix", text.replace(from, to));
        let said = attribute_of(&place, "x86_64-linux", "environment").expect(1).stderr;
        assert!(said.contains("error: envlock: ") && said.contains(expected), "{said}");
    }
    let place = Place::new();
    place.copy("tests/nix/lock");
    attribute_of(&place, "x86_64-linux", "environment").expect(0);
    let said = attribute_of(&place, "riscv64-linux", "environment").expect(1).stderr;
    assert!(
        said.contains("not locked for riscv64-linux; it is locked for aarch64-linux, x86_64-linux"),
        "{said}"
    );
    let said = attribute_of(&place, "aarch64-linux", "images.master").expect(1).stderr;
    assert!(said.contains("the master environment is not locked for aarch64-linux"), "{said}");
    let said = attribute_of(&place, "x86_64-linux", "images.other").expect(1).stderr;
    assert!(said.contains("attribute 'other' missing"), "{said}");
    let link = place.path().join("conda-lock.yml");
    std::fs::rename(&link, place.path().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("elsewhere", &link).unwrap();
    let said = attribute_of(&place, "x86_64-linux", "environment").expect(1).stderr;
    assert!(said.contains("conda-lock.yml in") && said.contains("is a link"), "{said}");
    std::fs::remove_file(place.path().join("envlock.nix")).unwrap();
    let said = attribute_of(&place, "x86_64-linux", "environment").expect(1).stderr;
    assert!(said.contains("there is no envlock.nix") && said.contains("`git add`"), "{said}");
}

#[test]
fn a_role_that_does_not_exist_is_named_with_those_that_do() {
    if !has_nix() {
        return;
    }
    let make = at(&root().join("nix/lib/make.nix"));
    let lock = at(&root().join("tests/nix/lock"));
    let said = evaluated(&format!(
        "(import {make} {{ programOf = _: \"/envlock\"; systems = null; machineOf = null; }}).mkImage \
         {{ role = \"mistress\"; system = \"x86_64-linux\"; lockDir = {lock}; }}"
    ));
    let said = said.expect(1).stderr;
    assert!(said.contains("envlock: the lock has no role `mistress`; it has master, worker"), "{said}");
}

#[test]
fn an_envlock_is_a_path_or_a_package_and_no_text() {
    if !has_nix() {
        return;
    }
    let (nix, lock) = (at(&root().join("nix")), at(&root().join("tests/nix/lock")));
    let builder = |envlock: &str| {
        let make =
            format!("import {nix} {{ envlock = {envlock}; system = \"x86_64-linux\"; lockDir = {lock}; }}");
        evaluated(&format!("({make}).environment.builder"))
    };
    let path = at(&root().join("Makefile"));
    assert!(builder(&path).expect(0).stdout.trim().ends_with("-envlock\""));
    let package = format!("{{ outPath = \"${{{path}}}\"; }}");
    assert!(builder(&package).expect(0).stdout.trim().ends_with("-Makefile/bin/envlock\""));
    let said = builder("\"/usr/bin/envlock\"").expect(1).stderr;
    assert!(said.contains("text takes no file into a build. Give a path or a package"), "{said}");
}

#[test]
fn other_files_of_the_directory_and_requirements_do_not_count() {
    if !has_nix() {
        return;
    }
    let place = Place::new();
    place.copy("tests/nix/lock");
    let both = || {
        ["environment", "images.worker"].map(|it| attribute_of(&place, "x86_64-linux", it).expect(0).stdout)
    };
    let before = both();
    place.put("README", "more");
    place.put("sub/conda-lock.yml", "more");
    assert_eq!(both(), before);
    place.put("envlock.nix", place.read("envlock.nix").replace("specs = [ ]", "specs = [ \"python\" ]"));
    let after = both();
    assert_eq!(after[0], before[0], "a tree depends on packages");
    assert_ne!(after[1], before[1], "an image has the lock in it");
}
