#!/usr/bin/env bash
# The long tests: what must hold every time is run many times, in other surroundings each time.
set -euo pipefail
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

rounds=${ROUNDS:-10}
for ((round = 1; round <= rounds; round++)); do
    say "round $round of $rounds"
    TZ=Etc/GMT-$((round % 13)) "$root/scripts/cargo.sh" test --locked --quiet --test integration -- \
        determinism faults convert::the_quickstart store:: trees:: containers
done
"$root/tests/channel/sdists-2019/run"
"$root/vm-tests/run.sh" --quiet --rounds "$rounds"
"$root/vm-tests/run.sh" --quiet --broken
"$root/tests/airflow/run.sh"
"$root/tests/airflow/shared-volume.sh"
"$root/vm-tests/run.sh" --quiet --project airflow
"$root/benches/run.sh"
"$root/benches/install.sh"
"$root/benches/image.sh"
