#!/usr/bin/env bash
# Types and names of the driver and of every scenario, each with what a driver puts beside it; scripts of the machines.
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
source "$here/../scripts/lib.sh"

need_packages mypy pyflakes3 shellcheck
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# As the drivers do it: one text. Names of the other file are in it already.
for scenario in "$here"/scenarios/{,airflow/}*.py; do
    cat "$here/common/prelude.py" <(grep -v '^from prelude' "$here/common/globals.py") "$scenario" \
        >"$work/$(basename "$scenario")"
done
check() { mypy --strict --no-error-summary --cache-dir "$work/cache" "$@"; }
check "$here"/portable/*.py
for scenario in "$work"/*.py; do check "$scenario"; done
PYFLAKES_BUILTINS=$(sed -n 's/^\([A-Za-z_]*\): .*/\1/p' "$here/common/globals.py" | paste -sd ,)
export PYFLAKES_BUILTINS
pyflakes3 "$here"/portable/*.py "$work"/*.py
# What they read is made when they boot.
shellcheck --shell=dash --exclude=SC1091,SC2016 "$here"/portable/guest/{init,vm/start,vm/as-user,vm/bin/*}
