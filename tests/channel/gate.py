#!/usr/bin/python3 -B
"""The gate: nothing in the channel may rely on a library of the host.

`gate.py CHANNEL` looks at every package together with all it depends on, as a
prefix would hold them, and asks for each ELF file what the dynamic loader would
ask: its RPATH, then the sysroot. `gate.py CHANNEL --run` also runs the programs
under chroot, where nothing of the host is to be seen, if all else is well; it
must be root for that, and says `skipped: needs root` otherwise.

Guarantees: exit code 0 only if everything was found (and ran), 1 if not, 2 if
there is no channel to look at; each library that is missing is named with the
file that wants it. Does not check symbols or
their versions: only --run shows those. Does not solve: it takes the newest
build of every dependency, and only looks that the channel has one.
"""

import argparse
import json
import os
import posixpath
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import archives
import elf
import trees

SYSROOT = "sysroot_linux-64"
SYSROOT_FOLDER = "x86_64-conda-linux-gnu/sysroot"
# Where Debian's loader looks by itself, at the root of a running image.
SYSROOT_LIBRARIES = f"{SYSROOT_FOLDER}/lib/x86_64-linux-gnu"
PREFIX = "/opt/environment"
# Every compiled module of the interpreter, so that none is forgotten.
IMPORT_ALL = """import os, sys, importlib, zoneinfo
folder = next(path for path in sys.path if path.endswith("lib-dynload"))
names = sorted({name.split(".")[0] for name in os.listdir(folder)})
for name in names: importlib.import_module(name)
zoneinfo.ZoneInfo("Europe/Paris")
print("imported", *names)"""
IMPORTS = "import ssl, sqlite3, ctypes, lzma, bz2, zlib, readline, uuid, _hashlib"
# A package, words of the command to run, and what it must print.
PROOFS = (
    ("python", ["python3", "-c", f"{IMPORTS}; print('ok')"], "ok"),
    ("python", ["python3", "-W", "ignore", "-c", IMPORT_ALL], "imported"),
    (
        "python",
        ["python3", "-m", "sysconfig"],
        f'purelib = "{PREFIX}/lib/python3.11/site-packages"',
    ),
    ("python", ["python3", "-m", "site"], f"'{PREFIX}/lib/python3.11/site-packages'"),
    ("python", ["python3", "-c", "import ctypes; ctypes.CDLL('libgcc_s.so.1'); print('ok')"], "ok"),
    ("redis-server", ["redis-server", "--version"], "Redis server v="),
    ("redis-server", ["redis-cli", "--version"], "redis-cli 7"),
    ("bash", ["bash", "-c", "echo ok"], "ok"),
    ("coreutils", ["printf", "ok"], "ok"),
    ("busybox", ["busybox", "echo", "ok"], "ok"),
    ("sqlite", ["sqlite3", ":memory:", "select 6 * 7"], "42"),
    ("openssl", ["openssl", "version"], "OpenSSL 3"),
    ("nginx", ["nginx", "-v"], "nginx version: nginx/1"),
    ("openssh", ["ssh", "-V"], "OpenSSH_9"),
    ("openssh", ["sshd", "-V"], "OpenSSH_9"),
    ("openssh", ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/key"], ""),
    ("postgresql", ["postgres", "--version"], "postgres (PostgreSQL) 15"),
    ("postgresql", ["psql", "--version"], "psql (PostgreSQL) 15"),
    ("postgresql", ["pg_config", "--sharedir"], f"{PREFIX}/share/postgresql/15"),
    ("postgresql", ["pg_config", "--pkglibdir"], f"{PREFIX}/lib/postgresql/15/lib"),
    ("rsync", ["rsync", "--version"], "rsync  version 3"),
    ("tini", ["tini", "--version"], "tini version"),
    ("hello-envlock", ["hello-envlock"], "hello 2.0 with libhello 2.1"),
)


class Channel:
    """The records of a channel, and the files of its packages."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.records: dict[str, dict] = {}
        for subdir in ("linux-64", "noarch"):
            repodata = json.loads((folder / subdir / "repodata.json").read_bytes())
            self.records |= repodata["packages"] | repodata["packages.conda"]
        self._trees: dict[str, trees.Tree] = {}
        self._elf_files: dict[str, dict[str, elf.Elf]] = {}

    def tree(self, file_name: str) -> trees.Tree:
        if file_name not in self._trees:
            path = self.folder / self.records[file_name]["subdir"] / file_name
            self._trees[file_name] = archives.read(path)[1]
        return self._trees[file_name]

    def elf_files(self, file_name: str) -> dict[str, elf.Elf]:
        if file_name not in self._elf_files:
            parsed = {
                path: elf.parse(entry.content)
                for path, entry in self.tree(file_name).items()
                if entry.target is None
            }
            self._elf_files[file_name] = {path: found for path, found in parsed.items() if found}
        return self._elf_files[file_name]

    def newest(self, name: str) -> str | None:
        """The file name of the newest build of a package."""
        builds = [file for file, record in self.records.items() if record["name"] == name]
        return max(builds, key=lambda file: (self.records[file]["timestamp"], file), default=None)

    def closure(self, file_name: str) -> tuple[list[str], list[str]]:
        """A package and all it depends on; and the dependencies that nothing offers."""
        files, missing = {self.records[file_name]["name"]: file_name}, []
        pending = [file_name]
        while pending:
            for spec in self.records[pending.pop()]["depends"]:
                name = spec.split()[0]
                if name in files or name.startswith("__"):
                    continue
                if newest := self.newest(name):
                    files[name] = newest
                    pending.append(newest)
                else:
                    missing.append(spec)
        return list(files.values()), missing

    def compose(self, file_names: list[str]) -> tuple[trees.Tree, list[str]]:
        """The prefix of several packages, and the paths that two of them claim."""
        prefix: trees.Tree = {}
        clashes: list[str] = []
        for file_name in file_names:
            clashes += prefix.keys() & self.tree(file_name).keys()
            prefix |= self.tree(file_name)
        return prefix, clashes


def check_package(channel: Channel, file_name: str) -> list[str]:
    """What is wrong with one package and its dependencies.

    Only its own files are looked at: its dependencies are packages themselves,
    and each must be whole with *its* dependencies alone.
    """
    closure, missing = channel.closure(file_name)
    problems = [f"{file_name}: nothing offers its dependency {spec}" for spec in missing]
    sysroot = channel.newest(SYSROOT)
    if sysroot is None:
        return [*problems, f"the channel has no {SYSROOT}"]
    if sysroot not in closure:
        closure.append(sysroot)
    prefix, clashes = channel.compose(closure)
    problems += [f"{file_name}: two packages hold {path}" for path in sorted(clashes)]
    compiled = [path for path in channel.tree(file_name) if path.endswith(".pyc")]
    problems += [f"{file_name}: {path} is byte-code" for path in compiled]

    for path, found in channel.elf_files(file_name).items():
        searched = [*rpath_folders(path, found), SYSROOT_LIBRARIES]
        if found.runpath is not None and not path.startswith(SYSROOT_FOLDER):
            problems.append(f"{file_name}: {path} has a DT_RUNPATH, not a DT_RPATH")
        interpreter = found.interpreter and SYSROOT_FOLDER + found.interpreter
        wanted = [
            (soname, [f"{folder}/{soname}" for folder in searched]) for soname in found.needed
        ]
        if interpreter:
            wanted.append((found.interpreter, [interpreter]))
        for name, places in wanted:
            if not any(is_file(prefix, place) for place in places):
                problems.append(f"{file_name}: {path} needs {name}, which no dependency has")
    return problems


def rpath_folders(path: str, found: elf.Elf) -> list[str]:
    origin = posixpath.dirname(path)
    folders = (found.runpath or found.rpath or "").split(":")
    return [
        posixpath.normpath(folder.replace("$ORIGIN", origin))
        for folder in folders
        if folder.startswith("$ORIGIN")
    ]


def is_file(prefix: trees.Tree, path: str) -> bool:
    end = trees.resolve_link(prefix, path)
    return end in prefix and prefix[end].target is None


def run_proofs(channel: Channel) -> list[str]:
    """Run programs in roots that hold nothing but packages; what went wrong."""
    problems = []
    for name in dict.fromkeys(proof[0] for proof in PROOFS):
        file_name = channel.newest(name)
        if file_name is None:
            problems.append(f"the channel has no {name} to run")
            continue
        closure, _ = channel.closure(file_name)
        prefix, _ = channel.compose([*closure, channel.newest(SYSROOT)])
        with tempfile.TemporaryDirectory(prefix="envlock-gate-") as root:
            lay_out(Path(root), prefix)
            for words, expected in [proof[1:] for proof in PROOFS if proof[0] == name]:
                exit_code, output = run_inside(root, words)
                command = " ".join(words)
                if exit_code == 0 and expected in output:
                    print(f"ok: {command.splitlines()[0]}")
                else:
                    problems.append(
                        f"{file_name}: {command}\n"
                        f"should print {expected!r}; exit code {exit_code}, printed:\n{output}"
                    )
    return problems


def lay_out(root: Path, prefix: trees.Tree) -> None:
    """Write a prefix below a root, as a client would install it."""
    base = root / PREFIX.lstrip("/")
    for path, entry in prefix.items():
        file = base / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if entry.target is not None:
            file.symlink_to(entry.target)
            continue
        file.write_bytes(replace_placeholder(entry.content))
        file.chmod(0o755 if entry.executable else 0o644)
    # Only here does the loader look for itself and for the C library.
    for folder in ("lib", "lib64"):
        (root / folder).symlink_to(f"{PREFIX}/{SYSROOT_FOLDER}/{folder}")
    # Programs of OpenSSH ask who runs them, and want somewhere to write to.
    for path, text in (("etc/passwd", "root:x:0:0::/:/bin/sh\n"), ("dev/null", "")):
        file = root / path
        file.parent.mkdir()
        file.write_text(text, encoding="utf-8")


def replace_placeholder(content: bytes) -> bytes:
    old, new = trees.PLACEHOLDER.encode(), PREFIX.encode()
    if b"\0" not in content:
        return content.replace(old, new)
    # In a binary file the string must keep its length, up to the NUL after it.
    pattern = re.compile(re.escape(old) + rb"([^\0]*)")
    return pattern.sub(lambda match: (new + match[1]).ljust(len(match[0]), b"\0"), content)


def run_inside(root: str, words: list[str]) -> tuple[int, str]:
    """Run a program of the prefix, with `root` as its whole world."""
    program, *arguments = words
    # Without /proc, which would show the host, the loader asks this for $ORIGIN.
    origin = Path(f"{root}{PREFIX}/bin", program).resolve().parent
    origin = origin.relative_to(Path(root).resolve())
    environment = {"PATH": f"{PREFIX}/bin", "LD_ORIGIN_PATH": f"/{origin}"}

    def enter() -> None:
        os.chroot(root)
        os.chdir("/")

    try:
        result = subprocess.run(
            [f"{PREFIX}/bin/{program}", *arguments],
            check=False,
            env=environment,
            preexec_fn=enter,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return 1, f"could not be run: {error}"
    return result.returncode, result.stdout.decode(errors="replace")


def main() -> int:
    parser = argparse.ArgumentParser(description="Check that the test channel is whole.")
    parser.add_argument("channel", type=Path, metavar="CHANNEL")
    parser.add_argument("--run", action="store_true", help="also run the programs under chroot")
    arguments = parser.parse_args()
    try:
        channel = Channel(arguments.channel)
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    problems = [
        problem
        for file_name in sorted(channel.records)
        for problem in check_package(channel, file_name)
    ]
    checked = sum(len(channel.elf_files(file_name)) for file_name in channel.records)
    if arguments.run and os.geteuid() != 0:
        print("skipped: needs root")
    elif arguments.run and not problems:
        problems += run_proofs(channel)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    print(f"{len(channel.records)} packages, {checked} ELF files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
