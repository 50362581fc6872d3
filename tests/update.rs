//! What stays and what moves when something is locked again: `convert`, `convert --upgrade` and `update`.

use crate::{
    common::{Place, assert_same_files, fake_channel, locked},
    pypi::Project,
};

type Record = (&'static str, &'static str, u64, &'static [&'static str], u64);

const OLD: [Record; 3] =
    [("web", "1.0", 0, &["base >=1"], 0), ("base", "1.0", 0, &[], 0), ("tool", "1.0", 0, &[], 0)];
const NEW: [Record; 6] = [
    OLD[0],
    OLD[1],
    OLD[2],
    ("web", "2.0", 0, &["base >=2"], 0),
    ("base", "2.0", 0, &[], 0),
    ("tool", "2.0", 0, &[], 0),
];

/// A project that was locked when its channel had the old packages; by now it has the new ones.
fn project() -> (Place, tempfile::TempDir) {
    let channel = tempfile::tempdir().unwrap();
    fake_channel(channel.path(), "linux-64", &OLD);
    let place = Place::new();
    env(&place, &channel, "web, tool");
    place.run(&["convert"]).expect(0);
    fake_channel(channel.path(), "linux-64", &NEW);
    (place, channel)
}

fn env(place: &Place, channel: &tempfile::TempDir, wanted: &str) {
    let channel = channel.path().display();
    place.put("env.yml", format!("channels: [\"file://{channel}\"]\ndependencies: [{wanted}]\n"));
}

/// Name and version of everything that is locked.
fn pairs(place: &Place) -> Vec<String> {
    let locked = locked(&place.read("conda-lock.yml"), "linux-64");
    locked.iter().map(|(name, version)| format!("{name} {version}")).collect()
}

#[test]
fn what_is_locked_stays() {
    let (place, channel) = project();
    let before = place.files();
    let ran = place.run(&["convert"]).expect(0);
    assert!(ran.stderr.contains("unchanged"), "{}", ran.stderr);
    assert_same_files(&place.files(), &before);

    // What is new comes, and takes along only what it needs.
    env(&place, &channel, "web >=2, tool");
    place.run(&["convert"]).expect(0);
    assert_eq!(pairs(&place), ["base 2.0", "tool 1.0", "web 2.0"]);
    place.run(&["check"]).expect(0);

    place.run(&["convert", "--upgrade"]).expect(0);
    assert_eq!(pairs(&place), ["base 2.0", "tool 2.0", "web 2.0"]);
}

#[test]
fn what_the_requirements_no_longer_allow_moves() {
    let (place, channel) = project();
    place.run(&["convert", "--upgrade"]).expect(0);
    env(&place, &channel, "web <2, tool");
    place.run(&["convert"]).expect(0);
    assert_eq!(pairs(&place), ["base 2.0", "tool 2.0", "web 1.0"]);
}

#[test]
fn a_channel_that_ranks_higher_now_wins() {
    let (place, channel) = project();
    let other = tempfile::tempdir().unwrap();
    fake_channel(other.path(), "linux-64", &[("tool", "0.5", 0, &[], 0)]);
    let channels = format!("\"file://{}\", \"file://{}\"", other.path().display(), channel.path().display());
    place.put("env.yml", format!("channels: [{channels}]\ndependencies: [web, tool]\n"));
    place.run(&["convert"]).expect(0);
    assert_eq!(pairs(&place), ["base 1.0", "tool 0.5", "web 1.0"]);
}

#[test]
fn one_package_is_updated_alone() {
    let (place, _channel) = project();
    let ran = place.run(&["update", "Tool"]).expect(0);
    assert_eq!(pairs(&place), ["base 1.0", "tool 2.0", "web 1.0"]);
    assert_eq!(
        ran.stdout,
        "user, linux-64: 0 added, 0 removed, 1 changed, +0 B\n  ~ tool 1.0 → 2.0; +0 B; to be updated\n"
    );
    place.run(&["check"]).expect(0);
    let ran = place.run(&["update", "tool"]).expect(0);
    assert!(ran.stderr.contains("nothing is newer that the requirements allow"), "{}", ran.stderr);
}

#[test]
fn what_must_move_says_why() {
    let (place, _channel) = project();
    let before = place.files();
    let ran = place.run(&["update", "web", "--dry-run", "--json"]).expect(0);
    assert_same_files(&place.files(), &before);
    let said: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(said["written"], false);
    let changes = said["environments"][0]["changes"].as_array().unwrap();
    let told: Vec<_> = changes.iter().map(|it| format!("{}: {}", it["name"], it["why"])).collect();
    assert_eq!(told, ["\"base\": \"needed by web 2.0 (>=2)\"", "\"web\": \"to be updated\""]);

    place.run(&["update", "web"]).expect(0);
    assert_eq!(pairs(&place), ["base 2.0", "tool 1.0", "web 2.0"]);
}

#[test]
fn everything_is_updated_without_a_name() {
    let (place, _channel) = project();
    place.run(&["update"]).expect(0);
    assert_eq!(pairs(&place), ["base 2.0", "tool 2.0", "web 2.0"]);
}

#[test]
fn a_version_can_be_demanded() {
    let (place, channel) = project();
    place.run(&["update"]).expect(0);
    place.run(&["update", "web", "--to", "1.0"]).expect(0);
    assert_eq!(pairs(&place), ["base 2.0", "tool 2.0", "web 1.0"]);
    // It is what is locked from now on.
    place.run(&["convert"]).expect(0);
    place.run(&["update", "web", "--to", "2.*"]).expect(0);
    assert_eq!(pairs(&place), ["base 2.0", "tool 2.0", "web 2.0"]);

    // What stands in the way moves as well, if it may.
    let ran = place.run(&["update", "base", "--to", "1.0"]).expect(0);
    assert!(ran.stdout.contains("~ web 2.0 → 1.0; +0 B; web 2.0 needs base >=2\n"), "{}", ran.stdout);
    env(&place, &channel, "web >=2, tool");
    place.run(&["convert"]).expect(0);
    let before = place.files();
    let ran = place.run(&["update", "base", "--to", "1.0"]).expect(3);
    assert!(ran.stderr.contains("base >=2"), "{}", ran.stderr);
    let ran = place.run(&["update", "web", "--to", "9.9"]).expect(3);
    assert!(ran.stderr.contains("9.9"), "{}", ran.stderr);
    let ran = place.run(&["update", "web", "--to", "not a version"]).expect(2);
    assert!(ran.stderr.contains("`not a version` is no version"), "{}", ran.stderr);
    let ran = place.run(&["update", "web", "tool", "--to", "1.0"]).expect(2);
    assert!(ran.stderr.contains("--to says the version of one package"), "{}", ran.stderr);
    assert_same_files(&place.files(), &before);
}

#[test]
fn options_of_the_lock_hold_for_updates() {
    let channel = tempfile::tempdir().unwrap();
    // 2024-10-04 and the days after.
    let day = |count: u64| (20_000 + count) * 86_400_000;
    let records: [(&str, &str, u64, &[&str], u64); 3] =
        [("tool", "1.0", 0, &[], day(0)), ("tool", "1.1", 0, &[], day(1)), ("tool", "2.0", 0, &[], day(9))];
    fake_channel(channel.path(), "linux-64", &records[..1]);
    let place = Place::new();
    env(&place, &channel, "tool");
    place.run(&["convert", "--exclude-newer", "2024-10-07"]).expect(0);
    fake_channel(channel.path(), "linux-64", &records);
    place.run(&["update", "tool"]).expect(0);
    assert_eq!(pairs(&place), ["tool 1.1"]);
    place.run(&["check"]).expect(0);
}

#[test]
fn what_cannot_be_updated_is_said() {
    let (place, _channel) = project();
    let ran = place.run(&["update", "tol"]).expect(2);
    assert!(ran.stderr.contains("the lock has no package `tol`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("did you mean `tool`?"), "{}", ran.stderr);
    std::fs::remove_file(place.path().join("envlock.nix")).unwrap();
    let ran = place.run(&["update", "tool"]).expect(2);
    assert!(ran.stderr.contains("there is no lock envlock.nix"), "{}", ran.stderr);
    place.run(&["convert"]).expect(0);
}

#[test]
fn a_lock_that_cannot_be_read_is_made_anew() {
    let (place, _channel) = project();
    place.put("envlock.nix", "{ broken");
    let ran = place.run(&["convert"]).expect(0);
    assert!(ran.stderr.contains("everything is resolved anew"), "{}", ran.stderr);
    assert_eq!(pairs(&place), ["base 2.0", "tool 2.0", "web 2.0"]);
    let ran = place.run(&["convert", "--frozen-metadata", "--upgrade"]).expect(2);
    assert!(ran.stderr.contains("cannot be used with"), "{}", ran.stderr);
}

#[test]
fn recorded_metadata_gives_what_an_update_gave() {
    let (place, channel) = project();
    place.run(&["update", "tool"]).expect(0);
    let updated = place.files();
    for file in ["envlock.nix", "conda-lock.yml"] {
        std::fs::remove_file(place.path().join(file)).unwrap();
    }
    place.run(&["convert", "--frozen-metadata"]).expect(0);
    assert_same_files(&place.files(), &updated);
    fake_channel(channel.path(), "linux-64", &OLD);
    place.run(&["convert", "--frozen-metadata"]).expect(7);
}

#[test]
fn packages_of_pypi_stay_and_move_alike() {
    let mut project = Project::new();
    project.index.wheel("web", "1.0", &["base>=1"]).wheel("base", "1.0", &[]).wheel("tool", "1.0", &[]);
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip", &["web", "tool"]);
    let place = &project.place;
    place.run(&["convert"]).expect(0);
    let old = place.files();
    project.index.wheel("web", "2.0", &["base>=2"]).wheel("base", "2.0", &[]).wheel("tool", "2.0", &[]);
    // A wheel that fits better, of a version that is locked.
    project.index.tagged("tool", "1.0", "cp311-cp311-manylinux2014_x86_64", &["base"]);
    project.index.json();
    let forget = || std::fs::remove_dir_all(place.cache().join("envlock")).unwrap();
    let pairs = || {
        let versions = project.versions();
        versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>()
    };

    forget();
    place.run(&["convert"]).expect(0);
    assert_same_files(&place.files(), &old);
    let ran = place.run(&["update", "tool", "--to", "2.0", "--offline"]).expect(7);
    assert!(ran.stderr.contains("the metadata of `tool` is not in the cache"), "{}", ran.stderr);
    place.run(&["update", "tool", "--to", "1.0"]).expect(0);
    assert!(place.read("conda-lock.yml").contains("tool-1.0-cp311"));

    let ran = place.run(&["update", "web"]).expect(0);
    assert_eq!(pairs(), ["base 2.0", "tool 1.0", "web 2.0"]);
    assert!(ran.stdout.contains("~ base 1.0 → 2.0; "), "{}", ran.stdout);
    assert!(ran.stdout.contains("needed by web 2.0 (>=2)"), "{}", ran.stdout);
    place.run(&["update", "web", "--to", "1.*"]).expect(0);
    assert_eq!(pairs(), ["base 2.0", "tool 1.0", "web 1.0"]);
    let ran = place.run(&["update", "web", "--to", "3"]).expect(3);
    assert!(ran.stderr.contains("web==3"), "{}", ran.stderr);
    place.run(&["convert", "--upgrade"]).expect(0);
    assert_eq!(pairs(), ["base 2.0", "tool 2.0", "web 2.0"]);
}

#[test]
fn a_locked_file_stays_whatever_is_better_by_now() {
    let bare = [("PKG-INFO", "Metadata-Version: 1.1\nName: old\nVersion: 1.0\n")];
    let mut project = Project::new();
    project.index.sdist("old", "1.0", &bare).wheel("tool", "1.0", &[]);
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip", &["old", "tool"]);
    let place = &project.place;
    place.run(&["convert", "--no-build"]).expect(0);
    let before = place.files();
    // A wheel of what is locked as an sdist, and one that fits better; then an index that states no hashes.
    project.index.wheel("old", "1.0", &[]);
    project.index.tagged("tool", "1.0", "cp311-cp311-manylinux2014_x86_64", &["old"]);
    for has_hashes in [true, false] {
        if has_hashes {
            project.index.json();
        } else {
            std::fs::remove_dir_all(project.index.path().join("simple")).unwrap();
            project.index.html(false);
        }
        std::fs::remove_dir_all(place.cache().join("envlock")).unwrap();
        place.run(&["convert", "--no-build"]).expect(0);
        assert_same_files(&place.files(), &before);
    }
}

#[test]
fn a_hash_in_a_line_goes_before_what_was_locked() {
    let mut project = Project::new();
    project.index.wheel("tool", "1.0", &[]);
    let server = project.index.json().serve(&[]);
    project.env(&server, "python=3.11, pip", &["tool==1.0"]);
    let place = &project.place;
    place.run(&["convert"]).expect(0);
    let tag = "cp311-cp311-manylinux2014_x86_64";
    project.index.tagged("tool", "1.0", tag, &["tool-b; sys_platform == 'win32'"]).json();
    let bytes = std::fs::read(project.index.file(&format!("tool-1.0-{tag}.whl"))).unwrap();
    let line = format!("tool==1.0 --hash=sha256:{}", crate::common::packages::sha256(&bytes));
    project.env(&server, "python=3.11, pip", &[&line]);
    std::fs::remove_dir_all(place.cache().join("envlock")).unwrap();
    place.run(&["convert"]).expect(0);
    assert!(place.read("conda-lock.yml").contains(tag));
}

/// A repository with a branch `main`.
struct Repository(tempfile::TempDir);

impl Repository {
    fn new() -> Self {
        let repository = Self(tempfile::tempdir().unwrap());
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository
    }

    fn git(&self, arguments: &[&str]) -> String {
        let identity = ["-c", "user.name=x", "-c", "user.email=x@x"];
        duct::cmd("git", identity.iter().chain(arguments)).dir(self.0.path()).read().unwrap()
    }

    /// Commits a package; returns the commit.
    fn commit(&self, name: &str, version: &str) -> String {
        let text = format!("[project]\nname = \"{name}\"\nversion = \"{version}\"\ndependencies = []\n");
        std::fs::write(self.0.path().join("pyproject.toml"), text).unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "-m", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// The requirement for a branch, a tag or a commit.
    fn line(&self, reference: &str) -> String {
        format!("git+file://{}@{reference}", self.0.path().display())
    }
}

#[test]
fn two_trees_of_one_repository_stay_two() {
    let project = Project::new();
    let repository = Repository::new();
    let first = repository.commit("one", "1.0");
    repository.git(&["branch", "one"]);
    repository.commit("two", "1.0");
    repository.git(&["branch", "two"]);
    let second = repository.git(&["rev-parse", "HEAD"]);
    let place = &project.place;
    let (one, two) = (repository.line("one"), repository.line("two"));
    let named = [format!("one @ {one}"), format!("two @ {two}")];
    let fixed = [repository.line(&first), repository.line(&second)];
    for lines in [[one, two], named, fixed] {
        project.env_without_index("python=3.11, pip", &lines.each_ref().map(String::as_str));
        place.run(&["convert", "--no-build", "--upgrade"]).expect(0);
        let before = place.files();
        place.run(&["convert", "--no-build"]).expect(0);
        assert_same_files(&place.files(), &before);
        assert!([&first, &second].iter().all(|commit| place.read("conda-lock.yml").contains(*commit)));
    }
}

#[test]
fn a_branch_stays_at_its_commit() {
    let project = Project::new();
    let repository = Repository::new();
    let git = |arguments: &[&str]| repository.git(arguments);
    let commit = |version: &str| repository.commit("tree", version);
    let first = commit("1.0");
    let line = |branch: &str| repository.line(branch);
    project.env_without_index("python=3.11, pip", &[&line("main")]);
    let place = &project.place;
    place.run(&["convert", "--no-build"]).expect(0);
    let second = commit("2.0");
    place.run(&["convert", "--no-build"]).expect(0);
    assert!(place.read("conda-lock.yml").contains(&first));
    place.run(&["convert", "--no-build", "--offline"]).expect(0);
    place.run(&["update", "--no-build", "tree"]).expect(0);
    assert!(place.read("conda-lock.yml").contains(&second));

    // Another branch is another requirement.
    git(&["branch", "old", &first]);
    project.env_without_index("python=3.11, pip", &[&line("old")]);
    place.run(&["convert", "--no-build"]).expect(0);
    assert!(place.read("conda-lock.yml").contains(&first));
}
