"""Runs scenarios on machines under QEMU that boot the images themselves: no Nix, nothing but Debian's packages.

usage: driver.py --images DIR --kernel DIR --tree-digest DIGEST [--logs DIR] [--interactive | --broken | SCENARIO…]
"""

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
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from breaks import BREAKS, Break, firewall
from image import load, system
from machine import Machine, Network
from shell import Failed

VM_TESTS = Path(__file__).resolve().parent.parent
# By name: the role whose image they boot. A machine that a scenario does not start costs nothing.
MACHINES = {"master": "master", "worker": "worker", "clone": "worker", "stranger": "stranger"}

PASSWORD = secrets.token_hex(16)


def main() -> int:
    known = sorted(path.stem for path in (VM_TESTS / "scenarios").glob("*.py"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="with ROLE-image.tar")
    parser.add_argument("--kernel", type=Path, required=True, metavar="DIR", help="an unpacked kernel package")
    parser.add_argument("--tree-digest", required=True, metavar="DIGEST", help="the environment's")
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR", help="where unpacked images are kept")
    parser.add_argument("--logs", type=Path, default=Path("vm-test-logs"), metavar="DIR")
    parser.add_argument("--file", type=Path, action="append", default=[], help="put into every home")
    # A /dev/kvm is no promise that it works.
    parser.add_argument("--kvm", action="store_true", help="use the processor's virtualisation")
    parser.add_argument("--quiet", action="store_true", help="no lines of the machines")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--interactive", action="store_true", help="boot master and worker, and take commands")
    what.add_argument("--broken", action="store_true", help="break things: the right scenario must name the cause")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(known))
    arguments = parser.parse_args()
    for name in set(arguments.scenarios) - set(known):
        parser.error(f"there is no scenario {name}; there are {', '.join(known)}")
    arguments.logs.mkdir(parents=True, exist_ok=True)
    if arguments.interactive:
        return interact(arguments)
    if arguments.broken:
        results = [(name, *run_broken(name, broken, arguments)) for name, broken in BREAKS.items()]
    else:
        results = [(name, *report(name, *run(name, arguments))) for name in arguments.scenarios or known]
    write_junit(arguments.logs / "junit.xml", results)
    return 1 if any(failure for _, _, failure in results) else 0


@contextlib.contextmanager
def machines(arguments: argparse.Namespace, logs: Path, broken: Break | None = None) -> Iterator[dict[str, Machine]]:
    """All machines, off; whatever happens, none is left."""
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="envlock-vm-") as scratch:
        # Their own group on the loopback interface is their network.
        address = ".".join(str(random.randrange(1, 255)) for _ in range(3))
        group = f"239.{address}:{random.randrange(20000, 60000)}"
        network = Network(
            arguments.kernel, system(arguments.kernel, Path(scratch)), group, arguments.kvm, arguments.quiet
        )
        if broken:
            network.system += firewall(arguments.kernel, Path(scratch))
            network.before = broken.commands
        network.secrets = {"REDIS_PASSWORD": PASSWORD}
        network.files = arguments.file
        for number, (name, role) in enumerate(MACHINES.items(), 1):
            if broken:
                role = broken.images.get(name, role)
            image = load(arguments.images / f"{role}-image.tar", arguments.cache)
            network.machines[name] = Machine(name, number, image, network, Path(scratch) / "machines", logs)
        try:
            yield network.machines
        finally:
            for machine in network.machines.values():
                machine.crash()


def run(name: str, arguments: argparse.Namespace, broken: Break | None = None) -> tuple[float, str | None]:
    """Runs a scenario: how long it took, and why it failed."""
    path = VM_TESTS / "scenarios" / f"{name}.py"
    began = time.monotonic()
    failure = None
    with machines(arguments, arguments.logs / name, broken) as all_machines:

        @contextlib.contextmanager
        def subtest(title: str) -> Iterator[None]:
            try:
                yield
            except Exception as error:
                error.add_note(f"in `{title}`")
                raise
            print(f"{name}: {title}: {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)

        names = {**all_machines, "subtest": subtest, "TREE_DIGEST": arguments.tree_digest, "REDIS_PASSWORD": PASSWORD}
        try:
            for part in (VM_TESTS / "common/prelude.py", path):
                exec(compile(part.read_text(), str(part), "exec"), names)
        except (Failed, AssertionError) as error:
            failure = "\n".join([str(error), *getattr(error, "__notes__", [])])
        except Exception:
            failure = traceback.format_exc()
    if failure:
        failure += f"\nlogs: {arguments.logs / name}"
    return time.monotonic() - began, failure


def run_broken(name: str, broken: Break, arguments: argparse.Namespace) -> tuple[float, str | None]:
    """Runs a scenario on a broken cluster: how long it took, and what is wrong with how it failed."""
    seconds, failure = run(broken.scenario, arguments, broken)
    if failure and broken.is_named_by(failure):
        said = failure.replace("\n", "\n    ")
        print(f"{name}: {broken.scenario} fails, as it must:\n    {said}", file=sys.stderr, flush=True)
        failure = None
    elif failure:
        failure = f"{broken.scenario} fails without naming the cause:\n{failure}"
    else:
        failure = f"{broken.scenario} passes all the same"
    return report(name, seconds, failure)


def report(name: str, seconds: float, failure: str | None) -> tuple[float, str | None]:
    """Says how something went."""
    print(f"{name}: {seconds:.1f} s: {'failed' if failure else 'passed'}", flush=True)
    if failure:
        print(failure, file=sys.stderr, flush=True)
    return seconds, failure


def write_junit(path: Path, results: list[tuple[str, float, str | None]]) -> None:
    """What CI systems read."""
    failed = sum(1 for _, _, failure in results if failure)
    lines = [f'<testsuite name="vm-tests" tests="{len(results)}" failures="{failed}">']
    for name, seconds, failure in results:
        lines.append(f'<testcase classname="vm-tests" name={quoteattr(name)} time="{seconds:.1f}">')
        if failure:
            lines.append(f"<failure>{escape(failure)}</failure>")
        lines.append("</testcase>")
    path.write_text("\n".join([*lines, "</testsuite>", ""]))


def interact(arguments: argparse.Namespace) -> int:
    """Boots master and worker, and takes `MACHINE COMMAND` until the end of input."""
    with machines(arguments, arguments.logs / "interactive") as all_machines:
        for name in ("master", "worker"):
            all_machines[name].start()
        print("MACHINE COMMAND, such as: master node python tasks.py 3", flush=True)
        for line in sys.stdin:
            name, _, command = line.strip().partition(" ")
            if name in all_machines and command:
                try:
                    status, output = all_machines[name].execute(command)
                    print(f"{output}({status})", flush=True)
                except Failed as error:
                    print(error, flush=True)
            elif line.strip():
                print(f"machines: {', '.join(all_machines)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
