//! Tests of the room: what follows what, over facts without bytes.
