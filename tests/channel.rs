//! The test channel itself: built twice it is the same, and its gate lets nothing missing through.

use std::path::Path;

use crate::common::{is_root, root, skipped, test_cache, test_channel};

fn python(script: &str, arguments: &[&str]) -> duct::Expression {
    let script = root().join("tests/channel").join(script).display().to_string();
    let arguments = ["-B", &script].into_iter().chain(arguments.iter().copied());
    duct::cmd("/usr/bin/python3", arguments).stderr_to_stdout().unchecked()
}

#[test]
fn built_twice_it_is_byte_identical() {
    let Some(channel) = test_channel() else { return };
    let directory = tempfile::tempdir().unwrap();
    let again = directory.path().join("channel");
    let debs = test_cache().join("channel/debs");
    let script = "umask 077; exec taskset -c 0 /usr/bin/python3 -B \"$@\"";
    let build = root().join("tests/channel/build.py");
    duct::cmd!("sh", "-c", script, "sh", build, &again, "--debs", debs)
        .env("TZ", "Asia/Tokyo")
        .env("LC_ALL", "C")
        .stdout_null()
        .stderr_null()
        .run()
        .unwrap();
    let differences = duct::cmd!("diff", "-rq", channel, &again).unchecked().read().unwrap();
    assert_eq!(differences, "");
}

#[test]
fn nothing_in_it_needs_what_it_does_not_have() {
    let Some(channel) = test_channel() else { return };
    let said = python("gate.py", &[channel.to_str().unwrap()]).read().unwrap();
    assert!(python("gate.py", &[channel.to_str().unwrap()]).run().unwrap().status.success(), "{said}");
    if is_root() {
        let ran = python("gate.py", &[channel.to_str().unwrap(), "--run"]).stdout_capture().run().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    } else {
        skipped("root, to run the packages in a chroot");
    }
}

#[test]
fn a_missing_library_is_seen() {
    let Some(channel) = test_channel() else { return };
    let directory = tempfile::tempdir().unwrap();
    let broken = directory.path().join("channel");
    duct::cmd!("cp", "-r", channel, &broken).run().unwrap();
    for subdir in ["linux-64", "noarch"] {
        let path: &Path = &broken.join(subdir).join("repodata.json");
        let mut repodata: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        for kind in ["packages", "packages.conda"] {
            for record in repodata[kind].as_object_mut().unwrap().values_mut() {
                if record["name"] == "python" {
                    let depends = record["depends"].as_array_mut().unwrap();
                    depends.retain(|text| !text.as_str().unwrap().starts_with("libffi"));
                }
            }
        }
        std::fs::write(path, repodata.to_string()).unwrap();
    }
    let ran = python("gate.py", &[broken.to_str().unwrap()]).stdout_capture().run().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert!(!ran.status.success() && said.contains("libffi.so"), "{said}");
}
