//! What the administrator sees.

use crate::place::Place;
use crate::sample::{
    LONG, NOW, again, all_jobs, at, claim_of, claim_one, done, envelope, job, keep, listed,
    message, octets, only, recipient, settle, with_jobs,
};
use elsinore_queue::admin::{DestinationStats, Filter};
use elsinore_queue::content::Content;
use elsinore_queue::id::MessageId;
use std::collections::BTreeSet;

pub(crate) async fn pages_show_each_job_once(place: &dyn Place) {
    let store = place.open().await;
    for number in 0..12 {
        let other = format!("d{number}.example");
        keep(&store, message(&["example.org", other.as_str()])).await;
    }
    let all = all_jobs(&store).await;
    assert_eq!(all.len(), 24);
    assert!(all.windows(2).all(|pair| pair[0].job < pair[1].job));
    for size in [1, 5, 8, 12, 23, 24, 25] {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store
                .list(Filter::default(), after, size)
                .await
                .expect("a page");
            assert!(page.jobs.len() <= size);
            assert!(!page.jobs.is_empty(), "an empty page after {after:?}");
            seen.extend(page.jobs);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(seen == all, "pages of {size}");
    }
    // A filter that matches little is paged through in the same way.
    let rare = Filter {
        destination: Some("d11.example".to_owned()),
        ..Filter::default()
    };
    let page = store.list(rare, None, 1).await.expect("a page");
    assert_eq!((page.jobs.len(), page.next), (1, None));
}

pub(crate) async fn a_page_shows_all_of_a_job(place: &dyn Place) {
    let store = place.open().await;
    let mut message = with_jobs(vec![job("example.org", NOW)]);
    message.jobs[0].recipients[0].notify = Some("NEVER".to_owned());
    let expected = message.jobs[0].clone();
    let (envelope, octets) = (message.envelope.clone(), message.content.octets());
    let id = keep(&store, message).await;
    let leased = claim_one(&store, "example.org").await;
    let view = only(all_jobs(&store).await);
    assert_eq!(view.job, leased.lease.job);
    assert!(view.leased);
    let settlement = again(&leased, at(77));
    let standing = settlement.rest.as_ref().expect("a rest").standing.clone();
    settle(&store, settlement).await;
    let view = only(all_jobs(&store).await);
    assert_eq!(view.message.id, id);
    assert_eq!(view.message.arrived, NOW);
    assert_eq!(view.message.envelope, envelope);
    assert_eq!(view.message.octets, octets);
    assert_eq!(view.destination, expected.destination);
    assert_eq!(view.recipients, expected.recipients);
    assert_eq!(view.due, at(77));
    assert_eq!(view.standing, standing);
    assert_eq!(view.held, None);
    assert!(!view.leased);
}

pub(crate) async fn filters_select(place: &dyn Place) {
    let store = place.open().await;
    let mut ids = Vec::new();
    // Reverse path, destination, recipient.
    let jobs = [
        ("anna@a.example", "example.org", "x@example.org"),
        ("anna@a.example", "mail.example.org", "y@mail.example.org"),
        ("", "notexample.org", "x@notexample.org"),
        ("bo%@a.example", "org", "x_y@org"),
        ("anna@xa.example", "example.org", "xzy@example.org"),
        (
            "anna@b.a.example",
            "de.ep.example.org",
            "x@de.ep.example.org",
        ),
    ];
    for (from, destination, to) in jobs {
        let mut message = with_jobs(vec![job(destination, NOW)]);
        message.envelope = envelope(from);
        message.jobs[0].recipients.insert(0, recipient(to));
        ids.push(keep(&store, message).await);
    }
    let leased = claim_one(&store, "mail.example.org").await;
    let mut settlement = again(&leased, at(60));
    if let Some(last) = settlement
        .rest
        .as_mut()
        .and_then(|rest| rest.standing.last.as_mut())
    {
        last.reply = "451 4.7.1 Greylisted 100%, try_again".to_owned();
    }
    settle(&store, settlement).await;
    let leased = claim_one(&store, "org").await;
    let mut settlement = again(&leased, at(60));
    if let Some(rest) = settlement.rest.as_mut() {
        rest.held = Some("by hand".to_owned());
    }
    settle(&store, settlement).await;

    let none = Filter::default;
    let text = |text: &str| Some(text.to_owned());
    let table: Vec<(Filter, &[usize])> = vec![
        (none(), &[0, 1, 2, 3, 4, 5]),
        (
            Filter {
                messages: vec![ids[4], ids[2]],
                ..none()
            },
            &[2, 4],
        ),
        (
            Filter {
                messages: vec![MessageId::draw(NOW)],
                ..none()
            },
            &[],
        ),
        (
            Filter {
                destination: text("example.org"),
                ..none()
            },
            &[0, 4],
        ),
        (
            Filter {
                destination: text(".example.org"),
                ..none()
            },
            &[1, 5],
        ),
        (
            Filter {
                destination: text(".org"),
                ..none()
            },
            &[0, 1, 2, 4, 5],
        ),
        (
            Filter {
                destination: text("ex_mple.org"),
                ..none()
            },
            &[],
        ),
        (
            Filter {
                destination: text(".%"),
                ..none()
            },
            &[],
        ),
        (
            Filter {
                sender: text("anna@a.example"),
                ..none()
            },
            &[0, 1],
        ),
        (
            Filter {
                sender: text("@a.example"),
                ..none()
            },
            &[0, 1, 3],
        ),
        (
            Filter {
                sender: text("<>"),
                ..none()
            },
            &[2],
        ),
        (
            Filter {
                sender: text("bo%@a.example"),
                ..none()
            },
            &[3],
        ),
        (
            Filter {
                sender: text("an%@a.example"),
                ..none()
            },
            &[],
        ),
        (
            Filter {
                recipient: text("x@example.org"),
                ..none()
            },
            &[0],
        ),
        (
            Filter {
                recipient: text("x_y@org"),
                ..none()
            },
            &[3],
        ),
        (
            Filter {
                recipient: text("@example.org"),
                ..none()
            },
            &[0, 4],
        ),
        (
            Filter {
                recipient: text("anna@example.org"),
                ..none()
            },
            &[0, 4],
        ),
        (
            Filter {
                recipient: text("@nowhere.example"),
                ..none()
            },
            &[],
        ),
        (
            Filter {
                reason: text("greyLISTED"),
                ..none()
            },
            &[1],
        ),
        (
            Filter {
                reason: text("100%"),
                ..none()
            },
            &[1],
        ),
        (
            Filter {
                reason: text("y_a"),
                ..none()
            },
            &[1],
        ),
        (
            Filter {
                reason: text("g_e"),
                ..none()
            },
            &[],
        ),
        (
            Filter {
                reason: text("4"),
                ..none()
            },
            &[1, 3],
        ),
        (
            Filter {
                held: Some(true),
                ..none()
            },
            &[3],
        ),
        (
            Filter {
                held: Some(false),
                ..none()
            },
            &[0, 1, 2, 4, 5],
        ),
        (
            Filter {
                held: Some(false),
                sender: text("@a.example"),
                destination: text(".example.org"),
                recipient: text("y@mail.example.org"),
                reason: text("451"),
                messages: ids.clone(),
            },
            &[1],
        ),
    ];
    for (filter, expected) in table {
        let found: BTreeSet<MessageId> = listed(&store, filter.clone())
            .await
            .iter()
            .map(|view| view.message.id)
            .collect();
        let expected: BTreeSet<MessageId> = expected.iter().map(|number| ids[*number]).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

pub(crate) async fn stats_count(place: &dyn Place) {
    let store = place.open().await;
    for number in 0..25_u32 {
        let destination = format!("d{number:02}.example");
        for copy in 0..=number {
            let mut message = message(&[destination.as_str()]);
            message.arrived = at(i64::from(copy) - 1000);
            message.content = Content::Memory(octets(100, 1));
            keep(&store, message).await;
        }
    }
    let mut two = with_jobs(vec![job("d24.example", at(500)), job("d23.example", NOW)]);
    two.jobs[1].held = Some("by hand".to_owned());
    two.jobs[1].due = at(500);
    two.content = Content::Memory(octets(5000, 1));
    keep(&store, two).await;
    let leased = store
        .claim(claim_of(&["d01.example"], NOW, LONG))
        .await
        .expect("a claim");
    let stats = store.stats(NOW).await.expect("stats");
    assert_eq!((stats.messages, stats.jobs), (326, 327));
    assert_eq!((stats.due, stats.held, stats.leased), (325, 1, 2));
    assert_eq!(stats.octets, 325 * 100 + 5000);
    assert_eq!(stats.oldest, Some(at(-1000)));
    let expected: Vec<DestinationStats> = (5..25)
        .rev()
        .map(|number| DestinationStats {
            destination: format!("d{number:02}.example"),
            jobs: number + 1 + u64::from(number > 22),
            oldest: Some(at(-1000)),
        })
        .collect();
    assert_eq!(stats.destinations, expected);
    // What is held is not due, however long it waits.
    assert_eq!(store.stats(at(500)).await.expect("stats").due, 326);
    for job in leased {
        settle(&store, done(job.lease)).await;
    }
    let stats = store.stats(NOW).await.expect("stats");
    assert_eq!((stats.messages, stats.jobs, stats.leased), (324, 325, 0));
    assert_eq!(stats.octets, 323 * 100 + 5000);
}
