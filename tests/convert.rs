//! What `convert` resolves: channels, priorities, dates, platforms, selectors, several files.

use crate::common::{CHANNEL, Place, Server, assert_same_files, fake_channel, locked};

const DAY: u64 = 86_400_000;

fn version(place: &Place, platform: &str, name: &str) -> String {
    locked(&place.read("conda-lock.yml"), platform).get(name).cloned().unwrap_or_else(|| "-".to_owned())
}

#[test]
fn the_quickstart_on_the_test_channel() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::new();
    place.copy("tests/channel/quickstart");
    let ran = place.run(&["convert", "--mirror", &server.mirror(), "--json"]).expect(0);

    let user = locked(&place.read("conda-lock.yml"), "linux-64");
    assert!(user["python"].starts_with("3.11."), "{user:?}");
    assert!(user.len() >= 15, "{user:?}");
    let runtime = locked(&place.read("runtime.conda-lock.yml"), "linux-64");
    assert_eq!(runtime.keys().collect::<Vec<_>>(), ["ca-certificates", "sysroot_linux-64", "tini", "tzdata"]);
    let master = locked(&place.read("master.conda-lock.yml"), "linux-64");
    assert!(master.contains_key("redis-server") && master.contains_key("openssl"), "{master:?}");

    let summary: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(summary["environments"]["user"]["linux-64"]["packages"], user.len());
    assert_eq!(summary["outputs"].as_array().unwrap().len(), 4);
    assert_eq!(summary["changed"], true);
    let nix = place.read("envlock.nix");
    for text in
        ["\"redis-server\"", "readiness = {", "secrets = [ \"REDIS_PASSWORD\" ];", "publishes = true;"]
    {
        assert!(nix.contains(text), "{text}");
    }
    place.run(&["check"]).expect(0);

    // The environment file alone is the same project: its runtime and roles are not lost.
    let before = place.files();
    let ran = place.run(&["convert", "env.yml", "--mirror", &server.mirror()]).expect(0);
    assert!(ran.stderr.contains("unchanged"), "{}", ran.stderr);
    assert_same_files(&place.files(), &before);
}

#[test]
fn the_solver_has_to_choose() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let env = |wanted: &str| format!("channels: [\"{CHANNEL}\"]\ndependencies: [{wanted}]\n");
    let place = Place::with(&env("hello-envlock"));
    place.run(&["convert", "--mirror", &server.mirror()]).expect(0);
    assert_eq!(version(&place, "linux-64", "hello-envlock"), "2.0");
    place.put("env.yml", env("hello-envlock, hello-conflict"));
    place.run(&["convert", "--mirror", &server.mirror()]).expect(0);
    assert_ne!(version(&place, "linux-64", "hello-envlock"), "2.0");
    assert!(version(&place, "linux-64", "libhello").starts_with("1."));
}

#[test]
fn requirements_of_one_name_hold_together() {
    let channel = tempfile::tempdir().unwrap();
    fake_channel(
        channel.path(),
        "linux-64",
        &[("a", "1.0", 0, &[], 0), ("a", "1.5", 0, &[], 0), ("a", "2.0", 0, &[], 0)],
    );
    let channels = format!("channels: [\"file://{}\"]\n", channel.path().display());
    let place = Place::with(&format!("{channels}dependencies: ['a >=1.2', 'a <2']\n"));
    place.run(&["convert"]).expect(0);
    assert_eq!(version(&place, "linux-64", "a"), "1.5");

    // Also across files.
    place.put("env.yml", format!("{channels}dependencies: ['a >=1.2']\n"));
    place.put("more.yml", "dependencies: ['a <1.9']\n");
    place.run(&["convert", "env.yml", "more.yml"]).expect(0);
    assert_eq!(version(&place, "linux-64", "a"), "1.5");
    assert!(place.read("conda-lock.yml").contains("  sources:\n  - env.yml\n  - more.yml\n"));
    place.run(&["check", "env.yml", "more.yml"]).expect(0);
    place.run(&["check", "env.yml"]).expect(1);
}

#[test]
fn categories_are_entries_of_their_own() {
    let channel = tempfile::tempdir().unwrap();
    fake_channel(
        channel.path(),
        "linux-64",
        &[
            ("a", "1", 0, &["common"], 0),
            ("b", "1", 0, &["common", "helper"], 0),
            ("common", "1", 0, &[], 0),
            ("helper", "1", 0, &[], 0),
        ],
    );
    let place =
        Place::with(&format!("channels: [\"file://{}\"]\ndependencies: [a]\n", channel.path().display()));
    place.put("dev.yml", "category: dev\ndependencies: [b]\n");
    place.run(&["convert", "env.yml", "dev.yml"]).expect(0);
    let lock: serde_yaml::Value = serde_yaml::from_str(&place.read("conda-lock.yml")).unwrap();
    let entries: Vec<String> = lock["package"]
        .as_sequence()
        .unwrap()
        .iter()
        .map(|it| {
            format!(
                "{} {} {}",
                it["name"].as_str().unwrap(),
                it["category"].as_str().unwrap(),
                it["optional"].as_bool().unwrap()
            )
        })
        .collect();
    assert_eq!(entries, ["a main false", "b dev true", "common main false", "helper dev true"]);
}

#[test]
fn channels_rank() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fake_channel(first.path(), "linux-64", &[("a", "1", 0, &[], 0)]);
    fake_channel(second.path(), "linux-64", &[("a", "2", 0, &[], 0), ("b", "1", 0, &["a >=2"], 0)]);
    let channels = format!(
        "channels: [\"file://{}\", \"file://{}\"]\n",
        first.path().display(),
        second.path().display()
    );
    let place = Place::with(&format!("{channels}dependencies: [a]\n"));
    let chosen = |how: &str| {
        place.run(&["convert", "--upgrade", "--channel-priority", how]).expect(0);
        version(&place, "linux-64", "a")
    };
    assert_eq!([chosen("strict"), chosen("flexible"), chosen("disabled")], ["1", "1", "2"]);
    assert!(place.read("envlock.nix").contains("channel-priority = \"disabled\";"));
    place.run(&["check"]).expect(0);

    place.put("env.yml", format!("{channels}dependencies: [b]\n"));
    let ran = place.run(&["convert"]).expect(3);
    assert!(ran.stderr.contains("--channel-priority flexible"), "{}", ran.stderr);
    place.run(&["convert", "--channel-priority", "flexible"]).expect(0);
    assert_eq!(version(&place, "linux-64", "a"), "2");

    // A channel in front of one requirement holds for that one.
    let env = format!("{channels}dependencies: [\"file://{}::a\"]\n", second.path().display());
    place.put("env.yml", env);
    place.run(&["convert", "--channel-priority", "flexible"]).expect(0);
    assert_eq!(version(&place, "linux-64", "a"), "2");
}

#[test]
fn defaults_is_one_channel_in_two_places() {
    let (main, r) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fake_channel(main.path(), "linux-64", &[("a", "1", 0, &[], 0)]);
    fake_channel(r.path(), "linux-64", &[("a", "2", 0, &[], 0), ("r-base", "4", 0, &[], 0)]);
    let place = Place::with("channels: [defaults]\ndependencies: [a, \"defaults::r-base\"]\n");
    let mirror = |name: &str, directory: &tempfile::TempDir| {
        format!("https://repo.anaconda.com/pkgs/{name}=file://{}", directory.path().display())
    };
    place.run(&["convert", "--mirror", &mirror("main", &main), "--mirror", &mirror("r", &r)]).expect(0);
    // Within one channel no part outranks another, even under strict priority.
    assert_eq!(version(&place, "linux-64", "a"), "2");
    let lock = place.read("conda-lock.yml");
    assert!(lock.contains("- url: defaults\n"), "{lock}");
    assert!(lock.contains("url: https://repo.anaconda.com/pkgs/r/linux-64/r-base-4-h0_0.conda"), "{lock}");
}

#[test]
fn a_date_is_midnight_utc_and_what_has_no_time_is_left_out() {
    let channel = tempfile::tempdir().unwrap();
    let day = 20_000 * DAY;
    fake_channel(
        channel.path(),
        "linux-64",
        &[
            ("a", "1", 0, &[], day),
            ("a", "2", 0, &[], day + 1),
            ("a", "3", 0, &[], day + DAY),
            ("a", "4", 0, &[], 0),
        ],
    );
    let place =
        Place::with(&format!("channels: [\"file://{}\"]\ndependencies: [a]\n", channel.path().display()));
    let chosen = |arguments: &[&str]| {
        let ran = place.run(&[&["convert", "--upgrade"], arguments].concat()).expect(0);
        (version(&place, "linux-64", "a"), ran.stderr)
    };
    assert_eq!(chosen(&[]).0, "4");
    // Day 20,000 of the epoch is 2024-10-04.
    let (version, said) = chosen(&["--exclude-newer", "2024-10-04"]);
    assert_eq!(version, "1");
    assert!(said.contains("left out 1 records that have no timestamp"), "{said}");
    assert_eq!(chosen(&["--exclude-newer", "2024-10-05"]).0, "3");
    assert_eq!(chosen(&["--exclude-newer", "2024-10-04T12:00:00+02:00"]).0, "2");
    place.run(&["check"]).expect(0);
}

#[test]
fn platforms_and_selectors() {
    let channel = tempfile::tempdir().unwrap();
    for subdir in ["linux-64", "linux-aarch64", "osx-arm64"] {
        fake_channel(
            channel.path(),
            subdir,
            &[("a", "1", 0, &[], 0), ("b", "1", 0, &[], 0), ("c", "1", 0, &[], 0), ("d", "1", 0, &[], 0)],
        );
    }
    let place = Place::with(&format!(
        "channels: [\"file://{}\"]\nplatforms: [linux-64, linux-aarch64, osx-arm64]\ndependencies:\n  - a\n  - b # [linux and not aarch64]\n  \
         - sel(osx): c\n  - d # [unix] but a comment behind it\n",
        channel.path().display()
    ));
    place.run(&["convert"]).expect(0);
    let lock = place.read("conda-lock.yml");
    let names = |platform| locked(&lock, platform).into_keys().collect::<String>();
    assert_eq!([names("linux-64"), names("linux-aarch64"), names("osx-arm64")], ["abd", "ad", "acd"]);
    let nix = place.read("envlock.nix");
    for system in ["x86_64-linux = {", "aarch64-linux = {", "aarch64-darwin = {"] {
        assert!(nix.contains(system), "{nix}");
    }
    place.run(&["check"]).expect(0);
}

#[test]
fn platforms_of_the_command_line() {
    let channel = tempfile::tempdir().unwrap();
    fake_channel(channel.path(), "linux-aarch64", &[("a", "1", 0, &[], 0)]);
    let place =
        Place::with(&format!("channels: [\"file://{}\"]\ndependencies: [a]\n", channel.path().display()));
    place.run(&["convert", "--platform", "linux-aarch64"]).expect(0);
    assert_eq!(version(&place, "linux-aarch64", "a"), "1");
    place.run(&["check"]).expect(0);
}

#[test]
fn virtual_packages_are_the_targets() {
    let channel = tempfile::tempdir().unwrap();
    fake_channel(
        channel.path(),
        "linux-64",
        &[
            ("new", "1", 0, &["__glibc >=2.34"], 0),
            ("gpu", "1", 0, &["__cuda >=12"], 0),
            ("old", "1", 0, &["__glibc >=2.17", "__unix"], 0),
        ],
    );
    let env = |wanted: &str| {
        format!("channels: [\"file://{}\"]\ndependencies: [{wanted}]\n", channel.path().display())
    };
    let place = Place::with(&env("old"));
    place.run(&["convert"]).expect(0);
    assert_eq!(version(&place, "linux-64", "__glibc"), "-");

    place.put("env.yml", env("new"));
    let ran = place.run(&["convert"]).expect(3);
    assert!(ran.stderr.contains("--virtual-package __glibc=VERSION"), "{}", ran.stderr);
    place.run(&["convert", "--virtual-package", "__glibc=2.36"]).expect(0);
    place.run(&["check"]).expect(0);

    place.put("env.yml", env("gpu"));
    let ran = place.run(&["convert"]).expect(3);
    assert!(ran.stderr.contains("--virtual-package __cuda=12.4"), "{}", ran.stderr);
    place.put("envlock.yml", "environment: env.yml\nvirtual-packages: {__cuda: \"12.4\"}\n");
    place.run(&["convert"]).expect(0);
    assert!(place.read("envlock.nix").contains("__cuda = \"12.4\";"));
}

#[test]
fn a_package_by_its_url() {
    let Some(channel) = crate::common::test_channel() else { return };
    let tini = std::fs::read_dir(channel.join("linux-64"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with("tini"))
        .unwrap();
    let server = Server::test_channel(&[]).unwrap();
    let url = format!("{}/debian/linux-64/{tini}", server.url);
    let place = Place::with(&format!("channels: [\"{CHANNEL}\"]\ndependencies: [\"{url}\"]\n"));
    place.run(&["convert", "--mirror", &server.mirror()]).expect(0);
    let lock = place.read("conda-lock.yml");
    assert!(lock.contains(&format!("url: {url}\n")), "{lock}");
    let sha256 = duct::cmd!("sha256sum", channel.join("linux-64").join(&tini)).read().unwrap();
    assert!(lock.contains(sha256.split(' ').next().unwrap()), "{lock}");
    let ran = place.run(&["convert", "--offline", "--mirror", &server.mirror()]).expect(7);
    assert!(ran.stderr.contains("is a package URL, which must be fetched to be read"), "{}", ran.stderr);
}

#[test]
fn a_package_url_is_read_from_its_mirror_and_its_hash_is_checked() {
    let Some(channel) = crate::common::test_channel() else { return };
    let server = Server::test_channel(&[]).unwrap();
    let file = std::fs::read_dir(channel.join("linux-64"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find(|name| name.starts_with("tini"))
        .unwrap();
    let sha256 = duct::cmd!("sha256sum", channel.join("linux-64").join(&file)).read().unwrap();
    let sha256 = sha256.split(' ').next().unwrap().to_owned();
    let mirror = format!("https://channel.example/deb={}/debian", server.url);
    let convert = |pin: &str| {
        let url = format!("https://channel.example/deb/linux-64/{file}{pin}");
        let place =
            Place::with(&format!("channels: [\"https://channel.example/deb\"]\ndependencies: [\"{url}\"]\n"));
        (place.run(&["convert", "--mirror", &mirror]), place)
    };
    for pin in ["", &format!("#sha256:{sha256}"), &format!("#{sha256}")] {
        let (ran, place) = convert(pin);
        let _ = ran.expect(0);
        let lock = place.read("conda-lock.yml");
        assert!(lock.contains(&format!("url: https://channel.example/deb/linux-64/{file}\n")), "{lock}");
        assert!(lock.contains(&format!("sha256: {sha256}")) && lock.contains("md5: "), "{lock}");
        place.run(&["check"]).expect(0);
    }
    for pin in [&format!("#sha256={}", "0".repeat(64)), "#00000000000000000000000000000000"] {
        let (ran, _) = convert(pin);
        let ran = ran.expect(6);
        assert!(ran.stderr.contains("is not the promised artifact"), "{}", ran.stderr);
    }
    let place = Place::with(
        "channels: [\"https://channel.example/deb\"]\ndependencies: [\"https://channel.example/deb/linux-64/no-1-0.conda\"]\n",
    );
    let ran = place.run(&["convert", "--mirror", &mirror]).expect(4);
    assert!(ran.stderr.contains("cannot read the package"), "{}", ran.stderr);
}

#[test]
fn what_brackets_ask_for_is_what_is_locked() {
    let channel = tempfile::tempdir().unwrap();
    fake_channel(channel.path(), "linux-64", &[("a", "1", 0, &[], 0), ("a", "2", 0, &[], 0)]);
    let url = format!("file://{}", channel.path().display());
    let place = Place::new();
    let convert = |wanted: &str, code: i32| {
        place.put("env.yml", format!("channels: [\"{url}\"]\ndependencies: [\"{wanted}\"]\n"));
        place.run(&["convert"]).expect(code).stderr
    };
    convert("a[fn=a-1-h0_0.conda]", 0);
    assert_eq!(version(&place, "linux-64", "a"), "1");
    let said = convert("a[subdir=noarch]", 3);
    assert!(said.contains("asks for another file"), "{said}");
    convert("a[subdir=linux-64]", 0);
    convert(&format!("{url}/linux-64::a=1"), 0);
    assert_eq!(version(&place, "linux-64", "a"), "1");
    let said = convert("a[md5=00000000000000000000000000000000]", 6);
    assert!(said.contains("is not the promised artifact: md5"), "{said}");
}

#[test]
fn paths_of_channels_are_relative_to_the_file() {
    let place = Place::new();
    fake_channel(&place.path().join("channel"), "linux-64", &[("a", "1", 0, &[], 0)]);
    place.put("project/env.yml", "channels: [../channel]\ndependencies: [a]\n");
    place.run(&["convert", "project/env.yml"]).expect(0);
    let mut inside = place.command(&["convert"]);
    let output = inside.current_dir(place.path().join("project")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("unchanged"), "{said}");
}

#[test]
fn an_alias_with_a_path() {
    let root = tempfile::tempdir().unwrap();
    fake_channel(&root.path().join("some/path/ch"), "linux-64", &[("a", "1", 0, &[], 0)]);
    let place = Place::with("channels: [ch]\ndependencies: [a]\n");
    for alias in ["some/path", "some/path/"] {
        let alias = format!("file://{}/{alias}", root.path().display());
        place.run(&["convert", "--channel-alias", &alias]).expect(0);
        place.run(&["check"]).expect(0);
    }
}

#[test]
fn two_channels_in_one_place_are_refused() {
    let place = Place::with("channels: [a, b]\ndependencies: [x]\n");
    let arguments = [
        "convert",
        "--mirror",
        "https://conda.anaconda.org/a=file:///c",
        "--mirror",
        "https://conda.anaconda.org/b=file:///c",
    ];
    let ran = place.run(&arguments).expect(2);
    assert!(ran.stderr.contains("are both read from file:///c"), "{}", ran.stderr);
}

#[test]
fn what_is_found_in_the_wild_converts() {
    let channel = tempfile::tempdir().unwrap();
    fake_channel(
        channel.path(),
        "linux-64",
        &[("python", "3.8.1", 0, &[], 0), ("numpy", "1.26.4", 0, &[], 0), ("pip", "20", 0, &[], 0)],
    );
    let url = format!("file://{}", channel.path().display());
    let wild = [
        format!(
            "\u{feff}name: null\r\nchannels:\r\n  - {url}\r\n  - nodefaults\r\ndependencies:\r\n  - python=3.8.*\r\n"
        ),
        format!(
            "name: 12\nchannels: [\"{url}/\"]\ndependencies: [python 3.8*, numpy=1.*, numpy >=1.20 , pip]\n"
        ),
        format!("channels: [\"{url}\"]\ndependencies:\n  - numpy=1.26.*=h0_* # pinned\n  - pip:\n"),
        format!("x: &c [\"{url}\"]\n").replace("x:", "channels:")
            + "dependencies:\n- 'python>=3.6,<3.9'\n- \"numpy~=1.26\"\n",
        format!(
            "channels: [\"{url}\"]\nvariables: {{PORT: 8080, A: \"yes\"}}\ndependencies:\n  - python ==3.8.1\nprefix: /opt/x\n"
        ),
    ];
    for env in wild {
        let place = Place::with(&env);
        place.run(&["convert"]).expect(0);
        place.run(&["check"]).expect(0);
    }
}

#[test]
fn an_empty_environment_is_one() {
    let place = Place::with("channels: [conda-forge]\ndependencies:\n  - a # [win]\n  -\n  - pip:\n");
    place.run(&["convert"]).expect(0);
    assert!(place.read("conda-lock.yml").contains("package: []"));
    place.run(&["check"]).expect(0);
}

#[test]
fn offline_from_the_cache() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::with(&format!("channels: [\"{CHANNEL}\"]\ndependencies: [tini]\n"));
    let mirror = server.mirror();
    let ran = place.run(&["convert", "--offline", "--mirror", &mirror]).expect(7);
    assert!(ran.stderr.contains("is not in the cache"), "{}", ran.stderr);
    assert_eq!(server.requests(), "", "not one request");

    place.run(&["convert", "--mirror", &mirror]).expect(0);
    let (files, requests) = (place.files(), server.requests());
    place.run(&["convert", "--offline", "--mirror", &mirror]).expect(0);
    assert_eq!(server.requests(), requests, "not one more request");
    drop(server);
    place.run(&["convert", "--offline", "--mirror", &mirror]).expect(0);
    assert_same_files(&place.files(), &files);
}

#[test]
fn frozen_metadata_gives_the_same_or_says_that_it_is_gone() {
    let channel = tempfile::tempdir().unwrap();
    let records: [(&str, &str, u64, &[&str], u64); 2] = [("a", "1", 0, &[], 0), ("a", "2", 0, &[], 0)];
    fake_channel(channel.path(), "linux-64", &records[..1]);
    let place =
        Place::with(&format!("channels: [\"file://{}\"]\ndependencies: [a]\n", channel.path().display()));
    place.run(&["convert"]).expect(0);
    let files = place.files();
    place.run(&["convert", "--frozen-metadata"]).expect(0);
    assert_same_files(&place.files(), &files);

    fake_channel(channel.path(), "linux-64", &records);
    let ran = place.run(&["convert", "--frozen-metadata"]).expect(7);
    assert!(ran.stderr.contains("is no longer in the cache"), "{}", ran.stderr);
    assert_same_files(&place.files(), &files);
    place.run(&["convert", "--upgrade"]).expect(0);
    assert_eq!(version(&place, "linux-64", "a"), "2");
}

#[test]
fn what_is_ignored_is_said() {
    let place = Place::with("prefix: /home/me/env\nchannels: [conda-forge]\n");
    let ran = place.run(&["convert"]).expect(0);
    assert!(ran.stderr.contains("env.yml:1: `prefix` is ignored"), "{}", ran.stderr);
    assert!(!place.read("envlock.nix").contains("/home/me"));
}

#[test]
fn an_empty_channel_is_said() {
    let server = Server::start(&["--empty", "nothing"]);
    let place = Place::with(&format!("channels: [\"{}/nothing\"]\ndependencies: [a]\n", server.url));
    let ran = place.run(&["convert"]).expect(3);
    assert!(ran.stderr.contains("/nothing has no packages for linux-64"), "{}", ran.stderr);
}
