//! What makes a program a service: signals, words with systemd, sockets that were opened for it.

use sd_notify::NotifyState;
use std::io;
use std::os::unix::net::UnixListener;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;

/// What the administrator wants of a running service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// To stop: SIGTERM or SIGINT.
    Stop,
    /// To take the new configuration: SIGHUP.
    Reload,
}

/// The signals that a service hears.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on; before this, each of them ends the process.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next wish. May be dropped at any await.
    pub async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Stop,
            _ = self.terminate.recv() => Wish::Stop,
            _ = self.hangup.recv() => Wish::Reload,
        }
    }
}

/// What a service tells systemd (sd_notify(3)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It listens; after a reload: the new configuration is taken, or refused.
    Ready,
    /// It reads its configuration again.
    Reloading,
    /// It lets go.
    Stopping,
}

/// Says where the service stands, and `status` for `systemctl status`. Without systemd nothing
/// happens.
pub fn tell(stage: Stage, status: &str) {
    let mut words = match stage {
        Stage::Ready => vec![NotifyState::Ready],
        Stage::Reloading => {
            let mut words = vec![NotifyState::Reloading];
            // Type=notify-reload wants the moment (systemd.service(5)).
            words.extend(NotifyState::monotonic_usec_now().ok());
            words
        }
        Stage::Stopping => vec![NotifyState::Stopping],
    };
    words.push(NotifyState::Status(status));
    // Whoever asked to be told may be gone.
    let _ = sd_notify::notify(&words);
}

/// Says something for `systemctl status` alone.
pub fn tell_status(status: &str) {
    let _ = sd_notify::notify(&[NotifyState::Status(status)]);
}

/// Feeds the watchdog of systemd (`WatchdogSec=`) while `lives` says that there is progress. Without a
/// watchdog it does nothing, for ever.
pub async fn feed_watchdog(lives: impl Fn() -> bool) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    // Half the time is what sd_watchdog_enabled(3) advises; a third leaves room for one that is late.
    let mut ticks = tokio::time::interval((limit / 3).max(Duration::from_millis(10)));
    loop {
        ticks.tick().await;
        if lives() {
            let _ = sd_notify::notify(&[NotifyState::Watchdog]);
        }
    }
}

/// When something last made progress.
#[derive(Debug)]
pub struct Pulse(Mutex<Instant>);

impl Default for Pulse {
    /// It has just made progress.
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Pulse {
    /// It makes progress now.
    pub fn beat(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// How long ago it did.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }
}

/// Sockets that were opened before this program began (sd_listen_fds(3)), by what their names in
/// `LISTEN_FDNAMES` say: those named `admin` are for the administrator, all others for mail.
#[derive(Debug, Default)]
pub struct Inherited {
    /// For mail, TCP.
    pub mail: Vec<std::net::TcpListener>,
    /// For mail, unix sockets.
    pub mail_unix: Vec<UnixListener>,
    /// For the administrator, TCP.
    pub admin: Vec<std::net::TcpListener>,
}

impl Inherited {
    /// Takes the sockets that are meant for this process.
    ///
    /// # Errors
    /// When one is neither of TCP nor a unix stream socket, or a unix socket is named `admin`.
    pub fn take() -> io::Result<Self> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<&str> = names.split(':').collect();
        let mut given = listenfd::ListenFd::from_env();
        let mut sockets = Self::default();
        for index in 0..given.len() {
            let name = names.get(index).copied().unwrap_or_default();
            if let Ok(Some(listener)) = given.take_tcp_listener(index) {
                listener.set_nonblocking(true)?;
                match name {
                    "admin" => sockets.admin.push(listener),
                    _ => sockets.mail.push(listener),
                }
                continue;
            }
            match given.take_unix_listener(index) {
                Ok(Some(listener)) if name != "admin" => {
                    listener.set_nonblocking(true)?;
                    sockets.mail_unix.push(listener);
                }
                Ok(Some(_)) => {
                    return Err(io::Error::other(
                        "a unix socket named admin: the relay makes that one itself, in its state \
                         folder",
                    ));
                }
                Ok(None) | Err(_) => {
                    return Err(io::Error::other(format!(
                        "socket {} ({name:?}) is neither of TCP nor a unix stream socket",
                        index + 3
                    )));
                }
            }
        }
        Ok(sockets)
    }

    /// Whether there is a socket for mail.
    #[must_use]
    pub const fn has_mail(&self) -> bool {
        !self.mail.is_empty() || !self.mail_unix.is_empty()
    }
}
