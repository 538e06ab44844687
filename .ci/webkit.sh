#!/usr/bin/env bash
# The WebKit of the tests: the driver that WEBKIT_DRIVER_PATH names, else Debian's, and a display for it. Without it those
# tests are skipped, and say so.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/ask.sh

driver=${WEBKIT_DRIVER_PATH:-/usr/bin/WebKitWebDriver}
if [ ! -x "$driver" ] || [ ! -x /usr/bin/Xvfb ]; then
  [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] || fail "needs webkit2gtk-driver and xvfb: install by hand"
  apt-get -qq update
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends webkit2gtk-driver xvfb > /dev/null
fi
dpkg-query --show webkit2gtk-driver 2> /dev/null || [ -x "$driver" ]
