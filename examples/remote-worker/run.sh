#!/usr/bin/env bash
# A worker in another network namespace: a machine of its own as far as the network is concerned.
# It reads page images that are put to a server on this side, over a link that is cut meanwhile.
# Needs Linux and root. Takes everything down at the end, however it ends.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
# How to start Sluice; a test runs it from its sources.
read -ra sluice <<<"${SLUICE:-node server/bin/sluice.js}"

if [ "$(id -u)" != 0 ]; then
  echo "remote-worker: making a network namespace needs root" >&2
  exit 1
fi
if ! command -v ip >/dev/null; then
  apt-get install -y --no-install-recommends iproute2 >/dev/null
fi
[ -d examples/ocr/node_modules ] || npm ci --prefix examples/ocr >/dev/null

# Names and addresses of this run alone; 198.18.0.0/15 is set aside for trials.
number=$(($$ % 250))
space=sluice-$$
near=slu-$$a
far=slu-$$b
server_ip=198.18.$number.1
worker_ip=198.18.$number.2
port=${PORT:-8600}
folder=$(mktemp -d)
export HOME=$folder
server=
worker=

finish() {
  code=$?
  trap - EXIT INT TERM
  for pid in $worker $server; do kill "$pid" 2>/dev/null && wait "$pid" || true; done
  if [ "$code" != 0 ]; then cat "$folder"/*.log >&2 || true; fi
  # What is in the namespace ends with its processes; the link goes with its end in there.
  ip netns pids "$space" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
  ip netns delete "$space" 2>/dev/null || true
  ip link delete "$near" 2>/dev/null || true
  rm -rf "$folder"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Waits until a command succeeds, at most 60 s.
until_true() {
  for _ in $(seq 300); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.2
  done
  echo "remote-worker: in vain: $*" >&2
  return 1
}

ip netns add "$space"
ip link add "$near" type veth peer name "$far" netns "$space"
ip address add "$server_ip/30" dev "$near"
ip link set "$near" up
ip -n "$space" address add "$worker_ip/30" dev "$far"
ip -n "$space" link set "$far" up
ip -n "$space" link set lo up

# Beyond loopback Sluice wants TLS, or to be told that this network is trusted.
"${sluice[@]}" serve --listen "$server_ip:$port" --plaintext --data "$folder/data" \
  --service "$here/service.json" >"$folder/server.log" 2>&1 &
server=$!
until_true grep -q Ready "$folder/server.log"
export SLUICE_URL=http://$server_ip:$port
SLUICE_TOKEN=$(cat "$folder/data/admin/token")
export SLUICE_TOKEN

# A token that may work for this service and nothing else, in a file that only root reads.
(umask 077 && "${sluice[@]}" token reader --add gpu-box --scope consume --json |
  sed -n 's/.*"token": *"\([^"]*\)".*/\1/p' >"$folder/worker.token")

# A name of its own as well, as another machine would have.
named='echo gpu-box >/proc/sys/kernel/hostname; exec "$@"'
env -u SLUICE_TOKEN -u SLUICE_URL ip netns exec "$space" unshare --uts sh -c "$named" - \
  "${sluice[@]}" worker \
  --join "http://$server_ip:$port" --service reader --token-file "$folder/worker.token" \
  --name reader-gpu-box --command 'exec node server.js' --work-dir examples/ocr \
  --health-path /healthz --data "$folder/worker" >"$folder/worker.log" 2>&1 &
worker=$!
until_true grep -q 'Instance is Running' "$folder/worker.log"
"${sluice[@]}" w reader

read_page() {
  "${sluice[@]}" put reader "examples/ocr/pages/$1" --id "$1" --content-type image/png --wait
}

echo "--- read in the namespace, with the link up"
read_page 01-notice.png | head -n 3

echo "--- the link is cut while it reads"
read_page 02-postcard.png >"$folder/postcard.txt" &
reading=$!
until_true grep -q '"request":"02-postcard.png"' "$folder"/worker/reader-1/*.log
ip link set "$near" down
sleep 3
ip link set "$near" up
wait "$reading"
head -n 3 "$folder/postcard.txt"
calls=$(cat "$folder"/worker/reader-1/*.log | grep -c '"started","request":"02-postcard.png"')
results=$("${sluice[@]}" attrs reader --sink --json | sed -n 's/.*"stream.length": *"\([0-9]*\)".*/\1/p')
echo "--- calls of the model for it: $calls, results left behind: $results"

# Ctrl-C: nothing is running, so it leaves at once.
kill -TERM "$worker"
wait "$worker"
worker=
"${sluice[@]}" w reader
echo "remote-worker: done"
