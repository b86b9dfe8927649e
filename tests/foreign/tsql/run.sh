#!/bin/sh
# Parses every *.sql file of a folder with Microsoft's T-SQL parser: run.sh FOLDER
#
# The parser is an assembly inside the PyPI package mssql-cli; it runs on the .NET Core runtime of the package
# dotnetcore2, driven by pythonnet. All of it goes into a cache folder on first use
# (STOPMARK_TSQL_CACHE, default ~/.cache/stopmark-tsql) and nothing into the system.
set -eu

folder=${1:?usage: run.sh FOLDER}
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cache=${STOPMARK_TSQL_CACHE:-${HOME:?}/.cache/stopmark-tsql}
assembly=Microsoft.SqlServer.TransactSql.ScriptDom.dll
wheel_sha256=edb3850ab8ffa077c64270f27263f6377fdb5bd5bb5c5b4990c5fb08f49627b6
python=$cache/venv/bin/python

mkdir -p "$cache"
# Tests run side by side: one installs, the others wait. The lock ends with this process's descriptor.
exec 9>"$cache/lock"
flock 9
if [ ! -e "$cache/ready" ]; then
    python3 -m venv "$cache/venv"
    "$python" -m pip install --quiet pythonnet==3.2.1 dotnetcore2==3.1.23
    # The wheel is for Linux on x86-64, but only its assembly is taken, which runs anywhere.
    "$python" -m pip download --quiet --no-deps --only-binary=:all: \
        --platform manylinux1_x86_64 --dest "$cache/wheels" mssql-cli==1.0.0
    wheel=$(find "$cache/wheels" -name 'mssql_cli-1.0.0-*.whl')
    echo "$wheel_sha256  $wheel" | sha256sum --check --quiet
    "$python" -m zipfile --extract "$wheel" "$cache/wheel"
    cp "$cache/wheel/mssqlcli/mssqltoolsservice/bin/$assembly" "$cache/$assembly"
    rm -rf "$cache/wheel" "$cache/wheels"
    touch "$cache/ready"
fi
exec 9>&-

exec "$python" "$here/parse.py" "$cache/$assembly" "$folder"/*.sql
