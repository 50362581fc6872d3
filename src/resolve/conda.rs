//! Conda packages: rattler's gateway reads the channels, its resolvo solver chooses.
//!
//! Guarantees: the answer follows from the records, the requirements and the options; never from
//! this machine's own platform, clock or order of arrival.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    str::FromStr,
    sync::Arc,
};

use jiff::Timestamp;
use rattler_cache::package_cache::PackageCache;
use rattler_conda_types::{
    Channel as CondaChannel, GenericVirtualPackage, MatchSpec, PackageName, ParseStrictness, RepoDataRecord,
    Subdir, Version,
};
use rattler_repodata_gateway::{
    ChannelConfig, Gateway, GatewayError, RepoData, SourceConfig, fetch::CacheAction,
};
use rattler_solve::{
    ChannelPriority as Priority, ChannelRepoData, ExcludeNewer, SolveError, SolverImpl, SolverTask, resolvo,
};

use super::{
    Error, Mirror, Pins, explain,
    metadata::{self, Recorded},
    mirror::{Place, read_from},
    virtual_packages,
};
use crate::{
    fs,
    http::Network,
    printer::{Printer, Waiting},
    spec::{
        CondaSpec, Environment,
        channel::{Access, Channel},
        environment::Pin,
        options::{ChannelPriority, Options},
    },
};

/// The package that installs from PyPI.
pub const PIP: &str = "pip";

/// The name under which conda's `defaults` is one channel.
const DEFAULTS: &str = "defaults";

/// One environment on one platform.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The environment's name.
    pub environment: &'a str,
    /// The platform to solve for.
    pub platform: Subdir,
    /// What it wants.
    pub spec: &'a Environment,
    /// What it begins with.
    pub pins: &'a Pins,
}

impl Job<'_> {
    /// See [`key`].
    pub fn key(&self) -> String {
        key(self.environment, self.platform)
    }
}

/// What a job is called: `<environment>/<platform>`.
pub fn key(environment: &str, platform: Subdir) -> String {
    format!("{environment}/{}", platform.as_str())
}

/// What a job came to.
pub struct Solution {
    /// The chosen records, sorted by name.
    pub records: Vec<RepoDataRecord>,
    /// How many records exclude-newer left out because they have no timestamp.
    pub without_timestamp: usize,
    /// The fingerprint of all records that the solver saw.
    pub fingerprint: String,
    /// What the requirements state about the content of packages, by package name.
    pub pins: BTreeMap<String, Pin>,
}

/// How to reach channels.
pub struct Resolver {
    gateway: Gateway,
    mirrors: Vec<Mirror>,
    offline: bool,
    printer: Printer,
    /// Packages named by URL are unpacked here for this run alone: rattler's cache knows a package by
    /// its file name, and the same name from elsewhere may be another package.
    _unpacked: Option<tempfile::TempDir>,
}

impl Resolver {
    /// A resolver that keeps metadata below `cache`. With `cache_only`, nothing newer than the cache
    /// is looked at.
    pub fn new(
        cache: &Path,
        network: &Network,
        mirrors: Vec<Mirror>,
        cache_only: bool,
        printer: &Printer,
    ) -> Self {
        let cache_action = if cache_only { CacheAction::ForceCacheOnly } else { CacheAction::CacheOrFetch };
        let unpacked = fs::scratch_in(cache).ok();
        let packages = unpacked.as_ref().map_or_else(|| cache.join("packages"), |it| it.path().to_path_buf());
        let gateway = Gateway::builder()
            .with_client(network.client())
            .with_package_cache(PackageCache::new(packages))
            .with_cache_dir(cache.join("repodata"))
            .with_channel_config(ChannelConfig {
                default: SourceConfig { cache_action, ..SourceConfig::default() },
                per_channel: std::collections::HashMap::new(),
            })
            .with_max_concurrent_requests(32)
            .finish();
        Self { gateway, mirrors, offline: network.offline, printer: printer.clone(), _unpacked: unpacked }
    }

    /// Solves one job. With `frozen`, the metadata must be what it was.
    pub async fn solve(
        &self,
        job: Job<'_>,
        options: &Options,
        frozen: Option<&Recorded>,
    ) -> Result<Solution, Error> {
        let started = std::time::Instant::now();
        let waiting = self.printer.waiting(format!("{}: reading channels", job.key()));
        let channels: Vec<Channel> = job.spec.all_channels().cloned().collect();
        let places: Vec<(Place, Option<&str>)> = channels
            .iter()
            .flat_map(|channel| channel.urls.iter().map(move |url| (url, channel)))
            .map(|(url, channel)| {
                (Place::new(url, &self.mirrors), (channel.urls.len() > 1).then_some(DEFAULTS))
            })
            .collect();
        self.check_reachable(job.spec, &channels)?;
        check_places(&places)?;

        let mut buckets: Vec<Bucket> = Vec::new();
        let mut wanted: Vec<MatchSpec> = job.spec.conda.iter().map(|spec| self.gateway_spec(spec)).collect();
        let implied_pip = implied_pip(job.spec);
        wanted.extend(implied_pip.clone());
        if !wanted.is_empty() {
            let output = self
                .gateway
                .query(
                    places.iter().map(|(place, _)| place.read.clone()),
                    [job.platform, Subdir::NoArch],
                    wanted.clone(),
                )
                .recursive(true)
                .with_reporter(Progress::new(waiting, job.key()))
                .execute()
                .await
                .map_err(|error| channel_error(&error, &places, job.platform))?;
            for warning in &output.warnings {
                self.printer.warning_once(warning);
            }
            buckets = output.repodata.iter().map(|repodata| Bucket::new(repodata, &places)).collect();
            self.name_package_urls(job.spec, &mut buckets);
            self.warn_of_empty_channels(&places, &buckets, job.platform).await;
        }

        let _waiting = self.printer.waiting(format!("{}: solving", job.key()));
        let all: Vec<Arc<RepoDataRecord>> =
            buckets.iter().flat_map(|bucket| bucket.records.iter().cloned()).collect();
        let without_timestamp = match options.exclude_newer {
            Some(_) => all.iter().filter(|record| record.package_record.timestamp.is_none()).count(),
            None => 0,
        };
        let mut specs: Vec<MatchSpec> = job.spec.conda.iter().map(solver_spec).collect();
        if let Some(pip) = implied_pip {
            if all.iter().any(|record| Some(&record.package_record.name) == pip.name.as_exact()) {
                specs.push(pip);
            } else {
                self.printer.note(format_args!(
                    "{}: no channel has pip, which conda-lock and micromamba need for the `pip:` section; envlock does not",
                    job.key()
                ));
            }
        }
        let problem = Problem {
            kept: kept(job, &buckets, options.channel_priority.unwrap_or_default()),
            constraints: demanded(job.pins)?,
            buckets,
            specs,
            excluded: excluded(job.spec, &all),
            virtual_packages: virtual_packages::of(job.platform, &options.virtual_packages),
            priority: options.channel_priority.unwrap_or_default(),
            exclude_newer: options.exclude_newer,
        };
        // Both are pure computation: one on each core, none on the threads that wait for sockets.
        let fingerprint = tokio::task::spawn_blocking(move || metadata::fingerprint(&all));
        let solved = tokio::task::spawn_blocking(move || problem.solve());
        let (fingerprint, solved) = futures::join!(fingerprint, solved);
        let cancelled = |error: tokio::task::JoinError| Error::NoSolution {
            environment: job.environment.to_owned(),
            platform: job.platform.as_str(),
            explanation: format!("the solver stopped: {error}"),
            hint: Some("this is a bug in envlock; please report it".to_owned()),
        };
        let fingerprint = fingerprint.map_err(cancelled)?;
        if let Some(recorded) = frozen
            && recorded.metadata.get(&job.key()) != Some(&fingerprint)
        {
            return Err(super::metadata_gone(&job));
        }
        let mut records = match solved.map_err(cancelled)? {
            Ok(records) => records,
            Err(error) => return Err(self.explain(&error, job, options, &places).await),
        };
        records
            .sort_by(|a, b| a.package_record.name.as_normalized().cmp(b.package_record.name.as_normalized()));
        self.printer.note(format_args!(
            "resolved {}: {} packages in {:.2} s",
            job.key(),
            records.len(),
            started.elapsed().as_secs_f64()
        ));
        let pinned = job.spec.conda.iter().filter(|spec| spec.pin != Pin::default());
        let pins = pinned
            .filter_map(|spec| {
                Some((spec.spec.name.as_exact()?.as_normalized().to_owned(), spec.pin.clone()))
            })
            .collect();
        Ok(Solution { records, without_timestamp, fingerprint, pins })
    }

    /// The requirement as the gateway wants it: a package URL as it is read.
    fn gateway_spec(&self, spec: &CondaSpec) -> MatchSpec {
        let mut wanted = spec.spec.clone();
        wanted.url = wanted.url.map(|url| read_from(&url, &self.mirrors));
        wanted
    }

    /// Gives packages that were named by URL their canonical URL.
    fn name_package_urls(&self, spec: &Environment, buckets: &mut [Bucket]) {
        let urls: Vec<_> = spec.conda.iter().filter_map(|spec| spec.spec.url.as_ref()).collect();
        for record in
            buckets.iter_mut().filter(|bucket| bucket.channel.is_none()).flat_map(|it| &mut it.records)
        {
            if let Some(canonical) = urls.iter().find(|url| read_from(url, &self.mirrors) == record.url) {
                let record = Arc::make_mut(record);
                record.url = (*canonical).clone();
            }
        }
    }

    /// Finds what cannot work before anything is asked of a server.
    fn check_reachable(&self, spec: &Environment, channels: &[Channel]) -> Result<(), Error> {
        for channel in channels {
            let mirrored = channel
                .urls
                .iter()
                .all(|url| self.mirrors.iter().any(|m| url.as_str().starts_with(m.canonical.as_str())));
            if let Some(Access::Unset(name)) = &channel.access
                && !self.offline
                && !mirrored
            {
                return Err(Error::Channel {
                    channel: channel.lock_url.clone(),
                    subdir: "every subdir".to_owned(),
                    reason: format!("the environment variable {name} is not set"),
                    hint: format!(
                        "export {name}, or give the host's credentials in ~/.netrc and leave them out of the URL"
                    ),
                });
            }
        }
        if let Some(first) = spec.conda.first()
            && channels.is_empty()
            && spec.conda.iter().any(|spec| spec.spec.url.is_none())
        {
            return Err(Error::Unusable {
                file: first.file.to_string(),
                position: first.position,
                message: format!("nothing says where `{}` comes from: there are no channels", first.text),
                hint: "add `channels: [conda-forge]`".to_owned(),
            });
        }
        let remote = |spec: &&CondaSpec| spec.spec.url.as_ref().is_some_and(|url| url.scheme() != "file");
        if let Some(spec) = spec.conda.iter().find(remote)
            && self.offline
        {
            return Err(Error::NotCached {
                what: format!("`{}` is a package URL, which must be fetched to be read", spec.text),
                hint: "run without --offline, or name the package instead".to_owned(),
            });
        }
        Ok(())
    }

    /// Warns of each channel that has nothing at all for the platform: usually a wrong name.
    async fn warn_of_empty_channels(
        &self,
        places: &[(Place, Option<&str>)],
        buckets: &[Bucket],
        platform: Subdir,
    ) {
        for (place, _) in places {
            let name = place.canonical.canonical_name();
            let has = |bucket: &Bucket| {
                bucket.channel.as_ref() == Some(&name)
                    && bucket.records.iter().any(|record| record.package_record.subdir == platform.as_str())
            };
            if buckets.iter().any(has) {
                continue;
            }
            // Nothing that was asked for; only now is it worth to look at all names.
            let names = self.gateway.names([place.read.clone()], [platform]).execute().await;
            if names.is_ok_and(|names| names.is_empty()) {
                let channel = crate::spec::channel::bare(place.canonical.base_url.url());
                self.printer.warning_once(format_args!(
                    "channel {channel} has no packages for {}",
                    platform.as_str()
                ));
            }
        }
    }

    async fn explain(
        &self,
        error: &SolveError,
        job: Job<'_>,
        options: &Options,
        places: &[(Place, Option<&str>)],
    ) -> Error {
        let explanation = match error {
            SolveError::Unsolvable(reasons) => explain::conflict(reasons),
            other => other.to_string(),
        };
        let mut hint = explain::conflict_hint(&explanation, options.exclude_newer.is_some());
        // A name that no channel has is the commonest reason of all, and worth a look at their names.
        let known = self
            .gateway
            .names(places.iter().map(|(place, _)| place.read.clone()), [job.platform, Subdir::NoArch])
            .execute()
            .await;
        if let Ok(known) = known {
            let known: std::collections::BTreeSet<&str> =
                known.names.iter().map(PackageName::as_normalized).collect();
            let unknown = job.spec.conda.iter().find(|spec| {
                // A virtual package is the target's, not a channel's.
                let missing = |name: &PackageName| {
                    !name.as_normalized().starts_with("__") && !known.contains(name.as_normalized())
                };
                spec.spec.url.is_none() && spec.spec.name.as_exact().is_some_and(missing)
            });
            if let Some(spec) = unknown
                && let Some(name) = spec.spec.name.as_exact()
            {
                let name = name.as_normalized();
                let alike = crate::spec::nearest(name, known.iter().copied());
                let place = format!("{}:{}:{}", spec.file, spec.position.line, spec.position.column);
                hint = match alike {
                    Some(alike) => format!(
                        "{place}: no channel has `{name}` for {}; did you mean `{alike}`?",
                        job.platform.as_str()
                    ),
                    None => format!(
                        "{place}: no channel has `{name}` for {}; is it a PyPI package, or in another channel?",
                        job.platform.as_str()
                    ),
                };
            }
        }
        Error::NoSolution {
            environment: job.environment.to_owned(),
            platform: job.platform.as_str(),
            explanation,
            hint: Some(hint),
        }
    }
}

/// The records that an earlier answer chose, as far as the channels have them and none that ranks higher has others.
fn kept(job: Job<'_>, buckets: &[Bucket], priority: ChannelPriority) -> Vec<Arc<RepoDataRecord>> {
    let pins: HashMap<&str, &str> =
        job.pins.kept(false).map(|pin| (pin.name.as_str(), pin.url.as_str())).collect();
    let mut first: HashMap<&str, Option<&String>> = HashMap::new();
    let mut kept = Vec::new();
    for bucket in buckets {
        let rank = bucket.group.as_ref().or(bucket.channel.as_ref());
        for record in &bucket.records {
            let name = record.package_record.name.as_normalized();
            let Some(url) = pins.get(name) else { continue };
            let is_first = *first.entry(name).or_insert(rank) == rank;
            if record.url.as_str() == *url
                && (is_first || priority != ChannelPriority::Strict)
                && is_of_stated_channel(job.spec, record)
            {
                kept.push(record.clone());
            }
        }
    }
    kept
}

/// Whether a record is of the channel that stands in front of its requirement, if one does.
fn is_of_stated_channel(spec: &Environment, record: &RepoDataRecord) -> bool {
    let named = spec.conda.iter().filter(|it| it.spec.name.as_exact() == Some(&record.package_record.name));
    let mut channels = named.filter_map(|it| it.channel.as_ref());
    let url = record.url.as_str();
    channels.all(|channel| channel.urls.iter().any(|base| url.starts_with(base.as_str())))
}

/// Demanded versions as the solver wants them.
fn demanded(pins: &Pins) -> Result<Vec<MatchSpec>, Error> {
    let spec = |demand: &super::Demand| {
        let wrong = |error: &dyn std::fmt::Display| Error::Version {
            version: demand.version.clone(),
            reason: error.to_string(),
        };
        // A match spec takes more than versions.
        let version = demand.version.strip_suffix(".*").unwrap_or(&demand.version);
        Version::from_str(version).map_err(|error| wrong(&error))?;
        let text = format!("{} {}", demand.name, demand.requirement());
        MatchSpec::from_str(&text, ParseStrictness::Strict).map_err(|error| wrong(&error))
    };
    pins.demanded(false).map(spec).collect()
}

/// What the gateway's error says about which channel.
fn channel_error(error: &GatewayError, places: &[(Place, Option<&str>)], platform: Subdir) -> Error {
    let base = |place: &Place| crate::spec::channel::bare(place.read.base_url.url());
    let url = explain::failed_url(error);
    let covers = |place: &Place| {
        url.as_ref().is_some_and(|url| url.as_str().starts_with(place.read.base_url.as_str()))
    };
    let place = places
        .iter()
        .map(|(place, _)| place)
        .filter(|place| covers(place))
        .max_by_key(|place| place.read.base_url.as_str().len())
        .or_else(|| places.first().map(|(place, _)| place).filter(|_| places.len() == 1));
    let channel = place
        .map_or_else(|| places.iter().map(|(place, _)| base(place)).collect::<Vec<_>>().join(" or "), base);
    let in_noarch = url.as_ref().is_some_and(|url| url.path().contains("/noarch/"));
    let subdir = if in_noarch { "noarch" } else { platform.as_str() };
    explain::channel(error, &channel, subdir)
}

/// Two channels that are read in one place would be one to the gateway.
fn check_places(places: &[(Place, Option<&str>)]) -> Result<(), Error> {
    for (index, (place, _)) in places.iter().enumerate() {
        if let Some((other, _)) =
            places[..index].iter().find(|(other, _)| other.read.base_url == place.read.base_url)
        {
            let bare = |channel: &CondaChannel| crate::spec::channel::bare(channel.base_url.url());
            return Err(Error::SamePlace {
                first: bare(&other.canonical),
                second: bare(&place.canonical),
                place: bare(&place.read),
            });
        }
    }
    Ok(())
}

/// Records that a requirement's subdir or file name rules out, with the reason as the user will read it.
fn excluded(spec: &Environment, records: &[Arc<RepoDataRecord>]) -> HashMap<url::Url, Arc<str>> {
    let mut excluded = HashMap::new();
    for spec in spec.conda.iter().filter(|spec| spec.subdir.is_some() || spec.file_name.is_some()) {
        let reason: Arc<str> = format!("`{}` asks for another file", spec.text).into();
        for record in
            records.iter().filter(|record| Some(&record.package_record.name) == spec.spec.name.as_exact())
        {
            let file = record.url.path_segments().and_then(Iterator::last).unwrap_or_default();
            let fits = spec.subdir.as_ref().is_none_or(|subdir| *subdir == record.package_record.subdir)
                && spec.file_name.as_deref().is_none_or(|name| name == file);
            if !fits {
                excluded.insert(record.url.clone(), reason.clone());
            }
        }
    }
    excluded
}

/// What conda and conda-lock add to an environment with a `pip:` section that does not name pip.
fn implied_pip(spec: &Environment) -> Option<MatchSpec> {
    let name = PackageName::new_unchecked(PIP);
    let named = spec.conda.iter().any(|spec| spec.spec.name.as_exact() == Some(&name));
    (!spec.pip.is_empty() && !spec.conda.is_empty() && !named).then(|| MatchSpec::from(name))
}

/// The requirement as the solver wants it: its channel by the URL that records have.
fn solver_spec(spec: &CondaSpec) -> MatchSpec {
    let mut wanted = spec.spec.clone();
    wanted.channel = spec.channel.as_ref().and_then(|channel| {
        let mut conda = CondaChannel::from_url(channel.urls.first()?.clone());
        if channel.urls.len() > 1 {
            conda.name = Some(DEFAULTS.to_owned());
        }
        Some(Arc::new(conda))
    });
    wanted
}

/// The records of one subdir of one channel, under their canonical names.
struct Bucket {
    /// As the records state their channel; `None` without records and for package URLs.
    channel: Option<String>,
    group: Option<String>,
    records: Vec<Arc<RepoDataRecord>>,
}

impl Bucket {
    fn new(repodata: &RepoData, places: &[(Place, Option<&str>)]) -> Self {
        let stated = repodata.iter().next().and_then(|record| record.channel.clone());
        let place =
            stated.and_then(|stated| places.iter().find(|(place, _)| place.read.canonical_name() == stated));
        match place {
            Some((place, group)) => Self {
                channel: Some(place.canonical.canonical_name()),
                group: group.map(str::to_owned),
                records: repodata.iter_arc().map(|record| place.canonical_record(record)).collect(),
            },
            None => Self { channel: None, group: None, records: repodata.iter_arc().cloned().collect() },
        }
    }
}

/// Everything that the solver is given.
struct Problem {
    buckets: Vec<Bucket>,
    kept: Vec<Arc<RepoDataRecord>>,
    constraints: Vec<MatchSpec>,
    specs: Vec<MatchSpec>,
    excluded: HashMap<url::Url, Arc<str>>,
    virtual_packages: Vec<GenericVirtualPackage>,
    priority: ChannelPriority,
    exclude_newer: Option<Timestamp>,
}

impl Problem {
    fn solve(self) -> Result<Vec<RepoDataRecord>, SolveError> {
        let available = self.buckets.iter().map(|bucket| ChannelRepoData {
            records: bucket.records.iter().map(AsRef::as_ref),
            multi_channel: bucket.group.as_deref(),
        });
        let task = SolverTask {
            specs: self.specs,
            constraints: self.constraints,
            locked_packages: self.kept.iter().map(AsRef::as_ref).collect(),
            virtual_packages: self.virtual_packages,
            channel_priority: match self.priority {
                ChannelPriority::Strict => Priority::Strict,
                ChannelPriority::Flexible => Priority::Flexible,
                ChannelPriority::Disabled => Priority::Disabled,
            },
            exclude_newer: self.exclude_newer.map(ExcludeNewer::from_datetime),
            excluded_candidates: self.excluded,
            ..available.collect::<SolverTask<_>>()
        };
        resolvo::Solver.solve(task).map(|result| result.records)
    }
}

/// Shows downloads of channel metadata.
struct Progress {
    waiting: Waiting,
    job: String,
}

impl Progress {
    fn new(waiting: Waiting, job: String) -> Self {
        Self { waiting, job }
    }
}

impl rattler_repodata_gateway::Reporter for Progress {
    fn download_reporter(&self) -> Option<&dyn rattler_repodata_gateway::DownloadReporter> {
        Some(self)
    }
}

impl rattler_repodata_gateway::DownloadReporter for Progress {
    fn on_download_start(&self, url: &url::Url) -> usize {
        self.waiting.on(format!("{}: {}", self.job, crate::spec::channel::redact(url.as_str())));
        0
    }

    fn on_download_complete(&self, _url: &url::Url, _index: usize) {
        self.waiting.on(format!("{}: reading channels", self.job));
    }

    fn on_download_progress(&self, url: &url::Url, _index: usize, bytes: usize, total: Option<usize>) {
        let total = total.map_or_else(String::new, |total| format!(" of {} KiB", total / 1024));
        let url = crate::spec::channel::redact(url.as_str());
        self.waiting.on(format!("{}: {url} {} KiB{total}", self.job, bytes / 1024));
    }
}
