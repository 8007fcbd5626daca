//! Whether this machine can do DANE, and if not, why: probes of everything that delivery rests on.
//!
//! Resolvers, the way to the root, the clock, the trust anchors, port 25, and what the operating
//! system gives. Input and output are thin: what was seen becomes data (`doctor/observe.rs`,
//! `doctor/roots.rs`, `doctor/own.rs`, `doctor/mail.rs`), and pure functions beside it make
//! [`Check`]s of the data. The same pieces answer a smaller question while mail is sent: when a
//! lookup fails, is it their DNS or ours ([`triage`], [`watch`])?

mod anchors;
mod ask;
mod check;
mod clock;
mod judge;
mod kind;
mod machine;
mod mail;
mod names;
mod observe;
mod own;
mod resolv_conf;
mod roots;
pub mod triage;
pub mod watch;

pub use anchors::Rollover;
pub use check::{Area, Check, Examination, Fitness, Verdict};
pub use judge::Role;
pub use mail::{MailTarget, default_targets};
pub use names::{ProbeName, ProbeNames};
pub use resolv_conf::{
    HEEDED, ResolvConf, faults as resolv_conf_faults, interface_number, missing as no_resolv_conf,
    parse as parse_resolv_conf,
};

use crate::clock::{Clock, FixedClock};
use crate::dialer::Dialer;
use crate::resolver::probe::{Signature, anchor_tags, root_keys, signatures_on};
use crate::resolver::{ConfigError, Freshness, Mode, Resolver, ResolverConfig, SecureResolver};
use ask::Asker;
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::name::DomainName;
use elsinore_dane::network::NetworkPolicy;
use elsinore_dane::security::Security;
use elsinore_dane::time::UnixTime;
use futures_util::future::{join, join_all};
use judge::Case;
use mail::Knocker;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Everything an examination is told.
#[derive(Debug, Clone)]
pub struct DoctorConfig {
    /// How our own resolver works: mode, hints, anchors, upstreams.
    pub dns: ResolverConfig,
    /// Whether new keys of the root are followed.
    pub rollover: Rollover,
    /// The resolvers to look at, each with the part it plays.
    pub resolvers: Vec<(SocketAddr, Role)>,
    /// Lines that the caller has to say about where the resolvers come from.
    pub remarks: Vec<Check>,
    /// Names of which it is known what they are.
    pub names: ProbeNames,
    /// Mail servers to knock at on port 25; nobody when empty.
    pub mail: Vec<MailTarget>,
    /// Addresses that mail servers may have.
    pub networks: NetworkPolicy,
    /// Folder for learnt state.
    pub state_dir: Option<PathBuf>,
    /// How long an answer of a resolver or a root server may take.
    pub patience: Duration,
    /// How long the greeting of a mail server may take; a connection, half of it.
    pub mail_patience: Duration,
    /// A resolver whose fastest answer takes this long is called slow.
    pub slow: Duration,
}

impl DoctorConfig {
    /// The usual times and names, for a resolver that works as `dns` says.
    #[must_use]
    pub fn new(dns: ResolverConfig) -> Self {
        Self {
            dns,
            rollover: Rollover::Fixed,
            resolvers: Vec::new(),
            remarks: Vec::new(),
            names: ProbeNames::default(),
            mail: default_targets(),
            networks: NetworkPolicy::default(),
            state_dir: None,
            // A validator that asks a far-away zone for the first time takes seconds.
            patience: Duration::from_secs(6),
            // Servers let strangers wait for the greeting, to tell spammers (RFC 5321 §4.5.3.2.1
            // allows five minutes); most stay below ten seconds.
            mail_patience: Duration::from_secs(10),
            slow: Duration::from_secs(1),
        }
    }
}

/// Looks at a machine.
#[derive(Debug)]
pub struct Doctor {
    config: DoctorConfig,
    dialer: Arc<dyn Dialer>,
    clock: Arc<dyn Clock>,
    resolver: Resolver,
    asker: Asker,
}

impl Doctor {
    /// A doctor who asks through `dialer`, for a machine whose clock is `clock`.
    ///
    /// # Errors
    /// [`ConfigError`] when our own resolver cannot work as configured.
    pub fn new(
        config: DoctorConfig,
        dialer: Arc<dyn Dialer>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConfigError> {
        let resolver = Resolver::new(config.dns.clone(), Arc::clone(&dialer), Arc::clone(&clock))?;
        Ok(Self {
            asker: Asker {
                dialer: Arc::clone(&dialer),
                patience: config.patience,
            },
            config,
            dialer,
            clock,
            resolver,
        })
    }

    /// Makes every probe. Takes as long as the slowest of them, each of which has a deadline: with
    /// everything dead and the usual times, about half a minute.
    pub async fn examine(&self) -> Examination {
        let config = &self.config;
        let mode = config.dns.mode;
        let (soundings, own) = join(
            roots::sound(&self.asker, config.dns.hints.addresses()),
            own::ask(&self.resolver, &config.names),
        )
        .await;
        let names = own.sound(&config.names, mode);
        let (observed, (mail, signed)) = join(
            self.observe(&names),
            join(self.mail(own.validates()), self.signatures(&config.names)),
        )
        .await;

        let now = self.clock.now();
        let mut signatures: Vec<Signature> = signed;
        let mut keys: Vec<Vec<u8>> = Vec::new();
        let told = (soundings.iter())
            .flat_map(|sounding| &sounding.servers)
            .flat_map(|(udp, tcp)| [udp, tcp])
            .chain(observed.iter().map(|(_, _, seen)| &seen.whole))
            .filter_map(|seen| seen.told());
        for told in told {
            signatures.extend(told.signatures.iter().cloned());
            if keys.is_empty() && !told.truncated {
                keys.clone_from(&told.keys);
            }
        }
        signatures.extend(observed.iter().flat_map(|(_, _, seen)| seen.clocks.clone()));
        let reading = clock::read(now, &signatures);
        let off = match &reading {
            clock::Reading::Wrong(off) => Some(off.nearest),
            _ => None,
        };
        let confirmed = match off {
            Some(nearest) => self.validates_at(nearest).await,
            None => false,
        };

        let cases: Vec<Case> = (observed.into_iter())
            .map(|(server, role, seen)| Case {
                server,
                role,
                portrait: kind::portray(&seen),
                asked: seen.asked,
            })
            .collect();
        let keys = root_keys(&keys, &config.dns.anchors);
        let bypass = (cases.iter().find(|case| judge::could_be_source(case)))
            .map(|case| case.server.to_string());

        let mut checks = vec![clock::judge(now, &reading, confirmed)];
        checks.extend(roots::judge(&soundings, mode, bypass.as_deref()));
        if mode != Mode::Ad {
            let tags = anchor_tags(&config.dns.anchors);
            checks.extend(anchors::judge(Some(&keys), &tags, &config.rollover));
        }
        checks.push(own::judge(&own, mode, off.is_some()));
        checks.extend(config.remarks.iter().cloned());
        checks.extend(judge::judge(&cases, config.slow));
        checks.push(mail);
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
        checks.push(machine::judge_files(machine::open_files(&limits)));
        let state = machine::try_state(config.state_dir.as_deref());
        checks.push(machine::judge_state(&state));
        Examination { checks }
    }

    async fn observe(&self, names: &ProbeNames) -> Vec<(SocketAddr, Role, observe::Observed)> {
        let each = (self.config.resolvers.iter()).map(|(server, role)| async move {
            let seen = observe::observe(&self.asker, *server, names).await;
            (*server, *role, seen)
        });
        join_all(each).await
    }

    /// The signatures of good names, as our own resolver gets them: zones beside the root to
    /// compare the clock with.
    async fn signatures(&self, names: &ProbeNames) -> Vec<Signature> {
        if self.config.dns.mode == Mode::Ad {
            return Vec::new();
        }
        let each = (names.secure.iter().take(names::MOST))
            .map(|ProbeName(question)| signatures_on(&self.resolver, question));
        join_all(each).await.concat()
    }

    /// Knocks at mail servers. Where no name can be looked up, only addresses are tried.
    async fn mail(&self, lookups_work: bool) -> Check {
        let config = &self.config;
        if config.mail.is_empty() {
            return mail::left_out();
        }
        let knocker = Knocker {
            dialer: &self.dialer,
            resolver: &self.resolver,
            networks: &config.networks,
            patience: config.mail_patience,
        };
        let targets: Vec<MailTarget> = (config.mail.iter())
            .filter(|target| lookups_work || matches!(target, MailTarget::Address(_)))
            .cloned()
            .collect();
        if targets.is_empty() {
            return mail::without_lookups();
        }
        mail::judge(&knocker.knock(&targets).await)
    }

    /// Whether the root validates with the clock set to `at`.
    async fn validates_at(&self, at: UnixTime) -> bool {
        let clock = Arc::new(FixedClock(at));
        let Ok(resolver) = Resolver::new(self.config.dns.clone(), Arc::clone(&self.dialer), clock)
        else {
            return false;
        };
        let question = Question::new(DomainName::root(), RecordType::Soa);
        let answer = resolver.lookup(&question, Freshness::Fresh).await;
        answer.overall().security() == Security::Secure
    }
}
