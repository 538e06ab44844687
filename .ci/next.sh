#!/usr/bin/env bash
# The packages in projects that are CommonJS: TypeScript's older ways to find modules, Jest without any settings, and
# Next.js (next-project), whose pages are rendered on the server and taken over in Chromium without a complaint.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/ask.sh
. .ci/chromium.sh
. .ci/package.sh
export NEXT_TELEMETRY_DISABLED=1

cp -R .ci/next-project "$dir/project"
cd "$dir/project"
run 300 'npm install, from the registry and the tarballs' npm install --no-audit --no-fund "$page" "$server"
for resolution in node10 node16 nodenext; do
  run 120 "tsc, moduleResolution $resolution, CommonJS" npx tsc --project "tsconfig.$resolution.json"
done
CORS_ORIGINS='*' start_relay
create_hall "$relay"
RELAY_URL=$relay run 120 'jest' npx jest
run 300 'next build' npx next build
start_site npx next start --hostname 127.0.0.1
echo "installed, checked, tested and built: Next.js $(version_of next), Jest $(version_of jest), TypeScript $(version_of typescript)"

cd "$root"
timeout --kill-after=10 120 node .ci/next-page.mjs "$site" "$relay" < /dev/null || fail 'the page' "$dir/site.log"
