"""From an OCI archive to what a kernel boots: an initramfs with the image as its root.

A kernel unpacks any number of cpio archives one after the other, so each layer becomes one, once, and a machine is their
concatenation and two small ones: what every machine has (/init, a shell, network modules), and what is its own.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

GUEST = Path(__file__).resolve().parent / "guest"
UNPACKING = threading.Lock()


@dataclass(frozen=True)
class Image:
    """An image of a role, unpacked as far as a kernel needs it."""

    initramfs: Path
    """All its layers as one cpio archive."""
    environment: tuple[str, ...]
    """NAME=VALUE of every process."""
    command: tuple[str, ...]
    """What an engine starts."""
    directory: str
    """Where it is started."""
    user: str
    """As whom."""


def load(archive: Path, cache: Path) -> Image:
    """Reads an archive with one image; its bytes are kept in `cache` by their digest."""
    with tarfile.open(archive) as tar:

        def member(name: str) -> bytes:
            file = tar.extractfile(name)
            if file is None:
                raise ValueError(f"{archive}: {name} is no file")
            return file.read()

        def blob(digest: str) -> bytes:
            content = member("blobs/" + digest.replace(":", "/"))
            if hashlib.sha256(content).hexdigest() != digest.removeprefix("sha256:"):
                raise ValueError(f"{archive}: {digest} is damaged")
            return content

        index = json.loads(member("index.json"))
        (described,) = index["manifests"]
        manifest = json.loads(blob(described["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))["config"]
        initramfs = cache / f"{described['digest'].removeprefix('sha256:')}.cpio"
        # Scenarios that run at a time have the same images.
        with UNPACKING:
            if not initramfs.exists():
                cache.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=cache) as partial:
                    whole = Path(partial) / "cpio"
                    with whole.open("wb") as file:
                        for layer in manifest["layers"]:
                            file.write(cpio("@-", stdin=gzip.decompress(blob(layer["digest"]))))
                    whole.rename(initramfs)
    return Image(
        initramfs,
        tuple(config.get("Env", [])),
        tuple(config.get("Entrypoint", []) + config.get("Cmd", [])),
        config["WorkingDir"],
        config["User"],
    )


def cpio(*arguments: str, stdin: bytes | None = None) -> bytes:
    """A cpio archive by bsdtar, which reads tar archives (`@-`: stdin) as well as files."""
    command = ["bsdtar", "--create", "--file", "-", "--format", "newc", *arguments]
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, check=True).stdout


def system(kernel: Path, scratch: Path) -> bytes:
    """What every machine has besides its image: /init, and below /vm a shell and network modules."""
    root = scratch / "system"
    shutil.copytree(GUEST, root)
    modules = root / "vm/modules"
    modules.mkdir()
    for module in kernel.glob("lib/modules/*/kernel/drivers/**/*.ko"):
        if module.name.startswith("virtio") or "failover" in module.name:
            shutil.copy(module, modules)
    for module in kernel.glob("lib/modules/*/kernel/net/core/*failover.ko"):
        shutil.copy(module, modules)
    shutil.copy("/bin/busybox", root / "vm/busybox")
    return cpio("--uid", "0", "--gid", "0", "-C", str(root), ".")
