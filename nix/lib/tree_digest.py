"""treeDigest of a directory, as docs/determinism.md defines it, and the Python that computes it."""

import hashlib
import os
import sys

root, output = sys.argv[1:]
lines = []
for directory, names, files in os.walk(root):
    for name in names + files:
        path = os.path.join(directory, name)
        if os.path.islink(path):
            parts = ["symlink", "777", os.readlink(path)]
        elif os.path.isdir(path):
            parts = ["directory", "755", ""]
        else:
            mode = "755" if os.stat(path).st_mode & 0o100 else "644"
            with open(path, "rb") as file:
                parts = ["file", mode, hashlib.sha256(file.read()).hexdigest()]
        lines.append([os.path.relpath(path, root), *parts])
lines.sort(key=lambda line: line[0].encode())
digest = hashlib.sha256("".join(part + "\0" for line in lines for part in line).encode())
with open(output, "w") as file:
    file.write(f"{sys.version.split()[0]} {sys.prefix} {digest.hexdigest()}\n")
