//! From one type to another: `CAST`, `CONVERT` with styles, and implicit conversion.
//!
//! Start at [`cast`].
