"""What must hold of an Airflow cluster, told on the one that runs here: `stories.py [STORY…]`.

Each function is a story, in the order in which they are told: first what the cluster is for, then what it bears.
"""
import hashlib
import os
import pathlib
import re
import secrets
import subprocess
import sys
import tempfile
import time
import traceback

import cluster
from cluster import Failed, docker, execute, kill, logs, node, put_dag, remove, start, status, succeed, tasks, trigger, wait

HERE = pathlib.Path(__file__).resolve().parent
WORKERS = ("worker-1", "worker-2")
URL = os.environ["URL"]
# A task, and a node that is not the master and ran it; `web` looks at its log.
FAR: dict[str, object] = {}


def password(name="ADMIN_PASSWORD"):
    return execute("master", "envlock-node", "secret", name).strip()


def tell(name):
    """A part of a story."""
    print(f"    {name}", flush=True)


def a_dag_crosses_the_cluster():
    """It is dropped on the master, comes to the workers, and its tasks run there."""
    trigger("where_tasks_run", "across")
    found = succeed("across")
    hosts = {host for _, _, host, _ in found}
    if len(found) != 12 or not hosts & set(WORKERS):
        raise Failed(f"tasks ran on {found}")
    FAR["index"], FAR["host"] = next((index, host) for index, _, host, _ in found if host in WORKERS)


def the_web_pages():
    """Log-in, list of DAGs, the log of a task on a worker, and Flower: below their prefixes, behind NGINX."""
    if not FAR:
        a_dag_crosses_the_cluster()
    words = [sys.executable, HERE / "web.py", URL, password(), "where_tasks_run", "across", str(FAR["index"]), FAR["host"]]
    words += ["master," + ",".join(WORKERS)]
    subprocess.run(words + [os.environ["SCREENSHOTS"]] if "SCREENSHOTS" in os.environ else words, check=True)


def nobody_gets_in_without_a_password():
    tell("Redis")
    said = execute("master", "redis-cli", "-h", "master", "ping", check=False)
    if "NOAUTH" not in said:
        raise Failed(f"Redis lets everybody in: {said}")
    tell("PostgreSQL")
    for words in (["--no-password"], ["--no-password", "--host", "/tmp"]):
        host = [] if "--host" in words else ["--host", "master"]
        said = execute("master", "psql", *words, *host, "--username", "airflow", "--command", "select 1", check=False)
        if "no password supplied" not in said:
            raise Failed(f"PostgreSQL lets everybody in: {said}")
    tell("no secret is in a log, in what Docker knows, or among the arguments of a process")
    names = ("ADMIN_PASSWORD", "CLUSTER_SECRET", "FERNET_KEY", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "SYNC_SECRET", "WEB_SECRET")
    known = {name: password(name) for name in names}
    said = "".join(logs(host) for host in ("master", *WORKERS))
    said += docker("inspect", *(cluster.PREFIX + host for host in ("master", *WORKERS)))
    # Airflow tells Flower its broker that way.
    arguments = execute("master", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    arguments = re.sub(r"(flower -b|--broker[ =]) ?\S+", "", arguments)
    if "redis-server" not in arguments or "published for cluster" not in said:
        raise Failed("this looks at nothing")
    for name, value in known.items():
        if value in said or value in arguments:
            raise Failed(f"{name} is told")
    tell("the superuser of the database is nobody")
    statement = "select rolsuper, rolname from pg_roles where rolcanlogin order by rolname"
    script = f'PGPASSWORD=$POSTGRES_PASSWORD exec psql -h master -U airflow -tAc "{statement}"'
    found = node("master", "sh", "-c", script).split()
    if found != ["f|airflow", "t|postgres"]:
        raise Failed(f"the roles of the database are {found}")
    said = execute("master", "psql", "--no-password", "--host", "/tmp", "--username", "postgres", "airflow", check=False)
    if "no password supplied" not in said:
        raise Failed(f"somebody can be the superuser: {said}")
    tell("a task has no secret that it does not need")
    # All of them: some end while they are looked at.
    script = """for it in /proc/[0-9]*; do case $(tr '\\0' ' ' <$it/cmdline 2>/dev/null) in *celeryd:*) cat $it/environ 2>/dev/null; esac; done; true"""
    environment = execute("worker-1", "sh", "-c", script)
    if "AIRFLOW__CORE__FERNET_KEY" not in environment or known["SYNC_SECRET"] in environment or known["CLUSTER_SECRET"] in environment:
        raise Failed("what a worker has among its variables is not what it needs")
    if password("ADMIN_PASSWORD") != execute("master", "cat", "/var/lib/envlock/ADMIN_PASSWORD").strip():
        raise Failed("the password is not the one that is kept")


def the_key_of_the_master_does_one_thing():
    """What it opens on a worker takes files into the folder of DAGs, and does nothing else."""
    known = "/var/lib/envlock/known_host_" + hashlib.sha256(b"worker-1").hexdigest()[:16]
    ssh = f"ssh -F none -i /var/lib/envlock/dag_key -p 2222 -o UserKnownHostsFile={known} -o HostKeyAlias=worker-1 -o BatchMode=yes"

    def tried(words):
        return execute("master", "sh", "-c", f"{words} 2>&1 </dev/null", check=False)

    said = tried(f"{ssh} worker-1 id")
    if "uid=" in said or "@RSYNCD" not in said:
        raise Failed(f"a command runs: {said}")
    for words, expected in (
        (f"{ssh} -o ExitOnForwardFailure=yes -W localhost:8793 worker-1", "open failed"),
        (f"{ssh} -tt worker-1", "PTY allocation request failed"),
        (f"rsync --rsh '{ssh}' worker-1::dags/where.py /tmp/x", "write only"),
        (f"rsync --rsh '{ssh}' worker-1:/etc/passwd /tmp/x", "rsync error"),
    ):
        said = tried(words)
        if expected not in said:
            raise Failed(f"{words}: no `{expected}`, but {said}")
    tried(f"cd /tmp; echo x >evil; rsync --rsh '{ssh}' evil worker-1::dags/../evil; rsync --rsh '{ssh}' evil worker-1::/tmp/evil")
    said = tried(f"cd /tmp; rsync --backup --backup-dir=/x --rsh '{ssh}' evil worker-1::dags/evil")
    if "refuse" not in said:
        raise Failed(f"options that move files are taken: {said}")
    outside = execute("worker-1", "sh", "-c", "ls -d /var/lib/airflow/evil /tmp/evil 2>/dev/null; true")
    if outside:
        raise Failed(f"it wrote outside of the folder: {outside}")
    tell("a host with another key is none")
    said = tried(f"{ssh.replace('HostKeyAlias=worker-1', 'HostKeyAlias=worker-2')} -o StrictHostKeyChecking=yes worker-1 id")
    if "verification failed" not in said:
        raise Failed(f"any host is taken for a worker: {said}")


def dags_follow_the_master():
    """What is changed there is changed on all workers, what is deleted goes, and logs stay where they are."""
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "later.py")
        path.write_text("# first\n")
        put_dag(path)
        execute("master", "sh", "-c", f"mkdir -p {cluster.DAGS}/logs {cluster.DAGS}/package && echo x >{cluster.DAGS}/logs/x")
        execute("master", "sh", "-c", f"cd {cluster.DAGS}/package && echo '# part' >part.py && ln -sf ../later.py link.py && ln -sf /etc/passwd out.py")
        for worker in WORKERS:
            wait(f"{worker} has it", lambda: cluster.has(worker, "later.py", "first"))
            wait(f"{worker} has the link", lambda: cluster.has(worker, "package/link.py", "first"), 30)
            if cluster.has(worker, "logs/x", "x") or cluster.has(worker, "package/out.py", "root"):
                raise Failed("logs, or what a link leads out to, came along")
        path.write_text("# second\n")
        put_dag(path)
        for worker in WORKERS:
            wait(f"{worker} has the new one", lambda: cluster.has(worker, "later.py", "second"))
        execute("master", "sh", "-c", f"rm -r {cluster.DAGS}/later.py {cluster.DAGS}/package")
        for worker in WORKERS:
            wait(f"{worker} has lost it", lambda: "No such file" in execute(worker, "cat", f"{cluster.DAGS}/later.py", check=False))
    said = status()
    for worker in WORKERS:
        if said[worker]["failure"] or said[worker]["synced_seconds_ago"] > 60:
            raise Failed(f"{said}")


def a_worker_that_is_cut_off_holds_up_nobody():
    docker("network", "disconnect", cluster.NETWORK, cluster.PREFIX + "worker-2")
    try:
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, "meanwhile.py")
            path.write_text("# meanwhile\n")
            put_dag(path)
            wait("worker-1 has it", lambda: cluster.has("worker-1", "meanwhile.py", "meanwhile"), 60)
            wait("the master says so", lambda: status()["worker-2"]["failure"], 120)
            if cluster.has("worker-2", "meanwhile.py", "meanwhile"):
                raise Failed("worker-2 is not cut off")
    finally:
        docker("network", "connect", "--alias", "worker-2", cluster.NETWORK, cluster.PREFIX + "worker-2")
    wait("worker-2 has it", lambda: cluster.has("worker-2", "meanwhile.py", "meanwhile"), 120, ("master", "worker-2"))
    wait("the master says so", lambda: not status()["worker-2"]["failure"], 120)


def the_secrets():
    """The directory with the secret that the nodes share."""
    mounts = docker("inspect", "--format", '{{range .Mounts}}{{if eq .Destination "/run/secrets"}}{{.Source}}{{end}}{{end}}', cluster.PREFIX + "worker-1")
    return f"--volume={mounts.strip()}:/run/secrets:ro"


def a_full_disk_keeps_the_dags_of_before():
    start("full", the_secrets(), f"--tmpfs={cluster.DAGS}:size=1m,uid=50000,mode=0755")
    try:
        wait("it has the DAGs", lambda: cluster.has("full", "where.py", "where_tasks_run"), 120, ("master", "full"))
        execute("master", "sh", "-c", f"head -c 3000000 /dev/urandom >{cluster.DAGS}/large.bin")
        wait("the master says that the disk is full", lambda: "no space" in (status()["full"]["failure"] or "").lower(), 120)
        if not cluster.has("full", "where.py", "where_tasks_run()"):
            raise Failed("a DAG is gone")
        wait("others have it", lambda: "3000000" in execute("worker-1", "stat", "-c", "%s", f"{cluster.DAGS}/large.bin", check=False), 60)
        execute("master", "rm", f"{cluster.DAGS}/large.bin")
        wait("it recovers", lambda: not status()["full"]["failure"], 120, ("master", "full"))
    finally:
        execute("master", "rm", "-f", f"{cluster.DAGS}/large.bin", check=False)
        remove("full")


def a_wrong_secret_is_refused():
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "CLUSTER_SECRET")
        path.write_text(secrets.token_hex(32))
        path.chmod(0o444)
        pathlib.Path(directory).chmod(0o755)
        start("stranger", f"--volume={directory}:/run/secrets:ro")
        try:
            expected = "refused by Redis at master:6379/0: the password is wrong"
            wait("it is told", lambda: expected in logs("stranger"), 60, ("stranger",))
            time.sleep(5)
            if "stranger" in status() or "ready" in logs("stranger"):
                raise Failed("a stranger is in the cluster")
        finally:
            remove("stranger")


def a_clock_that_is_wrong_by_ten_minutes():
    """DAGs come and tasks run."""
    put_dag(HERE / "dags/slow.py")
    faketime = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    words = [f"--volume={faketime}:/tmp/libfaketime.so.1:ro", "--env=LD_PRELOAD=/tmp/libfaketime.so.1", "--env=FAKETIME=+10m"]
    start("early", the_secrets(), of_queue("early"), *words)
    try:
        wait("it has the DAGs", lambda: cluster.has("early", "slow.py", "early"), 120, ("master", "early"))
        if int(execute("early", "date", "+%s")) < time.time() + 500:
            raise Failed("its clock is right")
        trigger("early", "skewed")
        ((_, _, host, _),) = succeed("skewed")
        if host != "early":
            raise Failed(f"it ran on {host}")
    finally:
        remove("early")


def of_queue(name):
    """Has a worker take the tasks of one queue alone."""
    return f"--env=AIRFLOW__OPERATORS__DEFAULT_QUEUE={name}"


def a_task_outlives_its_worker():
    put_dag(HERE / "dags/slow.py")
    pair = ("slow-1", "slow-2")
    for worker in pair:
        start(worker, the_secrets(), of_queue("slow"))
    try:
        for worker in pair:
            wait(f"{worker} knows it", lambda: cluster.has(worker, "slow.py", "slow"), 120, ("master", worker))
        trigger("slow", "killed")

        def running():
            return [host for _, state, host, _ in tasks("killed") if state == "running" and host]

        (first,) = wait("it runs", running, 120, ("master", *pair))
        docker("kill", cluster.PREFIX + first)
        tell(f"{first} is killed in mid-task")
        ((_, _, second, number),) = succeed("killed", 300)
        if second == first or number < 2:
            raise Failed(f"it ran on {second}, try {number}")
        tell(f"{second} has done it")
    finally:
        for worker in pair:
            remove(worker)


def redis_is_killed():
    kill("master", "redis-server")
    trigger("where_tasks_run", "after-redis")
    succeed("after-redis")


def postgresql_is_killed():
    kill("master", "postgres")
    wait("it is back", lambda: "accepting" in node("master", "pg_isready", "--host", "master"), 60)
    trigger("where_tasks_run", "after-postgresql")
    succeed("after-postgresql")
    wait("everything is well", lambda: not execute("master", "envlock-node", "health"), 120)


def the_master_is_killed():
    """Nothing that a process has left keeps the next one from starting."""
    docker("kill", cluster.PREFIX + "master")
    docker("start", cluster.PREFIX + "master")
    wait("everything is well", lambda: not execute("master", "envlock-node", "health"), 300)
    trigger("where_tasks_run", "after-all")
    succeed("after-all")


def a_master_that_stops_lets_its_tasks_end():
    """Its own worker ends what it is at, and still finds its broker and its database."""
    put_dag(HERE / "dags/slow.py")
    app = "airflow.providers.celery.executors.celery_executor.app"
    node("master", "celery", "--app", app, "control", "--destination", "celery@master", "add_consumer", "slow")
    trigger("slow", "ending")
    wait("it runs", lambda: [host for _, state, host, _ in tasks("ending") if state == "running" and host], 120)
    docker("stop", "--time", "300", cluster.PREFIX + "master", timeout=400)
    docker("start", cluster.PREFIX + "master")
    wait("everything is well", lambda: not execute("master", "envlock-node", "health"), 300)
    ((_, state, host, number),) = tasks("ending")
    if (state, host, number) != ("success", "master", 1):
        raise Failed(f"the task is {state} on {host}, try {number}")


STORIES = [
    a_dag_crosses_the_cluster,
    the_web_pages,
    nobody_gets_in_without_a_password,
    the_key_of_the_master_does_one_thing,
    dags_follow_the_master,
    a_worker_that_is_cut_off_holds_up_nobody,
    a_full_disk_keeps_the_dags_of_before,
    a_wrong_secret_is_refused,
    a_clock_that_is_wrong_by_ten_minutes,
    a_task_outlives_its_worker,
    redis_is_killed,
    postgresql_is_killed,
    the_master_is_killed,
    a_master_that_stops_lets_its_tasks_end,
]


def main(names):
    """Tells stories; 1 if one did not go as it should."""
    known = {story.__name__: story for story in STORIES}
    failed = []
    for name in names or known:
        began = time.monotonic()
        print(f"story {name}", flush=True)
        try:
            known[name]()
        except Exception as error:
            print(f"FAILED {name}: {error if isinstance(error, Failed) else traceback.format_exc()}", flush=True)
            failed.append(name)
        else:
            print(f"passed {name} in {time.monotonic() - began:.0f} s", flush=True)
    print(f"{len(names or known) - len(failed)} of {len(names or known)} stories passed")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
