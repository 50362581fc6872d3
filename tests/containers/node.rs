//! What a container of a role does: start, signals, exit codes, logs, health.

use super::{Network, docker, images};
use crate::common::root;

/// Runs a container to its end: its exit code, and what it says on both streams.
fn run(network: &Network, image: &str, options: &[&str], command: &[&str]) -> (i32, String, String) {
    let mut words = network.arguments("once", options);
    words.insert(1, "--rm".to_owned());
    words.push(image.to_owned());
    words.extend(command.iter().map(|word| (*word).to_owned()));
    let ran = duct::cmd("docker", words).stdout_capture().stderr_capture().unchecked().run().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (ran.status.code().unwrap(), text(&ran.stdout), text(&ran.stderr))
}

fn exit_code(network: &Network, host: &str) -> String {
    docker(&["inspect", "--format", "{{.State.ExitCode}}", &network.container(host)])
}

#[test]
fn commands_end_as_they_end() {
    let Some(_images) = images() else { return };
    let network = Network::new("commands");
    let (code, out, _) = run(&network, "worker-image", &[], &["celery", "--version"]);
    assert!(code == 0 && out.starts_with("5."), "{out}");
    let (code, _, err) =
        run(&network, "worker-image", &[], &["python", "-c", "import sys; sys.exit('no'); "]);
    assert_eq!((code, err.trim()), (1, "no"));
    let (code, _, err) = run(&network, "worker-image", &[], &["sh"]);
    assert!(code == 127 && err.contains("cannot run sh: No such file or directory"), "{code} {err}");
    let (code, _, err) = run(&network, "worker-image", &[], &["envlock-node", "nonsense"]);
    assert!(code == 2 && err.starts_with("usage: envlock-node start"), "{code} {err}");
    // Who it is, and what it may write.
    let script = "import os, pwd; print(os.getuid(), pwd.getpwuid(os.getuid()).pw_name, os.getcwd(), os.environ['HOME'])";
    let (_, out, _) = run(&network, "worker-image", &[], &["python", "-c", script]);
    assert_eq!(out.trim(), "50000 airflow /home/airflow /home/airflow");
    let (code, _, err) =
        run(&network, "worker-image", &[], &["python", "-c", "open('/opt/envlock/env/x', 'w')"]);
    assert!(code == 1 && err.contains("Read-only file system"), "{err}");
    // Certificates, time zones and the lock are where programs and people look.
    let script = "import ssl, zoneinfo, os; print(len(ssl.create_default_context().get_ca_certs()) > 100, \
                  zoneinfo.ZoneInfo('Asia/Tokyo'), sorted(os.listdir('/opt/envlock/lock')))";
    let (_, out, err) = run(&network, "worker-image", &[], &["python", "-c", script]);
    let lock = "['conda-lock.yml', 'envlock.nix', 'master.conda-lock.yml', 'runtime.conda-lock.yml']";
    assert_eq!(out.trim(), format!("True Asia/Tokyo {lock}"), "{err}");
}

#[test]
fn secrets_come_at_run_time_or_the_service_does_not_start() {
    let Some(_images) = images() else { return };
    let network = Network::new("secrets");
    let nowhere = "--env=REDIS_PASSWORD_FILE=/nowhere";
    let (code, _, err) = run(&network, "worker-image", &[nowhere], &["worker"]);
    assert!(
        code == 78 && err.contains("REDIS_PASSWORD is not set and cannot be read from /nowhere"),
        "{code} {err}"
    );
    let print = ["python", "-c", "import os; print(os.environ['CELERY_BROKER_URL'])"];
    let (_, out, _) = run(&network, "worker-image", &[], &print);
    assert_eq!(out.trim(), "redis://:correct-horse-battery@master:6379/0");
    let options = ["--env=REDIS_PASSWORD=other", "--env=REDIS_HOST=elsewhere"];
    let (_, out, _) = run(&network, "worker-image", &options, &print);
    assert_eq!(out.trim(), "redis://:other@elsewhere:6379/0");
    // What is given whole is left as it is.
    let (_, out, _) = run(&network, "worker-image", &["--env=CELERY_BROKER_URL=redis://x"], &print);
    assert_eq!(out.trim(), "redis://x");
}

#[test]
fn a_node_stops_when_it_is_told_to() {
    let Some(_images) = images() else { return };
    let network = Network::new("stopping");
    network.start("master", "master-image", &[], &[]);
    network.start("worker", "worker-image", &[], &["worker"]);
    network.wait_for_log("worker", "ready.");
    network.wait("both are healthy", &["master", "worker"], || {
        ["master", "worker"].iter().all(|host| {
            docker(&["inspect", "--format", "{{.State.Health.Status}}", &network.container(host)])
                == "healthy"
        })
    });
    // A task that is under way is ended first.
    network.start("asking", "master-image", &[], &["python", "tasks.py", "1", "3.0", "60"]);
    network.wait_for_log("worker", " received");
    docker(&["stop", "--time", "60", &network.container("worker")]);
    assert_eq!(exit_code(&network, "worker"), "0");
    let said = network.logs("worker");
    assert!(said.contains("Warm shutdown") && said.contains(" succeeded"), "{said}");
    docker(&["stop", "--time", "60", &network.container("master")]);
    assert_eq!(exit_code(&network, "master"), "0");
    let said = network.logs("master");
    for text in ["bye bye", "stopped: redis (exit status 0)", "published for cluster quickstart"] {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(!said.contains("correct-horse"), "{said}");
}

#[test]
fn a_service_that_gives_up_ends_its_node() {
    let Some(_images) = images() else { return };
    let network = Network::new("giving-up");
    // Redis cannot write where it must.
    network.start("master", "master-image", &["--tmpfs=/var/lib/redis:uid=0,mode=0555"], &[]);
    network.wait("the master has ended", &["master"], || {
        docker(&["inspect", "--format", "{{.State.Status}}", &network.container("master")]) == "exited"
    });
    assert_eq!(exit_code(&network, "master"), "1");
    let said = network.logs("master");
    assert!(said.contains("service redis gave up") && said.contains("this node ends"), "{said}");
}

#[test]
fn a_service_that_dies_is_started_again() {
    let Some(_images) = images() else { return };
    let network = Network::new("dying");
    network.start("master", "master-image", &[], &[]);
    network.wait_for_log("master", "redis entered RUNNING state");
    let script = "import os, signal; pids = [p for p in os.listdir('/proc') if p.isdigit() and \
                  b'redis-server' in open('/proc/%s/cmdline' % p, 'rb').read()]; os.kill(int(pids[0]), signal.SIGKILL)";
    network.ask("master", &["python", "-c", script]).run().unwrap();
    network.wait("redis is there again", &["master"], || {
        network.logs("master").matches("Ready to accept connections").count() == 2
    });
}

#[test]
fn health_is_that_of_what_runs() {
    let Some(_images) = images() else { return };
    let network = Network::new("health");
    network.start("master", "master-image", &[], &["python", "-c", "import time; time.sleep(600)"]);
    let health = |words: &[&str]| {
        let container = network.container("master");
        let words = [&["exec", &container, "envlock-node", "health"], words].concat();
        duct::cmd("docker", words).unchecked().stderr_to_stdout().stdout_capture().run().unwrap()
    };
    let text = |ran: &std::process::Output| String::from_utf8_lossy(&ran.stdout).into_owned();
    let ran = health(&["redis"]);
    assert!(
        !ran.status.success() && text(&ran).starts_with("redis: redis-cli ended with 1"),
        "{}",
        text(&ran)
    );
    let ran = health(&["nothing"]);
    assert_eq!(text(&ran).trim(), "nothing: there is no such service");
    assert!(health(&["publish"]).status.success());
}

/// What `render compose` writes is a cluster.
#[test]
fn a_compose_file_runs() {
    let Some(images) = images() else { return };
    let network = Network::new("compose");
    let project = tempfile::tempdir().unwrap();
    std::fs::copy(root().join("examples/quickstart/tasks.py"), project.path().join("tasks.py")).unwrap();
    let secrets = project.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    std::fs::copy(network.secrets.path().join("REDIS_PASSWORD"), secrets.join("REDIS_PASSWORD")).unwrap();
    duct::cmd!("chmod", "-R", "a+rX", project.path()).run().unwrap();
    let file = project.path().join("docker-compose.yml");
    let tasks = project.path().join("tasks.py");
    let words = ["render", "compose", "--mount", tasks.to_str().unwrap(), "-o", file.to_str().unwrap()];
    images.run(&words).expect(0);
    let compose = |words: &[&str]| {
        let words: Vec<_> =
            ["--project-name", &network.name].into_iter().chain(words.iter().copied()).collect();
        duct::cmd("docker-compose", words).dir(project.path()).stderr_capture().stdout_capture()
    };
    compose(&["config", "--quiet"]).run().unwrap();
    compose(&["up", "--detach", "--scale", "worker=2"]).run().unwrap();
    let asked = compose(&["exec", "-T", "redis", "envlock-node", "start", "python", "tasks.py", "20"]);
    let mut said = String::new();
    network.wait("tasks are answered", &[], || {
        said = asked.unchecked().read().unwrap();
        said.lines().count() == 20
    });
    compose(&["down", "--volumes", "--timeout", "30"]).run().unwrap();
}
