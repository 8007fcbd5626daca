//! What breaks next.

use crate::chains::{DAY, HOST, NOW, authority, presenting, server};
use crate::scene::{Scene, quiet};
use elsinore_check::forecast::forecast;
use elsinore_check::report::{Event, EventKind, Forecast};

fn of(scene: &Scene) -> Forecast {
    let forecast = forecast(&scene.sighting, &scene.report);
    assert!(forecast.events.is_sorted_by_key(|event| event.at));
    assert!(forecast.sentence.ends_with('.'), "{}", forecast.sentence);
    if let Some(at) = forecast.breaks {
        assert!(forecast.events[at].breaks);
        assert!(forecast.events[..at].iter().all(|event| !event.breaks));
    } else {
        assert!(
            forecast
                .events
                .iter()
                .all(|event| !event.breaks || event.at < NOW)
        );
    }
    forecast
}

fn breaking(forecast: &Forecast) -> Option<&Event> {
    forecast.breaks.map(|at| &forecast.events[at])
}

/// Signatures are renewed by the signer: the first to expire is named, and breaks nothing.
#[test]
fn a_healthy_signature_breaks_nothing() {
    let mut scene = quiet();
    for outlook in &mut scene.report.senders[1].hosts {
        outlook.obligation = "may".to_owned();
    }
    let forecast = of(&scene);
    assert_eq!(breaking(&forecast), None, "{forecast:?}");
    assert!(
        forecast.sentence.contains("If all signing stopped now"),
        "{}",
        forecast.sentence
    );
    let kinds: Vec<EventKind> = forecast.events.iter().map(|event| event.kind).collect();
    assert!(
        kinds.contains(&EventKind::SignatureExpires) && kinds.contains(&EventKind::CacheExpires)
    );
}

/// What will fail on no known day is not contradicted.
#[test]
fn what_has_no_date_is_not_denied() {
    let mut scene = quiet();
    for outlook in &mut scene.report.senders[1].hosts {
        outlook.obligation = "may".to_owned();
    }
    let denied = "Nothing that can be foreseen breaks by itself.";
    assert!(of(&scene).sentence.starts_with(denied));
    scene.ask("example.org", "MX", ["NOERROR", "REFUSED"]);
    scene.report.findings = scene.findings();
    let sentence = of(&scene).sentence;
    assert!(sentence.contains("at any time"), "{sentence}");
}

#[test]
fn a_late_signature_breaks() {
    let mut scene = quiet();
    let now = scene.report.began_at;
    let signature = &mut scene.tlsa_lookup().signatures[0];
    signature.expiration_at = now + DAY;
    signature.inception_at = now - 13 * DAY;
    let forecast = of(&scene);
    let event = breaking(&forecast).unwrap();
    assert_eq!(event.kind, EventKind::SignatureExpires);
    // At the second of expiry it still holds (RFC 4035 §5.3.1).
    assert_eq!(event.at, now + DAY + 1);
    // That of the zone above is not theirs to renew.
    let mut scene = quiet();
    let signature = &mut scene.zone("org").signatures[0];
    signature.expiration_at = now + DAY;
    signature.inception_at = now - 13 * DAY;
    for outlook in &mut scene.report.senders[1].hosts {
        outlook.obligation = "may".to_owned();
    }
    assert_eq!(breaking(&of(&scene)), None);
}

#[test]
fn a_certificate_breaks_under_usage_2_only() {
    let ca = authority("Example CA", "Example", None);
    let leaf = server(HOST, 60, &ca);
    let forecast = of(&presenting(&[&leaf, &ca], &[ca.record(2, 1)]));
    let event = breaking(&forecast).unwrap();
    assert_eq!(event.kind, EventKind::CertificateExpires);
    assert_eq!(event.at, NOW + 60 * DAY + 1);
    assert!(event.effect.contains("can no longer deliver"), "{event:?}");
    let forecast = of(&presenting(&[&leaf, &ca], &[leaf.record(3, 1)]));
    assert_eq!(breaking(&forecast), None);
    let certificate = |event: &&Event| event.kind == EventKind::CertificateExpires;
    let event = forecast.events.iter().find(certificate).unwrap();
    assert!(event.effect.starts_with("harmless"), "{event:?}");
    // Both: the record of the key holds when the chain does not any more.
    let forecast = of(&presenting(
        &[&leaf, &ca],
        &[ca.record(2, 1), leaf.record(3, 1)],
    ));
    assert_eq!(breaking(&forecast), None, "{forecast:?}");
}

/// Where MTA-STS is enforced, the last certificate to expire breaks, not the first.
#[test]
fn a_policy_breaks_with_the_last_certificate() {
    let mut scene = quiet();
    let now = scene.report.began_at;
    let mut ends = Vec::new();
    for (index, host) in scene.report.hosts.iter().enumerate() {
        let key = host.addresses[0].sessions[0].chain[0].clone();
        let end = now + (20 + i64::try_from(index).unwrap()) * DAY;
        ends.push(end);
        scene
            .report
            .certificates
            .get_mut(&key)
            .unwrap()
            .not_after_at = Some(end);
    }
    let forecast = of(&scene);
    let event = breaking(&forecast).unwrap();
    assert_eq!(event.kind, EventKind::CertificateExpires);
    assert_eq!(event.at, ends[3] + 1);
    let first = forecast
        .events
        .iter()
        .find(|event| event.at == ends[0] + 1)
        .unwrap();
    assert!(first.effect.contains("others remain"), "{first:?}");
}

#[test]
fn a_retired_key_stands_on_the_line() {
    let root = authority("ISRG Root X2", "Internet Security Research Group", None);
    let middle = authority("E7", "Let's Encrypt", Some(&root));
    let leaf = server(HOST, 60, &middle);
    let forecast = of(&presenting(&[&leaf, &middle], &[middle.record(2, 1)]));
    let retired: Vec<&Event> = (forecast.events.iter())
        .filter(|event| event.kind == EventKind::CaRetires)
        .collect();
    assert_eq!(retired.len(), 1);
    assert!(retired[0].subject.contains("Let's Encrypt E7"));
    // It breaks at the end of the certificate, before which another key has signed.
    assert_eq!(breaking(&forecast).unwrap().at, NOW + 60 * DAY + 1);
}
