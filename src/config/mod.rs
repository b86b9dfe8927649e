//! The configuration: one TOML file, read raw, then checked into [`Config`] with all faults at once.
//!
//! Start at [`checked::Config`], which every other room takes.

pub mod checked;

pub use checked::{
    Config, Discovery, Encryption, HostConfig, LoginConfig, MarkLogKind, MemberConfig,
    PolicyConfig, ReadBack, ScheduleConfig, ShareConfig, StoreConfig,
};
