"""A machine under QEMU, with the part of the NixOS test driver's interface that the scenarios use."""

import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

from image import Image, cpio
from shell import Failed, Shell, Silent

# Waiting any longer would only hide what has already gone wrong.
FATAL = re.compile(r"Kernel panic|error while loading shared libraries|Out of memory|machine: cannot")
BOOT_SECONDS = 180
# All machines that are on, until nobody may switch one on any more.
ON: set[subprocess.Popen[bytes]] | None = set()
SWITCH = threading.Lock()


def switch_off_for_good() -> None:
    """Switches off whatever is on: the driver has to go."""
    global ON
    with SWITCH:
        processes, ON = ON or set(), None
    for process in processes:
        process.kill()
        process.wait()


class Machine:
    """A machine that is off until it is started."""

    def __init__(self, name: str, number: int, image: Image, network: "Network", scratch: Path, logs: Path):
        self.name = name
        self.number = number
        self.address = f"192.168.1.{number}"
        self.terminal = scratch / name / "terminal"
        """A socket with a shell for people."""
        self.log = logs / f"{name}.log"
        self._image = image
        self._network = network
        self._directory = scratch / name
        self._directory.mkdir(parents=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._shell: Shell | None = None
        self._fatal: str | None = None

    # What scenarios use; each has the meaning that it has in the NixOS test driver.

    def start(self) -> None:
        """Switches it on; it boots while the scenario goes on."""
        if self._process:
            return
        self._fatal = None
        for name in ("shell", "monitor", "terminal"):
            (self._directory / name).unlink(missing_ok=True)
        command = self._command()
        with SWITCH:
            if ON is None:
                raise Failed("interrupted")
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            ON.add(self._process)
        threading.Thread(target=self._listen, args=[self._process.stdout], daemon=True).start()
        self._shell = Shell(self.name, self._directory / "shell", self._check)

    def execute(self, command: str, timeout: int = 900) -> tuple[int, str]:
        """Runs a command as root: its status, and what it prints."""
        self.start()
        assert self._shell
        try:
            self._shell.wait(BOOT_SECONDS)
            return self._shell.run(command, timeout)
        except Silent:
            self._ask_what_it_does()
            raise

    def succeed(self, *commands: str, timeout: int = 900) -> str:
        """Runs commands that must succeed; what they print."""
        output = ""
        for command in commands:
            status, said = self.execute(command, timeout)
            if status != 0:
                raise Failed(f"{self.name}: `{command}` ended with {status}:\n{said}")
            output += said
        return output

    def fail(self, *commands: str, timeout: int = 900) -> str:
        """Runs commands that must fail; what they print."""
        output = ""
        for command in commands:
            status, said = self.execute(command, timeout)
            if status == 0:
                raise Failed(f"{self.name}: `{command}` succeeded:\n{said}")
            output += said
        return output

    def wait_until_succeeds(self, command: str, timeout: int = 900) -> str:
        """Runs a command again and again until it succeeds; what it prints then."""
        end = time.monotonic() + timeout
        while True:
            status, output = self.execute(command, timeout)
            if status == 0:
                return output
            if time.monotonic() > end:
                raise Failed(f"{self.name}: `{command}` did not succeed within {timeout} s:\n{output}")
            time.sleep(0.5)

    def wait_for_open_port(self, port: int, addr: str = "localhost", timeout: int = 900) -> None:
        """Waits until somebody listens."""
        self.wait_until_succeeds(f"nc -w 5 {shlex.quote(addr)} {port} -e true", timeout)

    def block(self) -> None:
        """Pulls its network cable."""
        self._monitor("set_link", name="link", up=False)

    def unblock(self) -> None:
        """Plugs it in again."""
        self._monitor("set_link", name="link", up=True)

    def crash(self) -> None:
        """Switches it off without a word."""
        if self._process:
            self._process.kill()
            self._process.wait()
        self._gone()

    def shutdown(self) -> None:
        """Asks it to go, and waits."""
        if not self._process:
            return
        if self._shell:
            stop = "touch /vm/over; killall tini; while pidof tini; do sleep 0.2; done; poweroff -f"
            self._shell.tell(stop)
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._gone()

    # How.

    def _gone(self) -> None:
        if self._shell:
            self._shell.close()
        with SWITCH:
            if ON is not None and self._process:
                ON.discard(self._process)
        self._process = self._shell = None

    def _command(self) -> list[str]:
        kernel = next(self._network.kernel.glob("boot/vmlinuz-*"))
        accelerator = "kvm" if self._network.kvm else "tcg,thread=multi,tb-size=512"
        return [
            # Whatever becomes of the driver.
            *["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64"],
            *["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"],
            *["-machine", "q35", "-accel", accelerator, "-cpu", "max", "-smp", "2", "-m", str(self._network.memory)],
            *["-kernel", str(kernel), "-initrd", str(self._initramfs())],
            *["-append", "console=ttyS0 panic=-1 loglevel=4 quiet"],
            *["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"],
            *["-chardev", f"socket,id=shell,path={self._directory / 'shell'},server=on,wait=off"],
            *["-serial", "chardev:shell"],
            *["-chardev", f"socket,id=terminal,path={self.terminal},server=on,wait=off"],
            *["-serial", "chardev:terminal"],
            *["-qmp", f"unix:{self._directory / 'monitor'},server=on,wait=off"],
            *["-netdev", f"socket,id=net,mcast={self._network.group},localaddr=127.0.0.1"],
            *["-device", f"virtio-net-pci,id=link,netdev=net,mac=52:54:00:00:00:{self.number:02x}"],
            *["-device", "virtio-rng-pci"],
        ]

    def _initramfs(self) -> Path:
        """The image, what every machine has, and what is this one's."""
        path = self._directory / "initramfs.cpio"
        if path.exists():
            return path
        own = self._directory / "own"
        (own / "vm").mkdir(parents=True)
        values = {
            "NAME": self.name,
            "ADDRESS": self.address,
            "DIRECTORY": self._image.directory,
            "USER_ID": self._image.user.partition(":")[0],
            "COMMAND": shlex.join(self._image.command),
        }
        lines = [f"{name}={shlex.quote(value)}\n" for name, value in values.items()]
        (own / "vm/machine").write_text("".join(lines))
        (own / "vm/hosts").write_text(self._network.hosts())
        exports = []
        further = [f"{name}={value}" for name, value in self._network.environment.items()]
        for variable in (*self._image.environment, *further, "TINI_SUBREAPER=1"):
            name, _, value = variable.partition("=")
            exports.append(f"export {name}={shlex.quote(value)}\n")
        (own / "vm/environment").write_text("".join(exports))
        if command := self._network.before.get(self.name):
            before = own / "vm/before"
            before.write_text(f"#!/vm/busybox sh\n{command}\n")
            before.chmod(0o755)
        secrets = own / "run/secrets"
        secrets.mkdir(parents=True)
        for name, value in self._network.secrets.items():
            (secrets / name).write_text(value)
        for file in self._network.files:
            target = own / self._image.directory.lstrip("/") / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
        # Only files: the directories are the image's, with the owners that it gave them.
        names = [str(it.relative_to(own)) for it in sorted(own.rglob("*")) if it.is_file()]
        with path.open("wb") as out:
            with self._image.initramfs.open("rb") as image:
                shutil.copyfileobj(image, out, 1 << 20)
            out.write(self._network.system)
            out.write(cpio("--uid", "0", "--gid", "0", "-C", str(own), "vm", "run", *names))
        return path

    def _listen(self, console: IO[bytes]) -> None:
        with self.log.open("ab", buffering=0) as log:
            for line in console:
                log.write(line)
                text = line.decode(errors="replace").rstrip()
                self._network.say(f"{self.name}: {text}")
                if FATAL.search(text):
                    self._fatal = text

    def _check(self) -> None:
        for machine in self._network.machines.values():
            if machine._fatal:
                raise Failed(f"{machine.name}: {machine._fatal}")
        if self._process and self._process.poll() is not None:
            raise Failed(f"{self.name}: QEMU ended with {self._process.returncode}; see {self.log}")

    def _ask_what_it_does(self) -> None:
        """Has the shell for people say it into the log, if that one still answers."""
        said = b""
        with socket.socket(socket.AF_UNIX) as terminal, self.log.open("ab", buffering=0) as log:
            terminal.settimeout(20)
            try:
                terminal.connect(str(self.terminal))
                terminal.sendall(b"\ncat /proc/loadavg; ps -o pid,ppid,stat,args; cat /vm/command; echo over$((1))\n")
                while b"over1" not in said:
                    said += terminal.recv(1 << 16)
            except OSError as error:
                said += f"{error}".encode()
            log.write(b"\nmachine: it does not answer; what its other shell says:\n" + said + b"\n")

    def _monitor(self, command: str, **arguments: str | bool) -> None:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(self._directory / "monitor"))
            monitor.settimeout(10)
            with monitor.makefile("rw") as file:
                file.readline()
                for execute, values in (("qmp_capabilities", {}), (command, arguments)):
                    file.write(json.dumps({"execute": execute, "arguments": values}) + "\n")
                    file.flush()
                    # Events may come in between.
                    while True:
                        answer = json.loads(file.readline())
                        if "error" in answer:
                            raise Failed(f"{self.name}: {command}: {answer['error']['desc']}")
                        if "return" in answer:
                            break


class Network:
    """What all machines of a scenario share."""

    def __init__(self, kernel: Path, system: bytes, group: str, kvm: bool, quiet: bool):
        self.kernel = kernel
        self.system = system
        self.group = group
        self.quiet = quiet
        self.kvm = kvm
        self.machines: dict[str, Machine] = {}
        self.secrets: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self.memory = 1024
        self.before: dict[str, str] = {}
        self.files: list[Path] = []
        self._lock = threading.Lock()

    def hosts(self) -> str:
        """/etc/hosts of every machine."""
        lines = [f"{machine.address} {name}\n" for name, machine in self.machines.items()]
        return "127.0.0.1 localhost\n" + "".join(lines)

    def say(self, text: str) -> None:
        """A line of a machine's console."""
        if not self.quiet:
            with self._lock:
                print(text, file=sys.stderr, flush=True)
