"""The files of one conda package, made from .debs and from packages.toml.

A tree is a dictionary from a path below the prefix to an `Entry`, held in
memory: neither the umask, nor the order of a directory, nor the user who runs
this can leave a trace in it. Guarantees: no symlink leaves the package or
dangles; every ELF file that loads something has a DT_RPATH, relative to itself,
that leads to the prefix's lib folder; no byte-code. Does not know of versions
or dependencies (build.py), nor of archives (archives.py).
"""

import io
import os
import posixpath
import re
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import elf

# As long as conda's own, so that a client must cope with a prefix that shrinks
# by much, and so that no real prefix is too long for it.
PLACEHOLDER_LENGTH = 255
PLACEHOLDER = ("/opt/envlock-test-channel" + "_placeholder" * 20)[:PLACEHOLDER_LENGTH]
PLACEHOLDER_TOKEN = "@PREFIX@"

# Debian's places and where conda has them; the first that fits is used.
RELOCATIONS = (
    ("usr/lib/x86_64-linux-gnu/", "lib/"),
    ("lib/x86_64-linux-gnu/", "lib/"),
    ("usr/sbin/", "bin/"),
    ("usr/bin/", "bin/"),
    ("sbin/", "bin/"),
    ("bin/", "bin/"),
    ("usr/lib/", "lib/"),
    ("lib/", "lib/"),
    ("usr/include/", "include/"),
    ("usr/share/", "share/"),
    ("etc/", "etc/"),
)
# What every package keeps: programs and shared libraries.
ALWAYS_KEPT = re.compile(r"bin/[^/]+|lib/[^/]+\.so[^/]*")


class TreeError(Exception):
    """packages.toml asks for something that the .debs do not hold."""


@dataclass(frozen=True)
class Entry:
    """A file (`content`) or a symlink (`target`)."""

    content: bytes = b""
    executable: bool = False
    target: str | None = None


Tree = dict[str, Entry]


def read_debs(paths: tuple[Path, ...]) -> Tree:
    """All files of some .debs, where Debian has them."""
    debian: Tree = {}
    for path in paths:
        debian |= _read_deb(path)
    return debian


def from_debian(debian: Tree, recipe: dict) -> Tree:
    """The files that a recipe of packages.toml makes of Debian's."""
    if base := recipe.get("sysroot"):
        # The C library is looked for in Debian's own places, by its own loader.
        return _move(
            debian, lambda path: f"{base}/{path}" if _below(path, recipe["keep"]) else None
        )

    def destination(path: str) -> str | None:
        relocated = _relocate(path)
        kept = relocated and (
            ALWAYS_KEPT.fullmatch(relocated) or _below(relocated, recipe.get("keep", []))
        )
        return relocated if kept and not _below(relocated, recipe.get("drop", [])) else None

    tree = _move(debian, destination)
    _concatenate(tree, recipe.get("concatenate", {}))
    for edit in recipe.get("edit", []):
        _edit(tree, edit)
    tree |= written(recipe)
    return {path: _with_rpath(path, entry) for path, entry in tree.items()}


def written(recipe: dict) -> Tree:
    """The files and symlinks that a recipe spells out."""
    executables = recipe.get("executables", [])
    tree = {
        path: Entry(text.replace(PLACEHOLDER_TOKEN, PLACEHOLDER).encode(), path in executables)
        for path, text in recipe.get("files", {}).items()
    }
    tree |= {path: Entry(target=target) for path, target in recipe.get("links", {}).items()}
    return tree


def resolve_link(tree: Tree, path: str) -> str | None:
    """Where a symlink ends: a file or a folder of the tree, or None if it dangles."""
    for _ in range(len(tree)):
        entry = tree.get(path)
        if entry is None:
            return path if _is_folder(tree, path) else None
        if entry.target is None:
            return path
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry.target))
    return None


def has_elf(tree: Tree) -> bool:
    return any(parsed and parsed.needed for parsed in map(_parse, tree.values()))


def copyrights(debian: Tree) -> dict[str, bytes]:
    """Debian's copyright files, by the name of their .deb."""
    pattern = re.compile(r"usr/share/doc/([^/]+)/copyright")
    return {
        match[1]: entry.content
        for name, entry in debian.items()
        if (match := pattern.fullmatch(name)) and entry.target is None
    }


def _read_deb(path: Path) -> Tree:
    archive = subprocess.run(
        ["dpkg-deb", "--fsys-tarfile", path], check=True, capture_output=True
    ).stdout
    tree: Tree = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            name = posixpath.normpath(member.name)
            if member.issym():
                tree[name] = Entry(target=member.linkname)
            elif member.islnk():
                tree[name] = tree[posixpath.normpath(member.linkname)]
            elif member.isfile():
                content = tar.extractfile(member).read()
                tree[name] = Entry(content, executable=bool(member.mode & 0o100))
            elif not member.isdir():
                raise TreeError(f"{path.name}: {name} is neither file, folder nor link")
    return tree


def _relocate(path: str) -> str | None:
    for debian, conda in RELOCATIONS:
        if path.startswith(debian):
            return conda + path[len(debian) :]
    return None


def _below(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


def _move(debian: Tree, destination) -> Tree:
    """The entries that have a destination, with symlinks that follow the move."""
    moved: Tree = {}
    for path, old_entry in debian.items():
        entry, new_path = old_entry, destination(path)
        if new_path is None or new_path.endswith(".pyc"):
            continue
        if entry.target is not None:
            # Links into another package or out of what is kept go: a prefix is
            # whole by itself, and a dangling link is not.
            absolute = posixpath.join("/", posixpath.dirname(path), entry.target)
            new_target = destination(posixpath.normpath(absolute).lstrip("/"))
            if new_target is None or new_target == new_path:
                continue
            relative = posixpath.relpath(new_target, posixpath.dirname(new_path))
            entry = replace(entry, target=relative)
        if moved.setdefault(new_path, entry) != entry:
            raise TreeError(f"two different files become {new_path}")
    return {path: entry for path, entry in moved.items() if resolve_link(moved, path) is not None}


def _concatenate(tree: Tree, targets: dict[str, str]) -> None:
    for target, folder in targets.items():
        parts = sorted(path for path in tree if _below(path, [folder]))
        if not parts:
            raise TreeError(f"nothing is below {folder}, to become {target}")
        tree[target] = Entry(b"".join(tree.pop(path).content for path in parts))


def _edit(tree: Tree, edit: dict) -> None:
    path = edit["path"]
    if path not in tree:
        raise TreeError(f"no {path} to edit")
    text = tree[path].content.decode()
    put = edit["put"].replace(PLACEHOLDER_TOKEN, PLACEHOLDER)
    edited, count = re.subn(edit["find"], put, text)
    if count == 0:
        raise TreeError(f"{path} holds nothing like {edit['find']}: Debian changed it")
    tree[path] = replace(tree[path], content=edited.encode())


def _with_rpath(path: str, entry: Entry) -> Entry:
    parsed = _parse(entry)
    if parsed is None or not parsed.needed:
        return entry
    to_lib = posixpath.relpath("lib", posixpath.dirname(path))
    rpath = "$ORIGIN" if to_lib == "." else f"$ORIGIN/{to_lib}"
    with tempfile.TemporaryDirectory(prefix="envlock-channel-") as scratch:
        file = Path(scratch, "file")
        file.write_bytes(entry.content)
        # DT_RPATH, as conda has it: DT_RUNPATH is not inherited by libraries
        # that an extension module of a wheel loads in its turn.
        subprocess.run(
            ["patchelf", "--force-rpath", "--set-rpath", rpath, file],
            check=True,
            env={**os.environ, "LC_ALL": "C"},
        )
        return replace(entry, content=file.read_bytes())


def _parse(entry: Entry) -> elf.Elf | None:
    return elf.parse(entry.content) if entry.target is None else None


def _is_folder(tree: Tree, path: str) -> bool:
    return any(other.startswith(path + "/") for other in tree)
