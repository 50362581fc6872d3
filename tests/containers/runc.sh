# Containers by runc: two network namespaces with a cable between them; sourced by without-docker.sh.
# shellcheck shell=bash disable=SC2154 # its variables are those of the script

engine_load() {
    local role layer
    for role in master worker; do
        mkdir -p "$work/$role/rootfs" "$work/$role/image"
        tar -xf "$role-image.tar" -C "$work/$role/image"
        for layer in $(jq -r '.[0].Layers[]' "$work/$role/image/manifest.json"); do
            tar -xf "$work/$role/image/$layer" -C "$work/$role/rootfs"
        done
        ip netns add "$network-$role"
    done
    ip -n "$network-master" link add cable type veth peer name cable netns "$network-worker"
    ip -n "$network-master" address add 10.77.0.1/24 dev cable
    ip -n "$network-worker" address add 10.77.0.2/24 dev cable
    for role in master worker; do
        ip -n "$network-$role" link set lo up
        ip -n "$network-$role" link set cable up
    done
    printf '127.0.0.1 localhost\n10.77.0.1 master\n10.77.0.2 worker-1\n' >"$work/hosts"
}

# Writes what runc needs to know: bundle DIRECTORY ROLE HOST CMD…
bundle() {
    local directory=$1 role=$2 host=$3 config words
    mkdir -p "$directory" "$work/$role/rootfs"/{run/secrets,var/lib/redis}
    config=$work/$role/image/$(jq -r '.[0].Config' "$work/$role/image/manifest.json")
    words=$(python3 -c 'import json, sys; print(json.dumps(sys.argv[1:]))' "${@:4}")
    (cd "$directory" && runc spec)
    jq --arg host "$host" --arg root "$work/$role/rootfs" --arg network "/run/netns/$network-$role" \
        --argjson words "$words" --arg tasks "$root/examples/quickstart/tasks.py" --arg hosts "$work/hosts" --arg secrets "$work/secrets" --slurpfile image "$config" '
        $image[0].config as $image
        | .process.terminal = false
        | .process.args = $image.Entrypoint + $words
        | .process.env = $image.Env
        | .process.cwd = $image.WorkingDir
        | .process.user = { uid: ($image.User | split(":")[0] | tonumber), gid: ($image.User | split(":")[1] | tonumber) }
        | .root = { path: $root, readonly: true }
        | .hostname = $host
        | .linux.namespaces |= map(if .type == "network" then .path = $network else . end)
        | .mounts += [
            { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777"] },
            { destination: "/run/secrets", type: "bind", source: $secrets, options: ["bind", "ro"] },
            { destination: "/var/lib/redis", type: "tmpfs", source: "tmpfs", options: ["uid=50000", "gid=50000"] },
            { destination: "/home/airflow/tasks.py", type: "bind", source: $tasks, options: ["bind", "ro"] },
            { destination: "/etc/hosts", type: "bind", source: $hosts, options: ["bind", "ro"] }
          ]' "$directory/config.json" >"$directory/config.new"
    mv "$directory/config.new" "$directory/config.json"
}

engine_start() {
    bundle "$work/$1/bundle" "$@"
    runc run --detach --bundle "$work/$1/bundle" "$network-$1" >"$work/$1/log" 2>&1 </dev/null
}

# Waits until the broker listens.
engine_wait() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        ! ip netns exec "$network-master" bash -c '(exec 3<>/dev/tcp/10.77.0.1/6379) 2>/dev/null' || return 0
        sleep 0.1
    done
    cat "$work/master/log" >&2
    fail "there is no broker after a minute"
}

engine_ask() {
    bundle "$work/ask" master asking "$@"
    runc run --bundle "$work/ask" "$network-ask" </dev/null
}

engine_logs() { cat "$work/worker/log"; }

engine_cleanup() {
    local role
    for role in ask worker master; do
        runc delete --force "$network-$role" 2>/dev/null || true
        ip netns delete "$network-$role" 2>/dev/null || true
    done
}
