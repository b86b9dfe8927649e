//! From messages to requests: batches, calls, transaction manager requests.
//!
//! Start at [`parse`]. Nothing is carried out here.

use super::api::{BeginTransaction, Request, RpcName, RpcParameter};
use super::decode::{self, Trouble};
use super::malformed::{Cursor, Malformed, utf16};
use super::packet::Kind;
use crate::error::SqlError;

/// SQL Server's limit of parameters of one call.
const PARAMETERS_MAX: usize = 2100;
/// Calls in one message.
const CALLS_MAX: usize = 1024;

const PARAMETER_OUTPUT: u8 = 0x01;
const CALL_SEPARATOR: u8 = 0xFF;
const CALL_SEPARATOR_NO_EXECUTE: u8 = 0xFE;

/// What a message asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    /// Requests to be carried out in this order; one unless it is a message of several calls.
    For(Vec<Request>),
    /// The client must hear this error; the connection lives on.
    Wrongly(SqlError),
}

/// Reads a request message. Other kinds of message are malformed here.
pub(super) fn parse(kind: Kind, payload: &[u8]) -> Result<Asked, Malformed> {
    let requests = match kind {
        Kind::Batch => {
            let mut from = Cursor::new(payload, "batch");
            skip_headers(&mut from)?;
            vec![Request::Batch(utf16(from.take_rest()))]
        }
        Kind::TransactionManager => {
            let mut from = Cursor::new(payload, "transaction manager request");
            skip_headers(&mut from)?;
            match transaction_request(&mut from)? {
                Some(request) => vec![request],
                None => return Ok(Asked::Wrongly(unsupported_transaction_request())),
            }
        }
        Kind::Rpc => match calls(payload) {
            Ok(calls) => calls,
            Err(Trouble::Malformed(malformed)) => return Err(malformed),
            Err(Trouble::UnknownType(ty)) => return Ok(Asked::Wrongly(unknown_type(ty))),
        },
        _ => {
            return Err(Malformed(
                "request: a message of this type is not expected here",
            ));
        }
    };
    Ok(Asked::For(requests))
}

/// `ALL_HEADERS`: the transaction descriptor, which the session knows itself, and tracing.
fn skip_headers(from: &mut Cursor<'_>) -> Result<(), Malformed> {
    let total = from.length()?;
    from.bytes(total.checked_sub(4).ok_or(from.malformed())?)?;
    Ok(())
}

fn calls(payload: &[u8]) -> Result<Vec<Request>, Trouble> {
    let mut from = Cursor::new(payload, "RPC request");
    skip_headers(&mut from)?;
    let mut calls = Vec::new();
    while !from.is_empty() {
        if calls.len() == CALLS_MAX {
            return Err(from.malformed().into());
        }
        calls.push(call(&mut from)?);
    }
    if calls.is_empty() {
        return Err(from.malformed().into());
    }
    Ok(calls)
}

/// One call, with the separator after it.
fn call(from: &mut Cursor<'_>) -> Result<Request, Trouble> {
    let procedure = match from.u16()? {
        u16::MAX => RpcName::ById(from.u16()?),
        characters => RpcName::ByName(from.utf16(usize::from(characters))?),
    };
    let _options = from.u16()?;
    let mut parameters = Vec::new();
    while let Some(next) = from.peek() {
        if matches!(next, CALL_SEPARATOR | CALL_SEPARATOR_NO_EXECUTE) {
            from.u8()?;
            break;
        }
        if parameters.len() == PARAMETERS_MAX {
            return Err(from.malformed().into());
        }
        let name = from.short_text()?;
        let output = from.u8()? & PARAMETER_OUTPUT != 0;
        let (ty, value) = decode::parameter(from)?;
        parameters.push(RpcParameter {
            name,
            value,
            ty,
            output,
        });
    }
    Ok(Request::Rpc {
        procedure,
        parameters,
    })
}

/// A transaction manager request; `None` for one of an unknown number.
fn transaction_request(from: &mut Cursor<'_>) -> Result<Option<Request>, Malformed> {
    Ok(Some(match from.u16()? {
        0 => Request::GetDtcAddress,
        1 => {
            let length = usize::from(from.u16()?);
            Request::PropagateTransaction(from.bytes(length)?.to_vec())
        }
        5 => Request::Begin(begin(from)?),
        6 => Request::PromoteTransaction,
        7 => Request::Commit {
            name: name(from)?,
            and_begin: and_begin(from)?,
        },
        8 => Request::Rollback {
            name: name(from)?,
            and_begin: and_begin(from)?,
        },
        9 => Request::Save(name(from)?),
        _ => return Ok(None),
    }))
}

fn begin(from: &mut Cursor<'_>) -> Result<BeginTransaction, Malformed> {
    let isolation = from.u8()?;
    let name = if from.is_empty() {
        String::new()
    } else {
        name(from)?
    };
    Ok(BeginTransaction { isolation, name })
}

/// `SqlClient` and tedious count a name's bytes, tiberius and go-mssqldb its characters. What
/// follows a name is nothing or one byte of flags, and that tells them apart.
fn name(from: &mut Cursor<'_>) -> Result<String, Malformed> {
    let length = usize::from(from.u8()?);
    let counts_characters = matches!(from.len().checked_sub(2 * length), Some(0 | 1));
    let bytes = if counts_characters {
        2 * length
    } else {
        length
    };
    Ok(utf16(from.bytes(bytes)?))
}

/// Clients without autocommit ask for the next transaction along with the end of this one.
fn and_begin(from: &mut Cursor<'_>) -> Result<Option<BeginTransaction>, Malformed> {
    if from.is_empty() || from.u8()? & 1 == 0 {
        return Ok(None);
    }
    begin(from).map(Some)
}

/// SQL Server raises 8009 here; it names the parameter, which we have not kept.
fn unknown_type(ty: u8) -> SqlError {
    SqlError::new(
        8009,
        16,
        format!(
            "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream \
             is incorrect. Data type 0x{ty:02X} is unknown."
        ),
    )
}

/// What SQL Server says of a stream that it cannot make sense of.
fn unsupported_transaction_request() -> SqlError {
    SqlError::new(
        4002,
        16,
        "The incoming tabular data stream (TDS) protocol stream is incorrect. The stream ended \
         unexpectedly.",
    )
}
