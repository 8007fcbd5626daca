//! The sockets of a relay: bound by the configuration, or handed in by systemd.

use crate::config::Settings;
use crate::exit::Refusal;
use anyhow::{Context, Result};
use elsinore_relay::accept::{Listeners, Rebind, listen_at};
use elsinore_relay::admin::serve::{Doors, owners_socket};
use elsinore_relay::service::Inherited;
use std::net::SocketAddr;
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;

/// The version of the program.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The sockets of a relay.
pub(super) struct Sockets {
    pub(super) mail: Listeners,
    /// Bound by the configuration.
    is_bound_here: bool,
    pub(super) admin: Doors,
}

impl Sockets {
    pub(super) fn open(settings: &Settings, inherited: Inherited) -> Result<Self> {
        let unusable =
            |error: std::io::Error| Refusal::unavailable(format!("sockets handed in: {error}"));
        let admin = &settings.relay.admin;
        let owner = match &admin.socket {
            Some(path) => {
                if let Some(folder) = path.parent() {
                    std::fs::create_dir_all(folder)
                        .with_context(|| format!("state_dir {}", folder.display()))?;
                }
                Some(owners_socket(path).map_err(|error| {
                    Refusal::unavailable(format!("cannot listen on {}: {error}", path.display()))
                })?)
            }
            None => None,
        };
        let tcp = |sockets: Vec<std::net::TcpListener>| {
            let sockets = sockets.into_iter().map(TcpListener::from_std);
            sockets.collect::<Result<Vec<_>, _>>().map_err(unusable)
        };
        let is_bound_here = !inherited.has_mail();
        let mail = if inherited.has_mail() {
            let unix = inherited.mail_unix.into_iter().map(UnixListener::from_std);
            let unix = unix.collect::<Result<Vec<_>, _>>().map_err(unusable)?;
            Listeners::handed_in(tcp(inherited.mail)?, unix)
        } else {
            Listeners::bind(&settings.relay.accept)
                .map_err(|error| Refusal::unavailable(format!("[relay] {error}")))?
        };
        let mut doors = tcp(inherited.admin)?;
        if let Some(at) = admin.listen.filter(|_| doors.is_empty()) {
            let cannot = |error| {
                Refusal::unavailable(format!("[relay.admin] cannot listen on {at}: {error}"))
            };
            let socket = std::net::TcpListener::bind(at).map_err(cannot)?;
            socket.set_nonblocking(true).map_err(cannot)?;
            doors.push(TcpListener::from_std(socket).map_err(cannot)?);
        }
        Ok(Self {
            mail,
            is_bound_here,
            admin: Doors { owner, tcp: doors },
        })
    }

    /// Where mail will be accepted.
    pub(super) fn places(&mut self, settings: &Settings) -> Places {
        let addresses = self.mail.addresses();
        let changes = self.mail.changes();
        if !self.is_bound_here {
            return Places {
                bound: Vec::new(),
                handed_in: Some(addresses),
                changes,
            };
        }
        let listen = settings.relay.accept.listen.iter().copied();
        Places {
            bound: listen.zip(addresses).collect(),
            handed_in: None,
            changes,
        }
    }
}

/// Where mail is accepted, as the configuration has it and as it came to be.
#[derive(Debug)]
pub(super) struct Places {
    /// As configured, and with the port that the kernel chose.
    bound: Vec<(SocketAddr, SocketAddr)>,
    /// Sockets that were handed in: they stay what they are, whatever the configuration says.
    handed_in: Option<Vec<SocketAddr>>,
    changes: mpsc::Sender<Rebind>,
}

/// What a new configuration changes of it.
#[derive(Debug)]
pub(super) struct Change {
    bound: Vec<(SocketAddr, SocketAddr)>,
    rebind: Rebind,
}

impl Places {
    /// All addresses, with the ports that the kernel chose.
    pub(super) fn addresses(&self) -> Vec<SocketAddr> {
        let bound = self.bound.iter().map(|(_, at)| *at);
        bound
            .chain(self.handed_in.iter().flatten().copied())
            .collect()
    }

    /// Listens where `settings` have addresses that are not bound yet.
    ///
    /// # Errors
    /// When one of them cannot be had: then nothing has changed.
    pub(super) fn change(&self, settings: &Settings) -> Result<Change> {
        let mut rebind = Rebind {
            open: Vec::new(),
            close: Vec::new(),
        };
        let mut bound = self.bound.clone();
        if self.handed_in.is_some() {
            return Ok(Change { bound, rebind });
        }
        let mut left = settings.relay.accept.listen.clone();
        bound.retain(|(place, at)| {
            // Each entry once: port 0 may be there several times.
            let found = left.iter().position(|other| other == place);
            match found {
                Some(index) => {
                    left.swap_remove(index);
                }
                None => rebind.close.push(*at),
            }
            found.is_some()
        });
        for place in left {
            let cannot =
                |error: &dyn std::fmt::Display| Refusal::unavailable(format!("[relay] {error}"));
            let listener = listen_at(place).map_err(|error| match own(place, &rebind.close) {
                Some(own) => Refusal::unavailable(format!(
                    "[relay] cannot listen on {place} while this relay listens on {own}: stop it first"
                )),
                None => cannot(&error),
            })?;
            let at = listener.local_addr().map_err(|error| cannot(&error))?;
            bound.push((place, at));
            rebind.open.push(listener);
        }
        Ok(Change { bound, rebind })
    }

    /// Whether the addresses of `settings` mean nothing, for systemd has bound the sockets.
    pub(super) fn are_handed_in(&self) -> bool {
        self.handed_in.is_some()
    }

    /// Makes the change.
    pub(super) async fn take(&mut self, change: Change) {
        self.bound = change.bound;
        if !change.rebind.open.is_empty() || !change.rebind.close.is_empty() {
            // When nobody accepts any more, the relay is about to end.
            let _ = self.changes.send(change.rebind).await;
        }
    }
}

/// The address in `closing` that keeps the relay from listening at `place`: one of the two stands for
/// all addresses of the machine, on the same port.
fn own(place: SocketAddr, closing: &[SocketAddr]) -> Option<SocketAddr> {
    let mut closing = closing.iter().copied();
    closing.find(|at| {
        let is_all = at.ip().is_unspecified() || place.ip().is_unspecified();
        at.port() == place.port() && is_all
    })
}

/// One line for whoever starts it, or asks how it does.
pub(super) fn summary(mail: &[SocketAddr], settings: &Settings, admin: &[SocketAddr]) -> String {
    let mut places: Vec<String> = mail.iter().map(ToString::to_string).collect();
    if let Some(socket) = &settings.relay.accept.socket {
        places.push(socket.display().to_string());
    }
    let mut text = format!(
        "{} {} listens on {}",
        settings.relay.accept.host,
        VERSION,
        places.join(", ")
    );
    let doors: Vec<String> = admin.iter().map(ToString::to_string).collect();
    if !doors.is_empty() {
        text.push_str(&format!("; admin on {}", doors.join(", ")));
    }
    text
}
