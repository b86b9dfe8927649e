//! The tokens of an answer, each as bytes.
//!
//! Start at [`columns`], [`message`] and [`done`]. Nothing here knows what came before; the order
//! of tokens is `answer.rs`'s.

use super::api::{DoneKind, ServerVersion};
use super::encode;
use super::login::VERSION_7_4;
use crate::error::SqlError;
use crate::messages;
use crate::value::{Column, SqlType, Value};

/// The last words of an answer to an attention.
pub(super) const DONE_ATTENTION: u16 = 0x20;
/// More follows in this message.
pub(super) const DONE_MORE: u16 = 0x01;
/// An error was among what this DONE ends.
pub(super) const DONE_ERROR: u16 = 0x02;
/// The row count counts.
pub(super) const DONE_COUNT: u16 = 0x10;

/// The statement was a SELECT; clients that tell row counts from update counts look here.
pub(super) const COMMAND_SELECT: u16 = 0xC1;

const ENV_DATABASE: u8 = 1;
const ENV_LANGUAGE: u8 = 2;
const ENV_PACKET_BYTES: u8 = 4;
const ENV_COLLATION: u8 = 7;
const ENV_BEGIN: u8 = 8;
const ENV_COMMIT: u8 = 9;
const ENV_ROLLBACK: u8 = 10;
const ENV_ENLIST: u8 = 11;
const ENV_PROMOTE: u8 = 15;
const ENV_RESET: u8 = 18;

/// Longest text of a message: with names and numbers it stays far below the token's 64 KiB.
const MESSAGE_CHARACTERS_MAX: usize = 8000;

/// The class of information inside the server.
const CLASS_INFO: u8 = 10;

/// COLMETADATA.
pub(super) fn columns(out: &mut Vec<u8>, columns: &[Column]) {
    out.push(0x81);
    // SQL Server's limit is 4096 columns.
    let count = u16::try_from(columns.len()).unwrap_or(u16::MAX - 1);
    out.extend(count.to_le_bytes());
    for column in columns.iter().take(usize::from(count)) {
        out.extend(0_u32.to_le_bytes());
        out.extend(u16::from(column.nullable).to_le_bytes());
        encode::column_type(out, column);
        short_text(out, &column.name);
    }
}

/// ROW. On an error nothing was written.
pub(super) fn row(out: &mut Vec<u8>, columns: &[Column], row: &[Value]) -> Result<(), SqlError> {
    if row.len() != columns.len() {
        return Err(messages::values_do_not_match());
    }
    let start = out.len();
    out.push(0xD1);
    for (column, value) in columns.iter().zip(row) {
        if let Err(error) = encode::cell(out, column, value) {
            out.truncate(start);
            return Err(error);
        }
    }
    Ok(())
}

/// INFO for class 10 and less, ERROR for the rest. Class 10 travels as 0: SQL Server has it so,
/// for compatibility.
pub(super) fn message(out: &mut Vec<u8>, message: &SqlError, server_name: &str) {
    let mut body = Vec::new();
    body.extend(message.number.to_le_bytes());
    let class = if message.class == CLASS_INFO {
        0
    } else {
        message.class
    };
    body.extend([message.state, class]);
    let text: Vec<u16> = message
        .text
        .encode_utf16()
        .take(MESSAGE_CHARACTERS_MAX)
        .collect();
    body.extend(u16::try_from(text.len()).unwrap_or(0).to_le_bytes());
    body.extend(text.iter().flat_map(|unit| unit.to_le_bytes()));
    short_text(&mut body, server_name);
    short_text(&mut body, message.procedure.as_deref().unwrap_or_default());
    body.extend(message.line.to_le_bytes());
    out.push(if message.is_info() { 0xAB } else { 0xAA });
    counted(out, &body);
}

/// DONE, DONEPROC, DONEINPROC.
pub(super) fn done(out: &mut Vec<u8>, kind: DoneKind, status: u16, command: u16, rows: u64) {
    out.push(match kind {
        DoneKind::Statement => 0xFD,
        DoneKind::Procedure => 0xFE,
        DoneKind::InProcedure => 0xFF,
    });
    out.extend(status.to_le_bytes());
    out.extend(command.to_le_bytes());
    out.extend(rows.to_le_bytes());
}

/// RETURNSTATUS.
pub(super) fn return_status(out: &mut Vec<u8>, status: i32) {
    out.push(0x79);
    out.extend(status.to_le_bytes());
}

/// RETURNVALUE. On an error nothing was written.
pub(super) fn return_value(
    out: &mut Vec<u8>,
    name: &str,
    ordinal: u16,
    ty: SqlType,
    value: &Value,
) -> Result<(), SqlError> {
    let start = out.len();
    out.push(0xAC);
    out.extend(ordinal.to_le_bytes());
    short_text(out, name);
    // An output parameter; user type 0; nullable.
    out.push(1);
    out.extend(0_u32.to_le_bytes());
    out.extend(1_u16.to_le_bytes());
    encode::type_info(out, ty);
    encode::value(out, ty, value).inspect_err(|_| out.truncate(start))
}

/// LOGINACK: the client's own version if we know it. TDS 8.0 clients that say 7.4 want to hear 7.4.
pub(super) fn login_acknowledged(out: &mut Vec<u8>, asked: u32, server: ServerVersion) {
    let mut body = vec![1];
    body.extend(asked.min(VERSION_7_4).to_be_bytes());
    short_text(&mut body, "Microsoft SQL Server");
    body.extend([server.major, server.minor]);
    body.extend(server.build.to_be_bytes());
    out.push(0xAD);
    counted(out, &body);
}

/// FEATUREEXTACK for UTF-8, the one feature we have.
pub(super) fn utf8_acknowledged(out: &mut Vec<u8>) {
    out.extend([0xAE, 0x0A, 1, 0, 0, 0, 1, 0xFF]);
}

/// The current database is another.
pub(super) fn database_changed(out: &mut Vec<u8>, to: &str, from: &str) {
    text_changed(out, ENV_DATABASE, to, from);
}

/// The language is another.
pub(super) fn language_changed(out: &mut Vec<u8>, to: &str, from: &str) {
    text_changed(out, ENV_LANGUAGE, to, from);
}

/// Packets have another size from the next message on.
pub(super) fn packet_bytes_changed(out: &mut Vec<u8>, to: usize, from: usize) {
    text_changed(out, ENV_PACKET_BYTES, &to.to_string(), &from.to_string());
}

/// The collation of the server.
pub(super) fn collation_told(out: &mut Vec<u8>) {
    bytes_changed(out, ENV_COLLATION, &encode::COLLATION, &[]);
}

/// A transaction has begun; the client repeats its descriptor from now on.
pub(super) fn transaction_began(out: &mut Vec<u8>, id: u64) {
    bytes_changed(out, ENV_BEGIN, &id.to_le_bytes(), &[]);
}

/// A transaction was joined.
pub(super) fn transaction_enlisted(out: &mut Vec<u8>, id: u64) {
    bytes_changed(out, ENV_ENLIST, &id.to_le_bytes(), &[]);
}

/// A transaction is over.
pub(super) fn transaction_ended(out: &mut Vec<u8>, id: u64, committed: bool) {
    let kind = if committed { ENV_COMMIT } else { ENV_ROLLBACK };
    bytes_changed(out, kind, &[], &id.to_le_bytes());
}

/// A transaction became a distributed one. Its cookie has a length of four bytes.
pub(super) fn transaction_promoted(out: &mut Vec<u8>, cookie: &[u8]) {
    let cookie = &cookie[..cookie.len().min(MESSAGE_CHARACTERS_MAX)];
    let mut body = vec![ENV_PROMOTE];
    body.extend(u32::try_from(cookie.len()).unwrap_or(0).to_le_bytes());
    body.extend(cookie);
    body.push(0);
    out.push(0xE3);
    counted(out, &body);
}

/// The session was reset.
pub(super) fn session_reset(out: &mut Vec<u8>) {
    bytes_changed(out, ENV_RESET, &[], &[]);
}

fn text_changed(out: &mut Vec<u8>, kind: u8, to: &str, from: &str) {
    let mut body = vec![kind];
    short_text(&mut body, to);
    short_text(&mut body, from);
    out.push(0xE3);
    counted(out, &body);
}

fn bytes_changed(out: &mut Vec<u8>, kind: u8, to: &[u8], from: &[u8]) {
    let mut body = vec![kind];
    for bytes in [to, from] {
        body.push(u8::try_from(bytes.len()).unwrap_or(0));
        body.extend(bytes);
    }
    out.push(0xE3);
    counted(out, &body);
}

/// A body after its length in two bytes. All bodies here are bounded far below that.
fn counted(out: &mut Vec<u8>, body: &[u8]) {
    out.extend(u16::try_from(body.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend(body);
}

/// `B_VARCHAR`: at most 255 characters, cut there.
fn short_text(out: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().take(usize::from(u8::MAX)).collect();
    out.push(u8::try_from(units.len()).unwrap_or(u8::MAX));
    out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
}
