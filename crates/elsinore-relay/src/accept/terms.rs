//! The settings as sessions use them: with the certificate read and checked.

use super::certificate::{CertificateError, Pair};
use super::settings::{AcceptSettings, UndeclaredEightBit};
use crate::event::{Event, Journal, Severity};
use elsinore_smtp::address::Mailbox;
use elsinore_smtp::server::{EightBit, Offer, ServerConfig};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often the files of the certificate are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Recipients that are refused before a message is accepted and are no mistakes: lists have addresses
/// that cannot be used, and who says all recipients of a large list at once cannot know our bound.
const REFUSED_RECIPIENTS: u32 = 10_000;

/// What holds for a connection that comes now.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) settings: Arc<AcceptSettings>,
    pub(super) session: Arc<ServerConfig>,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
}

impl Terms {
    pub(super) fn new(
        settings: Arc<AcceptSettings>,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let limits = &settings.limits;
        let session = ServerConfig {
            host: settings.host.clone(),
            postmaster: settings
                .postmaster
                .clone()
                .unwrap_or_else(|| Mailbox::postmaster_of(&settings.host)),
            message_octets: limits.message_octets,
            line_octets: limits.line_octets,
            recipients: limits.recipients,
            errors: limits.errors,
            refused_recipients: REFUSED_RECIPIENTS,
            idle_commands: limits.idle_commands,
            starttls: match tls {
                Some(_) => Offer::Yes,
                None => Offer::No,
            },
            undeclared_eight_bit: match settings.undeclared_eight_bit {
                UndeclaredEightBit::Refused => EightBit::Refused,
                UndeclaredEightBit::Taken => EightBit::Taken,
            },
        };
        Self {
            settings,
            session: Arc::new(session),
            tls,
        }
    }
}

/// Makes terms of settings, and new ones when the settings or the certificate's files change.
#[derive(Debug)]
pub(super) struct Keeper {
    settings: watch::Receiver<Arc<AcceptSettings>>,
    terms: watch::Sender<Arc<Terms>>,
    pair: Option<Pair>,
    /// What was said last of files that cannot be used.
    complaint: Option<String>,
}

impl Keeper {
    /// # Errors
    /// When the certificate cannot be used: at the start that is for the administrator to mend.
    pub(super) async fn new(
        mut settings: watch::Receiver<Arc<AcceptSettings>>,
    ) -> Result<Self, CertificateError> {
        let first = Arc::clone(&settings.borrow_and_update());
        let (pair, tls) = match &first.tls {
            None => (None, None),
            Some(files) => {
                let pair = Pair::read(files).await?;
                let tls = pair.configuration(files)?;
                (Some(pair), Some(tls))
            }
        };
        let (terms, _) = watch::channel(Arc::new(Terms::new(first, tls)));
        Ok(Self {
            settings,
            terms,
            pair,
            complaint: None,
        })
    }

    pub(super) fn terms(&self) -> watch::Receiver<Arc<Terms>> {
        self.terms.subscribe()
    }

    /// Goes on until it is dropped.
    pub(super) async fn keep(mut self, journal: Arc<dyn Journal>) {
        let mut settings_come = true;
        loop {
            tokio::select! {
                changed = self.settings.changed(), if settings_come => settings_come = changed.is_ok(),
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            self.look(&*journal).await;
        }
    }

    async fn look(&mut self, journal: &dyn Journal) {
        let settings = Arc::clone(&self.settings.borrow_and_update());
        let before = Arc::clone(&self.terms.borrow());
        let changed = !Arc::ptr_eq(&settings, &before.settings);
        let Some(files) = &settings.tls else {
            if changed {
                self.pair = None;
                self.terms
                    .send_replace(Arc::new(Terms::new(settings, None)));
            }
            return;
        };
        let read = match Pair::read(files).await {
            Ok(pair) if self.pair.as_ref() == Some(&pair) && before.tls.is_some() => Ok(None),
            Ok(pair) => pair.configuration(files).map(|tls| Some((pair, tls))),
            Err(error) => Err(error),
        };
        let tls = match read {
            Ok(None) => {
                self.complaint = None;
                before.tls.clone()
            }
            Ok(Some((pair, tls))) => {
                self.pair = Some(pair);
                self.complaint = None;
                journal.note(&Event::Notice {
                    severity: Severity::Info,
                    part: "listener",
                    text: format!("certificate read from {}", files.certificate.display()),
                });
                Some(tls)
            }
            // Half written, perhaps. The one before goes on, and this is looked at again.
            Err(error) => {
                self.complain(&error, journal);
                before.tls.clone()
            }
        };
        let same = match (&tls, &before.tls) {
            (Some(now), Some(before)) => Arc::ptr_eq(now, before),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if changed || !same {
            self.terms.send_replace(Arc::new(Terms::new(settings, tls)));
        }
    }

    fn complain(&mut self, error: &CertificateError, journal: &dyn Journal) {
        let text = format!("certificate not taken, the one before stays: {error}");
        if self.complaint.as_ref() != Some(&text) {
            journal.note(&Event::Notice {
                severity: Severity::Error,
                part: "listener",
                text: text.clone(),
            });
            self.complaint = Some(text);
        }
    }
}
