//! `envlock nix-build`, up to what Nix does: tests/nix/build.sh goes on from there.

use std::path::{Path, PathBuf};

use super::has_nix;
use crate::common::{Place, Ran, project::locked};

/// A program that needs no other file, and does nothing.
fn builder(place: &Place) -> PathBuf {
    place.put("nothing.c", "int main(void) { return 0; }\n");
    let path = place.path().join("builder");
    duct::cmd!("cc", "-static", "-o", &path, place.path().join("nothing.c")).run().unwrap();
    path
}

/// A program `name` in `bin` of a place, in shell.
fn program(place: &Place, name: &str, script: &str) -> PathBuf {
    let bin = place.path().join("bin");
    place.put(&format!("bin/{name}"), format!("#!/bin/sh\n{script}"));
    duct::cmd!("chmod", "755", bin.join(name)).run().unwrap();
    bin
}

fn nix_build(place: &Place, path: Option<&Path>, arguments: &[&str]) -> Ran {
    let mut command = place.command(&[&["nix-build"], arguments].concat());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    Ran::from(command.output().unwrap())
}

#[test]
fn what_cannot_be_built_is_said_before_nix_is_called() {
    let place = locked();
    let builder = builder(&place);
    let builder = builder.to_str().unwrap();

    let said = nix_build(&place, None, &["mistress"]).expect(2).stderr;
    assert!(
        said.contains("the lock has no role `mistress`") && said.contains("there are master, worker"),
        "{said}"
    );
    // The program that is tested here is no single file.
    let said = nix_build(&place, None, &["worker"]).expect(2).stderr;
    assert!(
        said.contains("needs a loader and libraries of this machine") && said.contains("cargo static"),
        "{said}"
    );
    let nowhere = place.path().join("nowhere");
    let said = nix_build(&place, Some(&nowhere), &["worker", "--builder", builder]).expect(2).stderr;
    assert!(
        said.contains("there is no `nix-build` on the PATH") && said.contains("envlock image build"),
        "{said}"
    );
    place.put("result-worker", "mine");
    let said = nix_build(&place, None, &["worker", "--builder", builder]).expect(2).stderr;
    assert!(said.contains("result-worker: it is there, and no link of Nix"), "{said}");
    assert_eq!(place.read("result-worker"), "mine");

    std::fs::remove_file(place.path().join("result-worker")).unwrap();
    std::os::unix::fs::symlink("env.yml", place.path().join("result-worker")).unwrap();
    nix_build(&place, None, &["worker", "--builder", builder]).expect(2);
    std::fs::remove_file(place.path().join("result-worker")).unwrap();
    // A program of another processor.
    let mut foreign = std::fs::read(builder).unwrap();
    foreign[18..20].copy_from_slice(&183_u16.to_le_bytes());
    place.put("foreign", foreign);
    let said = nix_build(&place, None, &["worker", "--builder", "foreign"]).expect(2).stderr;
    assert!(said.contains("foreign is no program of linux-64"), "{said}");

    place.put("runtime.conda-lock.yml", place.read("runtime.conda-lock.yml").replace("tini", "tiny"));
    let said = nix_build(&place, None, &["worker", "--builder", builder]).expect(2).stderr;
    assert!(
        said.contains("runtime.conda-lock.yml: it is not the one that envlock.nix was written with"),
        "{said}"
    );
    std::fs::remove_file(place.path().join("runtime.conda-lock.yml")).unwrap();
    let said = nix_build(&place, None, &["worker", "--builder", builder]).expect(2).stderr;
    assert!(said.contains("runtime.conda-lock.yml is missing"), "{said}");
}

#[test]
fn a_flake_is_built_where_there_is_one_and_what_runs_is_said() {
    let place = locked();
    let archive = place.path().join("archive");
    place.put("archive", "bytes");
    let linking = format!("for link; do :; done\necho building\nln -s {} \"$link\"\n", archive.display());
    let bin = program(&place, "nix", &linking);
    place.put("flake.nix", "{ }");
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let path = Some(Path::new(&path));
    let ran = nix_build(&place, path, &["worker", "--json"]).expect(0);
    let here = place.path().display();
    let shown = format!(
        "running cd {here} && nix --extra-experimental-features 'nix-command flakes' build \
         '.#packages.x86_64-linux.worker-image' --out-link {here}/result-worker\nbuilding\n"
    );
    assert!(ran.stderr.starts_with(&shown), "{}", ran.stderr);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["archive"], archive.to_str().unwrap());
    assert_eq!(told["size"], 5);

    std::fs::remove_file(place.path().join("result-worker")).unwrap();

    // What Nix says of a failure is told even where it was to be quiet, and only then.
    program(&place, "nix", "echo error: no such luck >&2\nexit 1\n");
    let said = nix_build(&place, path, &["worker", "--quiet"]).expect(9).stderr;
    assert_eq!(said, "warning: error: no such luck\nerror: Nix failed (exit status: 1)\n");
    program(&place, "nix", "echo \"error: hash mismatch in fixed-output derivation '/x'\"\nexit 1\n");
    let said = nix_build(&place, path, &["worker"]).expect(6).stderr;
    assert!(said.contains("hint: what is at that URL has changed"), "{said}");
}

#[test]
fn what_nix_cannot_read_is_said_by_the_expressions_that_come_with_envlock() {
    if !has_nix() {
        return;
    }
    // Its channel is a directory.
    let place = locked();
    let builder = builder(&place);
    let mut command =
        place.command(&["nix-build", "worker", "--plain", "--builder", builder.to_str().unwrap()]);
    command.env("NIX_CONFIG", super::SETTINGS);
    let said = Ran::from(command.output().unwrap()).expect(9).stderr;
    assert!(said.contains("running nix-build "), "{said}");
    assert!(said.contains("which a build in Nix's sandbox cannot read. Serve it by HTTP"), "{said}");
    assert!(!place.path().join("result-worker").is_symlink());
}

#[test]
fn who_is_told_to_end_tells_nix() {
    let place = locked();
    let builder = builder(&place);
    let bin = program(
        &place,
        "nix-build",
        "trap 'touch told; exit 1' TERM\ntouch begun\nwhile :; do sleep 0.1; done\n",
    );
    let mut command = place.command(&["nix-build", "worker", "--builder", builder.to_str().unwrap()]);
    let mut running = command.env("PATH", format!("{}:/usr/bin:/bin", bin.display())).spawn().unwrap();
    while !place.path().join("begun").exists() {
        assert!(running.try_wait().unwrap().is_none());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    duct::cmd!("kill", "-TERM", running.id().to_string()).run().unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(9));
    assert!(place.path().join("told").exists());
}
