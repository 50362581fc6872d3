//! The outputs as their readers see them: `check`, `--json`, help, completions, man pages.

use crate::common::{Place, Server, fake_channel};

fn locked_place() -> (Place, tempfile::TempDir) {
    let channel = tempfile::tempdir().unwrap();
    fake_channel(channel.path(), "linux-64", &[("a", "1", 0, &[], 0), ("b", "1", 0, &[], 0)]);
    let place = Place::with(&env(&channel, "a", "X: \"1\""));
    place.run(&["convert"]).expect(0);
    place.run(&["check"]).expect(0);
    (place, channel)
}

fn env(channel: &tempfile::TempDir, wanted: &str, variables: &str) -> String {
    format!(
        "channels: [\"file://{}\"]\nvariables: {{{variables}}}\ndependencies: [{wanted}]\n",
        channel.path().display()
    )
}

#[test]
fn check_names_what_changed() {
    let (place, channel) = locked_place();
    let says = |text: &str| {
        let ran = place.run(&["check"]).expect(1);
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
        assert!(ran.stderr.ends_with(
            "error: the lock is not current\n\nhint: run `envlock convert` and commit what it writes\n"
        ));
    };
    place.put("env.yml", env(&channel, "a=1", "X: \"1\""));
    says("user (linux-64): `a=1` was `a` when locked");
    place.put("env.yml", env(&channel, "a, b", "X: \"1\""));
    says("user (linux-64): `b` is asked for and not locked");
    place.put("env.yml", env(&channel, "", "X: \"1\""));
    says("user (linux-64): `a` is locked and no longer asked for");
    place.put("env.yml", env(&channel, "a", "X: \"2\""));
    says("user (linux-64): `variables` changed");
    place.put("env.yml", format!("platforms: [linux-64, osx-64]\n{}", env(&channel, "a", "X: \"1\"")));
    says("user (osx-64) is not locked");
    place.put("env.yml", env(&channel, "a", "X: \"1\"").replace("channels: [", "channels: [conda-forge, "));
    says("the channels, the name map or the files of an environment changed");
    place.put("env.yml", env(&channel, "a", "X: \"1\""));
    place.put("envlock.yml", "environment: env.yml\nexclude-newer: 2024-01-01\n");
    says("option exclude-newer is `2024-01-01T00:00:00Z` and was not set when locked");
    place.put("envlock.yml", "environment: env.yml\nroles: {worker: {}}\n");
    says("the roles of the project file changed");
    std::fs::remove_file(place.path().join("envlock.yml")).unwrap();
    // A comment changes nothing that envlock reads.
    place.put("env.yml", format!("# why\n{}", env(&channel, "a", "X: \"1\"")));
    place.run(&["check"]).expect(0);
}

#[test]
fn check_sees_outputs_that_disagree() {
    let (place, _channel) = locked_place();
    let lock = place.read("conda-lock.yml");
    let nix = place.read("envlock.nix");
    let says = |code: i32, text: &str| {
        let ran = place.run(&["check"]).expect(code);
        assert!(ran.stderr.contains(text), "{}", ran.stderr);
    };
    place.put("conda-lock.yml", lock.replace("version: \"1\"", "version: \"2\""));
    says(1, "a is 2 in the first and 1 in the second");
    let (at, digit) =
        (lock.find("sha256: ").unwrap() + 8, if lock.contains("sha256: 0") { "1" } else { "0" });
    let mut other = lock.clone();
    other.replace_range(at..=at, digit);
    place.put("conda-lock.yml", other);
    says(1, "a has another sha256");
    place.put("conda-lock.yml", lock.replace("url: file:", "url: https:"));
    says(1, "a has another URL");
    place.put(
        "conda-lock.yml",
        lock.replace("content_hash:\n    linux-64: ", "content_hash:\n    linux-64: 0"),
    );
    says(1, "content_hash of linux-64 is not that of the inputs");
    place.put("conda-lock.yml", lock.replace("- env.yml", "- other.yml"));
    says(1, "was made from other files: other.yml");
    for (from, to) in [
        ("md5: ", "md5: 0"),
        ("category: main", "category: dev"),
        ("dependencies: {}", "dependencies:\n    evil: \"*\""),
    ] {
        place.put("conda-lock.yml", lock.replacen(from, to, 1));
        says(1, "conda-lock.yml was edited since it was written");
    }
    place.put("conda-lock.yml", lock.replace("build: h0_0", "build: h0_1"));
    says(1, "a has another build");
    // Another form of the same is no difference.
    place.put("conda-lock.yml", format!("# reformatted\n{}", lock.replace("version: \"1\"", "version: '1'")));
    place.run(&["check"]).expect(0);
    place.put("conda-lock.yml", "package: [");
    says(2, "conda-lock.yml: ");
    std::fs::remove_file(place.path().join("conda-lock.yml")).unwrap();
    says(1, "conda-lock.yml is missing");
    place.put("conda-lock.yml", &lock);
    place.put("envlock.nix", nix.replace("version = \"1\"", "version = \"3\""));
    says(2, "`lockHash` is not that of the packages: the file was edited");
    for (from, to) in [
        ("X = \"1\"", "X = \"2\""),
        ("specs = [ \"a\" ]", "specs = [ \"b\" ]"),
        ("fileName = \"a-", "fileName = \"b-"),
        ("options = { }", "options = { channel-priority = \"disabled\"; }"),
        (
            "roles = { }",
            "roles = { evil = { services = { }; environment = { }; secrets = [ ]; ports = [ ]; volumes = [ ]; user = { name = \"a\"; id = 7; }; publishes = false; }; }",
        ),
    ] {
        assert!(nix.contains(from), "{from}: {nix}");
        place.put("envlock.nix", nix.replacen(from, to, 1));
        says(1, "envlock.nix was edited: it does not say what its sources do");
    }
    place.put("envlock.nix", nix.replace("{ }", "{}"));
    place.run(&["check"]).expect(0);
    std::fs::remove_file(place.path().join("envlock.nix")).unwrap();
    says(1, "envlock.nix is missing");
}

#[test]
fn options_of_the_command_line_are_remembered() {
    let channel = tempfile::tempdir().unwrap();
    fake_channel(channel.path(), "linux-64", &[("a", "1", 0, &["__cuda"], 1)]);
    let place = Place::with(&env(&channel, "a", ""));
    place.put("envlock.yml", "environment: env.yml\nchannel-priority: flexible\n");
    place.run(&["convert", "--virtual-package", "__cuda=12", "--exclude-newer", "2024-01-01"]).expect(0);
    place.run(&["check"]).expect(0);
    place.put("envlock.yml", "environment: env.yml\nchannel-priority: disabled\n");
    let ran = place.run(&["check"]).expect(1);
    assert!(
        ran.stderr.contains("option channel-priority is `disabled` and was `flexible` when locked"),
        "{}",
        ran.stderr
    );
}

#[test]
fn platforms_are_those_of_each_file() {
    let channel = tempfile::tempdir().unwrap();
    for subdir in ["linux-64", "linux-aarch64"] {
        fake_channel(channel.path(), subdir, &[("a", "1", 0, &[], 0)]);
    }
    let both = format!("platforms: [linux-64, linux-aarch64]\n{}", env(&channel, "a", ""));
    let place = Place::with(&both);
    place.put("rt.yml", env(&channel, "a", ""));
    place.put("envlock.yml", "environment: ./env.yml\nruntime: rt.yml\n");
    place.run(&["convert", "env.yml"]).expect(0);
    assert!(place.path().join("runtime.conda-lock.yml").exists(), "the project is found behind `./`");
    place.run(&["check"]).expect(0);
    // Without its platforms, the file asks for something else.
    place.put("env.yml", env(&channel, "a", ""));
    place.run(&["check"]).expect(1);
    place.put("env.yml", &both);
    place.run(&["convert", "--platform", "linux-aarch64"]).expect(0);
    place.run(&["check"]).expect(0);
    assert!(place.read("envlock.nix").contains("platforms = \"linux-aarch64\";"));
    // An environment that is no more leaves a file behind, which is said.
    place.put("envlock.yml", "environment: env.yml\n");
    let ran = place.run(&["convert"]).expect(0);
    assert!(ran.stderr.contains("runtime.conda-lock.yml is of no environment any more"), "{}", ran.stderr);
    place.run(&["check"]).expect(1);
    std::fs::remove_file(place.path().join("runtime.conda-lock.yml")).unwrap();
    place.run(&["check"]).expect(0);
}

#[test]
fn a_name_map_is_an_input() {
    let (place, _channel) = locked_place();
    place.put("names/map.yml", "pytorch: torch\n");
    place.run(&["convert", "--name-map", "names/map.yml"]).expect(0);
    assert!(place.read("envlock.nix").contains("name-map = \"names/map.yml\";"));
    place.run(&["check"]).expect(0);
    place.put("names/map.yml", "pytorch: torch2\n");
    let ran = place.run(&["check"]).expect(1);
    assert!(ran.stderr.contains("the name map"), "{}", ran.stderr);
    place.run(&["convert", "--name-map", "missing.yml"]).expect(2);
}

#[test]
fn json_for_scripts() {
    let (place, channel) = locked_place();
    let ran = place.run(&["check", "--json"]).expect(0);
    assert_eq!(ran.stdout, "{\"current\":true,\"findings\":[]}\n");
    place.put("env.yml", env(&channel, "b", "X: \"1\""));
    let found: serde_json::Value =
        serde_json::from_str(&place.run(&["check", "--json"]).expect(1).stdout).unwrap();
    assert_eq!(found["current"], false);
    assert_eq!(found["findings"].as_array().unwrap().len(), 2);
    place.put("env.yml", "nam: x\n");
    let failed: serde_json::Value =
        serde_json::from_str(&place.run(&["convert", "--json"]).expect(2).stdout).unwrap();
    assert_eq!(failed["error"]["exit_code"], 2);
    assert_eq!(failed["error"]["hint"], "did you mean `name`?");
}

#[test]
fn quiet_is_quiet_and_pipes_have_no_colour() {
    let (place, _channel) = locked_place();
    let ran = place.run(&["convert", "--quiet"]).expect(0);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    place.put("env.yml", "nam: x\n");
    assert!(!place.run(&["convert"]).stderr.contains('\x1b'));
    assert!(place.run(&["convert", "--color", "always"]).stderr.contains('\x1b'));
}

#[test]
fn help_has_examples_and_exit_codes() {
    let place = Place::new();
    let help = place.run(&["--help"]).expect(0).stdout;
    for code in 0..=7 {
        assert!(help.contains(&format!("\n  {code}  ")), "{help}");
    }
    for command in ["convert", "check"] {
        assert!(place.run(&[command, "--help"]).expect(0).stdout.contains("Examples:\n  envlock "));
    }
    assert!(place.run(&["--version"]).expect(0).stdout.starts_with("envlock 0."));
}

#[test]
fn completions_and_man_pages() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(place.run(&["completions", shell]).expect(0).stdout.contains("exclude-newer"));
    }
    place.run(&["man", "pages"]).expect(0);
    let page = place.read("pages/envlock-convert.1");
    assert!(page.contains("exclude\\-newer"), "{page}");
    assert!(place.path().join("pages/envlock.1").exists());
}

#[test]
fn awkward_text_reaches_nix_whole() {
    let channel = tempfile::tempdir().unwrap();
    fake_channel(channel.path(), "linux-64", &[("a", "1!2.0", 0, &[], 0)]);
    let place = Place::with(&env(&channel, "a", "X: \"${HOME} '' \\\\ \\\" \\n é\""));
    place.run(&["convert"]).expect(0);
    let nix = place.read("envlock.nix");
    assert!(
        nix.contains("fileName = \"a-1!2.0-h0_0.conda\";")
            && nix.contains("storeName = \"a-1_2.0-h0_0.conda\";"),
        "{nix}"
    );
    assert!(nix.contains(r#"X = "\${HOME} '' \\ \" \n é";"#), "{nix}");
    place.run(&["check"]).expect(0);
}

#[test]
fn a_second_convert_changes_nothing() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::new();
    place.copy("tests/channel/quickstart");
    place.run(&["convert", "--mirror", &server.mirror()]).expect(0);
    let modified = |name: &str| std::fs::metadata(place.path().join(name)).unwrap().modified().unwrap();
    let before = modified("envlock.nix");
    let ran = place.run(&["convert", "--mirror", &server.mirror()]).expect(0);
    assert!(ran.stderr.ends_with("envlock.nix unchanged\n"), "{}", ran.stderr);
    assert_eq!(modified("envlock.nix"), before);
}
