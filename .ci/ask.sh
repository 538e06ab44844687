# To be sourced: what the scripts that talk to a running Spacefeed share.

fail() {
  printf 'FAILED: %s\n' "$1" >&2
  if [ -n "${2:-}" ] && [ -s "$2" ]; then
    printf -- '--- the end of %s\n' "$2" >&2
    tail -n 60 "$2" >&2
  fi
  exit 1
}

# until_true SECONDS COMMAND...: tries every 0.2 s.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || return 1
    sleep 0.2
  done
}

free_port() {
  node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# post URL JSON: prints the answer; an HTTP error or a success other than true fails.
post() {
  local answer
  answer=$(curl --fail-with-body -sS --max-time 10 -H 'content-type: application/json' -d "$2" "$1") \
    || fail "POST $1 $2: ${answer:-no answer}"
  printf 'POST %s %s\n  %s\n' "${1#http://127.0.0.1:*/}" "$2" "$answer"
  grep -q '"success":true' <<< "$answer" || fail "POST $1: no success"
}

create_lobby() {
  post "$1/api/beings" '{"action":"create","beingId":"lobby","data":{"type":"space","name":"Lobby"}}'
  post "$1/api/intentions" '{"action":"create","spaceId":"lobby","data":{"content":["Hello over HTTP"]}}'
}
