//! Tests that need programs which nobody here wrote; `.ci/run` installs them.

mod tsql;
