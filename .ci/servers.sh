#!/usr/bin/env bash
# The servers that tests start by themselves, beside the embedded Postgres: PgBouncer, and a Postgres with pg_basebackup
# and pg_dump. Without them those tests are skipped, and say so.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/ask.sh

missing=()
command -v pgbouncer > /dev/null || [ -x /usr/sbin/pgbouncer ] || missing+=(pgbouncer)
[ -x /usr/lib/postgresql/15/bin/postgres ] || missing+=(postgresql-15)
if [ ${#missing[@]} -gt 0 ]; then
  [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] || fail "needs ${missing[*]}: install by hand"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}" > /dev/null
fi
/usr/sbin/pgbouncer --version | sed -n 1p
/usr/lib/postgresql/15/bin/postgres --version
