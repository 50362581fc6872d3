#!/usr/bin/env bash
# Installing Airflow 3 from warm stores, beside py-rattler and uv in the same run; verify beside sha256sum. Every run
# has a directory of its own: deleting first would measure the file system. Prints a table.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
need_packages hyperfine time jq
runs=${RUNS:-7}
# shellcheck source=measure.sh
source "$root/benches/measure.sh"
readers=$ENVLOCK_TEST_CACHE/readers/bin
export UV_CACHE_DIR=$work/uv PYTHONDONTWRITEBYTECODE=1

say "locking and fetching Airflow 3"
"$root/tests/channel/channel.sh" serve
cp -r "$root/tests/channel/airflow-3" "$work/project"
cd "$work/project"
"$envlock" --quiet convert env.yml
"$envlock" --quiet fetch
"$readers/python" -c 'import yaml
for package in yaml.safe_load(open("conda-lock.yml"))["package"]:
    if package["manager"] == "pip":
        print(package["name"], "@", package["url"] + "#sha256=" + package["hash"]["sha256"])' >requirements.txt

printf '| what | median | peak memory |\n| --- | --- | --- |\n'
row 'install, nothing unpacked yet, without byte-code' env "ENVLOCK_CACHE=$work/cold-@" sh -c \
    "mkdir -p '$work/cold-@' && cp -al '$work/cache/artifacts' '$work/cold-@/' && exec '$envlock' install --quiet --no-byte-code --prefix '$work/a-@'"
row 'install, warm, without byte-code' "$envlock" install --quiet --no-byte-code --prefix "$work/b-@"
# Their own work alone: neither the start of Python, nor the solve, is counted.
peers() {
    local run conda
    for ((run = 0; run <= runs; run++)); do
        conda=$("$readers/python" "$root/tests/readers/install_py_rattler.py" conda-lock.yml http://127.0.0.1:8765/debian \
            "$work/c-$run" "$work/rattler")
        /usr/bin/time -f '%e %M' -o "$work/time" "$readers/uv" pip install --quiet --no-deps --no-config \
            --python "$work/c-$run/bin/python" -r requirements.txt
        ((run == 0)) || awk -v conda="$conda" '{ print $1 + conda, $2 }' "$work/time"
    done
}
peers | table 'py-rattler and uv pip install --no-deps, warm'
row 'install, with byte-code' "$envlock" install --quiet --prefix "$work/d-@"
row 'install, with byte-code, of a tree that was built before' "$envlock" install --quiet --prefix /opt/envlock/env --into "$work/e-@"
row 'install again, unchanged' "$envlock" install --quiet --prefix "$work/d-1"
row 'verify' "$envlock" verify --quiet --prefix "$work/d-1"
row 'sha256sum of the same files, two at once' sh -c "find '$work/d-1' -type f -print0 | xargs -0 -P 2 -n 500 sha256sum"
