#!/usr/bin/env bash
# The package as a user meets it: packed, installed into a new Vite + React project (pack-project), checked with
# strict types, built, served beside the package's own relay, and looked at in Chromium.
# pack.sh REACT TYPESCRIPT takes these major versions instead of the newest: pack.sh 18 5
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/ask.sh
. .ci/chromium.sh
. .ci/package.sh

tar -tzf "$tarball" | sed 's,^package/,,' | sort > "$dir/files"
# npm itself adds the three below to the "files" of package.json.
grep -vE '^(bin/spacefeed\.mjs$|dist/|sql/|src/)|^(package\.json|README\.md|LICENSE)$' "$dir/files" > "$log" && fail 'in the package, by mistake' "$log"
grep -E '\.tsbuildinfo$|\.test\.|(^|/)\.' "$dir/files" > "$log" && fail 'of no use in the package' "$log"
printf '%s: %d files, %d KiB\n' "${tarball##*/}" "$(wc -l < "$dir/files")" "$(($(stat -c %s "$tarball") / 1024))"
run 60 'publint' npx publint --strict "$tarball"
# The server is ESM only, which Node's require() takes.
run 120 'are the types wrong?' npx attw "$tarball" --exclude-entrypoints server
run 60 'are the types of the server wrong?' npx attw "$tarball" --entrypoints server --ignore-rules cjs-resolves-to-esm

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
echo "installed, imported, checked and built: React $(version_of react), TypeScript $(version_of typescript)"

start_relay
start_site sh -c 'exec npx vite preview --host 127.0.0.1 --port "$PORT" --strictPort'

cd "$root"
create_hall "$relay"
say_with_sql "$(embedded_database "$dir/data")"
timeout --kill-after=10 120 node .ci/pack-page.mjs "$site" "$relay" "$dir/project" < /dev/null || fail 'the page' "$dir/relay.log"
