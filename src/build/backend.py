"""Runs one hook of a build backend (PEP 517) on an sdist; how it went is in /out, for who started this.

Arguments: the hook, the sdist, the backend, its path within the sdist as JSON, and whether the surroundings are to be
unusual: a build that depends on them then shows it.
"""

import importlib
import json
import os
import sys
import tarfile
import zipfile

BUILD, OUT = "/build", "/out"


def demand_read_only():
    """What is shared with the machine must not be written to, whatever mounts are worth there."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
        mounts = [line.split() for line in file]
    for place, options in [(it[4], it[5].split(",")) for it in mounts]:
        if "ro" not in options and place not in (BUILD, OUT, "/tmp") and not place.startswith("/dev/"):
            sys.exit("%s can be written to, and a build must not" % place)


def unpack(sdist, reverse):
    """Unpacks the sdist and returns its one directory. What escapes it would only be lost with this place."""
    with open(sdist, "rb") as file:
        is_zip = file.read(4) == b"PK\x03\x04"
    if is_zip:
        with zipfile.ZipFile(sdist) as archive:
            members = archive.namelist()
            for name in reversed(members) if reverse else members:
                archive.extract(name, BUILD)
    else:
        with tarfile.open(sdist) as archive:
            if hasattr(tarfile, "data_filter"):
                archive.extraction_filter = tarfile.data_filter
            # Of several with one name, the last counts.
            members = list({it.name: it for it in archive.getmembers()}.values())
            directories = [it for it in members if it.isdir()]
            files = [it for it in members if it.isfile()]
            # A link comes after what it leads to.
            links = [it for it in members if it.islnk() or it.issym()]
            for member in directories + (files[::-1] if reverse else files) + links:
                archive.extract(member, BUILD)
    found = [it for it in sorted(os.listdir(BUILD)) if os.path.isdir(os.path.join(BUILD, it))]
    if len(found) != 1:
        sys.exit("the sdist has %d directories instead of one: %s" % (len(found), ", ".join(found)))
    return os.path.join(BUILD, found[0])


def settle(top):
    """Gives every file the time that a build is to take for now."""
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    for directory, _, names in os.walk(top):
        for path in [directory] + [os.path.join(directory, name) for name in names]:
            if not os.path.islink(path):
                os.utime(path, (epoch, epoch))


def main():
    hook, sdist, backend, path, unusual = sys.argv[1:]
    log = os.open(os.path.join(OUT, "log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.umask(0o022)
    demand_read_only()
    if sys.version_info < (3, 7):
        # Later ones take the variables' word for it.
        import _bootlocale

        _bootlocale.getpreferredencoding = lambda do_setlocale=True: "UTF-8"
    reverse = unusual == "unusual"
    if reverse and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    top = unpack(sdist, reverse)
    settle(top)
    os.chdir(top)
    # As if the backend had been run by itself, and not with the arguments of this.
    del sys.argv[1:]
    sys.path[:0] = [os.path.join(top, it) for it in json.loads(path)]
    module, _, attributes = backend.partition(":")
    found = importlib.import_module(module)
    for attribute in filter(None, attributes.split(".")):
        found = getattr(found, attribute)
    if hook == "requires":
        asked = getattr(found, "get_requires_for_build_wheel", lambda settings: [])
        answer = list(asked({}))
    else:
        answer = found.build_wheel(OUT, {}, None)
    with open(os.path.join(OUT, "answer.json"), "w") as file:
        json.dump(answer, file)


if __name__ == "__main__":
    main()
