"""Compiles sources to byte-code that depends on their content and their place alone.

usage: byte_code.py ROOT PREFIX LIST

LIST holds paths below ROOT, one a line. For each of them, in this order, prints a
line `SIZE PATH` with the path of its byte-code file, then its SIZE bytes; or the
line `-` if it is no valid Python, which is passed over as pip does. Writes no file: whoever started this may
be gone, and another may be building in ROOT's place. Runs on Python 3.5 and later.
"""
import sys

del sys.path[0]

import importlib.machinery
import importlib.util
import marshal
import os


def header(path, source):
    """What precedes the code: from Python 3.7 on a hash that is never checked (PEP 552)."""
    if hasattr(importlib.util, "source_hash"):
        return (0b01).to_bytes(4, "little") + importlib.util.source_hash(source)
    # Before, the time of the source, which a tree fixes, and its size.
    time = int(os.stat(path).st_mtime) & 0xFFFFFFFF
    return time.to_bytes(4, "little") + (len(source) & 0xFFFFFFFF).to_bytes(4, "little")


root, prefix, listed = sys.argv[1:]
with open(listed, "rb") as lines:
    paths = lines.read().split(b"\n")
for path in filter(None, paths):
    # Names of files as this Python spells them, which before 3.7 depends on the locale; what is stored does not.
    place = os.path.join(root, os.fsdecode(path))
    loader = importlib.machinery.SourceFileLoader("<py_compile>", place)
    source = loader.get_data(place)
    try:
        code = loader.source_to_code(source, os.path.join(prefix, path.decode("utf-8")))
        # Nested too deeply is a MemoryError to some parsers.
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        sys.stdout.buffer.write(b"-\n")
        continue
    content = importlib.util.MAGIC_NUMBER + header(place, source) + marshal.dumps(code)
    target = os.fsencode(importlib.util.cache_from_source(os.fsdecode(path)))
    sys.stdout.buffer.write(str(len(content)).encode() + b" " + target + b"\n" + content)
sys.stdout.flush()
