"""A cluster of containers, as `examples/airflow-2/run` has started it: what stories ask of it and do to it."""
import json
import os
import pathlib
import subprocess
import time

DAGS = "/var/lib/airflow/dags"
NETWORK = os.environ["NAME"]
PREFIX = NETWORK + "-"


class Failed(Exception):
    """A story that did not go as it should."""


def docker(*words, text=None, check=True, timeout=300):
    """Runs docker; what it prints on both streams."""
    ran = subprocess.run(
        ["docker", *words], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout
    )
    if check and ran.returncode:
        raise Failed(f"docker {' '.join(words)}: {ran.returncode}\n{ran.stdout}")
    return ran.stdout


def execute(host, *words, text=None, check=True):
    """Runs a command in the container of a host."""
    return docker("exec", "--interactive", PREFIX + host, *words, text=text, check=check)


def node(host, *words, text=None, check=True):
    """Runs a command as the services of a host run."""
    return execute(host, "envlock-node", "start", *words, text=text, check=check)


def logs(host):
    """What a host has said."""
    return docker("logs", PREFIX + host)


def wait(what, is_so, seconds=180, hosts=("master",)):
    """Waits until something is so; what it is then. Otherwise the last words of some hosts are told."""
    end = time.monotonic() + seconds
    while True:
        try:
            found = is_so()
        except (Failed, subprocess.TimeoutExpired):
            found = None
        if found:
            return found
        if time.monotonic() > end:
            said = "".join(f"\n{host}:\n{logs(host)[-3000:]}" for host in hosts)
            raise Failed(f"{what}: not within {seconds} s{said}")
        time.sleep(1)


def put_dag(path, name=None):
    """Puts a file into the master's folder of DAGs, as an editor would: it appears whole."""
    name = name or pathlib.Path(path).name
    script = f"cat >{DAGS}/.{name}.new && mv {DAGS}/.{name}.new {DAGS}/{name}"
    execute("master", "sh", "-c", script, text=pathlib.Path(path).read_text())


def has(host, name, text):
    """Whether a DAG file of a host has a text."""
    try:
        return text in execute(host, "cat", f"{DAGS}/{name}")
    except Failed:
        return False


QUERY = """
import json, sys
from airflow.models import TaskInstance
from airflow.utils.session import create_session
with create_session() as session:
    found = session.query(TaskInstance).filter(TaskInstance.run_id == sys.argv[1]).order_by(TaskInstance.map_index)
    print("\\n" + json.dumps([[it.map_index, it.state, it.hostname, it.try_number] for it in found]))
"""


def tasks(run):
    """The tasks of a run: index, state, host and number of the try of each."""
    said = node("master", "python", "-c", QUERY, run)
    return json.loads(said.strip().splitlines()[-1])


def trigger(dag, run):
    """Starts a run of a DAG, as soon as the scheduler knows it."""

    def may_run():
        rows = [line.split("|") for line in node("master", "airflow", "dags", "list").splitlines() if line.startswith(f"{dag} ")]
        if rows and rows[0][-1].strip() == "True":
            node("master", "airflow", "dags", "unpause", dag)
        return rows and rows[0][-1].strip() == "False"

    wait(f"{dag} is known", may_run)
    node("master", "airflow", "dags", "trigger", dag, "--run-id", run)


def succeed(run, seconds=180):
    """Waits until every task of a run has succeeded; its tasks."""

    def all_succeeded():
        found = tasks(run)
        return found if found and all(state == "success" for _, state, _, _ in found) else None

    return wait(f"{run} succeeds", all_succeeded, seconds, ("master", "worker-1"))


def status():
    """What the master says of the workers' DAGs, by worker."""
    said = execute("master", "envlock-node", "dags", "--json", check=False)
    return {row["worker"]: row for row in json.loads(said[said.index("[") :])}


def processes(host, name):
    """The numbers of a program's processes on a host."""
    # Some end while they are looked at.
    script = (
        "for it in /proc/[0-9]*; do { read -r name <$it/comm; } 2>/dev/null || continue; "
        f'[ "$name" != {name} ] || echo "${{it#/proc/}}"; done'
    )
    return [int(number) for number in execute(host, "sh", "-c", script).split()]


def kill(host, name, signal="KILL"):
    """Sends a signal to the oldest process of a program."""
    oldest = min(processes(host, name))
    execute(host, "bash", "-c", f"kill -{signal} {oldest}")
    wait(f"{name} has ended", lambda: oldest not in processes(host, name), 60, (host,))


def start(host, *options):
    """Starts one more worker."""
    image = docker("inspect", "--format", "{{.Image}}", PREFIX + "worker-1").strip()
    words = ["--name", PREFIX + host, "--hostname", host, "--network", NETWORK, "--network-alias", host]
    docker("run", "--detach", "--read-only", "--tmpfs", "/tmp", *words, *options, image)


def remove(host):
    """Takes a worker away."""
    docker("rm", "--force", "--volumes", PREFIX + host)
