//! The usual two roles, as `envlock init` writes them: a master with the broker, and workers; of Celery alone, or of Airflow.

/// What an environment file says that the roles depend on.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Its file, as the project file is to name it.
    pub file: &'a str,
    /// The name of the cluster.
    pub name: &'a str,
    /// The channels, as written.
    pub channels: Vec<String>,
    /// The platforms of runtime and system environment, as conda names them; empty for the usual.
    pub platforms: Vec<String>,
    /// The module with the Celery application.
    pub app: &'a str,
    /// Whether the environment has supervisor itself.
    pub has_supervisor: bool,
    /// Whether it has the server of `PostgreSQL`.
    pub has_postgresql: bool,
}

/// The files of a project, by name.
pub fn celery(wanted: &Wanted) -> Vec<(String, Vec<u8>)> {
    let (file, name, app) = (scalar(wanted.file), wanted.name, scalar(wanted.app));
    let project = format!(
        "\
# The nodes of the cluster, and what each of them runs. After a change: envlock convert
environment: {file}
runtime: runtime.yml
cluster:
  name: {name}
  broker: redis://:${{REDIS_PASSWORD}}@${{REDIS_HOST:-master}}:6379/0
roles:
  master:
    system: master.yml
    # Workers whose environment is not the master's take no task.
    publishes: true
    # Read at run time from /run/secrets/REDIS_PASSWORD, or given as a variable.
    secrets: [REDIS_PASSWORD]
    environment: &celery
      CELERY_BROKER_URL: redis://:${{REDIS_PASSWORD}}@${{REDIS_HOST:-master}}:6379/0
      CELERY_RESULT_BACKEND: redis://:${{REDIS_PASSWORD}}@${{REDIS_HOST:-master}}:6379/0
    services:
      redis:
        command: [redis-server, --dir, /var/lib/redis, --appendonly, \"yes\", --requirepass, \"${{REDIS_PASSWORD}}\"]
        environment: {{REDISCLI_AUTH: \"${{REDIS_PASSWORD}}\"}}
        ports: [6379]
        volumes: [/var/lib/redis]
        readiness: {{command: [redis-cli, ping]}}
  worker:
    secrets: [REDIS_PASSWORD]
    environment: *celery
    services:
      worker:
        command: [celery, --app, {app}, worker, --loglevel, INFO, --hostname, \"worker@%h\"]
        guard: true
        readiness: {{command: [celery, --app, {app}, inspect, ping, --destination, \"worker@${{HOSTNAME}}\"]}}
        # Longer than the longest task: a worker that is told to stop ends its tasks first.
        stop-timeout: 600
"
    );
    let supervisor: &[&str] = if wanted.has_supervisor { &[] } else { &["supervisor"] };
    vec![
        ("envlock.yml".to_owned(), project.into_bytes()),
        (
            "master.yml".to_owned(),
            environment(
                "What the master has besides: the broker.",
                "master",
                wanted,
                &[&["redis-server"], supervisor].concat(),
            ),
        ),
        runtime(wanted),
    ]
}

/// The files of a project whose services follow from the version of Airflow, by name.
pub fn airflow(wanted: &Wanted) -> Vec<(String, Vec<u8>)> {
    let file = scalar(wanted.file);
    let project = format!(
        "\
# The nodes of the cluster; what each of them runs follows from the version of Airflow. After a change: envlock convert
environment: {file}
runtime: runtime.yml
airflow:
  # Below which paths NGINX shows the two.
  path: /airflow
  flower-path: /flower
roles:
  master:
    airflow: master
    system: master.yml
  worker:
    airflow: worker
    system: worker.yml
"
    );
    let supervisor: &[&str] = if wanted.has_supervisor { &[] } else { &["supervisor"] };
    let database: &[&str] = if wanted.has_postgresql { &[] } else { &["postgresql"] };
    // Tasks may be scripts, on any node.
    let both = ["openssh", "rsync", "bash", "coreutils"];
    let master = [&["redis-server"], database, &["nginx"], &both, supervisor].concat();
    let about_worker =
        "What workers have besides: what takes DAGs from the master, and a shell for tasks that are scripts.";
    vec![
        ("envlock.yml".to_owned(), project.into_bytes()),
        (
            "master.yml".to_owned(),
            environment(
                "What the master has besides: broker, database, proxy, and what brings DAGs to the workers.",
                "master",
                wanted,
                &master,
            ),
        ),
        runtime(wanted),
        ("worker.yml".to_owned(), environment(about_worker, "worker", wanted, &[&both, supervisor].concat())),
    ]
}

/// The file of the runtime.
fn runtime(wanted: &Wanted) -> (String, Vec<u8>) {
    let sysroots: Vec<_> = if wanted.platforms.is_empty() {
        vec!["sysroot_linux-64".to_owned()]
    } else if let [platform] = wanted.platforms.as_slice() {
        vec![format!("sysroot_{platform}")]
    } else {
        // One line for each platform, by CEP 24's selectors.
        let selector = |platform: &str| platform.replace("linux-64", "linux64").replace("linux-", "");
        wanted.platforms.iter().map(|it| format!("sel({}): sysroot_{it}", selector(it))).collect()
    };
    let packages: Vec<_> =
        sysroots.iter().map(String::as_str).chain(["ca-certificates", "tzdata", "tini"]).collect();
    let about = "What every image starts from: the C library, certificates, time zones and an init.";
    ("runtime.yml".to_owned(), environment(about, "runtime", wanted, &packages))
}

/// A text as YAML reads it back, also within brackets.
fn scalar(text: &str) -> String {
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c))
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        );
    // JSON is YAML.
    if is_plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn environment(about: &str, name: &str, wanted: &Wanted, packages: &[&str]) -> Vec<u8> {
    let mut lines = vec![format!("# {about}"), format!("name: {name}")];
    let mut list = |key: &str, items: Vec<&str>| {
        if !items.is_empty() {
            lines.push(format!("{key}:"));
            lines.extend(items.into_iter().map(|item| format!("  - {item}")));
        }
    };
    list("channels", wanted.channels.iter().map(String::as_str).collect());
    list("platforms", wanted.platforms.iter().map(String::as_str).collect());
    list("dependencies", packages.to_vec());
    (lines.join("\n") + "\n").into_bytes()
}
