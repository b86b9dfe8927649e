//! Tests of chains: each rule by an example, points, health, then everything against brute force.

pub(super) mod brute_force;
mod health;
mod heard;
mod points;
mod rules;

use uuid::Uuid;

use super::Path;
use crate::model::PieceId;

fn id(number: u128) -> PieceId {
    PieceId(Uuid::from_u128(number))
}

fn path(full: u128, differential: Option<u128>, logs: &[u128]) -> Path {
    Path {
        full: id(full),
        differential: differential.map(id),
        logs: logs.iter().copied().map(id).collect(),
    }
}
