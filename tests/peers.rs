//! The same requirements through other resolvers, in the same run: uv's own command and pip.
//!
//! They read PyPI, as it is today: what is compared is the answer, not a recorded one.

use std::{collections::BTreeMap, path::PathBuf, sync::OnceLock};

use crate::{
    common::{Place, skipped, test_cache},
    pypi::Project,
};

/// Requirement sets: small ones, Airflow's, scientific ones, with markers and with extras.
const SETS: [&[&str]; 12] = [
    &["celery[redis]"],
    &["requests[socks]>=2,<3"],
    &["flask<3", "flask-login", "werkzeug<3"],
    &["fastapi[standard]"],
    &["django>=4.2,<5", "psycopg[binary]; platform_machine == 'x86_64'", "pywin32; sys_platform == 'win32'"],
    &["numpy<2", "pandas", "scikit-learn"],
    &["jupyterlab", "ipython<9"],
    &["httpx[http2,brotli]", "h2<4.2"],
    &["sphinx", "furo", "tomli; python_version < '3.12'"],
    &["sqlalchemy[asyncio]>=2", "alembic", "asyncpg"],
    &["boto3", "moto[s3]"],
    &["black", "ruff", "mypy", "pytest-cov", "hypothesis"],
];

/// A program of the readers' virtual environment, if it and PyPI are there.
fn program(name: &str) -> Option<PathBuf> {
    static ONLINE: OnceLock<bool> = OnceLock::new();
    let bin = test_cache().join("readers/bin");
    let (wanted, uv) = (bin.join(name), bin.join("uv"));
    if !wanted.exists() || !uv.exists() {
        skipped("uv and pip, which `make setup` installs");
        return None;
    }
    let online = ONLINE.get_or_init(|| {
        let place = Place::new();
        place.put("in.txt", "idna\n");
        duct::cmd!(uv, "pip", "compile", "--quiet", "--no-cache", "in.txt")
            .dir(place.path())
            .stdout_null()
            .stderr_null()
            .unchecked()
            .run()
            .is_ok_and(|output| output.status.success())
    });
    if !online {
        skipped("PyPI");
    }
    online.then_some(wanted)
}

/// Whether PyPI can be read; says so if not.
pub fn pypi_is_there() -> bool {
    program("uv").is_some()
}

/// `name==version` lines as a map; extras are no part of a name.
fn pins(text: &str) -> BTreeMap<String, String> {
    let pin = |line: &str| {
        let (name, version) = line.split(" ;").next()?.trim().split_once("==")?;
        let name = name.split('[').next()?.to_lowercase().replace(['_', '.'], "-");
        Some((name, version.to_owned()))
    };
    text.lines().filter_map(pin).collect()
}

pub fn uv_compile(
    place: &Place,
    requirements: &[&str],
    constraints: &str,
) -> Option<BTreeMap<String, String>> {
    let uv = program("uv")?;
    let python = uv.with_file_name("python");
    place.put("in.txt", requirements.join("\n"));
    place.put("limits.txt", constraints);
    let said = duct::cmd!(
        uv,
        "pip",
        "compile",
        "--quiet",
        "--no-header",
        "--no-annotate",
        "--python",
        python,
        "--python-version",
        "3.11.2",
        "--python-platform",
        "x86_64-manylinux_2_28",
        "-c",
        "limits.txt",
        "in.txt"
    )
    .dir(place.path())
    .env("UV_CACHE_DIR", place.cache().join("uv"))
    .read();
    Some(pins(&said.unwrap()))
}

#[test]
fn uv_says_the_same() {
    let project = Project::new();
    let mut differ = Vec::new();
    for set in SETS {
        let Some(theirs) = uv_compile(&project.place, set, "") else { return };
        project.env_without_index("python=3.11.2", set);
        project.place.run(&["convert"]).expect(0);
        let ours = project.versions();
        if ours != theirs {
            differ.push(format!("{set:?}:\nenvlock {ours:?}\nuv {theirs:?}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn pip_says_the_same() {
    let project = Project::new();
    for set in [SETS[0], SETS[1], SETS[2]] {
        let Some(pip) = program("pip") else { return };
        let place = &project.place;
        let arguments = ["install", "--quiet", "--dry-run", "--ignore-installed", "--report", "report.json"];
        duct::cmd(pip, arguments.iter().chain(set)).dir(place.path()).stderr_null().run().unwrap();
        let report: serde_json::Value = serde_json::from_str(&place.read("report.json")).unwrap();
        let install = report["install"].as_array().unwrap().iter().map(|item| {
            format!(
                "{}=={}\n",
                item["metadata"]["name"].as_str().unwrap(),
                item["metadata"]["version"].as_str().unwrap()
            )
        });
        let theirs = pins(&install.collect::<String>());
        project.env_without_index("python=3.11.2", set);
        place.run(&["convert"]).expect(0);
        assert_eq!(project.versions(), theirs, "{set:?}");
    }
}
