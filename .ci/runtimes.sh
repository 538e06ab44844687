#!/usr/bin/env bash
# The other runtimes of the tests, from npm: Node 24, Deno and Bun, into RUNTIMES_PATH, beside all clones. Those that cannot be
# had here are named, and their tests are skipped, and say so.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=${RUNTIMES_PATH:-$HOME/.cache/spacefeed-runtimes}
mkdir -p "$dir"
[ -f "$dir/package.json" ] || echo '{ "private": true }' > "$dir/package.json"
for runtime in node@24 deno@2 bun@1; do
  name=${runtime%@*}
  timeout 300 npm install --prefix "$dir" --no-audit --no-fund --silent "$runtime" < /dev/null > /dev/null 2>&1 \
    && version=$(timeout 60 "$dir/node_modules/.bin/$name" --version 2> /dev/null | sed -n 1p) \
    || { rm -f "$dir/node_modules/.bin/$name"; version='cannot be installed here: its tests are skipped'; }
  echo "$name ${version#"$name "}"
done
