//! sqlsim
#![forbid(unsafe_code)]
