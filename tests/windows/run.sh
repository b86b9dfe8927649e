#!/usr/bin/env bash
# The Windows service under wine: `tests/windows/run.sh STOPMARK.EXE`. Installed, started, asked over HTTP, told to
# read its configuration again, stopped, started with a broken configuration, removed. Start reading at the last lines.
#
# Wine is no Windows: it runs every service as the same user, knows no rights, and does not keep an event log. What
# is shown is that the program speaks with a service control manager as it should.
#
# It ends only what it started, and leaves nothing running.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
program=${1:?usage: run.sh STOPMARK.EXE}
ready_seconds_max=60
# On a disk, whatever TMPDIR says: wine's folder takes 700 MB, and is no slower there.
work=$(TMPDIR='' mktemp -d)
# Silent, but for what is written to the event log, which wine shows and does not keep.
export WINEPREFIX=$work/prefix WINEDEBUG=-all,err+eventlog,warn+eventlog WINEARCH=win64
# No window is ever shown, and neither .NET nor a browser engine is asked for.
export DISPLAY='' WINEDLLOVERRIDES='mscoree=;mshtml='
keeper=

say() {
  printf 'windows: %s (%s s)\n' "$*" "$SECONDS"
}

fail() {
  printf 'windows: %s\n' "$*" >&2
  tail -n 40 "$work"/logs/* "$work"/*.out "$work/wine.err" >&2 2>/dev/null || true
  exit 1
}

# windows_path PATH: as a Windows program sees it.
windows_path() {
  printf 'Z:%s' "${1//\//\\}"
}

# in_wine COMMAND...: what it says on stderr goes into a file that a failure shows.
in_wine() {
  timeout 120 "$wine" "$@" 2>>"$work/wine.err" | tr -d '\r'
}

stopmark() {
  in_wine "$work/stopmark.exe" --config "$(windows_path "$work/stopmark.toml")" "$@"
}

# expect TEXT COMMAND...: its output has the text.
expect() {
  local text=$1 said
  shift
  said=$("$@") || true
  grep -qF -- "$text" <<<"$said" || fail "\`$*\` does not say \`$text\` but: $said"
}

# until_so COMMAND...: tries until it succeeds, for a while.
until_so() {
  local began=$SECONDS
  until "$@"; do
    [ $((SECONDS - began)) -lt "$ready_seconds_max" ] || fail "\`$*\` did not come true"
    sleep 0.2
  done
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

is_healthy() {
  [ "$(curl --silent --max-time 5 "http://127.0.0.1:$port/healthz")" = ok ]
}

# scm VERB: asks the service control manager.
scm() {
  in_wine "$work/scm.exe" "$1"
}

is_running() {
  scm query | grep -q 'state 4 '
}

is_stopped() {
  scm query | grep -q 'state 1 '
}

# The host is nobody: the service works without it, and says so.
write_config() {
  mkdir -p "$work/share" "$work/store" "$credentials"
  cat >"$work/stopmark.toml" <<TOML
format = 1
[group]
name = "wine"
management_host = "NOBODY"
members = ["NOBODY/Orders"]
[hosts.NOBODY]
address = "127.0.0.1,1"
login = { user = "stopmark", password = { credential = "nobody" } }
share = { sql = '\\\\nas\\share', agent = '$(windows_path "$work/share")' }
[store]
url = "file:///Z:$work/store"
[page]
listen = "127.0.0.1:$port"
[paths]
state = "state"
logs = "logs"
TOML
}

# Services end with the last program of a user, so one stays.
start_wine() {
  timeout 120 "$wine" wineboot --init >>"$work/wine.out" 2>>"$work/wine.err"
  # What making the prefix started ends first: it would end under the feet of what follows.
  timeout 60 "$wineserver" --wait
  "$wine" "$work/scm.exe" stay >/dev/null 2>>"$work/wine.err" </dev/null &
  keeper=$!
}

# What speaks with the manager, and what Rust's standard library asks for from Windows 10 on.
build_tools() {
  local build=(x86_64-w64-mingw32-gcc -Wall -Wextra -Werror -O1 -s)
  "${build[@]}" -o "$work/scm.exe" "$here/scm.c" -ladvapi32
  # Beside the program; a wine that has its own finds that one first.
  "${build[@]}" -shared -o "$work/bcryptprimitives.dll" "$here/process_prng.c" -ladvapi32
}

clean_up() {
  local status=$?
  trap - EXIT
  # Of this prefix alone.
  "$wineserver" --kill 2>/dev/null || true
  [ -z "$keeper" ] || kill "$keeper" 2>/dev/null || true
  [ -z "$keeper" ] || wait "$keeper" 2>/dev/null || true
  "$wineserver" --wait 2>/dev/null || true
  rm -rf "$work"
  exit "$status"
}

# The same command is a service for Windows and a program for a person.
runs_in_the_foreground() {
  "$wine" "$work/stopmark.exe" --config "$(windows_path "$work/stopmark.toml")" service run \
    >"$work/foreground.out" 2>&1 &
  local foreground=$!
  until_so is_healthy
  in_wine taskkill /f /im stopmark.exe >/dev/null
  wait "$foreground" 2>/dev/null || true
  say "it runs in the foreground"
}

seals_a_credential() {
  expect 'kept in' stopmark secret set hosts.NOBODY.login.password <<<'nobody knows'
  grep -q '^stopmark-dpapi-1:' "$credentials/nobody" || fail "the credential is not sealed"
  ! grep -q 'nobody knows' "$credentials/nobody" || fail "the credential is in the clear"
  expect 'ok      hosts.NOBODY.login.password' stopmark secret test
  # Wine tells a service another folder of programs' data than a person's program.
  mkdir -p "$WINEPREFIX/drive_c/users/Public"
  cp -R "$(dirname "$credentials")" "$WINEPREFIX/drive_c/users/Public/"
  say "a credential is sealed, and opened"
}

is_installed() {
  expect 'service Stopmark made' stopmark service install
  expect 'brought up to date' stopmark service install
  expect 'start 2 account NT SERVICE\Stopmark' scm config
  expect '\stopmark.toml service run' scm config
  expect 'EventCreate.exe' in_wine reg query 'HKLM\System\CurrentControlSet\Services\EventLog\Application\Stopmark'
  say "it is installed, twice"
}

serves() {
  local said
  scm start
  until_so is_running
  until_so is_healthy
  say "it is started, and healthy"
  sed -i 's/^name = "wine"/name = "other"/' "$work/stopmark.toml"
  scm reload >/dev/null
  until_so grep -q 'the old configuration stays in force' -r "$work/logs"
  sed -i 's/^name = "other"/name = "wine"/' "$work/stopmark.toml"
  say "it read its configuration again, and refused it"
  # `[service] stop_within` and half a minute is what it asks for, unless it has stopped before the answer was made: it
  # has nothing to end.
  said=$(scm stop) || true
  case $said in
    *'state 1 accepts 0 exit 0 specific 0'*) ;;
    *) expect 'state 3 accepts 0 exit 0 specific 0 wait_ms 330000' echo "$said" ;;
  esac
  until_so is_stopped
  expect 'exit 0 specific 0' scm query
  until_so grep -q 'the service has stopped' -r "$work/logs"
  say "it is stopped"
}

# 1066 says that the code is the service's own, and 10 that the configuration has faults.
tells_why_it_ends() {
  printf 'nonsense = 1\n' >>"$work/stopmark.toml"
  scm start
  until_so is_stopped
  expect 'exit 1066 specific 10' scm query
  sed -i '/^nonsense/d' "$work/stopmark.toml"
  grep -q 'eventlog.*nonsense' "$work/wine.err" || fail "the event log does not say why"
  say "its end with a broken configuration has a code, and a reason in the event log"
}

is_removed() {
  expect 'removed: now' stopmark service uninstall
  expect 'there is no service' stopmark service uninstall
  say "it is removed, twice"
}

wine=$(command -v wine) || fail "wine is not installed"
wineserver=$(command -v wineserver) || fail "wine is not installed"
port=$(free_port)
credentials=$WINEPREFIX/drive_c/ProgramData/Stopmark/credentials
trap clean_up EXIT
trap 'exit 130' INT TERM
cp "$program" "$work/stopmark.exe"
build_tools
start_wine
write_config
say "wine is ready"
expect stopmark stopmark --version
seals_a_credential
is_installed
serves
tells_why_it_ends
is_removed
runs_in_the_foreground
say "passed"
