"""pymssql, which is FreeTDS's DB-Library for Python, with a FreeTDS and an OpenSSL of its own.

Start at `connect`. How a connection is protected stands in a configuration file of FreeTDS's, made for each.
"""

import os
import tempfile

import pymssql

from features import SHOWN, Refused, Session, Unsupported, Wish, equal, main

ENCRYPTION = {"off": "off", "login-only": "request", "on": "require"}
SEVERITY_ERROR = 11


class Pymssql(Session):
    def __init__(self, connection: pymssql.Connection):
        self.connection = connection
        self.heard: list[str] = []
        self.hear = lambda text: None
        connection._conn.set_msghandler(self._message)

    def _message(self, _state, severity, _server, _procedure, _line, text) -> None:
        text = text.decode() if isinstance(text, bytes) else text
        if severity >= SEVERITY_ERROR:
            self.heard.append(text)
        else:
            self.hear(text)

    def run(self, sql, parameters=()):
        self.heard.clear()
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql, parameters) if parameters else cursor.execute(sql)
            rows = []
            while True:
                if cursor.description:
                    rows = cursor.fetchall()
                if not cursor.nextset():
                    return rows
        except pymssql.Error as error:
            raise refused(error, self.heard) from error

    def close(self):
        self.connection.close()

    def listen(self, hear):
        self.hear = hear

    def begin(self):
        # Without autocommit pymssql begins a transaction at once and after each end, in T-SQL.
        self.connection.autocommit(False)

    def commit(self):
        self.connection.commit()

    def rollback(self):
        self.connection.rollback()

    def add_up(self, a, b):
        procedure = self.connection._conn.init_procedure("dbo.AddUp")
        integer = pymssql._mssql.SQLINT4
        procedure.bind(a, integer, "@a")
        procedure.bind(b, integer, "@b")
        procedure.bind(None, integer, "@sum", output=True)
        status = procedure.execute()
        return status, procedure.parameters["@sum"]

    def interrupted(self, sql, wait_until_it_runs):
        # DB-Library cancels in the thread that reads, so there must be something to read first.
        cursor = self.connection.cursor()
        cursor.execute(SHOWN + sql)
        equal(cursor.fetchone()[0], 1)
        self.connection._conn.cancel()


def refused(error: pymssql.Error, heard: list[str]) -> Refused:
    """The exception has the number of the first error; the texts of all went to the handler."""
    arguments = error.args[0] if error.args and isinstance(error.args[0], tuple) else error.args
    if len(arguments) < 2:
        return Refused([(None, str(error))])
    number, text = arguments[:2]
    text = text.decode() if isinstance(text, bytes) else str(text)
    return Refused([(number, text), *((None, later) for later in heard[1:])])


def connect(config: dict, wish: Wish) -> Session:
    if wish.encryption == "strict" or wish.packet_bytes:
        raise Unsupported
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(
            "[host]\nhost = 127.0.0.1\ntds version = 7.4\n"
            f"client charset = UTF-8\nencryption = {ENCRYPTION[wish.encryption]}\n"
        )
        if wish.encryption == "on":
            file.write(f"ca file = {wish.authority or config['authority']}\n")
        file.flush()
        os.environ["FREETDSCONF"] = file.name
        try:
            connection = pymssql.connect(
                server="host",
                port=str(config["hosts"][wish.host]),
                user=config["user"],
                password=wish.password or config["password"],
                database=wish.database or config["database"],
                autocommit=True,
                login_timeout=20,
            )
        except pymssql.Error as error:
            raise refused(error, []) from error
    return Pymssql(connection)


main(connect)
