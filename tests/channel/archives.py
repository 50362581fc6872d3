"""Writes and reads conda's two archive formats, `.conda` and `.tar.bz2`.

Guarantees: the same tree and index give the same bytes on any machine that has
the same zstd and Python: entries are sorted, belong to root, have the mode 644
or 755 and one fixed time; zstd runs single-threaded. Reading is for the gate
and knows what is written here. Does not decide what a package holds.
"""

import bz2
import hashlib
import io
import json
import posixpath
import subprocess
import tarfile
import time
import zipfile
from pathlib import Path

from trees import PLACEHOLDER, Entry, Tree, resolve_link

# The time of every entry of every archive: any constant does.
ENTRY_TIME = 1_700_000_000
ZSTD_LEVEL = 10
EXTENSIONS = {"conda": ".conda", "tar.bz2": ".tar.bz2"}


def write(path: Path, tree: Tree, index: dict, about: dict, extra: dict) -> None:
    """Write a package; the ending of `path` says in which format.

    `extra` holds more files of the info folder: their names and bytes.
    """
    info = _info_files(tree, index, about, extra)
    if path.name.endswith(".tar.bz2"):
        # conda puts info/ first, so that a reader need not unpack it all.
        path.write_bytes(bz2.compress(_tar(info | tree), 9))
        return
    stem = path.name.removesuffix(".conda")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (
            ("metadata.json", b'{"conda_pkg_format_version": 2}'),
            (f"pkg-{stem}.tar.zst", compress(_tar(tree))),
            (f"info-{stem}.tar.zst", compress(_tar(info))),
        ):
            member = zipfile.ZipInfo(name, time.gmtime(ENTRY_TIME)[:6])
            member.external_attr = 0o644 << 16
            archive.writestr(member, content)


def read(path: Path) -> tuple[dict, Tree]:
    """A package's index and its files, info/ left out."""
    if path.name.endswith(".tar.bz2"):
        tree = _untar(bz2.decompress(path.read_bytes()))
    else:
        with zipfile.ZipFile(path) as archive:
            parts = [name for name in archive.namelist() if name.endswith(".tar.zst")]
            tree = {}
            for name in parts:
                tree |= _untar(decompress(archive.read(name)))
    index = json.loads(tree["info/index.json"].content)
    return index, {name: entry for name, entry in tree.items() if not name.startswith("info/")}


def to_json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()


def compress(data: bytes) -> bytes:
    # The size lets a reader allocate once; it is lost when zstd reads a pipe.
    command = [
        "zstd",
        "-q",
        "-c",
        f"-{ZSTD_LEVEL}",
        "--single-thread",
        f"--stream-size={len(data)}",
    ]
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


def decompress(data: bytes) -> bytes:
    command = ["zstd", "-q", "-d", "-c"]
    return subprocess.run(command, input=data, check=True, capture_output=True).stdout


def _info_files(tree: Tree, index: dict, about: dict, extra: dict) -> Tree:
    names = sorted(tree)
    files = {
        "about.json": to_json(about),
        "files": "".join(name + "\n" for name in names).encode(),
        "index.json": to_json(index),
        "paths.json": to_json({"paths": [_path(tree, name) for name in names], "paths_version": 1}),
    }
    return {f"info/{name}": Entry(content) for name, content in (files | extra).items()}


def _path(tree: Tree, name: str) -> dict:
    """The entry of one file in paths.json."""
    entry = tree[name]
    if entry.target is not None:
        # Like conda-build: what the link leads to, and nothing for a folder.
        end = tree.get(resolve_link(tree, name) or "", Entry())
        return {"_path": name, "path_type": "softlink", **_digest(end.content)}
    path = {"_path": name, "path_type": "hardlink", **_digest(entry.content)}
    if PLACEHOLDER.encode() in entry.content:
        mode = "binary" if b"\0" in entry.content else "text"
        path |= {"file_mode": mode, "prefix_placeholder": PLACEHOLDER}
    return path


def _digest(content: bytes) -> dict:
    return {"sha256": hashlib.sha256(content).hexdigest(), "size_in_bytes": len(content)}


def _tar(tree: Tree) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(tree, key=lambda name: (not name.startswith("info/"), name)):
            entry = tree[name]
            member = tarfile.TarInfo(name)
            member.mtime = ENTRY_TIME
            if entry.target is not None:
                member.type, member.linkname, member.mode = tarfile.SYMTYPE, entry.target, 0o777
                tar.addfile(member)
            else:
                member.mode = 0o755 if entry.executable else 0o644
                member.size = len(entry.content)
                tar.addfile(member, io.BytesIO(entry.content))
    return buffer.getvalue()


def _untar(data: bytes) -> Tree:
    tree: Tree = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for member in tar:
            name = posixpath.normpath(member.name)
            if member.issym():
                tree[name] = Entry(target=member.linkname)
            elif member.isfile():
                tree[name] = Entry(tar.extractfile(member).read(), bool(member.mode & 0o100))
    return tree
