//! PRELOGIN: who we are, and how much of the talk shall be encrypted.
//!
//! Start at [`negotiate`], which is the whole policy in one table. Nothing is encrypted here.

use super::api::ServerVersion;
use super::malformed::{Cursor, Malformed};

/// How much a server insists on encryption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// No TLS at all (`ENCRYPT_NOT_SUP`): what an instance without any certificate would do.
    Never,
    /// The login is encrypted, the rest only if the client asks: SQL Server's default.
    LoginOnly,
    /// Everything is encrypted, and clients that cannot are refused: "Force Encryption".
    Required,
    /// Only TDS 8.0, where TLS comes first: "Force Strict Encryption".
    Strict,
}

/// What was agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreed {
    Plain,
    LoginOnly,
    Everything,
}

const ENCRYPT_OFF: u8 = 0;
const ENCRYPT_ON: u8 = 1;
pub(super) const ENCRYPT_NOT_SUPPORTED: u8 = 2;
const ENCRYPT_REQUIRED: u8 = 3;

const OPTION_VERSION: u8 = 0;
const OPTION_ENCRYPTION: u8 = 1;
const OPTION_INSTANCE: u8 = 2;
const OPTION_THREAD: u8 = 3;
const OPTION_MARS: u8 = 4;
const OPTION_FEDERATED: u8 = 6;
const OPTION_END: u8 = 0xFF;

/// What a client said in PRELOGIN, so far as it matters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Prelogin {
    pub(super) encryption: u8,
    federated_asked: bool,
}

/// The byte to answer and what it means, by [MS-TDS] 2.2.6.5's table. `None`: the two cannot
/// agree, and the answer tells the client so before the connection ends.
pub(super) const fn negotiate(server: Encryption, client: u8) -> (u8, Option<Agreed>) {
    match (server, client) {
        (Encryption::Never, ENCRYPT_ON | ENCRYPT_REQUIRED) => {
            // ODBC and pymssql hang up; tedious goes on in clear text, so we must be ready.
            (ENCRYPT_NOT_SUPPORTED, Some(Agreed::Plain))
        }
        (Encryption::Never, _) | (Encryption::LoginOnly, ENCRYPT_NOT_SUPPORTED) => {
            (ENCRYPT_NOT_SUPPORTED, Some(Agreed::Plain))
        }
        (Encryption::LoginOnly, ENCRYPT_OFF) => (ENCRYPT_OFF, Some(Agreed::LoginOnly)),
        (Encryption::LoginOnly, _) | (Encryption::Required, ENCRYPT_ON | ENCRYPT_REQUIRED) => {
            (ENCRYPT_ON, Some(Agreed::Everything))
        }
        (Encryption::Required, ENCRYPT_OFF) => (ENCRYPT_REQUIRED, Some(Agreed::Everything)),
        (Encryption::Required | Encryption::Strict, _) => (ENCRYPT_REQUIRED, None),
    }
}

/// Reads the client's PRELOGIN. The option table holds offsets into the same bytes.
pub(super) fn parse(payload: &[u8]) -> Result<Prelogin, Malformed> {
    let mut table = Cursor::new(payload, "PRELOGIN");
    let mut found = Prelogin {
        encryption: ENCRYPT_NOT_SUPPORTED,
        federated_asked: false,
    };
    loop {
        let option = table.u8()?;
        if option == OPTION_END {
            return Ok(found);
        }
        let offset = usize::from(u16::from_be_bytes(table.array()?));
        let length = usize::from(u16::from_be_bytes(table.array()?));
        let value = payload
            .get(offset..offset + length)
            .ok_or(table.malformed())?;
        match (option, value) {
            // 0x80 asks for client certificates, which no one uses on premises.
            (OPTION_ENCRYPTION, [asked, ..]) => found.encryption = asked & 0x0F,
            (OPTION_FEDERATED, [_, ..]) => found.federated_asked = true,
            _ => {}
        }
    }
}

/// The server's PRELOGIN.
pub(super) fn reply(client: &Prelogin, encryption: u8, version: ServerVersion) -> Vec<u8> {
    let [build_high, build_low] = version.build.to_be_bytes();
    let version = vec![version.major, version.minor, build_high, build_low, 0, 0];
    let mut options = vec![
        (OPTION_VERSION, version),
        (OPTION_ENCRYPTION, vec![encryption]),
        (OPTION_INSTANCE, vec![0]),
        (OPTION_THREAD, Vec::new()),
        (OPTION_MARS, vec![0]),
    ];
    if client.federated_asked {
        options.push((OPTION_FEDERATED, vec![0]));
    }
    let mut table = Vec::new();
    let mut values = Vec::new();
    // Five bytes an option, one for the end: six options at most, so all lengths fit.
    let start = options.len() * 5 + 1;
    for (option, value) in options {
        let offset = u16::try_from(start + values.len()).unwrap_or(u16::MAX);
        let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
        table.push(option);
        table.extend(offset.to_be_bytes());
        table.extend(length.to_be_bytes());
        values.extend(value);
    }
    table.push(OPTION_END);
    table.extend(values);
    table
}
