#!/usr/bin/env bash
# The README's first session: `npm start`, a space, a message, a row written with SQL and seen in a stream, stop.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/ask.sh

dir=$(mktemp -d)
chmod 755 "$dir" # root's Postgres runs as another user, who has to enter
npm_pid=''
clean() {
  [ -z "$npm_pid" ] || end_group "$npm_pid"
  rm -rf "$dir"
}
trap clean EXIT

port=$(free_port)
url=http://127.0.0.1:$port
log=$dir/npm-start.log
started=$SECONDS
set -m # a process group of its own
env -u DATABASE_URL PORT="$port" DATA_DIR="$dir/data" npm start < /dev/null > "$log" 2>&1 &
npm_pid=$!
set +m
ready_or_over() { curl -fsS --max-time 5 "$url/readyz" || ! kill -0 "$npm_pid"; }
until_true 300 ready_or_over || fail 'npm start: /readyz does not answer after 300 s' "$log"
kill -0 "$npm_pid" 2> /dev/null || fail 'npm start ended' "$log"
echo "ready after $((SECONDS - started)) s"

hold_session "$url" "$dir/data" "$dir/stream"

root=$(sed -n 1p "$dir/data/postgres/postmaster.pid")
postgres="$root $(pgrep -P "$root" | tr '\n' ' ')"
kill -TERM "$(ps -o ppid= -p "$root" | tr -d ' ')" # Spacefeed itself
ended() { ! kill -0 "$npm_pid"; }
until_true 5 ended || fail 'npm start still runs 5 s after SIGTERM' "$log"
code=0
wait "$npm_pid" || code=$?
npm_pid=
[ "$code" = 0 ] || fail "npm start ended with code $code after SIGTERM" "$log"
for pid in $postgres; do
  case $(ps -o stat= -p "$pid") in
    '' | Z*) ;; # in a container nobody may reap it
    *) fail "Postgres process $pid is still there" "$log" ;;
  esac
done
echo 'stopped: exit code 0, no Postgres left'
