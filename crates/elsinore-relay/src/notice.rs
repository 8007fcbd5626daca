//! What senders are told.
