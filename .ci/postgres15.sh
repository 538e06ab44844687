#!/usr/bin/env bash
# Runs the command with TEST_DATABASE_URL set to a throwaway Postgres 15, the oldest that Debian has at hand.
set -euo pipefail
. "$(dirname "$0")/ask.sh"

bin=/usr/lib/postgresql/15/bin
if [ ! -x "$bin/initdb" ] || [ ! -x "$bin/postgres" ]; then
  [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] || fail 'needs postgresql-15: install it by hand'
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql-15 > /dev/null
fi

# Postgres refuses to run as root.
as=()
dir=$(mktemp -d)
if [ "$(id -u)" = 0 ]; then
  user=postgres
  id "$user" > /dev/null 2>&1 || user=nobody
  as=(setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups)
  chown "$user" "$dir"
fi
clean() {
  (cd / && "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -m immediate -s stop) 2> /dev/null || true
  rm -rf "$dir"
}
trap clean EXIT

port=$(free_port)
options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir -c max_connections=200 -c fsync=off"
(
  cd / # the user may not be able to enter ours
  "${as[@]}" "$bin/initdb" -D "$dir/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 > "$dir/initdb.log" 2>&1
) || fail 'initdb' "$dir/initdb.log"
(cd / && "${as[@]}" "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -o "$options" -w -s start) || fail 'pg_ctl start' "$dir/log"

TEST_DATABASE_URL=postgres://postgres@127.0.0.1:$port/postgres "$@"
