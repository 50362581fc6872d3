//! Archives that lie, or want out of the tree: each is refused by name, and nothing outside the prefix is touched.

use tar::EntryType;

use crate::common::{
    Place, Ran,
    packages::{Artifact, Conda, Member, Wheel, lock, zipped, zstd},
};

/// Installs one package; it must fail with exit code 8 and this sentence, and leave nothing.
#[track_caller]
fn refused(artifact: Artifact, sentence: &str) {
    let place = Place::new();
    lock(&place, &[artifact]);
    // The victim of whoever writes outside: its neighbours and what lies above.
    place.put("outside", "untouched");
    let before = everything(&place);
    let ran = place.run(&["install", "--no-byte-code", "--prefix", "target/env"]);
    assert_eq!(ran.code, 8, "{}", ran.stderr);
    assert!(ran.stderr.contains(sentence), "{sentence}: {}", ran.stderr);
    assert!(ran.stderr.contains("\nhint: "), "{}", ran.stderr);
    assert!(!place.path().join("target/env").exists(), "nothing is installed");
    let after = everything(&place);
    assert_eq!(after.iter().filter(|path| !before.contains(path)).collect::<Vec<_>>(), ["target"]);
    assert_eq!(place.read("outside"), "untouched");
    assert!(!std::path::Path::new("/tmp/envlock-escaped").exists());
}

/// Every path of the place, without its artifacts' own.
fn everything(place: &Place) -> Vec<String> {
    walkdir::WalkDir::new(place.path())
        .min_depth(1)
        .into_iter()
        .map(|entry| entry.unwrap().path().strip_prefix(place.path()).unwrap().display().to_string())
        .collect()
}

/// A package with these members, whose `paths.json` is true.
fn conda(members: &[Member]) -> Artifact {
    Artifact::conda(&Conda::new("evil", members))
}

#[test]
fn absolute_paths() {
    refused(conda(&[Member::file("/tmp/envlock-escaped", "x")]), "its path is absolute");
    refused(
        Artifact::tar_bz2(&Conda::new("evil", &[Member::file("/tmp/envlock-escaped", "x")])),
        "its path is absolute",
    );
}

#[test]
fn paths_that_lead_upwards() {
    refused(conda(&[Member::file("../../outside", "x")]), "its path leads upwards");
    refused(conda(&[Member::file("lib/../../../outside", "x")]), "its path leads upwards");
}

#[test]
fn a_lying_list_of_paths_that_leads_upwards() {
    let package = Conda::new("evil", &[Member::file("a", "x")]);
    let paths = serde_json::json!([{ "_path": "../../outside", "path_type": "hardlink" }]);
    refused(Artifact::conda(&package.paths(paths)), "../../outside: its path leads upwards");
}

#[test]
fn symlinks_out_of_the_tree() {
    refused(conda(&[Member::symlink("lib/link", "../../outside")]), "it leads out of the tree");
    refused(conda(&[Member::symlink("link", "/etc/passwd")]), "it leads to an absolute path");
}

#[test]
fn a_symlink_and_a_file_written_through_it() {
    refused(
        conda(&[Member::symlink("lib", "share"), Member::file("lib/file", "x")]),
        "it lies below lib, which is no directory",
    );
}

#[test]
fn symlinks_that_lead_out_by_way_of_others() {
    // Each by itself stays in the tree.
    refused(
        conda(&[
            Member::file("d/e/keep", ""),
            Member::symlink("d/e/root", "../.."),
            Member::symlink("up", "d/e/root/.."),
        ]),
        "it leads out of the tree, by way of other links",
    );
    // The same over two packages.
    let place = Place::new();
    let first = Conda::new("a", &[Member::file("d/e/keep", ""), Member::symlink("d/e/root", "../..")]);
    let second = Conda::new("b", &[Member::symlink("up", "d/e/root/../..")]);
    lock(&place, &[Artifact::conda(&first), Artifact::conda(&second)]);
    let ran = place.run(&["install", "--prefix", "env"]).expect(8);
    assert!(ran.stderr.contains("b-1.0-0.conda is not a sound package: up: it leads out"), "{}", ran.stderr);
}

#[test]
fn a_symlink_to_a_path_without_end() {
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(EntryType::Symlink);
    link.set_mode(0o777);
    link.set_size(0);
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_link(&mut link, "link", "a/".repeat(100_000)).unwrap();
    let package =
        Conda::new("evil", &[]).paths(serde_json::json!([{ "_path": "link", "path_type": "softlink" }]));
    refused(
        with_content(&package, zstd(&builder.into_inner().unwrap())),
        "it leads to a path longer than a path may be",
    );
}

#[test]
fn hard_links_out_of_the_tree() {
    refused(conda(&[Member::link("link", EntryType::Link, "../../outside")]), "its path leads upwards");
    refused(conda(&[Member::link("link", EntryType::Link, "/etc/passwd")]), "its path is absolute");
    refused(conda(&[Member::link("link", EntryType::Link, "nowhere")]), "which is not in the archive");
}

#[test]
fn devices_and_pipes() {
    for kind in [EntryType::Char, EntryType::Block, EntryType::Fifo] {
        refused(conda(&[Member::of_kind("device", kind)]), "it is neither file, directory nor link");
    }
}

#[test]
fn setuid_and_setgid() {
    for mode in [0o4755, 0o2755] {
        let member = Member { mode, ..Member::file("bin/su", "x") };
        refused(conda(&[member]), "it wants to run with the rights of its owner");
    }
}

#[test]
fn one_member_twice() {
    refused(conda(&[Member::file("a", "x"), Member::file("a", "y")]), "info/paths.json names it twice");
    let package = Conda::new("evil", &[Member::file("a", "x"), Member::file("./a", "y")]);
    let paths = serde_json::json!([{ "_path": "a", "path_type": "hardlink" }]);
    refused(Artifact::conda(&package.paths(paths)), "it is in the archive twice");
}

#[test]
fn names_that_are_no_text() {
    let member = Member { path: b"caf\xe9".to_vec(), ..Member::file("x", "x") };
    let package = Conda::new("evil", &[member]).paths(serde_json::json!([]));
    refused(Artifact::conda(&package), "its name is not UTF-8");
    refused(conda(&[Member::file("a\nb", "x")]), "its name holds a control character");
}

#[test]
fn a_list_of_paths_that_lies() {
    let package = Conda::new("evil", &[Member::file("a", "content")]);
    let mut sizes = package.true_paths();
    sizes[0]["size_in_bytes"] = 6.into();
    refused(
        Artifact::conda(&package.clone().paths(sizes)),
        "a: it is longer than the 6 bytes that were promised",
    );
    let mut sizes = package.true_paths();
    sizes[0]["size_in_bytes"] = 8.into();
    refused(
        Artifact::conda(&package.clone().paths(sizes)),
        "it has 7 bytes instead of the 8 that were promised",
    );
    let mut hashes = package.true_paths();
    hashes[0]["sha256"] = "00".repeat(32).into();
    refused(Artifact::conda(&package.clone().paths(hashes)), "instead of the promised 0000");
    let mut kinds = package.true_paths();
    kinds[0]["path_type"] = "softlink".into();
    refused(
        Artifact::conda(&package.clone().paths(kinds)),
        "it is a file and info/paths.json says otherwise",
    );
    let missing = serde_json::json!([{ "_path": "b", "path_type": "hardlink" }]);
    refused(
        Artifact::conda(&package.paths(missing)),
        "b: info/paths.json names it, and it is not in the archive",
    );
}

#[test]
fn another_package_than_the_lock_says() {
    let mut package = Conda::new("evil", &[Member::file("a", "x")]);
    package.index["name"] = "good".into();
    refused(Artifact::conda(&package), "it says it is good 1.0 0");
    // Neither where its artifact has been unpacked before, under its own name.
    let place = Place::new();
    let sound = Artifact::conda(&Conda::new("good", &[Member::file("a", "x")]));
    lock(&place, &[sound]);
    place.run(&["install", "--prefix", "env"]).expect(0);
    place.put("conda-lock.yml", place.read("conda-lock.yml").replace("name: good", "name: evil"));
    let ran = place.run(&["install", "--prefix", "other"]).expect(8);
    assert!(ran.stderr.contains("it says it is good 1.0 0"), "{}", ran.stderr);
}

#[test]
fn the_records_of_the_installer() {
    refused(conda(&[Member::file("conda-meta/python-3.11.json", "{}")]), "only an installer writes there");
    refused(conda(&[Member::file("conda-meta/history", "")]), "only an installer writes there");
    refused(conda(&[Member::file("conda-meta/python-3.11.json/x", "{}")]), "only an installer writes there");
    refused(conda(&[Member::file("conda-meta/envlock/x", "{}")]), "only an installer writes there");
    refused(conda(&[Member::file("conda-meta", "x")]), "only an installer writes there");
}

#[test]
fn ten_gigabytes_of_zeros_in_a_megabyte() {
    use std::io::Read;
    // A tar file of one member, compressed as a stream: nobody has to hold it.
    let size: u64 = 10 << 30;
    let mut header = tar::Header::new_gnu();
    header.set_path("zeros").unwrap();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_cksum();
    let bomb = zstd::encode_all(header.as_bytes().chain(std::io::repeat(0).take(size)), 1).unwrap();
    assert!(bomb.len() < 2 << 20, "{}", bomb.len());
    let entry = serde_json::json!([{ "_path": "zeros", "path_type": "hardlink", "size_in_bytes": size }]);
    for (paths, sentence) in [
        (entry, "more than any real package of its size has"),
        (
            serde_json::json!([{ "_path": "zeros", "path_type": "hardlink" }]),
            "expands to more than any real package",
        ),
    ] {
        let package = Conda::new("evil", &[]).paths(paths);
        refused(with_content(&package, bomb.clone()), sentence);
    }
}

#[test]
fn archives_that_end_too_early() {
    let package = Conda::new("evil", &[Member::file("a", "x".repeat(100_000))]);
    let info: Vec<u8> = zstd(b"no tar file");
    let whole = package.conda();
    let artifact = |bytes: Vec<u8>| Artifact { bytes, ..Artifact::conda(&package) };
    refused(artifact(whole[..whole.len() / 2].to_vec()), "it cannot be read");
    refused(artifact(Vec::new()), "it cannot be read");
    refused(artifact(b"<!DOCTYPE html>".to_vec()), "it cannot be read");
    refused(artifact(zipped(&[("info-evil-1.0-0.tar.zst", info)])), "it cannot be read");
    let tar = package.tar_bz2();
    refused(
        Artifact { bytes: tar[..tar.len() / 2].to_vec(), ..Artifact::tar_bz2(&package) },
        "evil-1.0-0.tar.bz2",
    );
    // A frame of zstd that breaks off within the package itself.
    let mut content = zstd(&crate::common::packages::tar(&package.members));
    content.truncate(content.len() / 2);
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&whole)).unwrap();
    let mut info = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name("info-evil-1.0-0.tar.zst").unwrap(), &mut info).unwrap();
    let bytes = zipped(&[("pkg-evil-1.0-0.tar.zst", content), ("info-evil-1.0-0.tar.zst", info)]);
    refused(artifact(bytes), "evil-1.0-0.conda is not a sound package");
}

#[test]
fn a_name_of_a_gigabyte() {
    use std::io::Read;
    // GNU tar's long names are read whole before anybody asks for them: the bound on expansion must hold there.
    let size: u64 = 5 << 30;
    let mut header = tar::Header::new_gnu();
    header.set_path("././@LongLink").unwrap();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(size);
    header.set_cksum();
    let bomb = zstd::encode_all(header.as_bytes().chain(std::io::repeat(b'a').take(size)), 1).unwrap();
    let package = Conda::new("evil", &[]);
    refused(with_content(&package, bomb), "it has names longer than any real package has");
}

/// A package whose content is this compressed tar file.
fn with_content(package: &Conda, content: Vec<u8>) -> Artifact {
    let whole = Artifact::conda(package);
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&whole.bytes)).unwrap();
    let mut info = Vec::new();
    std::io::Read::read_to_end(&mut archive.by_name("info-evil-1.0-0.tar.zst").unwrap(), &mut info).unwrap();
    let bytes = zipped(&[("pkg-evil-1.0-0.tar.zst", content), ("info-evil-1.0-0.tar.zst", info)]);
    Artifact { bytes, ..whole }
}

#[test]
fn many_files_that_are_mostly_holes() {
    // A sparse member says how long it is without saying what is in it.
    let hole = |index: u32| {
        let mut header = tar::Header::new_gnu();
        header.set_path(format!("hole-{index}")).unwrap();
        header.set_entry_type(EntryType::GNUSparse);
        header.set_mode(0o644);
        header.set_size(0);
        let size = format!("{:011o}\0", 400_u64 << 20);
        header.as_gnu_mut().unwrap().realsize[..12].copy_from_slice(size.as_bytes());
        let sparse = &mut header.as_gnu_mut().unwrap().sparse[0];
        sparse.offset[..12].copy_from_slice(size.as_bytes());
        sparse.numbytes[..12].copy_from_slice(b"00000000000\0");
        header.set_cksum();
        header.as_bytes().to_vec()
    };
    let names: Vec<_> = (0..4)
        .map(|index| serde_json::json!({ "_path": format!("hole-{index}"), "path_type": "hardlink" }))
        .collect();
    let package = Conda::new("evil", &[]).paths(names.into());
    let mut bytes: Vec<u8> = (0..4).flat_map(hole).collect();
    bytes.extend([0; 1024]);
    refused(with_content(&package, zstd(&bytes)), "it expands to more than any real package of its size");
}

/// Installs a wheel beside a Python; it must be refused.
#[track_caller]
fn refused_wheel(wheel: &Wheel, sentence: &str) {
    refused(Artifact::wheel(wheel), sentence);
}

#[test]
fn wheels_that_want_out() {
    let at = |path: &str| Wheel::new("evil", &[("evil.py", "")]).file(path, b"x", 0o100_644);
    refused_wheel(&at("../../outside"), "its path leads upwards");
    refused_wheel(&at("/tmp/envlock-escaped"), "its path is absolute");
    refused_wheel(&at("a\\..\\..\\b"), "its name holds a backslash");
    let link = Wheel::new("evil", &[]).file("link", b"/etc/passwd", 0o120_777);
    refused_wheel(&link, "it is a symlink, and a wheel has none");
}

#[test]
fn records_that_lie() {
    let wheel = || Wheel::new("evil", &[("evil.py", "x = 1\n")]);
    let record = wheel().true_record();
    let hash = record.lines().next().unwrap().split(['=', ',']).nth(2).unwrap().to_owned();
    let zeros = "A".repeat(43);
    refused_wheel(&wheel().record(record.replace(&hash, &zeros)), "evil.py: its sha256 is");
    refused_wheel(
        &wheel().record(record.replace(",6\n", ",5\n")),
        "it is longer than the 5 bytes that were promised",
    );
    let unlisted: String = record.lines().skip(1).map(|line| format!("{line}\n")).collect();
    refused_wheel(&wheel().record(unlisted), "evil.py: RECORD does not list it");
    refused_wheel(&wheel().record(format!("gone.py,sha256={hash},6\n{record}")), "gone.py: RECORD lists it");
    refused_wheel(&wheel().record(record.replace("sha256=", "md5=")), "is md5, not sha256");
    refused_wheel(
        &wheel().record(record.replace(&format!("sha256={hash}"), "")),
        "it states no hash of evil.py",
    );
    refused_wheel(
        &wheel().record(format!("../../outside,sha256={hash},6\n{record}")),
        "its path leads upwards",
    );
}

#[test]
fn wheels_that_are_something_else() {
    let named = |name: &'static str| Wheel { name, ..Wheel::new("evil", &[]) };
    let mut wheel = Wheel::new("evil", &[]);
    for (path, content, _) in &mut wheel.files {
        if path.ends_with("METADATA") {
            *content = b"Metadata-Version: 2.1\nName: good\nVersion: 1.0\n".to_vec();
        }
    }
    refused_wheel(&wheel, "it says it is `good` instead of evil");
    for (path, content, _) in &mut wheel.files {
        if path.ends_with("WHEEL") {
            *content = b"Wheel-Version: 2.0\n".to_vec();
        }
    }
    refused_wheel(&wheel, "its Wheel-Version is `2.0`");
    refused_wheel(&Wheel { files: Vec::new(), ..named("evil") }, "it has no evil-1.0.dist-info/WHEEL");
    let two = Wheel::new("evil", &[("other-1.0.dist-info/METADATA", "Name: other\n")]);
    refused_wheel(&two, "it has several .dist-info directories");
}

#[test]
fn commands_with_code_in_their_names() {
    for line in ["a/../../b = m:f", "x = m:f(); import os", "x = os;system:f", ".. = m:f", "x = m"] {
        let text = format!("[console_scripts]\n{line}\n");
        let wheel =
            Wheel::new("evil", &[]).file("evil-1.0.dist-info/entry_points.txt", text.as_bytes(), 0o100_644);
        refused_wheel(&wheel, "is no command");
    }
}

#[test]
fn two_members_with_one_name_in_a_zip() {
    // A zip writer refuses that: the second name is made the first's afterwards, in both of its places.
    let wheel = Wheel::new("evil", &[("aaaa.py", "x = 1\n"), ("bbbb.py", "x = 2\n")]);
    let mut bytes = wheel.bytes();
    let positions: Vec<usize> =
        (0..bytes.len() - 7).filter(|at| &bytes[*at..*at + 7] == b"bbbb.py").collect();
    for at in positions {
        bytes[at..at + 7].copy_from_slice(b"aaaa.py");
    }
    refused(Artifact { bytes, ..Artifact::wheel(&wheel) }, "two of its members have one name");
}

#[test]
fn a_wheel_without_a_python() {
    refused_wheel(
        &Wheel::new("lonely", &[("lonely.py", "")]),
        "it needs a Python, and the environment has none",
    );
}

#[test]
fn an_sdist_is_refused_before_anything_is_fetched() {
    let place = Place::new();
    let artifact = Artifact {
        manager: "pip",
        name: "old".into(),
        file: "old-1.0.tar.gz".into(),
        bytes: b"sdist".to_vec(),
    };
    lock(&place, &[artifact]);
    let ran: Ran = place.run(&["install", "--prefix", "env"]).expect(8);
    assert_eq!(
        ran.stderr,
        "error: cannot install old-1.0.tar.gz: it is an sdist, and the lock does not say which wheel it becomes\n\n\
         hint: `envlock convert` builds it, on a machine of its platform, and writes that into envlock.nix: install from \
         there\n"
    );
}
