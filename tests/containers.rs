//! The whole way once: two containers and a task that crosses Redis between them, and the same image by Nix.

use crate::common::{is_root, root, skipped};

#[test]
fn a_celery_task_crosses_redis_and_nix_builds_the_same_image() {
    let answers = |program: &str, arguments: &[&str]| {
        let ran = duct::cmd(program, arguments).stdout_null().stderr_null().unchecked().run();
        ran.is_ok_and(|output| output.status.success())
    };
    if !is_root() || !answers("docker", &["info"]) || !answers("nix-build", &["--version"]) {
        skipped("root, Docker Engine and nix");
        return;
    }
    let script = root().join("tests/containers/celery-over-redis.sh");
    // The images run on anything that runs containers.
    for engine in ["docker", "runc"] {
        let said = duct::cmd!(&script, env!("CARGO_BIN_EXE_envlock")).env("ENGINE", engine).read().unwrap();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.first(), Some(&"the task ran on worker-1"), "{said}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("identical: ")).count(), 2, "{said}");
    }
}
