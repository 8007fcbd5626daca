//! The sockets of a relay: bound by the configuration, or handed in by systemd.

use crate::config::Settings;
use crate::exit::Refusal;
use anyhow::{Context, Result};
use elsinore_relay::accept::Listeners;
use elsinore_relay::admin::serve::{Doors, owners_socket};
use elsinore_relay::service::Inherited;
use std::net::SocketAddr;
use tokio::net::{TcpListener, UnixListener};

/// The version of the program.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The sockets of a relay.
pub(super) struct Sockets {
    pub(super) mail: Listeners,
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
            admin: Doors { owner, tcp: doors },
        })
    }
}

/// One line for whoever starts it.
pub(super) fn summary(mail: &[SocketAddr], settings: &Settings, admin: &Doors) -> String {
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
    let doors: Vec<String> = (admin.tcp.iter())
        .filter_map(|door| door.local_addr().ok())
        .map(|at| at.to_string())
        .collect();
    if !doors.is_empty() {
        text.push_str(&format!("; admin on {}", doors.join(", ")));
    }
    text
}
