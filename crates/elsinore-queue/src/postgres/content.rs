//! Octets of messages in the database: in parts, so that no message is held in memory whole.

use super::link::{Link, Trouble, USUAL, Work};
use crate::content::{Body, BodyInFile, BodyInMemory, Content};
use crate::error::StoreError;
use crate::id::MessageId;
use deadpool_postgres::{Object, Transaction};
use futures_util::TryStreamExt as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::task::spawn_blocking;

/// Octets of a part. A message of one part is written with its envelope, many messages at a time.
pub(super) const PART: usize = 256 * 1024;
/// The slowest that the server and the network between may be, in octets per second, before a large
/// message is given up.
const SLOWEST: u64 = 512 * 1024;
/// Files of messages on their way that are older were left behind by a relay that died.
const LEFT_BEHIND: Duration = Duration::from_secs(24 * 3600);

/// The time that this many octets may take.
pub(super) fn time_for(octets: u64) -> Duration {
    USUAL.saturating_add(Duration::from_secs(octets / SLOWEST))
}

/// Octets of a message that is to be written.
#[derive(Debug)]
pub(super) enum Source {
    /// The only part.
    Whole(Vec<u8>),
    /// Several parts, in memory.
    Memory(Arc<Vec<u8>>),
    /// Several parts, in a file.
    File {
        file: Arc<File>,
        octets: u64,
        /// Removes the file.
        _path: tempfile::TempPath,
    },
}

impl Source {
    /// Takes content over. What fits into one part is read now.
    pub(super) async fn of(content: Content) -> Result<Self, StoreError> {
        match content {
            Content::Memory(octets) if octets.len() <= PART => Ok(Self::Whole(octets)),
            Content::Memory(octets) => Ok(Self::Memory(Arc::new(octets))),
            Content::File { file, octets } => {
                let (file, path) = file.into_parts();
                let file = Arc::new(file);
                match usize::try_from(octets) {
                    Ok(length) if length <= PART => {
                        let whole = read_at(&file, 0, length).await?;
                        Ok(Self::Whole(whole))
                    }
                    _ => Ok(Self::File {
                        file,
                        octets,
                        _path: path,
                    }),
                }
            }
        }
    }

    /// Their number.
    pub(super) fn octets(&self) -> u64 {
        match self {
            Self::Whole(octets) => u64::try_from(octets.len()).unwrap_or(u64::MAX),
            Self::Memory(octets) => u64::try_from(octets.len()).unwrap_or(u64::MAX),
            Self::File { octets, .. } => *octets,
        }
    }

    /// The part that begins at octet `start`.
    async fn part(&self, start: u64) -> Result<Vec<u8>, StoreError> {
        let left = self.octets().saturating_sub(start);
        let length = usize::try_from(left).map_or(PART, |left| left.min(PART));
        match self {
            Self::Whole(octets) => Ok(octets.clone()),
            Self::Memory(octets) => {
                let start = usize::try_from(start).unwrap_or(usize::MAX);
                let part = octets.get(start..start.saturating_add(length));
                Ok(part.unwrap_or_default().to_vec())
            }
            Self::File { file, .. } => read_at(file, start, length).await,
        }
    }
}

async fn read_at(file: &Arc<File>, start: u64, length: usize) -> Result<Vec<u8>, StoreError> {
    let file = Arc::clone(file);
    let read = spawn_blocking(move || {
        let mut part = vec![0; length];
        file.read_exact_at(&mut part, start)?;
        Ok(part)
    });
    Ok(read.await.map_err(io::Error::other).flatten()?)
}

/// Writes all parts of a message and answers its checksum. Parts of another message of this name stay
/// as they are: the caller finds out by the envelope.
pub(super) async fn write_parts(
    transaction: &Transaction<'_>,
    id: &[u8],
    source: &Source,
) -> Result<u32, Trouble> {
    const SQL: &str = "INSERT INTO body (message, part, octets) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING";
    let statement = transaction.prepare_cached(SQL).await?;
    let mut crc = 0;
    let mut start = 0;
    let mut number = 0_i32;
    while start < source.octets() {
        let part = source.part(start).await?;
        crc = crc32c::crc32c_append(crc, &part);
        start = start.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        transaction
            .execute(&statement, &[&id, &number, &part])
            .await?;
        number = number.saturating_add(1);
    }
    Ok(crc)
}

/// What was read of a message.
enum Fetched {
    Small(Vec<u8>),
    Large(File),
}

/// A message's octets: in memory when they are one part, otherwise in a file without a name, so that
/// they stay readable whatever becomes of the message and of the connection.
pub(super) async fn body(
    link: &Link,
    folder: &Path,
    id: MessageId,
) -> Result<Arc<dyn Body>, StoreError> {
    let head = link.run(USUAL, move |client| head(client, id)).await?;
    let (octets, crc) = head.ok_or(StoreError::Unknown)?;
    let folder = folder.to_path_buf();
    let fetched = link.run(time_for(octets), move |client| {
        fetch(client, id, octets, crc, folder.clone())
    });
    match fetched.await? {
        Fetched::Small(octets) => Ok(Arc::new(BodyInMemory(octets.into()))),
        Fetched::Large(file) => Ok(Arc::new(BodyInFile {
            file: Arc::new(file),
            start: 0,
            octets,
        })),
    }
}

fn head(client: &mut Object, id: MessageId) -> Work<'_, Option<(u64, u32)>> {
    Box::pin(async move {
        let statement = client
            .prepare_cached("SELECT octets, crc FROM message WHERE id = $1")
            .await?;
        let Some(row) = client.query_opt(&statement, &[&&id.octets()[..]]).await? else {
            return Ok(None);
        };
        let octets = u64::try_from(row.try_get::<_, i64>(0)?).unwrap_or(0);
        let crc = u32::try_from(row.try_get::<_, i64>(1)?).unwrap_or(0);
        Ok(Some((octets, crc)))
    })
}

fn fetch(
    client: &mut Object,
    id: MessageId,
    octets: u64,
    crc: u32,
    folder: PathBuf,
) -> Work<'_, Fetched> {
    Box::pin(async move {
        let name = id.octets();
        let statement = client
            .prepare_cached("SELECT octets FROM body WHERE message = $1 ORDER BY part")
            .await?;
        let rows = client.query_raw(&statement, [&name[..]]).await?;
        let mut rows = pin!(rows);
        let small = usize::try_from(octets).is_ok_and(|octets| octets <= PART);
        let mut memory = Vec::new();
        let mut file = None;
        let (mut seen, mut sum) = (0_u64, 0);
        let mut none = true;
        while let Some(row) = rows.try_next().await? {
            none = false;
            let part: Vec<u8> = row.try_get(0)?;
            seen = seen.saturating_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
            sum = crc32c::crc32c_append(sum, &part);
            if small {
                memory.extend_from_slice(&part);
            } else {
                file = Some(append(file, folder.clone(), part).await?);
            }
        }
        if none {
            // It was settled between the two questions.
            return Err(StoreError::Unknown.into());
        }
        if (seen, sum) != (octets, crc) {
            let what = format!("the content of {id} is not what was written");
            return Err(StoreError::Damaged(what).into());
        }
        Ok(match file {
            None => Fetched::Small(memory),
            Some(file) => Fetched::Large(file),
        })
    })
}

/// Appends a part to the file, which is made when there is none.
async fn append(file: Option<File>, folder: PathBuf, part: Vec<u8>) -> Result<File, StoreError> {
    let written = spawn_blocking(move || {
        let mut file = match file {
            Some(file) => file,
            None => tempfile::tempfile_in(folder)?,
        };
        file.write_all(&part)?;
        Ok(file)
    });
    Ok(written.await.map_err(io::Error::other).flatten()?)
}

/// Makes the folder for messages on their way, and removes what relays that died left in it.
pub(super) async fn prepare_folder(folder: PathBuf) -> Result<(), StoreError> {
    let prepared = spawn_blocking(move || {
        std::fs::create_dir_all(&folder)?;
        let now = SystemTime::now();
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with("incoming-") {
                continue;
            }
            let old = entry
                .metadata()
                .and_then(|metadata| metadata.modified())
                .is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > LEFT_BEHIND));
            if old {
                // Whoever removes it first is as good as we are.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Ok(())
    });
    prepared
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error: io::Error| StoreError::ReadOnly(error.to_string()))
}
