//! TDS, the protocol that SQL Server and its clients speak, from the server's side.
//!
//! Start at `api.rs` (what the sessions behind the wire must be), then `connection.rs` (the life
//! of a connection). Outward the room shows only how to be a [`Backend`] and how to tune the wire;
//! `server.rs` listens. This room never decides what a request means, and one connection's bad
//! bytes never touch another connection.

mod answer;
pub mod api;
mod codepage;
pub(crate) mod connection;
mod date;
mod decode;
mod encode;
pub mod faults;
mod greeting;
mod login;
mod malformed;
mod open;
mod packet;
mod prelogin;
mod request;
mod stream;
mod token;

#[cfg(test)]
mod tests;

pub use api::{
    Answer, Backend, BackendSession, BeginTransaction, Done, DoneKind, Event, LoginRequest,
    Request, RpcName, RpcParameter, ServerVersion, SharedBackend,
};
pub use connection::{AttentionForm, WireOptions};
pub use prelogin::Encryption;
pub use stream::Duplex;
