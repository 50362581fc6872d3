//! What else is made of a lock or an image: bills of materials, Compose files, pushes, and a project to begin with.

use std::collections::BTreeSet;

use serde_json::Value;

use super::build;
use crate::common::{
    Place, Ran,
    project::{USER, files, locked},
    root,
};

#[test]
fn a_push_needs_skopeo_and_says_what_it_runs() {
    let place = locked();
    build(&place, &["worker"]);
    let mut command = place.command(&["image", "push", "worker-image.tar", "host/worker:1"]);
    let ran = Ran::from(command.env("PATH", "/nowhere").output().unwrap()).expect(2);
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
    let ran = Ran::from(command.env("PATH", &bin).output().unwrap()).expect(4);
    let words = "oci-archive:worker-image.tar docker://host/worker:1\n";
    // Once by us, without the options, which may hold credentials; once by that skopeo.
    assert_eq!(ran.stderr.matches(words).count(), 2, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("--dest-tls-verify=false --digestfile /").count(), 1, "{}", ran.stderr);
    for transport in ["docker-archive:x.tar", "sif:x", "ostree:x"] {
        let mut command = place.command(&["image", "push", "worker-image.tar", transport]);
        let ran = Ran::from(command.env("PATH", &bin).output().unwrap()).expect(4);
        assert!(ran.stderr.contains(&format!("worker-image.tar {transport}\n")), "{}", ran.stderr);
    }
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
    let volume = |index: usize| {
        let volume = &redis["volumes"][index];
        ["type", "source", "target"].map(|key| volume[key].as_str().unwrap().to_owned())
    };
    assert_eq!(volume(0), ["volume", "master__var__lib__redis", "/var/lib/redis"]);
    assert_eq!(volume(1), ["bind", "./tasks.py", "/home/airflow/tasks.py"]);
    assert_eq!(redis["volumes"][1]["read_only"], true);
    assert!(file["volumes"]["master__var__lib__redis"].is_mapping());
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
    let ran = place.run(&["render", "compose", "--image", "worker="]).expect(2);
    assert!(ran.stderr.contains("it names no role, or no image"), "{}", ran.stderr);
    // Compose starts from where its file is, and replaces what looks like a variable.
    place
        .run(&["render", "compose", "--mount", "./a $X/b", "--mount", "/c", "-o", "deploy/compose.yml"])
        .expect(0);
    let text = place.read("deploy/compose.yml");
    for line in ["source: ./../a $$X/b\n", "source: /c\n", "target: /home/airflow/b\n"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for (mounts, message) in [
        (&["a/x", "b/x"][..], "two mounts would be named x"),
        (&[".."], "`..` has no name"),
        (&["."], "`.` has no name"),
        (&[""], "`` has no name"),
    ] {
        let mounts: Vec<_> = mounts.iter().flat_map(|mount| ["--mount", mount]).collect();
        let ran = place.run(&[&["render", "compose"], &mounts[..]].concat()).expect(2);
        assert!(ran.stderr.contains(message), "{}", ran.stderr);
    }
    // A name that two roles have gets that of the role in front.
    files(&place, &USER, "roles:\n  a: {services: {x: [x]}}\n  b: {services: {x: [x]}}\n");
    place.run(&["convert"]).expect(0);
    let text = place.run(&["render", "compose"]).expect(0).stdout;
    assert!(text.contains("\n  a-x:\n") && text.contains("\n  b-x:\n"), "{text}");
}

#[test]
fn init_writes_what_the_example_has() {
    let place = Place::new();
    place.put("env.yml", std::fs::read(root().join("examples/quickstart/env.yml")).unwrap());
    let ran = place.run(&["init", "--platform", "linux-64"]).expect(0);
    assert!(ran.stderr.contains("wrote envlock.yml"), "{}", ran.stderr);
    for name in ["envlock.yml", "master.yml", "runtime.yml"] {
        let path = root().join("examples/quickstart").join(name);
        assert_eq!(place.read(name), std::fs::read_to_string(path).unwrap(), "{name}");
    }
    // Again, it is the same; what was edited is kept.
    place.run(&["init", "--platform", "linux-64"]).expect(0);
    place.put("master.yml", "dependencies: []\n");
    let ran = place.run(&["init", "--platform", "linux-64"]).expect(2);
    assert!(ran.stderr.contains("master.yml is there already"), "{}", ran.stderr);
    place.run(&["init", "--platform", "linux-64", "--force"]).expect(0);
    // Names that YAML would read as something else; a project that is elsewhere.
    let odd = Place::new();
    odd.put("sub/my env: #x.yml", "dependencies: [python, celery]\n");
    let ran = odd.run(&["init", "sub/my env: #x.yml", "--app", "no"]).expect(0);
    assert!(
        ran.stderr.contains("`envlock convert sub/envlock.yml`, `envlock image build master --lock sub`")
    );
    let text = odd.read("sub/envlock.yml");
    let project: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    assert_eq!(project["environment"], "my env: #x.yml");
    assert_eq!(project["roles"]["worker"]["services"]["worker"]["command"][2], "no");
    assert!(text.contains("--app, \"no\", worker"), "{text}");
    odd.put("mac.yml", "platforms: [osx-arm64]\ndependencies: [celery]\n");
    let ran = odd.run(&["init", "mac.yml"]).expect(2);
    assert!(
        ran.stderr.contains("there are no containers for osx-arm64")
            && ran.stderr.contains("--platform linux-64")
    );
    odd.run(&["init", "mac.yml", "--platform", "linux-64"]).expect(0);

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

#[test]
fn init_knows_airflow() {
    for example in ["airflow-2", "airflow-3"] {
        let place = Place::new();
        let of_example =
            |name: &str| std::fs::read_to_string(root().join("examples").join(example).join(name)).unwrap();
        for name in ["constraints.txt", "env.yml"] {
            place.put(name, of_example(name));
        }
        place.run(&["init"]).expect(0);
        for name in ["master.yml", "runtime.yml", "worker.yml"] {
            assert_eq!(place.read(name), of_example(name), "{example}: {name}");
        }
        // But for the paths, which are those of a company.
        assert_eq!(place.read("envlock.yml"), of_example("envlock.yml").replace("/myorg", ""), "{example}");
    }
    // The server of PostgreSQL that the environment of 2018 has is enough, and it has no supervisor.
    let seed = Place::new();
    seed.put("env.yml", std::fs::read(root().join("examples/airflow/env.yml")).unwrap());
    seed.run(&["init", "--platform", "linux-64"]).expect(0);
    assert!(
        !seed.read("master.yml").contains("postgresql")
            && seed.read("worker.yml").contains("  - supervisor\n")
    );
}

#[test]
fn a_node_has_what_its_image_has_besides_environments() {
    let place = locked();
    let built = build(&place, &["worker"]);
    let script = format!("umask 077; {} render node worker -o node", env!("CARGO_BIN_EXE_envlock"));
    let cache = place.cache().join("envlock");
    duct::cmd!("sh", "-c", script).dir(place.path()).env("ENVLOCK_CACHE", cache).run().unwrap();
    assert_eq!(place.read("node/tree-digest").trim(), built["tree_digest"]);
    assert_eq!(place.read("node/lock/envlock.nix"), place.read("envlock.nix"));
    let table: Value = serde_json::from_str(&place.read("node/role/services.json")).unwrap();
    assert_eq!(table["services"]["worker"]["guard"], true);
    let mode = |path: &str| {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(place.path().join(path)).unwrap().permissions().mode() & 0o777
    };
    let modes = ["node", "node/role", "node/role/bin/envlock-node", "node/role/services.json"].map(mode);
    assert_eq!(modes, [0o755, 0o755, 0o755, 0o644]);
    let said = place.run(&["render", "node", "worker", "-o", "node"]).expect(2).stderr;
    assert!(said.contains("--output node: it is there already"), "{said}");
}

#[test]
fn an_image_wants_all_its_lock_files() {
    let place = locked();
    place.put(
        "master.conda-lock.yml",
        place.read("master.conda-lock.yml").replace("supervisor", "supervisar"),
    );
    let said = place.run(&["image", "build", "worker"]).expect(2).stderr;
    assert!(said.contains("master.conda-lock.yml: it is not the one that"), "{said}");
    std::fs::remove_file(place.path().join("master.conda-lock.yml")).unwrap();
    let said = place.run(&["image", "build", "worker"]).expect(2).stderr;
    assert!(said.contains("master.conda-lock.yml is missing") && said.contains("envlock convert"), "{said}");
    assert!(!place.path().join("worker-image.tar").exists());
}

#[test]
fn a_statement_names_the_image_and_all_that_it_is_made_of() {
    let place = locked();
    let summary = build(&place, &["worker"]);
    let attest = |arguments: &[&str]| place.run(&[&["image", "attest"], arguments].concat());
    let ran = attest(&["worker-image.tar"]).expect(0);
    let statement: Value = serde_json::from_str(&ran.stdout).unwrap();
    let digest = format!("sha256:{}", statement["subject"][0]["digest"]["sha256"].as_str().unwrap());
    assert_eq!(
        (&statement["subject"][0]["name"], digest.as_str()),
        (&"worker-image".into(), summary["image"].as_str().unwrap())
    );
    let definition = &statement["predicate"]["buildDefinition"];
    assert_eq!(definition["externalParameters"]["role"], "worker");
    let lock = place.read("envlock.nix");
    let input_hash = definition["externalParameters"]["inputHash"].as_str().unwrap();
    assert!(lock.contains(input_hash), "{input_hash}");
    let dependencies = definition["resolvedDependencies"].as_array().unwrap();
    let of = |name: &str| dependencies.iter().find(|it| it["name"] == name).unwrap();
    assert_eq!(of("envlock.nix")["digest"]["sha256"], crate::common::packages::sha256(lock.as_bytes()));
    let packages = dependencies.iter().filter(|it| it["uri"].is_string()).count();
    assert_eq!(packages, USER.len() + 2);

    // The predicate alone is what cosign wants, and a file is written whole.
    let ran = attest(&["worker-image.tar", "--predicate", "-o", "worker.slsa.json"]).expect(0);
    assert!(ran.stdout.is_empty());
    assert_eq!(
        serde_json::from_str::<Value>(&place.read("worker.slsa.json")).unwrap(),
        statement["predicate"]
    );
}

#[test]
fn the_statement_of_an_image_is_the_same_anywhere() {
    let (one, other) = (locked(), locked());
    let statement = |place: &Place, zone: &str| {
        build(place, &["worker"]);
        let mut command = place.command(&["image", "attest", "worker-image.tar"]);
        let ran = Ran::from(command.env("TZ", zone).env("LC_ALL", "C").output().unwrap()).expect(0);
        // Each place has a channel of its own.
        ran.stdout.replace(place.path().to_str().unwrap(), "/place")
    };
    let without_hashes = |text: String| {
        let lines = text.lines().filter(|line| !line.contains("sha256") && !line.contains("inputHash"));
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(statement(&one, "UTC"), statement(&one, "Asia/Tokyo"));
    assert_eq!(without_hashes(statement(&one, "UTC")), without_hashes(statement(&other, "UTC")));
}

#[test]
fn nothing_is_stated_of_an_image_that_is_not_what_its_lock_says() {
    let place = locked();
    build(&place, &["worker"]);
    let path = place.path().join("worker-image.tar");
    let mut bytes = std::fs::read(&path).unwrap();
    let found = place.run(&["image", "inspect", "worker-image.tar", "--json"]).expect(0);
    let said: Value = serde_json::from_str(&found.stdout).unwrap();
    let layer =
        said["images"][0]["layers"][0]["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/");
    let (at, length) = super::position(&path, &layer);
    bytes[usize::try_from(at + length / 2).unwrap()] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let ran = place.run(&["image", "attest", "worker-image.tar", "-o", "x.json"]).expect(1);
    assert!(ran.stderr.contains("nothing is stated of it"), "{}", ran.stderr);
    assert!(!place.path().join("x.json").exists());
}

#[test]
fn in_toto_reads_what_we_state() {
    let python = crate::common::test_cache().join("readers/bin/python");
    if !python.exists() {
        crate::common::skipped("the readers that `make setup` installs");
        return;
    }
    let place = locked();
    build(&place, &["worker"]);
    place.run(&["image", "attest", "worker-image.tar", "-o", "statement.json"]).expect(0);
    let script = r#"
import json, sys
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
document = json.load(open(sys.argv[1]))
predicate = json_format.ParseDict(document["predicate"], provenance_pb2.Provenance())
for dependency in predicate.build_definition.resolved_dependencies:
    ResourceDescriptor.copy_from_pb(dependency).validate()
statement = json_format.ParseDict(document, Statement([], "", {}).pb)
Statement.copy_from_pb(statement).validate()
print(statement.predicate_type, len(predicate.build_definition.resolved_dependencies))
"#;
    let said = duct::cmd!(python, "-c", script, "statement.json").dir(place.path()).read().unwrap();
    assert!(said.starts_with("https://slsa.dev/provenance/v1 "), "{said}");
}
