//! Drives a [`Discovery`] against a function that answers its questions.

use elsinore_dane::answer::{
    AliasKind, AliasLink, Answer, Denial, DenialKind, Failure, Last, Question, RecordData,
    RecordType, RrSet,
};
use elsinore_dane::discovery::{Ask, AskFreshness, Discovery, Query, Reply, Route};
use elsinore_dane::mta_sts::StsFetch;
use elsinore_dane::name::DomainName;
use elsinore_dane::plan::HostPlan;
use elsinore_dane::security::{Authority, Security, Status};
use elsinore_dane::time::UnixTime;
use elsinore_dane::tlsa::TlsaRecord;

pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);

/// Whoever answers: a fixture, a world, a world with an attacker in it.
pub(crate) trait Oracle {
    fn dns(&mut self, question: &Question, freshness: AskFreshness) -> Answer;
    fn policy(&mut self, domain: &DomainName) -> StsFetch;
}

/// Answers every question until the search is finished, and returns the questions in the order
/// in which they were put, with the number of the round trip.
pub(crate) fn drive(discovery: &mut Discovery, oracle: &mut dyn Oracle) -> Vec<(u32, Query)> {
    let mut asked = Vec::new();
    for round in 0..20 {
        let asks = discovery.next_asks();
        if asks.is_empty() {
            break;
        }
        for Ask { id, query } in asks {
            let reply = match &query {
                Query::Dns {
                    question,
                    freshness,
                } => Reply::Dns(oracle.dns(question, *freshness)),
                Query::StsPolicy { domain, .. } => Reply::StsPolicy(oracle.policy(domain)),
            };
            asked.push((round, query));
            discovery.handle_reply(id, reply, NOW);
        }
    }
    assert!(
        discovery.is_finished(),
        "stuck: {:?} after {asked:?}",
        discovery.route()
    );
    asked
}

pub(crate) fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

pub(crate) fn status(security: Security) -> Status {
    match security {
        Security::Secure => Status::assertion(Authority::Fixture, "fixture"),
        Security::Insecure => Status::insecure("unsigned zone"),
        Security::Bogus => Status::bogus("signature does not verify"),
        Security::Indeterminate => Status::indeterminate("no answer in time"),
    }
}

/// An answer without aliases.
pub(crate) fn data(question: &Question, records: Vec<RecordData>, security: Security) -> Answer {
    Answer {
        question: question.clone(),
        chain: Vec::new(),
        last: Last::Data(RrSet {
            owner: question.name.clone(),
            records,
            status: status(security),
            ttl: 300,
        }),
        oddities: Vec::new(),
    }
}

pub(crate) fn denied(question: &Question, kind: DenialKind, security: Security) -> Answer {
    Answer {
        question: question.clone(),
        chain: Vec::new(),
        last: Last::Denied(Denial {
            kind,
            status: status(security),
            ttl: 300,
        }),
        oddities: Vec::new(),
    }
}

pub(crate) fn failed(question: &Question, security: Security) -> Answer {
    Answer {
        question: question.clone(),
        chain: Vec::new(),
        last: Last::Failed(Failure {
            status: status(security),
            ede: None,
        }),
        oddities: Vec::new(),
    }
}

/// Puts an alias before an answer to the same type at another name.
pub(crate) fn via(owner: &DomainName, security: Security, rest: Answer) -> Answer {
    let link = AliasLink {
        owner: owner.clone(),
        kind: AliasKind::Cname,
        target: rest.question.name.clone(),
        status: status(security),
        ttl: 300,
    };
    let mut chain = vec![link];
    chain.extend(rest.chain);
    Answer {
        question: Question::new(owner.clone(), rest.question.record_type),
        chain,
        last: rest.last,
        oddities: Vec::new(),
    }
}

/// A fixture in text, one record a line: `owner TYPE security data`. Types: MX, A, AAAA, TLSA,
/// TXT, CNAME; security: S, I, B (bogus) or T (timeout); data `-` for NODATA, `!` for NXDOMAIN.
/// Names that are not mentioned do not exist, insecurely.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fixture {
    lines: Vec<(DomainName, RecordType, Security, String)>,
    pub(crate) policy: Option<String>,
}

impl Fixture {
    pub(crate) fn parse(text: &str) -> Self {
        let mut fixture = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut words = line.splitn(4, ' ');
            let owner = name(words.next().unwrap());
            let record_type = match words.next().unwrap() {
                "MX" => RecordType::Mx,
                "A" => RecordType::A,
                "AAAA" => RecordType::Aaaa,
                "TLSA" => RecordType::Tlsa,
                "TXT" => RecordType::Txt,
                "CNAME" => RecordType::Cname,
                other => panic!("type {other}"),
            };
            let security = match words.next().unwrap() {
                "S" => Security::Secure,
                "I" => Security::Insecure,
                "B" => Security::Bogus,
                "T" => Security::Indeterminate,
                other => panic!("security {other}"),
            };
            let data = words.next().unwrap_or("").to_owned();
            fixture.lines.push((owner, record_type, security, data));
        }
        fixture
    }

    fn records(&self, question: &Question) -> Vec<&(DomainName, RecordType, Security, String)> {
        self.lines
            .iter()
            .filter(|(owner, record_type, ..)| {
                *owner == question.name && *record_type == question.record_type
            })
            .collect()
    }

    fn answer(&self, question: &Question, depth: u8) -> Answer {
        let lines = self.records(question);
        let Some((_, _, security, first)) = lines.first() else {
            let alias = Question::new(question.name.clone(), RecordType::Cname);
            if let Some((_, _, security, target)) = self.records(&alias).first() {
                assert!(depth < 8, "alias loop");
                let target = Question::new(name(target), question.record_type);
                return via(&question.name, *security, self.answer(&target, depth + 1));
            }
            // A zone's status is that of whatever else is known of the name.
            let known = self
                .lines
                .iter()
                .find(|(owner, ..)| *owner == question.name);
            let parent = self
                .lines
                .iter()
                .find(|(owner, ..)| question.name.is_at_or_below(owner));
            return match (known, parent) {
                (Some((_, _, security, _)), _) => denied(question, DenialKind::NoData, *security),
                (None, Some((_, _, security, _))) => {
                    denied(question, DenialKind::NxDomain, *security)
                }
                (None, None) => denied(question, DenialKind::NxDomain, Security::Insecure),
            };
        };
        match (security, first.as_str()) {
            (Security::Bogus | Security::Indeterminate, _) => failed(question, *security),
            (_, "-") => denied(question, DenialKind::NoData, *security),
            (_, "!") => denied(question, DenialKind::NxDomain, *security),
            _ => {
                let records = lines
                    .iter()
                    .map(|(.., text)| record(question.record_type, text))
                    .collect();
                data(question, records, *security)
            }
        }
    }
}

pub(crate) fn record(record_type: RecordType, text: &str) -> RecordData {
    match record_type {
        RecordType::A => RecordData::A(text.parse().unwrap()),
        RecordType::Aaaa => RecordData::Aaaa(text.parse().unwrap()),
        RecordType::Txt => RecordData::Txt(text.as_bytes().to_vec()),
        RecordType::Mx => {
            let (preference, exchange) = text.split_once(' ').unwrap();
            RecordData::Mx {
                preference: preference.parse().unwrap(),
                exchange: name(exchange),
            }
        }
        RecordType::Tlsa => {
            let mut fields = text.split(' ').map(|field| field.parse::<u8>().unwrap());
            let mut next = || fields.next().unwrap();
            let (usage, selector, matching) = (next(), next(), next());
            RecordData::Tlsa(TlsaRecord::new(
                usage,
                selector,
                matching,
                &vec![7; next().into()],
            ))
        }
        other => panic!("no data of type {other}"),
    }
}

impl Oracle for Fixture {
    fn dns(&mut self, question: &Question, _: AskFreshness) -> Answer {
        self.answer(question, 0)
    }

    fn policy(&mut self, _: &DomainName) -> StsFetch {
        match &self.policy {
            Some(text) => StsFetch::Fetched(text.clone().into_bytes()),
            None => StsFetch::Failed(elsinore_dane::mta_sts::StsFetchError::Status(404)),
        }
    }
}

/// A plan in one line, everything that matters in it.
pub(crate) fn describe(plan: &HostPlan) -> String {
    use elsinore_dane::obligation::{NamePattern, Obligation};
    let mut text = format!("{} ", plan.mx_host);
    match &plan.obligation {
        Obligation::Skip(reason) => text.push_str(&format!("skip({})", reason.word())),
        Obligation::Authenticate(requirements) => {
            let mut parts = Vec::new();
            if let Some(dane) = &requirements.dane {
                let ids: Vec<&str> = dane
                    .reference_identifiers
                    .iter()
                    .map(|n| n.as_str())
                    .collect();
                let word = if dane.mx_secure { "dane" } else { "halfdane" };
                parts.push(format!("{word}[{}; {}]", dane.base_domain, ids.join(" ")));
            }
            if let Some(webpki) = &requirements.webpki {
                let names: Vec<String> = webpki
                    .names
                    .iter()
                    .map(|pattern| match pattern {
                        NamePattern::Exact(name) => name.to_string(),
                        NamePattern::Below(name) => format!(".{name}"),
                    })
                    .collect();
                parts.push(format!("{:?}[{}]", webpki.because, names.join(" ")));
            }
            if requirements.pins.is_some() {
                parts.push("pins".to_owned());
            }
            text.push_str(&parts.join("+"));
        }
        other => text.push_str(other.word()),
    }
    match &plan.obligation {
        Obligation::Skip(_) => {}
        _ => match &plan.sni {
            Some(sni) => text.push_str(&format!(" sni={sni}")),
            None => text.push_str(" sni=-"),
        },
    }
    text
}

/// The outcome of a finished search: the refusal, or each host.
pub(crate) fn summary(discovery: &Discovery) -> Vec<String> {
    match discovery.route() {
        Route::Bounce(refusal) => vec![format!("bounce {}", refusal.code)],
        Route::Defer(refusal) => vec![format!("defer {}", refusal.code)],
        Route::Undecided => vec!["undecided".to_owned()],
        Route::Hosts { .. } => discovery.plans().map(describe).collect(),
    }
}
