//! The options of `convert`: from the command line, from `envlock.yml`, or the defaults.
//!
//! Guarantees: one reading of each value, wherever it comes from, and one canonical text for it
//! ([`Options::entries`]), which is what `envlock.nix` records.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil, tz::TimeZone};
use rattler_conda_types::{PackageName, Subdir, Version};
use url::Url;

use super::{
    channel::{redact, slashed},
    name_map::normalised,
    nearest,
};

/// How channels rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ChannelPriority {
    /// A package comes from the first channel that has it at all.
    #[default]
    Strict,
    /// Earlier channels are exhausted before later ones are tried.
    Flexible,
    /// The highest version of any channel.
    Disabled,
}

/// How conflicting pip requirements are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PipResolver {
    /// They are errors.
    Strict,
    /// The first pin of a name, with the extras of all.
    Merge,
    /// As pip before 20.3: the first requirement of a name wins.
    Legacy,
}

/// Options that change what is resolved. `None` and empty mean: not said here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Limits on the versions of what builds sdists, as requirements.
    pub build_constraints: Vec<String>,
    /// What builds an sdist besides what it asks for itself, as requirements, by its normalised name.
    pub build_requires: BTreeMap<String, Vec<String>>,
    /// After how many seconds a build is given up.
    pub build_timeout: Option<u32>,
    /// Environment variables of the builds of sdists.
    pub build_variables: BTreeMap<String, String>,
    /// Where channel names lead.
    pub channel_alias: Option<Url>,
    /// How channels rank.
    pub channel_priority: Option<ChannelPriority>,
    /// Records after this instant do not exist.
    pub exclude_newer: Option<Timestamp>,
    /// conda ↔ PyPI names, a file.
    pub name_map: Option<String>,
    /// How conflicting pip requirements are read; unset: by the solved pip.
    pub pip_resolver: Option<PipResolver>,
    /// What to lock for where a file names no platforms.
    pub platforms: Vec<Subdir>,
    /// Virtual packages of the target, by name: `VERSION` or `VERSION=BUILD`.
    pub virtual_packages: BTreeMap<String, String>,
}

/// A message and a hint.
type Wrong = (String, String);

impl Options {
    /// Sets one option from its text.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Wrong> {
        match name {
            "build-timeout" => self.build_timeout = Some(parse_timeout(value)?),
            "channel-alias" => self.channel_alias = Some(parse_alias(value)?),
            "channel-priority" => self.channel_priority = Some(parse_choice(name, value)?),
            "exclude-newer" => self.exclude_newer = Some(parse_exclude_newer(value)?),
            "name-map" => self.name_map = Some(value.to_owned()),
            "pip-resolver" => self.pip_resolver = Some(parse_choice(name, value)?),
            "platforms" => {
                for platform in value.split_whitespace() {
                    let platform = super::environment::parse_platform(platform)?;
                    if !self.platforms.contains(&platform) {
                        self.platforms.push(platform);
                    }
                }
            }
            _ => return Err((format!("unknown option `{name}`"), "see `envlock convert --help`".to_owned())),
        }
        Ok(())
    }

    /// These options, with those of `weaker` where nothing is said here.
    #[must_use]
    pub fn or(self, weaker: &Self) -> Self {
        let mut virtual_packages = weaker.virtual_packages.clone();
        virtual_packages.extend(self.virtual_packages);
        let mut build_variables = weaker.build_variables.clone();
        build_variables.extend(self.build_variables);
        let mut build_requires = weaker.build_requires.clone();
        build_requires.extend(self.build_requires);
        Self {
            build_constraints: if self.build_constraints.is_empty() {
                weaker.build_constraints.clone()
            } else {
                self.build_constraints
            },
            build_requires,
            build_timeout: self.build_timeout.or(weaker.build_timeout),
            build_variables,
            channel_alias: self.channel_alias.or_else(|| weaker.channel_alias.clone()),
            channel_priority: self.channel_priority.or(weaker.channel_priority),
            exclude_newer: self.exclude_newer.or(weaker.exclude_newer),
            name_map: self.name_map.or_else(|| weaker.name_map.clone()),
            pip_resolver: self.pip_resolver.or(weaker.pip_resolver),
            platforms: if self.platforms.is_empty() { weaker.platforms.clone() } else { self.platforms },
            virtual_packages,
        }
    }

    /// What is said, as names and canonical values, sorted; what has names of its own as `virtual-packages.NAME`,
    /// `build-variables.NAME` and `build-requires.NAME`. Several requirements are a line each.
    pub fn entries(&self) -> BTreeMap<String, String> {
        let mut entries = BTreeMap::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                entries.insert(name.to_owned(), value);
            }
        };
        let lines = |requirements: &[String]| requirements.join("\n");
        add("build-constraints", Some(lines(&self.build_constraints)).filter(|text| !text.is_empty()));
        for (name, requirements) in &self.build_requires {
            add(&format!("build-requires.{name}"), Some(lines(requirements)));
        }
        add("build-timeout", self.build_timeout.map(|seconds| seconds.to_string()));
        for (name, value) in &self.build_variables {
            add(&format!("build-variables.{name}"), Some(value.clone()));
        }
        add("channel-alias", self.channel_alias.as_ref().map(super::channel::bare));
        add("channel-priority", self.channel_priority.map(|choice| choice_name(&choice)));
        add("exclude-newer", self.exclude_newer.map(|instant| instant.to_string()));
        add("name-map", self.name_map.clone());
        let platforms = self.platforms.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join(" ");
        add("platforms", (!platforms.is_empty()).then_some(platforms));
        add("pip-resolver", self.pip_resolver.map(|choice| choice_name(&choice)));
        for (name, version) in &self.virtual_packages {
            add(&format!("virtual-packages.{name}"), Some(version.clone()));
        }
        entries
    }

    /// Adds a variable for the builds of sdists.
    pub fn add_build_variable(&mut self, name: &str, value: &str) -> Result<(), Wrong> {
        check_build_variable(name)?;
        if let Some(what) = super::project::secret_in(name, value) {
            let hint = "it would be readable in the lock: no build may need a secret".to_owned();
            return Err((format!("`{name}` seems to hold a secret ({what})"), hint));
        }
        self.build_variables.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// The reverse of [`Options::entries`].
    pub fn from_entries(entries: &BTreeMap<String, String>) -> Result<Self, Wrong> {
        let mut options = Self::default();
        for (name, value) in entries {
            if let Some(name) = name.strip_prefix("virtual-packages.") {
                let (name, version) = parse_virtual_package(&format!("{name}={value}"))?;
                options.virtual_packages.insert(name, version);
            } else if let Some(name) = name.strip_prefix("build-variables.") {
                options.add_build_variable(name, value)?;
            } else if let Some(name) = name.strip_prefix("build-requires.") {
                options.build_requires.insert(normalised(name), requirements(value.lines())?);
            } else if name == "build-constraints" {
                options.build_constraints = requirements(value.lines())?;
            } else {
                options.set(name, value)?;
            }
        }
        Ok(options)
    }
}

/// Variables that make a build the same everywhere; nobody else may set them.
const FIXED_VARIABLES: [&str; 6] =
    ["HOME", "PATH", "PYTHONHASHSEED", "PYTHONPATH", "SOURCE_DATE_EPOCH", "TMPDIR"];

fn check_build_variable(name: &str) -> Result<(), Wrong> {
    let is_name = name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
        && name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
    if !is_name {
        let hint = "use letters, digits and `_`".to_owned();
        return Err((format!("`{name}` cannot be the name of a variable"), hint));
    }
    if FIXED_VARIABLES.contains(&name) {
        let hint = "leave it out: it is what makes a build the same everywhere".to_owned();
        return Err((format!("a build cannot choose its own {name}"), hint));
    }
    Ok(())
}

/// Reads requirements, one a text, into their canonical form, sorted.
pub fn requirements<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<String>, Wrong> {
    let read = |text: &str| {
        let wrong = |why: String| {
            let hint = "write it like `setuptools<58`".to_owned();
            (format!("`{}` is no requirement: {why}", redact(text)), hint)
        };
        super::pip::by_name(text).map(|requirement| requirement.to_string()).map_err(wrong)
    };
    let mut requirements = texts.map(read).collect::<Result<Vec<_>, _>>()?;
    requirements.sort();
    Ok(requirements)
}

fn parse_timeout(value: &str) -> Result<u32, Wrong> {
    let hint = || "write it like `build-timeout: 3600`".to_owned();
    value.parse().map_err(|_| (format!("`{value}` is no number of seconds"), hint()))
}

fn parse_alias(value: &str) -> Result<Url, Wrong> {
    match Url::parse(value) {
        Ok(_) if redact(value) != value => Err((
            format!("channel alias `{}` holds credentials", redact(value)),
            "give them in ~/.netrc, or in the URL of a channel: https://host/t/$CONDA_TOKEN/channel"
                .to_owned(),
        )),
        Ok(url) if matches!(url.scheme(), "http" | "https" | "file") => Ok(slashed(url)),
        _ => Err((
            format!("channel alias `{value}` is not a URL"),
            format!("the usual one is {}", super::channel::DEFAULT_ALIAS),
        )),
    }
}

fn choice_name<T: clap::ValueEnum>(choice: &T) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn parse_choice<T: clap::ValueEnum>(name: &str, value: &str) -> Result<T, Wrong> {
    T::from_str(value, false).map_err(|_| {
        let known: Vec<_> = T::value_variants().iter().map(choice_name).collect();
        let hint = nearest(value, known.iter().map(String::as_str)).map_or_else(
            || format!("`{name}` is one of {}", known.join(", ")),
            |known| format!("did you mean `{known}`?"),
        );
        (format!("`{name}` cannot be `{value}`"), hint)
    })
}

/// Reads a date or an instant. A bare date is 00:00 UTC of that day, on every host.
pub fn parse_exclude_newer(value: &str) -> Result<Timestamp, Wrong> {
    let instant = value.parse::<Timestamp>().ok().or_else(|| {
        let date = value.parse::<civil::Date>().ok().filter(|_| value.len() == "2019-05-02".len())?;
        date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    });
    instant.ok_or_else(|| {
        (
            format!("`{value}` is neither a date nor an instant"),
            "write 2019-05-02, or 2019-05-02T12:00:00Z".to_owned(),
        )
    })
}

/// Reads `__name=version` or `__name=version=build`.
pub fn parse_virtual_package(text: &str) -> Result<(String, String), Wrong> {
    let wrong =
        |message: String| (message, "write it like `__glibc=2.28` or `__archspec=1=x86_64`".to_owned());
    let (name, version) = text.split_once('=').ok_or_else(|| wrong(format!("`{text}` has no version")))?;
    let number = version.split('=').next().unwrap_or_default();
    if !name.starts_with("__") || PackageName::try_from(name).is_err() {
        return Err(wrong(format!("`{name}` is not a virtual package")));
    }
    if number.parse::<Version>().is_err() {
        return Err(wrong(format!("`{version}` is not the version of a virtual package")));
    }
    Ok((name.to_owned(), version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_date_is_midnight_utc() {
        assert_eq!(parse_exclude_newer("2019-05-02").unwrap().to_string(), "2019-05-02T00:00:00Z");
        assert_eq!(
            parse_exclude_newer("2019-05-02T01:00:00+01:00").unwrap().to_string(),
            "2019-05-02T00:00:00Z"
        );
        for wrong in ["", "2019", "20190502", "yesterday", "2019-13-01", "2019-05-02T00:00:00"] {
            assert!(parse_exclude_newer(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_recorded_reads_back() {
        let mut options = Options::default();
        options.set("exclude-newer", "2019-05-02").unwrap();
        options.set("channel-priority", "flexible").unwrap();
        options.set("channel-alias", "https://h/conda/").unwrap();
        options.virtual_packages.insert("__archspec".into(), "1=x86_64".into());
        assert_eq!(Options::from_entries(&options.entries()).unwrap().entries(), options.entries());
    }

    #[test]
    fn virtual_packages() {
        assert_eq!(parse_virtual_package("__glibc=2.28").unwrap(), ("__glibc".into(), "2.28".into()));
        for wrong in ["__glibc", "glibc=2", "__glibc=", "__glibc=a b"] {
            assert!(parse_virtual_package(wrong).is_err(), "{wrong}");
        }
    }
}
