//! Credentials reach the server and nothing else.

use std::path::Path;

use crate::common::{Place, Server, locked};

const SECRET: &str = "hunter2-secret";

/// Every file below a directory that holds the secret, and every name that does.
fn leaks(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.display().to_string().contains(SECRET) {
            found.push(path.display().to_string());
        }
        if path.is_dir() {
            leaks(&path, found);
        } else if std::fs::read(&path)
            .unwrap()
            .windows(SECRET.len())
            .any(|window| window == SECRET.as_bytes())
        {
            found.push(path.display().to_string());
        }
    }
}

#[track_caller]
fn no_leaks(place: &Place, said: &str, but: Option<&str>) {
    let mut found = Vec::new();
    leaks(place.path(), &mut found);
    leaks(place.cache(), &mut found);
    found.retain(|path| but.is_none_or(|but| !path.ends_with(but)));
    assert!(found.is_empty(), "{found:?}");
    assert!(!said.contains(SECRET), "{said}");
}

/// A server that wants credentials, and the host of its address.
fn server(fault: &str) -> Option<(Server, String)> {
    let server = Server::test_channel(&[fault])?;
    let host = server.url.trim_start_matches("http://").to_owned();
    Some((server, host))
}

#[test]
fn a_token_from_a_variable() {
    let Some((server, host)) = server(&format!("token:*:{SECRET}")) else { return };
    let place =
        Place::with(&format!("channels: [\"http://{host}/t/$CONDA_TOKEN/debian\"]\ndependencies: [tini]\n"));
    let output = place.command(&["convert"]).env("CONDA_TOKEN", SECRET).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    no_leaks(&place, &said, None);

    let lock = place.read("conda-lock.yml");
    assert!(locked(&lock, "linux-64").contains_key("tini"));
    assert!(lock.contains("url: http://".to_owned().as_str()), "{lock}");
    assert!(lock.contains(&format!("http://{host}/t/${{CONDA_TOKEN}}/debian/linux-64/tini")), "{lock}");
    assert!(lock.contains("  used_env_vars:\n    - CONDA_TOKEN\n"), "{lock}");
    // Nix takes credentials from its own netrc: its URLs have none.
    assert!(place.read("envlock.nix").contains(&format!("\"http://{host}/debian/linux-64/tini")));

    // The check needs neither the network nor the variable.
    drop(server);
    place.run(&["check"]).expect(0);
    let ran = place.run(&["convert"]).expect(4);
    assert!(ran.stderr.contains("the environment variable CONDA_TOKEN is not set"), "{}", ran.stderr);
}

#[test]
fn a_wrong_token_is_told_without_showing_it() {
    let Some((_server, host)) = server("token:*:right") else { return };
    let place =
        Place::with(&format!("channels: [\"http://{host}/t/$CONDA_TOKEN/debian\"]\ndependencies: [tini]\n"));
    let output = place.command(&["convert"]).env("CONDA_TOKEN", SECRET).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("the server answers 403 Forbidden"), "{said}");
    assert!(said.contains("hint: give credentials"), "{said}");
    no_leaks(&place, &said, None);
}

#[test]
fn a_password_from_a_variable() {
    let Some((_server, host)) = server(&format!("auth:*:me:{SECRET}")) else { return };
    let place =
        Place::with(&format!("channels: [\"http://me:$PASS@{host}/debian\"]\ndependencies: [tini]\n"));
    let output = place.command(&["convert"]).env("PASS", SECRET).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    no_leaks(&place, &said, None);
    assert!(
        place.read("conda-lock.yml").contains(&format!("http://me:${{PASS}}@{host}/debian/linux-64/tini"))
    );
}

#[test]
fn a_password_from_netrc() {
    let Some((_server, host)) = server(&format!("auth:*:me:{SECRET}")) else { return };
    let place = Place::with(&format!("channels: [\"http://{host}/debian\"]\ndependencies: [tini]\n"));
    let ran = place.run(&["convert"]).expect(4);
    assert!(ran.stderr.contains("the server answers 401 Unauthorized"), "{}", ran.stderr);

    let netrc = place.cache().join("netrc");
    std::fs::write(&netrc, format!("machine 127.0.0.1\nlogin me\npassword {SECRET}\n")).unwrap();
    let output = place.command(&["convert"]).env("NETRC", &netrc).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    no_leaks(&place, &said, Some("netrc"));
}

#[test]
fn a_mirror_with_a_password() {
    let Some((_server, host)) = server(&format!("auth:*:me:{SECRET}")) else { return };
    let place = Place::with("channels: [\"http://127.0.0.1:8765/debian\"]\ndependencies: [tini]\n");
    let mirror = format!("http://127.0.0.1:8765/debian=http://me:$PASS@{host}/debian");
    let output = place.command(&["convert", "--mirror", &mirror]).env("PASS", SECRET).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    no_leaks(&place, &said, None);
}

#[test]
fn a_token_in_front_of_a_requirement() {
    let Some((_server, host)) = server(&format!("token:*:{SECRET}")) else { return };
    let env = |channel: &str| {
        format!("channels: [conda-forge]\ndependencies: [\"http://{host}/t/{channel}/debian::tini\"]\n")
    };
    // conda-forge itself is not there: an empty directory stands in for it.
    let place = Place::with(&env("$CONDA_TOKEN"));
    crate::common::fake_channel(&place.cache().join("forge"), "linux-64", &[]);
    let mirror =
        format!("https://conda.anaconda.org/conda-forge=file://{}", place.cache().join("forge").display());
    for written in ["$CONDA_TOKEN", SECRET] {
        place.put("env.yml", env(written));
        let output =
            place.command(&["convert", "--mirror", &mirror]).env("CONDA_TOKEN", SECRET).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        no_leaks(&place, &said, Some("env.yml"));
        let lock = place.read("conda-lock.yml");
        assert!(lock.contains(&format!("http://{host}/t/${{CONDA_TOKEN}}/debian/linux-64/tini")), "{lock}");
        assert!(lock.contains("used_env_vars:\n    - CONDA_TOKEN\n"), "{lock}");
    }
}

#[test]
fn credentials_with_characters_that_urls_know() {
    for (secret, fault) in
        [("p@127.0.0.1:9/x?y#z", "auth:*:me:p@127.0.0.1:9/x?y#z"), ("s3cr et!", "token:*:s3cr et!")]
    {
        let Some((server, host)) = server(fault) else { return };
        let url = if fault.starts_with("auth") {
            format!("http://me:$SECRET@{host}/debian")
        } else {
            format!("http://{host}/t/$SECRET/debian")
        };
        let place = Place::with(&format!("channels: [\"{url}\"]\ndependencies: [tini]\n"));
        let output = place.command(&["convert"]).env("SECRET", secret).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}\n{}", server.requests());
    }
}

#[test]
fn an_empty_variable_is_none() {
    let Some((server, host)) = server("token:*:right") else { return };
    let place =
        Place::with(&format!("channels: [\"http://{host}/t/$CONDA_TOKEN/debian\"]\ndependencies: [tini]\n"));
    let output = place.command(&["convert"]).env("CONDA_TOKEN", "").output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(server.requests(), "");
}

/// The lock for Nix knows no credentials; the files beside it say which variables have them.
#[test]
fn an_image_of_a_private_channel() {
    let Some((server, host)) = server(&format!("token:*:{SECRET}")) else { return };
    let environment = |packages: &str| {
        format!("channels: [\"http://{host}/t/$CONDA_TOKEN/debian\"]\ndependencies: [{packages}]\n")
    };
    let place = Place::with(&environment("tini"));
    place.put("runtime.yml", environment("sysroot_linux-64, tini"));
    place.put("envlock.yml", "environment: env.yml\nruntime: runtime.yml\nroles: {worker: {}}\n");
    for arguments in [&["convert"][..], &["image", "build", "worker"]] {
        let output = place.command(arguments).env("CONDA_TOKEN", SECRET).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}\n{}", server.requests());
        no_leaks(&place, &said, None);
    }
}
