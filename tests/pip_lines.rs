//! Lines that conda-lock 4 crashes on or drops: each converts, or is refused with a reason.

use crate::{common::index, pypi::Project};

/// What becomes of an environment file: the packages, or a part of the message.
enum Becomes {
    Locked(&'static [&'static str]),
    Refused(&'static str),
}
use Becomes::{Locked, Refused};

/// A project whose index has a few packages, and whose directory a few files.
fn project() -> Project {
    let mut project = Project::new();
    project.index.wheel("a", "1.0", &[]).wheel("a", "2.0", &["extra: x", "b; extra == 'x'"]);
    project.index.wheel("b", "1.0", &[]).wheel("b", "1.0+local.1", &[]).wheel("c", "1.0rc1", &[]);
    let place = &project.place;
    place.put("all.txt", "a\\\n==1.0\n# a comment\n\nb # another\n");
    place.put("limits.txt", "a<2\n");
    let toml = "[project]\nname = 'pkg'\nversion = '0.1'\n[project.optional-dependencies]\ny = ['b']\n";
    place.put("pkg/pyproject.toml", toml);
    let wheel = index::wheel("d", "1.0", &["extra: z", "b; extra == 'z'"]);
    place.put("wheels/d-1.0-py3-none-any.whl", wheel);
    project
}

/// The pip section as YAML, below `- pip:`, and what becomes of it.
const CASES: [(&str, &str, Becomes); 30] = [
    ("a requirements file", "- -r all.txt", Locked(&["a 1.0", "b 1.0+local.1"])),
    ("in its long form", "- --requirement=all.txt", Locked(&["a 1.0", "b 1.0+local.1"])),
    ("without a space", "- -rall.txt", Locked(&["a 1.0", "b 1.0+local.1"])),
    ("constraints", "- -c limits.txt\n- a", Locked(&["a 1.0"])),
    ("constraints behind", "- a\n- --constraint limits.txt", Locked(&["a 1.0"])),
    ("another index", "- --index-url INDEX\n- a", Locked(&["a 2.0"])),
    ("another index, in short", "- -i INDEX\n- a", Locked(&["a 2.0"])),
    ("one more index", "- --extra-index-url INDEX\n- a", Locked(&["a 2.0"])),
    ("the same index twice", "- -i INDEX\n- --extra-index-url INDEX\n- a", Locked(&["a 2.0"])),
    ("no index and links", "- --no-index\n- -f wheels\n- d", Locked(&["d 1.0"])),
    ("a pip section that is one line", "a", Locked(&["a 2.0"])),
    ("an empty pip section", "", Locked(&[])),
    ("a null in it", "-\n- a", Locked(&["a 2.0"])),
    ("an editable directory", "- -e ./pkg", Locked(&["pkg 0.1"])),
    ("an editable directory with extras", "- '--editable=./pkg[y]'", Locked(&["b 1.0+local.1", "pkg 0.1"])),
    ("a directory", "- ./pkg", Locked(&["pkg 0.1"])),
    ("a wheel", "- ./wheels/d-1.0-py3-none-any.whl", Locked(&["d 1.0"])),
    ("a wheel with extras", "- './wheels/d-1.0-py3-none-any.whl[z]'", Locked(&["b 1.0+local.1", "d 1.0"])),
    ("a URL with extras", "- 'a[x] @ FILES/a-2.0-py3-none-any.whl'", Locked(&["a 2.0", "b 1.0+local.1"])),
    ("a bare URL", "- FILES/a-1.0-py3-none-any.whl", Locked(&["a 1.0"])),
    (
        "a URL with a marker",
        "- \"a @ FILES/a-1.0-py3-none-any.whl ; sys_platform == 'win32'\"\n- b",
        Locked(&["b 1.0+local.1"]),
    ),
    ("a marker of the machine", "- \"a; platform_machine == 'aarch64'\"\n- b", Locked(&["b 1.0+local.1"])),
    ("a parenthesis", "- 'a (<2)'", Locked(&["a 1.0"])),
    ("a local version", "- 'b==1.0+local.1'", Locked(&["b 1.0+local.1"])),
    ("arbitrary equality", "- 'a===1.0'", Locked(&["a 1.0"])),
    ("two requirements of one name", "- a>=1\n- a<2", Locked(&["a 1.0"])),
    ("pre-releases", "- --pre\n- c", Locked(&["c 1.0rc1"])),
    ("a comment behind", "- 'a # not b'", Locked(&["a 2.0"])),
    ("mercurial", "- hg+https://host/a", Refused("hg is not supported")),
    (
        "an option of installing",
        "- --global-option=x",
        Refused("remove it: it changes how a package is built"),
    ),
];

#[test]
fn lines_that_others_crash_on() {
    let mut wrong = Vec::new();
    for (what, pip, becomes) in CASES {
        let project = project();
        let server = project.index.json().serve(&[]);
        let base = format!("{}/index", server.url);
        let pip = pip.replace("INDEX", &format!("{base}/simple")).replace("FILES", &format!("{base}/files"));
        let index = format!("    - --index-url {base}/simple\n");
        project.env_without_index("python=3.11, pip", &[]);
        let mut text = project.place.read("env.yml");
        if !["-i ", "index-url", "--no-index"].iter().any(|option| pip.contains(option)) {
            text.push_str(&index);
        }
        if pip.starts_with('-') {
            text.extend(pip.lines().map(|line| format!("    {line}\n")));
        } else {
            text.extend(["  - pip: ", &pip, "\n"]);
        }
        project.place.put("env.yml", text);
        let ran = project.place.run(&["convert", "--no-build"]);
        let pairs = || -> Vec<String> {
            project.versions().iter().map(|(name, version)| format!("{name} {version}")).collect()
        };
        match becomes {
            Locked(packages) if ran.code == 0 && pairs() == packages => {}
            Refused(said) if ran.code == 2 && ran.stderr.contains(said) => {}
            _ => wrong.push(format!("{what}: exit code {}\n{}", ran.code, ran.stderr)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn dependencies_that_are_missing_or_null() {
    let project = Project::new();
    for (text, code) in [("name: x\n", 0), ("dependencies:\n", 0), ("dependencies:\n  -\n", 0)] {
        project.place.put("env.yml", text);
        project.place.run(&["convert"]).expect(code);
    }
}
