//! The segment files of a store: appended to in one place, counted, and removed when nothing in them
//! is needed any more.

use super::scan::Place;
use super::segment::{
    RECORD_HEADER, RecordHeader, SEGMENT_HEADER, SEGMENT_VERSION, SINGLE_TAG, Tag, newer_version,
    segment_header,
};
use crate::content::Content;
use crate::error::StoreError;
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Octets gathered before they are written.
const GATHERED: usize = 1 << 20;
/// Files of segments held open for reading.
const OPEN_FILES: usize = 64;

/// What became of a write.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// No room; nothing of it stays.
    Full(String),
    /// What is on disk is unknown.
    Failed(String),
}

impl Fault {
    /// What an error of a write, not of an fsync, means. That the system is out of something for the
    /// moment is as good as a full disk: the batch is taken back.
    pub(super) fn of_write(what: &Path, error: &io::Error) -> Self {
        let text = format!("{}: {error}", what.display());
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::OutOfMemory
            | io::ErrorKind::Interrupted => Self::Full(text),
            _ if Errno::from_io_error(error)
                .is_some_and(|errno| matches!(errno, Errno::MFILE | Errno::NFILE)) =>
            {
                Self::Full(text)
            }
            _ => Self::Failed(text),
        }
    }

    fn of_sync(what: &Path, error: &io::Error) -> Self {
        Self::Failed(format!("fsync of {}: {error}", what.display()))
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Full(text) => Self::Full(text),
            Fault::Failed(text) => Self::Failed(text),
        }
    }
}

/// How much of a segment is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Live {
    /// Whether it is a single.
    pub(super) single: bool,
    /// Octets of its file.
    pub(super) file: u64,
    /// Octets of records that are needed.
    pub(super) octets: u64,
    /// Messages that are needed.
    pub(super) messages: u64,
}

/// A segment that is being appended to.
#[derive(Debug)]
struct Current {
    number: u64,
    tag: Tag,
    file: Arc<File>,
    path: PathBuf,
    /// Octets written and gathered.
    length: u64,
    gathered: Vec<u8>,
    /// Length when the batch began.
    before: u64,
    dirty: bool,
}

/// Files of segments by number, for reading.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    open: Mutex<HashMap<u64, Arc<File>>>,
}

/// The path of a shared segment.
pub(super) fn shared_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016x}.seg"))
}

/// The path of a single.
pub(super) fn single_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:016x}.msg"))
}

/// The segment files in a folder: number, and whether it is a single.
///
/// # Errors
/// What the file system says.
pub(super) fn segment_files(folder: &Path) -> io::Result<BTreeMap<u64, bool>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let Some((number, kind)) = name.to_str().and_then(|name| name.split_once('.')) else {
            continue;
        };
        if let Ok(number) = u64::from_str_radix(number, 16)
            && matches!(kind, "seg" | "msg")
        {
            files.insert(number, kind == "msg");
        }
    }
    Ok(files)
}

/// Refuses segments in `folder` that a later program wrote. Reads their headers and nothing else.
///
/// # Errors
/// [`StoreError::Newer`], and what the file system says.
pub(super) fn check_versions(folder: &Path) -> Result<(), StoreError> {
    let fault = |error: io::Error| super::room::of_folder(folder, &error);
    if !folder.exists() {
        return Ok(());
    }
    for (number, _) in (segment_files(folder).map_err(fault)?.into_iter()).filter(|(_, one)| !one) {
        let mut header = Vec::with_capacity(SEGMENT_HEADER);
        File::open(shared_path(folder, number))
            .and_then(|file| file.take(SEGMENT_HEADER as u64).read_to_end(&mut header))
            .map_err(fault)?;
        if let Some(found) = newer_version(&header) {
            return Err(StoreError::Newer {
                found: found.into(),
                known: SEGMENT_VERSION.into(),
            });
        }
    }
    Ok(())
}

impl Files {
    /// The files of segments in `folder`.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            open: Mutex::default(),
        }
    }

    /// The file of a segment.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn open(&self, number: u64) -> io::Result<Arc<File>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&number) {
            return Ok(Arc::clone(file));
        }
        let file = match File::open(shared_path(&self.folder, number)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A single is read once or twice: not worth a place among the open files.
                return Ok(Arc::new(File::open(single_path(&self.folder, number))?));
            }
            file => Arc::new(file?),
        };
        if open.len() >= OPEN_FILES {
            open.clear();
        }
        open.insert(number, Arc::clone(&file));
        Ok(file)
    }

    fn close(&self, number: u64) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.remove(&number);
    }
}

/// All segments, as the writer sees them.
#[derive(Debug)]
pub(super) struct Segments {
    folder: PathBuf,
    directory: File,
    most: u64,
    current: Option<Current>,
    next_number: u64,
    /// The number from which on the batch has made files, singles among them.
    singles: Vec<PathBuf>,
    directory_dirty: bool,
    live: BTreeMap<u64, Live>,
    files: Arc<Files>,
}

impl Segments {
    /// The segments in `folder`; shared ones end when they have more than `most` octets.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn new(
        folder: PathBuf,
        most: u64,
        next_number: u64,
        live: BTreeMap<u64, Live>,
        files: Arc<Files>,
    ) -> io::Result<Self> {
        Ok(Self {
            directory: File::open(&folder)?,
            folder,
            most,
            current: None,
            next_number,
            singles: Vec::new(),
            directory_dirty: false,
            live,
            files,
        })
    }

    /// The number of the segment that is appended to and its length; nothing before the first record.
    pub(super) fn position(&self) -> Option<(u64, u64)> {
        self.current
            .as_ref()
            .map(|current| (current.number, current.length))
    }

    /// The number that the next file gets.
    pub(super) const fn next_number(&self) -> u64 {
        self.next_number
    }

    /// Begins a batch: everything that it appends is kept together or removed together.
    ///
    /// # Errors
    /// [`Fault`] when a new segment cannot be made.
    pub(super) fn begin(&mut self) {
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.length >= self.most)
        {
            self.current = None;
        }
        if let Some(current) = &mut self.current {
            current.before = current.length;
        }
    }

    fn current(&mut self) -> Result<&mut Current, Fault> {
        if self.current.is_none() {
            let number = self.next_number;
            let path = shared_path(&self.folder, number);
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .open(&path)
                .map_err(|error| Fault::of_write(&path, &error))?;
            self.next_number += 1;
            self.directory_dirty = true;
            let tag = rand::random::<[u8; 8]>();
            self.current = Some(Current {
                number,
                tag,
                file: Arc::new(file),
                path,
                length: SEGMENT_HEADER as u64,
                gathered: segment_header(number, tag).to_vec(),
                before: SEGMENT_HEADER as u64,
                dirty: true,
            });
        }
        self.current
            .as_mut()
            .ok_or_else(|| Fault::Failed("no segment".to_owned()))
    }

    /// Appends a record; on disk after [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn append(
        &mut self,
        header: &RecordHeader,
        head: &[u8],
        content: &mut Content,
    ) -> Result<Place, Fault> {
        let current = self.current()?;
        let start = current.length;
        current.put(&header.write(current.tag))?;
        current.put(head)?;
        let body = current.length;
        match content {
            Content::Memory(octets) => current.put(octets)?,
            Content::File { file, .. } => {
                let path = current.path.clone();
                let fault = |error: io::Error| Fault::of_write(&path, &error);
                let file = file.as_file_mut();
                file.rewind().map_err(fault)?;
                let mut block = vec![0; GATHERED / 4];
                loop {
                    let length = file.read(&mut block).map_err(fault)?;
                    let Some(block) = block.get(..length).filter(|block| !block.is_empty()) else {
                        break;
                    };
                    current.put(block)?;
                }
            }
        }
        let place = Place {
            segment: current.number,
            start,
            length: current.length - start,
            body,
            octets: current.length - body,
            crc: header.body_crc,
        };
        if Some(place.length) != header.record_octets() {
            return Err(Fault::Failed("a content changed its length".to_owned()));
        }
        Ok(place)
    }

    /// Takes over a file that [`finish_single`] has made ready; under its name for good after
    /// [`sync`](Self::sync).
    ///
    /// # Errors
    /// [`Fault`].
    pub(super) fn take_over(
        &mut self,
        header: &RecordHeader,
        file: tempfile::NamedTempFile,
    ) -> Result<Place, Fault> {
        let number = self.next_number;
        let path = single_path(&self.folder, number);
        file.persist_noclobber(&path)
            .map_err(|error| Fault::of_write(&path, &error.error))?;
        self.next_number += 1;
        self.directory_dirty = true;
        self.singles.push(path);
        Ok(Place {
            segment: number,
            start: 0,
            length: header.record_octets().unwrap_or(u64::MAX),
            body: 0,
            octets: header.body_octets,
            crc: header.body_crc,
        })
    }

    /// Puts what was appended on stable storage; the answer is the number of fsyncs.
    ///
    /// # Errors
    /// [`Fault`]; after a failed fsync always [`Fault::Failed`].
    pub(super) fn sync(&mut self) -> Result<u32, Fault> {
        let mut syncs = 0;
        if let Some(current) = &mut self.current {
            current.write_gathered()?;
            if current.dirty {
                current
                    .file
                    .sync_data()
                    .map_err(|error| Fault::of_sync(&current.path, &error))?;
                current.dirty = false;
                syncs += 1;
            }
        }
        if self.directory_dirty {
            self.directory
                .sync_all()
                .map_err(|error| Fault::of_sync(&self.folder, &error))?;
            self.directory_dirty = false;
            syncs += 1;
        }
        Ok(syncs)
    }

    /// Ends a batch whose rows are committed.
    pub(super) fn committed(&mut self) {
        self.singles.clear();
    }

    /// Removes what the batch has appended; the segment is not appended to again.
    ///
    /// # Errors
    /// [`Fault::Failed`] when that fails too.
    pub(super) fn roll_back(&mut self) -> Result<(), Fault> {
        for path in self.singles.drain(..) {
            std::fs::remove_file(&path)
                .map_err(|error| Fault::Failed(format!("{}: {error}", path.display())))?;
        }
        if let Some(current) = self.current.take() {
            if current.before == SEGMENT_HEADER as u64 {
                // The batch has made it, and nothing in it was ever kept.
                self.live.remove(&current.number);
                return std::fs::remove_file(&current.path).map_err(|error| {
                    Fault::Failed(format!("{}: {error}", current.path.display()))
                });
            }
            current
                .file
                .set_len(current.before)
                .and_then(|()| current.file.sync_all())
                .map_err(|error| Fault::Failed(format!("{}: {error}", current.path.display())))?;
            self.live.entry(current.number).or_default().file = current.before;
        }
        Ok(())
    }

    /// Counts a record that is needed.
    pub(super) fn keep(&mut self, segment: u64, octets: u64, single: bool) {
        let end = self.position();
        let live = self.live.entry(segment).or_default();
        live.file = match end {
            Some((number, length)) if number == segment => length,
            _ => live.file.max(octets),
        };
        live.single |= single;
        live.octets += octets;
        live.messages += 1;
    }

    /// Counts a record that is needed no longer.
    pub(super) fn release(&mut self, segment: u64, octets: u64) {
        if let Some(live) = self.live.get_mut(&segment) {
            live.octets = live.octets.saturating_sub(octets);
            live.messages = live.messages.saturating_sub(1);
        }
    }

    /// Shared segments of which less than one part in `sparse` is needed, and those that ended early
    /// when there are more than `short` of them.
    pub(super) fn sparse(&self, sparse: u64, short: usize) -> Vec<u64> {
        let current = self.current.as_ref().map(|current| current.number);
        let shared =
            |number: u64, live: &Live| live.messages > 0 && Some(number) != current && !live.single;
        let few = |live: &Live| live.octets.saturating_mul(sparse) < live.file;
        let small = |live: &Live| live.file < self.most / 16;
        let shorts = self
            .live
            .iter()
            .filter(|(number, live)| shared(**number, live) && small(live))
            .count();
        self.live
            .iter()
            .filter(|(number, live)| {
                shared(**number, live) && (few(live) || (shorts > short && small(live)))
            })
            .map(|(number, _)| *number)
            .collect()
    }

    /// Segments of which nothing is needed and that are not appended to.
    pub(super) fn dead(&self) -> Vec<u64> {
        let current = self.current.as_ref().map(|current| current.number);
        self.live
            .iter()
            .filter(|(number, live)| live.messages == 0 && Some(**number) != current)
            .map(|(number, _)| *number)
            .collect()
    }

    /// Removes the files of dead segments. Only after the index has forgotten their messages on stable
    /// storage: a row without its octets would look like a lost message.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn remove(&mut self, dead: &[u64]) -> io::Result<()> {
        for number in dead {
            self.files.close(*number);
            for path in [
                shared_path(&self.folder, *number),
                single_path(&self.folder, *number),
            ] {
                match std::fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            self.live.remove(number);
        }
        Ok(())
    }
}

impl Current {
    fn put(&mut self, octets: &[u8]) -> Result<(), Fault> {
        self.dirty = true;
        self.length += octets.len() as u64;
        if self.gathered.is_empty() && octets.len() >= GATHERED {
            let at = self.length - octets.len() as u64;
            return self
                .file
                .write_all_at(octets, at)
                .map_err(|error| Fault::of_write(&self.path, &error));
        }
        self.gathered.extend_from_slice(octets);
        if self.gathered.len() >= GATHERED {
            self.write_gathered()?;
        }
        Ok(())
    }

    fn write_gathered(&mut self) -> Result<(), Fault> {
        let at = self.length - self.gathered.len() as u64;
        self.file
            .write_all_at(&self.gathered, at)
            .map_err(|error| Fault::of_write(&self.path, &error))?;
        self.gathered.clear();
        self.gathered.shrink_to(2 * GATHERED);
        Ok(())
    }
}

/// Makes a file that holds a body into a single, on stable storage but for its name: appends head and
/// record header. Blocks.
///
/// # Errors
/// [`Fault`]; after a failed fsync always [`Fault::Failed`].
pub(super) fn finish_single(
    file: &mut tempfile::NamedTempFile,
    header: &RecordHeader,
    head: &[u8],
) -> Result<(), Fault> {
    let path = file.path().to_owned();
    let file = file.as_file_mut();
    let mut end = Vec::with_capacity(head.len() + RECORD_HEADER);
    end.extend_from_slice(head);
    end.extend_from_slice(&header.write(SINGLE_TAG));
    file.seek(io::SeekFrom::Start(header.body_octets))
        .and_then(|_| file.write_all(&end))
        .map_err(|error| Fault::of_write(&path, &error))?;
    file.sync_all()
        .map_err(|error| Fault::of_sync(&path, &error))
}
