//! Images: which layers, what is in them, what is said of them, and what an audit sees.

use std::{
    collections::BTreeSet,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use serde_json::Value;

use crate::common::{
    Place,
    project::{self, ROLES, USER, all, channel, files, locked},
};

/// Builds an image and returns the summary.
fn build(place: &Place, arguments: &[&str]) -> Value {
    let ran = place.run(&[&["image", "build", "--json"], arguments].concat()).expect(0);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// What `inspect` says of the image of an archive.
fn inspect(place: &Place, archive: &str) -> Value {
    let ran = place.run(&["image", "inspect", archive, "--json"]).expect(0);
    let value: Value = serde_json::from_str(&ran.stdout).unwrap();
    value["images"][0].clone()
}

fn layers(image: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    image["layers"].as_array().unwrap().iter().map(|it| (text(&it["about"]), text(&it["digest"]))).collect()
}

/// A member of an archive.
fn member(archive: &Path, name: &str) -> Vec<u8> {
    let mut tar = tar::Archive::new(std::fs::File::open(archive).unwrap());
    let mut found =
        tar.entries().unwrap().map(Result::unwrap).find(|it| it.path_bytes() == name.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    found.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Where the bytes of a member are in an archive, and how many.
fn position(archive: &Path, name: &str) -> (u64, u64) {
    let mut tar = tar::Archive::new(std::fs::File::open(archive).unwrap());
    let found =
        tar.entries().unwrap().map(Result::unwrap).find(|it| it.path_bytes() == name.as_bytes()).unwrap();
    (found.raw_file_position(), found.size())
}

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
        place.run(&["convert"]).expect(0);
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

/// Changes a byte in the middle of the layer with the package `large`.
fn flip(place: &Place, archive: &str, to: &str) -> String {
    let image = inspect(place, archive);
    let layer = layers(&image).into_iter().find(|(about, _)| about.contains("large")).unwrap();
    let digest = layer.1.trim_start_matches("sha256:").to_owned();
    let mut bytes = std::fs::read(place.path().join(archive)).unwrap();
    let (start, size) = position(&place.path().join(archive), &format!("blobs/sha256/{digest}"));
    bytes[usize::try_from(start + size / 2).unwrap()] ^= 0x40;
    place.put(to, bytes);
    digest
}

#[test]
fn a_flipped_byte_is_found_in_its_layer_and_file() {
    let place = locked();
    for how in ["gzip", "zstd", "none"] {
        build(&place, &["worker", "--compression", how, "-o", "good.tar"]);
        let digest = flip(&place, "good.tar", "bad.tar");
        let ran = place.run(&["image", "verify", "good.tar", "bad.tar"]).expect(1);
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
        for part in
            [&digest, "bad.tar: layer ", "/opt/envlock/env/share/large", "(user environment: large 1.0)"]
        {
            assert!(ran.stderr.contains(part), "{how}: {part}: {}", ran.stderr);
        }
        let ran = place.run(&["image", "verify", "bad.tar", "--json"]).expect(1);
        let said: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(said["images"][0]["findings"][0]["path"], "/opt/envlock/env/share/large");
        // Whoever compares or describes it learns of it as well.
        let ran = place.run(&["image", "diff", "good.tar", "bad.tar"]).expect(2);
        assert!(ran.stderr.contains(&digest), "{}", ran.stderr);
        place.run(&["sbom", "bad.tar", "--format", "spdx"]).expect(2);
    }
}

#[test]
fn a_truncated_archive_is_found_where_it_ends() {
    let place = locked();
    build(&place, &["worker"]);
    let archive = place.path().join("worker-image.tar");
    let bytes = std::fs::read(&archive).unwrap();
    let image = inspect(&place, "worker-image.tar");
    let (_, large) = layers(&image).into_iter().find(|(about, _)| about.contains("large")).unwrap();
    let digest = large.trim_start_matches("sha256:");
    let (start, size) = position(&archive, &format!("blobs/sha256/{digest}"));
    let middle = usize::try_from(start + size / 2).unwrap();
    place.put("cut.tar", &bytes[..middle]);
    let ran = place.run(&["image", "verify", "cut.tar"]).expect(1);
    for part in [&format!("sha256:{digest} is cut off after {} of {size} bytes", size / 2), "share/large"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    // Before the manifest there is nothing to look at.
    place.put("stump.tar", &bytes[..1000]);
    let ran = place.run(&["image", "verify", "stump.tar"]).expect(2);
    assert!(ran.stderr.contains("stump.tar is not a sound image archive"), "{}", ran.stderr);
}

/// Unpacks an archive, changes a layer's files by a shell command, and packs it again with honest digests: what somebody
/// with the archive and bad intentions would do.
const TAMPER: &str = r#"
import gzip, hashlib, io, json, sys, tarfile
source, target, path, content, *attributes = sys.argv[1:]
with tarfile.open(source) as tar:
    blobs = {m.name: tar.extractfile(m).read() for m in tar}
index = json.loads(blobs["index.json"])
digest = lambda b: "sha256:" + hashlib.sha256(b).hexdigest()
blob = lambda d: "blobs/sha256/" + d.split(":")[1]
manifest = json.loads(blobs.pop(blob(index["manifests"][0]["digest"])))
config = json.loads(blobs.pop(blob(manifest["config"]["digest"])))
layer = manifest["layers"][-1]
data = io.BytesIO(gzip.decompress(blobs.pop(blob(layer["digest"]))))
out = io.BytesIO()
with tarfile.open(fileobj=data) as old, tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as new:
    for m in old:
        new.addfile(m, old.extractfile(m) if m.isfile() else None)
    if path == "config":
        config["config"]["User"] = content
    elif path == "json":
        pass
    else:
        m = tarfile.TarInfo(path); m.mode = 0o644; m.mtime = 1; m.size = len(content)
        for attribute in attributes:
            name, value = attribute.split("=", 1)
            value = json.loads(value)
            setattr(m, name, value.encode() if name == "type" else value)
        new.addfile(m, io.BytesIO(content.encode()))
config["rootfs"]["diff_ids"][-1] = digest(out.getvalue())
packed = gzip.compress(out.getvalue(), mtime=0)
layer.update(digest=digest(packed), size=len(packed))
blobs[blob(layer["digest"])] = packed
bytes_ = json.dumps(config)
bytes_ = ("{" + content + "," + bytes_[1:] if path == "json" else bytes_).encode()
manifest["config"].update(digest=digest(bytes_), size=len(bytes_)); blobs[blob(digest(bytes_))] = bytes_
bytes_ = json.dumps(manifest).encode()
index["manifests"][0].update(digest=digest(bytes_), size=len(bytes_)); blobs[blob(digest(bytes_))] = bytes_
blobs["index.json"] = json.dumps(index).encode()
with tarfile.open(target, "w") as tar:
    for name, bytes_ in blobs.items():
        m = tarfile.TarInfo(name); m.size = len(bytes_); tar.addfile(m, io.BytesIO(bytes_))
"#;

#[test]
fn what_no_lock_accounts_for_is_found() {
    let place = locked();
    build(&place, &["worker"]);
    let (source, target) = (place.path().join("worker-image.tar"), place.path().join("bad.tar"));
    let verify = || place.run(&["image", "verify", "bad.tar"]).expect(1).stderr;
    let tamper = |path: &str, content: &str, attributes: &[&str]| {
        let arguments = [source.to_str().unwrap(), target.to_str().unwrap(), path, content];
        let words = [&["-c", TAMPER][..], &arguments, attributes].concat();
        duct::cmd("/usr/bin/python3", words).run().unwrap();
        verify()
    };
    let said = tamper("opt/envlock/env/share/evil", "x", &[]);
    assert!(said.contains("not of the lock: /opt/envlock/env/share/evil"), "{said}");
    let (same, content) = ("opt/envlock/env/share/small-c", "c");
    let said = tamper(same, "c!", &[]);
    assert!(said.contains("changed: /opt/envlock/env/share/small-c (user environment: "), "{said}");
    let said = tamper("opt/envlock/env/share/.wh.small-c", "", &[]);
    assert!(said.contains("missing: /opt/envlock/env/share/small-c"), "{said}");
    let said = tamper(same, content, &["mode=2468"]);
    assert!(
        said.contains("mode 4644 of 0:0 instead of 644 of 0:0: /opt/envlock/env/share/small-c"),
        "{said}"
    );
    let said = tamper(same, content, &["gid=50000"]);
    assert!(said.contains("mode 644 of 0:50000 instead of 644 of 0:0"), "{said}");
    let said = tamper(same, content, &["pax_headers={\"SCHILY.xattr.security.capability\": \"x\"}"]);
    assert!(said.contains("it has the attribute SCHILY.xattr.security.capability"), "{said}");
    let said = tamper(same, content, &["type=\"3\""]);
    assert!(said.contains("neither a directory, a file nor a link"), "{said}");
    let said = tamper("config", "0:0", &[]);
    assert!(
        said.contains("the configuration says config.User = \"0:0\", the lock \"50000:50000\""),
        "{said}"
    );

    // Readers that are not ours may see other things in the same bytes: what counts is that the bytes are others.
    let said = tamper("json", "\"Config\": {\"User\": \"0:0\"}", &[]);
    assert!(said.contains("Config = {\"User\":\"0:0\"}"), "{said}");
    let said = tamper("json", "\"config\": {\"User\": \"0:0\"}", &[]);
    assert!(
        said.contains("its manifest is sha256:") || said.contains("is none that the lock gives"),
        "{said}"
    );
    let hidden = "x".repeat(1024);
    for (path, content, attributes) in [
        // A directory with something behind it, a link in the place of a directory, a time.
        ("opt/envlock/env/share", hidden.as_str(), &["type=\"5\"", "mode=493"][..]),
        ("opt/envlock/env/share/x", "", &["type=\"2\"", "linkname=\"/etc\""]),
        (same, content, &["mtime=7"]),
        (same, content, &[]),
    ] {
        assert!(tamper(path, content, attributes).contains("bad.tar: "), "{path} {attributes:?}");
    }

    // The images as they were, and an archive that says more.
    let pack = |script: &str, arguments: &[&str]| {
        let script = format!(
            "import io, json, sys, tarfile\nwith tarfile.open(sys.argv[1]) as tar:\n    \
             members = [(m.name, tar.extractfile(m).read()) for m in tar]\n{script}\n\
             with tarfile.open(sys.argv[2], 'w') as tar:\n    for name, data in members:\n        \
             m = tarfile.TarInfo(name); m.size = len(data); tar.addfile(m, io.BytesIO(data))"
        );
        let paths = [source.to_str().unwrap(), target.to_str().unwrap()];
        duct::cmd("/usr/bin/python3", [&["-c", &script][..], &paths, arguments].concat()).run().unwrap();
    };
    pack("", &[]);
    assert!(verify().contains("the archive is not packed as envlock packs it"));
    // Another tool may have packed it, for all that one wants of its index.
    place.run(&["image", "verify", "bad.tar", "--repacked"]).expect(0);
    let rename = "members = [(n, d.replace(b'worker-image:latest', b'postgres:16')) for n, d in members]";
    pack(rename, &[]);
    assert!(verify().contains("the archive is not packed as envlock packs it"));
    let append = "members.append((sys.argv[3], b''))";
    pack(append, &["repositories"]);
    assert!(verify().contains("the archive has repositories, which is of no image"));
    let stranger = "0".repeat(64);
    pack(append, &[&format!("blobs/sha256/{stranger}")]);
    assert!(verify().contains(&format!("the archive has sha256:{stranger}, which is of no image")));
    pack(append, &["index.json"]);
    let ran = place.run(&["image", "verify", "bad.tar"]).expect(2);
    assert!(ran.stderr.contains("index.json is there twice"), "{}", ran.stderr);
}

/// A lock names programs that would be run: one that comes in an image is not believed.
#[test]
fn a_lock_that_nobody_here_has_built_is_not_believed() {
    let place = locked();
    build(&place, &["worker"]);
    let elsewhere = |arguments: &[&str]| {
        let mut command = place.command(&[&["image", "verify", "worker-image.tar"], arguments].concat());
        let cache = place.cache().join("elsewhere");
        crate::common::Ran::from(command.env("ENVLOCK_CACHE", cache).output().unwrap())
    };
    let ran = elsewhere(&[]).expect(2);
    assert!(ran.stderr.contains("is of a lock that was not built on this machine"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--lock DIR") && ran.stderr.contains("--trust-lock"), "{}", ran.stderr);
    assert!(!place.cache().join("elsewhere/artifacts").exists());
    elsewhere(&["--lock", "."]).expect(0);
    std::fs::remove_dir_all(place.cache().join("elsewhere")).unwrap();
    elsewhere(&["--trust-lock"]).expect(0);
}

#[test]
fn an_archive_of_several_platforms_is_verified_as_a_whole() {
    let place = locked();
    build(&place, &["worker"]);
    place.run(&["image", "index", "worker-image.tar", "-o", "index.tar"]).expect(0);
    place.run(&["image", "verify", "index.tar"]).expect(0);
    let mut bytes = std::fs::read(place.path().join("index.tar")).unwrap();
    let end = bytes.len() - 1;
    bytes[end] = 1;
    place.put("index.tar", bytes);
    place.run(&["image", "verify", "index.tar"]).expect(1);
}

#[test]
fn images_of_two_environments_are_not_identical() {
    let place = locked();
    build(&place, &["worker", "-o", "one.tar"]);
    let nix = place.read("envlock.nix");
    let mut packages = all("1.0");
    packages.extend(all("2.0").into_iter().filter(|package| package.name == "small-b"));
    channel(&place, &packages);
    place.run(&["convert"]).expect(0);
    build(&place, &["worker", "-o", "other.tar"]);
    let ran = place.run(&["image", "verify", "one.tar", "other.tar"]).expect(1);
    assert!(ran.stderr.contains("other.tar has another environment than one.tar"), "{}", ran.stderr);
    // Each is what its own lock says, but not what the other's does.
    place.run(&["image", "verify", "one.tar"]).expect(0);
    let ran = place.run(&["image", "verify", "one.tar", "--lock", "."]).expect(1);
    assert!(ran.stderr.contains("changed: /opt/envlock/env/share/small-b"), "{}", ran.stderr);
    place.put("envlock.nix", nix);
    let ran = place.run(&["image", "verify", "one.tar", "--lock", "."]).expect(1);
    assert!(ran.stderr.contains("changed: /opt/envlock/lock/conda-lock.yml"), "{}", ran.stderr);
}

#[test]
fn an_index_holds_an_image_for_each_platform() {
    let place = locked();
    build(&place, &["worker"]);
    // The same image, which says that it is of another platform.
    let script = TAMPER.replace(
        "config[\"config\"][\"User\"] = content",
        "config[\"architecture\"] = \"arm64\"; config[\"config\"][\"Labels\"][\"io.envlock.platform\"] = content; \
         index[\"manifests\"][0][\"platform\"][\"architecture\"] = \"arm64\"",
    );
    let (source, target) = (place.path().join("worker-image.tar"), place.path().join("arm.tar"));
    duct::cmd!("/usr/bin/python3", "-c", script, source, target, "config", "linux-aarch64").run().unwrap();
    let index =
        |files: &[&str]| place.run(&[&["image", "index"], files, &["-o", "both.tar", "--json"]].concat());
    let said: Value =
        serde_json::from_str(&index(&["worker-image.tar", "arm.tar"]).expect(0).stdout).unwrap();
    assert_eq!(said["platforms"].as_array().unwrap().len(), 2);
    let again: Value =
        serde_json::from_str(&index(&["arm.tar", "worker-image.tar"]).expect(0).stdout).unwrap();
    assert_eq!(said["archive_sha256"], again["archive_sha256"]);
    let ran = place.run(&["image", "inspect", "both.tar"]).expect(0);
    assert!(ran.stdout.contains("both.tar (linux-64)") && ran.stdout.contains("both.tar (linux-aarch64)"));
    let top: Value = serde_json::from_slice(&member(&place.path().join("both.tar"), "index.json")).unwrap();
    assert_eq!(top["manifests"][0]["mediaType"], "application/vnd.oci.image.index.v1+json");

    let ran = index(&["worker-image.tar", "worker-image.tar"]).expect(2);
    assert!(ran.stderr.contains("is the second image for linux-64"), "{}", ran.stderr);
    build(&place, &["master"]);
    let ran = index(&["master-image.tar", "arm.tar"]).expect(2);
    assert!(ran.stderr.contains("is of the role worker, not master"), "{}", ran.stderr);
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

#[test]
fn a_push_needs_skopeo_and_says_what_it_runs() {
    let place = locked();
    build(&place, &["worker"]);
    let mut command = place.command(&["image", "push", "worker-image.tar", "host/worker:1"]);
    let ran = crate::common::Ran::from(command.env("PATH", "/nowhere").output().unwrap()).expect(2);
    assert!(
        ran.stderr.contains("there is no skopeo on the PATH")
            && ran.stderr.contains("apt-get install skopeo")
    );
    // A skopeo that refuses everything.
    let bin = place.path().join("bin");
    place.put("bin/skopeo", "#!/bin/sh\necho \"$@\" >&2\nexit 3\n");
    duct::cmd!("chmod", "755", bin.join("skopeo")).run().unwrap();
    let mut command = place.command(&[
        "image",
        "push",
        "worker-image.tar",
        "host/worker:1",
        "--",
        "--dest-tls-verify=false",
    ]);
    let ran = crate::common::Ran::from(command.env("PATH", &bin).output().unwrap()).expect(4);
    let words = "copy --dest-tls-verify=false oci-archive:worker-image.tar docker://host/worker:1";
    assert_eq!(ran.stderr.matches(words).count(), 1, "{}", ran.stderr);
}

#[test]
fn bills_say_the_same_of_a_lock_and_of_its_image() {
    let place = locked();
    build(&place, &["worker"]);
    let bill = |arguments: &[&str]| -> Value {
        let ran = place.run(&[&["sbom"], arguments].concat()).expect(0);
        serde_json::from_str(&ran.stdout).unwrap()
    };
    let lock = bill(&["--format", "spdx"]);
    let image = bill(&["worker-image.tar", "--format", "spdx"]);
    let names = |bill: &Value| -> BTreeSet<String> {
        let packages = bill["packages"].as_array().unwrap().iter();
        packages.filter(|it| it["checksums"].is_array()).map(|it| it["SPDXID"].to_string()).collect()
    };
    // The worker has no system environment; the lock has the master's.
    let only_lock: BTreeSet<_> = names(&lock).difference(&names(&image)).cloned().collect();
    assert!(
        names(&image).is_subset(&names(&lock)) && only_lock.iter().all(|it| it.contains("master")),
        "{only_lock:?}"
    );
    assert_eq!(names(&image).len(), USER.len() + 2);
    let cyclonedx = bill(&["worker-image.tar", "--format", "cyclonedx"]);
    assert_eq!(cyclonedx["components"].as_array().unwrap().len(), USER.len() + 2);
    let ran = place.run(&["sbom", "--format", "spdx", "-o", "out/lock.spdx.json"]).expect(0);
    assert!(ran.stdout.is_empty());
    assert_eq!(serde_json::from_str::<Value>(&place.read("out/lock.spdx.json")).unwrap(), lock);
}

#[test]
fn a_compose_file_has_one_service_a_container() {
    let place = locked();
    let ran = place.run(&["render", "compose", "--mount", "tasks.py"]).expect(0);
    let file: serde_yaml::Value = serde_yaml::from_str(&ran.stdout).unwrap();
    let services = file["services"].as_mapping().unwrap();
    assert_eq!(
        services.keys().filter_map(|it| it.as_str()).collect::<Vec<_>>(),
        ["publish", "redis", "worker"]
    );
    let redis = &file["services"]["redis"];
    assert_eq!(redis["image"], "master-image:latest");
    assert_eq!(redis["networks"]["cluster"]["aliases"][0], "master");
    assert_eq!(redis["volumes"][0], "master-var-lib-redis:/var/lib/redis");
    assert_eq!(redis["volumes"][1], "./tasks.py:/home/airflow/tasks.py:ro");
    assert_eq!(redis["healthcheck"]["test"][2], "health");
    let worker = &file["services"]["worker"];
    assert_eq!((&worker["secrets"][0], &worker["stop_grace_period"]), (&"PASSWORD".into(), &"7s".into()));
    assert_eq!(worker["healthcheck"]["disable"], true);
    assert_eq!(file["secrets"]["PASSWORD"]["file"], "./secrets/PASSWORD");
    place.run(&["render", "compose", "-o", "compose.yml"]).expect(0);
    assert!(place.read("compose.yml").starts_with("# Rendered by envlock"));
    let text = place.run(&["render", "compose", "--image", "worker=h:5000/w:1"]).expect(0).stdout;
    assert!(text.contains("image: h:5000/w:1\n") && text.contains("image: master-image:latest\n"), "{text}");
    let ran = place.run(&["render", "compose", "--image", "boss=x"]).expect(2);
    assert!(ran.stderr.contains("the roles are master, worker"), "{}", ran.stderr);
    // A name that two roles have gets that of the role in front.
    files(&place, &USER, "roles:\n  a: {services: {x: [x]}}\n  b: {services: {x: [x]}}\n");
    place.run(&["convert"]).expect(0);
    let text = place.run(&["render", "compose"]).expect(0).stdout;
    assert!(text.contains("\n  a-x:\n") && text.contains("\n  b-x:\n"), "{text}");
}

#[test]
fn init_writes_what_the_example_has() {
    let place = Place::new();
    place.put("env.yml", std::fs::read(crate::common::root().join("examples/quickstart/env.yml")).unwrap());
    let ran = place.run(&["init", "--platform", "linux-64"]).expect(0);
    assert!(ran.stderr.contains("wrote envlock.yml"), "{}", ran.stderr);
    for name in ["envlock.yml", "master.yml", "runtime.yml"] {
        let path = crate::common::root().join("examples/quickstart").join(name);
        assert_eq!(place.read(name), std::fs::read_to_string(path).unwrap(), "{name}");
    }
    // Again, it is the same; what was edited is kept.
    place.run(&["init", "--platform", "linux-64"]).expect(0);
    place.put("master.yml", "dependencies: []\n");
    let ran = place.run(&["init", "--platform", "linux-64"]).expect(2);
    assert!(ran.stderr.contains("master.yml is there already"), "{}", ran.stderr);
    place.run(&["init", "--platform", "linux-64", "--force"]).expect(0);
    // An environment without supervisor leaves that to the master's own; several platforms have a line each.
    place.put("env.yml", "name: My_Shop\nchannels: [conda-forge]\ndependencies: [celery, redis-py]\n");
    let init =
        ["init", "--force", "--app", "shop.tasks", "--platform", "linux-64", "--platform", "linux-aarch64"];
    place.run(&init).expect(0);
    assert!(place.read("master.yml").contains("  - supervisor\n"));
    assert!(
        place
            .read("runtime.yml")
            .contains("  - sel(linux64): sysroot_linux-64\n  - sel(aarch64): sysroot_linux-aarch64\n")
    );
    assert!(
        place.read("envlock.yml").contains("name: my-shop")
            && place.read("envlock.yml").contains("--app, shop.tasks")
    );
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

#[test]
fn no_secret_enters_an_image() {
    let place = locked();
    let mut command = place.command(&["image", "build", "master", "--json", "--compression", "none"]);
    let ran =
        crate::common::Ran::from(command.env("PASSWORD", "hunter2-hunter2").output().unwrap()).expect(0);
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
    let _ = project::noise(8, 1);
}
