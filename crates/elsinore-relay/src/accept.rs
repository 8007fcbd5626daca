//! Accepting mail: listeners, clients, limits.
