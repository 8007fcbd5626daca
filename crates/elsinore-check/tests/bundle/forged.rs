//! A forger may change anything in a bundle and make every checksum anew. What DNSSEC signs and
//! what certificates say he cannot change and keep the verdict.

use crate::lab::Looking;
use crate::wire::{mx, unsigned_reply, with_flipped, without};
use elsinore_check::bundle::{Bundle, DnsMode, ReplayTrust};
use elsinore_check::report::{AddressState, State};
use elsinore_dane::time::UnixTime;
use elsinore_lab::scenario::files;
use elsinore_net::deliver::Heard;
use elsinore_net::resolver::tape::{TapeEntry, TapeOutcome};
use elsinore_net::resolver::{ResolverConfig, TrustAnchors};
use openssl::x509::X509;
use std::sync::Arc;

const MX: u16 = 15;
const DS: u16 = 43;
const RRSIG: u16 = 46;
const NSEC: u16 = 47;
const DNSKEY: u16 = 48;
const TLSA: u16 = 52;
const A: u16 = 1;

/// Changes every recorded reply to which `change` has something to say.
fn rewritten(
    bundle: &Bundle,
    change: impl Fn(&TapeEntry, &[u8]) -> Option<Vec<u8>>,
) -> Option<Bundle> {
    let mut forged = bundle.clone();
    for entry in &mut forged.dns {
        if let TapeOutcome::Reply(wire) = &entry.outcome
            && let Some(other) = change(entry, &wire.clone())
        {
            entry.outcome = TapeOutcome::Reply(other.into());
        }
    }
    (forged != *bundle).then_some(forged)
}

/// Replies to questions of one type, made up without signatures.
fn unsigned(bundle: &Bundle, record_type: u16, rcode: u8, answers: &[Vec<u8>]) -> Bundle {
    let forged = rewritten(bundle, |entry, _| {
        (entry.question.record_type.code() == record_type).then(|| {
            let name = entry.question.name.as_str();
            unsigned_reply(name, record_type, rcode, answers, true)
        })
    });
    forged.unwrap()
}

fn with_chains(bundle: &Bundle, chain: &[Vec<u8>]) -> Bundle {
    let mut forged = bundle.clone();
    for sounding in forged.visits.iter_mut().flat_map(|it| &mut it.soundings) {
        for heard in sounding.opened.iter_mut().flatten() {
            if let Heard::Handshake(handshake) = heard {
                handshake.chain = Arc::from(chain.to_vec());
            }
        }
    }
    forged
}

fn chain_of(bundle: &Bundle) -> Vec<Vec<u8>> {
    let soundings = bundle.visits.iter().flat_map(|it| &it.soundings);
    let handshake = soundings.filter_map(|it| it.handshake()).next().unwrap();
    handshake.chain.to_vec()
}

/// Every forgery of a bundle that said `protected`, with what it is called.
fn forgeries(genuine: &Bundle, other: &Bundle) -> Vec<(String, Bundle)> {
    let mut all: Vec<(String, Bundle)> = Vec::new();
    for (record_type, word, back) in [
        (TLSA, "TLSA data", 0),
        (TLSA, "TLSA digest", 7),
        (MX, "MX data", 1),
        (DS, "DS digests", 0),
        (DNSKEY, "DNSKEY data", 3),
        (RRSIG, "signatures", 2),
    ] {
        let forged = rewritten(genuine, |_, wire| {
            Some(with_flipped(wire, record_type, back))
        });
        all.push((format!("{word} flipped"), forged.expect(word)));
    }
    for (record_type, word) in [(RRSIG, "RRSIG"), (DNSKEY, "DNSKEY"), (TLSA, "TLSA")] {
        let forged = rewritten(genuine, |_, wire| Some(without(wire, record_type)));
        all.push((format!("{word} records taken out"), forged.expect(word)));
    }
    let naked = rewritten(genuine, |_, wire| {
        let kinds = [RRSIG, DS, NSEC, 50];
        Some(
            kinds
                .iter()
                .fold(wire.to_vec(), |wire, kind| without(&wire, *kind)),
        )
    });
    all.push(("all of DNSSEC taken out".to_owned(), naked.unwrap()));
    all.extend([
        (
            "TLSA denied without proof".to_owned(),
            unsigned(genuine, TLSA, 0, &[]),
        ),
        (
            "TLSA name denied without proof".to_owned(),
            unsigned(genuine, TLSA, 3, &[]),
        ),
        ("DS denied without proof".to_owned(), {
            let stripped = rewritten(genuine, |_, wire| Some(without(wire, DS))).unwrap();
            stripped.clone_with_unsigned_ds()
        }),
        (
            "MX led elsewhere".to_owned(),
            unsigned(genuine, MX, 0, &[mx(10, other.domain.as_str())]),
        ),
        (
            "addresses led elsewhere".to_owned(),
            unsigned(genuine, A, 0, &[vec![192, 0, 2, 250]]),
        ),
        ("no mail servers".to_owned(), unsigned(genuine, MX, 3, &[])),
        (
            "another's certificate".to_owned(),
            with_chains(genuine, &chain_of(other)),
        ),
        ("no certificate".to_owned(), with_chains(genuine, &[])),
        ("the key of a certificate changed".to_owned(), {
            let mut chain = chain_of(genuine);
            let leaf = X509::from_der(&chain[0]).unwrap();
            let key = leaf.public_key().unwrap().public_key_to_der().unwrap();
            let place = chain[0].windows(key.len()).position(|it| it == key);
            let end = place.unwrap() + key.len();
            chain[0][end - 5] ^= 1;
            with_chains(genuine, &chain)
        }),
    ]);
    let year = 366 * 86_400;
    for (word, by) in [("years later", 30 * year), ("years earlier", -30 * year)] {
        let mut forged = genuine.clone();
        forged.began = UnixTime(genuine.began.0 + by);
        all.push((word.to_owned(), forged));
    }
    let mut believed = naked_with_ad(genuine);
    believed.setting.dns = DnsMode::Ad;
    all.push(("a resolver's word".to_owned(), believed.clone()));
    believed.setting.dns = DnsMode::Forward;
    all.push(("an upstream's word".to_owned(), believed));
    let mut silent = genuine.clone();
    silent
        .dns
        .retain(|entry| entry.question.record_type.code() != DNSKEY);
    all.push(("keys left out".to_owned(), silent));
    let mut empty = genuine.clone();
    empty.dns.clear();
    all.push(("all answers left out".to_owned(), empty));
    let mut unvisited = genuine.clone();
    unvisited.visits.clear();
    all.push(("all sessions left out".to_owned(), unvisited));
    let mut proofless = genuine.clone();
    for sounding in proofless.visits.iter_mut().flat_map(|it| &mut it.soundings) {
        for heard in sounding.opened.iter_mut().flatten() {
            if let Heard::Handshake(handshake) = heard {
                handshake.key_proof = elsinore_net::tls::KeyProof::Missing;
            }
        }
    }
    all.push(("keys not proven".to_owned(), proofless));
    all
}

trait Unsigned {
    fn clone_with_unsigned_ds(&self) -> Bundle;
}

impl Unsigned for Bundle {
    fn clone_with_unsigned_ds(&self) -> Bundle {
        let with_reply = |entry: &TapeEntry, _: &[u8]| {
            (entry.question.record_type.code() == DS)
                .then(|| unsigned_reply(entry.question.name.as_str(), DS, 0, &[], true))
        };
        rewritten(self, with_reply).unwrap_or_else(|| self.clone())
    }
}

/// As a validating resolver would have it told: no signatures, and the AD bit.
fn naked_with_ad(bundle: &Bundle) -> Bundle {
    use elsinore_net::resolver::tape::Asked;
    let mut forged = rewritten(bundle, |_, wire| {
        let mut wire = without(wire, RRSIG);
        // QR, RD; RA, AD.
        wire[2] |= 0x81;
        wire[3] |= 0xa0;
        Some(wire)
    })
    .unwrap();
    for entry in &mut forged.dns {
        if matches!(entry.asked, Asked::Zone(_)) {
            entry.asked = Asked::Resolvers(elsinore_dane::name::DomainName::root());
        }
    }
    forged
}

#[tokio::test(flavor = "multi_thread")]
async fn no_forgery_is_protected() {
    let mut scenarios = files::embedded().unwrap();
    let wanted = ["dane-ee", "dane-mismatch", "dane-ta"];
    scenarios.retain(|scenario| wanted.contains(&scenario.id.as_str()));
    let domain_of = |id: &str| {
        let scenario = scenarios.iter().find(|scenario| scenario.id == id).unwrap();
        scenario.zones[0].name.clone()
    };
    let (domain, mismatch) = (domain_of("dane-ee"), domain_of("dane-mismatch"));
    let looking = Looking::at(scenarios).await;
    let (saved, genuine) = looking.check(&domain).await;
    assert_eq!(saved.state, State::Protected, "{}", saved.sentence);
    assert_eq!(looking.again(&genuine).await.state, State::Protected);
    let (_, other) = looking.check(&mismatch).await;
    for (what, forged) in forgeries(&genuine, &other) {
        let report = looking.again(&forged).await;
        // With the addresses of one family forged, the other family is what it was.
        let is_halved = what == "addresses led elsewhere" && report.state == State::PartlyProtected;
        assert!(
            is_halved || !matches!(report.state, State::Protected | State::PartlyProtected),
            "{what}: {}",
            report.sentence
        );
    }
    // A session that is not there is a fault of nobody's.
    let mut unvisited = genuine.clone();
    unvisited.visits.clear();
    let report = looking.again(&unvisited).await;
    assert_eq!(report.state, State::CouldNotTell, "{}", report.sentence);
    let mut addresses = report.hosts.iter().flat_map(|host| &host.addresses);
    assert!(addresses.all(|address| address.state == AddressState::Inconclusive));
    // Anchors of the forger's own choice are not in the bundle, and the reader's are not his.
    let foreign = TrustAnchors::shipped();
    let trust = ReplayTrust(ResolverConfig {
        anchors: foreign,
        ..looking.trust.0.clone()
    });
    let report = looking.again_trusting(&genuine, &trust).await;
    assert!(
        matches!(report.state, State::CouldNotTell | State::Refused),
        "{:?} {}",
        report.state,
        report.sentence
    );
    // What the bundle claims decides nothing.
    let (refused, mut bundle) = looking.check(&mismatch).await;
    assert_eq!(refused.state, State::Refused, "{}", refused.sentence);
    let claim = bundle.claimed.as_mut().unwrap();
    claim.state = State::Protected;
    claim.sentence = "All is well.".to_owned();
    assert_eq!(looking.again(&bundle).await.state, State::Refused);
}
