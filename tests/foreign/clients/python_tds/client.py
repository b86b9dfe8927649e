"""python-tds, TDS in nothing but Python; its TLS is pyOpenSSL's.

Start at `connect`.
"""

import threading

import pytds

from features import SHOWN, Refused, Session, Unsupported, Wish, equal, main

POLL_SECONDS = 0.02


class PythonTds(Session):
    def __init__(self, connection):
        self.connection = connection
        self.cursor = connection.cursor()
        self.hear = None

    def run(self, sql, parameters=()):
        ended = threading.Event()
        listener = threading.Thread(target=self._listen, args=(ended,))
        listener.start()
        try:
            parameters = tuple(pytds.Binary(one) if isinstance(one, bytes) else one for one in parameters)
            self.cursor.execute(sql, parameters or None)
            rows = []
            while True:
                if self.cursor.description:
                    rows = self.cursor.fetchall()
                if not self.cursor.nextset():
                    return rows
        except pytds.Error as error:
            raise self._refused(error) from error
        finally:
            ended.set()
            listener.join()

    def _listen(self, ended: threading.Event) -> None:
        """python-tds collects messages while it reads; who wants them live must look."""
        while self.hear:
            over = ended.wait(POLL_SECONDS)
            for _, message in self.cursor.messages or []:
                self.hear(str(message))
            if over:
                return

    def _refused(self, error: pytds.Error) -> Refused:
        told = [message for _, message in self.cursor.messages or []]
        errors = [(one.number, str(one)) for one in told if one.severity > 10]
        return Refused(errors or [(getattr(error, "number", None), str(error))])

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

    def add_up(self, a, b):
        outputs = self.cursor.callproc("dbo.AddUp", (a, b, pytds.output(param_type="int")))
        return self.cursor.get_proc_return_status(), outputs[2]

    def interrupted(self, sql, wait_until_it_runs):
        # The thread that reads is the only one that may cancel, so it must have something to read first.
        self.cursor.execute(SHOWN + sql)
        equal(self.cursor.fetchone()[0], 1)
        self.cursor.cancel()


def connect(config: dict, wish: Wish) -> Session:
    if wish.encryption == "strict":
        raise Unsupported
    protection = {}
    if wish.encryption != "off":
        protection = {
            "cafile": wish.authority or config["authority"],
            "enc_login_only": wish.encryption == "login-only",
        }
    try:
        connection = pytds.connect(
            dsn="localhost",
            port=config["hosts"][wish.host],
            user=config["user"],
            password=wish.password or config["password"],
            database=wish.database or config["database"],
            autocommit=True,
            login_timeout=20,
            blocksize=wish.packet_bytes or 4096,
            disable_connect_retry=True,
            **protection,
        )
    except pytds.Error as error:
        # Its number is that of the last error; its text is that of all.
        raise Refused([(None, str(error))]) from error
    return PythonTds(connection)


main(connect)
