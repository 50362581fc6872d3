//! Tools that know nothing of envlock: skopeo, umoci, a registry, the schemas of the specification, readers of bills.

use std::path::Path;

use serde_json::Value;

use super::{answers, archive, docker, images};
use crate::common::{skipped, test_cache};

/// The Python of the independent readers.
fn python() -> std::path::PathBuf {
    test_cache().join("readers/bin/python")
}

#[test]
fn skopeo_and_umoci_accept_the_archive() {
    let Some(images) = images() else { return };
    if !answers("skopeo", &["--version"]) || !answers("umoci", &["--version"]) {
        skipped("skopeo and umoci");
        return;
    }
    let work = tempfile::tempdir().unwrap();
    for how in ["gzip", "zstd"] {
        let file = work.path().join(format!("{how}.tar"));
        images
            .run(&[
                "image",
                "build",
                "worker",
                "--offline",
                "--compression",
                how,
                "-o",
                file.to_str().unwrap(),
            ])
            .expect(0);
        let source = format!("oci-archive:{}", file.display());
        let seen: Value =
            serde_json::from_str(&duct::cmd!("skopeo", "inspect", &source).read().unwrap()).unwrap();
        assert_eq!(seen["Labels"]["io.envlock.role"], "worker");
        let layout = work.path().join(how);
        duct::cmd!("skopeo", "copy", "--quiet", &source, format!("oci:{}:latest", layout.display()))
            .stdout_null()
            .run()
            .unwrap();
    }
    // What skopeo packs is still the image, though packed otherwise.
    let repacked = work.path().join("repacked.tar");
    let (from, to) = (archive(images, "worker"), format!("oci-archive:{}:latest", repacked.display()));
    duct::cmd!("skopeo", "copy", "--quiet", format!("oci-archive:{}", from.display()), to)
        .stdout_null()
        .run()
        .unwrap();
    images.run(&["image", "verify", repacked.to_str().unwrap()]).expect(1);
    let ran = images.run(&["image", "verify", repacked.to_str().unwrap(), "--repacked"]).expect(0);
    assert!(ran.stdout.starts_with("identical: treeDigest "), "{}", ran.stdout);
    // What Docker saves is no such archive.
    let saved = work.path().join("saved.tar");
    docker(&["save", "--output", saved.to_str().unwrap(), "worker-image:latest"]);
    let ran = images.run(&["image", "verify", saved.to_str().unwrap()]).expect(2);
    assert!(ran.stderr.contains("it has no index.json"), "{}", ran.stderr);

    // Docker's own kind of archive is in the same file.
    let docker_archive = format!("docker-archive:{}", archive(images, "worker").display());
    duct::cmd!("skopeo", "inspect", docker_archive).stdout_null().run().unwrap();

    let bundle = work.path().join("bundle");
    let image = format!("{}:latest", work.path().join("gzip").display());
    duct::cmd!("umoci", "unpack", "--image", &image, &bundle).stderr_capture().run().unwrap();
    // What it unpacks is the environment, by anybody's reckoning.
    let marker = bundle.join("rootfs/opt/envlock/env/conda-meta/envlock");
    let marker: Value = serde_json::from_slice(&std::fs::read(marker).unwrap()).unwrap();
    assert_eq!(marker["prefix"], "/opt/envlock/env");
    let stated = std::fs::read_to_string(bundle.join("rootfs/opt/envlock/tree-digest")).unwrap();
    let guard = crate::common::root().join("src/cluster/node");
    let script = "import sys; sys.path.insert(0, sys.argv[1]); from envlock_node import guard; \
                  print(guard.tree_digest(sys.argv[2]))";
    let env = bundle.join("rootfs/opt/envlock/env");
    let computed = duct::cmd!("/usr/bin/python3", "-B", "-c", script, guard, env).read().unwrap();
    assert_eq!(computed, stated.trim());
}

/// Validates documents against the JSON schemas of the OCI image specification, as Debian packages them.
const VALIDATE: &str = r#"
import json, pathlib, sys, tarfile
import jsonschema
root = pathlib.Path("/usr/share/gocode/src/github.com/opencontainers/image-spec/schema")
def plain(schema):
    """Without the ids, which send a resolver to the network for the files that lie beside."""
    if isinstance(schema, dict):
        return {k: plain(v) for k, v in schema.items() if not (k == "id" and str(v).startswith("https://opencontainers"))}
    return [plain(it) for it in schema] if isinstance(schema, list) else schema
store = {(root / path.name).as_uri(): plain(json.loads(path.read_text())) for path in root.glob("*.json")}
def check(document, name):
    uri = (root / name).as_uri()
    resolver = jsonschema.RefResolver(base_uri=uri, referrer=store[uri], store=store)
    jsonschema.Draft4Validator(store[uri], resolver=resolver).validate(document)
    print("valid:", name)
with tarfile.open(sys.argv[1]) as tar:
    read = lambda name: json.load(tar.extractfile(name))
    blob = lambda digest: read("blobs/sha256/" + digest.split(":")[1])
    check(read("oci-layout"), "image-layout-schema.json")
    index = read("index.json")
    check(index, "image-index-schema.json")
    for entry in index["manifests"]:
        manifest = blob(entry["digest"])
        check(manifest, "image-manifest-schema.json")
        check(blob(manifest["config"]["digest"]), "config-schema.json")
"#;

#[test]
fn the_schemas_of_the_specification_validate_the_archive() {
    let Some(images) = images() else { return };
    if !Path::new("/usr/share/gocode/src/github.com/opencontainers/image-spec/schema").is_dir() {
        skipped("golang-github-opencontainers-image-spec-dev");
        return;
    }
    for role in ["master", "worker"] {
        let said =
            duct::cmd!(python(), "-W", "ignore", "-c", VALIDATE, archive(images, role)).read().unwrap();
        assert_eq!(said.lines().count(), 4, "{said}");
    }
}

/// A registry of this test, which goes with it.
struct Registry(std::process::Child);

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_pushed_is_what_is_pulled() {
    let Some(images) = images() else { return };
    if !answers("docker-registry", &["--version"]) || !answers("skopeo", &["--version"]) {
        skipped("docker-registry and skopeo");
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = format!(
        "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: \"127.0.0.1:{port}\"}}\n",
        work.path().join("registry").display()
    );
    std::fs::write(work.path().join("config.yml"), config).unwrap();
    let child = std::process::Command::new("docker-registry")
        .arg("serve")
        .arg(work.path().join("config.yml"))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _registry = Registry(child);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let name = format!("127.0.0.1:{port}/team/worker:1");
    let ran =
        images.run(&["image", "push", "worker-image.tar", &name, "--", "--dest-tls-verify=false"]).expect(0);
    let said: Value = serde_json::from_str(
        &images.run(&["image", "inspect", "worker-image.tar", "--json"]).expect(0).stdout,
    )
    .unwrap();
    let digest = said["images"][0]["digest"].as_str().unwrap();
    assert!(ran.stderr.ends_with(&format!("pushed {digest}\n")), "{}", ran.stderr);
    let pulled = docker(&["pull", &name]);
    assert!(pulled.contains(digest), "{pulled}");
    // What skopeo compresses on the way arrives as something else, which is what is told.
    images
        .run(&["image", "build", "worker", "--offline", "--compression", "none", "-o", "plain.tar"])
        .expect(0);
    let plain = format!("127.0.0.1:{port}/team/plain:1");
    let ran = images.run(&["image", "push", "plain.tar", &plain, "--", "--dest-tls-verify=false"]).expect(0);
    let arrived = docker(&["pull", &plain]);
    let arrived = arrived.lines().find_map(|line| line.strip_prefix("Digest: ")).unwrap();
    assert!(ran.stderr.ends_with(&format!("pushed {arrived}\n")), "{}\n{arrived}", ran.stderr);
    docker(&["image", "rm", &plain]);
    let output = docker(&["run", "--rm", "--network=none", &name, "celery", "--version"]);
    assert!(output.starts_with("5."), "{output}");
    docker(&["image", "rm", &name]);
    // Nobody listens there.
    images
        .run(&["image", "push", "worker-image.tar", "127.0.0.1:1/x", "--", "--dest-tls-verify=false"])
        .expect(4);
}

#[test]
fn readers_of_bills_accept_them() {
    let Some(images) = images() else { return };
    let work = tempfile::tempdir().unwrap();
    for source in [".", "worker-image.tar"] {
        for (format, script) in [
            (
                "spdx",
                "from spdx_tools.spdx.parser.parse_anything import parse_file\n\
                      from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document\n\
                      import sys; document = parse_file(sys.argv[1]); found = validate_full_spdx_document(document)\n\
                      found = [it.validation_message for it in found if '127.0.0.1' not in it.validation_message]\n\
                      print(len(document.packages)); sys.exit('\\n'.join(found) or None)",
            ),
            (
                "cyclonedx",
                "from cyclonedx.validation.json import JsonStrictValidator\n\
                           from cyclonedx.schema import SchemaVersion\n\
                           import json, sys; text = open(sys.argv[1]).read()\n\
                           found = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)\n\
                           print(len(json.loads(text)['components'])); sys.exit(found and str(found))",
            ),
        ] {
            let path = work.path().join(format!("bill.{format}.json"));
            images.run(&["sbom", source, "--format", format, "-o", path.to_str().unwrap()]).expect(0);
            let said = duct::cmd!(python(), "-c", script, &path).read().unwrap();
            assert!(said.trim().parse::<usize>().unwrap() > 40, "{said}");
        }
    }
    // An image tells licences.
    let bill = std::fs::read_to_string(work.path().join("bill.spdx.json")).unwrap();
    let bill: Value = serde_json::from_str(&bill).unwrap();
    let license = |id: &str| {
        let packages = bill["packages"].as_array().unwrap();
        packages.iter().find(|it| it["SPDXID"] == id).unwrap()["licenseDeclared"].clone()
    };
    assert_eq!(license("SPDXRef-user-conda-openssl"), "Apache-2.0");
    assert_eq!(license("SPDXRef-user-pip-celery"), "BSD-3-Clause");
}
