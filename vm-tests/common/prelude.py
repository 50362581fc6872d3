"""What the scenarios share: the words of their stories. It comes before every scenario, with either driver.

A machine is what a driver has: portable/machine.py, or NixOS'. On each there are three commands besides: `node WORDS` runs
a command as the services of the node run, `node-log` prints what they have said, `node-set NAME=VALUE` starts them anew with
a variable more.
"""

import json
import time


def ready(worker, timeout=120):
    """Waits until a worker consumes."""
    worker.wait_until_succeeds("node-log | grep -q 'worker@.* ready'", timeout=timeout)


def start(*machines):
    """Boots machines, a master first, and waits until the workers among them consume."""
    for machine in machines:
        machine.start()
    redis("ping", until="PONG")
    for machine in machines:
        if machine.name != "master":
            ready(machine)


def redis(command, until=None):
    """What Redis on the master answers; waits for an answer, if that is said."""
    asked = f"node redis-cli -a {REDIS_PASSWORD} --no-auth-warning {command}"
    if until:
        return master.wait_until_succeeds(f"{asked} | grep {until}", timeout=120)
    return master.succeed(asked)


def submit(count, seconds=0.0, patience=120):
    """Submits tasks on the master that take some seconds each; every answer, as tasks.py prints it."""
    said = master.succeed(f"node python tasks.py {count} {float(seconds)} {patience}", timeout=patience + 60)
    return [json.loads(line) for line in said.splitlines()]


def submit_later(count, seconds=0.0, patience=120):
    """Submits tasks on the master and goes on."""
    master.succeed("rm -f /tmp/answers /tmp/submitted /tmp/status")
    master.succeed(
        f"{{ node python tasks.py {count} {float(seconds)} {patience} >/tmp/answers 2>/tmp/submitted; "
        "echo $? >/tmp/status; } &"
    )
    master.wait_until_succeeds("grep -qs submitted /tmp/submitted", timeout=60)


def answers(timeout=120):
    """The answers of what was submitted before."""
    status = master.wait_until_succeeds("cat /tmp/status", timeout=timeout).strip()
    said = master.succeed("cat /tmp/answers /tmp/submitted")
    assert status == "0", f"not all tasks have an answer:\n{said}"
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def taken(worker, count, timeout=60):
    """Waits until a worker has taken so many tasks since it booted."""
    worker.wait_until_succeeds(f"test $(node-log | grep -c ' received') -ge {count}", timeout=timeout)


def equal(what, found, expected):
    """Asserts, with a message that says what is what."""
    assert found == expected, f"{what}: {found!r} instead of {expected!r}"


def hosts(results):
    """On which hosts tasks ran."""
    return sorted({result["host"] for result in results})


def all_of(results, count):
    """Asserts that each of so many tasks has an answer."""
    equal("tasks with an answer", sorted(result["number"] for result in results), list(range(count)))
