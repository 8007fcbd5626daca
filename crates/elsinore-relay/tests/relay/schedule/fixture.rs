//! A schedule among scripted things: couriers that answer by the destination, a journal that keeps
//! everything, a wall clock that goes with tokio's.

use super::shelf::Shelf;
use elsinore_dane::finding::Finding;
use elsinore_dane::rule::Rule;
use elsinore_dane::time::UnixTime;
use elsinore_net::deliver::{
    Decided, Envelope, Message, Outcome, RecipientReport, ReplyText, SaidBy, SendReport,
    SessionFacts, SessionSecurity,
};
use elsinore_queue::content::Content;
use elsinore_queue::id::MessageId;
use elsinore_queue::message::{self, NewJob, NewMessage, Recipient};
use elsinore_queue::moment::Moment;
use elsinore_queue::store::QueueStore;
use elsinore_relay::clock::WallClock;
use elsinore_relay::event::{Event, Journal};
use elsinore_relay::notice::NoticeSettings;
use elsinore_relay::relay::{Relay, RelayParts, RelayStatus};
use elsinore_relay::schedule::{Courier, Order, ScheduleSettings};
use elsinore_smtp::address::MailDomain;
use elsinore_smtp::command::GreetingName;
use elsinore_smtp::message::Survey;
use futures_util::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// When every world begins.
pub(crate) const BEGIN: Moment = Moment(1_795_000_000_000);

/// A wall clock beside tokio's; it may be set.
#[derive(Debug)]
pub(crate) struct TestClock {
    begun: Instant,
    set_by: Mutex<i64>,
}

impl TestClock {
    pub(crate) const fn new(begun: Instant) -> Self {
        Self {
            begun,
            set_by: Mutex::new(0),
        }
    }

    /// Sets it by so many seconds.
    pub(crate) fn set(&self, seconds: i64) {
        *self.set_by.lock().expect("no panic") += seconds * 1000;
    }
}

impl WallClock for TestClock {
    fn now(&self) -> Moment {
        let set_by = *self.set_by.lock().expect("no panic");
        Moment(BEGIN.plus(self.begun.elapsed()).0 + set_by)
    }
}

/// Keeps every event with the time since the beginning.
#[derive(Debug)]
pub(crate) struct Diary {
    begun: Instant,
    events: Mutex<Vec<(Duration, Event)>>,
}

impl Journal for Diary {
    fn note(&self, event: &Event) {
        let entry = (self.begun.elapsed(), event.clone());
        self.events.lock().expect("no panic").push(entry);
    }
}

impl Diary {
    /// What `pick` makes of the events.
    pub(crate) fn pick<T>(&self, pick: impl Fn(Duration, &Event) -> Option<T>) -> Vec<T> {
        let events = self.events.lock().expect("no panic");
        let picked = events.iter().filter_map(|(at, event)| pick(*at, event));
        picked.collect()
    }
}

/// What a destination does with a job.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Takes it after this time.
    Takes(Duration),
    /// Answers with 4yz to every recipient.
    Waits(Duration),
    /// Answers with 5yz to every recipient.
    Refuses(Duration),
    /// No host can be reached.
    Dead(Duration),
    /// Takes recipients whose local part begins with `ok`, puts off `later…`, refuses the others.
    ByName,
    /// Takes it over a session that achieves this; the host is `mx` and the destination.
    Secured(SessionSecurity),
    /// Takes it, and says itself that it was delivered where that is asked for.
    KnowsDsn,
    /// Lookups fail, and a rule says whose fault that is.
    NoDns(Rule),
    /// Has the whole message and never answers.
    HangsAfterDot,
    /// Takes the message for the first recipient, has it for the second, and says nothing more until the
    /// delivery is called back.
    TakesOne,
    /// Never says anything.
    Hangs,
    /// An error of the program.
    Panics,
}

/// One attempt.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) at: Duration,
    pub(crate) destination: String,
    pub(crate) recipients: Vec<String>,
    /// What was found out about the message.
    pub(crate) survey: Arc<Survey>,
}

/// A courier by script.
#[derive(Debug)]
pub(crate) struct Scripted {
    begun: Instant,
    acts: Mutex<HashMap<String, Act>>,
    pub(crate) attempts: Mutex<Vec<Attempt>>,
    /// Jobs under way, and the most there were at the same time, by destination; under the empty name
    /// all together.
    pub(crate) busy: Mutex<HashMap<String, (usize, usize)>>,
}

impl Scripted {
    pub(crate) fn new(begun: Instant) -> Self {
        Self {
            begun,
            acts: Mutex::default(),
            attempts: Mutex::default(),
            busy: Mutex::default(),
        }
    }

    pub(crate) fn act(&self, destination: &str, act: Act) {
        let mut acts = self.acts.lock().expect("no panic");
        acts.insert(destination.to_owned(), act);
    }

    pub(crate) fn most_busy(&self, destination: &str) -> usize {
        let busy = self.busy.lock().expect("no panic");
        busy.get(destination).map_or(0, |(_, most)| *most)
    }

    /// When this destination was tried.
    pub(crate) fn tried(&self, destination: &str) -> Vec<Duration> {
        let attempts = self.attempts.lock().expect("no panic");
        let tried = attempts.iter().filter(|one| one.destination == destination);
        tried.map(|one| one.at).collect()
    }

    fn begin(&self, destination: &str) {
        let mut busy = self.busy.lock().expect("no panic");
        for name in [destination, ""] {
            let (now, most) = busy.entry(name.to_owned()).or_default();
            *now += 1;
            *most = (*most).max(*now);
        }
    }

    fn end(&self, destination: &str) {
        let mut busy = self.busy.lock().expect("no panic");
        for name in [destination, ""] {
            if let Some((now, _)) = busy.get_mut(name) {
                *now -= 1;
            }
        }
    }
}

fn answer(recipient: &str, outcome: Outcome, decided: Decided) -> RecipientReport {
    let (code, enhanced, said_by) = match (outcome, decided) {
        (Outcome::Delivered, _) => (250, "2.0.0", SaidBy::Server),
        (Outcome::Deferred, Decided::Answer) => (450, "4.2.1", SaidBy::Server),
        (Outcome::Deferred, Decided::NothingLeft) => (450, "4.4.1", SaidBy::Elsinore),
        (Outcome::Bounced, _) => (550, "5.1.1", SaidBy::Server),
    };
    RecipientReport {
        recipient: recipient.to_owned(),
        outcome,
        session: None,
        reply: Some(ReplyText {
            code,
            enhanced: Some(enhanced.to_owned()),
            text: format!("scripted {}", outcome.word()),
            said_by,
        }),
        decided,
        account: Arc::default(),
        attempts: Arc::new(Vec::new()),
        findings: Arc::new(Vec::new()),
    }
}

fn facts(
    destination: &str,
    security: Option<SessionSecurity>,
    offers_dsn: bool,
) -> Arc<SessionFacts> {
    Arc::new(SessionFacts {
        mx_host: format!("mx.{destination}"),
        mx_address: [192, 0, 2, 1].into(),
        port: 25,
        security,
        tlsa_base_domain: None,
        sni: None,
        tls: None,
        matched: None,
        offers_dsn,
        transaction: 1,
    })
}

impl Courier for Scripted {
    fn carry<'a>(
        &'a self,
        envelope: &'a Envelope,
        message: &'a Message,
    ) -> BoxFuture<'a, SendReport> {
        Box::pin(async move {
            let recipients: Vec<String> = (envelope.recipients.iter())
                .map(|recipient| recipient.mailbox.to_string())
                .collect();
            let destination = match envelope.recipients[0].mailbox.domain() {
                MailDomain::Name(name) => name.clone(),
                MailDomain::Literal(address) => address.to_string(),
            };
            self.attempts.lock().expect("no panic").push(Attempt {
                at: self.begun.elapsed(),
                destination: destination.clone(),
                recipients: recipients.clone(),
                survey: Arc::clone(&message.survey),
            });
            let act = self
                .acts
                .lock()
                .expect("no panic")
                .get(&destination)
                .cloned();
            let act = act.unwrap_or(Act::Takes(Duration::from_millis(50)));
            self.begin(&destination);
            let soon = Duration::from_millis(50);
            let mut session = None;
            let mut findings = Vec::new();
            let (took, outcome, decided) = match act {
                Act::Secured(security) => {
                    session = Some(facts(&destination, Some(security), false));
                    (soon, Some(Outcome::Delivered), Decided::Answer)
                }
                Act::KnowsDsn => {
                    session = Some(facts(&destination, None, true));
                    (soon, Some(Outcome::Delivered), Decided::Answer)
                }
                Act::NoDns(whose) => {
                    findings.push(Finding::new(
                        Rule::MxLookupFailed,
                        &*destination,
                        "timed out",
                    ));
                    findings.push(Finding::new(whose, &*destination, "scripted"));
                    (soon, Some(Outcome::Deferred), Decided::NothingLeft)
                }
                Act::Takes(took) => (took, Some(Outcome::Delivered), Decided::Answer),
                Act::Waits(took) => (took, Some(Outcome::Deferred), Decided::Answer),
                Act::Refuses(took) => (took, Some(Outcome::Bounced), Decided::Answer),
                Act::Dead(took) => (took, Some(Outcome::Deferred), Decided::NothingLeft),
                Act::ByName => (soon, None, Decided::Answer),
                Act::HangsAfterDot => {
                    message.spool.reached_end();
                    std::future::pending().await
                }
                Act::TakesOne => {
                    message.spool.reached_end();
                    while !message.recall.is_called() {
                        sleep(Duration::from_millis(100)).await;
                    }
                    let outcomes = [
                        (Outcome::Delivered, Decided::Answer),
                        (Outcome::Deferred, Decided::Answer),
                    ];
                    let rest = std::iter::repeat((Outcome::Deferred, Decided::NothingLeft));
                    let outcomes = outcomes.into_iter().chain(rest);
                    let reports = recipients.iter().zip(outcomes);
                    self.end(&destination);
                    return SendReport {
                        recipients: reports
                            .map(|(recipient, (outcome, decided))| RecipientReport {
                                reply: (outcome == Outcome::Deferred).then(|| ReplyText {
                                    code: 450,
                                    enhanced: None,
                                    text: "no answer".to_owned(),
                                    said_by: SaidBy::Elsinore,
                                }),
                                ..answer(recipient, outcome, decided)
                            })
                            .collect(),
                        finished: UnixTime(0),
                    };
                }
                Act::Hangs => std::future::pending().await,
                Act::Panics => panic!("as the script says"),
            };
            sleep(took).await;
            self.end(&destination);
            let reports = recipients.iter().map(|recipient| {
                let by_name = if recipient.starts_with("ok") {
                    Outcome::Delivered
                } else if recipient.starts_with("later") {
                    Outcome::Deferred
                } else {
                    Outcome::Bounced
                };
                RecipientReport {
                    session: session.clone(),
                    findings: Arc::new(findings.clone()),
                    ..answer(recipient, outcome.unwrap_or(by_name), decided)
                }
            });
            SendReport {
                recipients: reports.collect(),
                finished: UnixTime(0),
            }
        })
    }
}

/// A world with a running schedule.
pub(crate) struct World {
    pub(crate) store: Arc<Shelf>,
    pub(crate) courier: Arc<Scripted>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) diary: Arc<Diary>,
    pub(crate) settings: watch::Sender<Arc<ScheduleSettings>>,
    pub(crate) orders: mpsc::Sender<Order>,
    pub(crate) status: Arc<RelayStatus>,
    stop: watch::Sender<bool>,
    running: JoinHandle<Result<(), elsinore_queue::error::StoreError>>,
    _courier: watch::Sender<Arc<dyn Courier>>,
    _notices: watch::Sender<Arc<NoticeSettings>>,
}

pub(crate) fn notices(adjust: impl Fn(&mut NoticeSettings)) -> Arc<NoticeSettings> {
    let mut settings = NoticeSettings::new(GreetingName::parse("relay.example").expect("a name"));
    adjust(&mut settings);
    Arc::new(settings)
}

impl World {
    pub(crate) fn start(store: &Arc<Shelf>, settings: ScheduleSettings) -> Self {
        Self::start_with(store, settings, |_| ())
    }

    /// One that is started so many seconds later by the wall clock.
    pub(crate) fn start_later(
        store: &Arc<Shelf>,
        settings: ScheduleSettings,
        seconds: i64,
    ) -> Self {
        Self::begin(store, settings, seconds, |_| ())
    }

    pub(crate) fn start_with(
        store: &Arc<Shelf>,
        settings: ScheduleSettings,
        adjust: impl Fn(&mut NoticeSettings),
    ) -> Self {
        Self::begin(store, settings, 0, adjust)
    }

    fn begin(
        store: &Arc<Shelf>,
        settings: ScheduleSettings,
        seconds: i64,
        adjust: impl Fn(&mut NoticeSettings),
    ) -> Self {
        let begun = Instant::now();
        let courier = Arc::new(Scripted::new(begun));
        let diary = Arc::new(Diary {
            begun,
            events: Mutex::default(),
        });
        let clock = Arc::new(TestClock::new(begun));
        clock.set(seconds);
        let (carry, couriers) =
            watch::channel(Arc::<Scripted>::clone(&courier) as Arc<dyn Courier>);
        let (set, set_to) = watch::channel(Arc::new(settings));
        let (notice, notices) = watch::channel(notices(adjust));
        let (stop, stopped) = watch::channel(false);
        let relay = Relay::new(RelayParts {
            store: Arc::<Shelf>::clone(store),
            courier: couriers,
            clock: Arc::<TestClock>::clone(&clock),
            journal: Arc::<Diary>::clone(&diary),
            schedule: set_to,
            notices,
            own_dns: None,
            rollover: None,
        });
        let (orders, status) = (relay.orders(), relay.status());
        Self {
            store: Arc::clone(store),
            courier,
            clock,
            diary,
            settings: set,
            orders,
            status,
            stop,
            running: tokio::spawn(relay.run(stopped)),
            _courier: carry,
            _notices: notice,
        }
    }

    /// Keeps a message from `sender` to `recipients`, whatever their destinations.
    pub(crate) async fn enqueue(&self, sender: &str, recipients: &[&str]) -> MessageId {
        self.enqueue_with(sender, recipients, None).await
    }

    pub(crate) async fn enqueue_with(
        &self,
        sender: &str,
        recipients: &[&str],
        notify: Option<&str>,
    ) -> MessageId {
        let message = new_message(self.clock.now(), sender, recipients, notify);
        let id = message.id;
        self.store.enqueue(message).await.expect("kept");
        id
    }

    /// Waits until nothing is left to do, at most so long.
    pub(crate) async fn done_within(&self, most: Duration) {
        let begun = Instant::now();
        while self.store.jobs() > 0 && begun.elapsed() < most {
            // Rarer and rarer: days are waited for as well as seconds.
            sleep((begun.elapsed() / 500).max(Duration::from_millis(20))).await;
        }
        assert_eq!(
            self.store.jobs(),
            0,
            "jobs left: {:?}",
            self.store.standings()
        );
    }

    /// Waits until it ends by itself.
    pub(crate) async fn ended(self) -> Result<(), elsinore_queue::error::StoreError> {
        self.running.await.expect("no panic")
    }

    /// Tells it to stop, and waits for that; the answer says how long it took.
    pub(crate) async fn stop(self) -> Duration {
        let begun = Instant::now();
        self.stop.send_replace(true);
        let ended = self.running.await.expect("no panic");
        ended.expect("the store works");
        begun.elapsed()
    }
}

pub(crate) fn new_message(
    now: Moment,
    sender: &str,
    recipients: &[&str],
    notify: Option<&str>,
) -> NewMessage {
    let mut jobs: Vec<NewJob> = Vec::new();
    for address in recipients {
        let (_, destination) = address.split_once('@').expect("an address");
        let recipient = Recipient {
            address: (*address).to_owned(),
            notify: notify.map(str::to_owned),
            original: None,
        };
        match jobs.iter_mut().find(|job| job.destination == destination) {
            Some(job) => job.recipients.push(recipient),
            None => jobs.push(NewJob {
                destination: destination.to_owned(),
                recipients: vec![recipient],
                due: now,
                held: None,
            }),
        }
    }
    NewMessage {
        id: MessageId::draw(now),
        arrived: now,
        envelope: message::Envelope {
            reverse_path: sender.to_owned(),
            ret: None,
            envelope_id: None,
            tls: message::TlsWish::Unspecified,
            smtp_utf8: false,
            origin: "192.0.2.1".to_owned(),
        },
        jobs,
        content: Content::Memory(b"Subject: a test\r\n\r\nHello.\r\n".to_vec()),
    }
}
