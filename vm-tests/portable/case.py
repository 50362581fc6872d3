"""One run of a scenario on machines of its own, which may be broken on purpose."""

import argparse
import contextlib
import random
import secrets
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from breaks import Break, firewall
from image import load, system
from machine import Machine, Network
from shell import Failed

VM_TESTS = Path(__file__).resolve().parent.parent
PASSWORD = secrets.token_hex(16)


@dataclass(frozen=True)
class Project:
    """What machines are made of, and the stories that are told of them."""

    scenarios: Path
    """Where their files are."""
    machines: dict[str, str]
    """By name: the role whose image they boot. A machine that a scenario does not start costs nothing."""
    secrets: dict[str, str]
    """What the services of all machines are given."""
    memory: int
    """Of each machine, in MiB."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables of all processes."""


PROJECTS = {
    "quickstart": Project(
        VM_TESTS / "scenarios",
        {"master": "master", "worker": "worker", "clone": "worker", "stranger": "stranger"},
        {"REDIS_PASSWORD": PASSWORD},
        1024,
    ),
    "airflow": Project(
        VM_TESTS / "scenarios/airflow",
        {"master": "master", "worker": "worker", "clone": "worker"},
        {"CLUSTER_SECRET": PASSWORD},
        4096,
        # Machines without KVM are slow: what Airflow takes for a hang is work.
        {
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_MASTER_TIMEOUT": "600",
            "AIRFLOW__WEBSERVER__WEB_SERVER_WORKER_TIMEOUT": "600",
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "300",
            "AIRFLOW__CORE__DAG_FILE_PROCESSOR_TIMEOUT": "600",
            "AIRFLOW__CELERY__OPERATION_TIMEOUT": "30",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
            "AIRFLOW__SCHEDULER__PARSING_PROCESSES": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_ZOMBIE_TASK_THRESHOLD": "900",
        },
    ),
}


@dataclass(frozen=True)
class Case:
    """What is run."""

    name: str
    """As it is told, and where its logs are."""
    scenario: str
    broken: Break | None = None


@dataclass(frozen=True)
class Outcome:
    """How a case went."""

    case: Case
    seconds: float
    failure: str | None


@contextlib.contextmanager
def machines(case: Case, arguments: argparse.Namespace) -> Iterator[dict[str, Machine]]:
    """All machines, off; whatever happens, none is left."""
    logs = arguments.logs / case.name
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="envlock-vm-") as directory:
        scratch = Path(directory)
        # Their own group on the loopback interface is their network.
        address = ".".join(str(random.randrange(1, 255)) for _ in range(3))
        group = f"239.{address}:{random.randrange(20000, 60000)}"
        common = system(arguments.kernel, scratch)
        network = Network(arguments.kernel, common, group, arguments.kvm, arguments.quiet)
        project = PROJECTS[arguments.project]
        network.secrets = project.secrets
        network.memory = project.memory
        network.environment = project.environment
        network.files = arguments.file
        roles = project.machines
        if case.broken:
            network.system += firewall(arguments.kernel, scratch)
            network.before = case.broken.commands
            roles = {**roles, **case.broken.images}
        for number, (name, role) in enumerate(roles.items(), 1):
            image = load(arguments.images / f"{role}-image.tar", arguments.cache)
            network.machines[name] = Machine(name, number, image, network, scratch / "machines", logs)
        try:
            yield network.machines
        finally:
            for machine in network.machines.values():
                machine.crash()


def run(case: Case, arguments: argparse.Namespace) -> Outcome:
    """Runs a case, and says how it went."""
    began = time.monotonic()
    try:
        failure = tell(case, arguments, began)
        if case.broken:
            failure = judge(case, case.broken, failure)
    except Exception:
        # Its machines could not even be made.
        failure = traceback.format_exc()
    seconds = time.monotonic() - began
    print(f"{case.name}: {seconds:.1f} s: {'failed' if failure else 'passed'}", flush=True)
    if failure:
        print(f"{failure}\nlogs: {arguments.logs / case.name}", file=sys.stderr, flush=True)
    return Outcome(case, seconds, failure)


def tell(case: Case, arguments: argparse.Namespace, began: float) -> str | None:
    """Runs the scenario of a case: why it failed."""

    @contextlib.contextmanager
    def subtest(title: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            error.add_note(f"in `{title}`")
            raise
        print(f"{case.name}: {title}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)

    with machines(case, arguments) as all_machines:
        names = {**all_machines, "subtest": subtest, "TREE_DIGEST": arguments.tree_digest, "REDIS_PASSWORD": PASSWORD}
        try:
            scenario = PROJECTS[arguments.project].scenarios / f"{case.scenario}.py"
            for part in (VM_TESTS / "common/prelude.py", scenario):
                exec(compile(part.read_text(), str(part), "exec"), names)
        except (Failed, AssertionError) as error:
            said = str(error) or traceback.format_exc()
            return "\n".join([said, *getattr(error, "__notes__", [])])
        except Exception:
            return traceback.format_exc()
    return None


def judge(case: Case, broken: Break, failure: str | None) -> str | None:
    """What is wrong with how a scenario failed on broken machines."""
    if not failure:
        return f"{case.scenario} passes all the same"
    if not broken.is_named_by(failure):
        return f"{case.scenario} fails without naming the cause:\n{failure}"
    said = failure.replace("\n", "\n    ")
    print(f"{case.name}: {case.scenario} fails, as it must:\n    {said}", file=sys.stderr, flush=True)
    return None
