#!/bin/bash
# What callers of the official image rely on: POSTGRES_USER, _PASSWORD, _DB and _HOST_AUTH_METHOD,
# server options after the image's name, and "ready to accept connections" twice at the first start.
set -euo pipefail

[ "${1:0:1}" != - ] || set -- postgres "$@"
[ "$1" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  install -d -o postgres -g postgres -m 700 "$PGDATA"
  chown postgres:postgres "$(dirname "$PGDATA")"
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}
  method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
  if [ "$method" != trust ] && [ -z "${POSTGRES_PASSWORD:-}" ]; then
    echo 'Set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust.' >&2
    exit 1
  fi

  initdb --username="$user" ${POSTGRES_PASSWORD:+--pwfile=/dev/stdin} --auth=trust --encoding=UTF8 \
    --locale=C.UTF-8 <<< "${POSTGRES_PASSWORD:-}"
  printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"
  cat >> "$PGDATA/postgresql.conf" <<CONF
listen_addresses = '*'
unix_socket_directories = '/var/run/postgresql'
CONF
  if [ "$database" != postgres ]; then
    printf 'create database "%s"\n' "${database//\"/\"\"}" | postgres --single -j -D "$PGDATA" postgres > /dev/null
  fi

  # The official image runs its init scripts here, on a server that only the Unix socket reaches.
  shift
  pg_ctl --wait --options="-c listen_addresses='' ${*@Q}" start
  pg_ctl --wait --mode=fast stop
  set -- postgres "$@"
fi

exec "$@"
