//! The scripts that show the whole way.

use super::answers;
use crate::common::{is_root, root, skipped};

/// Without an engine: runc in network namespaces.
#[test]
fn a_celery_task_crosses_redis_without_an_engine() {
    if !is_root() {
        skipped("root");
        return;
    }
    let script = root().join("tests/containers/without-docker.sh");
    let said = duct::cmd!(&script, env!("CARGO_BIN_EXE_envlock")).read().unwrap();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.first(), Some(&"the task ran on worker-1"), "{said}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("identical: ")).count(), 1, "{said}");
}

/// The way a user takes, from nothing to the task's result.
#[test]
fn run_docker_goes_from_nothing_to_the_result() {
    if !is_root() || !answers("docker", &["info"]) {
        skipped("root and Docker Engine");
        return;
    }
    let script = root().join("tests/channel/quickstart/run-docker");
    let said = duct::cmd!(&script).env("ENVLOCK", env!("CARGO_BIN_EXE_envlock")).read().unwrap();
    assert!(said.lines().any(|line| line.starts_with("identical: treeDigest ")), "{said}");
    assert!(said.lines().last().unwrap().contains("\"host\": \"worker-1\""), "{said}");
}
