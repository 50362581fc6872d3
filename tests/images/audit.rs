//! Archives that are damaged, tampered with, or of another lock, and archives of several platforms.

use std::{io::Read, path::Path};

use serde_json::Value;

use super::{build, inspect, layers, position};
use crate::common::{
    Place, Ran,
    project::{all, channel, locked},
};

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
        Ran::from(command.env("ENVLOCK_CACHE", cache).output().unwrap())
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
    place.run(&["convert", "--upgrade"]).expect(0);
    build(&place, &["worker", "-o", "other.tar"]);
    let ran = place.run(&["image", "verify", "one.tar", "other.tar"]).expect(1);
    assert!(ran.stderr.contains("other.tar has another environment than one.tar"), "{}", ran.stderr);
    assert!(ran.stderr.contains("each image is what its lock says, and their environments are not the same"));
    assert!(ran.stderr.contains("hint: build all of them from one lock"), "{}", ran.stderr);
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

/// A member of an archive.
fn member(archive: &Path, name: &str) -> Vec<u8> {
    let mut tar = tar::Archive::new(std::fs::File::open(archive).unwrap());
    let mut found =
        tar.entries().unwrap().map(Result::unwrap).find(|it| it.path_bytes() == name.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    found.read_to_end(&mut bytes).unwrap();
    bytes
}
