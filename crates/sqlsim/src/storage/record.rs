//! What the log says: one record for each thing that must survive.
//!
//! Start at [`Record`]. Transactions are known by a number of the log's own, which never comes
//! twice in a log, so that a record can never be taken for one of another transaction.

use jiff::civil::DateTime;
use mtf::Lsn;
use uuid::Uuid;

use super::codec::{Decoded, Decoder, Encoder, Malformed};
use super::database::{MarkInfo, PrepareInfo};
use super::facts::RecoveryModel;
use super::ids::{RowId, TableId};
use super::rows::Write;

/// One log record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    /// A transaction made its first change.
    Begin { transaction: u64 },
    /// A row changed.
    Write { transaction: u64, write: Write },
    /// The transaction went back to its first `kept` changes.
    RollbackTo { transaction: u64, kept: u64 },
    /// The transaction will commit if its coordinator says so.
    Prepare { transaction: u64, info: PrepareInfo },
    /// The transaction is permanent. Always the last record of its block.
    Commit {
        transaction: u64,
        at: DateTime,
        mark: Option<MarkInfo>,
    },
    /// The transaction never was.
    Abort { transaction: u64 },
    /// A counter moved.
    Counter { table: TableId, value: i64 },
    /// A checkpoint was taken here.
    Checkpoint,
    /// The recovery model changed.
    Model(RecoveryModel),
    /// Something was changed without being logged in full.
    BulkChange,
    /// A recovery ended here and a new fork began.
    Forked { guid: Uuid, begins: Lsn },
}

/// The format of the bytes; it stands in front of each record.
const FORMAT: u8 = 1;

impl Record {
    /// The record's bytes.
    #[must_use]
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut to = Encoder::default();
        to.byte(FORMAT);
        match self {
            Self::Begin { transaction } => head(&mut to, 1, *transaction),
            Self::Write { transaction, write } => {
                head(&mut to, 2, *transaction);
                encode_write(&mut to, write);
            }
            Self::RollbackTo { transaction, kept } => {
                head(&mut to, 3, *transaction);
                to.number(*kept);
            }
            Self::Prepare { transaction, info } => {
                head(&mut to, 4, *transaction);
                to.guid(info.gtrid);
                to.text(&info.coordinator);
                encode_mark(&mut to, info.mark.as_ref());
            }
            Self::Commit {
                transaction,
                at,
                mark,
            } => {
                head(&mut to, 5, *transaction);
                to.time(*at);
                encode_mark(&mut to, mark.as_ref());
            }
            Self::Abort { transaction } => head(&mut to, 6, *transaction),
            Self::Counter { table, value } => {
                head(&mut to, 7, table.0.into());
                to.signed(*value);
            }
            Self::Checkpoint => to.byte(8),
            Self::Model(model) => head(&mut to, 9, model_number(*model)),
            Self::BulkChange => to.byte(10),
            Self::Forked { guid, begins } => {
                to.byte(11);
                to.guid(*guid);
                to.bytes(&begins.to_bytes());
            }
        }
        to.0
    }

    /// The record that these bytes are; they must hold one record and nothing else.
    pub(super) fn decode(bytes: &[u8]) -> Decoded<Self> {
        let mut from = Decoder(bytes);
        if from.byte()? != FORMAT {
            return Err(Malformed);
        }
        let record = decode_body(&mut from)?;
        if from.is_empty() {
            Ok(record)
        } else {
            Err(Malformed)
        }
    }
}

fn decode_body(from: &mut Decoder<'_>) -> Decoded<Record> {
    Ok(match from.byte()? {
        1 => Record::Begin {
            transaction: from.number()?,
        },
        2 => Record::Write {
            transaction: from.number()?,
            write: decode_write(from)?,
        },
        3 => Record::RollbackTo {
            transaction: from.number()?,
            kept: from.number()?,
        },
        4 => {
            let transaction = from.number()?;
            let (gtrid, coordinator) = (from.guid()?, from.text()?);
            let mark = decode_mark(from)?;
            Record::Prepare {
                transaction,
                info: PrepareInfo {
                    gtrid,
                    coordinator,
                    mark,
                },
            }
        }
        5 => {
            let transaction = from.number()?;
            let at = from.time()?;
            Record::Commit {
                transaction,
                at,
                mark: decode_mark(from)?,
            }
        }
        6 => Record::Abort {
            transaction: from.number()?,
        },
        7 => Record::Counter {
            table: TableId(from.narrow()?),
            value: from.signed()?,
        },
        8 => Record::Checkpoint,
        9 => Record::Model(decode_model(from)?),
        10 => Record::BulkChange,
        11 => Record::Forked {
            guid: from.guid()?,
            begins: decode_lsn(from)?,
        },
        _ => return Err(Malformed),
    })
}

fn head(to: &mut Encoder, kind: u8, number: u64) {
    to.byte(kind);
    to.number(number);
}

fn encode_write(to: &mut Encoder, write: &Write) {
    to.number(write.table.0.into());
    to.number(write.row.0);
    to.byte(write.value.is_some().into());
    if let Some(row) = &write.value {
        to.row(row);
    }
}

fn decode_write(from: &mut Decoder<'_>) -> Decoded<Write> {
    let (table, row) = (TableId(from.narrow()?), RowId(from.number()?));
    let value = match from.byte()? {
        0 => None,
        1 => Some(from.row()?),
        _ => return Err(Malformed),
    };
    Ok(Write { table, row, value })
}

fn encode_mark(to: &mut Encoder, mark: Option<&MarkInfo>) {
    to.byte(mark.is_some().into());
    if let Some(mark) = mark {
        to.text(&mark.name);
        to.text(&mark.description);
        to.text(&mark.user);
        to.time(mark.time);
    }
}

fn decode_mark(from: &mut Decoder<'_>) -> Decoded<Option<MarkInfo>> {
    match from.byte()? {
        0 => Ok(None),
        1 => {
            let (name, description, user) = (from.text()?, from.text()?, from.text()?);
            Ok(Some(MarkInfo {
                name,
                description,
                user,
                time: from.time()?,
            }))
        }
        _ => Err(Malformed),
    }
}

fn model_number(model: RecoveryModel) -> u64 {
    match model {
        RecoveryModel::Full => 1,
        RecoveryModel::BulkLogged => 2,
        RecoveryModel::Simple => 3,
    }
}

fn decode_model(from: &mut Decoder<'_>) -> Decoded<RecoveryModel> {
    match from.number()? {
        1 => Ok(RecoveryModel::Full),
        2 => Ok(RecoveryModel::BulkLogged),
        3 => Ok(RecoveryModel::Simple),
        _ => Err(Malformed),
    }
}

fn decode_lsn(from: &mut Decoder<'_>) -> Decoded<Lsn> {
    let raw = from.bytes()?.try_into().map_err(|_| Malformed)?;
    Ok(Lsn::from_bytes(raw))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::value::Value;

    fn mark() -> MarkInfo {
        let time = date(2026, 11, 21).at(1, 2, 3, 0);
        MarkInfo {
            name: "m".into(),
            description: "d".into(),
            user: "u".into(),
            time,
        }
    }

    fn write(value: Option<i64>) -> Write {
        Write {
            table: TableId(3),
            row: RowId(300),
            value: value.map(|value| vec![Value::Int(value), Value::Text("x".into())]),
        }
    }

    fn transaction_records() -> Vec<Record> {
        let (transaction, at) = (1, mark().time);
        let info = PrepareInfo {
            gtrid: Uuid::from_u128(9),
            coordinator: "A\\B".into(),
            mark: Some(mark()),
        };
        let commit = |mark| Record::Commit {
            transaction,
            at,
            mark,
        };
        let write = |value| Record::Write {
            transaction,
            write: write(value),
        };
        vec![
            Record::Begin { transaction },
            write(Some(1)),
            write(None),
            Record::RollbackTo {
                transaction,
                kept: 1,
            },
            Record::Prepare { transaction, info },
            commit(Some(mark())),
            commit(None),
            Record::Abort { transaction },
        ]
    }

    fn other_records() -> Vec<Record> {
        vec![
            Record::Counter {
                table: TableId(5),
                value: -7,
            },
            Record::Checkpoint,
            Record::Model(RecoveryModel::BulkLogged),
            Record::BulkChange,
            Record::Forked {
                guid: Uuid::from_u128(4),
                begins: Lsn::from_parts(1, 2, 3),
            },
        ]
    }

    #[test]
    fn every_kind_of_record_survives_its_bytes() {
        for record in transaction_records().into_iter().chain(other_records()) {
            let bytes = record.encode();
            assert_eq!(Record::decode(&bytes), Ok(record.clone()));
            assert!(
                Record::decode(&bytes[..bytes.len() - 1]).is_err(),
                "{record:?}"
            );
        }
    }
}
