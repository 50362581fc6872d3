//! What happens between the network and the disk: reading specs, hashing, writing and reading outputs.
#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros write undocumented functions")]

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    path::Path,
};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use envlock::{
    lock::{
        Kind, Lock, LockedEnvironment, LockedPlatform, Package,
        content_hash::content_hash,
        format::{conda_lock, nix},
    },
    spec::{
        Source,
        channel::{Context, DEFAULT_ALIAS, Variables},
        environment,
    },
};
use rattler_conda_types::Subdir;

fn env_yml(count: usize) -> String {
    let specs: String =
        (0..count).fold(String::new(), |text, index| text + &format!("  - package-{index} >=1.{index},<2\n"));
    format!("channels: [conda-forge]\ndependencies:\n{specs}")
}

fn lock(count: usize) -> Lock {
    let package = |index: usize| Package {
        kind: Kind::Conda,
        name: format!("package-{index}"),
        version: format!("1.{index}"),
        build: Some("h0_0".to_owned()),
        url: format!("https://conda.anaconda.org/conda-forge/linux-64/package-{index}-1.{index}-h0_0.conda"),
        sha256: format!("{index:064x}"),
        md5: Some(format!("{index:032x}")),
        size: Some(1),
        dependencies: (0..index.min(4)).map(|other| (format!("package-{other}"), ">=1".to_owned())).collect(),
        categories: BTreeSet::from(["main".to_owned()]),
        wheel: None,
    };
    let locked = LockedPlatform { packages: (0..count).map(package).collect(), ..LockedPlatform::default() };
    Lock {
        input_hash: String::new(),
        options: BTreeMap::new(),
        overridden: BTreeSet::new(),
        files: BTreeMap::new(),
        environments: vec![LockedEnvironment {
            name: "user".to_owned(),
            channels: Vec::new(),
            sources: vec!["env.yml".to_owned()],
            content_hash: BTreeMap::new(),
            platforms: BTreeMap::from([(Subdir::Linux64, locked)]),
        }],
        cluster: None,
        roles: BTreeMap::new(),
    }
}

fn benches(criterion: &mut Criterion) {
    let variables = Variables::new();
    let alias = url::Url::parse(DEFAULT_ALIAS).unwrap();
    for count in [10, 300] {
        let text = env_yml(count);
        let context = Context { alias: &alias, directory: Path::new("."), variables: &variables };
        criterion.bench_with_input(BenchmarkId::new("read env.yml", count), &text, |bencher, text| {
            bencher.iter(|| {
                environment::parse(&"env.yml".into(), black_box(text), Subdir::Linux64, context).unwrap()
            });
        });
        let source = [Source { shown: "env.yml".into(), path: "env.yml".into(), text: text.into() }];
        criterion.bench_with_input(BenchmarkId::new("content_hash", count), &source, |bencher, source| {
            bencher.iter(|| content_hash(black_box(source), Subdir::Linux64, &variables));
        });
        let lock = lock(count);
        criterion.bench_with_input(BenchmarkId::new("write both outputs", count), &lock, |bencher, lock| {
            bencher.iter(|| (conda_lock::write(&lock.environments[0]), nix::write(black_box(lock))));
        });
        let written = (conda_lock::write(&lock.environments[0]), nix::write(&lock));
        criterion.bench_with_input(
            BenchmarkId::new("read both outputs", count),
            &written,
            |bencher, (yaml, text)| {
                bencher.iter(|| {
                    let path = Path::new("x");
                    (conda_lock::read(path, "user", black_box(yaml)).unwrap(), nix::read(path, text).unwrap())
                });
            },
        );
    }
}

criterion_group!(group, benches);
criterion_main!(group);
