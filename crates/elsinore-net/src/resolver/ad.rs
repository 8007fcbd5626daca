//! Mode *ad*: an upstream resolver on this machine validates, its AD bit is believed
//! (RFC 6698 §A.3, RFC 4035 §4.9.3). One bit covers a whole chain of aliases; where that is not
//! enough the zone's own status is asked for, and only then the alias itself (RFC 7672 §2.1.3).

use super::Freshness;
use super::core::{Core, Found, Trouble, Work};
use super::evidence::Records;
use super::limits::Budget;
use super::transcript::{Checking, Recursion};
use super::validate::{negative_ttl, nsec3_is_for};
use super::wire::{Message, Name, Nsec, Nsec3, Question, Rcode, Record, record_data, rtype};
use elsinore_dane::answer::{self, AliasKind, AliasLink, Answer, Denial, DenialKind, Last, RrSet};
use elsinore_dane::security::{Authority, Status};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// What the parents say of the zone that holds a name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ZoneStatus {
    /// Shown to be unsigned.
    Unsigned(String),
    /// A DS with AD: signed.
    Signed,
    /// Nothing was shown.
    Unknown,
}

impl Core {
    /// Answers `question` on the word of the upstream resolver.
    pub(super) async fn ask_validator(
        &self,
        question: &answer::Question,
        freshness: Freshness,
        recursion: Recursion,
    ) -> Answer {
        let key = Question {
            name: Name::from_domain(&question.name),
            rtype: question.record_type.code(),
        };
        if freshness == Freshness::Cached
            && let Some((answer, left)) = self.cache.find::<Answer>(&key)
        {
            return aged(Answer::clone(&answer), left);
        }
        let (wanted_keys, _) = mpsc::unbounded_channel();
        let work = Work {
            budget: Budget::new(self.config.limits),
            freshness,
            recursion,
            checking: Checking::Enabled,
            records: Records::Dropped,
            wanted_keys,
            oddities: std::sync::Mutex::default(),
        };
        let deadline = self.config.deadline;
        let answer = timeout(deadline, self.ask_and_judge(question, &key, &work)).await;
        let answer = answer.unwrap_or_else(|_| {
            let text = format!("{question}: no answer within {} s", deadline.as_secs());
            failure(question, Vec::new(), Trouble::new(text))
        });
        if recursion == Recursion::Desired {
            self.cache
                .keep(&key, Arc::new(answer.clone()), ttl(&answer));
        }
        answer
    }

    async fn ask_and_judge(
        &self,
        question: &answer::Question,
        key: &Question,
        work: &Work,
    ) -> Answer {
        let found = match self.fetch_answer(key, work).await {
            Ok(found) => found,
            Err(trouble) => return failure(question, Vec::new(), trouble),
        };
        let message: &Message = &found.message;
        let (links, end) = match walk(message, key, work.budget.limits.alias_links) {
            Ok(walked) => walked,
            Err(text) => {
                return failure(
                    question,
                    Vec::new(),
                    Trouble::new(format!("{question}: {text}")),
                );
            }
        };
        let status = self.message_status(message, &key.name);
        let secure = message.authentic;
        let mut chain: Vec<AliasLink> = links
            .into_iter()
            .map(|link| AliasLink {
                owner: link.owner.to_domain(),
                kind: link.kind,
                target: link.target.to_domain(),
                status: if self.negative_anchor(&link.owner).is_some() {
                    Status::insecure("negative trust anchor")
                } else {
                    status.clone()
                },
                ttl: link.ttl,
            })
            .collect();
        if !secure
            && matches!(key.rtype, rtype::A | rtype::AAAA)
            && let Some(first) = chain.first_mut()
        {
            first.status = self.first_link_status(&key.name, work).await;
        }
        let status = self.message_status(message, &end);
        let records = Message::rrset(&message.answer, &end, key.rtype);
        let last = if records.is_empty() {
            Last::Denied(Denial {
                kind: match message.rcode {
                    Rcode::NXDOMAIN => DenialKind::NxDomain,
                    _ => DenialKind::NoData,
                },
                status,
                ttl: negative_ttl(message),
            })
        } else {
            Last::Data(RrSet {
                owner: end.to_domain(),
                ttl: records.iter().map(|record| record.ttl).min().unwrap_or(0),
                records: records
                    .iter()
                    .map(|r| record_data(key.rtype, &r.rdata))
                    .collect(),
                status,
            })
        };
        Answer {
            question: question.clone(),
            chain,
            last,
            oddities: Vec::new(),
        }
    }

    fn message_status(&self, message: &Message, name: &Name) -> Status {
        if let Some(anchor) = self.negative_anchor(name) {
            return Status::insecure(format!("negative trust anchor {anchor}"));
        }
        let upstream = self
            .config
            .upstreams
            .first()
            .map_or_else(String::new, ToString::to_string);
        if message.authentic {
            Status::assertion(
                Authority::AdBit,
                format!("AD bit of the resolver {upstream}"),
            )
        } else {
            Status::insecure(format!("no AD bit from the resolver {upstream}"))
        }
    }

    /// The security of the first link of an insecure chain: that of the zone that holds it,
    /// where the parents show it; else that of the CNAME itself. Each of the two steps has a
    /// third of the deadline, so that the addresses are not lost to them.
    async fn first_link_status(&self, name: &Name, work: &Work) -> Status {
        if let Some(anchor) = self.negative_anchor(name) {
            return Status::insecure(format!("negative trust anchor {anchor}"));
        }
        let patience = self.config.deadline / 3;
        let zone = timeout(patience, self.zone_status(name, work)).await;
        let zone = zone.unwrap_or(ZoneStatus::Unknown);
        if let ZoneStatus::Unsigned(reason) = zone {
            return Status::insecure(reason);
        }
        let question = Question {
            name: name.clone(),
            rtype: rtype::CNAME,
        };
        let message = match timeout(patience, self.fetch_answer(&question, work)).await {
            Ok(Ok(found)) => found.message,
            Ok(Err(trouble)) => return trouble.into_failure().status,
            Err(_) => return Status::indeterminate(format!("{question}: no answer in time")),
        };
        if !Message::rrset(&message.answer, name, rtype::CNAME).is_empty() {
            return self.message_status(&message, name);
        }
        match zone {
            // A signed zone that denies the alias it has just answered through.
            ZoneStatus::Signed => Status::indeterminate(format!(
                "{name}: answered through an alias that a CNAME query does not find"
            )),
            _ if message.authentic => Status::indeterminate(format!(
                "{name}: answered through an alias that is securely denied"
            )),
            _ => Status::insecure(format!("{name}: CNAME denied without AD bit")),
        }
    }

    /// Asks DS of the host's own name and of every name above it, all at once. One level shown
    /// unsigned is enough; a signed one decides when nothing below it is open any more.
    async fn zone_status(&self, name: &Name, work: &Work) -> ZoneStatus {
        let questions: Vec<Question> = (1..=name.label_count())
            .map(|count| Question {
                name: name.suffix(count),
                rtype: rtype::DS,
            })
            .collect();
        let mut open: FuturesUnordered<_> = questions
            .iter()
            .map(|question| async move {
                let found = self.fetch_answer(question, work).await;
                let shown = found.map_or(ZoneStatus::Unknown, |Found { message, .. }| {
                    shown_by_ds(&message, &question.name)
                });
                (question.name.label_count(), shown)
            })
            .collect();
        let mut signed: Option<usize> = None;
        while let Some((depth, shown)) = open.next().await {
            match shown {
                ZoneStatus::Unsigned(_) => return shown,
                ZoneStatus::Signed => signed = signed.max(Some(depth)),
                ZoneStatus::Unknown => {}
            }
        }
        signed.map_or(ZoneStatus::Unknown, |_| ZoneStatus::Signed)
    }
}

/// What a reply to a DS question shows. Errors and answers through aliases show nothing; an
/// error-free NODATA without AD shows an unsigned zone, one with AD only when its NSEC or NSEC3
/// shows a delegation without DS (RFC 6840 §4.4).
fn shown_by_ds(message: &Message, cut: &Name) -> ZoneStatus {
    let aliased = message
        .answer
        .iter()
        .any(|record| matches!(record.rtype, rtype::CNAME | rtype::DNAME));
    let present = !Message::rrset(&message.answer, cut, rtype::DS).is_empty();
    if aliased || message.rcode != Rcode::NOERROR || (present && !message.authentic) {
        return ZoneStatus::Unknown;
    }
    if present {
        return ZoneStatus::Signed;
    }
    if !message.authentic {
        return ZoneStatus::Unsigned(format!("{cut} DS is denied without AD: unsigned"));
    }
    if shows_unsigned_delegation(&message.authority, cut) {
        return ZoneStatus::Unsigned(format!(
            "the parent shows {cut} delegated unsigned, without DS"
        ));
    }
    ZoneStatus::Unknown
}

/// Whether a validated denial of DS is that of a real delegation: NS, no SOA, no DS.
fn shows_unsigned_delegation(authority: &[Record], cut: &Name) -> bool {
    authority.iter().any(|record| {
        let types = match record.rtype {
            rtype::NSEC if record.owner == *cut => Nsec::parse(&record.rdata).map(|n| n.types),
            // Which NSEC3 is the one of `cut` the validator has checked; one that matches it is
            // the only kind that can have NS without SOA in an answer about `cut` itself.
            rtype::NSEC3 => Nsec3::parse(&record.rdata)
                .filter(|nsec3| nsec3_is_for(nsec3, &record.owner, cut))
                .map(|nsec3| nsec3.types),
            _ => None,
        };
        types.is_some_and(|types| {
            types.has(rtype::NS) && !types.has(rtype::SOA) && !types.has(rtype::DS)
        })
    })
}

struct Link {
    owner: Name,
    kind: AliasKind,
    target: Name,
    ttl: u32,
}

/// Follows the aliases of one message; gives the links and the name at the end.
fn walk(message: &Message, question: &Question, limit: usize) -> Result<(Vec<Link>, Name), String> {
    let mut links: Vec<Link> = Vec::new();
    let mut name = question.name.clone();
    loop {
        if !Message::rrset(&message.answer, &name, question.rtype).is_empty() {
            return Ok((links, name));
        }
        let dname = message
            .answer
            .iter()
            .find(|record| record.rtype == rtype::DNAME && name.is_below(&record.owner));
        let cname = Message::rrset(&message.answer, &name, rtype::CNAME);
        let (kind, target, ttl) = match (dname, cname.first()) {
            (Some(dname), _) => {
                let target = dname
                    .target()
                    .and_then(|to| name.rebased(&dname.owner, &to));
                (AliasKind::Dname, target, dname.ttl)
            }
            (None, Some(cname)) => (AliasKind::Cname, cname.target(), cname.ttl),
            (None, None) => return Ok((links, name)),
        };
        let target = target.ok_or("an alias to a name that is too long")?;
        if links.len() == limit {
            return Err(format!("more than {limit} aliases in a row"));
        }
        if target == question.name || links.iter().any(|link| link.target == target) {
            return Err(format!("alias loop at {target}"));
        }
        links.push(Link {
            owner: name,
            kind,
            target: target.clone(),
            ttl,
        });
        name = target;
    }
}

fn failure(question: &answer::Question, chain: Vec<AliasLink>, trouble: Trouble) -> Answer {
    Answer {
        question: question.clone(),
        chain,
        last: Last::Failed(trouble.into_failure()),
        oddities: Vec::new(),
    }
}

/// Seconds of reuse: failures are kept for seconds only (RFC 9520 §3.2).
fn ttl(answer: &Answer) -> u32 {
    answer.ttl().unwrap_or(5)
}

/// A cached answer with its TTLs counted down.
fn aged(mut answer: Answer, left: u32) -> Answer {
    for link in &mut answer.chain {
        link.ttl = link.ttl.min(left);
    }
    match &mut answer.last {
        Last::Data(rrset) => rrset.ttl = rrset.ttl.min(left),
        Last::Denied(denial) => denial.ttl = denial.ttl.min(left),
        Last::Failed(_) => {}
    }
    answer
}
