//! conda-lock's `content_hash`: sha256 over conda-lock's own reading of the inputs.
//!
//! conda-lock compares this hash to decide whether a lock is current, so it must be conda-lock's
//! even where that reads less well than [`crate::spec`]: of two requirements of one name the last
//! counts, and a selector is one bare name. Where conda-lock would crash (`-r`, `--index-url`) the
//! line is left out.
//!
//! Source: conda-lock 4 (`content_hash.py`, `src_parser/`), conda's match specs, CEP 37.

use std::{collections::BTreeMap, fmt::Write, path::Path, str::FromStr};

use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder, Requirement, VerbatimUrl, VersionOrUrl};
use rattler_conda_types::Subdir;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::fingerprint::hex;
use crate::spec::{
    Source,
    channel::{Channel, Context, Variables},
    yaml::{self, Node, Value as Yaml},
};

/// The content hash of `sources` on one platform.
pub fn content_hash(sources: &[Source], platform: Subdir, variables: &Variables) -> String {
    hex(&Sha256::digest(preimage(sources, platform, variables)))
}

/// The text that is hashed: Python's `json.dumps(…, sort_keys=True)` of channels, specs and the
/// default virtual packages.
pub fn preimage(sources: &[Source], platform: Subdir, variables: &Variables) -> String {
    let mut channels: Vec<Value> = Vec::new();
    let mut repositories: Vec<Value> = Vec::new();
    let mut specs: BTreeMap<(String, String), Value> = BTreeMap::new();
    for source in sources {
        // Channels are read from the whole file, dependencies from what the selectors leave.
        let root = yaml::parse(&source.shown, &source.text).ok();
        let theirs: Vec<Value> = texts(root.as_ref(), "channels")
            .into_iter()
            .filter(|channel| channel != "nodefaults")
            .map(|channel| Value::String(channel_json(&channel, variables)))
            .collect();
        if theirs.len() > channels.len() {
            channels = theirs;
        }
        let urls = texts(root.as_ref(), "pip-repositories").into_iter();
        let theirs: Vec<Value> = urls.map(|url| Value::String(json!({ "url": url }).to_string())).collect();
        if theirs.len() > repositories.len() {
            repositories = theirs;
        }
        let category =
            texts(root.as_ref(), "category").into_iter().next().unwrap_or_else(|| "main".to_owned());
        let selected = select(&source.text, platform);
        let Ok(root) = yaml::parse(&source.shown, &selected) else { continue };
        for spec in dependencies(&root, &category, platform) {
            let key = |name: &str| spec[name].as_str().unwrap_or_default().to_owned();
            specs.insert((key("manager"), key("name")), spec);
        }
    }
    let mut content = json!({
        "channels": channels,
        "specs": specs.into_values().collect::<Vec<_>>(),
        "virtual_package_hash": virtual_packages(platform),
    });
    if !repositories.is_empty() {
        content["pip_repositories"] = repositories.into();
    }
    let mut text = String::new();
    python_json(&content, &mut text);
    text
}

/// The texts of a top-level key: a list's items, or one scalar.
fn texts(root: Option<&Node>, key: &str) -> Vec<String> {
    let Some(Yaml::Mapping(entries)) = root.map(|root| &root.value) else { return Vec::new() };
    let text = |node: &Node| match &node.value {
        Yaml::String(text) => Some(text.clone()),
        _ => None,
    };
    match entries.iter().find(|(name, _)| name.name == key).map(|(_, node)| node) {
        Some(Node { value: Yaml::Sequence(items), .. }) => items.iter().filter_map(text).collect(),
        Some(node) => text(node).into_iter().collect(),
        None => Vec::new(),
    }
}

/// pydantic's compact JSON of a channel.
fn channel_json(written: &str, variables: &Variables) -> String {
    let alias = url::Url::parse(crate::spec::channel::DEFAULT_ALIAS);
    let parsed = match &alias {
        Ok(alias) if written.contains("://") => {
            Channel::parse(written, Context { alias, directory: Path::new("."), variables }).ok()
        }
        _ => None,
    };
    let (url, used) =
        parsed.map_or_else(|| (written.to_owned(), Vec::new()), |it| (it.lock_url, it.used_env_vars));
    let quoted = |text: &str| Value::from(text).to_string();
    let used: Vec<_> = used.iter().map(|name| quoted(name)).collect();
    format!("{{\"url\":{},\"used_env_vars\":[{}]}}", quoted(&url), used.join(","))
}

/// The lines that conda-lock keeps for a platform.
fn select(text: &str, platform: Subdir) -> String {
    let names: &[&str] = match platform {
        Subdir::Linux64 => &["linux64", "unix", "linux"],
        Subdir::LinuxAarch64 => &["aarch64", "unix", "linux"],
        Subdir::LinuxPpc64le => &["ppc64le", "unix", "linux"],
        Subdir::Osx64 => &["osx64", "osx", "unix"],
        Subdir::OsxArm64 => &["arm64", "osx", "unix"],
        Subdir::Win64 => &["win", "win64"],
        _ => &[],
    };
    let keeps = |line: &&str| {
        !line.trim_start().starts_with('#') && selector(line).is_none_or(|selector| names.contains(&selector))
    };
    text.lines().filter(keeps).collect::<Vec<_>>().join("\n")
}

/// What stands in the last brackets of a line's comment, if nothing but plain text follows them.
fn selector(line: &str) -> Option<&str> {
    let comment = line.char_indices().skip(1).find(|(_, c)| *c == '#')?.0;
    let (open, close) = (line.rfind('[')?, line.rfind(']')?);
    let inner = line.get(open + 1..close)?;
    let tail = &line[close + 1..];
    (open > comment && !inner.is_empty() && !inner.contains([']', '[']) && !tail.contains(['(', ')']))
        .then_some(inner)
}

fn dependencies(root: &Node, category: &str, platform: Subdir) -> Vec<Value> {
    let Yaml::Mapping(entries) = &root.value else { return Vec::new() };
    let Some((_, node)) = entries.iter().find(|(key, _)| key.name == "dependencies") else {
        return Vec::new();
    };
    let Yaml::Sequence(items) = &node.value else { return Vec::new() };
    let mut conda = Vec::new();
    let mut pip = Vec::new();
    for item in items {
        match &item.value {
            Yaml::String(spec) => conda.extend(conda_spec(spec, category)),
            Yaml::Mapping(sections) => {
                let Some((_, section)) = sections.iter().find(|(key, _)| key.name == "pip") else { continue };
                let Yaml::Sequence(lines) = &section.value else { continue };
                for line in lines {
                    if let Yaml::String(line) = &line.value {
                        pip.extend(pip_spec(line, category, platform));
                    }
                }
                pip.push(versioned("conda", "pip", "*", "main"));
            }
            _ => {}
        }
    }
    conda.extend(pip);
    conda
}

fn versioned(manager: &str, name: &str, version: &str, category: &str) -> Value {
    json!({
        "build": null, "category": category, "conda_channel": null, "extras": [], "hash": null,
        "manager": manager, "name": name, "version": version,
    })
}

/// A conda requirement as conda's `MatchSpec` states it.
fn conda_spec(spec: &str, category: &str) -> Option<Value> {
    let spec = spec.split('#').next().unwrap_or_default();
    let spec = spec.split(" if ").next().unwrap_or_default();
    if let Some(archive) = [".conda", ".tar.bz2"].iter().find_map(|ending| spec.trim().strip_suffix(ending)) {
        let mut parts = archive.rsplit('/').next()?.rsplitn(3, '-');
        let (build, version, name) = (parts.next()?, parts.next()?, parts.next()?);
        let channel = archive.rsplit('/').nth(2);
        let mut value = versioned("conda", name, version, category);
        value["build"] = build.into();
        value["conda_channel"] = channel.into();
        return Some(value);
    }
    let (spec, brackets) = match (spec.find('['), spec.rfind(']')) {
        (Some(open), Some(close)) if open < close => {
            (format!("{}{}", &spec[..open], &spec[close + 1..]), bracket_fields(&spec[open + 1..close]))
        }
        _ => (spec.to_owned(), BTreeMap::new()),
    };
    let parts: Vec<_> = spec.rsplitn(3, ':').collect();
    let rest = parts[0].trim_start();
    let channel = parts.get(2).map(|channel| channel_name(channel));
    let split = rest.find(|c: char| " =<>!~".contains(c)).unwrap_or(rest.len());
    let (name, rest) = (rest[..split].to_lowercase(), rest[split..].trim());
    let (mut version, mut build) = if rest.is_empty() { (None, None) } else { version_and_build(rest) };
    version = brackets.get("version").cloned().or(version);
    build = brackets.get("build").cloned().or(build);
    let mut value =
        versioned("conda", &name, &version.map(|it| normal_version(&it)).unwrap_or_default(), category);
    value["build"] = build.into();
    value["conda_channel"] = brackets.get("channel").cloned().or(channel).into();
    Some(value)
}

/// `version='>=1,<2', build=py*` → its fields.
fn bracket_fields(text: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    let mut rest = text.trim_start_matches([' ', ',']);
    while let Some((key, tail)) = rest.split_once('=') {
        let quote = tail.chars().next().filter(|c| matches!(c, '\'' | '"'));
        let (value, after) = match quote {
            Some(quote) => tail[1..].split_once(quote).unwrap_or((&tail[1..], "")),
            None => tail.split_once([',', ' ']).unwrap_or((tail, "")),
        };
        fields.insert(key.trim().to_owned(), value.to_owned());
        rest = after.trim_start_matches([' ', ',']);
    }
    fields
}

/// Splits `=1.2.3 py_0` into version and build, and takes the operator of a simple equality off.
fn version_and_build(text: &str) -> (Option<String>, Option<String>) {
    let split = text.char_indices().skip(1).find(|(index, c)| {
        let before = text[..*index].chars().next_back().unwrap_or(' ');
        let after = &text[index + 1..];
        matches!(c, ' ' | '=')
            && !"=!|,<>~".contains(before)
            && !after.is_empty()
            && !after.contains(['-', '=', ',', '|', '<', '>', '~'])
    });
    let (version, build) = match split {
        Some((index, _)) => (&text[..index], Some(text[index + 1..].trim().to_owned())),
        None => (text, None),
    };
    let version = version.replace(' ', "");
    let version = if version == "=" || version == "==" {
        version
    } else if let (Some(rest), None) = (version.strip_prefix("=="), &build) {
        rest.to_owned()
    } else if let Some(rest) = version.strip_prefix('=').filter(|rest| !rest.contains(['=', ',', '|'])) {
        if build.is_none() && !rest.ends_with('*') { format!("{rest}*") } else { rest.to_owned() }
    } else {
        version
    };
    (Some(version), build)
}

/// conda's normal form of a version requirement: `3.11*` is `3.11.*`.
fn normal_version(version: &str) -> String {
    if version.contains(['(', ')', '^']) {
        return version.to_owned();
    }
    let one = |part: &str| match part.trim().strip_suffix('*') {
        Some(stem)
            if !stem.is_empty()
                && !stem.ends_with('.')
                && !stem.contains('*')
                && !stem.starts_with(['=', '<', '>', '!', '~']) =>
        {
            format!("{stem}.*")
        }
        _ => part.trim().to_owned(),
    };
    let all = |part: &str| part.split(',').map(one).collect::<Vec<_>>().join(",");
    version.split('|').map(all).collect::<Vec<_>>().join("|")
}

/// conda's name of the channel in front of a requirement: without a subdir, a URL by its last part.
fn channel_name(written: &str) -> String {
    let subdir = |part: &str| part == "noarch" || crate::spec::environment::parse_platform(part).is_ok();
    let channel =
        written.rsplit_once('/').filter(|(_, last)| subdir(last)).map_or(written, |(channel, _)| channel);
    match channel.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or(rest, |(_, path)| path).to_owned(),
        None => channel.to_owned(),
    }
}

/// A pip requirement as conda-lock states it; `None` where its marker excludes the platform.
fn pip_spec(line: &str, category: &str, platform: Subdir) -> Option<Value> {
    if line.starts_with('-') {
        return None;
    }
    let (body, marker) = match line.rsplit_once(';') {
        Some((body, marker)) => (body.trim(), Some(marker.trim())),
        None => (line, None),
    };
    let mut pieces = body.split(" --hash=");
    let (body, hash) = (pieces.next()?, pieces.next());
    let named = if ["git+", "https://", "ssh://"].iter().any(|scheme| body.starts_with(scheme)) {
        let repository = body.rsplit('/').next()?.split('@').next()?;
        format!("{} @ {body}", repository.strip_suffix(".git").unwrap_or(repository))
    } else {
        body.to_owned()
    };
    let requirement = Requirement::<VerbatimUrl>::from_str(&named).ok()?;
    let mut value = match &requirement.version_or_url {
        Some(VersionOrUrl::Url(_)) => url_spec(named.split_once(" @ ").map_or("", |(_, url)| url.trim())),
        other => {
            let mut specifiers: Vec<String> = match other {
                Some(VersionOrUrl::VersionSpecifier(all)) => all.iter().map(ToString::to_string).collect(),
                _ => Vec::new(),
            };
            specifiers.sort();
            let version = specifiers.join(",").replace("===", "==");
            let version = if version.is_empty() { "*" } else { &version };
            let mut value = versioned("pip", "", version, "");
            value["hash"] = hash.into();
            value
        }
    };
    let mut extras: Vec<_> = requirement.extras.iter().map(ToString::to_string).collect();
    extras.sort();
    let is_vcs = value.get("vcs").is_some();
    value["category"] = category.into();
    value["extras"] = if is_vcs { json!([]) } else { extras.into() };
    value["manager"] = "pip".into();
    value["name"] = requirement.name.to_string().into();
    if let Some(marker) = marker {
        value["markers"] = marker.into();
        let tree = Requirement::<VerbatimUrl>::from_str(&format!("x; {marker}")).ok()?.marker;
        // Before Python is known, what depends on it counts as true.
        let holds = |version| marker_environment(platform, version).is_some_and(|it| tree.evaluate(&it, &[]));
        if !["2.7", "3.6", "3.9", "3.12", "3.14"].into_iter().any(holds) {
            return None;
        }
    }
    Some(value)
}

fn url_spec(url: &str) -> Value {
    if let Some(git) = url.strip_prefix("git+") {
        let git = url.strip_suffix(".git").map_or(git, |url| &url[4..]);
        let (source, revision) = match git.rsplit_once('@') {
            Some((source, revision)) => (source, Some(revision)),
            None => (git, None),
        };
        let (revision, subdirectory) = match revision.and_then(|it| it.split_once("#subdirectory=")) {
            Some((revision, subdirectory)) => (Some(revision), Some(subdirectory)),
            None => (revision, None),
        };
        let mut value = json!({ "rev": revision, "source": source, "vcs": "git" });
        if let Some(subdirectory) = subdirectory {
            value["subdirectory"] = subdirectory.into();
        }
        return value;
    }
    if url.starts_with("https://") || url.starts_with("ssh://") {
        let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
        return json!({ "hashes": [fragment.replace('=', ":")], "url": url });
    }
    let path = url.strip_prefix("file://").unwrap_or(url);
    json!({ "is_directory": Path::new(path).is_dir(), "path": path })
}

fn marker_environment(platform: Subdir, python: &str) -> Option<MarkerEnvironment> {
    let name = platform.as_str();
    let (os_name, system, sys_platform) = match name.split('-').next()? {
        "osx" => ("posix", "Darwin", "darwin"),
        "win" => ("nt", "Windows", "win32"),
        _ => ("posix", "Linux", "linux"),
    };
    let machine = match name.split_once('-')?.1 {
        "64" if system == "Windows" => "AMD64",
        "64" => "x86_64",
        other => other,
    };
    let full = format!("{python}.0");
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: &full,
        os_name,
        platform_machine: machine,
        platform_python_implementation: "CPython",
        platform_release: "",
        platform_system: system,
        platform_version: "",
        python_full_version: &full,
        python_version: python,
        sys_platform,
    })
    .ok()
}

/// The fake repodata of conda-lock's default virtual packages.
fn virtual_packages(platform: Subdir) -> Value {
    let linux = |architecture: &'static str| {
        vec![
            ("__unix", "0", ""),
            ("__linux", "5.10", ""),
            ("__archspec", "1", architecture),
            ("__glibc", "2.28", ""),
            ("__cuda", "11.4", ""),
        ]
    };
    let packages = match platform {
        Subdir::Linux64 => linux("x86_64"),
        Subdir::LinuxAarch64 => linux("aarch64"),
        Subdir::LinuxPpc64le => linux("ppc64le"),
        // Two of `__osx`: what conda-lock once did by mistake stays in its hashes for ever.
        Subdir::Osx64 => vec![
            ("__unix", "0", ""),
            ("__archspec", "1", "x86_64"),
            ("__osx", "10.15", ""),
            ("__osx", "11.0", ""),
        ],
        Subdir::OsxArm64 => vec![("__unix", "0", ""), ("__archspec", "1", "arm64"), ("__osx", "11.0", "")],
        Subdir::Win64 => vec![("__win", "0", ""), ("__archspec", "1", "x86_64"), ("__cuda", "11.4", "")],
        _ => {
            return json!({ "noarch": { "info": { "subdir": "noarch" }, "packages": {} }, platform.as_str(): {} });
        }
    };
    let subdir = platform.as_str();
    let mut entries = json!({});
    for (name, version, build_string) in packages {
        let build = if build_string.is_empty() { "0".to_owned() } else { format!("{build_string}_0") };
        entries[format!("{name}-{version}-{build}.tar.bz2")] = json!({
            "build": build, "build_number": 0, "build_string": build_string, "depends": [], "name": name,
            "noarch": "", "package_type": "virtual_system", "subdir": subdir, "timestamp": 1_577_854_800_000_u64,
            "version": version,
        });
    }
    json!({
        subdir: { "info": { "subdir": subdir }, "packages": entries },
        "noarch": { "info": { "subdir": "noarch" }, "packages": {} },
    })
}

/// Python's `json.dumps(value, sort_keys=True)`: `", "` and `": "`, ASCII only.
fn python_json(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                python_json(item, text);
            }
            text.push(']');
        }
        Value::Object(entries) => {
            let sorted: BTreeMap<_, _> = entries.iter().collect();
            text.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                python_json(&Value::from(key.as_str()), text);
                text.push_str(": ");
                python_json(value, text);
            }
            text.push('}');
        }
        Value::String(string) => {
            for character in Value::from(string.as_str()).to_string().chars() {
                if character.is_ascii() {
                    text.push(character);
                } else {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let _ = write!(text, "\\u{unit:04x}");
                    }
                }
            }
        }
        other => text.push_str(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn match_specs_as_conda_states_them() {
        // Each line is what conda-lock 4 states: name, version, build, channel.
        let stated = |spec: &str| {
            let value = conda_spec(spec, "main").unwrap();
            let text = |key: &str| value[key].as_str().unwrap_or("-").to_owned();
            format!("{}|{}|{}|{}", text("name"), text("version"), text("build"), text("conda_channel"))
        };
        let cases = [
            ("Python=3.11", "python|3.11.*|-|-"),
            ("python==3.11", "python|3.11|-|-"),
            ("python 3.11*", "python|3.11.*|-|-"),
            ("numpy >=1.20 , <2", "numpy|>=1.20,<2|-|-"),
            ("tini >=0.1,<2|3", "tini|>=0.1,<2|3|-|-"),
            ("numpy=1.2|1.3", "numpy|=1.2|1.3|-|-"),
            ("numpy=1.2,<3", "numpy|=1.2,<3|-|-"),
            ("numpy==1.2=py_0", "numpy|==1.2|py_0|-"),
            ("numpy==1.*", "numpy|1.*|-|-"),
            ("numpy *", "numpy|*|-|-"),
            ("numpy ~=1.2", "numpy|~=1.2|-|-"),
            ("c::numpy=1.26.4=py311_0", "numpy|1.26.4|py311_0|c"),
            ("c/linux-64::numpy", "numpy||-|c"),
            ("https://host/chan::numpy", "numpy||-|chan"),
            ("numpy[channel=foo]", "numpy||-|foo"),
            ("numpy[version='>=1,<2|3',build=py*]", "numpy|>=1,<2|3|py*|-"),
            ("numpy[version='=1.2']", "numpy|=1.2|-|-"),
            ("numpy[build_number='>1']", "numpy||-|-"),
            ("numpy >=1.0 =py34_0", "numpy|>=1.0|py34_0|-"),
            (
                "https://conda.anaconda.org/conda-forge/linux-64/bzip2-1.0.8-hd590300_5.conda",
                "bzip2|1.0.8|hd590300_5|conda-forge",
            ),
        ];
        for (spec, expected) in cases {
            assert_eq!(stated(spec), expected, "{spec}");
        }
    }

    #[test]
    fn json_as_python_writes_it() {
        let mut text = String::new();
        python_json(&json!({"b": [1, null, true], "a": "é\"\n😀"}), &mut text);
        assert_eq!(text, r#"{"a": "\u00e9\"\n\ud83d\ude00", "b": [1, null, true]}"#);
    }
}
