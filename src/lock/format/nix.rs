//! `envlock.nix`: the lock as pure data for Nix, without imports.
//!
//! It says what the `conda-lock.yml` files say and, besides, the options and hashes that let
//! `envlock check` compare like with like.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rattler_conda_types::Subdir;

use super::{
    super::{
        BuiltWheel, Error, Kind, Lock, LockedEnvironment, LockedPlatform, Package, fingerprint,
        model::is_wheel_name,
    },
    nix_roles,
    nix_value::Value,
};
use crate::spec::{
    environment::parse_platform,
    project::{Role, is_name},
};

/// The version of this layout.
const FORMAT_VERSION: u64 = 1;

/// The platforms that Nix names by another rule than `<arch>-<os>`.
const SYSTEMS: [(Subdir, &str); 6] = [
    (Subdir::Linux64, "x86_64-linux"),
    (Subdir::LinuxAarch64, "aarch64-linux"),
    (Subdir::LinuxPpc64le, "powerpc64le-linux"),
    (Subdir::Osx64, "x86_64-darwin"),
    (Subdir::OsxArm64, "aarch64-darwin"),
    (Subdir::Win64, "x86_64-windows"),
];

/// Nix's name of a platform; one that Nix does not know keeps conda's.
pub fn system(platform: Subdir) -> &'static str {
    SYSTEMS.iter().find(|(known, _)| *known == platform).map_or(platform.as_str(), |(_, system)| system)
}

fn platform(system: &str) -> Result<Subdir, String> {
    match SYSTEMS.iter().find(|(_, known)| *known == system) {
        Some((platform, _)) => Ok(*platform),
        None => parse_platform(system).map_err(|(message, _)| message),
    }
}

/// A file name made legal for the Nix store: an epoch's `!` is not, nor is a leading dot.
pub fn store_name(file_name: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() || "+-._?=".contains(c) { c } else { '_' };
    let name: String = file_name.chars().map(legal).collect();
    let name = if name.starts_with('.') { format!("_{name}") } else { name };
    // The store allows 211 characters; the end tells the kind of archive.
    name[name.len().saturating_sub(211)..].to_owned()
}

/// The bytes of `envlock.nix`.
pub fn write(lock: &Lock) -> String {
    let text = value(lock).render();
    format!("# Locked by envlock; do not edit. To lock anew after a change: envlock convert\n{text}")
}

/// What the lock says of a role.
pub fn role_text(role: &Role) -> String {
    nix_roles::role(role).render()
}

/// Text as a string of the Nix language.
pub fn quoted(text: &str) -> String {
    Value::string(text).render().trim_end().to_owned()
}

/// Whether the text of an `envlock.nix` says just what this lock is, however it is formatted.
pub fn says(text: &str, lock: &Lock) -> bool {
    Value::parse(text).is_ok_and(|said| said == value(lock))
}

fn value(lock: &Lock) -> Value {
    Value::set([
        ("formatVersion", Value::Integer(FORMAT_VERSION)),
        ("inputHash", Value::string(&lock.input_hash)),
        ("options", options(&lock.options)),
        ("overridden", Value::strings(&lock.overridden)),
        ("files", strings(&lock.files)),
        ("environments", Value::set(lock.environments.iter().map(|it| (&it.name, environment(it))))),
        ("cluster", nix_roles::cluster(lock.cluster.as_ref())),
        ("roles", Value::set(lock.roles.iter().map(|(name, it)| (name, nix_roles::role(it))))),
    ])
}

fn options(entries: &BTreeMap<String, String>) -> Value {
    let mut sets: BTreeMap<&str, Value> = BTreeMap::new();
    for (name, value) in entries {
        match name.split_once('.') {
            None => drop(sets.insert(name, Value::string(value))),
            Some((outer, inner)) => {
                if let Value::Set(set) = sets.entry(outer).or_insert_with(|| Value::Set(Vec::new())) {
                    set.push((inner.to_owned(), Value::string(value)));
                }
            }
        }
    }
    Value::set(sets)
}

fn environment(environment: &LockedEnvironment) -> Value {
    let platforms: BTreeMap<_, _> = environment
        .platforms
        .iter()
        .map(|(platform, locked)| {
            let mut packages: Vec<_> = locked.packages.iter().collect();
            packages.sort_by_key(|package| (package.kind, &package.name));
            let value = Value::set([
                ("lockHash", Value::string(fingerprint::lock_hash(&locked.packages))),
                ("specs", Value::strings(&locked.specs)),
                ("variables", strings(&locked.variables)),
                ("packages", Value::List(packages.into_iter().map(package).collect())),
            ]);
            (system(*platform), value)
        })
        .collect();
    Value::set(platforms)
}

pub(super) fn strings(map: &BTreeMap<String, String>) -> Value {
    Value::set(map.iter().map(|(name, value)| (name, Value::string(value))))
}

fn package(package: &Package) -> Value {
    let file_name = package.file_name();
    let mut entries = vec![
        ("kind", Value::string(package.kind.as_str())),
        ("name", Value::string(&package.name)),
        ("version", Value::string(&package.version)),
    ];
    entries.extend(package.build.as_ref().map(|build| ("build", Value::string(build))));
    entries.extend([
        ("fileName", Value::string(&file_name)),
        ("storeName", Value::string(store_name(&file_name))),
        ("url", Value::string(&package.url)),
        ("hash", Value::string(sri(&package.sha256))),
    ]);
    entries.extend(package.size.map(|size| ("size", Value::Integer(size))));
    entries.extend(package.wheel.as_ref().map(|wheel| ("wheel", built_wheel(wheel))));
    Value::set(entries)
}

fn built_wheel(wheel: &BuiltWheel) -> Value {
    Value::set([
        ("fileName", Value::string(&wheel.file_name)),
        ("storeName", Value::string(store_name(&wheel.file_name))),
        ("hash", Value::string(sri(&wheel.sha256))),
        ("size", Value::Integer(wheel.size)),
        ("requires", Value::List(wheel.requires.iter().map(package).collect())),
    ])
}

/// `sha256-<base64>`, as Nix's fetchers take it.
fn sri(hex: &str) -> String {
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .filter_map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
        .collect();
    format!("sha256-{}", STANDARD.encode(bytes))
}

/// Reads what [`write()`] wrote, or the same as JSON, which is what Nix can write. What only `conda-lock.yml` states is
/// left empty.
pub fn read(path: &Path, text: &str) -> Result<Lock, Error> {
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let root = if is_json { Value::parse_json(text) } else { Value::parse(text) };
    root.and_then(|root| parse(&root)).map_err(|message| Error { path: path.to_path_buf(), message })
}

fn parse(root: &Value) -> Result<Lock, String> {
    match root.get("formatVersion") {
        Some(Value::Integer(FORMAT_VERSION)) => {}
        Some(Value::Integer(other)) => {
            return Err(format!("format version {other} is not known here, only {FORMAT_VERSION}"));
        }
        _ => return Err("`formatVersion` is missing".to_owned()),
    }
    let mut options = BTreeMap::new();
    for (name, value) in set(root, "options")? {
        match value {
            Value::Set(inner) => {
                for (key, value) in inner {
                    options.insert(format!("{name}.{key}"), text_of(value, key)?);
                }
            }
            _ => drop(options.insert(name.clone(), text_of(value, name)?)),
        }
    }
    let mut environments = Vec::new();
    for (name, value) in set(root, "environments")? {
        let mut platforms = BTreeMap::new();
        for (system, value) in value.as_set().ok_or_else(|| format!("`{name}` is not a set"))? {
            platforms.insert(platform(system)?, read_platform(value)?);
        }
        environments.push(LockedEnvironment {
            name: name.clone(),
            channels: Vec::new(),
            sources: Vec::new(),
            content_hash: BTreeMap::new(),
            platforms,
        });
    }
    let mut roles = BTreeMap::new();
    for (name, value) in set(root, "roles")? {
        if !is_name(name) {
            return Err(format!("`{name}` cannot be the name of a role"));
        }
        let role = nix_roles::read_role(value).map_err(|error| format!("role {name}: {error}"))?;
        roles.insert(name.clone(), role);
    }
    Ok(Lock {
        input_hash: attribute(root, "inputHash")?,
        options,
        overridden: texts(root, "overridden")?.into_iter().collect(),
        files: read_strings(root, "files")?,
        environments,
        cluster: nix_roles::read_cluster(root)?,
        roles,
    })
}

fn read_platform(value: &Value) -> Result<LockedPlatform, String> {
    let list = value.get("packages").and_then(Value::as_list).ok_or("`packages` is missing")?;
    let packages = list.iter().map(read_package).collect::<Result<Vec<_>, _>>()?;
    let stated = attribute(value, "lockHash")?;
    if stated != fingerprint::lock_hash(&packages) {
        return Err("`lockHash` is not that of the packages: the file was edited".to_owned());
    }
    Ok(LockedPlatform {
        specs: texts(value, "specs")?,
        variables: read_strings(value, "variables")?,
        packages,
    })
}

fn read_package(value: &Value) -> Result<Package, String> {
    let kind = attribute(value, "kind")?;
    let kind = Kind::parse(&kind).ok_or_else(|| format!("the kind `{kind}` is not known"))?;
    Ok(Package {
        kind,
        name: attribute(value, "name")?,
        version: attribute(value, "version")?,
        build: value.get("build").and_then(Value::as_str).map(str::to_owned),
        url: attribute(value, "url")?,
        sha256: read_hash(value)?,
        md5: None,
        size: if let Some(Value::Integer(size)) = value.get("size") { Some(*size) } else { None },
        dependencies: BTreeMap::new(),
        categories: BTreeSet::new(),
        wheel: value.get("wheel").map(read_built_wheel).transpose()?.map(Box::new),
    })
}

fn read_built_wheel(value: &Value) -> Result<BuiltWheel, String> {
    let file_name = attribute(value, "fileName")?;
    if !is_wheel_name(&file_name) {
        return Err(format!("`{file_name}` cannot be the name of a wheel"));
    }
    let Some(Value::Integer(size)) = value.get("size") else { return Err("`size` is missing".to_owned()) };
    let requires = value.get("requires").and_then(Value::as_list).ok_or("`requires` is missing")?;
    let requires = requires.iter().map(read_package).collect::<Result<Vec<_>, _>>()?;
    match requires.iter().find(|package| package.kind != Kind::Wheel) {
        Some(other) => Err(format!("{} builds a package, and is no wheel itself", other.name)),
        None => Ok(BuiltWheel { file_name, sha256: read_hash(value)?, size: *size, requires }),
    }
}

/// `hash`, as hex.
fn read_hash(value: &Value) -> Result<String, String> {
    let hash = attribute(value, "hash")?;
    let digest = hash.strip_prefix("sha256-").and_then(|base64| STANDARD.decode(base64).ok());
    Ok(fingerprint::hex(&digest.ok_or_else(|| format!("`{hash}` is not a sha256"))?))
}

pub(super) fn read_strings(value: &Value, name: &str) -> Result<BTreeMap<String, String>, String> {
    set(value, name)?.iter().map(|(key, value)| Ok((key.clone(), text_of(value, key)?))).collect()
}

pub(super) fn set<'a>(value: &'a Value, name: &str) -> Result<&'a [(String, Value)], String> {
    value.get(name).and_then(Value::as_set).ok_or_else(|| format!("`{name}` is missing"))
}

pub(super) fn attribute(value: &Value, name: &str) -> Result<String, String> {
    text_of(value.get(name).ok_or_else(|| format!("`{name}` is missing"))?, name)
}

pub(super) fn texts(value: &Value, name: &str) -> Result<Vec<String>, String> {
    let items = value.get(name).and_then(Value::as_list).ok_or_else(|| format!("`{name}` is missing"))?;
    items.iter().map(|item| text_of(item, name)).collect()
}

fn text_of(value: &Value, name: &str) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("`{name}` is not text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::model::tests::package as sample;
    use crate::spec::project::{Cluster, Derived, Readiness, Service, StopSignal, User};

    fn parse_text(text: &str) -> Result<Lock, String> {
        parse(&Value::parse(text)?)
    }

    fn role() -> Role {
        let service = |readiness| Service {
            command: vec!["a b".to_owned(), "${C}".to_owned()],
            environment: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
            ports: if let Some(Readiness::Tcp(port)) = &readiness { vec![*port] } else { Vec::new() },
            volumes: vec!["/var/lib/a".to_owned()],
            readiness,
            guard: true,
            stop_timeout: 7,
            ..Service::default()
        };
        let job = Service {
            after: vec!["tcp".to_owned()],
            files: BTreeMap::from([("a.conf".to_owned(), "b = ${C}\n".to_owned())]),
            once: true,
            stop_signal: StopSignal::Int,
            ..service(None)
        };
        let services = [
            ("command", Some(Readiness::Command(vec!["x".to_owned(), "y".to_owned()]))),
            ("http", Some(Readiness::Http("http://h/".to_owned()))),
            ("none", None),
            ("tcp", Some(Readiness::Tcp(6379))),
        ];
        Role {
            system: None,
            services: services
                .map(|(name, readiness)| (name.to_owned(), service(readiness)))
                .into_iter()
                .chain([("job".to_owned(), job)])
                .collect(),
            environment: BTreeMap::from([("B".to_owned(), "c".to_owned())]),
            secrets: vec!["PASSWORD".to_owned()],
            ports: vec![80],
            volumes: vec!["/data".to_owned()],
            user: User { name: "me".to_owned(), id: 7 },
            publishes: true,
            airflow: None,
            makes: BTreeMap::from([("MADE".to_owned(), "/data/MADE".to_owned())]),
            derives: BTreeMap::from([(
                "DERIVED".to_owned(),
                Derived { from: "MADE".to_owned(), base64: true },
            )]),
            hosts: BTreeMap::from([("C_HOST".to_owned(), "tcp".to_owned())]),
            shares: vec!["/data".to_owned()],
        }
    }

    #[test]
    fn what_would_leave_an_image_is_refused() {
        let text = write(&lock());
        for (from, to) in [
            ("\"/var/lib/a\"", "\"/var/../etc\""),
            ("\"/data\"", "\"data\""),
            ("name = \"me\"", "name = \"me:x:0\""),
            ("    worker = {", "    \"../worker\" = {"),
            ("id = 7", "id = 0"),
            ("      B = \"c\"", "      \"B=C\" = \"c\""),
            ("      B = \"c\"", "      DB_PASSWORD = \"hunter2\""),
            ("\"PASSWORD\"", "\"../../etc/shadow\""),
            ("tcp = 6379", "tcp = 0"),
            ("\"http://h/\"", "\"ftp://h/\""),
            ("        none = {", "        publish = {"),
            ("\"a b\"", "\"\""),
            ("after = [ \"tcp\" ]", "after = [ \"job\" ]"),
            ("after = [ \"tcp\" ]", "after = [ \"nobody\" ]"),
            ("stopSignal = \"INT\"", "stopSignal = \"KILL\""),
            ("\"a.conf\" =", "\"../a.conf\" ="),
            ("\"/data/MADE\"", "\"/etc/MADE\""),
            ("C_HOST =", "\"C HOST\" ="),
            ("from = \"MADE\"", "from = \"MA DE\""),
            ("\"redis://\\${HOST}/0\"", "\"redis://:hunter2@h/0\""),
        ] {
            assert!(text.contains(from), "{from}");
            assert!(parse_text(&text.replace(from, to)).is_err(), "{to}");
        }
    }

    fn lock() -> Lock {
        let mut epoch = sample("epoch", &[]);
        epoch.url = "https://h/c/noarch/epoch-1!2.0-0.conda".to_owned();
        epoch.version = "1!2.0".to_owned();
        epoch.size = None;
        let locked = LockedPlatform {
            specs: vec!["a >=1".to_owned(), "epoch".to_owned()],
            variables: BTreeMap::from([("A".to_owned(), "${B} \"c\" ''\\".to_owned())]),
            packages: vec![sample("a", &[]), epoch],
        };
        let mut lock = Lock {
            input_hash: "00".repeat(32),
            options: BTreeMap::from([
                ("exclude-newer".to_owned(), "2019-05-02T00:00:00Z".to_owned()),
                ("virtual-packages.__cuda".to_owned(), "12.4".to_owned()),
            ]),
            overridden: BTreeSet::from(["exclude-newer".to_owned()]),
            files: BTreeMap::from([("conda-lock.yml".to_owned(), "00".to_owned())]),
            environments: vec![LockedEnvironment {
                name: "user".to_owned(),
                channels: Vec::new(),
                sources: Vec::new(),
                content_hash: BTreeMap::new(),
                platforms: BTreeMap::from([(Subdir::Linux64, locked)]),
            }],
            cluster: Some(Cluster { name: "c".to_owned(), broker: "redis://${HOST}/0".to_owned() }),
            roles: BTreeMap::from([("master".to_owned(), role()), ("worker".to_owned(), Role::default())]),
        };
        for package in &mut lock.environments[0].platforms.get_mut(&Subdir::Linux64).unwrap().packages {
            package.md5 = None;
            package.categories.clear();
        }
        lock
    }

    #[test]
    fn what_is_written_reads_back() {
        assert_eq!(parse_text(&write(&lock())).unwrap(), lock());
    }

    #[test]
    fn store_names_are_legal() {
        assert_eq!(store_name("epoch-1!2.0-0.conda"), "epoch-1_2.0-0.conda");
        assert_eq!(store_name(".hidden"), "_.hidden");
        assert_eq!(store_name(&"x".repeat(300)).len(), 211);
    }

    #[test]
    fn an_edited_hash_is_noticed() {
        let text = write(&lock()).replace("version = \"1.0\"", "version = \"1.1\"");
        assert!(parse_text(&text).unwrap_err().contains("edited"));
    }

    #[test]
    fn sri_hashes() {
        assert_eq!(sri(&"00".repeat(32)), "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    }
}
