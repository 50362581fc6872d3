//! A project whose environments come from a channel of its own: small packages, so that images are built at once.

use super::{
    Place,
    packages::{Conda, Member, sha256},
};

/// Writes packages as a channel at `channel` of a place.
pub fn channel(place: &Place, packages: &[Conda]) {
    let mut records = serde_json::Map::new();
    for package in packages {
        let version = package.index["version"].as_str().unwrap_or("1.0");
        let file = format!("{}-{version}-0.conda", package.name);
        let bytes = package.conda();
        let mut record = serde_json::json!({
            "name": package.name, "version": version, "build": "0", "build_number": 0, "depends": [],
            "subdir": "linux-64", "sha256": sha256(&bytes), "size": bytes.len(),
        });
        if let Some(depends) = package.index.get("depends") {
            record["depends"] = depends.clone();
        }
        place.put(&format!("channel/linux-64/{file}"), bytes);
        records.insert(file, record);
    }
    for (subdir, records) in [("linux-64", records), ("noarch", serde_json::Map::new())] {
        let repodata = serde_json::json!({
            "info": { "subdir": subdir }, "packages": {}, "packages.conda": records, "repodata_version": 1,
        });
        place.put(&format!("channel/{subdir}/repodata.json"), repodata.to_string());
    }
}

/// A package of some version.
pub fn versioned(package: Conda, version: &str) -> Conda {
    let mut package = package;
    package.index["version"] = version.into();
    package
}

/// Bytes that no compressor shortens, other for each seed.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(step).take(length / 8).flatten().collect()
}

/// What a runtime and a user environment need at least. `bin/python3` and `bin/supervisord` cannot run.
pub fn essentials() -> Vec<Conda> {
    let library = "x86_64-conda-linux-gnu/sysroot/lib/libc.so.6";
    let program = |path: &str| Member::executable(path, format!("{path} cannot run"));
    vec![
        Conda::new("libc", &[Member::file(library, "libc")]),
        Conda::new("tini", &[program("bin/tini")]),
        Conda::new("interpreter", &[program("bin/python3")]),
        Conda::new("supervisor", &[program("bin/supervisord")]),
        Conda::new("redis-py", &[Member::file("lib/python3/site-packages/redis/__init__.py", "")]),
    ]
}

/// The files of a project with these roles, in YAML; its user environment has the packages that are named.
pub fn files(place: &Place, user: &[&str], roles: &str) {
    let environment = |packages: &[&str]| {
        format!(
            "channels: [\"file://{}/channel\"]\ndependencies: [{}]\n",
            place.path().display(),
            packages.join(", ")
        )
    };
    place.put("env.yml", environment(user));
    place.put("runtime.yml", environment(&["libc", "tini"]));
    place.put("system.yml", environment(&["supervisor"]));
    place.put("envlock.yml", format!("environment: env.yml\nruntime: runtime.yml\n{roles}"));
}

/// The usual roles: a master with two services, and a worker with one.
pub const ROLES: &str = "\
cluster: {name: test, broker: \"redis://:${PASSWORD}@master:6379/0\"}
roles:
  master:
    system: system.yml
    publishes: true
    secrets: [PASSWORD]
    services:
      redis:
        command: [redis-server, --dir, /var/lib/redis]
        ports: [6379]
        volumes: [/var/lib/redis]
        readiness: {tcp: 6379}
  worker:
    secrets: [PASSWORD]
    environment: {A: b}
    services:
      worker: {command: [work, \"${A}\"], guard: true, stop-timeout: 7}
";

/// A locked project with a package `large`, which has a layer of its own, and the small ones `small-a` to `small-d`.
pub fn locked() -> Place {
    let place = Place::new();
    channel(&place, &all("1.0"));
    files(&place, &USER, ROLES);
    place.run(&["convert"]).expect(0);
    place
}

/// The packages of the user environment.
pub const USER: [&str; 7] = ["interpreter", "redis-py", "large", "small-a", "small-b", "small-c", "small-d"];

/// All packages, `large` and `small-b` of some version.
pub fn all(version: &str) -> Vec<Conda> {
    let seed = version.bytes().map(u64::from).sum();
    let small = |name: &'static str, text: String| {
        Conda::new(
            name,
            &[Member::file(&format!("share/{name}"), text.clone()), Member::file("share/all", "same")],
        )
    };
    let mut packages = essentials();
    packages.extend([
        versioned(Conda::new("large", &[Member::file("share/large", noise(6 << 20, seed))]), version),
        small("small-a", "a".to_owned()),
        versioned(small("small-b", format!("b {version}")), version),
        small("small-c", "c".to_owned()),
        small("small-d", "d".to_owned()),
    ]);
    packages
}
