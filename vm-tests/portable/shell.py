"""The root shell of a machine, on its second serial port: guest/init is the other end."""

import base64
import socket
import time
from collections.abc import Callable
from pathlib import Path


class Failed(Exception):
    """Something that a scenario asked for did not happen."""


class Silent(Failed):
    """A machine does not answer."""


class Shell:
    """A connection to a machine that boots, or has booted."""

    def __init__(self, name: str, path: Path, check: Callable[[], None]):
        """Connects before the shell says that it is ready: what is said to nobody is lost. `check` raises `Failed` where
        nothing can come any more."""
        self._name = name
        self._check = check
        self._socket = socket.socket(socket.AF_UNIX)
        self._buffer = b""
        self._is_ready = False
        self._asked = 0
        end = time.monotonic() + 30
        while True:
            check()
            try:
                self._socket.connect(str(path))
                break
            except OSError:
                if time.monotonic() > end:
                    raise Failed(f"{name}: QEMU does not start") from None
                time.sleep(0.02)
        self._socket.settimeout(0.5)

    def wait(self, seconds: float) -> None:
        """Waits until the machine has booted."""
        end = time.monotonic() + seconds
        while not self._is_ready:
            self._is_ready = self._line(end - time.monotonic()) == "shell ready"

    def run(self, command: str, seconds: int) -> tuple[int, str]:
        """Runs a command: its status, and what it prints."""
        self._asked += 1
        self._send(f"{self._asked} {seconds} ", command)
        # The shell ends the command itself.
        patience = seconds + 30
        while self._line(patience) != f"begin {self._asked}":
            pass
        lines: list[str] = []
        while not (line := self._line(patience)).startswith(f"end {self._asked} "):
            lines.append(line)
        return int(line.split()[2]), base64.b64decode("".join(lines)).decode(errors="replace")

    def tell(self, command: str) -> None:
        """Has a command run that does not come back."""
        self._send("0 60 ", command)

    def close(self) -> None:
        """Lets the machine alone."""
        self._socket.close()

    def _send(self, prefix: str, command: str) -> None:
        self._socket.sendall(prefix.encode() + base64.b64encode(command.encode()) + b"\n")

    def _line(self, seconds: float) -> str:
        end = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            self._check()
            if time.monotonic() > end:
                raise Silent(f"{self._name}: no answer within {seconds:.0f} s")
            try:
                received = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            if not received:
                raise Failed(f"{self._name}: the shell is gone")
            self._buffer += received
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace").strip()
