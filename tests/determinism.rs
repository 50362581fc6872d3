//! The same inputs give the same bytes, whatever the surroundings.

use std::{collections::BTreeMap, path::Path, process::Command};

use crate::common::{Place, Server, assert_same_files, is_root, skipped, test_channel};

/// The outputs of the quickstart, converted in surroundings of the caller's choice.
fn outputs(
    place: &Place,
    mirror: &str,
    wrap: &[&str],
    variables: &[(&str, &str)],
    umask: &str,
) -> BTreeMap<String, Vec<u8>> {
    place.copy("tests/channel/quickstart");
    // Anyone may write here: the user is part of the surroundings.
    duct::cmd!("chmod", "-R", "a+rwX", place.path(), place.cache()).run().unwrap();
    let script = format!("umask {umask}; exec \"$@\"");
    let plain = place.command(&["convert", "--quiet", "--mirror", mirror]);
    let mut command = Command::new("env");
    command.args(wrap).args(["sh", "-c", &script, "sh"]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(place.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("HOME", place.cache()).env("ENVLOCK_CACHE", place.cache().join("cache"));
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut files = place.files();
    files.retain(|name, _| name.ends_with("lock.yml") || name == "envlock.nix");
    files
}

#[test]
fn surroundings_leave_no_trace() {
    let Some(channel) = test_channel() else { return };
    let server = Server::test_channel(&[]).unwrap();
    let by_http = server.mirror();
    let by_file = format!("{}=file://{}", crate::common::CHANNEL, channel.display());

    let first = Place::new();
    let expected = outputs(&first, &by_http, &[], &[("TZ", "UTC"), ("LC_ALL", "C")], "022");
    assert_eq!(expected.len(), 5, "{:?}", expected.keys());
    // A warm cache, one core, another locale, another time zone.
    let again = outputs(
        &first,
        &by_http,
        &["taskset", "-c", "0"],
        &[("TZ", "Pacific/Kiritimati"), ("LC_ALL", "C.UTF-8")],
        "077",
    );
    assert_same_files(&again, &expected);
    // Another directory, a cold cache, the same channel from its files instead of over HTTP.
    let second = Place::new();
    assert_same_files(
        &outputs(
            &second,
            &by_file,
            &[],
            // What uv's and pip's own programs would obey.
            &[
                ("TZ", "America/New_York"),
                ("RAYON_NUM_THREADS", "1"),
                ("UV_INDEX_URL", "http://127.0.0.1:1/simple"),
                ("UV_DEFAULT_INDEX", "http://127.0.0.1:1/simple"),
                ("UV_EXCLUDE_NEWER", "2020-01-01"),
                ("UV_OFFLINE", "1"),
                ("UV_PRERELEASE", "allow"),
                ("PIP_INDEX_URL", "http://127.0.0.1:1/simple"),
            ],
            "002",
        ),
        &expected,
    );

    if is_root() && Path::new("/usr/bin/setpriv").exists() {
        // The binary must be readable for another user: root's home is not.
        let third = Place::new();
        let binary = third.path().join("envlock");
        std::fs::copy(env!("CARGO_BIN_EXE_envlock"), &binary).unwrap();
        let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        third.copy("tests/channel/quickstart");
        duct::cmd!("chmod", "-R", "a+rwX", third.path(), third.cache()).run().unwrap();
        let output = Command::new(nobody[0])
            .args(&nobody[1..])
            .arg(&binary)
            .args(["convert", "--quiet", "--mirror", &by_http])
            .current_dir(third.path())
            .env_clear()
            .env("ENVLOCK_CACHE", third.cache().join("nobody"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut files = third.files();
        files.retain(|name, _| name.ends_with("lock.yml") || name == "envlock.nix");
        assert_same_files(&files, &expected);
    } else {
        skipped("root and setpriv, to convert as another user");
    }
}

#[test]
fn the_order_of_requirements_does_not_count() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let convert = |wanted: &str| {
        let place =
            Place::with(&format!("channels: [\"{}\"]\ndependencies: [{wanted}]\n", crate::common::CHANNEL));
        place.run(&["convert", "--mirror", &server.mirror()]).expect(0);
        (place.read("conda-lock.yml"), place.read("envlock.nix"))
    };
    let (one, other) =
        (convert("bash, redis-server, python=3.11"), convert("python=3.11, bash, redis-server"));
    // The content hash is conda-lock's, which sorts as well.
    assert!(one.0 == other.0, "conda-lock.yml differs");
    assert!(one.1 == other.1, "envlock.nix differs");
}

#[test]
fn modes_are_the_same_for_every_umask() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with("channels: [conda-forge]\n");
    let command = place.command(&["convert", "--quiet"]);
    let mut strict = Command::new("sh");
    strict.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(command.get_program()).args(command.get_args());
    assert!(strict.current_dir(place.path()).env("ENVLOCK_CACHE", place.cache()).status().unwrap().success());
    let mode = std::fs::metadata(place.path().join("envlock.nix")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}
