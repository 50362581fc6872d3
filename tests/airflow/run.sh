#!/usr/bin/env bash
# An Airflow 2.11 cluster of containers on the test channel, and what must hold of it.
#
# usage: run.sh [STORY…]    as root; needs Docker Engine; stories are the functions of stories.py
set -euo pipefail
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
source "$here/../../scripts/lib.sh"

"$root/scripts/setup.sh"
need_envlock
# Beside a cluster of somebody who tries the example.
export ENVLOCK NAME=airflow-test PORT=${PORT:-18080}
trap '"$root/examples/airflow-2/run" --stop' EXIT
"$root/examples/airflow-2/run" --stop
"$root/tests/channel/airflow-2/run" --keep
URL=http://localhost:$PORT "$ENVLOCK_TEST_CACHE/readers/bin/python" -B "$here/stories.py" "$@"
