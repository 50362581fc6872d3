#!/usr/bin/env bash
# Building Airflow 3's worker image, beside tar with pigz and with zstd of the same tree in the same run. Every run of
# envlock that is to write layers starts from a copy of the same cache. Prints a table.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"
need_packages time pigz zstd
runs=${RUNS:-5}
# shellcheck source=measure.sh
source "$root/benches/measure.sh"

say "locking and fetching Airflow 3, and once more with another version of one package"
"$root/tests/channel/channel.sh" serve
mkdir "$work/project" "$work/bumped"
cp "$root"/tests/channel/quickstart/runtime.yml "$root"/tests/channel/airflow-3/* "$work/project"
cat >"$work/project/envlock.yml" <<'END'
environment: env.yml
runtime: runtime.yml
roles:
  worker:
    services:
      worker: [airflow, celery, worker]
END
cp "$work"/project/* "$work/bumped"
cd "$work/bumped"
# The newest of all but one package, which is a little older.
printf '      - six==1.16.0\n' >>env.yml
for project in project bumped; do
    cd "$work/$project"
    "$envlock" --quiet convert
    for lock in conda-lock.yml runtime.conda-lock.yml; do "$envlock" --quiet fetch "$lock"; done
done
cp -al "$work/cache" "$work/fetched"
cd "$work/project"
# The trees are kept, and no layer is written yet.
"$envlock" --quiet install --prefix /opt/envlock/env --into "$work/tree"
"$envlock" --quiet install runtime.conda-lock.yml --no-byte-code --prefix /opt/envlock/runtime --into "$work/runtime"
cp -al "$work/cache" "$work/trees"

build() { row "$1" "$envlock" image build --quiet worker -o "$work/out.tar" "${@:2}"; }
size() { printf '| its size | %s bytes | |\n' "$(stat -c %s "$1")"; }

printf '| what | median | peak memory |\n| --- | --- | --- |\n'
cache=trees build 'image build, gzip, from kept trees'
size "$work/out.tar"
row 'tar and pigz -6 -p2 of the same trees' sh -c "tar -C '$work' -cf - tree runtime | pigz -6 -p2 >'$work/pigz'"
size "$work/pigz"
cache=trees build 'image build, zstd, from kept trees' --compression zstd
size "$work/out.tar"
row 'tar and zstd -3 -T2 of the same trees' sh -c "tar -C '$work' -cf - tree runtime | zstd -q -3 -T2 >'$work/zstd'"
size "$work/zstd"
cache=fetched build 'image build, gzip, from artifacts alone'
build 'image build, gzip, again without a change'
rm -rf "$work/built" && cp -al "$work/cache" "$work/built"
cd "$work/bumped"
cache=built build 'image build, gzip, with another version of six'
row 'image verify of the image' "$envlock" image verify --quiet "$work/out.tar"
