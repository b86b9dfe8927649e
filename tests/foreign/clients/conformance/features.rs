//! What a client of SQL Server does, who does it, and who cannot, with the reason.
//!
//! Start at [`FEATURES`]. The suite asks every client for every feature; what is not in [`LACKS`] must work, and what
//! is there must not, so that the list cannot grow stale. Nothing here talks to anything.

/// A feature: the name by which the programs know it, and how the table of the README tells it.
pub(super) const FEATURES: [(&str, &str); 26] = [
    ("login_off", "logs in without encryption"),
    ("login_only", "encrypts the login only"),
    (
        "login_on",
        "encrypts everything, inside TDS 7.4 (TLS 1.2 at most)",
    ),
    ("login_strict", "encrypts everything, TDS 8 strict"),
    ("distrust", "refuses a certificate of a strange authority"),
    (
        "never_in_clear",
        "refuses to go on in clear text when it asked for encryption",
    ),
    ("packet_sizes", "packets of 512 and of 32767 bytes"),
    ("query", "rows, Unicode, an answer of many packets"),
    ("columns", "columns of every type, and NULL in each"),
    ("parameters", "parameters of every type, and NULL in each"),
    ("prepared", "a statement prepared once, run often"),
    (
        "procedure",
        "a procedure called by name: its status and output",
    ),
    ("commit", "a transaction, committed"),
    ("rollback", "a transaction, rolled back"),
    ("first_error", "of 4214 and 3013, the first is the error"),
    ("both_errors", "of 4214 and 3013, both are told, in order"),
    (
        "information",
        "a message of severity 10 is heard and is no error",
    ),
    (
        "cancel",
        "cancels a long statement, then goes on (two messages)",
    ),
    (
        "cancel_in_one_message",
        "the same where the server answers in one message",
    ),
    ("reset", "a connection out of a pool is reset"),
    ("live_progress", "a backup's progress is seen while it runs"),
    ("mark", "a marked transaction stands in `logmarkhistory`"),
    ("wrong_password", "a wrong password: 18456"),
    ("unknown_database", "an unknown database: 4060"),
    ("unknown_procedure", "an unknown procedure: 2812"),
    ("killed", "a session killed at work ends, and no other"),
];

/// A client, by the name of its folder, and what the table's head says of it.
pub(super) const CLIENTS: [(&str, &str); 7] = [
    ("freetds", "FreeTDS `tsql`"),
    ("pymssql", "pymssql"),
    ("python_tds", "python-tds"),
    ("mssql_python", "mssql-python (ODBC 18)"),
    ("tedious", "tedious"),
    ("sqlclient", ".NET SqlClient"),
    ("tiberius", "tiberius"),
];

/// What a client cannot do, and why.
pub(super) const LACKS: &[(&str, &str, &str)] = &[
    ("freetds", "login_strict", NO_TDS_8),
    (
        "freetds",
        "packet_sizes",
        "it asks for packets of 4096 bytes, whatever its configuration says",
    ),
    ("freetds", "parameters", "it sends T-SQL and nothing else"),
    ("freetds", "prepared", "it sends T-SQL and nothing else"),
    ("freetds", "procedure", "it sends T-SQL and nothing else"),
    ("freetds", "cancel", "it has no key for it"),
    ("freetds", "cancel_in_one_message", "it has no key for it"),
    ("freetds", "reset", NO_POOL),
    ("pymssql", "login_strict", NO_TDS_8),
    ("pymssql", "packet_sizes", "it offers no packet size"),
    ("pymssql", "prepared", "it writes values into the text"),
    ("pymssql", "reset", NO_POOL),
    (
        "pymssql",
        "unknown_database",
        "of a refused login it shows the last error only",
    ),
    ("python_tds", "login_strict", NO_TDS_8),
    ("python_tds", "prepared", "it never prepares"),
    ("python_tds", "reset", NO_POOL),
    (
        "mssql_python",
        "procedure",
        "it calls procedures by T-SQL, without status and output",
    ),
    (
        "mssql_python",
        "both_errors",
        "it shows the first error only",
    ),
    (
        "mssql_python",
        "live_progress",
        "it shows messages when the statement is over",
    ),
    (
        "mssql_python",
        "unknown_database",
        "of a refused login it shows 18456 only",
    ),
    ("tedious", "login_only", "it encrypts everything or nothing"),
    (
        "tedious",
        "never_in_clear",
        "it goes on in clear text where the server has no encryption",
    ),
    (
        "tedious",
        "cancel_in_one_message",
        "it waits five seconds for the second message, and ends the connection",
    ),
    (
        "sqlclient",
        "login_strict",
        "this one (2019) is older than TDS 8",
    ),
    ("tiberius", "prepared", "it never prepares"),
    (
        "tiberius",
        "both_errors",
        "later errors go to its log only, without a place",
    ),
    (
        "tiberius",
        "cancel",
        "it wants the acknowledgement in the same message, and loses its place after two",
    ),
    ("tiberius", "reset", NO_POOL),
];

const NO_TDS_8: &str = "it does not speak TDS 8";
const NO_POOL: &str = "it has no pool";

/// Values of every type: its name, a value as T-SQL writes it, and how every client of the suite shows it. Times have
/// whole milliseconds, and numbers few digits, because some clients know no more.
pub(super) const VALUES: &[(&str, &str, &str)] = &[
    ("bit", "1", "1"),
    ("tinyint", "255", "255"),
    ("smallint", "-2", "-2"),
    ("int", "-2147483648", "-2147483648"),
    ("bigint", "-9007199254740993", "-9007199254740993"),
    ("real", "0.5", "0.5"),
    ("float", "-0.25", "-0.25"),
    ("decimal(19,4)", "-12345678.9012", "-12345678.9012"),
    ("money", "-12.0625", "-12.0625"),
    ("smallmoney", "7.89", "7.89"),
    ("char(3)", "'abc'", "abc"),
    ("varchar(10)", "'Gr€ße'", "Gr€ße"),
    ("varchar(max)", "'Gr€ße'", "Gr€ße"),
    ("text", "'Gr€ße'", "Gr€ße"),
    ("nchar(2)", "N'ñ!'", "ñ!"),
    ("nvarchar(20)", "N'Zoë 🦀'", "Zoë 🦀"),
    ("nvarchar(max)", "N'Zoë 🦀'", "Zoë 🦀"),
    ("ntext", "N'Zoë 🦀'", "Zoë 🦀"),
    ("binary(2)", "0x0102", "0x0102"),
    ("varbinary(8)", "0x00FF", "0x00FF"),
    ("varbinary(max)", "0xABCDEF", "0xABCDEF"),
    (
        "uniqueidentifier",
        "'6F9619FF-8B86-D011-B42D-00C04FC964FF'",
        "6F9619FF-8B86-D011-B42D-00C04FC964FF",
    ),
    ("date", "'2026-11-21'", "2026-11-21"),
    ("time(3)", "'09:04:13.120'", "09:04:13.120"),
    (
        "datetime",
        "'2026-11-21T09:04:13.120'",
        "2026-11-21 09:04:13.120",
    ),
    (
        "smalldatetime",
        "'2026-11-21T09:04:00'",
        "2026-11-21 09:04:00.000",
    ),
    (
        "datetime2(3)",
        "'2026-11-21T09:04:13.120'",
        "2026-11-21 09:04:13.120",
    ),
    (
        "datetimeoffset(3)",
        "'2026-11-21T09:04:13.120+05:30'",
        "2026-11-21 03:34:13.120Z",
    ),
];

/// Why a client cannot do this, if it cannot.
pub(super) fn reason(client: &str, feature: &str) -> Option<&'static str> {
    let found = LACKS
        .iter()
        .find(|(who, what, _)| *who == client && *what == feature);
    found.map(|(_, _, reason)| *reason)
}
