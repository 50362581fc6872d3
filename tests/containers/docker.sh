# Containers by Docker Engine, on a private network; sourced by celery-over-redis.sh.
# shellcheck shell=bash disable=SC2154 # its variables are those of the script

containers=()
options=(--volume "$here/tasks.py:/home/airflow/tasks.py:ro" --read-only --tmpfs /tmp)

engine_load() {
    docker load --quiet --input master-image.tar >/dev/null
    docker load --quiet --input worker-image.tar >/dev/null
    docker network create --internal "$network" >/dev/null
}

# Starts a role in the background, under a host name: engine_start ROLE HOST CMD…
engine_start() {
    containers+=("$network-$1")
    docker run --detach --network "$network" --name "$network-$1" --hostname "$2" --network-alias "$2" \
        "${options[@]}" "$1-image" "${@:3}" >/dev/null
}

# Runs a command on the master's side and prints what it says.
engine_ask() { docker run --rm --network "$network" "${options[@]}" master-image "$@"; }

engine_logs() { docker logs "$network-worker" 2>&1; }

engine_cleanup() {
    ((${#containers[@]} == 0)) || docker rm --force "${containers[@]}" >/dev/null 2>&1 || true
    docker network rm "$network" >/dev/null 2>&1 || true
}
