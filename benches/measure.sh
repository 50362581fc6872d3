# Medians of whole commands, and their memory; sourced by the scripts beside it, which say in $runs how often. Builds
# $envlock, and gives it a cache below $work.
# shellcheck shell=bash disable=SC2034,SC2154 # the variables of the script and of this go both ways

"$root/scripts/setup.sh"
"$root/scripts/cargo.sh" build --release --locked --quiet
envlock=$(cd "$root" && realpath "${CARGO_TARGET_DIR:-target}")/release/envlock
work=$(mktemp -d)
trap '"$root/tests/channel/channel.sh" stop; rm -rf "$work"' EXIT
export ENVLOCK_CACHE=$work/cache

# Prints seconds and peak memory in MB of each of the runs of a command; @ in it is the number of the run. With $cache,
# every run starts from a copy of that cache.
measure() {
    local run word words
    for ((run = 0; run <= runs; run++)); do
        words=()
        for word in "$@"; do words+=("${word//@/$run}"); done
        [[ -z ${cache:-} ]] || { rm -rf "$work/cache" && cp -al "$work/$cache" "$work/cache"; }
        /usr/bin/time -f '%e %M' -o "$work/time" "${words[@]}" >/dev/null 2>&1
        # The first one warms the caches.
        ((run == 0)) || cat "$work/time"
    done
}
table() {
    sort -n | awk -v what="$1" -v middle=$(((runs + 1) / 2)) \
        '$2 > most { most = $2 } NR == middle { median = $1 } END { printf "| %s | %.2f s | %d MB |\n", what, median, most / 1024 }'
}
row() { measure "${@:2}" | table "$1"; }
