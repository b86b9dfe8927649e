//! The simulator from outside: sessions, links between real listening hosts, backups on disk.
//!
//! Start at [`hosts`], which makes the hosts; the other modules are the tests, one room each.

mod backups;
mod commits;
mod hosts;
mod links;
mod marks;
