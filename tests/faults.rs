//! Channels and file systems that misbehave: the exact answer, and nothing half-written.

use crate::common::{CHANNEL, Place, Server, is_root, skipped};

const ENV: &str = "channels: [\"http://127.0.0.1:8765/debian\"]\ndependencies: [python=3.11]\n";

/// Converts [`ENV`] against a test channel with faults; the answer has `URL` for the server's address.
fn convert_with(faults: &[&str]) -> Option<(i32, String, Place)> {
    let server = Server::test_channel(faults)?;
    let place = Place::with(ENV);
    let ran = place.run(&["convert", "--quiet", "--mirror", &server.mirror()]);
    let stderr = ran.stderr.replace(&server.url, "URL");
    if ran.code != 0 {
        assert_eq!(place.files().len(), 1, "only env.yml is there after: {stderr}");
    }
    Some((ran.code, stderr, place))
}

#[track_caller]
fn expect(faults: &[&str], code: i32, stderr: &str) {
    if let Some((found, said, _)) = convert_with(faults) {
        assert_eq!((found, said.as_str()), (code, stderr));
    }
}

const ELSEWHERE: &str = "\n\nhint: try again later, or read the channel from elsewhere with --mirror\n";
const LOGIN: &str = "\n\nhint: try again; if it stays, open the URL in a browser: \
     a login page or a proxy often answers in a channel's place\n";

#[test]
fn no_such_channel() {
    expect(
        &["status:/debian/*:404"],
        4,
        "error: cannot read channel URL/debian (noarch): there is no repodata.json\n\n\
         hint: check the channel's name and its path; a channel has at least noarch/repodata.json\n",
    );
}

#[test]
fn a_subdir_that_is_not_there_is_said() {
    expect(
        &["status:/debian/linux-64/*:404"],
        3,
        "warning: channel http://127.0.0.1:8765/debian has no packages for linux-64\n\
         error: no packages satisfy the user environment on linux-64:\n\
         No candidates were found for python 3.11.*.\n\n\
         hint: env.yml:2:16: no channel has `python` for linux-64; is it a PyPI package, or in another channel?\n",
    );
}

#[test]
fn a_server_that_says_nothing() {
    let Some(server) = Server::test_channel(&["hang:*"]) else { return };
    let place = Place::with(ENV);
    let mut command = place.command(&["convert", "--quiet", "--mirror", &server.mirror()]);
    let ran = crate::common::Ran::from(command.env("ENVLOCK_HTTP_TIMEOUT", "1").output().unwrap()).expect(4);
    let said = ran
        .stderr
        .replace(&server.url, "URL")
        .replace("(linux-64)", "(SUBDIR)")
        .replace("(noarch)", "(SUBDIR)");
    let reason = "the server does not answer in time";
    assert_eq!(said, format!("error: cannot read channel URL/debian (SUBDIR): {reason}{ELSEWHERE}"));
}

#[test]
fn a_server_that_is_down_is_asked_again() {
    let said = format!(
        "error: cannot read channel URL/debian (SUBDIR): the server answers 503 Service Unavailable{ELSEWHERE}"
    );
    if let Some((code, stderr, _)) = convert_with(&["status:*:503"]) {
        // Both subdirs are asked at once: which one is told of is the network's choice.
        let stderr = stderr.replace("(linux-64)", "(SUBDIR)").replace("(noarch)", "(SUBDIR)");
        assert_eq!((code, stderr), (4, said));
    }
    expect(&["status:*:503x2"], 0, "");
}

#[test]
fn a_connection_that_is_reset() {
    if let Some((code, stderr, _)) = convert_with(&["reset:*"]) {
        assert_eq!(code, 4, "{stderr}");
        assert!(stderr.contains("cannot read channel URL/debian"), "{stderr}");
    }
}

#[test]
fn nobody_listens() {
    let place = Place::with(ENV);
    // Port 9 of the loopback: nothing listens on it, and nothing is sent anywhere else.
    let ran = place.run(&["convert", "--mirror", &format!("{CHANNEL}=http://127.0.0.1:9/debian")]).expect(4);
    assert!(ran.stderr.contains("cannot read channel http://127.0.0.1:9/debian"), "{}", ran.stderr);
    assert!(ran.stderr.contains("no connection"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("hint: check the network; with everything cached, --offline works"),
        "{}",
        ran.stderr
    );
}

#[test]
fn truncated_compressed_repodata() {
    if let Some((code, stderr, _)) = convert_with(&["truncate:*/linux-64/repodata.json.zst:3000"]) {
        assert_eq!(code, 4);
        assert!(stderr.starts_with("error: cannot read channel URL/debian (linux-64): its repodata is cut off or is not what a channel serves"), "{stderr}");
        assert!(stderr.ends_with(LOGIN), "{stderr}");
    }
}

#[test]
fn repodata_that_is_json_no_more() {
    let Some(channel) = crate::common::test_channel() else { return };
    let broken = tempfile::tempdir().unwrap();
    for subdir in ["linux-64", "noarch"] {
        std::fs::create_dir(broken.path().join(subdir)).unwrap();
        let whole = std::fs::read(channel.join(subdir).join("repodata.json")).unwrap();
        std::fs::write(broken.path().join(subdir).join("repodata.json"), &whole[..whole.len() / 2]).unwrap();
    }
    let place = Place::with(ENV);
    let ran =
        place.run(&["convert", "--mirror", &format!("{CHANNEL}={}", broken.path().display())]).expect(4);
    assert!(ran.stderr.contains("its repodata is cut off or is not what a channel serves"), "{}", ran.stderr);
    assert_eq!(place.files().len(), 1);
}

#[test]
fn a_login_page_instead_of_repodata() {
    if let Some((code, stderr, _)) = convert_with(&["content-type:*repodata.json*:text/html"]) {
        assert_eq!(code, 4);
        assert!(stderr.contains("its repodata is cut off or is not what a channel serves"), "{stderr}");
        assert!(stderr.ends_with(LOGIN), "{stderr}");
    }
}

#[test]
fn damaged_repodata() {
    if let Some((code, stderr, _)) = convert_with(&["corrupt:*/linux-64/repodata.json.zst"]) {
        assert_eq!(code, 4);
        assert!(stderr.ends_with(LOGIN), "{stderr}");
    }
}

#[test]
fn an_unsatisfiable_set_names_the_chain() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::with(
        "channels: [\"http://127.0.0.1:8765/debian\"]\ndependencies:\n  - hello-envlock=2.0\n  - hello-conflict\n",
    );
    let ran = place.run(&["convert", "--quiet", "--mirror", &server.mirror()]).expect(3);
    for word in [
        "user environment on linux-64",
        "hello-envlock",
        "hello-conflict",
        "libhello >=2",
        "libhello <2",
        "hint: ",
    ] {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    assert_eq!(place.files().len(), 1);
}

#[test]
fn the_unquoted_float_is_explained_when_nothing_is_found() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::with("channels: [\"http://127.0.0.1:8765/debian\"]\ndependencies: [python=3.1]\n");
    let ran = place.run(&["convert", "--quiet", "--mirror", &server.mirror()]).expect(3);
    assert!(
        ran.stderr.contains("hint: there is no Python 3.1 here; `3.10` without quotes"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_misspelt_package_is_recognised() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::with("channels: [\"http://127.0.0.1:8765/debian\"]\ndependencies: [redis-sever]\n");
    let ran = place.run(&["convert", "--quiet", "--mirror", &server.mirror()]).expect(3);
    assert!(
        ran.stderr.contains(
            "env.yml:2:16: no channel has `redis-sever` for linux-64; did you mean `redis-server`?"
        ),
        "{}",
        ran.stderr
    );
}

/// A channel of one package whose record states no hash.
fn channel_without_hashes() -> Option<tempfile::TempDir> {
    let channel = crate::common::test_channel()?;
    let bare = tempfile::tempdir().unwrap();
    for subdir in ["linux-64", "noarch"] {
        std::fs::create_dir(bare.path().join(subdir)).unwrap();
        let text = std::fs::read_to_string(channel.join(subdir).join("repodata.json")).unwrap();
        let mut repodata: serde_json::Value = serde_json::from_str(&text).unwrap();
        for kind in ["packages", "packages.conda"] {
            for (name, record) in repodata[kind].as_object_mut().unwrap() {
                let record = record.as_object_mut().unwrap();
                record.remove("sha256");
                record.remove("size");
                if record["name"] == "tini" {
                    std::fs::copy(channel.join(subdir).join(name), bare.path().join(subdir).join(name))
                        .unwrap();
                }
                if record["name"] == "bzip2" {
                    // What the record promises and what the file is are two things.
                    std::fs::write(bare.path().join(subdir).join(name), "not a package").unwrap();
                }
            }
        }
        std::fs::write(bare.path().join(subdir).join("repodata.json"), repodata.to_string()).unwrap();
    }
    Some(bare)
}

#[test]
fn a_record_without_a_hash_is_fetched_checked_and_refused_offline() {
    let Some(bare) = channel_without_hashes() else { return };
    let root = format!("debian={}", bare.path().display());
    let server = Server::start(&["--root", &root]);
    let mirror = server.mirror();

    let place = Place::with("channels: [\"http://127.0.0.1:8765/debian\"]\ndependencies: [tini]\n");
    place.run(&["convert", "--mirror", &mirror]).expect(0);
    let lock = place.read("conda-lock.yml");
    let channel = crate::common::test_channel().unwrap();
    let file = std::fs::read_dir(bare.path().join("linux-64")).unwrap().find_map(|entry| {
        Some(entry.unwrap().file_name().into_string().unwrap()).filter(|it| it.starts_with("tini"))
    });
    let path = channel.join("linux-64").join(file.unwrap());
    let sha256 = duct::cmd!("sha256sum", path).read().unwrap();
    assert!(lock.contains(sha256.split(' ').next().unwrap()), "{lock}");
    assert!(lock.contains("url: http://127.0.0.1:8765/debian/linux-64/tini"), "{lock}");

    let ran = place.run(&["convert", "--offline", "--mirror", &mirror]).expect(7);
    assert!(ran.stderr.contains("is not in the cache"), "{}", ran.stderr);

    let place = Place::with("channels: [\"http://127.0.0.1:8765/debian\"]\ndependencies: [bzip2]\n");
    let ran = place.run(&["convert", "--quiet", "--mirror", &mirror]).expect(6);
    assert!(ran.stderr.contains("is not the promised artifact: md5"), "{}", ran.stderr);
    assert!(ran.stderr.contains("http://127.0.0.1:8765/debian/linux-64/bzip2"), "{}", ran.stderr);
    assert_eq!(place.files().len(), 1);

    let place = Place::with("channels: [\"http://127.0.0.1:8765/debian\"]\ndependencies: [libffi]\n");
    let ran = place.run(&["convert", "--quiet", "--mirror", &mirror]).expect(4);
    assert!(ran.stderr.contains("the server answers 404"), "{}", ran.stderr);
}

#[test]
fn a_file_of_100_megabytes_is_not_read() {
    let place = Place::new();
    let file = std::fs::File::create(place.path().join("env.yml")).unwrap();
    file.set_len(100_000_000).unwrap();
    let ran = place.run(&["convert"]).expect(2);
    assert_eq!(
        ran.stderr,
        "error: env.yml is 100000000 bytes long, more than the 1048576 that an input file may have\n\n\
         hint: is this really an environment file?\n"
    );
}

#[test]
fn what_is_nested_beyond_reason_is_refused_and_not_parsed() {
    let place =
        Place::with(&format!("dependencies: [\"foo {}>=1{}\"]\n", "(".repeat(20_000), ")".repeat(20_000)));
    let ran = place.run(&["convert"]).expect(2);
    assert!(ran.stderr.contains("longer or nested deeper than a requirement may be"), "{}", ran.stderr);
    place.put(
        "env.yml",
        format!(
            "dependencies:\n  - pip:\n    - \"a; {}os_name == 'x'{}\"\n",
            "(".repeat(20_000),
            ")".repeat(20_000)
        ),
    );
    place.run(&["convert"]).expect(2);
    place.put("env.yml", "dependencies: []\n");
    place.put("envlock.nix", "[".repeat(300_000));
    let ran = place.run(&["check"]).expect(2);
    assert!(ran.stderr.contains("nested too deeply"), "{}", ran.stderr);
}

#[test]
fn files_of_the_user_are_left_alone() {
    let place = Place::with("channels: [conda-forge]\n");
    place.put(".envlock-settings.yml", "mine");
    place.put(".envlock-tmp-notes.part", "mine, too");
    place.put(".envlock-tmp-a1B2c3.part", "left by a killed run");
    place.run(&["convert"]).expect(0);
    let files = place.files();
    assert!(files.contains_key(".envlock-settings.yml") && files.contains_key(".envlock-tmp-notes.part"));
    assert!(!files.contains_key(".envlock-tmp-a1B2c3.part"));
}

#[test]
fn a_full_standard_output_is_an_error() {
    let place = Place::with("channels: [conda-forge]\n");
    for arguments in [&["completions", "bash"][..], &["convert", "--json"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = place.command(arguments).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(5), "{arguments:?}");
    }
}

#[test]
fn a_netrc_that_cannot_be_read_is_told_of() {
    let place = Place::with("channels: [conda-forge]\n");
    let output = place.command(&["convert"]).env("NETRC", "/nowhere/netrc").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("warning: /nowhere/netrc is not used: No such file or directory"), "{said}");
}

#[test]
fn the_channel_that_fails_is_named() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place =
        Place::with(&format!("channels: [\"{0}/debian\", \"{0}/nope\"]\ndependencies: [tini]\n", server.url));
    let ran = place.run(&["convert"]).expect(4);
    assert!(
        ran.stderr.contains(&format!("cannot read channel {}/nope (noarch)", server.url)),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_file_that_is_no_text() {
    let place = Place::new();
    place.put("env.yml", b"name: x\n\xff\xfe\n");
    let ran = place.run(&["convert"]).expect(2);
    assert_eq!(ran.stderr, "error: env.yml:2: not UTF-8 text\n\nhint: save the file as UTF-8\n");
}

/// Mounts a tmpfs in a mount namespace of its own and converts into it.
fn convert_on_tmpfs(options: &str) -> Option<(i32, String, String)> {
    let server = Server::test_channel(&[])?;
    if !is_root() {
        skipped("root, to mount a tmpfs");
        return None;
    }
    let place = Place::with(ENV);
    std::fs::create_dir(place.path().join("out")).unwrap();
    let script = format!(
        "mount -t tmpfs -o {options} none out && cp env.yml out/conda-lock.yml 2>/dev/null; \
         \"$0\" convert --quiet -o out --mirror '{}'; code=$?; ls -A out; exit $code",
        server.mirror()
    );
    let command = place.command(&[]);
    let output = std::process::Command::new("unshare")
        .args(["-m", "sh", "-c", &script])
        .arg(command.get_program())
        .current_dir(place.path())
        .env("ENVLOCK_CACHE", place.cache())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Some((output.status.code().unwrap(), text(output.stderr), text(output.stdout)))
}

#[test]
fn a_read_only_directory_stays_as_it_was() {
    if let Some((code, stderr, files)) = convert_on_tmpfs("ro") {
        assert_eq!(code, 5);
        assert_eq!(
            stderr,
            "error: cannot write out/conda-lock.yml: Read-only file system\n\n\
             hint: make the directory writable or choose another with -o; nothing was changed\n"
        );
        assert_eq!(files, "");
    }
}

#[test]
fn a_full_disk_leaves_the_old_outputs() {
    if let Some((code, stderr, files)) = convert_on_tmpfs("size=20k") {
        assert_eq!(code, 5);
        assert_eq!(
            stderr,
            "error: cannot write out/envlock.nix: No space left on device\n\n\
             hint: free some space; nothing was changed\n"
        );
        assert_eq!(files, "conda-lock.yml\n");
    }
}

#[test]
fn a_cache_that_cannot_be_written_is_not_the_channels_fault() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::with(ENV);
    place.put("file", "in the way");
    let ran = place.run(&["convert", "--cache-dir", "file", "--mirror", &server.mirror()]).expect(5);
    assert!(ran.stderr.starts_with("error: cannot keep channel metadata: "), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("or choose another with --cache-dir\n"), "{}", ran.stderr);
    assert_eq!(place.files().len(), 2);
}

#[test]
fn two_converts_at_once_write_one_whole_answer() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::with(ENV);
    let mirror = server.mirror();
    let running: Vec<_> = (0..8)
        .map(|_| {
            let mut command = place.command(&["convert", "--quiet", "--mirror", &mirror]);
            command.stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for child in running {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    place.run(&["check"]).expect(0);
    assert_eq!(place.files().into_keys().collect::<Vec<_>>(), ["conda-lock.yml", "env.yml", "envlock.nix"]);
}

#[test]
fn a_convert_that_is_killed_leaves_nothing_half_written() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::with(ENV);
    let mirror = server.mirror();
    for delay in [2, 10, 20, 30, 40, 50, 60, 80] {
        let mut child = place.command(&["convert", "--quiet", "--mirror", &mirror]).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_millis(delay));
        let _ = child.kill();
        child.wait().unwrap();
        for (name, content) in place.files() {
            let whole = !content.is_empty() && content.ends_with(b"\n");
            assert!(whole || name.starts_with(".envlock-"), "{name} is cut off");
        }
    }
    place.run(&["convert", "--mirror", &mirror]).expect(0);
    place.run(&["check"]).expect(0);
    assert_eq!(place.files().into_keys().collect::<Vec<_>>(), ["conda-lock.yml", "env.yml", "envlock.nix"]);
}
