//! Accepting mail: listeners, clients, limits.

mod settings;

pub use settings::{
    AcceptLimits, AcceptSettings, AcceptTimes, DEFAULT_PORT, TlsFiles, UndeclaredEightBit,
};
