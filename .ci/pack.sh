#!/usr/bin/env bash
# The package as a user meets it: packed, installed into a new Vite + React project (pack-project), checked with
# strict types, built, served beside the package's own relay, and looked at in Chromium.
# pack.sh REACT TYPESCRIPT takes these major versions instead of the newest: pack.sh 18 5
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/ask.sh
. .ci/chromium.sh
unset DATABASE_URL NODE_ENV

root=$PWD
dir=$(mktemp -d)
chmod 755 "$dir" # root's Postgres runs as another user, who has to enter
log=$dir/log
relay_pid='' preview_pid=''
clean() {
  [ -z "$preview_pid" ] || end_group "$preview_pid"
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

run 300 'npm pack' npm pack --pack-destination "$dir"
tarball=$(find "$dir" -maxdepth 1 -name '*.tgz')
tar -tzf "$tarball" | sed 's,^package/,,' | sort > "$dir/files"
# npm itself adds the three below to the "files" of package.json.
grep -vE '^(bin/spacefeed\.mjs$|dist/|sql/|src/)|^(package\.json|README\.md|LICENSE)$' "$dir/files" > "$log" && fail 'in the package, by mistake' "$log"
grep -E '\.tsbuildinfo$|\.test\.|(^|/)\.' "$dir/files" > "$log" && fail 'of no use in the package' "$log"
printf '%s: %d files, %d KiB\n' "${tarball##*/}" "$(wc -l < "$dir/files")" "$(($(stat -c %s "$tarball") / 1024))"

cp -R .ci/pack-project "$dir/project"
cd "$dir/project"
if [ $# = 2 ]; then
  run 10 'npm pkg set' npm pkg set "dependencies.react=^$1" "dependencies.react-dom=^$1" \
    "devDependencies[@types/react]=^$1" "devDependencies[@types/react-dom]=^$1" "devDependencies.typescript=^$2"
fi
run 300 'npm install, from the registry and the tarball' npm install --no-audit --no-fund "$tarball"
run 60 'the installed files' node "$root/.ci/pack-installed.mjs" "$PWD"
run 120 'tsc, moduleResolution bundler' npx tsc --project tsconfig.json
run 120 'tsc, moduleResolution nodenext' npx tsc --project tsconfig.nodenext.json
run 120 'vite build' npx vite build
run 120 'vite build --ssr' npx vite build --ssr src/say.ts --outDir say
version_of() { node -p "require('./node_modules/$1/package.json').version"; }
echo "installed, imported, checked and built: React $(version_of react), TypeScript $(version_of typescript)"

port=$(free_port)
relay=http://127.0.0.1:$port
set -m # process groups of their own
PORT="$port" DATA_DIR="$dir/data" npx spacefeed serve < /dev/null > "$dir/relay.log" 2>&1 &
relay_pid=$!
ready_or_over() { curl -fsS --max-time 5 "$relay/readyz" || ! kill -0 "$relay_pid"; }
until_true 120 ready_or_over || fail 'spacefeed serve: /readyz does not answer after 120 s' "$dir/relay.log"
kill -0 "$relay_pid" 2> /dev/null || fail 'spacefeed serve ended' "$dir/relay.log"

port=$(free_port)
site=http://127.0.0.1:$port
RELAY_URL=$relay npx vite preview --host 127.0.0.1 --port "$port" --strictPort < /dev/null > "$dir/preview.log" 2>&1 &
preview_pid=$!
set +m
until_true 60 curl -fsS --max-time 5 "$site" || fail 'vite preview does not answer' "$dir/preview.log"

cd "$root"
create_hall "$relay"
say_with_sql "$(embedded_database "$dir/data")"
timeout --kill-after=10 120 node .ci/pack-page.mjs "$site" "$relay" "$dir/project" < /dev/null || fail 'the page' "$dir/relay.log"
