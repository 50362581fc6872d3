#!/usr/bin/env bash
# An Airflow 2.11 cluster whose nodes have one folder of DAGs: nothing brings them, and tasks run on workers all the same.
#
# usage: shared-volume.sh    as root; needs Docker Engine
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../scripts/lib.sh"

"$root/scripts/setup.sh"
need_envlock
# Beside a cluster of somebody who tries the example.
export ENVLOCK NAME=airflow-shared PORT=${PORT:-18081} SHARED_VOLUME=1
said=$(mktemp)
trap '"$root/examples/airflow-2/run" --stop; rm "$said"' EXIT
"$root/examples/airflow-2/run" --stop
"$root/tests/channel/airflow-2/run" 2>&1 | tee "$said"
grep -q "brings DAGs to nobody" "$said" || fail "DAGs are brought"
grep -q ": success on worker-" "$said" || fail "no task ran on a worker"
