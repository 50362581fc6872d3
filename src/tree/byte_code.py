"""Compiles sources to byte-code that depends on their content and their place alone.

usage: byte_code.py ROOT PREFIX LIST

LIST holds paths below ROOT, one a line. Prints the path of each file that was
written, one a line; a source that is no valid Python is passed over, as pip
does. Runs on every Python from 3.5 on.
"""
import sys

del sys.path[0]

import importlib.util
import py_compile

root, prefix, listed = sys.argv[1:]
modes = getattr(py_compile, "PycInvalidationMode", None)
# Before Python 3.7 the header holds the source's time, which a tree fixes.
options = {"invalidation_mode": modes.UNCHECKED_HASH} if modes else {}

with open(listed, "rb") as lines:
    paths = lines.read().decode("utf-8").split("\n")
for path in filter(None, paths):
    target = importlib.util.cache_from_source(path)
    try:
        py_compile.compile(root + "/" + path, cfile=root + "/" + target, dfile=prefix + "/" + path, doraise=True, **options)
    except Exception:
        continue
    sys.stdout.buffer.write(target.encode("utf-8") + b"\n")
sys.stdout.flush()
