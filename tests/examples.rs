//! The examples: what is committed is what `convert` writes.

use std::collections::BTreeMap;

use crate::common::{Place, Server, assert_same_files, fixture, locked, root};

#[test]
fn the_quickstart_is_locked_as_committed() {
    let place = Place::new();
    place.copy("examples/quickstart");
    let committed = place.files();
    place.run(&["check"]).expect(0);
    let mirror =
        format!("https://conda.anaconda.org/conda-forge=file://{}", fixture("conda-forge-2026").display());
    place.run(&["convert", "--mirror", &mirror]).expect(0);
    assert_same_files(&place.files(), &committed);

    let lock = place.read("conda-lock.yml");
    assert_eq!(locked(&lock, "linux-64").len(), 24);
    assert!(locked(&lock, "linux-aarch64")["python"].starts_with("3.12."));
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

#[test]
fn the_pip_part_of_airflow_is_refused_where_it_begins() {
    let place = Place::new();
    place.copy("examples/airflow");
    let ran = place.run(&["convert"]).expect(2);
    assert!(
        ran.stderr.starts_with("error: env.yml:15:6: this version of envlock resolves no PyPI packages"),
        "{}",
        ran.stderr
    );
    assert_eq!(place.files().len(), 1);
}
