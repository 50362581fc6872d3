//! The store: servers that misbehave, processes that are killed, several at once, full disks, damage, bundles.

use std::{
    os::unix::process::ExitStatusExt,
    process::Stdio,
    time::{Duration, Instant},
};

use crate::common::{
    Place, Ran, Server, assert_same_files, is_root,
    packages::{Artifact, Conda, Member, fake_python, lock, lock_at, sha256},
    project, skipped,
};

/// Bytes that do not compress, the same every time.
fn noise(length: usize) -> Vec<u8> {
    let mut state: u32 = 7;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn package() -> Conda {
    Conda::new("a", &[Member::file("share/a", noise(300_000))])
}

/// A lock of one package on a server with faults, and the server.
fn served(faults: &[&str]) -> (Place, Server) {
    let place = Place::new();
    let artifact = Artifact::conda(&package());
    lock_at(&place, &[artifact], "http://127.0.0.1:1");
    let root = format!("channel={}", place.path().join("channel").display());
    let mut arguments = vec!["--root", &root];
    for fault in faults {
        arguments.extend(["--fault", fault]);
    }
    let server = Server::start(&arguments);
    (place, server)
}

fn fetch(place: &Place, server: &Server) -> Ran {
    let mirror = format!("http://127.0.0.1:1={}", server.url);
    let mut command = place.command(&["fetch", "--mirror", &mirror]);
    Ran::from(command.env("ENVLOCK_HTTP_TIMEOUT", "1").output().unwrap())
}

/// Everything below the artifacts of a cache.
fn kept(place: &Place) -> Vec<String> {
    let root = place.cache().join("envlock/artifacts");
    let entries = walkdir::WalkDir::new(&root).into_iter().filter_map(Result::ok);
    entries
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.path().strip_prefix(&root).unwrap().display().to_string())
        .collect()
}

fn whole() -> Vec<String> {
    let digest = sha256(&package().conda());
    vec![format!("sha256/{}/{digest}", &digest[..2])]
}

#[test]
fn servers_that_get_well_again() {
    for faults in [
        &["status:*.conda:500x3"][..],
        &["status:*.conda:503x1"],
        &["status:*.conda:429x1"],
        &["truncate:*.conda:100000"],
        &["truncate:*.conda:0x2"],
        &["stall:*.conda:150000x1"],
        // The first half was of another version: the rest is not put behind it.
        &["change:*.conda:x1", "truncate:*.conda:200000x1"],
    ] {
        let (place, server) = served(faults);
        let ran = fetch(&place, &server).expect(0);
        assert_eq!(ran.stderr, "1 artifacts are in the store, 1 of them new\n", "{faults:?}");
        assert_eq!(kept(&place), whole(), "{faults:?}");
    }
}

#[test]
fn a_broken_download_is_resumed_where_it_broke() {
    let (place, server) = served(&["truncate:*.conda:100000x1"]);
    fetch(&place, &server).expect(0);
    let requests = server.requests();
    let answers: Vec<_> = requests.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(answers, ["200", "206"], "{requests}");
}

#[test]
fn servers_that_stay_ill() {
    for (faults, code, sentence) in [
        (&["status:*.conda:500"][..], 4, "the server answers 500 Internal Server Error"),
        (&["status:*.conda:404"], 4, "the server answers 404 Not Found"),
        (&["hang:*.conda"], 4, "cannot fetch http://127.0.0.1:1/channel/linux-64/a-1.0-0.conda"),
        (&["reset:*.conda"], 4, "cannot fetch http://127.0.0.1:1/channel/linux-64/a-1.0-0.conda"),
        (&["corrupt:*.conda"], 6, "is not the promised artifact: sha256 "),
        (&["change:*.conda:x9"], 6, "is not the promised artifact: sha256 "),
        (&["content-type:*.conda:text/html"], 6, "is not the promised artifact: sha256 "),
    ] {
        let (place, server) = served(faults);
        let ran = fetch(&place, &server).expect(code);
        assert!(
            ran.stderr.contains(sentence) && ran.stderr.contains("\nhint: "),
            "{faults:?}: {}",
            ran.stderr
        );
        assert_eq!(kept(&place), [""; 0], "{faults:?}");
    }
}

#[test]
fn a_file_that_never_ends_is_not_received() {
    // The lock states the size: one byte more is one too many.
    let (place, server) = served(&["content-type:*.conda:text/html"]);
    let nix = Place::with("channels: [\"http://127.0.0.1:1/channel\"]\ndependencies: [a]\n");
    let record = serde_json::json!({ "packages": {}, "packages.conda": { "a-1.0-0.conda": {
        "name": "a", "version": "1.0", "build": "0", "build_number": 0, "depends": [], "subdir": "linux-64",
        "sha256": sha256(&package().conda()), "md5": "0".repeat(32), "size": 10,
    } } });
    place.put("channel/linux-64/repodata.json", record.to_string());
    place.put("channel/noarch/repodata.json", r#"{"packages":{},"packages.conda":{}}"#);
    let files = format!("http://127.0.0.1:1/channel={}", place.path().join("channel").display());
    nix.run(&["convert", "--quiet", "--mirror", &files]).expect(0);
    let ran = fetch(&nix, &server).expect(6);
    assert!(ran.stderr.contains("size more instead of 10"), "{}", ran.stderr);
    assert_eq!(kept(&nix), [""; 0]);
}

#[test]
fn a_server_that_gives_the_same_beginning_for_ever() {
    // After 100 bytes the line drops, and the rest is refused: that is no progress, however often.
    let (place, server) = served(&[]);
    let started = Instant::now();
    drop(server);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        use std::io::{BufRead, BufReader, Write};
        let mut count = 0;
        for stream in listener.incoming().take(40) {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let ranged = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .any(|line| line.to_lowercase().starts_with("range:"));
            count += 1;
            let answer = if ranged {
                "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                    .to_owned()
            } else {
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\nConnection: close\r\n\r\n{}",
                    "x".repeat(100)
                )
            };
            let _ = stream.write_all(answer.as_bytes());
            if count > 30 {
                break;
            }
        }
    });
    let mirror = format!("http://127.0.0.1:1={url}");
    let output =
        place.command(&["fetch", "--mirror", &mirror]).env("ENVLOCK_HTTP_TIMEOUT", "2").output().unwrap();
    assert_eq!(Ran::from(output).code, 4);
    assert!(started.elapsed() < Duration::from_mins(1));
    drop(serving);
}

#[test]
fn a_password_in_a_lock_is_refused() {
    let (place, server) = served(&[]);
    place.put("conda-lock.yml", place.read("conda-lock.yml").replace("http://", "http://me:hunter2@"));
    let ran = fetch(&place, &server).expect(2);
    assert!(ran.stderr.contains("the URL of a holds credentials"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    // Neither in the other output.
    let project = Place::with("channels: []\ndependencies: []\n");
    project.run(&["convert", "--quiet"]).expect(0);
    let package = "{ kind = \"conda\"; name = \"a\"; version = \"1.0\"; fileName = \"a\"; storeName = \"a\"; \
                   url = \"https://h/t/hunter2/linux-64/a-1.0-0.conda\"; hash = \"sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"; }";
    let line = format!("conda\ta\t1.0\ta-1.0-0.conda\t{}\n", "0".repeat(64));
    let nix = project.read("envlock.nix").replace("packages = [ ];", &format!("packages = [ {package} ];"));
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    project.put("envlock.nix", nix.replacen(empty, &sha256(line.as_bytes()), 1));
    let ran = project.run(&["install", "envlock.nix", "--prefix", "env"]).expect(2);
    assert!(ran.stderr.contains("the URL of a holds credentials"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
}

#[test]
fn offline_asks_nobody() {
    let (place, server) = served(&[]);
    let mirror = format!("http://127.0.0.1:1={}", server.url);
    let ran = place.run(&["install", "--prefix", "env", "--offline", "--mirror", &mirror]).expect(7);
    assert!(
        ran.stderr.contains("a-1.0-0.conda is not in the cache\n\nhint: run once without --offline"),
        "{}",
        ran.stderr
    );
    assert_eq!(server.requests(), "");
    fetch(&place, &server).expect(0);
    let before = server.requests();
    place.run(&["install", "--prefix", "env", "--offline", "--mirror", &mirror]).expect(0);
    assert_eq!(server.requests(), before);
}

#[test]
fn damage_in_the_cache_is_noticed() {
    let (place, server) = served(&[]);
    fetch(&place, &server).expect(0);
    let artifact = place.cache().join("envlock/artifacts").join(&whole()[0]);
    let damage = || {
        let mut bytes = package().conda();
        bytes[1000] ^= 1;
        std::fs::write(&artifact, bytes).unwrap();
    };
    damage();
    let mirror = format!("http://127.0.0.1:1={}", server.url);
    let ran = place.run(&["install", "--prefix", "env", "--offline", "--mirror", &mirror]).expect(6);
    assert!(ran.stderr.contains("of the cache is damaged: sha256 "), "{}", ran.stderr);
    assert!(!place.path().join("env").exists());
    // With a network it is fetched again.
    let ran = place.run(&["install", "--prefix", "env", "--mirror", &mirror]).expect(0);
    assert!(ran.stderr.contains("it is fetched again"), "{}", ran.stderr);
    damage();
    let ran = place.run(&["cache", "verify"]).expect(1);
    assert!(ran.stderr.contains("damaged, and removed: ") && !artifact.exists(), "{}", ran.stderr);

    // A file of the store that was changed through a prefix: the next prefix does not get it.
    std::fs::write(place.path().join("env/share/a"), "changed in place").unwrap();
    fetch(&place, &server).expect(0);
    place.run(&["install", "--prefix", "other", "--mirror", &mirror]).expect(0);
    assert_eq!(std::fs::read(place.path().join("other/share/a")).unwrap(), noise(300_000));
    // Neither if its time and size lie.
    let path = place.path().join("other/share/a");
    let time = std::fs::metadata(&path).unwrap().modified().unwrap();
    std::fs::write(&path, vec![b'x'; 300_000]).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    place.run(&["install", "--prefix", "third", "--mirror", &mirror]).expect(0);
    assert_eq!(std::fs::read(place.path().join("third/share/a")).unwrap(), noise(300_000));
    place.run(&["verify", "--prefix", "other"]).expect(1);
    place.run(&["verify", "--prefix", "third"]).expect(0);
}

#[test]
fn whatever_has_rotted_in_the_store_is_made_anew_at_once() {
    let members: Vec<_> =
        (0..5).map(|index| Member::file(&format!("share/{index}"), format!("content {index}"))).collect();
    let place = Place::new();
    lock(&place, &[Artifact::conda(&Conda::new("a", &members))]);
    place.run(&["install", "--prefix", "env"]).expect(0);
    for index in 0..5 {
        // The same size and time: only its hash tells.
        let path = place.path().join(format!("env/share/{index}"));
        let time = std::fs::metadata(&path).unwrap().modified().unwrap();
        std::fs::write(&path, "rotted!!!").unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    }
    place.run(&["install", "--prefix", "other"]).expect(0);
    place.run(&["verify", "--prefix", "other"]).expect(0);
    place.run(&["verify", "--prefix", "env"]).expect(1);
}

#[test]
fn several_processes_at_once() {
    let (place, server) = served(&["slow:*.conda:0.3"]);
    let mirror = format!("http://127.0.0.1:1={}", server.url);
    // One prefix, and one of its own, for each of three.
    let children: Vec<_> = ["env", "env", "env", "a", "b", "c"]
        .map(|prefix| place.command(&["install", "--prefix", prefix, "--mirror", &mirror]).spawn().unwrap())
        .into_iter()
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    for prefix in ["env", "a", "b", "c"] {
        place.run(&["verify", "--prefix", prefix]).expect(0);
    }
    assert_eq!(server.requests().lines().count(), 1, "fetched once: {}", server.requests());
    no_rubbish(&place);
}

/// Nothing is left beside the prefixes, nor half-finished in the cache.
#[track_caller]
fn no_rubbish(place: &Place) {
    let is_rubbish = |name: &str| name.contains(".envlock-tmp") || name.contains(".part");
    for root in [place.path(), place.cache()] {
        for entry in walkdir::WalkDir::new(root).into_iter().map(Result::unwrap) {
            assert!(!is_rubbish(&entry.file_name().to_string_lossy()), "{}", entry.path().display());
        }
    }
    assert_eq!(std::fs::read_dir(place.cache().join("envlock/tmp")).unwrap().count(), 0);
}

#[test]
fn killed_at_any_moment() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place = Place::new();
    place.copy("tests/channel/quickstart");
    let mirror = server.mirror();
    place.run(&["convert", "--quiet", "--mirror", &mirror]).expect(0);
    let arguments = ["install", "--prefix", "env", "--mirror", &mirror];
    let started = Instant::now();
    let clean = Place::new();
    clean.copy("tests/channel/quickstart");
    for name in ["conda-lock.yml", "envlock.nix", "runtime.conda-lock.yml", "master.conda-lock.yml"] {
        clean.put(name, place.read(name));
    }
    clean.run(&["install", "--prefix", "/p", "--into", "env", "--mirror", &mirror]).expect(0);
    let whole = started.elapsed();
    // Spread over the whole of an installation, at moments that no two runs share.
    let mut killed = 0;
    for round in 0..20_u32 {
        let mut child =
            place.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(
            whole.mul_f64(f64::from(round % 10 + 1) / 10.5)
                + Duration::from_millis(u64::from(round * 7 % 31)),
        );
        let _ = child.kill();
        killed += u32::from(child.wait().unwrap().signal().is_some());
        // Complete or absent.
        if place.path().join("env").exists() {
            place.run(&["verify", "--prefix", "env"]).expect(0);
            std::fs::remove_dir_all(place.path().join("env")).unwrap();
        }
        if round == 10 {
            // The second half begins with an empty cache again.
            std::fs::remove_dir_all(place.cache().join("envlock")).unwrap();
        }
    }
    assert!(killed >= 5, "only {killed} were killed in time");
    place.run(&arguments).expect(0);
    place.run(&["verify", "--prefix", "env"]).expect(0);
    no_rubbish(&place);
}

#[test]
fn a_full_disk_leaves_nothing_half() {
    if !is_root() {
        skipped("root, to mount a small file system");
        return;
    }
    let place = Place::new();
    let packages = [Conda::new("a", &[Member::file("a", noise(3 << 20))]), package(), fake_python()];
    let mut packages = packages.iter().map(Artifact::conda).collect::<Vec<_>>();
    packages.remove(1);
    lock(&place, &packages);
    // The mount is seen by this command alone, and goes with it.
    let script =
        "mount -t tmpfs -o size=2m none \"$1\" && shift && \"$@\"; code=$?; ls -A small >&2; exit $code";
    let run = |mounted: &str, prefix: &str| {
        std::fs::create_dir_all(place.path().join("small")).unwrap();
        let envlock = env!("CARGO_BIN_EXE_envlock");
        let words =
            ["--mount", "sh", "-c", script, "sh", mounted, envlock, "install", "--copy", "--prefix", prefix];
        let mut command = std::process::Command::new("unshare");
        let cache = if mounted == "small" && prefix == "env" { "small" } else { "cache" };
        let output = command
            .args(words)
            .current_dir(place.path())
            .env("ENVLOCK_CACHE", place.path().join(cache))
            .output();
        Ran::from(output.unwrap())
    };
    // The prefix is on the small one, then the cache.
    let ran = run("small", "small/env").expect(5);
    assert!(
        ran.stderr.contains("cannot write") && ran.stderr.contains("hint: free some space"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        ran.stderr.lines().last(),
        Some("hint: free some space; nothing was changed"),
        "nothing is left: {}",
        ran.stderr
    );
    let ran = run("small", "env").expect(5);
    assert!(ran.stderr.contains("No space left on device"), "{}", ran.stderr);
    assert!(!place.path().join("env").exists());
    let names: Vec<String> = place.files().into_keys().collect();
    assert_eq!(names, ["conda-lock.yml"]);
}

#[test]
fn a_bundle_carries_a_lock_where_no_network_is() {
    let Some(server) = Server::test_channel(&[]) else { return };
    let place =
        Place::with("channels: [\"http://127.0.0.1:8765/debian\"]\ndependencies: [hello-envlock=2.0]\n");
    let mirror = server.mirror();
    place.run(&["convert", "--quiet", "--mirror", &mirror]).expect(0);
    place.run(&["bundle", "create", "-o", "one.tar", "--mirror", &mirror]).expect(0);
    // Elsewhere, with another umask, clock and cache: the same bytes.
    let script = "umask 077; TZ=Asia/Tokyo exec \"$@\"";
    let other = Place::new();
    for name in ["conda-lock.yml", "envlock.nix"] {
        other.put(name, place.read(name));
    }
    let plain = other.command(&["bundle", "create", "-o", "two.tar", "--mirror", &mirror]);
    let mut strict = std::process::Command::new("sh");
    strict.args(["-c", script, "sh"]).arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        strict.env(name, value.unwrap());
    }
    assert!(strict.current_dir(other.path()).status().unwrap().success());
    assert!(place.files()["one.tar"] == other.files()["two.tar"], "the bundles differ");

    let far = Place::new();
    far.put("bundle.tar", &place.files()["one.tar"]);
    let ran = far.run(&["bundle", "import", "bundle.tar", "-o", "locks"]).expect(0);
    assert!(ran.stderr.contains("wrote 2 locks into locks\n"), "{}", ran.stderr);
    let locks = |place: &Place| {
        ["conda-lock.yml", "envlock.nix"].map(|name| (name.to_owned(), place.read(name).into())).into()
    };
    let imported = ["conda-lock.yml", "envlock.nix"]
        .map(|name| (name.to_owned(), far.read(&format!("locks/{name}")).into()));
    assert_same_files(&imported.into(), &locks(&place));
    far.run(&["install", "locks", "--prefix", "env", "--offline"]).expect(0);
    let greeting = duct::cmd!(far.path().join("env/bin/hello-envlock")).read().unwrap();
    assert!(greeting.starts_with("hello 2.0 with libhello 2."), "{greeting}");
}

#[test]
fn bundles_that_lie_are_refused() {
    let tar = crate::common::packages::tar;
    let version = Member::file("envlock-bundle", "1\nlocks 7\nartifacts 7\n");
    let digest = sha256(b"content");
    for (members, code, sentence) in [
        (vec![], 2, "it is empty"),
        (vec![Member::file("locks/x", "")], 2, "it is not a bundle of envlock's"),
        (vec![Member::file("envlock-bundle", "2\n")], 2, "its version is 2, and only 1 is known here"),
        (vec![version.clone(), Member::file("locks/conda-lock.yml", "")], 2, "it breaks off"),
        (
            vec![version.clone(), Member::file("locks/Makefile", "")],
            2,
            "locks/Makefile does not belong in a bundle",
        ),
        (vec![version.clone(), Member::file("locks/../../x", "")], 2, "does not belong in a bundle"),
        (vec![version.clone(), Member::file("artifacts/../x", "")], 2, "does not belong in a bundle"),
        (
            vec![version.clone(), Member::symlink("locks/envlock.nix", "/etc")],
            2,
            "locks/envlock.nix is no plain file",
        ),
        (
            vec![version.clone(), Member::file(&format!("artifacts/{digest}"), "other")],
            6,
            "is not the promised artifact",
        ),
    ] {
        let place = Place::new();
        place.put("bundle.tar", tar(&members));
        let ran = place.run(&["bundle", "import", "bundle.tar", "-o", "locks"]).expect(code);
        assert!(ran.stderr.contains(sentence), "{sentence}: {}", ran.stderr);
        assert_eq!(kept(&place), [""; 0]);
        assert!(!place.path().join("locks").exists());
    }
    // A lock of nothing is packed like any other.
    let place = Place::with("channels: []\ndependencies: []\n");
    place.run(&["convert", "--quiet"]).expect(0);
    let text = place.read("envlock.nix");
    let (before, rest) = text.split_once("  environments = {").unwrap();
    let (_, after) = rest.split_once("\n  };\n").unwrap();
    place.put("envlock.nix", format!("{before}  environments = {{ }};\n{after}"));
    place.run(&["bundle", "create", "envlock.nix", "-o", "bundle.tar"]).expect(0);
    let place = Place::new();
    place.put("bundle.tar", "no tar file");
    place.run(&["bundle", "import", "bundle.tar"]).expect(2);
}

#[test]
fn the_cache_is_looked_after() {
    let place = Place::new();
    lock(&place, &[Artifact::conda(&package())]);
    place.run(&["install", "--prefix", "env"]).expect(0);
    let other = Place::new();
    let more = Conda::new("b", &[Member::file("share/b", "only b has this")]);
    lock(&other, &[Artifact::conda(&package()), Artifact::conda(&more)]);
    let run = |arguments: &[&str]| {
        Ran::from(
            other.command(arguments).env("ENVLOCK_CACHE", place.cache().join("envlock")).output().unwrap(),
        )
    };
    run(&["install", "--prefix", "env"]).expect(0);
    let info: serde_json::Value =
        serde_json::from_str(&place.run(&["cache", "info", "--json"]).expect(0).stdout).unwrap();
    assert_eq!(info["parts"]["artifacts"]["files"], 2);
    let ran = place.run(&["cache", "verify"]).expect(0);
    assert!(ran.stderr.starts_with("sound: 2 artifacts, "), "{}", ran.stderr);
    // What a broken download left goes always; the rest where it is said what to keep.
    let partial = place.cache().join("envlock/artifacts/partial");
    std::fs::create_dir_all(&partial).unwrap();
    std::fs::write(partial.join("x.part"), "half").unwrap();
    assert_eq!(place.run(&["cache", "prune"]).expect(0).stderr, "removed 1 files\n");
    place.run(&["cache", "prune", "--keep", "conda-lock.yml"]).expect(0);
    assert_eq!(kept(&place), whole());
    // What is kept is all that its lock needs.
    std::fs::remove_dir_all(place.path().join("env")).unwrap();
    std::fs::remove_dir_all(place.path().join("channel")).unwrap();
    place.run(&["install", "--prefix", "env", "--offline"]).expect(0);
    // The other's is fetched again: its channel is a directory, which needs no network.
    run(&["install", "--prefix", "new", "--offline"]).expect(0);
}

#[test]
fn artifacts_are_linked_by_their_file_names() {
    let place = project::locked();
    place.run(&["fetch", "--links", "artifacts"]).expect(0);
    let lock = place.read("conda-lock.yml")
        + &place.read("runtime.conda-lock.yml")
        + &place.read("master.conda-lock.yml");
    let mut count = 0;
    for entry in std::fs::read_dir(place.path().join("artifacts")).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.is_symlink());
        let digest = sha256(&std::fs::read(&path).unwrap());
        assert!(
            lock.contains(&digest) && lock.contains(path.file_name().unwrap().to_str().unwrap()),
            "{path:?}"
        );
        count += 1;
    }
    // The user environment's, libc, tini and supervisor.
    assert_eq!(count, project::USER.len() + 3);
    let said = place.run(&["fetch", "--links", "artifacts"]).expect(2).stderr;
    assert!(said.contains("--links artifacts: it is there already"), "{said}");
}
