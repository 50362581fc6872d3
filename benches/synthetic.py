#!/usr/bin/env python3
"""Makes a synthetic channel: 5,000 packages of 20 versions each, and environment files of known size.

usage: synthetic.py OUT

Package i depends on the three packages 2i+1, 2i+2 and 3i+1 with bounds that exclude the oldest and, now and then,
the newest versions, so that a solver has to look and sometimes to step back. Packages from 300 on stand apart:
they are only read, never chosen, as most of a real channel. env-N.yml asks for the first N packages."""

import hashlib
import json
import pathlib
import sys

PACKAGES, VERSIONS, CHOSEN = 5_000, 20, 300

out = pathlib.Path(sys.argv[1])


def name(index: int) -> str:
    return f"package-{index:04}"


def depends(index: int, version: int) -> list[str]:
    world = range(index + 1, CHOSEN if index < CHOSEN else PACKAGES)
    wanted = {target for target in (2 * index + 1, 2 * index + 2, 3 * index + 1) if target in world}
    bounds = []
    for target in sorted(wanted):
        low = version // 2
        high = VERSIONS - 1 if (index + target) % 7 == 0 else VERSIONS
        bounds.append(f"{name(target)} >=1.{low},<1.{high}")
    return bounds


records = {}
for index in range(PACKAGES):
    for version in range(VERSIONS):
        file = f"{name(index)}-1.{version}-h0_0.conda"
        records[file] = {
            "build": "h0_0",
            "build_number": 0,
            "depends": depends(index, version),
            "md5": hashlib.md5(file.encode()).hexdigest(),
            "name": name(index),
            "sha256": hashlib.sha256(file.encode()).hexdigest(),
            "size": 100_000 + index,
            "subdir": "linux-64",
            "timestamp": 1_600_000_000_000 + version * 86_400_000,
            "version": f"1.{version}",
        }

for subdir, content in (("linux-64", records), ("noarch", {})):
    (out / subdir).mkdir(parents=True, exist_ok=True)
    repodata = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": content, "repodata_version": 1}
    (out / subdir / "repodata.json").write_text(json.dumps(repodata, sort_keys=True))
for count in (10, 30, 100, CHOSEN):
    specs = "".join(f"  - {name(CHOSEN - 1 - index)}\n" for index in range(count))
    if count == CHOSEN:
        specs = f"  - {name(0)}\n" + specs
    (out / f"env-{count}.yml").write_text(f"channels:\n  - {out.resolve().as_uri()}\ndependencies:\n{specs}")
