//! Every sending scenario of the lab, through the relay: accepted by its listener, kept by its store,
//! carried by its schedule. What comes of it must be what comes of it when it is sent directly.
//!
//! What the envelope alone says of TLS (REQUIRETLS, which no listener offers in the clear, and the
//! waiver for reports) goes past the listener, straight into the store.

mod client;

use client::submit;
use elsinore_lab::run::{CaseResult, Equipment, Letter, run_by};
use elsinore_lab::scenario::files::embedded;
use elsinore_net::deliver::{RecipientReport, SendReport, Sender, TlsWish};
use elsinore_queue::admin::{Deed, Filter};
use elsinore_queue::content::Content;
use elsinore_queue::id::MessageId;
use elsinore_queue::message::{self, NewJob, NewMessage};
use elsinore_queue::sqlite::{SqliteSettings, SqliteStore};
use elsinore_queue::store::QueueStore;
use elsinore_relay::accept::{AcceptSettings, Listeners, serve};
use elsinore_relay::clock::{SystemClock, WallClock as _};
use elsinore_relay::event::{Event, Journal};
use elsinore_relay::notice::NoticeSettings;
use elsinore_relay::relay::{Relay, RelayParts};
use elsinore_relay::schedule::{Courier, ScheduleSettings};
use elsinore_smtp::client::HeaderUtf8;
use elsinore_smtp::command::GreetingName;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Longest that one case may take; some servers of the lab hang on purpose.
const PATIENCE: Duration = Duration::from_secs(300);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_relay_ends_as_send_does() {
    let scenarios = embedded().expect("the scenarios");
    let results = run_by(scenarios, |_| (), through_the_relay).await;
    let results = results.expect("a lab");
    assert!(results.len() > 300, "only {} cases", results.len());
    let wrong: Vec<&CaseResult> = (results.iter())
        .filter(|result| !result.is_as_expected())
        .collect();
    let mut text = String::new();
    for result in &wrong {
        text.push_str(&format!("{}: {:?}\n", result.name(), result.differences));
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{text}",
        wrong.len(),
        results.len()
    );
}

/// Passes on every attempt.
#[derive(Debug)]
struct Attempts(mpsc::UnboundedSender<(String, Arc<SendReport>)>);

impl Journal for Attempts {
    fn note(&self, event: &Event) {
        if let Event::Tried {
            destination,
            report,
            message,
            ..
        } = event
            // What the relay tells the sender is not what is judged.
            && message.envelope.origin != elsinore_relay::notice::ORIGIN
        {
            // The test may be over.
            let _ = self.0.send((destination.clone(), Arc::clone(report)));
        }
    }
}

async fn through_the_relay(equipment: Equipment, letter: Letter) -> Result<SendReport, String> {
    let carried = tokio::time::timeout(PATIENCE, carry(equipment, &letter)).await;
    carried.map_err(|_| "took too long".to_owned())?
}

async fn carry(equipment: Equipment, letter: &Letter) -> Result<SendReport, String> {
    let folder = tempfile::tempdir().map_err(text)?;
    let store =
        SqliteStore::open(SqliteSettings::new(folder.path().join("queue"))).map_err(text)?;
    let store: Arc<dyn QueueStore> = Arc::new(store);
    let host = GreetingName::parse("relay.example").map_err(text)?;
    let (noted, mut tried) = mpsc::unbounded_channel();
    let journal: Arc<dyn Journal> = Arc::new(Attempts(noted));
    let sender: Arc<dyn Courier> = Arc::new(Sender::new(
        equipment.sender.clone(),
        Arc::clone(&equipment.resolver) as _,
        Arc::clone(&equipment.dialer),
        Arc::clone(&equipment.clock),
    ));
    let (_courier, courier) = watch::channel(sender);
    let (_schedule, schedule) = watch::channel(Arc::new(ScheduleSettings::default()));
    let (_notices, notices) = watch::channel(Arc::new(NoticeSettings::new(host.clone())));
    let relay = Relay::new(RelayParts {
        store: Arc::clone(&store),
        courier,
        clock: Arc::new(SystemClock),
        journal: Arc::clone(&journal),
        schedule,
        notices,
        own_dns: None,
        rollover: None,
    });
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(relay.run(stopped));

    let mut open = match letter.envelope.tls {
        TlsWish::AsAnnounced => {
            let settings = AcceptSettings {
                listen: Vec::new(),
                socket: Some(folder.path().join("smtp.sock")),
                host,
                ..AcceptSettings::default()
            };
            let listeners = Listeners::bind(&settings).map_err(text)?;
            let socket = folder.path().join("smtp.sock");
            let (_settings, settings) = watch::channel(Arc::new(settings));
            let mut accepted = stop.subscribe();
            let until = async move {
                // Its sender outlives the case.
                let _ = accepted.changed().await;
            };
            let store = Arc::clone(&store);
            tokio::spawn(serve(settings, listeners, store, journal, until));
            submit(&socket, letter).await?
        }
        TlsWish::Require | TlsWish::NotRequired => enqueue(&*store, letter).await?,
    };
    let mut reports: Vec<Arc<SendReport>> = Vec::new();
    for attempt in 1..=letter.attempts {
        reports.clear();
        let mut waiting = open.clone();
        while !waiting.is_empty() {
            let (destination, report) = tried.recv().await.ok_or("the relay ended")?;
            waiting.remove(&destination);
            reports.push(report);
        }
        if attempt < letter.attempts {
            written(&*store).await?;
            let now = SystemClock.now();
            let retried = store.change(Filter::default(), Deed::Retry(now)).await;
            // What is done is not in the queue any more.
            if retried.map_err(text)? == 0 {
                open = BTreeSet::new();
            }
        }
    }
    stop.send(true).map_err(text)?;
    running.await.map_err(text)?.map_err(text)?;
    store.close().await.map_err(text)?;
    merged(letter, &reports)
}

/// Waits until the end of every attempt is written: an order that comes before would be overwritten.
async fn written(store: &dyn QueueStore) -> Result<(), String> {
    loop {
        let page = store.list(Filter::default(), None, 1000).await;
        if page.map_err(text)?.jobs.iter().all(|job| !job.leased) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One report with all recipients in the order of the envelope.
fn merged(letter: &Letter, reports: &[Arc<SendReport>]) -> Result<SendReport, String> {
    let all: Vec<&RecipientReport> = (reports.iter())
        .flat_map(|report| &report.recipients)
        .collect();
    let recipients = letter.envelope.recipients.iter().map(|recipient| {
        let address = recipient.mailbox.to_string();
        let found = all.iter().find(|report| report.recipient == address);
        let found = found.ok_or_else(|| format!("{address} was not tried"))?;
        Ok((*found).clone())
    });
    Ok(SendReport {
        recipients: recipients.collect::<Result<_, String>>()?,
        finished: reports.last().ok_or("nothing was tried")?.finished,
    })
}

/// Puts the letter into the store as a listener would; the answer is its destinations.
async fn enqueue(store: &dyn QueueStore, letter: &Letter) -> Result<BTreeSet<String>, String> {
    let now = SystemClock.now();
    let mut jobs: Vec<NewJob> = Vec::new();
    for recipient in &letter.envelope.recipients {
        let destination = recipient.mailbox.domain().to_string();
        let one = message::Recipient {
            address: recipient.mailbox.to_string(),
            notify: None,
            original: None,
        };
        match jobs.iter_mut().find(|job| job.destination == destination) {
            Some(job) => job.recipients.push(one),
            None => jobs.push(NewJob {
                destination,
                recipients: vec![one],
                due: now,
                held: None,
            }),
        }
    }
    let destinations = jobs.iter().map(|job| job.destination.clone()).collect();
    let new = NewMessage {
        id: MessageId::draw(now),
        arrived: now,
        envelope: message::Envelope {
            reverse_path: letter.envelope.reverse_path.to_string(),
            ret: None,
            envelope_id: None,
            tls: match letter.envelope.tls {
                TlsWish::Require => message::TlsWish::Required,
                TlsWish::NotRequired => message::TlsWish::Optional,
                TlsWish::AsAnnounced => message::TlsWish::Unspecified,
            },
            smtp_utf8: letter.envelope.header_utf8 == HeaderUtf8::Declared,
            origin: "local".to_owned(),
        },
        jobs,
        content: Content::Memory(client::octets(letter)?),
    };
    store.enqueue(new).await.map_err(text)?;
    Ok(destinations)
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
