//! What is wrong with a scenario file, said with the file and the key.

/// A scenario file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// The file or folder cannot be read.
    #[error("{file}: {reason}")]
    Unreadable {
        /// Its path.
        file: String,
        /// The operating system's words.
        reason: String,
    },
    /// The text is not TOML, a key is unknown or missing, or a value is of the wrong kind.
    #[error("{file}:{line}: {reason}")]
    Syntax {
        /// Its name.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong, in one line.
        reason: String,
    },
    /// The text is well formed and makes no sense.
    #[error("{file}: scenario {id}: {key}: {reason}")]
    Meaning {
        /// Its name.
        file: String,
        /// The scenario.
        id: String,
        /// The key, such as `zone.records`.
        key: String,
        /// What is wrong, in one line.
        reason: String,
    },
}
