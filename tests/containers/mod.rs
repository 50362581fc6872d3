//! Images as others see them: Docker Engine runs them, tools that know OCI read them, a cluster works with them.

mod cluster;
mod node;
mod readers;
mod scripts;

use std::{
    path::PathBuf,
    sync::OnceLock,
    time::{Duration, Instant},
};

use crate::common::{Place, Server, is_root, root, skipped, test_channel};

/// How long something may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_mins(4);

fn answers(program: &str, arguments: &[&str]) -> bool {
    let ran = duct::cmd(program, arguments).stdout_null().stderr_null().unchecked().run();
    ran.is_ok_and(|output| output.status.success())
}

/// The quickstart's images and, of the role `stranger`, that of a worker whose environment has a package more; all are
/// loaded. Built once; `None` with a line of explanation where there is no engine.
fn images() -> Option<&'static Place> {
    static IMAGES: OnceLock<Option<Place>> = OnceLock::new();
    let images = IMAGES.get_or_init(|| {
        if !is_root() || !answers("docker", &["info"]) {
            return None;
        }
        test_channel()?;
        let server = Server::test_channel(&[])?;
        let (place, stranger) = (Place::new(), Place::new());
        for place in [&place, &stranger] {
            place.copy("tests/channel/quickstart");
        }
        stranger.put("env.yml", format!("{}      - six\n      - tomli\n", stranger.read("env.yml")));
        stranger.put(
            "envlock.yml",
            stranger.read("envlock.yml").replace("  worker:\n    secrets", "  stranger:\n    secrets"),
        );
        for (place, roles) in [(&place, &["master", "worker"][..]), (&stranger, &["stranger"])] {
            place.run(&["convert", "--mirror", &server.mirror()]).expect(0);
            for role in roles {
                place.run(&["image", "build", role, "--mirror", &server.mirror()]).expect(0);
                let archive = place.path().join(format!("{role}-image.tar"));
                duct::cmd!("docker", "load", "--quiet", "--input", archive).stdout_null().run().unwrap();
            }
        }
        Some(place)
    });
    if images.is_none() {
        skipped("root, Docker Engine and Debian 12");
    }
    images.as_ref()
}

/// Containers on a private network, which all go when it is dropped.
struct Network {
    name: String,
    secrets: tempfile::TempDir,
}

impl Network {
    fn new(name: &str) -> Self {
        let name = format!("envlock-{name}-{}", std::process::id());
        docker(&["network", "create", "--internal", &name]);
        let secrets = tempfile::tempdir().unwrap();
        std::fs::write(secrets.path().join("REDIS_PASSWORD"), "correct-horse-battery\n").unwrap();
        duct::cmd!("chmod", "-R", "a+rX", secrets.path()).run().unwrap();
        Self { name, secrets }
    }

    /// The name of the container of a host.
    fn container(&self, host: &str) -> String {
        format!("{}-{host}", self.name)
    }

    /// `docker run` of an image as a host of the network: read-only, with a secret and the tasks.
    fn arguments(&self, host: &str, options: &[&str]) -> Vec<String> {
        let tasks = root().join("examples/quickstart/tasks.py");
        let mut words: Vec<String> = ["run", "--read-only", "--tmpfs", "/tmp"].map(str::to_owned).into();
        words.extend([
            format!("--network={}", self.name),
            format!("--name={}", self.container(host)),
            format!("--hostname={host}"),
            format!("--network-alias={host}"),
            format!("--volume={}:/home/airflow/tasks.py:ro", tasks.display()),
            format!("--volume={}:/run/secrets:ro", self.secrets.path().display()),
            "--env=VISIBILITY_TIMEOUT=5".to_owned(),
        ]);
        words.extend(options.iter().map(|option| (*option).to_owned()));
        words
    }

    /// Starts a host in the background.
    fn start(&self, host: &str, image: &str, options: &[&str], command: &[&str]) {
        let mut words = self.arguments(host, options);
        words.insert(1, "--detach".to_owned());
        words.push(image.to_owned());
        words.extend(command.iter().map(|word| (*word).to_owned()));
        duct::cmd("docker", words).stdout_null().run().unwrap();
    }

    /// What a host has said on both streams.
    fn logs(&self, host: &str) -> String {
        duct::cmd!("docker", "logs", self.container(host)).stderr_to_stdout().unchecked().read().unwrap()
    }

    /// Runs a command on a host as its services run, and returns what it prints.
    fn ask(&self, host: &str, command: &[&str]) -> duct::Expression {
        let mut words =
            vec!["exec".to_owned(), self.container(host), "envlock-node".to_owned(), "start".to_owned()];
        words.extend(command.iter().map(|word| (*word).to_owned()));
        duct::cmd("docker", words)
    }

    /// Waits until something is so; otherwise the test ends with the logs of some hosts.
    #[track_caller]
    fn wait(&self, what: &str, hosts: &[&str], mut is_so: impl FnMut() -> bool) {
        let start = Instant::now();
        while !is_so() {
            assert!(
                start.elapsed() < PATIENCE,
                "{what}: not after {PATIENCE:?}\n{}",
                hosts.iter().map(|host| format!("{host}:\n{}\n", self.logs(host))).collect::<String>()
            );
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    #[track_caller]
    fn wait_for_log(&self, host: &str, text: &str) {
        self.wait(&format!("{host} says `{text}`"), &[host], || self.logs(host).contains(text));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let filter = format!("network={}", self.name);
        let listed =
            duct::cmd!("docker", "ps", "--all", "--quiet", "--filter", filter).read().unwrap_or_default();
        let mut words = vec!["rm", "--force", "--volumes"];
        words.extend(listed.lines());
        if words.len() > 3 {
            let _ = duct::cmd("docker", words).stdout_null().stderr_null().unchecked().run();
        }
        let _ =
            duct::cmd!("docker", "network", "rm", &self.name).stdout_null().stderr_null().unchecked().run();
    }
}

/// Runs docker, which must do it.
#[track_caller]
fn docker(words: &[&str]) -> String {
    duct::cmd("docker", words).read().unwrap()
}

/// The path of an archive of the quickstart.
fn archive(place: &Place, role: &str) -> PathBuf {
    place.path().join(format!("{role}-image.tar"))
}
