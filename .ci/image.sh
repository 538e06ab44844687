#!/usr/bin/env bash
# The Docker image: built, run against a Postgres container, healthy, not root, used, stopped.
# NODE_IMAGE and TEST_POSTGRES_IMAGE name other base images than the official ones.
set -euo pipefail
cd "$(dirname "$0")/.."
. .ci/ask.sh

name=spacefeed-ci-$$
image=spacefeed-ci:latest
clean() {
  docker rm -fv "$name-relay" "$name-postgres" > /dev/null 2>&1 || true
  docker network rm "$name" > /dev/null 2>&1 || true
  rm -f "$log"
}
log=$(mktemp)
trap clean EXIT

docker build ${NODE_IMAGE:+--build-arg NODE_IMAGE="$NODE_IMAGE"} --tag "$image" . > "$log" 2>&1 < /dev/null \
  || fail 'docker build' "$log"
echo "built $image: $(docker image inspect -f '{{.Size}}' "$image" | awk '{ printf "%.0f MB", $1 / 1e6 }')"

docker network create "$name" > /dev/null
docker run -d --name "$name-postgres" --network "$name" -e POSTGRES_PASSWORD=secret \
  "${TEST_POSTGRES_IMAGE:-postgres:18}" postgres -c fsync=off > /dev/null
# Not waiting for Postgres: the relay has to, or has to be restarted until it is there.
docker run -d --name "$name-relay" --network "$name" -p 127.0.0.1::8787 --health-interval=1s --restart on-failure \
  -e DATABASE_URL="postgres://postgres:secret@$name-postgres:5432/postgres" "$image" > /dev/null

relay_fail() {
  docker logs "$name-relay" > "$log" 2>&1 || true
  fail "$1" "$log"
}
healthy() { [ "$(docker inspect -f '{{.State.Health.Status}}' "$name-relay")" = healthy ]; }
until_true 90 healthy || relay_fail 'the container does not get healthy in 90 s'

uid=$(docker exec "$name-relay" id -u)
[ "$uid" != 0 ] || relay_fail 'the container runs as root'
url=http://$(docker port "$name-relay" 8787/tcp | sed -n 1p)
curl --fail-with-body -sS --max-time 10 --retry 30 --retry-delay 1 --retry-all-errors "$url/readyz" || relay_fail '/readyz'
echo
create_hall "$url"

started=$SECONDS
docker stop --time 30 "$name-relay" > /dev/null
[ $((SECONDS - started)) -le 10 ] || relay_fail 'docker stop took more than 10 s'
code=$(docker inspect -f '{{.State.ExitCode}}' "$name-relay")
[ "$code" = 0 ] || relay_fail "docker stop: exit code $code"
echo "healthy as user $uid; stopped in $((SECONDS - started)) s with exit code 0"

if docker compose version > /dev/null 2>&1; then
  docker compose config --quiet
  echo 'compose.yaml is valid'
else
  echo 'skipped: compose.yaml is not validated, there is no docker compose here'
fi
