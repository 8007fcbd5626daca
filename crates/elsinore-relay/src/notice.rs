//! What senders are told: that mail failed, waits, or was handed on (RFC 3461 §5.2, RFC 5321 §4.5.5).
//!
//! A notification is a message like any other. It is put into the same transaction that closes or
//! postpones the job it speaks of, so neither is ever lost without the other.

mod told;

pub use elsinore_smtp::dsn::Action;
pub use told::{Told, plain};

use elsinore_queue::content::{Body, Incoming};
use elsinore_queue::id::MessageId;
use elsinore_queue::message::{Envelope, MessageHead, NewJob, NewMessage, Recipient, TlsWish};
use elsinore_queue::moment::Moment;
use elsinore_smtp::address::Mailbox;
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::dsn::{HeaderCut, Notification, Octets, RecipientStatus, Returned};
use std::io::{self, Read as _};
use std::path::Path;

/// Longest header that is returned, in octets; the rest is left out.
const LONGEST_HEADER: u64 = 64 * 1024;
/// Octets of a notification kept in memory while it is written.
const IN_MEMORY: usize = 128 * 1024;
/// Where notifications come from, in [`Envelope::origin`].
pub const ORIGIN: &str = "notification";

/// How notifications are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeSettings {
    /// The name of this system.
    pub reporter: GreetingName,
    /// Who is told of notifications that cannot be delivered (double bounces); nobody when absent.
    pub postmaster: Option<Mailbox>,
    /// A message of at most so many octets is returned whole when it failed, a longer one as its
    /// header, whatever RET says (RFC 3461 §6.2 allows that).
    pub whole_up_to: u64,
}

impl NoticeSettings {
    /// Messages up to 50 KiB are returned whole; there is no postmaster.
    #[must_use]
    pub const fn new(reporter: GreetingName) -> Self {
        Self {
            reporter,
            postmaster: None,
            whole_up_to: 50 * 1024,
        }
    }
}

/// What came of the wish to tell somebody.
#[derive(Debug)]
pub enum Composed {
    /// A notification, to be queued.
    Notice {
        /// The message.
        message: NewMessage,
        /// What it says, for the event: `failed`, `delayed`, `relayed` or `postmaster`.
        kind: &'static str,
    },
    /// Nobody asked for it (NOTIFY), or it is of a kind that a null path is not told.
    Unasked,
    /// There is nobody to tell.
    Nobody(String),
}

/// Writes a notification about `told`, recipients of the message `about` with the content `body`.
/// Blocks the thread while the content is read. `folder` is the spool folder of the store.
///
/// # Errors
/// When the content cannot be read or the notification not be written.
pub fn compose(
    settings: &NoticeSettings,
    about: &MessageHead,
    told: Vec<Told>,
    body: &dyn Body,
    folder: &Path,
    now: Moment,
) -> io::Result<Composed> {
    // A notification says NOTIFY=NEVER (RFC 3461 §6.1): that is for other systems, and does not keep
    // our own postmaster from hearing that it failed.
    let is_ours = about.envelope.reverse_path.is_empty() && about.envelope.origin == ORIGIN;
    let told: Vec<RecipientStatus> = told
        .into_iter()
        .filter(|told| is_ours || told.is_asked_for())
        .map(Told::into_status)
        .collect();
    let Some(kind) = kind_of(&told) else {
        return Ok(Composed::Unasked);
    };
    let (to, told, kind) = match addressee(settings, about, told, kind) {
        Addressee::Found(to, told, kind) => (to, told, kind),
        Addressee::Unasked => return Ok(Composed::Unasked),
        Addressee::Nobody(why) => return Ok(Composed::Nobody(why)),
    };
    let original = Original::read(settings, about, kind, body)?;
    let notification = Notification {
        reporter: settings.reporter.clone(),
        to: to.to_string(),
        queue_id: about.id.to_string(),
        arrived: about.arrived.seconds(),
        now: now.seconds(),
        token: rand::random(),
        envelope_id: about.envelope.envelope_id.clone(),
        recipients: told,
        returned: original.returned,
        octets: original.octets,
    };
    let mut content = Incoming::new(folder.to_path_buf(), IN_MEMORY);
    content.push(&notification.head())?;
    content.push(&original.text)?;
    content.push(&notification.tail())?;
    let message = NewMessage {
        id: MessageId::draw(now),
        arrived: now,
        envelope: Envelope {
            reverse_path: String::new(),
            ret: None,
            envelope_id: None,
            // RFC 8689 §5: the notification goes the same guarded way.
            tls: match about.envelope.tls {
                TlsWish::Required => TlsWish::Required,
                TlsWish::Unspecified | TlsWish::Optional => TlsWish::Unspecified,
            },
            smtp_utf8: notification.needs_smtp_utf8(),
            origin: ORIGIN.to_owned(),
        },
        jobs: vec![NewJob {
            destination: to.domain().to_string(),
            recipients: vec![Recipient {
                address: to.to_string(),
                notify: Some("NEVER".to_owned()),
                original: None,
            }],
            due: now,
            held: None,
        }],
        content: content.finish(),
    };
    Ok(Composed::Notice { message, kind })
}

/// The worst of what is told; nothing when nothing is.
fn kind_of(told: &[RecipientStatus]) -> Option<&'static str> {
    ["failed", "delayed", "relayed"]
        .into_iter()
        .find(|word| told.iter().any(|one| one.action.word() == *word))
}

/// To whom a notification goes, about whom, and what it says.
enum Addressee {
    Found(Mailbox, Vec<RecipientStatus>, &'static str),
    Unasked,
    Nobody(String),
}

/// To whom it goes. A message with a null path is never answered (RFC 5321 §4.5.5); that it failed
/// is told to the postmaster, once: what fails on the way to the postmaster is told to nobody.
fn addressee(
    settings: &NoticeSettings,
    about: &MessageHead,
    mut told: Vec<RecipientStatus>,
    kind: &'static str,
) -> Addressee {
    let sender = &about.envelope.reverse_path;
    if !sender.is_empty() {
        return match Mailbox::parse(sender) {
            Ok(sender) => Addressee::Found(sender, told, kind),
            Err(error) => Addressee::Nobody(format!("the reverse path is no address: {error}")),
        };
    }
    told.retain(|one| one.action == Action::Failed);
    if told.is_empty() {
        return Addressee::Unasked;
    }
    let Some(postmaster) = &settings.postmaster else {
        return Addressee::Nobody(
            "a message with a null path failed and no postmaster is configured".to_owned(),
        );
    };
    let to_postmaster = postmaster.to_string();
    if told.iter().any(|one| one.address == to_postmaster) {
        return Addressee::Nobody("a message to the postmaster failed".to_owned());
    }
    Addressee::Found(postmaster.clone(), told, "postmaster")
}

/// What is returned of the original.
struct Original {
    text: Vec<u8>,
    returned: Returned,
    octets: Octets,
}

impl Original {
    fn read(
        settings: &NoticeSettings,
        about: &MessageHead,
        kind: &'static str,
        body: &dyn Body,
    ) -> io::Result<Self> {
        let wants_header = (about.envelope.ret.as_deref())
            .is_some_and(|ret| ret.eq_ignore_ascii_case("HDRS"))
            || about.envelope.tls == TlsWish::Required
            || !matches!(kind, "failed" | "postmaster");
        let is_whole = !wants_header && body.octets() <= settings.whole_up_to;
        let most = if is_whole {
            body.octets()
        } else {
            LONGEST_HEADER
        };
        let mut octets = Vec::new();
        body.open()?.take(most).read_to_end(&mut octets)?;
        let mut header = Vec::new();
        HeaderCut::default().push(&octets, &mut header);
        // A header with such octets that came without SMTPUTF8 goes back as it came: many mail programs
        // show nothing of message/global.
        let class = if !header.is_ascii() && about.envelope.smtp_utf8 {
            Octets::Utf8Header
        } else if !header.is_ascii() || is_whole && !octets.is_ascii() {
            Octets::EightBit
        } else {
            Octets::SevenBit
        };
        Ok(Self {
            text: if is_whole { octets } else { header },
            returned: if is_whole {
                Returned::Whole
            } else {
                Returned::Header
            },
            octets: class,
        })
    }
}

#[cfg(test)]
mod tests;
