//! Waking up: relays tell each other that there may be something to do, and the same connection watches
//! over the server's health. A hint only: whoever hears nothing asks now and then.

use super::link::Link;
use crate::error::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::{AsyncMessage, Client};

/// The server is asked for a sign of life so often.
const BEAT: Duration = Duration::from_secs(5);
/// And must give it within.
const ANSWER: Duration = Duration::from_secs(10);
/// Others are told at most so often.
const PAUSE: Duration = Duration::from_millis(50);
/// After a failed connection, the next one is tried so much later.
const AGAIN: Duration = Duration::from_millis(500);

/// What is rung when something may have become due.
#[derive(Debug, Clone)]
pub(super) struct Bell {
    here: Arc<watch::Sender<u64>>,
    elsewhere: Arc<Notify>,
}

impl Bell {
    /// Wakes this relay now, and the others soon.
    pub(super) fn ring(&self) {
        self.here
            .send_modify(|count| *count = count.wrapping_add(1));
        self.elsewhere.notify_one();
    }
}

/// The task that tells and hears.
#[derive(Debug)]
pub(super) struct Wakeups {
    bell: Bell,
    task: JoinHandle<()>,
}

impl Wakeups {
    pub(super) fn start(link: Arc<Link>, schema: &str) -> Self {
        let bell = Bell {
            here: Arc::new(watch::Sender::new(0)),
            elsewhere: Arc::new(Notify::new()),
        };
        let channel = format!("elsinore_{schema}");
        let task = tokio::spawn(watch_over(link, channel, bell.clone()));
        Self { bell, task }
    }

    pub(super) const fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.bell.here.subscribe()
    }

    pub(super) fn close(&self) {
        self.task.abort();
    }
}

impl Drop for Wakeups {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps a connection that listens, for as long as the store is open.
async fn watch_over(link: Arc<Link>, channel: String, bell: Bell) {
    let name = format!("{:016x}", rand::random::<u64>());
    loop {
        if let Err(error) = listen(&link, &channel, &name, &bell).await {
            link.note(Err(&error));
        }
        sleep(AGAIN).await;
    }
}

/// Ends with the connection.
async fn listen(link: &Link, channel: &str, name: &str, bell: &Bell) -> Result<(), StoreError> {
    let (client, mut driver) = link.connect().await?;
    // Full means that there is news already.
    let (news, mut heard) = mpsc::channel(1);
    let own = name.to_owned();
    let driving = tokio::spawn(async move {
        while let Some(Ok(message)) =
            std::future::poll_fn(|context| driver.poll_message(context)).await
        {
            if let AsyncMessage::Notification(notification) = message
                && notification.payload() != own
            {
                let _ = news.try_send(());
            }
        }
    });
    let _driving = AbortOnDrop(driving);
    execute(&client, &format!("LISTEN {channel}")).await?;
    link.note(Ok(()));
    // Nothing was heard so far, so there may be something.
    bell.here
        .send_modify(|count| *count = count.wrapping_add(1));
    loop {
        tokio::select! {
            news = heard.recv() => match news {
                Some(()) => bell.here.send_modify(|count| *count = count.wrapping_add(1)),
                None => return Err(StoreError::Unavailable("the connection was lost".to_owned())),
            },
            () = bell.elsewhere.notified() => {
                execute(&client, &format!("NOTIFY {channel}, '{name}'")).await?;
                sleep(PAUSE).await;
            }
            () = link.doubted() => {
                execute(&client, "SELECT 1").await?;
                link.note(Ok(()));
                sleep(PAUSE).await;
            }
            () = sleep(BEAT) => {
                execute(&client, "SELECT 1").await?;
                link.note(Ok(()));
            }
        }
    }
}

async fn execute(client: &Client, sql: &str) -> Result<(), StoreError> {
    match timeout(ANSWER, client.batch_execute(sql)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(StoreError::Unavailable(error.to_string())),
        Err(_) => Err(StoreError::Unavailable("no sign of life".to_owned())),
    }
}

/// A task that ends when this is dropped.
struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
