"""What every client written in Python is asked to do, whatever its own words for it are.

Start at `main`. A client gives a `connect(config, wish)` that returns a `Session`; the features below are told in
nothing but those. One JSON line is printed for each feature that the client has: {feature, ok, detail}. A feature
that raises `Unsupported` is left out, and the suite knows why.

Nothing here decides what a client must be able to do: the suite's list does (conformance/features.rs).
"""

import dataclasses
import datetime
import decimal
import json
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable

LONG = "WAITFOR DELAY '00:01:00'"
# Before LONG: a row that the client sees while the rest still runs.
SHOWN = "SELECT 1; RAISERROR(N'now', 0, 1) WITH NOWAIT; "
PATIENCE_SECONDS = 20


class Unsupported(Exception):
    """The client has no way to do this."""


class Refused(Exception):
    """What the server said no with: (number, text) of each error, the number None where the client hides it."""

    def __init__(self, errors: list[tuple[int | None, str]]):
        super().__init__(errors)
        self.errors = errors

    def has(self, at: int, number: int, words: str) -> bool:
        """Whether the error at this place is this one."""
        if at >= len(self.errors):
            return False
        told, text = self.errors[at]
        return told == number if told is not None else words in text


@dataclasses.dataclass(frozen=True)
class Wish:
    """How to connect."""

    host: str = "login-only"
    encryption: str = "on"
    password: str | None = None
    database: str | None = None
    authority: str | None = None
    packet_bytes: int | None = None


class Session:
    """One connection. A client overrides what it can do; `run` it must."""

    def run(self, sql: str, parameters: tuple = ()) -> list[tuple]:
        """The rows of the last result set; raises `Refused`."""
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def listen(self, hear: Callable[[str], None]) -> None:
        """Gives the text of each message to `hear`, while the statement still runs."""
        raise Unsupported

    def begin(self) -> None:
        raise Unsupported

    def commit(self) -> None:
        raise Unsupported

    def rollback(self) -> None:
        raise Unsupported

    def prepared(self, sql: str, values: Iterable[int]) -> list[int]:
        """Prepares a statement with one parameter once, runs it with each value: the first cells."""
        raise Unsupported

    def add_up(self, a: int, b: int) -> tuple[int, int]:
        """Calls dbo.AddUp by name: its return status and its output parameter."""
        raise Unsupported

    def cancel(self) -> None:
        """From another thread: gives up what runs."""
        raise Unsupported

    def reset(self) -> "Session":
        """What a pool does between two users of one connection."""
        raise Unsupported

    def interrupted(self, sql: str, wait_until_it_runs: Callable[[], None]) -> None:
        """Runs a statement, gives it up, and returns once the client says so."""
        ended = background(lambda: self.run(sql))
        wait_until_it_runs()
        self.cancel()
        ended.wait()
        require(ended.error is not None, "the statement ended well")


class background:
    """Runs something in a thread and keeps its outcome."""

    def __init__(self, act: Callable[[], object]):
        self.value = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run, args=(act,), daemon=True)
        self.thread.start()

    def _run(self, act: Callable[[], object]) -> None:
        try:
            self.value = act()
        except BaseException as error:  # the outcome, whatever it is
            self.error = error

    def wait(self) -> None:
        self.thread.join(PATIENCE_SECONDS)
        require(not self.thread.is_alive(), "it did not end")


def require(is_true: object, otherwise: object) -> None:
    if not is_true:
        raise AssertionError(otherwise)


def equal(found: object, expected: object) -> None:
    require(found == expected, f"{found!r} instead of {expected!r}")


def shown(value: object) -> str:
    """A value as every client's suite writes it."""
    match value:
        case None:
            return "NULL"
        case bool():
            return str(int(value))
        case decimal.Decimal():
            return format(value.normalize(), "f")
        case bytes() | bytearray() | memoryview():
            return "0x" + bytes(value).hex().upper()
        case uuid.UUID():
            return str(value).upper()
        case datetime.datetime(tzinfo=None):
            return value.isoformat(" ", "milliseconds")
        case datetime.datetime():
            there = value.astimezone(datetime.timezone.utc).replace(tzinfo=None)
            return there.isoformat(" ", "milliseconds") + "Z"
        case datetime.time():
            return value.isoformat("milliseconds")
        case _:
            return str(value)


def native(type_name: str, text: str) -> object:
    """The Python value that `shown` would write so."""
    base = type_name.partition("(")[0]
    if base in ("bit", "tinyint", "smallint", "int", "bigint"):
        return int(text)
    if base in ("real", "float"):
        return float(text)
    if base in ("decimal", "money", "smallmoney"):
        return decimal.Decimal(text)
    if base in ("binary", "varbinary"):
        return bytes.fromhex(text[2:])
    if base == "uniqueidentifier":
        return uuid.UUID(text)
    if base == "date":
        return datetime.date.fromisoformat(text)
    if base == "time":
        return datetime.time.fromisoformat(text)
    if base in ("datetime", "smalldatetime", "datetime2"):
        return datetime.datetime.fromisoformat(text)
    if base == "datetimeoffset":
        utc = datetime.datetime.fromisoformat(text.removesuffix("Z"))
        return utc.replace(tzinfo=datetime.timezone.utc)
    return text


class Probe:
    """The features; each method is one, named as the suite names it."""

    def __init__(self, config: dict, connect: Callable[[dict, Wish], Session]):
        self.config = config
        self._connect = connect

    def open(self, **wish: object) -> Session:
        return self._connect(self.config, Wish(**wish))

    def is_encrypted(self, expected: str, **wish: object) -> None:
        session = self.open(**wish)
        question = "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID"
        equal(session.run(question)[0][0], expected)
        session.close()

    def is_refused(self, **wish: object) -> BaseException:
        try:
            session = self.open(**wish)
            session.run("SELECT 1")
        except (Unsupported, AssertionError):
            raise
        except Exception as error:
            return error
        raise AssertionError("it was let in")

    def fails(self, session: Session, sql: str) -> Refused:
        try:
            session.run(sql)
        except Refused as refused:
            return refused
        raise AssertionError(f"{sql} did not fail")

    def spid(self, session: Session) -> int:
        return int(session.run("SELECT @@SPID")[0][0])

    def wait_until_it_runs(self, spid: int, host: str = Wish.host) -> None:
        other = self.open(host=host)
        deadline = time.monotonic() + PATIENCE_SECONDS
        question = f"SELECT COUNT(*) FROM sys.dm_exec_requests WHERE session_id = {spid}"
        while int(other.run(question)[0][0]) == 0:
            require(time.monotonic() < deadline, "it never began")
        other.close()

    def login_off(self) -> None:
        self.is_encrypted("FALSE", host="never", encryption="off")

    def login_only(self) -> None:
        self.is_encrypted("FALSE", host="login-only", encryption="login-only")

    def login_on(self) -> None:
        for host in ("login-only", "required"):
            self.is_encrypted("TRUE", host=host, encryption="on")

    def login_strict(self) -> None:
        self.is_encrypted("TRUE", host="strict", encryption="strict")

    def distrust(self) -> None:
        self.is_refused(host="required", authority=self.config["stranger"])

    def never_in_clear(self) -> None:
        self.is_refused(host="never", encryption="on")

    def packet_sizes(self) -> None:
        text = "0123456789abcdeü" * 2000
        for size in (512, 32767):
            session = self.open(host="never", encryption="off", packet_bytes=size)
            question = "SELECT net_packet_size FROM sys.dm_exec_connections WHERE session_id = @@SPID"
            equal(int(session.run(question)[0][0]), size)
            equal(session.run(f"SELECT CAST(N'{text}' AS nvarchar(max))")[0][0], text)
            session.close()

    def query(self) -> None:
        session = self.open()
        equal(session.run("SELECT N'Zoë 🦀' AS who, 7 AS n, NULL AS nothing")[0][0:2], ("Zoë 🦀", 7))
        rows = session.run("SELECT id, word FROM dbo.Words ORDER BY id")
        equal([row[0] for row in rows], list(range(1, 301)))
        equal({row[1] for row in rows}, {"é" * 200})
        session.close()

    def columns(self) -> None:
        session = self.open()
        for type_name, literal, expected in self.config["values"]:
            found = session.run(f"SELECT CAST({literal} AS {type_name}), CAST(NULL AS {type_name})")[0]
            equal((type_name, shown(found[0]), found[1]), (type_name, expected, None))
        session.close()

    def parameters(self) -> None:
        session = self.open()
        for type_name, _, expected in self.config["values"]:
            for value in (native(type_name, expected), None):
                found = session.run(f"SELECT CAST(%s AS {type_name})", (value,))[0][0]
                equal((type_name, shown(found)), (type_name, shown(value)))
        session.close()

    def prepared(self) -> None:
        session = self.open()
        equal(session.prepared("SELECT 2 * %s", [3, 4, 5]), [6, 8, 10])
        session.close()

    def procedure(self) -> None:
        session = self.open()
        equal(session.add_up(2, 5), (3, 7))
        session.close()

    def commit(self) -> None:
        self.end_transaction(lambda session: session.commit(), 1)

    def rollback(self) -> None:
        self.end_transaction(lambda session: session.rollback(), 0)

    def end_transaction(self, end: Callable[[Session], None], rows: int) -> None:
        session, other, word = self.open(), self.open(), uuid.uuid4().hex
        session.begin()
        session.run(f"INSERT INTO dbo.Kept (word) VALUES ('{word}'); SELECT @@TRANCOUNT")
        end(session)
        equal(int(other.run(f"SELECT COUNT(*) FROM dbo.Kept WHERE word = '{word}'")[0][0]), rows)
        session.close()
        other.close()

    def first_error(self) -> None:
        session = self.open()
        refused = self.fails(session, "BACKUP LOG model TO DISK = N'never.trn'")
        require(refused.has(0, 4214, "there is no current database backup"), refused.errors)
        equal(session.run("SELECT 7")[0][0], 7)
        session.close()

    def both_errors(self) -> None:
        session = self.open()
        refused = self.fails(session, "BACKUP LOG model TO DISK = N'never.trn'")
        require(refused.has(1, 3013, "BACKUP LOG is terminating abnormally"), refused.errors)
        session.close()

    def information(self) -> None:
        session, heard = self.open(), []
        session.listen(heard.append)
        equal(session.run("RAISERROR(N'ten is %d', 10, 1, 10); SELECT 7")[0][0], 7)
        require(any("ten is 10" in text for text in heard), heard)
        session.close()

    def cancel(self) -> None:
        self.cancel_at("login-only")

    def cancel_in_one_message(self) -> None:
        self.cancel_at("one-message")

    def cancel_at(self, host: str) -> None:
        session = self.open(host=host)
        spid = self.spid(session)
        session.interrupted(LONG, lambda: self.wait_until_it_runs(spid, host))
        for number in (7, 8, 9):
            equal(session.run(f"SELECT {number}")[0][0], number)
        equal(self.spid(session), spid)
        session.close()

    def reset(self) -> None:
        session = self.open()
        spid = self.spid(session)
        session.run("CREATE TABLE #Mine (id int); USE master; SELECT 1")
        session = session.reset()
        equal(self.spid(session), spid)
        equal(session.run("SELECT DB_NAME(), OBJECT_ID('tempdb..#Mine')")[0], (self.config["database"], None))
        session.close()

    def live_progress(self) -> None:
        session, seen = self.open(), threading.Event()
        session.listen(lambda text: seen.set() if "percent processed" in text else None)

        def tell() -> None:
            if seen.wait(PATIENCE_SECONDS):
                other = self.open()
                other.run("INSERT INTO dbo.Kept (word) VALUES ('seen'); SELECT 1")
                other.close()

        telling = background(tell)
        # The batch ends well only if its progress was seen while it ran.
        equal(int(session.run(self.config["backup"])[0][0]), 1)
        telling.wait()
        session.close()

    def mark(self) -> None:
        session, name = self.open(), "M_" + uuid.uuid4().hex[:20]
        session.run(
            f"BEGIN TRANSACTION {name} WITH MARK N'from {self.config['database']}'; "
            f"INSERT INTO dbo.Kept (word) VALUES ('marked'); COMMIT TRANSACTION {name}; SELECT 1"
        )
        rows = session.run(
            f"SELECT database_name, description FROM msdb.dbo.logmarkhistory WHERE mark_name = '{name}'"
        )
        database = self.config["database"]
        equal([tuple(row) for row in rows], [(database, f"from {database}")])
        session.close()

    def wrong_password(self) -> None:
        self.told(self.is_refused(password="wrong"), 18456, "Login failed for user")

    def unknown_database(self) -> None:
        self.told(self.is_refused(database="nowhere"), 4060, "Cannot open database")

    def told(self, error: BaseException, number: int, words: str) -> None:
        """That the client was told this error, be it among others."""
        require(isinstance(error, Refused), repr(error))
        places = range(len(error.errors))
        require(any(error.has(at, number, words) for at in places), error.errors)

    def unknown_procedure(self) -> None:
        session = self.open()
        refused = self.fails(session, "EXEC dbo.Nowhere 1")
        require(refused.has(0, 2812, "Could not find stored procedure"), refused.errors)
        equal(session.run("SELECT 7")[0][0], 7)
        session.close()

    def killed(self) -> None:
        session, other = self.open(), self.open()
        spid = self.spid(session)
        running = background(lambda: session.run(LONG))
        self.wait_until_it_runs(spid)
        other.run(f"KILL {spid}; SELECT 1")
        running.wait()
        require(running.error is not None, "the statement ended well")
        try:
            session.run("SELECT 1")
            raise AssertionError("a killed session answers")
        except AssertionError:
            raise
        except Exception:
            pass
        equal(other.run("SELECT 7")[0][0], 7)
        other.close()


def main(connect: Callable[[dict, Wish], Session]) -> None:
    config = json.loads(sys.argv[1])
    probe = Probe(config, connect)
    for feature in config["features"]:
        try:
            getattr(probe, feature)()
            told = {"feature": feature, "ok": True, "detail": ""}
        except Unsupported:
            continue
        except BaseException as error:
            told = {"feature": feature, "ok": False, "detail": f"{type(error).__name__}: {error}"}
        print(json.dumps(told), flush=True)
