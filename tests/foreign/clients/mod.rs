//! Clients that nobody here wrote, against a simulated host: they see what SQL Server would show.

mod conformance;
mod login;
pub(crate) mod mssql_cli;
mod statements;
pub(crate) mod tsql;
