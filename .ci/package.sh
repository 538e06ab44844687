# To be sourced in the root of the repository, after ask.sh: the packages, packed, in a directory of its own, and what
# those who install them share. Sets root, dir, log; page, server and conformance (the tarballs of spacefeed, spacefeed-server
# and spacefeed-conformance); $relay and $data after start_relay, $site after start_site.

unset DATABASE_URL NODE_ENV
root=$PWD
dir=$(mktemp -d)
chmod 755 "$dir" # root's Postgres runs as another user, who has to enter
log=$dir/log
relay_pid='' site_pid=''
clean() {
  [ -z "$site_pid" ] || end_group "$site_pid"
  [ -z "$relay_pid" ] || end_group "$relay_pid"
  rm -rf "$dir"
}
trap clean EXIT

# run SECONDS WHAT COMMAND...: its output is shown only if it fails.
run() {
  local seconds=$1 what=$2
  shift 2
  timeout --kill-after=10 "$seconds" "$@" > "$log" 2>&1 < /dev/null || fail "$what (exit code $?)" "$log"
}

# In a folder with the server's package: the relay, with a Postgres of its own and the demo.
start_relay() {
  local port
  port=$(free_port)
  relay=http://127.0.0.1:$port
  data=$PWD/.spacefeed
  set -m # process groups of their own
  PORT="$port" npx spacefeed-server < /dev/null > "$dir/relay.log" 2>&1 &
  relay_pid=$!
  set +m
  ready_or_over() { curl -fsS --max-time 5 "$relay/readyz" || ! kill -0 "$relay_pid"; }
  until_true 120 ready_or_over || fail 'spacefeed-server: /readyz does not answer after 120 s' "$dir/relay.log"
  kill -0 "$relay_pid" 2> /dev/null || fail 'spacefeed-server ended' "$dir/relay.log"
}

# start_site COMMAND...: in the project, its pages at $site, whose port the command finds in PORT.
start_site() {
  local port
  port=$(free_port)
  site=http://127.0.0.1:$port
  set -m
  PORT=$port RELAY_URL=$relay "$@" < /dev/null > "$dir/site.log" 2>&1 &
  site_pid=$!
  set +m
  until_true 60 curl -fsS --max-time 5 "$site" || fail "$1 $2 does not answer" "$dir/site.log"
}

version_of() { node -p "require('./node_modules/$1/package.json').version"; }

run 300 'npm pack' npm pack --workspaces --include-workspace-root --pack-destination "$dir"
page=$(echo "$dir"/spacefeed-[0-9]*.tgz)
server=$(echo "$dir"/spacefeed-server-[0-9]*.tgz)
conformance=$(echo "$dir"/spacefeed-conformance-[0-9]*.tgz)
