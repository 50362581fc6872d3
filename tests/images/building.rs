//! Building images: services, layers, and what is left alone.

use std::{
    collections::BTreeSet,
    io::{Seek, SeekFrom, Write},
};

use serde_json::Value;

use super::{build, inspect, layers};
use crate::common::{
    Place, Ran,
    project::{ROLES, USER, all, channel, files, locked},
};

#[test]
fn a_role_has_its_services_and_its_environments() {
    let place = locked();
    build(&place, &["master"]);
    let config = &inspect(&place, "master-image.tar")["config"];
    assert_eq!(
        config["Entrypoint"],
        serde_json::json!([
            "/opt/envlock/runtime/bin/tini",
            "--",
            "/opt/envlock/role/bin/envlock-node",
            "start"
        ])
    );
    assert_eq!(config["User"], "50000:50000");
    assert_eq!(config["ExposedPorts"], serde_json::json!({ "6379/tcp": {} }));
    assert_eq!(config["Volumes"], serde_json::json!({ "/var/lib/redis": {} }));
    assert_eq!(
        config["Healthcheck"]["Test"],
        serde_json::json!(["CMD", "/opt/envlock/role/bin/envlock-node", "health"])
    );
    build(&place, &["worker"]);
    let worker = inspect(&place, "worker-image.tar");
    // Nothing that could be asked whether it is well.
    assert_eq!(worker["config"]["Healthcheck"], Value::Null);
    assert_eq!(worker["created"], "1970-01-01T00:00:01Z");
    let env = worker["config"]["Env"].as_array().unwrap();
    assert!(env.contains(&"A=b".into()), "{env:?}");
    let described = place.run(&["image", "inspect", "worker-image.tar"]).expect(0).stdout;
    assert!(
        described.contains("role worker") && described.contains("user environment: large 1.0"),
        "{described}"
    );
}

#[test]
fn the_layers_of_packages_are_those_of_every_role() {
    let place = locked();
    build(&place, &["master"]);
    build(&place, &["worker"]);
    let [master, worker] =
        ["master", "worker"].map(|role| layers(&inspect(&place, &format!("{role}-image.tar"))));
    let of_packages = |layers: &[(String, String)]| -> BTreeSet<(String, String)> {
        let shared = ["user environment", "runtime environment"];
        layers.iter().filter(|it| shared.iter().any(|kind| it.0.starts_with(kind))).cloned().collect()
    };
    assert_eq!(of_packages(&master), of_packages(&worker));
    assert!(worker.iter().any(|(about, _)| about == "user environment: large 1.0"), "{worker:?}");
    assert!(worker.len() <= 100);
    let ran = place.run(&["image", "verify", "master-image.tar", "worker-image.tar"]).expect(0);
    let digest = inspect(&place, "worker-image.tar")["tree_digest"].as_str().unwrap().to_owned();
    assert_eq!(ran.stdout, format!("identical: treeDigest {digest}\n"));
}

#[test]
fn one_package_more_recent_is_one_layer_bookkeeping_and_configuration() {
    let place = locked();
    let before = build(&place, &["worker", "-o", "before.tar"]);
    // Of a package with a layer of its own, and of one that shares a layer.
    for (name, version) in [("large", "2.0"), ("small-b", "3.0")] {
        let mut packages = all("1.0");
        packages.extend(all(version).into_iter().filter(|package| package.name == name));
        channel(&place, &packages);
        place.run(&["convert", "--upgrade"]).expect(0);
        let after = build(&place, &["worker", "-o", "after.tar"]);
        assert_ne!(after["tree_digest"], before["tree_digest"]);
        let ran = place.run(&["image", "diff", "before.tar", "after.tar", "--json"]).expect(0);
        let difference: Value = serde_json::from_str(&ran.stdout).unwrap();
        let packages = difference["packages"].as_array().unwrap();
        assert_eq!(packages.len(), 1, "{packages:?}");
        assert_eq!(
            (&packages[0]["name"], &packages[0]["after"]),
            (&name.into(), &format!("{version} 0").into())
        );
        let new: Vec<_> = difference["new_layers"].as_array().unwrap().iter().collect();
        assert_eq!(new.len(), 2, "{new:?}");
        assert!(new[0]["about"].as_str().unwrap().contains(&format!("{name} {version}")), "{new:?}");
        assert!(new[1]["about"].as_str().unwrap().starts_with("bookkeeping"), "{new:?}");
        let own = new[0]["size"].as_u64().unwrap();
        let push = difference["bytes_to_push"].as_u64().unwrap();
        assert!(push <= own + own / 10 + (64 << 10), "{push} for a layer of {own}");
        let text = place.run(&["image", "diff", "before.tar", "after.tar"]).expect(0).stdout;
        assert!(text.contains(&format!("~ {name} 1.0 0 -> {version} 0 (user)")), "{text}");
        assert!(text.contains(&format!("to push: {push} bytes")), "{text}");
    }
    // Nothing is nothing.
    let text = place.run(&["image", "diff", "before.tar", "before.tar"]).expect(0).stdout;
    assert!(text.contains("packages: 0 differ") && text.ends_with("to push: 0 bytes\n"), "{text}");
}

#[test]
fn every_compression_holds_the_same() {
    let place = locked();
    let digests: Vec<_> = ["gzip", "zstd", "none"]
        .iter()
        .map(|how| {
            let archive = format!("{how}.tar");
            let built = build(&place, &["worker", "--compression", how, "-o", &archive]);
            place.run(&["image", "verify", &archive]).expect(0);
            let image = inspect(&place, &archive);
            let diff_ids: Vec<_> =
                image["layers"].as_array().unwrap().iter().map(|layer| layer["diff_id"].clone()).collect();
            (built["tree_digest"].clone(), diff_ids)
        })
        .collect();
    assert!(digests.iter().all(|it| *it == digests[0]), "{digests:?}");
    let media_type = |archive: &str| inspect(&place, archive)["layers"][0]["media_type"].clone();
    assert_eq!(media_type("zstd.tar"), "application/vnd.oci.image.layer.v1.tar+zstd");
    assert_eq!(media_type("none.tar"), "application/vnd.oci.image.layer.v1.tar");
}

#[test]
fn what_is_unchanged_is_not_written_again() {
    let place = locked();
    let archive = place.path().join("worker-image.tar");
    let first = build(&place, &["worker"]);
    let time = std::fs::metadata(&archive).unwrap().modified().unwrap();
    let ran = place.run(&["image", "build", "worker"]).expect(0);
    assert!(ran.stderr.contains("unchanged: worker-image.tar"), "{}", ran.stderr);
    assert_eq!(std::fs::metadata(&archive).unwrap().modified().unwrap(), time);
    // Somebody changed it, or it is to go elsewhere, or everything is to be derived again.
    let good = std::fs::read(&archive).unwrap();
    std::fs::OpenOptions::new().append(true).open(&archive).unwrap().write_all(b"x").unwrap();
    assert_eq!(build(&place, &["worker"]), first);
    assert!(std::fs::read(&archive).unwrap() == good);
    build(&place, &["worker", "-o", "other.tar"]);
    assert!(std::fs::read(place.path().join("other.tar")).unwrap() == good);
    assert_eq!(build(&place, &["worker", "--rebuild"]), first);
    // A cold store gives the same, and so does another version of the time.
    std::fs::remove_dir_all(place.cache().join("envlock")).unwrap();
    assert_eq!(build(&place, &["worker"]), first);
    assert!(std::fs::read(&archive).unwrap() == good);
}

#[test]
fn layers_that_rot_in_the_store_are_written_anew() {
    let place = locked();
    let first = build(&place, &["worker"]);
    let largest = first["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|digest| digest.as_str().unwrap().trim_start_matches("sha256:").to_owned())
        .map(|digest| place.cache().join("envlock/files").join(&digest[..2]).join(&digest))
        .max_by_key(|path| std::fs::metadata(path).unwrap().len())
        .unwrap();
    let time = std::fs::metadata(&largest).unwrap().modified().unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(&largest).unwrap();
    file.seek(SeekFrom::Start(1000)).unwrap();
    file.write_all(b"rotten").unwrap();
    file.set_modified(time).unwrap();
    assert_eq!(build(&place, &["worker", "-o", "again.tar"])["archive_sha256"], first["archive_sha256"]);
}

#[test]
fn what_a_role_lacks_is_explained_before_anything_is_written() {
    let place = Place::new();
    channel(&place, &all("1.0"));
    let says = |user: &[&str], roles: &str, role: &[&str], message: &str| {
        files(&place, user, roles);
        place.run(&["convert"]).expect(0);
        let ran = place.run(&[&["image", "build"], role].concat()).expect(2);
        assert!(ran.stderr.contains(message) && ran.stderr.contains("\nhint: "), "{message}: {}", ran.stderr);
        assert!(place.files().keys().all(|name| !name.contains("-image")));
    };
    let without_system = ROLES.replace("    system: system.yml\n", "");
    says(&USER, ROLES, &["boss"], "the lock has no role `boss`");
    says(&USER, ROLES, &["worker", "--platform", "osx-64"], "is not locked for osx-64");
    says(
        &USER,
        &without_system,
        &["master"],
        "`master` has several services, and no environment of it has supervisor",
    );
    says(&["interpreter"], ROLES, &["worker"], "the drift guard of `worker` needs the Python package redis");
    says(&["large"], ROLES, &["worker"], "the services of `worker` need Python to start them");
    place.put("envlock.yml", format!("environment: env.yml\n{without_system}"));
    place.run(&["convert"]).expect(0);
    let ran = place.run(&["image", "build", "worker"]).expect(2);
    assert!(ran.stderr.contains("the lock has no runtime for linux-64"), "{}", ran.stderr);
    place.put("envlock.yml", "environment: env.yml\n");
    place.run(&["convert"]).expect(0);
    let ran = place.run(&["image", "build", "worker"]).expect(2);
    assert!(ran.stderr.contains("the lock has no role `worker`") && ran.stderr.contains("envlock init"));
}

/// As root, a rename would take the place of a device for everybody.
#[test]
fn no_output_takes_the_place_of_what_is_no_file() {
    let place = locked();
    for output in ["/dev/null", "/dev/stdout", ".", "channel"] {
        for arguments in
            [&["image", "build", "worker"][..], &["sbom", "--format", "spdx"], &["render", "compose"]]
        {
            let ran = place.run(&[arguments, &["-o", output]].concat()).expect(5);
            assert!(
                ran.stderr.contains(&format!("cannot write {output}: it is not a regular file")),
                "{}",
                ran.stderr
            );
            assert!(ran.stderr.contains("\nhint: name a file"), "{}", ran.stderr);
        }
    }
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn builds_at_once_and_builds_that_are_killed_leave_one_archive() {
    let place = locked();
    let first = build(&place, &["worker", "-o", "first.tar"]);
    for pause in [0, 5, 10, 15, 20, 30, 50, 80] {
        let mut child = place.command(&["image", "build", "worker", "--rebuild", "--quiet"]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
        if let Some(bytes) = place.files().get("worker-image.tar") {
            assert!(*bytes == place.files()["first.tar"]);
        }
    }
    let mut children: Vec<_> = (0..4)
        .map(|_| place.command(&["image", "build", "worker", "--rebuild", "--quiet"]).spawn().unwrap())
        .collect();
    // Whatever else writes beside them.
    place.run(&["render", "compose", "-o", "compose.yml"]).expect(0);
    place.run(&["convert"]).expect(0);
    assert!(children.iter_mut().all(|child| child.wait().unwrap().success()));
    assert_eq!(build(&place, &["worker"])["archive_sha256"], first["archive_sha256"]);
    let left: Vec<_> = place.files().into_keys().filter(|name| name.starts_with(".envlock")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// JSON is text; a path need not be.
#[test]
fn a_path_that_is_no_text_is_told_as_well_as_can_be() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let place = locked();
    let name = OsStr::from_bytes(b"bad\xff.tar");
    for arguments in [
        &["image", "build", "worker", "--json", "-o"][..],
        &["image", "inspect", "--json"],
        &["image", "verify", "--json"],
    ] {
        let ran = Ran::from(place.command(arguments).arg(name).output().unwrap()).expect(0);
        assert!(ran.stdout.contains("bad\u{fffd}.tar"), "{}", ran.stdout);
    }
    let mut command = place.command(&["image", "index", "--json", "-o", "other.tar"]);
    Ran::from(command.arg(name).output().unwrap()).expect(0);
    let mut command = place.command(&["cache", "info", "--json", "--cache-dir"]);
    Ran::from(command.arg(name).output().unwrap()).expect(0);
}

#[test]
fn a_lock_that_is_stale_is_built_and_told_of() {
    let place = locked();
    let changed = "warning: envlock.yml or a file that it names has changed since it was locked";
    let told = || {
        [&["image", "build", "worker"][..], &["render", "compose"]]
            .map(|arguments| place.run(arguments).expect(0).stderr.contains(changed))
    };
    assert_eq!(told(), [false, false]);
    place.put("envlock.yml", place.read("envlock.yml").replace("stop-timeout: 7", "stop-timeout: 8"));
    assert_eq!(told(), [true, true]);
    // Options of the command line that made the lock are no change.
    place.run(&["convert", "--virtual-package", "__cuda=12.4"]).expect(0);
    assert_eq!(told(), [false, false]);
    place.put("env.yml", format!("{}variables: {{A: b}}\n", place.read("env.yml")));
    assert_eq!(told(), [true, true]);
}

#[test]
fn no_secret_enters_an_image() {
    let place = locked();
    let mut command = place.command(&["image", "build", "master", "--json", "--compression", "none"]);
    let ran = Ran::from(command.env("PASSWORD", "hunter2-hunter2").output().unwrap()).expect(0);
    let archive = std::fs::read(place.path().join("master-image.tar")).unwrap();
    assert!(
        !archive.windows(15).any(|window| window == b"hunter2-hunter2") && !ran.stdout.contains("hunter2")
    );
}

#[test]
fn layers_are_kept_and_pruned_with_their_lock() {
    let place = locked();
    build(&place, &["worker"]);
    let count = |part: &str| {
        let directory = place.cache().join("envlock").join(part);
        walkdir::WalkDir::new(directory).into_iter().flatten().filter(|it| it.file_type().is_file()).count()
    };
    let (layers, images) = (count("layers"), count("images"));
    assert!(layers > 3 && images == 1);
    place.run(&["cache", "prune", "--keep", "envlock.nix"]).expect(0);
    // Layers come again at once from what is kept, so they go with every pruning.
    assert_eq!((count("layers"), count("images")), (0, 0));
    build(&place, &["worker", "-o", "again.tar"]);
    assert_eq!(count("layers"), layers);
}
