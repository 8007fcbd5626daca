//! The sockets of the service: opened by systemd, or here.

use crate::exit::Refusal;
use anyhow::{Context, Result};
use elsinore_policyd::server::Listener;
use elsinore_policyd::settings::Settings as Service;
use elsinore_relay::service::Inherited;
use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use tokio::net::{TcpListener, UnixListener};

/// Sockets that listen.
#[derive(Debug)]
pub(super) struct Sockets {
    /// For Postfix.
    pub(super) socketmap: Vec<Listener>,
    /// For lookup, health and metrics.
    pub(super) http: Option<TcpListener>,
    /// Where they listen, in words that `main.cf` takes.
    pub(super) places: Vec<String>,
}

impl Sockets {
    /// Opens what `service` names.
    ///
    /// # Errors
    /// One line that names the address.
    pub(super) async fn open(service: &Service, socket_mode: u32) -> Result<Self> {
        let mut sockets = Self {
            socketmap: Vec::new(),
            http: None,
            places: Vec::new(),
        };
        let given = Inherited::take().context("policyd: sockets of systemd")?;
        let has_http = !given.admin.is_empty();
        // What systemd opened stands in the place of what the configuration names.
        let own = if given.has_mail() {
            None
        } else {
            Some(service)
        };
        for listener in given.mail {
            sockets.tcp(TcpListener::from_std(listener)?)?;
        }
        for listener in given.mail_unix {
            let path = listener.local_addr()?;
            let path = path
                .as_pathname()
                .unwrap_or(Path::new("?"))
                .display()
                .to_string();
            sockets.unix(UnixListener::from_std(listener)?, &path);
        }
        for listener in given.admin {
            sockets.http(TcpListener::from_std(listener)?)?;
        }
        for at in own.iter().flat_map(|own| &own.listen) {
            sockets.tcp(bind(*at).await?)?;
        }
        if let Some(path) = own.and_then(|own| own.socket.as_deref()) {
            sockets.unix(unix(path, socket_mode)?, &path.display().to_string());
        }
        if let Some(at) = service.http.filter(|_| !has_http) {
            sockets.http(bind(at).await?)?;
        }
        if sockets.socketmap.is_empty() && sockets.http.is_none() {
            return Err(Refusal::configuration(
                "[policyd] listen is empty, and there is neither socket nor http",
            ));
        }
        Ok(sockets)
    }

    fn tcp(&mut self, listener: TcpListener) -> Result<()> {
        self.places.push(format!("inet:{}", listener.local_addr()?));
        self.socketmap.push(Listener::Tcp(listener));
        Ok(())
    }

    fn unix(&mut self, listener: UnixListener, path: &str) {
        self.places.push(format!("unix:{path}"));
        self.socketmap.push(Listener::Unix(listener));
    }

    fn http(&mut self, listener: TcpListener) -> Result<()> {
        self.places
            .push(format!("http://{}/", listener.local_addr()?));
        self.http = Some(listener);
        Ok(())
    }
}

async fn bind(at: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(at)
        .await
        .with_context(|| format!("policyd: cannot listen on {at}"))
}

/// Listens on a unix socket. One that was left behind by a process that is gone is removed first;
/// one that somebody listens on is not, nor anything else that stands there.
fn unix(path: &Path, mode: u32) -> Result<UnixListener> {
    let failed = || format!("policyd: cannot listen on {}", path.display());
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|about| about.file_type().is_socket());
    if is_socket && UnixStream::connect(path).is_err() {
        std::fs::remove_file(path).with_context(failed)?;
    }
    let listener = UnixListener::bind(path).with_context(failed)?;
    std::fs::set_permissions(path, Permissions::from_mode(mode)).with_context(failed)?;
    Ok(listener)
}
