"""What a driver puts beside a scenario: for type checks alone, nothing runs it."""

from contextlib import AbstractContextManager
from typing import Protocol

from prelude import Node


class Subtest(Protocol):
    """Names a part of a story."""

    def __call__(self, name: str) -> AbstractContextManager[None]: ...


master: Node
worker: Node
# A machine more from the worker's image.
clone: Node
# A worker whose environment is another one.
stranger: Node
subtest: Subtest
# Of the environment, as the lock has it.
TREE_DIGEST: str
# What the services of all machines were given.
REDIS_PASSWORD: str
