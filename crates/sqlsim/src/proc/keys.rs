//! Certificates and encrypted databases, so far as a restore meets them: who has which thumbprint.
//!
//! Start at [`PROCEDURES`]. Nothing is encrypted here: a database only says by which certificate it is, and a host
//! which certificates it has (`sys.certificates`, `sys.dm_database_encryption_keys`).

use std::future::ready;

use crate::error::SqlResult;
use crate::instance::DatabaseHandle;
use crate::session::{Call, Parameter, Session, SystemProcedure};

/// What the options of `master` that are certificates begin with.
const CERTIFICATE: &str = "CERTIFICATE ";

/// The option of a database that holds the thumbprint, in hex digits.
const ENCRYPTOR: &str = "ENCRYPTOR";

/// `sp_sim_certificate @name, @thumbprint`: the host has this certificate, with its private key.
/// `sp_sim_encrypt @db, @thumbprint`: the database is encrypted by it; NULL: it is not any more.
pub(super) static PROCEDURES: &[SystemProcedure] = &[
    SystemProcedure {
        name: "sp_sim_certificate",
        parameters: &[Parameter::needed("@name"), Parameter::needed("@thumbprint")],
        run: |session, call| Box::pin(ready(certificate(session, call))),
    },
    SystemProcedure {
        name: "sp_sim_encrypt",
        parameters: &[Parameter::needed("@db"), Parameter::optional("@thumbprint")],
        run: |session, call| Box::pin(ready(encrypt(session, call))),
    },
];

fn certificate(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_server("CONTROL SERVER")?;
    let option = format!("{CERTIFICATE}{}", call.needed_text("@name")?);
    let thumbprint = call.needed_text("@thumbprint")?;
    let master = session.instance.master();
    session.keep_option(&master, &option, &thumbprint)?;
    Ok((0, call))
}

fn encrypt(session: &mut Session, call: Call) -> SqlResult<(i32, Call)> {
    session.require_server("CONTROL SERVER")?;
    let name = call.needed_text("@db")?;
    let database = session.instance.needed_database(&name)?;
    let thumbprint = call.text("@thumbprint");
    let is_on = if thumbprint.is_some() { "ON" } else { "OFF" };
    session.keep_option(&database, "ENCRYPTION", is_on)?;
    session.keep_option(&database, ENCRYPTOR, &thumbprint.unwrap_or_default())?;
    Ok((0, call))
}

/// The certificates of a host: name and thumbprint.
#[must_use]
pub(crate) fn certificates(master: &DatabaseHandle) -> Vec<(String, Vec<u8>)> {
    let options = master.record().options.into_iter();
    let certificates = options.filter_map(|(option, thumbprint)| {
        let name = option.strip_prefix(CERTIFICATE)?.to_owned();
        Some((name, bytes_of(&thumbprint)))
    });
    certificates.collect()
}

/// The thumbprint of the certificate that a database is encrypted by.
#[must_use]
pub(crate) fn encryptor(database: &DatabaseHandle) -> Option<Vec<u8>> {
    let record = database.record();
    (record.option("ENCRYPTION") == "ON").then(|| bytes_of(record.option(ENCRYPTOR)))
}

/// Hex digits as bytes; what is none counts as zero.
fn bytes_of(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    let byte = |pair: &[u32]| u8::try_from(pair.iter().fold(0, |sum, digit| sum * 16 + digit));
    let bytes = digits.chunks(2).map(byte);
    bytes.map(Result::unwrap_or_default).collect()
}
