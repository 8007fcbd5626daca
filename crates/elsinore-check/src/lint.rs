//! The catalogue of lints: what can be wrong with a domain and be seen from outside.
