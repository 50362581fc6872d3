"""What the scenarios share: the words of their stories. It comes before every scenario, with either driver.

A machine is what a driver has: portable/machine.py, or NixOS'. On each there are three commands besides: `node WORDS` runs
a command as the services of the node run, `node-log` prints what they have said, `node-set NAME=VALUE` starts them anew with
a variable more.
"""

import json
import time
import typing


class Node(typing.Protocol):
    """A machine of either driver; it is off until it is started."""

    @property
    def name(self) -> str: ...

    def start(self) -> None: ...

    def execute(self, command: str) -> tuple[int, str]: ...

    def succeed(self, *commands: str, timeout: int = ...) -> str: ...

    def fail(self, *commands: str, timeout: int = ...) -> str: ...

    def wait_until_succeeds(self, command: str, timeout: int = ...) -> str: ...

    def wait_for_open_port(self, port: int, addr: str = ..., timeout: int = ...) -> None: ...

    def block(self) -> None: ...

    def unblock(self) -> None: ...

    def crash(self) -> None: ...

    def shutdown(self) -> None: ...


def wait(machine: Node, command: str, says: str, timeout: int = 180) -> str:
    """Waits until what a command says has a pattern; what it says then. Fails with what it says instead."""
    try:
        return machine.wait_until_succeeds(f"{command} >/tmp/said 2>&1 && grep {says!r} /tmp/said", timeout=timeout)
    except Exception as error:
        said = machine.succeed("tail -n 8 /tmp/said")
        raise AssertionError(f"{machine.name}: no `{says}` within {timeout} s, but:\n{said}") from error


def ready(worker: Node, timeout: int = 180) -> None:
    """Waits until a worker consumes."""
    wait(worker, "node-log", "worker@.* ready", timeout)


def start(*machines: Node) -> None:
    """Boots machines, a master first, and waits until the workers among them consume."""
    for machine in machines:
        machine.start()
    # Asking Redis itself needs a Python each time, which takes seconds without KVM: only to hear why it does not answer.
    try:
        master.wait_for_open_port(6379, timeout=180)
    except Exception:
        redis("ping", until="PONG", timeout=30)
        raise
    for machine in machines:
        if machine.name != "master":
            ready(machine)


def redis(command: str, until: str | None = None, timeout: int = 180) -> str:
    """What Redis on the master answers; waits for an answer, if that is said."""
    asked = f"node redis-cli -a {REDIS_PASSWORD} --no-auth-warning {command}"
    return wait(master, asked, until, timeout) if until else master.succeed(asked)


def submit(count: int, seconds: float = 0.0, patience: int = 120) -> list[dict[str, typing.Any]]:
    """Submits tasks on the master that take some seconds each; every answer, as tasks.py prints it."""
    said = master.succeed(f"node python tasks.py {count} {float(seconds)} {patience}", timeout=patience + 60)
    return [json.loads(line) for line in said.splitlines()]


def submit_later(count: int, seconds: float = 0.0, patience: int = 120) -> None:
    """Submits tasks on the master and goes on."""
    master.succeed("rm -f /tmp/answers /tmp/submitted /tmp/status")
    master.succeed(
        f"{{ node python tasks.py {count} {float(seconds)} {patience} >/tmp/answers 2>/tmp/submitted && status=0 || "
        "status=$?; echo $status >/tmp/status; } >/dev/null 2>&1 &"
    )
    master.wait_until_succeeds("grep -qs submitted /tmp/submitted", timeout=60)


def answers(timeout: int = 120) -> list[dict[str, typing.Any]]:
    """The answers of what was submitted before."""
    status = master.wait_until_succeeds("grep . /tmp/status", timeout=timeout).strip()
    said = master.succeed("cat /tmp/answers /tmp/submitted")
    assert status == "0", f"not all tasks have an answer:\n{said}"
    return [json.loads(line) for line in said.splitlines() if line.startswith("{")]


def taken(worker: Node, count: int, timeout: int = 60) -> None:
    """Waits until a worker has taken so many tasks since its services were started."""
    worker.wait_until_succeeds(f"test $(node-log | grep -c ' received') -ge {count}", timeout=timeout)


def processes(machine: Node, name: str) -> list[int]:
    """The processes of a program, the oldest first. Not every machine has a pgrep."""
    said = machine.succeed(
        "for it in /proc/[0-9]*; do { read -r name <$it/comm; } 2>/dev/null || continue; "
        f'test "$name" != {name} || echo "${{it#/proc/}}"; done'
    )
    return sorted(int(number) for number in said.split())


def unfinished(count: int) -> int:
    """Asserts that not all of so many tasks that were submitted before have their answers; how many have."""
    done = int(master.succeed("wc -l </tmp/answers"))
    assert done < count, "all tasks are done already"
    return done


def pause(seconds: float) -> None:
    """Lets time go by."""
    time.sleep(seconds)


def equal(what: str, found: object, expected: object) -> None:
    """Asserts, with a message that says what is what."""
    assert found == expected, f"{what}: {found!r} instead of {expected!r}"


def hosts(results: list[dict[str, typing.Any]]) -> list[str]:
    """On which hosts tasks ran."""
    return sorted({result["host"] for result in results})


def all_of(results: list[dict[str, typing.Any]], count: int) -> None:
    """Asserts that each of so many tasks has an answer."""
    equal("tasks with an answer", sorted(result["number"] for result in results), list(range(count)))
