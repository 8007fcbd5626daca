//! Where in a message a line stands.
