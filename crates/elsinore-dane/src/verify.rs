//! Whether a presented certificate chain meets an obligation (RFC 7671, RFC 7672 §3).
