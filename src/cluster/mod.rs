//! What the nodes of a cluster run: the services of a role, as the files that start, guard and watch them.
//!
//! Guarantees: the same role gives the same files, whatever is in the environments. It starts nothing and knows no
//! secret: values of secrets come at run time.

pub mod airflow;
pub mod compose;
pub mod defaults;
mod supervisor;

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::{Value, json};

use crate::{
    json::sorted,
    lock::fingerprint,
    spec::project::{Cluster, PUBLISH, Readiness, Role, Service},
};

/// Where a node keeps what belongs to its role.
pub const ROLE_DIRECTORY: &str = "/opt/envlock/role";
/// Where a node keeps the treeDigest that its environment was built with.
pub const TREE_DIGEST: &str = "/opt/envlock/tree-digest";

/// Seconds between two questions whether a service is well.
pub const HEALTH_INTERVAL: u32 = 10;
/// Seconds that an answer may take.
pub const HEALTH_TIMEOUT: u32 = 30;
/// Seconds after its start in which a service need not be well.
pub const HEALTH_START_PERIOD: u32 = 180;
/// How many answers in a row make a service unwell.
pub const HEALTH_RETRIES: u32 = 3;

/// The program of a node that runs all others, below [`ROLE_DIRECTORY`].
pub const PROGRAM: &str = "bin/envlock-node";

/// The programs that start, guard and watch services, by path below [`ROLE_DIRECTORY`].
const PROGRAMS: [(&str, &str); 13] = [
    ("__main__.py", include_str!("node/__main__.py")),
    ("envlock_node/__init__.py", include_str!("node/envlock_node/__init__.py")),
    ("envlock_node/answer.py", include_str!("node/envlock_node/answer.py")),
    ("envlock_node/dags.py", include_str!("node/envlock_node/dags.py")),
    ("envlock_node/database.py", include_str!("node/envlock_node/database.py")),
    ("envlock_node/fatal.py", include_str!("node/envlock_node/fatal.py")),
    ("envlock_node/guard.py", include_str!("node/envlock_node/guard.py")),
    ("envlock_node/health.py", include_str!("node/envlock_node/health.py")),
    ("envlock_node/order.py", include_str!("node/envlock_node/order.py")),
    ("envlock_node/secret.py", include_str!("node/envlock_node/secret.py")),
    ("envlock_node/start.py", include_str!("node/envlock_node/start.py")),
    ("envlock_node/supervise.py", include_str!("node/envlock_node/supervise.py")),
    ("envlock_node/table.py", include_str!("node/envlock_node/table.py")),
];

/// The programs of a node that run other programs.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Path of the Python that runs envlock's own programs.
    pub python: &'a str,
    /// Path of supervisord, if an environment has it.
    pub supervisord: Option<&'a str>,
}

impl Tools<'_> {
    /// The program that runs them.
    fn program(&self) -> String {
        // -I: neither variables nor the working directory decide what is imported; -B: nothing is written.
        format!(
            "#!{} -IB\n\"\"\"Runs a program of this node: start [SERVICE | COMMAND…], health [SERVICE…].\"\"\"\n\
             import runpy\n\nrunpy.run_path({ROLE_DIRECTORY:?}, run_name=\"__main__\")\n",
            self.python
        )
    }
}

/// The words that run one of a node's own programs, such as `start`.
pub fn command(program: &str) -> Vec<String> {
    vec![format!("{ROLE_DIRECTORY}/{PROGRAM}"), program.to_owned()]
}

/// All services of a role, the built-in one included.
pub fn services(role: &Role) -> BTreeMap<&str, Cow<'_, Service>> {
    let mut services: BTreeMap<_, _> =
        role.services.iter().map(|(name, service)| (name.as_str(), Cow::Borrowed(service))).collect();
    if role.publishes {
        // Who is admitted works at once: what others need that is done once, such as to migrate a database, is done before.
        // But not what itself waits to be admitted.
        let needed = |name: &String| role.services.values().any(|service| service.after.contains(name));
        let jobs = role.services.iter().filter(|(name, job)| job.once && needed(name) && !waits(role, name));
        let after = jobs.map(|(name, _)| name.clone()).collect();
        let publish = Service { command: command(PUBLISH), after, ..Service::default() };
        services.insert(PUBLISH, Cow::Owned(publish));
    }
    services
}

/// Whether a service waits for a digest to be published: it is guarded, or comes after one that is, or after `publish`.
fn waits(role: &Role, name: &str) -> bool {
    name == PUBLISH
        || role
            .services
            .get(name)
            .is_some_and(|service| service.guard || service.after.iter().any(|other| waits(role, other)))
}

/// sha256 over the programs of a node, as hex: they differ between versions of envlock.
pub fn fingerprint() -> String {
    fingerprint::of_text(&format!("{PROGRAMS:?}"))
}

/// The files of a role by path below [`ROLE_DIRECTORY`]; `variables` are those that every process of a node has.
pub fn files(
    role: &Role,
    cluster: Option<&Cluster>,
    variables: &BTreeMap<String, String>,
    tools: Tools,
) -> BTreeMap<String, String> {
    let services = services(role);
    let mut files: BTreeMap<String, String> =
        PROGRAMS.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    files.insert(PROGRAM.to_owned(), tools.program());
    let supervised = tools.supervisord.filter(|_| services.len() > 1);
    if supervised.is_some() {
        files.insert("supervisord.conf".to_owned(), supervisor::configuration(&services));
    }
    let table = json!({
        "cluster": cluster.map(|cluster| json!({ "name": cluster.name, "broker": cluster.broker })),
        "environment": variables,
        "secrets": role.secrets,
        "makes": role.makes,
        "derives": role.derives.iter().map(|(name, it)| (name.clone(), json!({ "from": it.from, "base64": it.base64 }))).collect::<serde_json::Map<_, _>>(),
        "services": services.iter().map(|(name, it)| ((*name).to_owned(), service(it))).collect::<serde_json::Map<_, _>>(),
        "supervisor": supervised.map(|supervisord| [supervisord, "--configuration", &format!("{ROLE_DIRECTORY}/supervisord.conf")].map(str::to_owned)),
    });
    files.insert("services.json".to_owned(), format!("{:#}\n", sorted(table)));
    files
}

fn service(service: &Service) -> Value {
    let readiness = match &service.readiness {
        None => json!({}),
        Some(Readiness::Command(words)) => json!({ "command": words }),
        Some(Readiness::Http(url)) => json!({ "http": url }),
        Some(Readiness::Tcp(port)) => json!({ "tcp": port }),
    };
    json!({
        "command": service.command,
        "environment": service.environment,
        "files": service.files,
        "guard": service.guard,
        "after": service.after,
        "once": service.once,
        "readiness": readiness,
    })
}

/// Every TCP port of a role, sorted.
pub fn ports(role: &Role) -> Vec<u16> {
    let mut ports: Vec<u16> =
        role.services.values().flat_map(|service| &service.ports).chain(&role.ports).copied().collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// Every volume of a role, sorted.
pub fn volumes(role: &Role) -> Vec<String> {
    let mut volumes: Vec<String> =
        role.services.values().flat_map(|service| &service.volumes).chain(&role.volumes).cloned().collect();
    volumes.sort_unstable();
    volumes.dedup();
    volumes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOLS: Tools = Tools { python: "/p/bin/python3", supervisord: Some("/p/bin/supervisord") };

    fn role() -> Role {
        let redis = Service {
            command: ["redis-server", "--port", "6379"].map(str::to_owned).into(),
            ports: vec![6379],
            volumes: vec!["/var/lib/redis".to_owned()],
            readiness: Some(Readiness::Tcp(6379)),
            ..Service::default()
        };
        Role {
            services: BTreeMap::from([("redis".to_owned(), redis)]),
            ports: vec![80, 6379],
            publishes: true,
            ..Role::default()
        }
    }

    #[test]
    fn a_role_that_publishes_has_one_service_more_and_so_a_supervisor() {
        let cluster = Cluster { name: "c".to_owned(), broker: "redis://master/0".to_owned() };
        let files = files(&role(), Some(&cluster), &BTreeMap::new(), TOOLS);
        let table: Value = serde_json::from_str(&files["services.json"]).unwrap();
        assert_eq!(
            table["services"]["publish"]["command"],
            json!(["/opt/envlock/role/bin/envlock-node", "publish"])
        );
        assert!(files[PROGRAM].starts_with("#!/p/bin/python3 -IB\n"));
        assert_eq!(table["supervisor"][0], "/p/bin/supervisord");
        assert!(files["supervisord.conf"].contains("[program:publish]\n"));
        // A service with the name of one of our own programs is a service.
        let service = |port| Service { ports: port, command: vec!["x".to_owned()], ..Service::default() };
        let services = [("fatal", vec![]), ("servers", vec![1]), ("clients", vec![])];
        let named = Role {
            services: services.map(|(name, port)| (name.to_owned(), service(port))).into(),
            ..Role::default()
        };
        let text = &super::files(&named, None, &BTreeMap::new(), TOOLS)["supervisord.conf"];
        for section in [
            "[program:fatal]",
            "[program:servers]",
            "[program:clients]",
            "[group:level-1]\nprograms=clients,fatal\n",
        ] {
            assert!(text.contains(section), "{section}: {text}");
        }
        let mut sections: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
        let count = sections.len();
        sections.sort_unstable();
        sections.dedup();
        assert!(sections.len() == count && !text.contains("[eventlistener:fatal]"), "{text}");
        let alone = Role { publishes: false, ..role() };
        assert!(!super::files(&alone, None, &BTreeMap::new(), TOOLS).contains_key("supervisord.conf"));
    }

    #[test]
    fn workers_are_admitted_when_the_master_has_done_what_others_need() {
        let job = |after: &[&str], guard| Service {
            command: vec!["x".to_owned()],
            after: after.iter().map(|it| (*it).to_owned()).collect(),
            once: true,
            guard,
            ..Service::default()
        };
        let mut role = role();
        let jobs = [
            ("migrate", job(&["redis"], false)),
            ("nobody-waits-for-it", job(&["migrate"], false)),
            ("greet", job(&[PUBLISH], false)),
            ("greet-again", job(&["greet"], false)),
            ("guarded", job(&[], true)),
            ("after-guarded", job(&["guarded"], false)),
        ];
        role.services.extend(jobs.map(|(name, service)| (name.to_owned(), service)));
        assert_eq!(services(&role)[PUBLISH].after, ["migrate"]);
    }

    #[test]
    fn ports_and_volumes_are_those_of_all() {
        assert_eq!(ports(&role()), [80, 6379]);
        assert_eq!(volumes(&role()), ["/var/lib/redis"]);
    }
}
