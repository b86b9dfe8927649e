//! Any bytes at all: the reader comes back with the same report however they are fed.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // The bytes themselves say how they are sliced, so that any medium makes a good input.
    let last = usize::from(input.last().copied().unwrap_or(0));
    mtf_fuzz::check(input, (input.len() * 31 + last * 7) % 4096);
});
