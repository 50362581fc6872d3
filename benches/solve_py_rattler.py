"""Solves an environment file with py-rattler, the same library behind Python: the yardstick.
Prints the milliseconds of the solve alone, without the start of Python.

usage: solve_py_rattler.py ENV_YML CACHE"""

import asyncio
import os
import pathlib
import sys
import time

import rattler
import yaml

env = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())


async def main() -> None:
    started = time.perf_counter()
    records = await rattler.solve(
        sources=[rattler.Channel(channel) for channel in env["channels"]],
        specs=env["dependencies"],
        gateway=rattler.Gateway(cache_dir=sys.argv[2]),
        platforms=["linux-64", "noarch"],
        virtual_packages=[rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), rattler.BuildString("0"))
                          for name, version in (("__glibc", "2.28"), ("__linux", "5.10"), ("__unix", "0"))],
    )
    assert records
    print(round((time.perf_counter() - started) * 1000, 1), flush=True)


asyncio.run(main())
# Its native threads now and then abort the end of the interpreter; there is nothing left to end.
os._exit(0)
