"""What is broken on purpose: a scenario that tells a cluster's story has to fail then, and to name the cause."""

import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from image import cpio

FIREWALL = Path("/usr/sbin/nft")
FIREWALL_MODULES = ("libcrc32c", "nfnetlink", "nf_tables")


@dataclass(frozen=True)
class Break:
    """A fault that is there when machines boot."""

    scenario: str
    """Which has to fail."""
    cause: str
    """A pattern of what it says."""
    images: dict[str, str] = field(default_factory=dict)
    """Machine -> the role whose image it boots instead."""
    commands: dict[str, str] = field(default_factory=dict)
    """Machine -> what it runs before its services."""

    def is_named_by(self, failure: str) -> bool:
        """Whether a failure says what is wrong."""
        return re.search(self.cause, failure, re.DOTALL) is not None


BREAKS = {
    "package-changed": Break(
        "environment_identical",
        r"treeDigest of the worker: '[0-9a-f]{64}' instead of '[0-9a-f]{64}'",
        images={"worker": "stranger"},
    ),
    "package-changed-at-work": Break(
        "celery_over_redis",
        r"worker: .*refused by cluster .* has treeDigest [0-9a-f]{64}, expected [0-9a-f]{64}",
        images={"worker": "stranger"},
    ),
    "redis-stopped": Break(
        "celery_over_redis",
        r"master: .*Could not connect to Redis at 127\.0\.0\.1:6379: Connection refused",
        commands={"master": "rm /opt/envlock/system/bin/redis-server"},
    ),
    "firewall-closed": Break(
        "celery_over_redis",
        r"worker: .*waiting for Redis at master:6379\S*: [Tt]imeout",
        commands={
            "master": "".join(f"insmod /vm/firewall/{module}.ko && " for module in FIREWALL_MODULES)
            + "/vm/firewall/loader --library-path /vm/firewall /vm/firewall/nft -- "
            "'add table ip closed; add chain ip closed input { type filter hook input priority 0; };"
            " add rule ip closed input iifname eth0 tcp dport 6379 drop'"
        },
    ),
}


def firewall(kernel: Path, scratch: Path) -> bytes:
    """Debian's nft, with the libraries and the modules of the kernel that it needs, as a cpio archive."""
    target = scratch / "firewall/vm/firewall"
    target.mkdir(parents=True)
    listed = subprocess.run(["ldd", FIREWALL], stdout=subprocess.PIPE, text=True, check=True).stdout
    libraries = [Path(path) for path in re.findall(r"(/\S+) \(0x", listed)]
    modules = [path for path in kernel.glob("lib/modules/*/kernel/**/*.ko") if path.stem in FIREWALL_MODULES]
    for path in [FIREWALL, *libraries, *modules]:
        shutil.copy(path, target)
    (loader,) = target.glob("ld-linux*")
    loader.rename(target / "loader")
    return cpio("--uid", "0", "--gid", "0", "-C", str(scratch / "firewall"), ".")
