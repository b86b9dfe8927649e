#!/bin/sh
# Parses a PowerShell script by the grammar of tree-sitter, and looks whether it keeps the rules of the house:
# run.sh FILE. There is no PowerShell in any package registry that a test could run it with.
#
# Grammar and parser go into a cache folder on first use (STOPMARK_POWERSHELL_CACHE, default
# ~/.cache/stopmark-powershell) and nothing into the system.
set -eu

file=${1:?usage: run.sh FILE}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${STOPMARK_POWERSHELL_CACHE:-${HOME:?}/.cache/stopmark-powershell}

mkdir -p "$cache"
# Tests run side by side: one installs, the others wait. The lock ends with this process's descriptor.
exec 9>"$cache/lock"
flock 9
if [ ! -e "$cache/ready" ]; then
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        tree-sitter==0.26.1 tree-sitter-powershell==0.26.4
    touch "$cache/ready"
fi
exec 9>&-

exec "$cache/venv/bin/python" "$here/parse.py" "$file"
