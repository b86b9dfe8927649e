//! Examined files for tests: made of facts, without bytes.
