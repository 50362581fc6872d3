//! Readers that are not ours: conda-lock 4 and Nix.

use std::collections::BTreeSet;

use crate::common::{Place, Server, root, skipped, test_cache};

/// A place with the quickstart of the test channel, and one with every kind of requirement.
fn samples() -> Option<Vec<Place>> {
    let server = Server::test_channel(&[])?;
    let quickstart = Place::new();
    quickstart.copy("tests/channel/quickstart");
    let rich = Place::with(
        "name: rich\nchannels: [\"http://127.0.0.1:8765/debian/\", nodefaults]\nplatforms: [linux-64, linux-aarch64]\n\
         variables: {A: \"b\"}\ndependencies:\n  - tzdata\n  - python=3.11 # [linux64]\n  - 'tini >=0.1,<2|3' # [linux64]\n  \
         - \"bzip2[version='>=1.0']\" # [linux64]\n  - hello-py # [linux64]\n",
    );
    rich.put("envlock.yml", "environment: [env.yml, dev.yml]\n");
    rich.put("dev.yml", "category: dev\ndependencies:\n  - ca-certificates\n  - sqlite # [linux64]\n");
    for place in [&quickstart, &rich] {
        place.run(&["convert", "--mirror", &server.mirror()]).expect(0);
    }
    let example = Place::new();
    example.copy("examples/quickstart");
    Some(vec![quickstart, rich, example])
}

#[test]
fn conda_lock_reads_what_we_write() {
    let python = test_cache().join("readers/bin/python");
    if !python.exists() {
        skipped("conda-lock 4, which `make setup` installs");
        return;
    }
    let Some(samples) = samples() else { return };
    for place in samples {
        for name in
            place.files().into_keys().filter(|name| name.ends_with("lock.yml") && name != "envlock.yml")
        {
            let script = root().join("tests/readers/read_conda_lock.py");
            let path = place.path().join(&name);
            let said = duct::cmd!(&python, script, path).stderr_to_stdout().unchecked().read().unwrap();
            assert!(said.ends_with("agrees"), "{name}: {said}");
        }
    }
}

#[test]
fn nix_evaluates_what_we_write() {
    let Ok(nix) = which::which("nix-instantiate") else {
        skipped("nix-instantiate, of Debian's nix-bin");
        return;
    };
    let Some(samples) = samples() else { return };
    for place in samples {
        let store = place.cache().join("nix");
        let evaluated = duct::cmd!(
            &nix,
            "--eval",
            "--strict",
            "--json",
            "--read-write-mode",
            place.path().join("envlock.nix")
        )
        .env("NIX_STATE_DIR", store.join("state"))
        .env("NIX_STORE_DIR", store.join("store"))
        .env("NIX_LOG_DIR", store.join("log"))
        .env("NIX_LOCALSTATE_DIR", store.join("var"))
        .read()
        .unwrap();
        let lock: serde_json::Value = serde_json::from_str(&evaluated).unwrap();
        for (name, systems) in lock["environments"].as_object().unwrap() {
            let file =
                if name == "user" { "conda-lock.yml".to_owned() } else { format!("{name}.conda-lock.yml") };
            let ours: serde_yaml::Value = serde_yaml::from_str(&place.read(&file)).unwrap();
            for (system, platform) in [("x86_64-linux", "linux-64"), ("aarch64-linux", "linux-aarch64")] {
                let theirs: BTreeSet<String> = systems[system]["packages"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|it| {
                        format!(
                            "{} {} {} {}",
                            it["name"],
                            it["version"],
                            it["url"],
                            hex(it["hash"].as_str().unwrap())
                        )
                    })
                    .collect();
                let text = |value: &serde_yaml::Value| format!("{:?}", value.as_str().unwrap());
                let ours: BTreeSet<String> = ours["package"]
                    .as_sequence()
                    .unwrap()
                    .iter()
                    .filter(|it| it["platform"] == platform)
                    .map(|it| {
                        format!(
                            "{} {} {} {}",
                            text(&it["name"]),
                            text(&it["version"]),
                            text(&it["url"]),
                            it["hash"]["sha256"].as_str().unwrap()
                        )
                    })
                    .collect();
                assert_eq!(theirs, ours, "{name} on {platform}");
            }
        }
    }
}

/// The hex digits of an SRI hash, by coreutils: a second opinion on our base64.
fn hex(sri: &str) -> String {
    let decoded = duct::cmd!("base64", "-d")
        .stdin_bytes(sri.trim_start_matches("sha256-"))
        .stdout_capture()
        .run()
        .unwrap();
    decoded.stdout.iter().map(|byte| format!("{byte:02x}")).collect()
}
