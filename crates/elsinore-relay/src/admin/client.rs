//! The other side of the owner's socket: what `elsinore queue` asks a running relay.

use super::shape::{ChangeWish, Changed, Fullness, JobList, ListWish, Problem};
use elsinore_queue::id::MessageId;
use elsinore_tlsrpt::shown::{ShowWish, Shown};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(70);
/// Octets of the longest answer.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Why a relay could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: no relay runs here.
    #[error("no relay listens at {0}")]
    NotRunning(PathBuf),
    /// The socket could not be opened or the connection broke.
    #[error("{0}: {1}")]
    Connection(PathBuf, String),
    /// The relay refused.
    #[error("the relay says: {text}")]
    Refused {
        /// The status of HTTP.
        code: u16,
        /// Its words.
        text: String,
    },
}

/// A relay that runs on this machine.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// The relay that listens at `socket`. Nothing is opened yet.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_path_buf(),
        }
    }

    /// Whether a relay listens there.
    ///
    /// # Errors
    /// [`ClientError::Connection`] when that cannot be known, for instance without permission.
    pub async fn is_running(&self) -> Result<bool, ClientError> {
        match self.connect().await {
            Ok(_) => Ok(true),
            Err(ClientError::NotRunning(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A page of jobs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn list(&self, wish: &ListWish) -> Result<JobList, ClientError> {
        self.post("/v1/queue/list", wish).await
    }

    /// Changes jobs.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn change(&self, wish: &ChangeWish) -> Result<Changed, ClientError> {
        self.post("/v1/queue/change", wish).await
    }

    /// How full the queue is.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn stats(&self) -> Result<Fullness, ClientError> {
        let body = self
            .ask(Method::GET, "/v1/queue/stats", Bytes::new())
            .await?;
        self.read(&body)
    }

    /// What was counted for reports about TLS.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn reports(&self, wish: &ShowWish) -> Result<Shown, ClientError> {
        self.post("/v1/tlsrpt/show", wish).await
    }

    /// The header of a message.
    ///
    /// # Errors
    /// [`ClientError`].
    pub async fn header(&self, message: MessageId) -> Result<Vec<u8>, ClientError> {
        let path = format!("/v1/queue/message/{message}/header");
        Ok(self.ask(Method::GET, &path, Bytes::new()).await?.to_vec())
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        wish: &impl serde::Serialize,
    ) -> Result<T, ClientError> {
        let wish = serde_json::to_vec(wish).map_err(|error| self.broken(&error))?;
        let body = self.ask(Method::POST, path, Bytes::from(wish)).await?;
        self.read(&body)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, body: &[u8]) -> Result<T, ClientError> {
        serde_json::from_slice(body).map_err(|error| self.broken(&error))
    }

    fn broken(&self, error: &dyn std::error::Error) -> ClientError {
        ClientError::Connection(self.socket.clone(), error.to_string())
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        UnixStream::connect(&self.socket)
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    ClientError::NotRunning(self.socket.clone())
                }
                _ => self.broken(&error),
            })
    }

    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Bytes, ClientError> {
        match tokio::time::timeout(PATIENCE, self.exchange(method, path, body)).await {
            Ok(answer) => answer,
            Err(_) => Err(ClientError::Connection(
                self.socket.clone(),
                "no answer in time".to_owned(),
            )),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Bytes, ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| self.broken(&error))?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| self.broken(&error))?;
        let driver = tokio::spawn(connection);
        let answer = async {
            let response =
                (sender.send_request(request).await).map_err(|error| self.broken(&error))?;
            let code = response.status();
            let body = Limited::new(response.into_body(), LONGEST_ANSWER)
                .collect()
                .await
                .map_err(|error| ClientError::Connection(self.socket.clone(), error.to_string()))?
                .to_bytes();
            if code.is_success() {
                return Ok(body);
            }
            let text = serde_json::from_slice::<Problem>(&body)
                .map_or_else(|_| code.to_string(), |problem| problem.error);
            Err(ClientError::Refused {
                code: code.as_u16(),
                text,
            })
        };
        let answer = answer.await;
        driver.abort();
        answer
    }
}
