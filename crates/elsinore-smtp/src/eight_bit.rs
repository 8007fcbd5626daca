//! The conversion to 7 bits that RFC 6152 §3 asks for when a server lacks 8BITMIME, and for lines
//! too long for DATA.
//!
//! Every MIME part that needs it is encoded on its own, in quoted-printable when it is text, in
//! base64 otherwise; parts inside `multipart/*` and `message/rfc822` are found by their
//! boundaries. A message without MIME header whose body is UTF-8 gets one. What cannot be
//! converted without loss or without breaking a signature is an [`Obstacle`]; the message then
//! bounces with status 5.6.3.

mod base64;
mod quoted_printable;

pub(crate) use base64::Base64;
pub(crate) use quoted_printable::QuotedPrintable;

/// Why a message cannot be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// A part of `multipart/signed` (RFC 1847 §2.1) would have to change.
    #[error("it would break the signature of a multipart/signed part")]
    Signed,
    /// There is no MIME header, and the body is not UTF-8.
    #[error("it has no MIME header and its body is not UTF-8")]
    UnknownCharset,
    /// A part already encoded holds octets it must not, or its encoding is unknown.
    #[error("a part's Content-Transfer-Encoding is unknown or contradicts its content")]
    Encoding,
    /// `message/partial` or `message/external-body`, which may not be encoded (RFC 2046 §5.2).
    #[error("a fragment or an external body cannot be encoded")]
    Fragment,
    /// Octets above 127 in a header (that are not UTF-8, not declared, or in the header of a part),
    /// or a header line of more than 998 octets that cannot be folded.
    #[error("a header has octets above 127, or a line over 998 octets that cannot be folded")]
    Header,
    /// Octets above 127 or a long line between the parts of a multipart.
    #[error("there is text between the parts that would have to be encoded")]
    BetweenParts,
    /// Too many or too deeply nested parts to follow, or a Content-Type too long to read.
    #[error("its MIME structure is too large to follow")]
    Structure,
}
