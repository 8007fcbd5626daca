//! A message as the store keeps it: its envelope, its jobs, its octets.

use crate::content::Content;
use crate::id::MessageId;
use crate::moment::Moment;
use serde::{Deserialize, Serialize};

/// What the sender asked of TLS for this message (RFC 8689), as the envelope says it. A header field
/// `TLS-Required: No` is in the message and is not repeated here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsWish {
    /// Nothing.
    #[default]
    Unspecified,
    /// REQUIRETLS (RFC 8689 §2).
    Required,
    /// To be delivered whatever TLS does: reports about TLS failures (RFC 8460 §3).
    Optional,
}

/// The envelope (RFC 5321 §2.3.1), its parameters in the form they have on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The reverse path without angle brackets; empty for `<>`.
    pub reverse_path: String,
    /// RET (RFC 3461 §4.3): `FULL` or `HDRS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ret: Option<String>,
    /// ENVID (RFC 3461 §4.4), xtext as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope_id: Option<String>,
    /// What is asked of TLS.
    #[serde(default)]
    pub tls: TlsWish,
    /// Whether SMTPUTF8 was asked for (RFC 6531 §3.4).
    #[serde(default)]
    pub smtp_utf8: bool,
    /// Where it came from, for the log and the listing: an address of a client, `local` or
    /// `notification`.
    pub origin: String,
}

impl Envelope {
    /// What stands in the place of one that cannot be read.
    pub(crate) fn unreadable() -> Self {
        Self {
            reverse_path: String::new(),
            ret: None,
            envelope_id: None,
            tls: TlsWish::Unspecified,
            smtp_utf8: false,
            origin: "unreadable".to_owned(),
        }
    }
}

/// One recipient with its DSN parameters, in the form they have on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The address, without angle brackets.
    pub address: String,
    /// NOTIFY (RFC 3461 §4.1), for instance `SUCCESS,FAILURE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<String>,
    /// ORCPT (RFC 3461 §4.2): address type, semicolon, xtext.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
}

/// A message to be kept.
#[derive(Debug)]
pub struct NewMessage {
    /// Its name, drawn by the caller: it stands in the Received field.
    pub id: MessageId,
    /// When it arrived; its lifetime counts from here.
    pub arrived: Moment,
    /// The envelope without recipients.
    pub envelope: Envelope,
    /// One job per destination. None at all is an error of the caller.
    pub jobs: Vec<NewJob>,
    /// The octets, Received field included, lines ended by CRLF as they came.
    pub content: Content,
}

/// One destination of a new message with its recipients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewJob {
    /// The recipients' domain: lower case, A-labels, no trailing dot; or an address literal in
    /// brackets.
    pub destination: String,
    /// At least one.
    pub recipients: Vec<Recipient>,
    /// When it is due.
    pub due: Moment,
    /// Why it is not to be tried until it is released.
    pub held: Option<String>,
}

/// What is known of a message without its octets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageHead {
    /// Its name.
    pub id: MessageId,
    /// When it arrived.
    pub arrived: Moment,
    /// The envelope without recipients.
    pub envelope: Envelope,
    /// Octets of the content.
    pub octets: u64,
}
