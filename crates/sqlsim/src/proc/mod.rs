//! System procedures and functions: those that the simulator itself provides.
//!
//! Start at [`find`] for procedures and at `functions.rs` for functions. Rooms that have procedures
//! of their own (links, distributed transactions, faults) list them; this room only joins the
//! lists. A name that stands in no list is unknown: 2812, never a silent success.

pub(crate) mod administration;
mod applock;
mod ballast;
pub(crate) mod functions;
pub(crate) mod keys;
mod metadata;
mod properties;
pub(crate) mod words;

use crate::lang::ast::ObjectName;
use crate::session::SystemProcedure;

static LINKS: &[SystemProcedure] = &crate::link::PROCEDURES;
static DTC: &[SystemProcedure] = &crate::dtc::PROCEDURES;
static GROUPS: &[SystemProcedure] = &crate::availability::PROCEDURES;
static HISTORY: &[SystemProcedure] = &crate::msdb::PROCEDURES;
static ESTATE: &[SystemProcedure] = &crate::instance::estate::PROCEDURES;
static FAULTS: &[SystemProcedure] = &crate::faults::PROCEDURES;

/// A system procedure by name; it may be named with `sys` or `dbo`, and in any database.
#[must_use]
pub fn find(name: &ObjectName) -> Option<&'static SystemProcedure> {
    let is_system = name.schema.as_deref().is_none_or(|schema| {
        schema.eq_ignore_ascii_case("sys") || schema.eq_ignore_ascii_case("dbo")
    });
    let lists = [
        applock::PROCEDURES,
        administration::PROCEDURES,
        ballast::PROCEDURES,
        keys::PROCEDURES,
        LINKS,
        DTC,
        GROUPS,
        ESTATE,
        FAULTS,
        HISTORY,
    ];
    let mut all = lists.into_iter().flatten();
    is_system
        .then(|| all.find(|p| p.name.eq_ignore_ascii_case(&name.name)))
        .flatten()
}
