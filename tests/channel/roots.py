"""What serve.py has to serve: the bytes for a path of a URL.

Guarantees: nothing outside the roots is read, through `..` or symlinks; files
are read anew each time, so that a test may change them. What is made up here,
empty channels and synthetic hashes, says so or holds nothing. Does not speak
HTTP, nor misbehave: serve.py and faults.py do.
"""

import hashlib
import json
from pathlib import Path

REPODATA = "repodata.json"


class Site:
    """What is served: bytes for a path, or None."""

    def __init__(self, roots: dict[str, Path], empty: set[str], synthesized: set[str]):
        self.roots = {name: folder.resolve() for name, folder in roots.items()}
        self.empty = empty
        self.synthesized = synthesized

    def read(self, path: str) -> bytes | None:
        name, _, rest = path.lstrip("/").partition("/")
        if name in self.empty:
            subdir, _, file_name = rest.partition("/")
            return empty_repodata(subdir) if file_name == REPODATA else None
        if name not in self.roots:
            return None
        try:
            file = (self.roots[name] / rest).resolve()
            if not file.is_relative_to(self.roots[name]) or not file.is_file():
                return None
        except (OSError, ValueError):
            return None  # No name of a file: too long, or with a NUL in it.
        if name in self.synthesized and file.name.startswith(REPODATA):
            # Its compressed forms would not have the hashes: there are none.
            return with_synthetic_hashes(file.read_bytes()) if file.name == REPODATA else None
        return file.read_bytes()


def empty_repodata(subdir: str) -> bytes:
    repodata = {
        "info": {"subdir": subdir},
        "packages": {},
        "packages.conda": {},
        "repodata_version": 1,
    }
    return json.dumps(repodata).encode()


def with_synthetic_hashes(data: bytes) -> bytes:
    """Give records that have no hash at all one that is made from the file name.

    For true records whose hashes were never published: good for solving, and
    the note keeps anybody from taking them for hashes of real files. A record
    that has one true hash gets none besides it.
    """
    repodata = json.loads(data)
    for section in ("packages", "packages.conda"):
        for name, record in repodata.get(section, {}).items():
            if "sha256" not in record and "md5" not in record:
                source = f"synthetic:{name}".encode()
                record["sha256"] = hashlib.sha256(source).hexdigest()
                record["md5"] = hashlib.md5(source, usedforsecurity=False).hexdigest()
    repodata.setdefault("info", {})["synthetic_hashes"] = True
    return json.dumps(repodata).encode()
