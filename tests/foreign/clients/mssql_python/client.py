"""mssql-python, Microsoft's driver for Python, on Microsoft's ODBC driver 18.

Start at `connect`. Whom it trusts is OpenSSL's affair, which reads it from SSL_CERT_FILE for each connection; in
strict mode the driver also wants the server's own certificate named.
"""

import os

import mssql_python

from features import Refused, Session, Wish, main

ENCRYPT = {"off": "no", "login-only": "no", "on": "yes", "strict": "strict"}
SERVER_MARK = "[SQL Server]"


class MssqlPython(Session):
    def __init__(self, connection):
        self.connection = connection
        self.hear = lambda text: None

    def run(self, sql, parameters=()):
        cursor = self.connection.cursor()
        try:
            sql = sql.replace("%s", "?") if parameters else sql
            cursor.execute(sql, parameters) if parameters else cursor.execute(sql)
            rows = []
            while True:
                for message in cursor.messages:
                    self.hear(str(message))
                if cursor.description:
                    rows = [tuple(row) for row in cursor.fetchall()]
                if not cursor.nextset():
                    return rows
        except mssql_python.Error as error:
            raise refused(error) from error
        finally:
            cursor.close()

    def close(self):
        self.connection.close()

    def listen(self, hear):
        self.hear = hear

    def begin(self):
        self.connection.autocommit = False

    def commit(self):
        self.connection.commit()

    def rollback(self):
        self.connection.rollback()

    def prepared(self, sql, values):
        cursor, cells = self.connection.cursor(), []
        for value in values:
            cursor.execute(sql.replace("%s", "?"), (value,), reset_cursor=not cells)
            cells.append(cursor.fetchone()[0])
        return cells

    def reset(self):
        # Closed, the connection goes back into the pool; the same wish takes it out again.
        again = self.again
        self.connection.close()
        return again()

    def interrupted(self, sql, wait_until_it_runs):
        # The driver's way to give up is a time limit.
        self.connection.timeout = 1
        try:
            self.run(sql)
        except Refused:
            self.connection.timeout = 0
            return
        raise AssertionError("the statement ended well")


def refused(error: Exception) -> Refused:
    """The driver shows the server's words and hides the numbers."""
    texts = str(error).split(SERVER_MARK)[1:]
    return Refused([(None, text) for text in texts] or [(None, str(error))])


def connect(config: dict, wish: Wish) -> Session:
    os.environ["SSL_CERT_FILE"] = wish.authority or config["authority"]
    words = {
        "Server": f"localhost,{config['hosts'][wish.host]}",
        "UID": config["user"],
        "PWD": "{" + (wish.password or config["password"]) + "}",
        "Database": wish.database or config["database"],
        "Encrypt": ENCRYPT[wish.encryption],
    }
    if wish.authority:
        # Another wish to the driver's pool, which would else hand out a connection that it made before.
        words["HostnameInCertificate"] = "localhost"
    if wish.packet_bytes:
        words["PacketSize"] = str(wish.packet_bytes)
    try:
        connection = mssql_python.connect("".join(f"{key}={word};" for key, word in words.items()), autocommit=True)
    except mssql_python.Error as error:
        raise refused(error) from error
    session = MssqlPython(connection)
    session.again = lambda: connect(config, wish)
    return session


main(connect)
