//! tiberius, the crate that the agent itself speaks with, asked for the suite's features.
//!
//! Start at [`run`]. It hands over rows and the first error; messages and later errors go to its log only, so
//! `Ears` listens there, as the agent does.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use tiberius::numeric::Numeric;
use tiberius::{AuthMethod, Client, ColumnData, Command, Config, EncryptionLevel, Row, ToSql};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt as _};

use super::features::VALUES;
use super::servers::{ANY, Servers};
use super::{Told, equal, require};
use crate::hosts::{LOGIN, PASSWORD};

const DATABASE: &str = "tiberius";
const LONG: &str = "WAITFOR DELAY '00:01:00'";
/// Before a long statement: a row that the client sees while the rest still runs.
const SHOWN: &str = "SELECT 1; RAISERROR(N'now', 0, 1) WITH NOWAIT;";

type Session = Client<Compat<TcpStream>>;

/// What went wrong, of whatever kind.
type Fault = Box<dyn std::error::Error + Send + Sync>;

/// How to connect.
struct Wish<'a> {
    host: &'a str,
    encryption: EncryptionLevel,
    password: &'a str,
    database: &'a str,
    trusts_stranger: bool,
    packet_bytes: u32,
}

const ANYHOW: Wish<'static> = Wish {
    host: ANY,
    encryption: EncryptionLevel::Required,
    password: PASSWORD,
    database: DATABASE,
    trusts_stranger: false,
    packet_bytes: 4096,
};

/// Asks for each feature that it has, in this thread, whose log it reads meanwhile.
pub(super) fn run(servers: &Servers, features: &[&str]) -> Vec<Told> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let ears = Ears::default();
    let _guard = tracing::subscriber::set_default(ears.clone());
    let mut told = Vec::new();
    for feature in features {
        let outcome = runtime.block_on(Box::pin(act(servers, &ears, feature)));
        if let Some(outcome) = outcome {
            told.push(Told::new(
                feature,
                outcome.map_err(|fault| fault.to_string()),
            ));
        }
    }
    told
}

async fn act(servers: &Servers, ears: &Ears, feature: &str) -> Option<Result<(), Fault>> {
    use EncryptionLevel as Level;
    Some(match feature {
        "login_off" => is_encrypted(servers, "never", Level::NotSupported, "FALSE").await,
        "login_only" => is_encrypted(servers, ANY, Level::Off, "FALSE").await,
        "login_on" => is_encrypted(servers, "required", Level::Required, "TRUE").await,
        "login_strict" => is_encrypted(servers, "strict", Level::Strict, "TRUE").await,
        "distrust" => {
            is_refused(
                servers,
                &Wish {
                    trusts_stranger: true,
                    ..ANYHOW
                },
            )
            .await
        }
        "never_in_clear" => {
            is_refused(
                servers,
                &Wish {
                    host: "never",
                    ..ANYHOW
                },
            )
            .await
        }
        "packet_sizes" => packet_sizes(servers).await,
        "query" => query(servers).await,
        "columns" => columns(servers).await,
        "parameters" => parameters(servers).await,
        "procedure" => procedure(servers).await,
        "commit" => ends(servers, true).await,
        "rollback" => ends(servers, false).await,
        "first_error" => first_error(servers).await,
        "information" => information(servers, ears).await,
        "cancel" => cancel(servers, ANY).await,
        "cancel_in_one_message" => cancel(servers, "one-message").await,
        "live_progress" => live_progress(servers, ears).await,
        "mark" => mark(servers).await,
        "wrong_password" => {
            let wish = Wish {
                password: "wrong",
                ..ANYHOW
            };
            fails_with(open(servers, &wish).await, 18456)
        }
        "unknown_database" => {
            let wish = Wish {
                database: "nowhere",
                ..ANYHOW
            };
            fails_with(open(servers, &wish).await, 4060)
        }
        "unknown_procedure" => unknown_procedure(servers).await,
        "killed" => killed(servers).await,
        _ => return None,
    })
}

async fn open(servers: &Servers, wish: &Wish<'_>) -> Result<Session, Fault> {
    let address: SocketAddr = servers.address(wish.host);
    let mut config = Config::new();
    config.host(address.ip());
    config.port(address.port());
    config.authentication(AuthMethod::sql_server(LOGIN, wish.password));
    config.database(wish.database);
    config.encryption(wish.encryption);
    config.packet_size(wish.packet_bytes);
    let authority = if wish.trusts_stranger {
        servers.stranger_file()
    } else {
        servers.authority_file()
    };
    config.trust_cert_ca(authority.display());
    let stream = TcpStream::connect(address).await?;
    Ok(Box::pin(Client::connect(config, stream.compat_write())).await?)
}

/// The rows of the last result set.
async fn rows(session: &mut Session, sql: &str) -> Result<Vec<Row>, Fault> {
    let sets = session.simple_query(sql).await?.into_results().await?;
    Ok(sets.into_iter().next_back().unwrap_or_default())
}

/// The first cell of the last result set.
async fn cell(session: &mut Session, sql: &str) -> Result<String, Fault> {
    let rows = rows(session, sql).await?;
    let row = rows.first().ok_or("no row")?;
    Ok(shown(row, 0))
}

fn fails_with<T>(outcome: Result<T, Fault>, number: u32) -> Result<(), Fault> {
    let fault = outcome.err().ok_or("it did not fail")?;
    let error = fault.downcast::<tiberius::error::Error>()?;
    Ok(equal(&error.code(), &Some(number))?)
}

async fn is_encrypted(
    servers: &Servers,
    host: &str,
    encryption: EncryptionLevel,
    expected: &str,
) -> Result<(), Fault> {
    let mut session = open(
        servers,
        &Wish {
            host,
            encryption,
            ..ANYHOW
        },
    )
    .await?;
    let question = "SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID";
    Ok(equal(
        cell(&mut session, question).await?.as_str(),
        expected,
    )?)
}

async fn is_refused(servers: &Servers, wish: &Wish<'_>) -> Result<(), Fault> {
    Ok(require(
        open(servers, wish).await.is_err(),
        "it was let in",
    )?)
}

async fn packet_sizes(servers: &Servers) -> Result<(), Fault> {
    let text = "0123456789abcdeü".repeat(2000);
    for packet_bytes in [512, 32_767] {
        let mut session = open(
            servers,
            &Wish {
                packet_bytes,
                ..ANYHOW
            },
        )
        .await?;
        let question =
            "SELECT net_packet_size FROM sys.dm_exec_connections WHERE session_id = @@SPID";
        equal(
            &cell(&mut session, question).await?,
            &packet_bytes.to_string(),
        )?;
        let long = format!("SELECT CAST(N'{text}' AS nvarchar(max))");
        equal(&cell(&mut session, &long).await?, &text)?;
    }
    Ok(())
}

async fn query(servers: &Servers) -> Result<(), Fault> {
    let mut session = open(servers, &ANYHOW).await?;
    equal(
        cell(&mut session, "SELECT N'Zoë 🦀' AS who")
            .await?
            .as_str(),
        "Zoë 🦀",
    )?;
    let found = rows(&mut session, "SELECT id, word FROM dbo.Words ORDER BY id").await?;
    let found: Vec<_> = found.iter().map(|row| (row.get(0), row.get(1))).collect();
    let word = "é".repeat(200);
    let expected: Vec<_> = (1..=300_i32)
        .map(|id| (Some(id), Some(word.as_str())))
        .collect();
    Ok(require(found == expected, "other rows")?)
}

async fn columns(servers: &Servers) -> Result<(), Fault> {
    let mut session = open(servers, &ANYHOW).await?;
    for (ty, literal, expected) in VALUES {
        let sql = format!("SELECT CAST({literal} AS {ty}), CAST(NULL AS {ty})");
        let rows = rows(&mut session, &sql).await?;
        let found = [0, 1].map(|at| shown(&rows[0], at));
        equal(
            &(ty, found),
            &(ty, [(*expected).to_owned(), "NULL".to_owned()]),
        )?;
    }
    Ok(())
}

async fn parameters(servers: &Servers) -> Result<(), Fault> {
    let mut session = open(servers, &ANYHOW).await?;
    for (ty, _, expected) in VALUES {
        for text in [Some(*expected), None] {
            let value = native(ty, text)?;
            let sql = format!("SELECT CAST(@P1 AS {ty})");
            let answer = session.query(sql, &[value.as_ref()]).await?;
            let row = answer.into_row().await?.ok_or("no row")?;
            equal(
                &(ty, shown(&row, 0).as_str()),
                &(ty, text.unwrap_or("NULL")),
            )?;
        }
    }
    Ok(())
}

async fn procedure(servers: &Servers) -> Result<(), Fault> {
    let mut session = open(servers, &ANYHOW).await?;
    let mut command = Command::new("dbo.AddUp");
    command.bind_param("@a", 2_i32);
    command.bind_param("@b", 5_i32);
    command.bind_out_param("@sum", 0_i32);
    let answer = command
        .exec(&mut session)
        .await?
        .into_command_result()
        .await?;
    let sum: Option<i32> = answer.try_return_value("@sum")?;
    Ok(equal(&(answer.return_code(), sum), &(3, Some(7)))?)
}

async fn ends(servers: &Servers, commits: bool) -> Result<(), Fault> {
    let (mut session, mut other) = (open(servers, &ANYHOW).await?, open(servers, &ANYHOW).await?);
    let word = format!("commits {commits}");
    session.begin_transaction().await?;
    let insert = format!("INSERT INTO dbo.Kept (word) VALUES ('{word}')");
    rows(&mut session, &insert).await?;
    if commits {
        session.commit_transaction().await?;
    } else {
        session.rollback_transaction().await?;
    }
    let question = format!("SELECT COUNT(*) FROM dbo.Kept WHERE word = '{word}'");
    let expected = u8::from(commits).to_string();
    Ok(equal(&cell(&mut other, &question).await?, &expected)?)
}

async fn first_error(servers: &Servers) -> Result<(), Fault> {
    let mut session = open(servers, &ANYHOW).await?;
    let answer = rows(&mut session, "BACKUP LOG model TO DISK = N'never.trn'").await;
    fails_with(answer, 4214)?;
    Ok(equal(cell(&mut session, "SELECT 7").await?.as_str(), "7")?)
}

async fn information(servers: &Servers, ears: &Ears) -> Result<(), Fault> {
    let mut session = open(servers, &ANYHOW).await?;
    let sql = "RAISERROR(N'ten is %d', 10, 1, 10); SELECT 7";
    equal(cell(&mut session, sql).await?.as_str(), "7")?;
    Ok(require(ears.has_heard("ten is 10"), "nothing was heard")?)
}

async fn cancel(servers: &Servers, host: &str) -> Result<(), Fault> {
    let mut session = open(servers, &Wish { host, ..ANYHOW }).await?;
    drop(session.simple_query(format!("{SHOWN} {LONG}")).await?);
    session.cancel_query().await?;
    for number in ["7", "8", "9"] {
        equal(
            cell(&mut session, &format!("SELECT {number}"))
                .await?
                .as_str(),
            number,
        )?;
    }
    Ok(())
}

async fn live_progress(servers: &Servers, ears: &Ears) -> Result<(), Fault> {
    let (mut session, mut other) = (open(servers, &ANYHOW).await?, open(servers, &ANYHOW).await?);
    let batch = servers.backup_that_waits_to_be_seen(DATABASE);
    let tell = async {
        ears.progress.notified().await;
        rows(&mut other, "INSERT INTO dbo.Kept (word) VALUES ('seen')").await
    };
    let (seen, told) = tokio::join!(cell(&mut session, &batch), tell);
    told?;
    Ok(equal(seen?.as_str(), "1")?)
}

async fn mark(servers: &Servers) -> Result<(), Fault> {
    let mut session = open(servers, &ANYHOW).await?;
    let place = "BEGIN TRANSACTION M_tiberius WITH MARK N'from tiberius'; \
        INSERT INTO dbo.Kept (word) VALUES ('marked'); COMMIT TRANSACTION M_tiberius";
    rows(&mut session, place).await?;
    let question = "SELECT database_name + ' ' + description FROM msdb.dbo.logmarkhistory \
        WHERE mark_name = 'M_tiberius'";
    let found = cell(&mut session, question).await?;
    Ok(equal(found.as_str(), "tiberius from tiberius")?)
}

async fn unknown_procedure(servers: &Servers) -> Result<(), Fault> {
    let mut session = open(servers, &ANYHOW).await?;
    fails_with(rows(&mut session, "EXEC dbo.Nowhere 1").await, 2812)?;
    Ok(equal(cell(&mut session, "SELECT 7").await?.as_str(), "7")?)
}

async fn killed(servers: &Servers) -> Result<(), Fault> {
    let (mut session, mut other) = (open(servers, &ANYHOW).await?, open(servers, &ANYHOW).await?);
    let spid = cell(&mut session, "SELECT @@SPID").await?;
    let kill = async {
        let running =
            format!("SELECT COUNT(*) FROM sys.dm_exec_requests WHERE session_id = {spid}");
        while cell(&mut other, &running).await? != "1" {}
        rows(&mut other, &format!("KILL {spid}")).await
    };
    let (outcome, told) = tokio::join!(rows(&mut session, LONG), kill);
    told?;
    require(outcome.is_err(), "the statement ended well")?;
    require(
        rows(&mut session, "SELECT 1").await.is_err(),
        "a killed session answers",
    )?;
    Ok(equal(cell(&mut other, "SELECT 7").await?.as_str(), "7")?)
}

/// A value of tiberius's, of the type that is nearest to the column's.
fn native(ty: &str, text: Option<&str>) -> Result<Box<dyn ToSql>, Fault> {
    const AT: &str = "%Y-%m-%d %H:%M:%S%.f";
    let base = ty.split('(').next().unwrap_or(ty);
    Ok(match base {
        "bit" => Box::new(text.map(|text| text == "1")),
        "tinyint" => Box::new(text.map(str::parse::<u8>).transpose()?),
        "smallint" => Box::new(text.map(str::parse::<i16>).transpose()?),
        "int" => Box::new(text.map(str::parse::<i32>).transpose()?),
        "bigint" => Box::new(text.map(str::parse::<i64>).transpose()?),
        "real" => Box::new(text.map(str::parse::<f32>).transpose()?),
        "float" => Box::new(text.map(str::parse::<f64>).transpose()?),
        "decimal" | "money" | "smallmoney" => Box::new(text.map(numeric).transpose()?),
        "binary" | "varbinary" => Box::new(text.map(bytes).transpose()?),
        "uniqueidentifier" => Box::new(text.map(str::parse::<uuid::Uuid>).transpose()?),
        "date" => Box::new(text.map(str::parse::<NaiveDate>).transpose()?),
        "time" => Box::new(text.map(str::parse::<NaiveTime>).transpose()?),
        "datetime" | "smalldatetime" | "datetime2" => {
            let at = text.map(|text| NaiveDateTime::parse_from_str(text, AT));
            Box::new(at.transpose()?)
        }
        "datetimeoffset" => {
            let at = text.map(str::parse::<DateTime<FixedOffset>>);
            Box::new(at.transpose()?)
        }
        _ => Box::new(text.map(str::to_owned)),
    })
}

fn numeric(text: &str) -> Result<Numeric, Fault> {
    let scale = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    let unscaled = text.replace('.', "").parse()?;
    Ok(Numeric::new_with_scale(unscaled, u8::try_from(scale)?))
}

fn bytes(text: &str) -> Result<Vec<u8>, Fault> {
    let digits = text.strip_prefix("0x").ok_or("no bytes")?;
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16);
    Ok((0..digits.len())
        .step_by(2)
        .map(byte)
        .collect::<Result<_, _>>()?)
}

/// A cell as every client's suite writes it.
fn shown(row: &Row, at: usize) -> String {
    let Some(data) = row.get_column_data(at).ok() else {
        return "no cell".to_owned();
    };
    let told = match data {
        ColumnData::Bit(value) => value.map(|bit| u8::from(bit).to_string()),
        ColumnData::U8(value) => value.map(|number| number.to_string()),
        ColumnData::I16(value) => value.map(|number| number.to_string()),
        ColumnData::I32(value) => value.map(|number| number.to_string()),
        ColumnData::I64(value) => value.map(|number| number.to_string()),
        ColumnData::F32(value) => value.map(|number| number.to_string()),
        ColumnData::F64(value) => value.map(|number| number.to_string()),
        ColumnData::Numeric(value) => value.map(|number| f64::from(number).to_string()),
        ColumnData::Guid(value) => value.map(|id| id.to_string().to_uppercase()),
        ColumnData::Binary(value) => value.as_ref().map(|bytes| hexadecimal(bytes)),
        ColumnData::String(value) => value.as_ref().map(ToString::to_string),
        ColumnData::Date(_) => row.get::<NaiveDate, _>(at).map(|day| day.to_string()),
        ColumnData::Time(_) => row
            .get::<NaiveTime, _>(at)
            .map(|time| time.format("%H:%M:%S%.3f").to_string()),
        ColumnData::DateTimeOffset(_) => row
            .get::<DateTime<FixedOffset>, _>(at)
            .map(|at| at.to_utc().format("%Y-%m-%d %H:%M:%S%.3fZ").to_string()),
        _ => row
            .get::<NaiveDateTime, _>(at)
            .map(|at| at.format("%Y-%m-%d %H:%M:%S%.3f").to_string()),
    };
    told.unwrap_or_else(|| "NULL".to_owned())
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold("0x".to_owned(), |mut text, byte| {
        write!(text, "{byte:02X}").expect("a string");
        text
    })
}

/// Hears what tiberius logs in this thread.
#[derive(Clone, Default)]
struct Ears {
    texts: Arc<Mutex<Vec<String>>>,
    /// Told when a backup's progress was heard.
    progress: Arc<Notify>,
}

impl Ears {
    fn has_heard(&self, words: &str) -> bool {
        let texts = self.texts.lock().expect("nobody panics under it");
        texts.iter().any(|text| text.contains(words))
    }
}

impl tracing::Subscriber for Ears {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "tiberius::tds::stream::token"
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(
            &mut |_: &tracing::field::Field, told: &dyn std::fmt::Debug| {
                let text = format!("{told:?}");
                if text.contains("percent processed") {
                    self.progress.notify_one();
                }
                self.texts
                    .lock()
                    .expect("nobody panics under it")
                    .push(text);
            },
        );
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
