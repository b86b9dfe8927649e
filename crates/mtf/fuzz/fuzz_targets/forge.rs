//! Media of the crate's own writer, changed and sealed again.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|recipe: &[u8]| {
    // Slices of single bytes are slow, and the other target has them.
    let slice = 41 + 37 * recipe.last().map_or(0, |byte| usize::from(*byte));
    mtf_fuzz::check(&mtf_fuzz::recipe::forge(recipe), slice);
});
