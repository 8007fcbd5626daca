//! The sockets that mail comes in by.

use super::settings::AcceptSettings;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::sync::mpsc;

/// Connections that wait to be accepted, in the kernel.
const BACKLOG: u32 = 1024;

/// Listening sockets, bound here or handed in by whoever started us.
#[derive(Debug, Default)]
pub struct Listeners {
    /// TCP.
    pub tcp: Vec<TcpListener>,
    /// Unix sockets: their clients are on this machine.
    pub unix: Vec<UnixListener>,
    /// Sockets in the file system that were made here, and are removed when this is dropped.
    made: Vec<PathBuf>,
    /// What is to be changed while they are served.
    pub(super) changes: Option<mpsc::Receiver<Rebind>>,
}

/// TCP addresses to be opened and closed while mail is accepted. Sessions go on.
#[derive(Debug)]
pub struct Rebind {
    /// Listening sockets that are served from now on.
    pub open: Vec<TcpListener>,
    /// Addresses, with the ports that the kernel chose, that are not any more.
    pub close: Vec<SocketAddr>,
}

/// Why nobody can listen there.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {place}: {error}")]
pub struct ListenError {
    /// The address or the file.
    pub place: String,
    /// What the system says.
    pub error: io::Error,
}

impl Listeners {
    /// Listens on every address of the settings. Clients can connect from here on; they are answered
    /// once the listeners are served. Called within a tokio runtime.
    ///
    /// # Errors
    /// [`ListenError`] at the first address that cannot be had.
    pub fn bind(settings: &AcceptSettings) -> Result<Self, ListenError> {
        let mut listeners = Self::default();
        for address in &settings.listen {
            listeners.tcp.push(listen_at(*address)?);
        }
        if let Some(path) = &settings.socket {
            let listener = bind_unix(path, settings.socket_mode).map_err(|error| ListenError {
                place: path.display().to_string(),
                error,
            })?;
            listeners.unix.push(listener);
            listeners.made.push(path.clone());
        }
        Ok(listeners)
    }

    /// Sockets that are bound already, as systemd hands them in.
    #[must_use]
    pub const fn handed_in(tcp: Vec<TcpListener>, unix: Vec<UnixListener>) -> Self {
        Self {
            tcp,
            unix,
            made: Vec::new(),
            changes: None,
        }
    }

    /// Lets addresses be opened and closed while these are served.
    pub fn changes(&mut self) -> mpsc::Sender<Rebind> {
        let (sender, receiver) = mpsc::channel(1);
        self.changes = Some(receiver);
        sender
    }

    /// The TCP addresses, with the ports that the kernel chose.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.tcp
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .collect()
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        for path in &self.made {
            // Left behind it is in nobody's way: it is found out to be stale.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Listens on one address. Called within a tokio runtime.
///
/// # Errors
/// [`ListenError`] when it cannot be had.
pub fn listen_at(address: SocketAddr) -> Result<TcpListener, ListenError> {
    bind_tcp(address).map_err(|error| ListenError {
        place: address.to_string(),
        error,
    })
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        let socket = TcpSocket::new_v6()?;
        // So that 0.0.0.0 and [::] can both be had, whatever the system's default is.
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
        socket
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn is_socket(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let listener = match UnixListener::bind(path) {
        // A file that is no socket is somebody's, and stays.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_socket(path) => {
            // A socket that nobody answers at was left by a process that is gone.
            match StdUnixStream::connect(path) {
                Err(answer) if answer.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path)?;
                    UnixListener::bind(path)?
                }
                Ok(_) | Err(_) => return Err(error),
            }
        }
        bound => bound?,
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
    Ok(listener)
}
