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

# A space of its own: the demo of an embedded Postgres makes others.
create_hall() {
  post "$1/api/beings" '{"action":"create","beingId":"hall","data":{"type":"space","name":"The hall"}}'
  post "$1/api/intentions" '{"action":"create","spaceId":"hall","data":{"content":["Hello over HTTP"]}}'
}

# embedded_database DATA_DIR: where its Postgres is.
embedded_database() {
  [ -s "$1/postgres/postmaster.pid" ] || fail "no embedded Postgres in $1"
  printf 'postgres://postgres@127.0.0.1:%s/spacefeed\n' "$(sed -n 4p "$1/postgres/postmaster.pid")"
}

# say_with_sql DATABASE: another writer than the API. In the root of the repository.
say_with_sql() {
  node --input-type=module -e '
    import pg from "pg";
    const client = new pg.Client(process.argv[1]);
    await client.connect();
    await client.query(`insert into public.intentions (location_id, content) values ($$hall$$, $$["Hello from SQL"]$$)`);
    await client.end();' "$1"
}

# hold_session RELAY DATA_DIR STREAM: the README's first session. A row written with SQL is seen with curl, into the file STREAM.
hold_session() {
  local database curl_pid
  create_hall "$1"
  curl -sSN --max-time 60 "$1/api/stream?spaceId=hall" > "$3" 2>&1 &
  curl_pid=$!
  until_true 10 grep -q '^data:.*Hello over HTTP' "$3" || fail 'the stream does not begin with the state' "$3"
  database=$(embedded_database "$2") || fail 'where is the database?'
  say_with_sql "$database"
  until_true 5 grep -q '^data:.*Hello from SQL' "$3" || fail 'the row written with SQL is not in the stream' "$3"
  grep 'Hello from SQL' "$3"
  kill "$curl_pid"
}

# end_group PID: ends a process group as Ctrl-C does. npm's shell dies of a signal without passing it on.
end_group() {
  kill -- "-$1" 2> /dev/null || return 0
  until_true 10 group_ended "$1" || kill -KILL -- "-$1" 2> /dev/null || true
}

group_ended() { ! pgrep -g "$1" --runstates D,R,S,T; }
