"""Installs the conda packages of a conda-lock.yml with py-rattler, and prints the seconds that took without the start of
Python and the solve; or prints the files of a prefix as py-rattler reads them.

usage: install_py_rattler.py CONDA_LOCK_YML CHANNEL PREFIX CACHE
       install_py_rattler.py --list PREFIX"""

import asyncio
import os
import pathlib
import sys
import time

import rattler
import yaml


async def install(lock: str, channel: str, prefix: str, cache: str) -> None:
    packages = [p for p in yaml.safe_load(pathlib.Path(lock).read_text())["package"] if p["manager"] == "conda"]
    generic = [("__glibc", "2.28"), ("__linux", "5.10"), ("__unix", "0")]
    records = await rattler.solve(
        sources=[rattler.Channel(channel)],
        specs=[f"{p['name']} =={p['version']} {p['build']}" for p in packages],
        gateway=rattler.Gateway(cache_dir=f"{cache}/repodata"),
        platforms=["linux-64", "noarch"],
        virtual_packages=[rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), rattler.BuildString("0"))
                          for name, version in generic],
    )
    assert len(records) == len(packages), (len(records), len(packages))
    started = time.perf_counter()
    await rattler.install(records, prefix, cache_dir=f"{cache}/pkgs", show_progress=False)
    print(round(time.perf_counter() - started, 3))


def list_prefix(prefix: str) -> None:
    for path in sorted(pathlib.Path(prefix, "conda-meta").glob("*.json")):
        record = rattler.PrefixRecord.from_path(path)
        for file in record.files:
            print(record.name.normalized, record.version, file)


if sys.argv[1] == "--list":
    list_prefix(sys.argv[2])
else:
    asyncio.run(install(*sys.argv[1:]))
sys.stdout.flush()
# Its native threads now and then abort the end of the interpreter; there is nothing left to end.
os._exit(0)
