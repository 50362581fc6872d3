#!/usr/bin/env bash
# Speed and memory with cached metadata, beside py-rattler's solve in the same run. Prints a table.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"

need_packages hyperfine time jq
"$root/scripts/setup.sh"
say "building envlock"
"$root/scripts/cargo.sh" build --release --locked --quiet
envlock=$(cd "$root" && realpath "${CARGO_TARGET_DIR:-target}")/release/envlock
python=$ENVLOCK_TEST_CACHE/readers/bin/python
work=$(mktemp -d)
trap '"$root/tests/channel/channel.sh" stop; rm -rf "$work"' EXIT
export ENVLOCK_CACHE=$work/cache

say "making a synthetic channel of 5,000 packages × 20 versions"
"$python" "$root/benches/synthetic.py" "$work/synthetic"
"$root/tests/channel/channel.sh" serve
cp -r "$root/tests/channel/quickstart" "$work/channel-quickstart"
cp -r "$root/examples/quickstart" "$work/genuine-quickstart"

printf '| what | median | peak memory |\n| --- | --- | --- |\n'
measure() {
    local what=$1 memory
    shift
    hyperfine --shell=none --warmup 3 --runs 15 --style none --export-json "$work/result.json" "$*" >/dev/null
    memory=$(/usr/bin/time -f %M -o "$work/memory" "$@" >/dev/null 2>&1 && cat "$work/memory")
    printf '| %s | %s ms | %s MB |\n' "$what" \
        "$(jq -r '.results[0].median * 10000 | round / 10' "$work/result.json")" "$((memory / 1024))"
}
measure "start (--version)" "$envlock" --version
measure 'convert the quickstart (3 environments, HTTP channel)' "$envlock" --quiet convert --upgrade "$work/channel-quickstart/envlock.yml"
# Everything cached and no network: what is left is the work. uv's own command is the yardstick.
uv=$ENVLOCK_TEST_CACHE/readers/bin/uv
export UV_CACHE_DIR=$work/uv
for example in quickstart airflow-2 airflow-3; do
    cp -r "$root/tests/channel/$example" "$work/pip-$example"
    cd "$work/pip-$example"
    touch constraints.txt
    "$python" -c 'import yaml; lines = yaml.safe_load(open("env.yml"))["dependencies"][-1]["pip"]
print("\n".join(line for line in lines if not line.startswith("-c")))' >in.txt
    compile=("$uv" pip compile --quiet --no-header --python "$python" --python-version 3.11.2
        --python-platform x86_64-manylinux_2_28 --output-file "$work/compiled.txt" -c constraints.txt in.txt)
    "$envlock" --quiet convert env.yml
    "${compile[@]}"
    measure "convert tests/channel/$example/env.yml, offline" "$envlock" --quiet convert --upgrade --offline env.yml
    measure "uv pip compile of its pip section, offline" "${compile[@]}" --offline --upgrade
    cp -r . "$work/before-$example"
    measure "update one package of it, offline" "$envlock" --quiet update vine --offline
    # Nothing else minds which one it is.
    "$envlock" --quiet update six --to 1.16.0 >/dev/null
    measure "diff of it" "$envlock" diff "$work/before-$example" .
    measure "why a package of it" "$envlock" why vine
    measure "tree of it" "$envlock" tree
done
cd "$root"
measure 'check the genuine quickstart' "$envlock" --quiet check "$work/genuine-quickstart/envlock.yml"
for count in 10 30 100 300; do
    measure "convert, answer of $count packages" "$envlock" --quiet convert --upgrade "$work/synthetic/env-$count.yml" -o "$work/out-$count"
done
measure "check, 300 packages" "$envlock" --quiet check "$work/synthetic/env-300.yml" -o "$work/out-300"
for count in 10 300; do
    env=$work/synthetic/env-$count.yml
    # Only the solve: the start of Python and its imports are not rattler's fault.
    seconds=$(for _ in {1..15}; do "$python" "$root/benches/solve_py_rattler.py" "$env" "$work/py-rattler"; done | sort -n | sed -n 8p)
    printf '| py-rattler solve alone, answer of %s packages | %s ms | |\n' "$count" "$seconds"
done
