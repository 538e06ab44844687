# To be sourced in the root of the repository. Exports CHROMIUM_PATH, a Chromium that starts: the one that it names
# already, else the one of this machine, else Debian's package.

chromium_fail() {
  printf '%s\n' "chromium: $1" >&2
  return 1
}

chromium_find() {
  local name
  for name in chromium google-chrome; do
    if command -v "$name"; then return; fi
  done
  return 1
}

chromium_prepare() {
  if [ -z "${CHROMIUM_PATH:-}" ] && ! chromium_find > /dev/null; then
    [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] || chromium_fail \
      'none here, and this is not Debian, or not root: install Chromium by hand, or set CHROMIUM_PATH' || return
    apt-get -qq update < /dev/null
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium < /dev/null > /dev/null || return
  fi
  export CHROMIUM_PATH=${CHROMIUM_PATH:-$(chromium_find || echo chromium)}
  timeout 60 "$CHROMIUM_PATH" --version 2> /dev/null || chromium_fail "$CHROMIUM_PATH does not start"
}

chromium_prepare
