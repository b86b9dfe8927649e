//! The whole room through one door: a file's text in, a Config or its faults out.
