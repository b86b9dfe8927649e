"""Microsoft's SqlClient for .NET, driven from Python: the package mssql-cli carries its assembly.

Start at `connect`. STOPMARK_SQLCLIENT names the assembly. .NET asks SSL_CERT_FILE once whom to trust, so whoever wants
to trust someone else starts another process.
"""

import datetime
import decimal
import json
import os
import subprocess
import sys
import uuid

from features import Refused, Session, Unsupported, Wish, main, require
from parse import start_runtime

# The runtime looks here when it makes its first connection, and never again.
os.environ["SSL_CERT_FILE"] = json.loads(sys.argv[1])["authority"]
start_runtime()

import clr  # noqa: E402  only a started runtime has it

clr.AddReference(os.environ["STOPMARK_SQLCLIENT"])
from System import AggregateException, Array, Byte, DateTime, DateTimeOffset, DBNull, Decimal, Guid, Int32, TimeSpan  # noqa: E402
from System.Data import CommandType, ParameterDirection, SqlDbType  # noqa: E402
from System.Data.SqlClient import SqlCommand, SqlConnection, SqlException, SqlParameter  # noqa: E402
from System.Globalization import CultureInfo  # noqa: E402
from System.Threading import CancellationTokenSource  # noqa: E402

PATIENCE_MILLISECONDS = 20_000
PLAIN = CultureInfo.InvariantCulture


def parameter(name: str, value: object) -> SqlParameter:
    """A parameter of the type that .NET has for a Python value."""
    kind, there = SqlDbType.NVarChar, value
    match value:
        case None:
            there = DBNull.Value
        case int():
            kind = SqlDbType.BigInt
        case float():
            kind = SqlDbType.Float
        case decimal.Decimal():
            kind, there = SqlDbType.Decimal, Decimal.Parse(str(value), PLAIN)
        case bytes():
            kind, there = SqlDbType.VarBinary, Array[Byte](value)
        case uuid.UUID():
            kind, there = SqlDbType.UniqueIdentifier, Guid.Parse(str(value))
        case datetime.datetime(tzinfo=None):
            kind, there = SqlDbType.DateTime2, DateTime.Parse(value.isoformat(), PLAIN)
        case datetime.datetime():
            kind, there = SqlDbType.DateTimeOffset, DateTimeOffset.Parse(value.isoformat(), PLAIN)
        case datetime.date():
            kind, there = SqlDbType.Date, DateTime.Parse(value.isoformat(), PLAIN)
        case datetime.time():
            kind, there = SqlDbType.Time, TimeSpan.Parse(value.isoformat(), PLAIN)
    made = SqlParameter(name, kind)
    made.Value = there
    return made


def cell(value: object, type_name: str) -> object:
    """The Python value for one of .NET's."""
    match value:
        case DBNull():
            return None
        case Decimal():
            return decimal.Decimal(value.ToString(PLAIN))
        case Guid():
            return uuid.UUID(value.ToString())
        case DateTime() if type_name == "date":
            return datetime.date.fromisoformat(value.ToString("yyyy-MM-dd"))
        case DateTime():
            return datetime.datetime.fromisoformat(value.ToString("yyyy-MM-ddTHH:mm:ss.ffffff"))
        case DateTimeOffset():
            return datetime.datetime.fromisoformat(value.ToString("yyyy-MM-ddTHH:mm:ss.ffffffzzz"))
        case TimeSpan():
            return datetime.time.fromisoformat(value.ToString("hh\\:mm\\:ss\\.ffffff"))
    return bytes(value) if isinstance(value, Array[Byte]) else value


class SqlClient(Session):
    def __init__(self, words: str):
        self.words = words
        self.connection = SqlConnection(words)
        self.transaction = None
        try:
            self.connection.Open()
        except SqlException as error:
            raise refused(error) from error

    def _command(self, sql: str) -> SqlCommand:
        command = SqlCommand(sql, self.connection, self.transaction)
        command.CommandTimeout = 0
        return command

    def run(self, sql, parameters=()):
        for at in range(len(parameters)):
            sql = sql.replace("%s", f"@p{at}", 1)
        command = self._command(sql)
        for at, value in enumerate(parameters):
            command.Parameters.Add(parameter(f"@p{at}", value))
        try:
            return self._read(command)
        except SqlException as error:
            raise refused(error) from error

    def _read(self, command: SqlCommand) -> list[tuple]:
        reader, rows = command.ExecuteReader(), []
        try:
            while True:
                if reader.FieldCount:
                    rows = []
                while reader.Read():
                    places = range(reader.FieldCount)
                    rows.append(tuple(cell(reader.GetValue(at), reader.GetDataTypeName(at)) for at in places))
                if not reader.NextResult():
                    return rows
        finally:
            reader.Close()

    def close(self):
        self.connection.Close()

    def listen(self, hear):
        self.connection.InfoMessage += lambda _, told: hear(told.Message)

    def begin(self):
        self.transaction = self.connection.BeginTransaction()

    def commit(self):
        self.transaction.Commit()

    def rollback(self):
        self.transaction.Rollback()

    def prepared(self, sql, values):
        command = self._command(sql.replace("%s", "@value"))
        value = SqlParameter("@value", SqlDbType.Int)
        command.Parameters.Add(value)
        command.Prepare()
        cells = []
        for number in values:
            value.Value = Int32(number)
            cells.append(command.ExecuteScalar())
        return cells

    def add_up(self, a, b):
        command = self._command("dbo.AddUp")
        command.CommandType = CommandType.StoredProcedure
        for name, value, direction in (
            ("@a", a, ParameterDirection.Input),
            ("@b", b, ParameterDirection.Input),
            ("@sum", None, ParameterDirection.Output),
            ("@status", None, ParameterDirection.ReturnValue),
        ):
            made = SqlParameter(name, SqlDbType.Int)
            made.Direction = direction
            if value is not None:
                made.Value = Int32(value)
            command.Parameters.Add(made)
        command.ExecuteNonQuery()
        return command.Parameters["@status"].Value, command.Parameters["@sum"].Value

    def interrupted(self, sql, wait_until_it_runs):
        # On Linux only what was begun asynchronously can be cancelled (dotnet/SqlClient issue 109).
        source = CancellationTokenSource()
        task = self._command(sql).ExecuteReaderAsync(source.Token)
        wait_until_it_runs()
        source.Cancel()
        try:
            task.Wait(PATIENCE_MILLISECONDS)
        except AggregateException:
            return
        raise AssertionError("the statement did not end, or it ended well")

    def reset(self):
        # Closed, the connection goes back into the pool; the same words take it out again.
        self.close()
        return SqlClient(self.words)


def refused(error: SqlException) -> Refused:
    return Refused([(one.Number, one.Message) for one in error.Errors])


def trusts(authority: str, config: dict) -> None:
    """Tries the same in a process that trusts this authority alone."""
    config = json.dumps({**config, "authority": authority, "features": ["login_on"]})
    child = subprocess.run([sys.executable, __file__, config], capture_output=True, check=False)
    require(child.returncode == 0, child.stderr)
    told = json.loads(child.stdout)
    if not told["ok"]:
        raise Refused([(None, told["detail"])])


def connect(config: dict, wish: Wish) -> Session:
    if wish.encryption == "strict":
        raise Unsupported
    if wish.authority:
        trusts(wish.authority, config)
        wish = Wish()
    words = {
        "Data Source": f"tcp:localhost,{config['hosts'][wish.host]}",
        "User ID": config["user"],
        "Password": '"' + (wish.password or config["password"]) + '"',
        "Initial Catalog": wish.database or config["database"],
        "Encrypt": str(wish.encryption == "on"),
        "Connect Timeout": "20",
        # It would try a refused database again after ten seconds.
        "ConnectRetryCount": "0",
        "Packet Size": str(wish.packet_bytes or 8000),
    }
    return SqlClient(";".join(f"{key}={word}" for key, word in words.items()))


main(connect)
