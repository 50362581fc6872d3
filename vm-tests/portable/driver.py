"""Runs scenarios on machines under QEMU that boot the images themselves: no Nix, nothing but Debian's packages.

../run.sh prepares the images and calls it.
"""

import argparse
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from breaks import BREAKS, Break
from case import PROJECTS, Case, Outcome, machines, run
from machine import switch_off_for_good
from shell import Failed

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    parser = argparse.ArgumentParser(prog="run.sh", description=__doc__.splitlines()[0])
    # What run.sh says: whether to look at the words alone, and what it has prepared.
    parser.add_argument("--check", action="store_true", help=argparse.SUPPRESS)
    for option in ("--images", "--kernel", "--cache"):
        parser.add_argument(option, type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--tree-digest", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, action="append", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--logs", type=Path, default=Path("vm-test-logs"), metavar="DIR", help="[default: %(default)s]")
    # A /dev/kvm is no promise that it works.
    parser.add_argument("--kvm", action="store_true", help="use the processor's virtualisation")
    parser.add_argument("--quiet", action="store_true", help="no lines of the machines")
    parser.add_argument("--rounds", type=positive, default=1, metavar="N", help="how often each has to pass")
    parser.add_argument("--jobs", type=positive, default=1, metavar="N", help="how many run at a time")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--interactive", action="store_true", help="boot master and worker, and take commands")
    what.add_argument("--broken", action="store_true", help="break things: the right scenario must name the cause")
    of_projects = {name: sorted(it.stem for it in project.scenarios.glob("*.py")) for name, project in PROJECTS.items()}
    parser.add_argument("--project", choices=PROJECTS, default="quickstart", help="what machines run [default: %(default)s]")
    about = "; ".join(f"{name}: {', '.join(scenarios)}" for name, scenarios in of_projects.items())
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=about)
    arguments = parser.parse_args()
    known = of_projects[arguments.project]
    for name in set(arguments.scenarios) - set(known):
        parser.error(f"there is no scenario {name}; there are {', '.join(known)}")
    if arguments.broken and arguments.project != "quickstart":
        parser.error("--broken breaks the quickstart")
    if arguments.scenarios and (arguments.interactive or arguments.broken):
        parser.error("--interactive and --broken take no scenario")
    if arguments.check:
        return 0
    for number in SIGNALS:
        signal.signal(number, stop)
    if arguments.interactive:
        return interact(arguments)

    wanted: dict[str, tuple[str, Break | None]]
    if arguments.broken:
        wanted = {name: (broken.scenario, broken) for name, broken in BREAKS.items()}
    else:
        wanted = {name: (name, None) for name in arguments.scenarios or known}
    rounds = range(1, arguments.rounds + 1)
    cases = [
        Case(name if len(rounds) == 1 else f"{name}-{number}", *case)
        for number in rounds
        for name, case in wanted.items()
    ]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        try:
            outcomes = list(pool.map(lambda case: run(case, arguments), cases))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            switch_off_for_good()
            raise
    write_junit(arguments.logs / "junit.xml", outcomes)
    if len(rounds) > 1:
        for position, name in enumerate(wanted):
            sum_up(name, outcomes[position :: len(wanted)])
    return 1 if any(outcome.failure for outcome in outcomes) else 0


def positive(text: str) -> int:
    """A number of times."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def stop(number: int, _frame: object) -> None:
    """Ends the driver once, however often it is told to."""
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    sys.exit(128 + number)


def sum_up(name: str, outcomes: list[Outcome]) -> None:
    """Says how all rounds of a scenario went."""
    passed = [outcome.seconds for outcome in outcomes if not outcome.failure]
    times = f", {min(passed):.0f} to {max(passed):.0f} s" if passed else ""
    print(f"{name}: {len(passed)} of {len(outcomes)} passed{times}", flush=True)


def write_junit(path: Path, outcomes: list[Outcome]) -> None:
    """What CI systems read."""
    failed = sum(1 for outcome in outcomes if outcome.failure)
    lines = [f'<testsuite name="vm-tests" tests="{len(outcomes)}" failures="{failed}">']
    for outcome in outcomes:
        name = quoteattr(outcome.case.name)
        lines.append(f'<testcase classname="vm-tests" name={name} time="{outcome.seconds:.1f}">')
        if outcome.failure:
            # XML has no place for what a terminal is told besides text.
            text = re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", outcome.failure)
            lines.append(f"<failure>{escape(text)}</failure>")
        lines.append("</testcase>")
    path.write_text("\n".join([*lines, "</testsuite>", ""]))


def interact(arguments: argparse.Namespace) -> int:
    """Boots master and worker, says how to get a shell on each, and takes `MACHINE COMMAND` until the end of input."""
    with machines(Case("interactive", ""), arguments) as all_machines:
        for name in ("master", "worker"):
            all_machines[name].start()
            print(f"{name}: socat -,raw,echo=0,escape=0x1d {all_machines[name].terminal}   (Ctrl-] leaves it)")
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
