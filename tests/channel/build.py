#!/usr/bin/python3 -B
"""Builds the test channel from Debian packages.

`build.py OUT [--debs DIR]` writes OUT/linux-64 and OUT/noarch: the packages of
packages.toml, and `repodata.json` and `repodata.json.zst` with their true hashes
and sizes. OUT must not exist.

Guarantees: the same .debs give the same bytes, whatever the umask, time zone,
locale, user or number of cores; what a package depends on is what its .debs
depend on, and a .deb that the table does not know is an error, never left out.
Does not check that the programs run: gate.py does. Does not lock against a
second run into the same OUT: channel.sh does.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import archives
import debs
import trees

SUBDIRS = ("linux-64", "noarch")


class BuildError(Exception):
    """The table and the .debs do not fit together."""


@dataclass(frozen=True)
class Job:
    """One version of one package, and the .debs it is made of (none: written here)."""

    name: str
    recipe: dict
    debs: tuple[Path, ...] = ()


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the test channel from Debian packages.")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument(
        "--debs", type=Path, default=Path("debs"), metavar="DIR", help="cache of .debs"
    )
    arguments = parser.parse_args()
    try:
        build(arguments.out, arguments.debs)
    except debs.DebsError as error:
        print(f"error: {error}", file=sys.stderr)
        return debs.EXIT_NOT_OFFERED
    except (BuildError, trees.TreeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except FileNotFoundError as error:
        print(f"error: {error.filename}: no such file or program", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"error: {error}\n{(error.stderr or b'').decode(errors='replace')}", file=sys.stderr)
        return 1
    return 0


def build(out: Path, cache: Path) -> None:
    if out.exists():
        raise BuildError(f"{out} exists already")
    table = debs.load_table()
    resolved = debs.resolve(debs.requests(table), cache)
    paths = debs.download(sorted(set(resolved.values()), key=lambda deb: deb.file_name), cache)
    names = DebianNames(table, {request: paths[deb] for request, deb in resolved.items()})

    for subdir in SUBDIRS:
        (out / subdir).mkdir(parents=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # map keeps the order of the jobs, whichever ends first.
        built = list(pool.map(lambda job: build_package(out, job, names), jobs(table, names)))
    records: dict[str, dict] = {}
    for file_name, record in (pair for pairs in built for pair in pairs):
        if file_name in records:
            raise BuildError(
                f"two builds are called {file_name}: is an `older` one Debian's newest?"
            )
        records[file_name] = record
        print(
            f"{file_name:44} {record['size']:>9}  {', '.join(record['depends'])}", file=sys.stderr
        )
    for subdir in SUBDIRS:
        write_repodata(out / subdir, subdir, records)


class DebianNames:
    """Translates Debian's package names and versions into the channel's."""

    def __init__(self, table: dict, paths: dict[str, Path]):
        self.defaults = table["defaults"]
        self.paths = paths
        self.ignored = set(table["debian"]["ignored"])
        self.libc = set(table["debian"]["libc"])
        self.package_of = {
            deb: name for name, recipe in table["package"].items() for deb in recipe["debs"]
        }
        self.version_of = {
            deb: conda_version(debs.control_fields(paths[deb])["Version"])
            for deb in self.package_of
        }
        self.first_deb = {name: recipe["debs"][0] for name, recipe in table["package"].items()}

    def depends(self, job: Job) -> set[str]:
        """What the .debs of a package need, as conda match specs."""
        if "sysroot" in job.recipe:
            # libc6 asks for libgcc, which needs libc6: conda has no use for the cycle.
            return {self.defaults["libc"]}
        bounds: dict[str, str | None] = {}
        for path in job.debs:
            fields = debs.control_fields(path)
            for field in ("Pre-Depends", "Depends"):
                for relation in filter(None, re.split(r",\s*", fields.get(field, ""))):
                    if needed := self._need(job, fields["Package"], relation):
                        package, bound = needed
                        bounds[package] = max(bounds.get(package), bound, key=_order)
        return {f"{name} >={bound}" if bound else name for name, bound in bounds.items()}

    def _need(self, job: Job, deb: str, relation: str) -> tuple[str, str | None] | None:
        """The package that one relation, like `a (>= 1) | b`, needs, and its lower bound."""
        alternatives = [re.fullmatch(r"([\w.+-]+)(?::\w+)?(?: \((\S+) (\S+)\))?", text.strip())
                        for text in relation.split("|")]  # fmt: skip
        if None in alternatives:
            raise BuildError(f"cannot read what {deb} depends on: {relation}")
        skipped = self.ignored | set(job.recipe.get("without", []))
        for name, operator, version in (match.groups() for match in alternatives):
            package = self.package_of.get(name)
            if name in self.libc or name in skipped or package == job.name:
                return None
            if package:
                return package, self._bound(name, operator, version)
        raise BuildError(f"{deb} depends on {relation}: give it a package, or list it as ignored")

    def _bound(self, deb: str, operator: str | None, version: str | None) -> str | None:
        # A package of several .debs has the version of the first: a bound on one
        # that is versioned differently would compare unlike things.
        first = self.first_deb[self.package_of[deb]]
        if operator not in (">=", "=") or self.version_of[deb] != self.version_of[first]:
            return None
        # An exact dependency becomes a lower bound too, as on conda-forge.
        return conda_version(version)


def jobs(table: dict, names: DebianNames) -> list[Job]:
    found = []
    for name, own in table["package"].items():
        recipe = table["defaults"] | own
        found.append(Job(name, recipe, tuple(names.paths[deb] for deb in recipe["debs"])))
        for older in recipe.get("older", []):
            pins = [f"{deb}={older['debs'][deb]}" for deb in recipe["debs"]]
            found.append(Job(name, recipe | older, tuple(names.paths[pin] for pin in pins)))
    for recipe in table["written"]:
        found.append(Job(recipe["name"], table["defaults"] | recipe))
    return found


def build_package(out: Path, job: Job, names: DebianNames) -> list[tuple[str, dict]]:
    """Write one package in each of its formats; its file names and records."""
    recipe = job.recipe
    debian = trees.read_debs(job.debs)
    if job.debs:
        tree = trees.from_debian(debian, recipe)
        debian_version = debs.control_fields(job.debs[0])["Version"]
        version, number = conda_version(debian_version), build_number(debian_version)
        build_string = f"deb12_{number}"
        depends = names.depends(job)
        if trees.has_elf(tree):
            depends.add(names.defaults["libc"])
    else:
        tree, depends = trees.written(recipe), set()
        version, number, build_string = recipe["version"], 0, "0"
    if not tree:
        raise BuildError(f"{job.name}: no files are left")

    noarch = recipe.get("noarch")
    index = {
        "name": job.name,
        "version": version,
        "build": build_string,
        "build_number": number,
        "depends": sorted(depends.union(recipe.get("depends", []))),
        "constrains": sorted(recipe.get("constrains", [])),
        "license": recipe.get("license", "MIT"),
        "subdir": "noarch" if noarch else "linux-64",
        "timestamp": milliseconds(recipe["timestamp"]),
    }
    index |= {"noarch": noarch} if noarch else {"arch": "x86_64", "platform": "linux"}
    about = {"license": index["license"], "summary": recipe.get("summary", "For envlock's tests")}

    pairs = []
    for format_name in recipe.get("formats", ["conda"]):
        file_name = f"{job.name}-{version}-{build_string}{archives.EXTENSIONS[format_name]}"
        path = out / index["subdir"] / file_name
        archives.write(path, tree, index, about, info_extra(recipe, debian))
        pairs.append((file_name, index | hashes(path)))
    return pairs


def info_extra(recipe: dict, debian: trees.Tree) -> dict[str, bytes]:
    """Files of the info folder that only some packages have."""
    extra = {f"licenses/{deb}/copyright": text for deb, text in trees.copyrights(debian).items()}
    if recipe.get("noarch") == "python":
        entry_points = recipe.get("entry_points", [])
        link = {"noarch": {"type": "python", "entry_points": entry_points}}
        extra["link.json"] = archives.to_json(link | {"package_metadata_version": 1})
    return extra


def write_repodata(folder: Path, subdir: str, records: dict[str, dict]) -> None:
    def with_ending(ending: str) -> dict:
        return {
            name: record
            for name, record in records.items()
            if record["subdir"] == subdir and name.endswith(ending)
        }

    repodata = archives.to_json({
        "info": {"subdir": subdir},
        "packages": with_ending(".tar.bz2"),
        "packages.conda": with_ending(".conda"),
        "removed": [],
        "repodata_version": 1,
    })  # fmt: skip
    (folder / "repodata.json").write_bytes(repodata)
    (folder / "repodata.json.zst").write_bytes(archives.compress(repodata))


def hashes(path: Path) -> dict:
    data = path.read_bytes()
    return {
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
    }


def conda_version(debian: str) -> str:
    """Debian's version without epoch, revision and repacking marks: 1:1.2.dfsg-1 is 1.2."""
    upstream = re.sub(r"^\d+:|-[^-]*$", "", debian)
    version = re.sub(r"(\.dfsg|[+~]).*$", "", upstream).replace("-", ".")
    if not re.fullmatch(r"[0-9][0-9A-Za-z._]*", version):
        raise BuildError(f"Debian's version {debian} makes no conda version: {version!r}")
    return version


def build_number(debian: str) -> int:
    """The count of Debian's stable updates, so that a newer one is preferred."""
    match = re.search(r"deb12u(\d+)", debian)
    return int(match[1]) if match else 0


def milliseconds(time: datetime) -> int:
    return int(time.timestamp()) * 1000


def _order(version: str | None) -> list[tuple[int, str]]:
    """Sorts versions well enough to pick the higher of two bounds; None is the lowest."""
    parts = re.findall(r"\d+|[A-Za-z]+", version or "")
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


if __name__ == "__main__":
    sys.exit(main())
