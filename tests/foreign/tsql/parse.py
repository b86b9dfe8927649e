"""Parses T-SQL files with Microsoft's own parser (ScriptDom, the grammar of SQL Server 2019).

Usage: parse.py ASSEMBLY FILE...      one batch a file

Prints `FILE:LINE:COLUMN: MESSAGE` for every syntax error, then how many batches it read. Ends with 0 when
all are sound, with 1 when one is not or when there was nothing to read. `run.sh` prepares what it needs.

The parser checks grammar and the names of options; it knows no server, so objects need not exist.
"""

import json
import pathlib
import sys
import tempfile

import dotnetcore2
from clr_loader import get_coreclr
from pythonnet import set_runtime


def start_runtime() -> None:
    """Starts .NET Core from the `dotnetcore2` package, without ICU, which it would look for in the system."""
    root = pathlib.Path(dotnetcore2.__file__).parent / "bin"
    versions = sorted(path.name for path in (root / "shared/Microsoft.NETCore.App").iterdir())
    options = {
        "runtimeOptions": {
            "framework": {"name": "Microsoft.NETCore.App", "version": versions[-1]},
            "configProperties": {"System.Globalization.Invariant": True},
        }
    }
    with tempfile.NamedTemporaryFile("w", suffix=".runtimeconfig.json", delete=False) as file:
        json.dump(options, file)
    try:
        set_runtime(get_coreclr(runtime_config=file.name, dotnet_root=str(root)))
        import clr  # noqa: F401  the import starts the runtime, which reads the file
    finally:
        pathlib.Path(file.name).unlink()


def faults(parser, path: pathlib.Path) -> list[str]:
    """The syntax errors of one file."""
    from System.IO import StringReader

    _, errors = parser.Parse(StringReader(path.read_text(encoding="utf-8")), None)
    return [f"{path}:{error.Line}:{error.Column}: {error.Message}" for error in errors or []]


def main(arguments: list[str]) -> int:
    assembly, *files = arguments
    start_runtime()
    import clr

    clr.AddReference(assembly)
    from Microsoft.SqlServer.TransactSql.ScriptDom import TSql150Parser

    # The flag says that quoted identifiers are on, as in every session of ours.
    parser = TSql150Parser(True)
    found = [fault for name in files for fault in faults(parser, pathlib.Path(name))]
    for fault in found:
        print(fault)
    print(f"{len(files)} batches read, {len(found)} syntax errors")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
