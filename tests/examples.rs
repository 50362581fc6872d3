//! The examples: what is committed is what `convert` writes.

use std::collections::BTreeMap;

use crate::{
    common::{Place, Server, fixture, locked, root},
    peers::{pypi_is_there, uv_compile},
};

/// Everything that `conda-lock.yml` says of its packages.
fn packages(place: &Place, name: &str) -> Vec<serde_yaml::Value> {
    let file: serde_yaml::Value = serde_yaml::from_str(&place.read(name)).unwrap();
    file["package"].as_sequence().unwrap().clone()
}

#[test]
fn the_quickstart_is_locked_as_committed() {
    let place = Place::new();
    place.copy("examples/quickstart");
    let committed = place.files();
    place.run(&["check"]).expect(0);
    let before = packages(&place, "conda-lock.yml");
    // PyPI has newer versions every day: what was locked is what is asked for.
    let pins = before
        .iter()
        .filter(|it| it["manager"] == "pip")
        .map(|it| format!("{}=={}\n", it["name"].as_str().unwrap(), it["version"].as_str().unwrap()));
    place.put("pins.txt", pins.collect::<String>());
    place.put("env.yml", format!("{}      - -c pins.txt\n", place.read("env.yml")));
    let mirror =
        format!("https://conda.anaconda.org/conda-forge=file://{}", fixture("conda-forge-2026").display());
    place.run(&["convert", "--mirror", &mirror]).expect(0);
    assert_eq!(packages(&place, "conda-lock.yml"), before);
    let others = ["master.conda-lock.yml", "runtime.conda-lock.yml"];
    for name in others {
        assert_eq!(place.read(name).as_bytes(), committed[name], "{name}");
    }

    let lock = place.read("conda-lock.yml");
    // tzdata is there twice: as a conda package, and as a wheel.
    assert_eq!(locked(&lock, "linux-64").len(), 44);
    assert!(locked(&lock, "linux-aarch64")["python"].starts_with("3.12."));
    for platform in ["linux-64", "linux-aarch64"] {
        for name in ["celery", "redis", "kombu", "vine"] {
            assert!(locked(&lock, platform).contains_key(name), "{name} on {platform}");
        }
    }
    let runtime = locked(&place.read("runtime.conda-lock.yml"), "linux-64");
    for name in ["sysroot_linux-64", "ca-certificates", "tzdata", "tini"] {
        assert!(runtime.contains_key(name), "{runtime:?}");
    }
    assert!(locked(&place.read("master.conda-lock.yml"), "linux-64").contains_key("redis-server"));
}

/// The conda part of the Airflow example, and a server of the channels of that time.
fn airflow() -> (Place, Server) {
    let text = std::fs::read_to_string(root().join("examples/airflow/env.yml")).unwrap();
    let (conda, _pip) = text.split_once(" - pip:\n").unwrap();
    let place = Place::with(conda);
    let root = format!("conda-forge={}", fixture("conda-forge-2019").display());
    let server =
        Server::start(&["--root", &root, "--synthesize-hashes", "conda-forge", "--empty", "anaconda"]);
    (place, server)
}

fn airflow_locked(arguments: &[&str]) -> (BTreeMap<String, String>, String) {
    let (place, server) = airflow();
    let mirror = format!("https://conda.anaconda.org={}", server.url);
    let ran = place.run(&[&["convert", "--mirror", &mirror], arguments].concat()).expect(0);
    assert!(
        ran.stderr
            .contains("warning: channel https://conda.anaconda.org/anaconda has no packages for linux-64"),
        "{}",
        ran.stderr
    );
    let lock = place.read("conda-lock.yml");
    assert!(
        lock.contains(
            "url: https://conda.anaconda.org/conda-forge/linux-64/python-3.6.7-h381d211_1004.tar.bz2"
        ),
        "{lock}"
    );
    place.run(&["check"]).expect(0);
    (locked(&lock, "linux-64"), lock)
}

#[test]
fn the_conda_part_of_airflow() {
    let (packages, lock) = airflow_locked(&[]);
    assert_eq!(packages.len(), 40, "{packages:?}");
    let expected = [
        ("python", "3.6.7"),
        ("cython", "0.29.1"),
        ("celery", "4.2.1"),
        ("flower", "0.9.2"),
        ("postgresql", "10.5"),
        ("gevent", "1.3.6"),
        ("greenlet", "0.4.15"),
        ("pip", "18.1"),
        ("kombu", "4.5.0"),
        ("tornado", "6.0.2"),
        ("openssl", "1.1.1b"),
        ("libpq", "10.5"),
        ("sqlite", "3.28.0"),
        ("setuptools", "41.0.1"),
    ];
    for (name, version) in expected {
        assert_eq!(packages[name], version, "{name}");
    }
    assert!(lock.contains("postgresql-10.5-hbeee2d4_2.tar.bz2"));
}

#[test]
fn the_conda_part_of_airflow_as_of_a_date() {
    let (packages, _) = airflow_locked(&["--exclude-newer", "2019-05-02"]);
    assert_eq!(packages.len(), 40, "{packages:?}");
    for (name, version) in
        [("python", "3.6.7"), ("celery", "4.2.1"), ("kombu", "4.4.0"), ("greenlet", "0.4.15")]
    {
        assert_eq!(packages[name], version, "{name}");
    }
    // A day earlier there is no greenlet 0.4.15 yet.
    let (place, server) = airflow();
    let mirror = format!("https://conda.anaconda.org={}", server.url);
    let ran = place.run(&["convert", "--mirror", &mirror, "--exclude-newer", "2019-05-01"]).expect(3);
    assert!(ran.stderr.contains("greenlet"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: --exclude-newer hides later packages"), "{}", ran.stderr);
}

/// The whole Airflow example as of May 2019: names and versions of PyPI's part, and what was said.
fn whole_airflow(arguments: &[&str], code: i32) -> (BTreeMap<String, String>, String) {
    let (place, server) = airflow();
    place.copy("examples/airflow");
    let mirror = format!("https://conda.anaconda.org={}", server.url);
    // Of the channels of that time there are records alone: nothing can be built.
    let all = [&["convert", "--no-build", "--mirror", &mirror, "--exclude-newer", "2019-05-02"], arguments];
    let all = all.concat();
    let said = place.run(&all).expect(code).stderr;
    if code != 0 {
        return (BTreeMap::new(), said);
    }
    place.run(&["check"]).expect(0);
    assert!(place.read("envlock.nix").contains("SLUGIFY_USES_TEXT_UNIDECODE = \"yes\";"));
    let pip = packages(&place, "conda-lock.yml").into_iter().filter(|it| it["manager"] == "pip");
    let text = |value: &serde_yaml::Value| value.as_str().unwrap().to_owned();
    (pip.map(|it| (text(&it["name"]), text(&it["version"]))).collect(), said)
}

#[test]
fn airflow_of_2019_as_its_own_pip_read_it() {
    if !pypi_is_there() {
        return;
    }
    let (packages, said) = whole_airflow(&[], 0);
    assert!(said.contains("pip 18.1 is solved for: its legacy reading is used"), "{said}");
    for (line, extra) in (18..).zip(EXTRAS) {
        let dropped = format!(
            "  env.yml:{line}: `apache-airflow[{extra}]==1.10.3`, behind `apache-airflow==1.10.1` of line 17\n"
        );
        assert!(said.contains(&dropped), "{dropped} in {said}");
    }
    for warning in [
        "flower 0.9.2 and tornado 6.0.2 are allowed together and do not work: flower does not start; add `tornado<6`",
        "kombu 4.4.0 and redis 2.10.6 are allowed together and do not work: kombu refuses this redis client; add `kombu<4.4`",
        "pandas asks for `pytz (>=2011k)`, which is read as `pytz>=2011`",
        "flask-appbuilder asks for `apispec[yaml]>=1.1.1<2`, which is read as `apispec[yaml]>=1.1.1,<2`",
    ] {
        assert!(said.contains(warning), "{warning} in {said}");
    }
    for (name, version) in [
        ("apache-airflow", "1.10.1"),
        ("psycopg2-binary", "2.7.6.1"),
        ("redis", "2.10.6"),
        ("pandas", "0.24.2"),
        ("flask-appbuilder", "1.13.0"),
    ] {
        assert_eq!(packages[name], version, "{name}");
    }
    assert_eq!(packages.len(), 78, "{packages:?}");
    for extra in ["cryptography", "mysqlclient", "jaydebeapi", "pyhive"] {
        assert!(!packages.contains_key(extra), "{extra} is of an extra");
    }
}

/// The extras of the seed's lines, in their order.
const EXTRAS: [&str; 11] =
    ["async", "celery", "crypto", "jdbc", "hive", "hdfs", "ldap", "mysql", "postgres", "s3", "redis"];

#[test]
fn airflow_of_2019_merged_and_strict() {
    if !pypi_is_there() {
        return;
    }
    let (_, said) = whole_airflow(&["--pip-resolver", "strict"], 3);
    assert!(
        said.contains(
            "two requirements of apache-airflow cannot both hold:\n  env.yml:17: `apache-airflow==1.10.1`\n  \
             env.yml:18: `apache-airflow[async]==1.10.3`\n\nhint: keep one of the two"
        ),
        "{said}"
    );
    let (packages, said) = whole_airflow(&["--pip-resolver", "merge"], 0);
    assert!(
        said.contains("celery 4.2.1 of conda is replaced by celery 4.1.1 of PyPI, as pip would"),
        "{said}"
    );
    for extra in ["cryptography", "mysqlclient", "jaydebeapi", "pyhive", "celery"] {
        assert!(packages.contains_key(extra), "{extra}: {packages:?}");
    }
}

#[test]
fn modern_airflow_on_the_test_channel() {
    let Some(server) = Server::test_channel(&[]) else { return };
    for (example, airflow) in [("airflow-2", "2.11.2"), ("airflow-3", "3.3.2")] {
        let place = Place::new();
        place.copy(&format!("tests/channel/{example}"));
        let requirement = format!("apache-airflow[celery,postgres,redis]=={airflow}");
        let limits = place.read("constraints.txt");
        // One has the roles of a cluster as well.
        let further: &[&str] =
            if place.path().join("envlock.yml").exists() { &["flower", "supervisor"] } else { &[] };
        let requirements = [&[requirement.as_str()], further].concat();
        let Some(theirs) = uv_compile(&place, &requirements, &limits) else { return };
        let ran = place.run(&["convert", "--mirror", &server.mirror()]).expect(0);
        assert!(!ran.stderr.contains("do not work"), "{}", ran.stderr);
        let pip = packages(&place, "conda-lock.yml").into_iter().filter(|it| it["manager"] == "pip");
        let text = |value: &serde_yaml::Value| value.as_str().unwrap().to_owned();
        let ours: BTreeMap<_, _> = pip.map(|it| (text(&it["name"]), text(&it["version"]))).collect();
        assert_eq!(ours, theirs, "{example}");
        assert!(ours.len() > 140 && ours["kombu"] == "5.6.2", "{ours:?}");
        let sdists = place.read("envlock.nix").matches("kind = \"sdist\"").count();
        assert_eq!(sdists, usize::from(example == "airflow-2"), "only python-nvd3 is no wheel");
    }
}

#[test]
fn modern_airflow_of_conda_forge_has_the_versions_that_run() {
    if !pypi_is_there() {
        return;
    }
    let mirror =
        format!("https://conda.anaconda.org/conda-forge=file://{}", fixture("conda-forge-2026").display());
    for (example, airflow) in [("airflow-2", "2.11.2"), ("airflow-3", "3.3.2")] {
        let place = Place::new();
        place.copy(&format!("examples/{example}"));
        // Of what the nodes have besides, the records here have little.
        for (name, package) in [("master", "redis-server"), ("worker", "tini")] {
            let file = format!("{name}.yml");
            let text = place.read(&file);
            let (head, _) = text.split_once("dependencies:").unwrap();
            place.put(&file, format!("{head}dependencies:\n  - {package}\n"));
        }
        // Of that channel there are records alone: nothing can be built.
        let ran = place.run(&["convert", "--no-build", "--mirror", &mirror]).expect(0);
        assert!(!ran.stderr.contains("do not work"), "{}", ran.stderr);
        let found = locked(&place.read("conda-lock.yml"), "linux-64");
        assert!(found["python"].starts_with("3.11."), "{found:?}");
        assert_eq!(found["apache-airflow"], airflow);
        for line in place.read("constraints.txt").lines().filter(|line| !line.starts_with('#')) {
            let (name, version) = line.split_once("==").unwrap();
            assert_eq!(found[name], version, "{example}: {name}");
        }
        assert!(found.contains_key("supervisor"), "{found:?}");
        // The services are those of the version that was locked, and the lock is current.
        let nix = place.read("envlock.nix");
        assert_eq!(nix.contains("        api-server = {"), example == "airflow-3");
        assert!(nix.contains("        flower = {") && nix.contains("location /myorg/airflow/"));
        place.run(&["check"]).expect(0);
        let stated = place.read("envlock.yml");
        place.put("envlock.yml", stated.replace("path: /myorg/airflow", "path: /elsewhere"));
        let ran = place.run(&["check"]).expect(1);
        assert!(ran.stderr.contains("the roles of the project file changed"), "{}", ran.stderr);
    }
}
