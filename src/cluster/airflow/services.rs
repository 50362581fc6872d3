//! The services of a master and of a worker.

use std::collections::BTreeMap;

use super::{ADMIN_PASSWORD, DAGS, HOME, KEPT, Plan, nginx};
use crate::{
    cluster::command,
    spec::project::{DagSync, Readiness, Service, StopSignal},
};

pub(super) const REDIS: &str = "redis";
pub(super) const DATABASE: &str = "postgresql";
pub(super) const DATABASE_INIT: &str = "postgresql-init";
pub(super) const FLOWER: &str = "flower";
const MIGRATE: &str = "db-migrate";
const ADMIN: &str = "admin";
const SCHEDULER: &str = "scheduler";
const WORKER: &str = "worker";
const JOIN: &str = "dag-join";
pub(super) const RECEIVER: &str = "dag-receiver";

/// Where the database's files are.
const DATA: &str = "/var/lib/postgresql/data";
/// The port at which workers take DAGs.
const SYNC_PORT: u16 = 2222;

/// Where a program writes its number: that of one that was killed is nobody's business, and a volume would keep it.
const PID_FILE: &str = "${ENVLOCK_FILES}/pid";

/// Seconds that a worker has to end its tasks.
const TASK_SECONDS: u32 = 600;

/// Who may connect to the database: whoever has the password.
const HBA: &str =
    "# TYPE DATABASE USER ADDRESS METHOD\nlocal all all scram-sha-256\nhost all all all scram-sha-256\n";

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// One of a node's own programs.
fn own(program: &str, rest: &[&str]) -> Vec<String> {
    command(program).into_iter().chain(words(rest)).collect()
}

fn after(names: &[&str]) -> Vec<String> {
    let mut names = words(names);
    names.sort_unstable();
    names
}

impl Plan<'_> {
    /// The name of the web server's service.
    pub(super) fn web(&self) -> &'static str {
        if self.software.is_3() { "api-server" } else { "webserver" }
    }

    /// Whether there is a Flower to be shown.
    pub(super) fn has_flower(&self) -> bool {
        self.software.has_flower() && !self.airflow.without.iter().any(|name| name == FLOWER)
    }

    /// Where Airflow says whether it is well, below its path.
    pub(super) fn health(&self) -> &'static str {
        if self.software.is_3() { "/api/v2/monitor/health" } else { "/health" }
    }

    /// What a master runs.
    pub(super) fn master(&self) -> BTreeMap<String, Service> {
        let software = self.software;
        // With 3, tasks ask the web server for all that they need, until they end.
        let before_worker: &[&str] =
            if software.is_3() { &[MIGRATE, REDIS, self.web()] } else { &[MIGRATE, REDIS] };
        let mut services = vec![
            (REDIS, redis()),
            (DATABASE_INIT, database_init()),
            (DATABASE, database()),
            (
                MIGRATE,
                Service { after: after(&[DATABASE]), once: true, ..Self::airflow_command(self.migrate()) },
            ),
            (ADMIN, self.admin()),
            (self.web(), self.web_server()),
            (SCHEDULER, self.scheduler()),
            (WORKER, Service { after: after(before_worker), ..self.airflow_worker() }),
            ("nginx", nginx::service(self)),
        ];
        let further = |name: &str| Service { after: after(&[MIGRATE]), ..Self::airflow_command(&[name]) };
        if software.is_from(2, 2) {
            services.push(("triggerer", further("triggerer")));
        }
        if software.is_3() {
            services.push(("dag-processor", further("dag-processor")));
        }
        if self.software.has_flower() {
            services.push((FLOWER, self.flower()));
        }
        if let DagSync::Rsync { interval } = self.airflow.sync {
            services.push(("dag-sync", dag_sync(interval)));
        }
        services.into_iter().map(|(name, service)| (name.to_owned(), service)).collect()
    }

    /// What a worker runs.
    pub(super) fn worker(&self) -> BTreeMap<String, Service> {
        let mut services = vec![(WORKER, self.airflow_worker())];
        if self.syncs() {
            services.extend([(JOIN, dag_join()), (RECEIVER, dag_receiver())]);
        }
        services.into_iter().map(|(name, service)| (name.to_owned(), service)).collect()
    }

    /// Whether workers get their DAGs from the master.
    pub(super) fn syncs(&self) -> bool {
        matches!(self.airflow.sync, DagSync::Rsync { .. })
    }

    fn airflow_command(rest: &[&str]) -> Service {
        Service { command: words(&[&["airflow"], rest].concat()), ..Service::default() }
    }

    /// A command of Celery's, which 1.10 does not have below `celery`.
    fn celery_command(&self, rest: &[&str]) -> Service {
        if self.software.is_1() {
            Self::airflow_command(rest)
        } else {
            Self::airflow_command(&[&["celery"], rest].concat())
        }
    }

    fn migrate(&self) -> &'static [&'static str] {
        if self.software.is_1() {
            &["initdb"]
        } else if self.software.is_from(2, 7) {
            &["db", "migrate"]
        } else {
            &["db", "upgrade"]
        }
    }

    /// The first user, who can make all others.
    fn admin(&self) -> Service {
        let create: &[&str] = if self.software.is_1() { &["create_user"] } else { &["users", "create"] };
        // Once and not at each start: who was renamed or taken away stays so.
        let mark = format!("{HOME}/.admin-made");
        let user = [
            "--role",
            "Admin",
            "--username",
            "admin",
            "--firstname",
            "Admin",
            "--lastname",
            "Admin",
            "--email",
            "admin@localhost",
        ];
        // It is asked for its password: arguments are seen by everybody on a machine.
        let command = own("answer", &[&[&mark, ADMIN_PASSWORD, "airflow"], create, &user].concat());
        Service { command, after: after(&[MIGRATE]), once: true, ..Service::default() }
    }

    fn web_server(&self) -> Service {
        let service = if self.software.is_3() {
            // It listens for workers, too.
            Service { ports: vec![8080], ..Self::airflow_command(&["api-server", "--port", "8080"]) }
        } else {
            Self::airflow_command(&[
                "webserver",
                "--hostname",
                "${WEB_HOST}",
                "--port",
                "8080",
                "--pid",
                PID_FILE,
            ])
        };
        let host = if self.software.is_3() { "127.0.0.1" } else { "${WEB_HOST}" };
        let readiness = Readiness::Http(format!("http://{host}:8080{}{}", self.airflow.path, self.health()));
        Service { after: after(&[MIGRATE]), readiness: Some(readiness), ..service }
    }

    fn scheduler(&self) -> Service {
        let readiness =
            self.software.is_from(2, 4).then(|| Readiness::Http("http://127.0.0.1:8974/health".to_owned()));
        Service { after: after(&[MIGRATE, REDIS]), readiness, ..Self::airflow_command(&["scheduler"]) }
    }

    /// A worker of Celery, on any node. It shows its logs at a port.
    fn airflow_worker(&self) -> Service {
        Service {
            ports: vec![8793],
            readiness: Some(Readiness::Tcp(8793)),
            guard: true,
            stop_timeout: TASK_SECONDS,
            ..self.celery_command(&["worker", "--pid", PID_FILE])
        }
    }

    /// Flower sees workers that are there when it starts, and those that come later.
    fn flower(&self) -> Service {
        let address: &[&str] = &["flower", "--hostname", "${FLOWER_HOST}", "--port", "5555"];
        let mut service = self.celery_command(address);
        service.environment.insert("FLOWER_BASIC_AUTH".to_owned(), format!("admin:${{{ADMIN_PASSWORD}}}"));
        Service { after: after(&[REDIS, WORKER]), ..service }
    }
}

fn redis() -> Service {
    // In a file: arguments are seen by everybody on a machine.
    let configuration = "bind ${REDIS_ADDRESS}\nport 6379\ndir /var/lib/redis\nappendonly yes\nrequirepass \"${REDIS_PASSWORD}\"\n";
    Service {
        command: words(&["redis-server", "${ENVLOCK_FILES}/redis.conf"]),
        files: BTreeMap::from([("redis.conf".to_owned(), configuration.to_owned())]),
        environment: BTreeMap::from([("REDISCLI_AUTH".to_owned(), "${REDIS_PASSWORD}".to_owned())]),
        ports: vec![6379],
        volumes: vec!["/var/lib/redis".to_owned()],
        readiness: Some(Readiness::Command(words(&["redis-cli", "-h", "${REDIS_ADDRESS}", "ping"]))),
        ..Service::default()
    }
}

/// Makes the files of a database where there are none.
fn database_init() -> Service {
    Service {
        command: own("database", &[DATA, "airflow", "POSTGRES_PASSWORD"]),
        once: true,
        volumes: vec!["/var/lib/postgresql".to_owned()],
        ..Service::default()
    }
}

fn database() -> Service {
    let settings = [
        "listen_addresses=${POSTGRES_ADDRESS}",
        "unix_socket_directories=/tmp",
        "password_encryption=scram-sha-256",
        "hba_file=${ENVLOCK_FILES}/pg_hba.conf",
        // Every process of every worker has some.
        "max_connections=200",
        // Not every container has a /dev/shm of some size.
        "dynamic_shared_memory_type=mmap",
    ];
    let command = ["postgres", "-D", DATA].into_iter().chain(settings.into_iter().flat_map(|it| ["-c", it]));
    let command = command.map(str::to_owned).collect();
    Service {
        command,
        files: BTreeMap::from([("pg_hba.conf".to_owned(), HBA.to_owned())]),
        after: after(&[DATABASE_INIT]),
        ports: vec![5432],
        volumes: vec!["/var/lib/postgresql".to_owned()],
        readiness: Some(Readiness::Command(words(&[
            "pg_isready",
            "--quiet",
            "--host",
            "${POSTGRES_ADDRESS}",
        ]))),
        // It would wait for its clients otherwise, and they for it.
        stop_signal: StopSignal::Int,
        ..Service::default()
    }
}

/// Brings the master's DAGs to all workers that have joined.
fn dag_sync(interval: u32) -> Service {
    Service {
        command: own("dag-sync", &[DAGS, KEPT, &interval.to_string()]),
        after: after(&[REDIS]),
        ..Service::default()
    }
}

/// Tells the master where DAGs are wanted, and whom the receiver lets in.
fn dag_join() -> Service {
    Service {
        command: own("dag-join", &[DAGS, KEPT, &SYNC_PORT.to_string()]),
        readiness: Some(Readiness::Command(words(&[
            "ssh-keygen",
            "-l",
            "-f",
            &format!("{KEPT}/ssh_host_ed25519_key.pub"),
        ]))),
        ..Service::default()
    }
}

/// An sshd that can do one thing: take files into the folder of DAGs.
fn dag_receiver() -> Service {
    // What lies there may be linked within the folder, and nothing that comes can be run as somebody else. Only what
    // `dag-sync` asks for is done: with other options links could be moved until they lead out.
    let options = "!recursive !links !times !compress !delete !delete-delay !delay-updates !safe-links !omit-dir-times !timeout";
    let rsync = format!(
        "use chroot = no\nreverse lookup = no\n[dags]\npath = {DAGS}\nread only = no\nwrite only = yes\nlist = no\n\
         refuse options = * {options}\nmunge symlinks = no\nincoming chmod = Du=rwx,Dgo=rx,u-s,g-s,o-w,g-w\ntimeout = 600\n"
    );
    let sshd = format!(
        "Port {SYNC_PORT}\nHostKey {KEPT}/ssh_host_ed25519_key\nAuthorizedKeysFile {KEPT}/authorized_keys\nPidFile none\n\
         UsePAM no\nAuthenticationMethods publickey\nDisableForwarding yes\nPermitTTY no\nPermitTunnel no\n\
         PermitUserRC no\nPermitUserEnvironment no\nUseDNS no\nMaxSessions 1\nLoginGraceTime 30\nPrintMotd no\n\
         PrintLastLog no\nSetEnv PATH=${{PATH}}\nForceCommand rsync --server --daemon --config=${{ENVLOCK_FILES}}/rsyncd.conf .\n"
    );
    Service {
        command: words(&["sshd", "-D", "-e", "-f", "${ENVLOCK_FILES}/sshd_config"]),
        files: BTreeMap::from([("rsyncd.conf".to_owned(), rsync), ("sshd_config".to_owned(), sshd)]),
        after: after(&[JOIN]),
        ports: vec![SYNC_PORT],
        ..Service::default()
    }
}
