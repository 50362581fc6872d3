#!/usr/bin/python3 -B
"""Finds, downloads and reads the Debian packages that the channel is made of.

`debs.py [--cache DIR] [--list]` downloads what packages.toml names, or with
--list only prints `name version sha256` for each, which is what a cache key of
the channel has to depend on.

Guarantees: a .deb that is used has the SHA-256 that apt's signed lists give for
it, also when it came from the cache; what is already there is not downloaded
again; a pinned version that Debian does not offer is an error that names it.
Does not refresh apt's lists (channel.sh does, when this fails), does not follow
dependencies: the table names every .deb.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

TABLE = Path(__file__).with_name("packages.toml")
# Told apart from other failures, so that a caller can refresh apt's lists.
EXIT_NOT_OFFERED = 3


class DebsError(Exception):
    """apt cannot give what the table asks for."""


@dataclass(frozen=True)
class Deb:
    name: str
    version: str
    file_name: str
    sha256: str


def load_table() -> dict:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def requests(table: dict) -> list[str]:
    """What to ask apt for: `name` for its candidate, `name=version` for a pin."""
    wanted = set()
    for package in table["package"].values():
        wanted.update(package["debs"])
        for older in package.get("older", []):
            wanted.update(f"{name}={version}" for name, version in older["debs"].items())
    return sorted(wanted)


def resolve(wanted: list[str], cache: Path) -> dict[str, Deb]:
    """What apt would download for each request, without downloading anything."""
    found = [_parse_uri(line) for line in _apt_get(cache, "download", "--print-uris", *wanted)]
    by_pin = {f"{deb.name}={deb.version}": deb for deb in found}
    pins = {request for request in wanted if "=" in request}
    by_name = {deb.name: deb for pin, deb in by_pin.items() if pin not in pins}
    # A pin that is also the candidate is printed once.
    for pin in pins & by_pin.keys():
        by_name.setdefault(by_pin[pin].name, by_pin[pin])
    resolved = by_name | by_pin
    for request in wanted:
        if request not in resolved:
            raise DebsError(f"apt does not offer {request}, which packages.toml names")
    return {request: resolved[request] for request in wanted}


def download(debs: list[Deb], cache: Path) -> dict[Deb, Path]:
    """Bring the .debs into the cache, where they are not there already."""
    cache.mkdir(parents=True, exist_ok=True)
    paths = {deb: cache / deb.file_name for deb in debs}
    missing = [deb for deb in debs if not _is_intact(deb, paths[deb])]
    if missing:
        print(f"downloading {len(missing)} of {len(debs)} .debs to {cache}", file=sys.stderr)
        # Next to the cache, so that a broken download never stands in its place.
        with tempfile.TemporaryDirectory(dir=cache, prefix=".download-") as scratch:
            pins = [f"{deb.name}={deb.version}" for deb in missing]
            _apt_get(cache, "download", "-q", *pins, cwd=scratch)
            for deb in missing:
                fresh = Path(scratch, deb.file_name)
                if not _is_intact(deb, fresh):
                    raise DebsError(
                        f"{deb.file_name}: missing after download, or its SHA-256 differs"
                    )
                fresh.replace(paths[deb])
    else:
        print(f"all {len(debs)} .debs are in {cache}", file=sys.stderr)
    return paths


def control_fields(path: Path) -> dict[str, str]:
    """The fields of a .deb's control file that the channel uses."""
    names = ["Package", "Version", "Pre-Depends", "Depends"]
    output = subprocess.run(
        ["dpkg-deb", "--field", path, *names], check=True, capture_output=True, text=True
    ).stdout
    # Folded fields go on in lines that begin with a space.
    unfolded = re.sub(r"\n[ \t]+", " ", output)
    return dict(line.split(": ", 1) for line in unfolded.splitlines())


def _apt_get(cache: Path, *arguments: str, cwd: str | None = None) -> list[str]:
    cache.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", *arguments]
    # Images for containers switch apt's own cache off, and then it reads all
    # package lists each time, for a second. As root it would also download as
    # another user, who may not enter the cache.
    command += ["-o", f"Dir::Cache::pkgcache={cache.resolve()}/pkgcache.bin"]
    command += ["-o", "APT::Sandbox::User=root"]
    environment = {**os.environ, "LC_ALL": "C"}
    result = subprocess.run(
        command, check=False, cwd=cwd, env=environment, capture_output=True, text=True
    )
    if result.returncode != 0:
        # Without lists apt complains of every single package: the first few will do.
        complaints = result.stderr.strip().splitlines()
        complaints[5:] = [f"… and {len(complaints) - 5} more"] if len(complaints) > 5 else []
        raise DebsError("\n".join([f"{' '.join(command[:2])} failed:", *complaints]))
    return result.stdout.splitlines()


def _parse_uri(line: str) -> Deb:
    """Read `'URI' FILE SIZE SHA256:HEX`, a line of apt-get --print-uris."""
    match = re.fullmatch(r"'[^']*' (\S+) \d+ SHA256:([0-9a-f]{64})", line.strip())
    if not match:
        raise DebsError(f"apt-get --print-uris gave a line without a SHA-256: {line}")
    file_name, sha256 = match.groups()
    name, version, _ = file_name.split("_", 2)
    return Deb(name, unquote(version), file_name, sha256)


def _is_intact(deb: Deb, path: Path) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == deb.sha256


def main() -> int:
    parser = argparse.ArgumentParser(description="Download the .debs of the test channel.")
    parser.add_argument("--cache", type=Path, default=Path("debs"), metavar="DIR")
    parser.add_argument("--list", action="store_true", help="print what would be used, and stop")
    arguments = parser.parse_args()
    try:
        resolved = resolve(requests(load_table()), arguments.cache)
        if arguments.list:
            for deb in sorted(set(resolved.values()), key=lambda deb: deb.file_name):
                print(deb.name, deb.version, deb.sha256)
        else:
            download(sorted(set(resolved.values()), key=lambda deb: deb.file_name), arguments.cache)
    except DebsError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_NOT_OFFERED
    return 0


if __name__ == "__main__":
    sys.exit(main())
