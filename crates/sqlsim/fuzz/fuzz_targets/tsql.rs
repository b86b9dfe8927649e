//! Any text at all: the parser comes back with statements or with one of SQL Server's errors.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let text = String::from_utf8_lossy(input);
    if let Err(error) = sqlsim::lang::parse(&text) {
        assert!(error.number > 0 && !error.text.is_empty(), "{error:?}");
    }
    let _ = sqlsim::lang::parse_object_name(&text);
    let _ = sqlsim::lang::parse_parameters(&text);
});
