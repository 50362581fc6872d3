"""What serve.py can be told to do wrong, and when.

A fault is `KIND:GLOB[:ARGUMENT]`; `*` in a glob also matches `/`. Guarantees:
an option that cannot be read is an error that says why; how often a fault has
struck is counted per path and exactly, also when requests come at once. Only
reads and matches: serve.py acts.
"""

import base64
import re
import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

# The argument each kind takes: a pattern it must match, or None for no argument.
ARGUMENTS = {
    "status": r"[1-5]\d\d(x\d+)?",
    "truncate": r"\d+(x\d+)?",
    "stall": r"\d+(x\d+)?",
    "change": r"x\d+",
    "content-type": r"[\w.+-]+/[\w.+-]+",
    "corrupt": None,
    "slow": r"\d+(\.\d+)?",
    "hang": None,
    "reset": None,
    "auth": r"[^:]+:.+",
    "token": r"[^/]+",
}
# Those whose argument may end with `xN`: only the first N times for each path.
COUNTED = ("status", "truncate", "stall", "change")


class FaultError(Exception):
    """A --fault option that cannot be read."""


@dataclass
class Fault:
    kind: str
    glob: str
    argument: str
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def happens(self, path: str) -> bool:
        """Whether it strikes this request; `503x2` strikes each path only twice."""
        if not fnmatchcase(path, self.glob):
            return False
        _, _, limit = self.argument.partition("x") if self.kind in COUNTED else ("", "", "")
        if not limit:
            return True
        with self._lock:
            self._counts[path] = self._counts.get(path, 0) + 1
            return self._counts[path] <= int(limit)

    @property
    def status(self) -> int:
        return int(self.argument[:3])

    @property
    def length(self) -> int:
        """How many bytes a `truncate` or `stall` lets pass."""
        return int(self.argument.partition("x")[0])

    @property
    def authorization(self) -> str:
        """The header that an `auth` fault lets pass."""
        return "Basic " + base64.b64encode(self.argument.encode()).decode()


def parse(option: str) -> Fault:
    kind, _, rest = option.partition(":")
    if kind not in ARGUMENTS:
        raise FaultError(f"{option}: no such fault; there are {', '.join(ARGUMENTS)}")
    glob, _, argument = rest.partition(":")
    pattern = ARGUMENTS[kind]
    if not glob:
        raise FaultError(f"{option}: say which paths, like {kind}:*/repodata.json")
    if pattern is None and argument:
        raise FaultError(f"{option}: {kind} takes no argument")
    if pattern is not None and not re.fullmatch(pattern, argument):
        raise FaultError(f"{option}: the argument of {kind} must look like {pattern}")
    return Fault(kind, glob, argument)


def flip_a_byte(body: bytes) -> bytes:
    """The body with one bit of its middle byte turned over."""
    if not body:
        return body
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
