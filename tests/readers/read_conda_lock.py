"""Reads a conda-lock.yml as conda-lock does: parses it, validates it against conda-lock's JSON schema, and
recomputes every content_hash from the source files beside it. Ends with `agrees`, or says what does not."""

import json
import os
import pathlib
import sys
import tempfile

import conda_lock
import jsonschema
import yaml
from conda_lock.content_hash import compute_content_hashes
from conda_lock.lockfile import parse_conda_lock_file
from conda_lock.src_parser import make_lock_spec
from conda_lock.virtual_package import default_virtual_package_repodata

path = pathlib.Path(sys.argv[1])
data = yaml.safe_load(path.read_text())
schema = pathlib.Path(conda_lock.__file__).parent / "lockfile/v1/conda-lock-v1.schema.json"
jsonschema.validate(data, json.loads(schema.read_text()))

lock = parse_conda_lock_file(path)
assert len(lock.package) == len(data["package"]), "packages are lost"

# conda-lock would fetch its table of names to read a pip section; the names here need none.
mapping = tempfile.NamedTemporaryFile("w", suffix=".json")
mapping.write("{}")
mapping.flush()

os.chdir(path.parent)
spec = make_lock_spec(
    src_files=[pathlib.Path(source) for source in data["metadata"]["sources"]],
    platform_overrides=data["metadata"]["platforms"],
    mapping_url=mapping.name,
)
theirs = compute_content_hashes(spec, default_virtual_package_repodata())
ours = data["metadata"]["content_hash"]
assert ours == theirs, f"content_hash: {ours} is written, {theirs} is right"
print("agrees")
