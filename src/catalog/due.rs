//! How much is proven again at a time: pieces come oldest proof first, and a budget says where to stop.
//!
//! Start at [`Budget::takes`]. Scrubbed with the same budget day by day, everything comes round.

/// What may still be read today.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    left_bytes: u64,
    is_untouched: bool,
}

impl Budget {
    /// Of so many bytes; none for no end.
    #[must_use]
    pub const fn of(bytes: Option<u64>) -> Self {
        Self {
            left_bytes: match bytes {
                Some(bytes) => bytes,
                None => u64::MAX,
            },
            is_untouched: true,
        }
    }

    /// Whether a piece of this size, the next that is due, is proven now; where not, the day is over, since what is
    /// due later does not overtake it. The first always is, or a large one would never be looked at.
    pub const fn takes(&mut self, size_bytes: u64) -> bool {
        let fits = self.is_untouched || size_bytes <= self.left_bytes;
        self.is_untouched = false;
        self.left_bytes = self.left_bytes.saturating_sub(size_bytes);
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(bytes: Option<u64>, sizes: &[u64]) -> usize {
        let mut budget = Budget::of(bytes);
        let taken = sizes.iter().take_while(|size| budget.takes(**size));
        taken.count()
    }

    #[test]
    fn pieces_are_taken_in_turn_while_they_fit_and_one_at_least() {
        let sizes = [100, 100, 100, 500];
        assert_eq!(taken(None, &sizes), 4);
        assert_eq!(taken(Some(0), &sizes), 1, "one at least");
        assert_eq!(taken(Some(300), &sizes), 3);
        assert_eq!(taken(Some(799), &sizes), 3, "the large one has to wait");
        assert_eq!(taken(Some(100), &[500, 1]), 1, "and is overtaken by none");
    }
}
