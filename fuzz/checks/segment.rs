//! What must hold of segments of the queue, whatever is in them.

use elsinore_queue::content::Content;
use elsinore_queue::id::MessageId;
use elsinore_queue::message::{Envelope, NewJob, NewMessage, Recipient, TlsWish};
use elsinore_queue::moment::Moment;
use elsinore_queue::sqlite::{SegmentStretch, SqliteSettings, SqliteStore, survey_segment};
use elsinore_queue::store::QueueStore as _;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Octets of a segment's header, which is there twice.
const HEADER: usize = 64;

/// A segment as the store writes it, its number, and the records in it.
struct Sample {
    octets: Vec<u8>,
    number: u64,
    records: Vec<SegmentStretch>,
}

/// The first octet says what the others are: octets behind a whole header, or changes to a segment, five
/// octets each (place, bits to flip, and whether the file ends here).
pub(crate) fn check_segment(octets: &[u8]) {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    let sample = SAMPLE.get_or_init(write_sample);
    let Some((kind, rest)) = octets.split_first() else {
        return;
    };
    let mut segment = sample.octets.clone();
    if kind % 2 == 0 {
        segment.truncate(HEADER);
        segment.extend_from_slice(rest);
        check_cover(&segment, sample.number);
        return;
    }
    let mut touched = Vec::new();
    for change in rest.as_chunks::<5>().0 {
        let [a, b, c, bits, cut] = *change;
        let at = u32::from_be_bytes([0, a, b, c]) as usize % sample.octets.len();
        if cut == 0xFF {
            segment.truncate(at);
            touched.push(at..sample.octets.len());
        } else if let Some(octet) = segment.get_mut(at).filter(|_| bits != 0) {
            *octet ^= bits;
            touched.push(at..at + 1);
        }
    }
    let Some(found) = check_cover(&segment, sample.number) else {
        let halves = [0..HEADER / 2, HEADER / 2..HEADER];
        assert!(
            halves
                .iter()
                .all(|half| touched.iter().any(|place| overlap(place, half)))
        );
        return;
    };
    for record in &sample.records {
        let place = record.start as usize..(record.start + record.octets) as usize;
        if !touched.iter().any(|touched| overlap(touched, &place)) {
            assert!(found.contains(record), "{record:?} is not found");
        }
    }
}

fn overlap(one: &std::ops::Range<usize>, other: &std::ops::Range<usize>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Records and damage cover the file; nothing when its header cannot be read.
fn check_cover(segment: &[u8], number: u64) -> Option<Vec<SegmentStretch>> {
    static FILE: OnceLock<Mutex<File>> = OnceLock::new();
    let file = FILE.get_or_init(|| {
        let path = std::env::temp_dir().join(format!("elsinore-segment-{}", std::process::id()));
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .expect("a file");
        std::fs::remove_file(&path).expect("without a name");
        Mutex::new(file)
    });
    let file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.set_len(segment.len() as u64).expect("its length");
    file.write_all_at(segment, 0).expect("written");
    let stretches = survey_segment(&file, number).ok()?;
    let mut at = HEADER as u64;
    for stretch in &stretches {
        assert_eq!(stretch.start, at, "{stretches:?}");
        assert!(stretch.octets > 0);
        at += stretch.octets;
    }
    assert_eq!(at, segment.len().max(HEADER) as u64, "{stretches:?}");
    Some(stretches)
}

fn write_sample() -> Sample {
    let folder = std::env::temp_dir().join(format!(
        "elsinore-sample-{}-{}",
        std::process::id(),
        MessageId::draw(Moment(0))
    ));
    let settings = SqliteSettings {
        reserve_octets: 0,
        ..SqliteSettings::new(folder.clone())
    };
    let store = SqliteStore::open(settings).expect("opens");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    for length in [0, 10, 300, 70] {
        let message = NewMessage {
            id: MessageId::draw(Moment(1_795_000_000_000)),
            arrived: Moment(1_795_000_000_000),
            envelope: Envelope {
                reverse_path: String::new(),
                ret: None,
                envelope_id: None,
                tls: TlsWish::Unspecified,
                smtp_utf8: false,
                origin: "local".to_owned(),
            },
            jobs: vec![NewJob {
                destination: "example.org".to_owned(),
                recipients: vec![Recipient {
                    address: "yorick@example.org".to_owned(),
                    notify: None,
                    original: None,
                }],
                due: Moment(0),
                held: None,
            }],
            content: Content::Memory(vec![b'x'; length]),
        };
        runtime.block_on(store.enqueue(message)).expect("kept");
    }
    runtime.block_on(store.close()).expect("closes");
    let segments = std::fs::read_dir(folder.join("segments")).expect("a folder");
    let path = segments
        .map(|entry| entry.expect("an entry").path())
        .next()
        .expect("a segment");
    let name = path.file_stem().and_then(|name| name.to_str());
    let number = u64::from_str_radix(name.expect("a name"), 16).expect("a number");
    let octets = std::fs::read(&path).expect("reads");
    let file = File::open(&path).expect("opens");
    let records = survey_segment(&file, number).expect("a segment");
    assert_eq!(records.iter().filter(|r| r.message.is_some()).count(), 4);
    std::fs::remove_dir_all(folder).expect("removed");
    Sample {
        octets,
        number,
        records,
    }
}
