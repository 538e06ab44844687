#!/usr/bin/env bash
# The Firefox of the tests: the one that FIREFOX_PATH names, else Debian's. Without it those tests are skipped, and say so.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/ask.sh

firefox=${FIREFOX_PATH:-/usr/bin/firefox-esr}
if [ ! -x "$firefox" ]; then
  [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] || fail "no $firefox: install firefox-esr by hand, or set FIREFOX_PATH"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends firefox-esr > /dev/null
fi
timeout 60 "$firefox" --version 2> /dev/null || fail "$firefox does not start"
