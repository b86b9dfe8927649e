//! A client that says anything: bytes as they are, or messages behind a login, by the first byte.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    match input {
        [first, rest @ ..] if first % 2 == 0 => sqlsim_fuzz::talk(&sqlsim_fuzz::framed(rest)),
        [_, rest @ ..] => sqlsim_fuzz::talk(rest),
        [] => {}
    }
});
