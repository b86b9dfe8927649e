//! Chance that falls the same in every run.
//!
//! Start at [`Dice::below`].
//!
//! This file never asks a clock or the system for a seed.

/// A linear congruential generator; its high bits are good enough to spread trials.
#[derive(Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new() -> Self {
        Self(20_261_121)
    }

    /// A number from 0 to `limit` less 1.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let limit = u64::try_from(limit).expect("a length");
        usize::try_from((self.0 >> 24) % limit).expect("it is below the limit")
    }
}
