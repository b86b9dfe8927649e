//! What a client hears when its login was good.
//!
//! Start at [`greet`]. The order of the tokens is SQL Server's; clients read some of them by place.

use super::api::{Backend, BackendSession, DoneKind};
use super::login::Login;
use super::packet::PACKET_BYTES_DEFAULT;
use super::token;
use crate::messages;

const LANGUAGE: &str = "us_english";

/// Writes the answer to LOGIN7.
pub(super) fn greet(
    out: &mut Vec<u8>,
    login: &Login,
    backend: &dyn Backend,
    session: &dyn BackendSession,
) {
    let server_name = backend.server_name();
    let database = session.database();
    token::database_changed(out, &database, "master");
    token::message(out, &messages::database_changed(&database), &server_name);
    token::collation_told(out);
    token::language_changed(out, LANGUAGE, "");
    token::message(out, &messages::language_changed(LANGUAGE), &server_name);
    token::login_acknowledged(out, login.version, backend.version());
    token::packet_bytes_changed(out, login.request.packet_bytes, PACKET_BYTES_DEFAULT);
    if login.extensions && login.utf8 {
        token::utf8_acknowledged(out);
    }
    token::done(out, DoneKind::Statement, 0, 0, 0);
}
