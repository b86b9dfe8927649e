//! mtf
#![forbid(unsafe_code)]
