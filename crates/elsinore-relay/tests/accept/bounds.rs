//! What clients cannot have: more than their share, messages that go in circles.

use crate::house::{House, settings};
use crate::store::Mood;
use elsinore_queue::error::StoreError;
use std::io;

#[tokio::test]
async fn connections_are_counted() {
    let mut settings = settings();
    settings.limits.connections = 3;
    settings.limits.connections_per_client = 2;
    let house = House::open(settings).await;
    let (mut one, mut two) = (house.connect().await, house.connect().await);
    one.greet().await;
    two.greet().await;
    let mut three = house.connect().await;
    assert_eq!(
        three.reply().await,
        "421 4.3.2 too many connections of yours"
    );
    assert_eq!(three.reply().await, "closed");
    let mut local = house.connect_locally().await;
    local.greet().await;
    let mut second = house.connect_locally().await;
    assert_eq!(second.reply().await, "421 4.3.2 too many connections");
    assert_eq!(one.ask("QUIT").await, "221 2.0.0 bye");
    assert_eq!(one.reply().await, "closed");
    // The seat is free once the session has ended, which is soon.
    loop {
        let mut again = house.connect().await;
        let greeting = again.reply().await;
        if greeting.starts_with("220") {
            break;
        }
        assert!(greeting.starts_with("421 4.3.2"), "{greeting}");
        tokio::task::yield_now().await;
    }
    let away = house.turned_away();
    assert!(away.contains(&"127.0.0.1 too many connections of yours".to_owned()));
    assert!(away.contains(&"local too many connections".to_owned()));
}

/// Clients whose mail is not taken hear so, and can keep nobody out (RFC 5321 §3.1).
#[tokio::test]
async fn strangers_take_no_seats() {
    let mut settings = settings();
    settings.limits.connections = 1;
    settings.allow_clients = vec!["192.0.2.0/24".parse().unwrap()];
    let house = House::open(settings).await;
    let mut strangers = Vec::new();
    let mut told = 0;
    for _ in 0..50 {
        let mut stranger = house.connect().await;
        match stranger.reply().await.as_str() {
            "554 5.7.1 relaying denied for 127.0.0.1" => told += 1,
            "closed" => {}
            other => panic!("{other}"),
        }
        strangers.push(stranger);
    }
    // They hold their own few seats now; who is allowed finds room.
    assert_eq!(told, 2);
    let mut local = house.connect_locally().await;
    local.greet().await;
    local.begin(&["b@a.example"]).await;
    let stranger = &mut strangers[0];
    for (line, expected) in [
        ("EHLO x", "503 5.5.1 no mail is taken from you; say QUIT"),
        (
            "MAIL FROM:<>",
            "503 5.5.1 no mail is taken from you; say QUIT",
        ),
        ("QUIT", "221 2.0.0 bye"),
    ] {
        assert_eq!(stranger.ask(line).await, expected);
    }
    assert_eq!(stranger.reply().await, "closed");
    // Not one line for each command.
    assert!(house.refusals().is_empty());
    assert_eq!(house.turned_away().len(), 50);
    assert!(local.ask("x\r\n.").await.starts_with("250 2.0.0"));
}

#[tokio::test]
async fn connections_a_minute_are_counted() {
    let mut settings = settings();
    settings.limits.connections_per_minute = 2;
    let house = House::open(settings).await;
    for _ in 0..2 {
        let mut client = house.connect().await;
        client.greet().await;
        client.ask("QUIT").await;
    }
    let mut third = house.connect().await;
    assert_eq!(
        third.reply().await,
        "421 4.3.2 too many connections a minute"
    );
}

#[tokio::test]
async fn ten_thousand_recipients() {
    let house = House::open(settings()).await;
    let mut client = house.connect().await;
    client.greet().await;
    let mut commands = String::from("MAIL FROM:<a@sender.example>\r\n");
    for number in 0..10_000 {
        commands.push_str(&format!("RCPT TO:<r{number}@d{}.example>\r\n", number % 7));
    }
    commands.push_str("DATA\r\n");
    let (mut accepted, mut refused) = (0, 0);
    // Written in pieces, so that neither side waits for the other with full buffers.
    for piece in commands.as_bytes().chunks(20_000) {
        client.write(piece).await;
        let ends = piece.iter().filter(|octet| **octet == b'\n').count();
        for _ in 0..ends {
            let reply = client.reply().await;
            match &reply[..9] {
                "250 2.1.5" => accepted += 1,
                "452 4.5.3" => refused += 1,
                "250 2.1.0" | "354 end w" => {}
                _ => panic!("{reply}"),
            }
        }
    }
    assert_eq!((accepted, refused), (1000, 9000));
    assert!(
        client
            .ask("Subject: x\r\n\r\nx\r\n.")
            .await
            .starts_with("250 2.0.0 queued as ")
    );
    let kept = house.store.kept();
    assert_eq!(kept[0].jobs.len(), 7);
    let recipients: usize = kept[0].jobs.iter().map(|job| job.recipients.len()).sum();
    assert_eq!(recipients, 1000);
    // Told once, not nine thousand times.
    assert_eq!(house.refusals().len(), 1);
}

#[tokio::test]
async fn recipients_are_kept_once_and_by_domain() {
    let house = House::open(settings()).await;
    let mut client = house.connect().await;
    client.greet().await;
    let to = [
        "a@one.example",
        "B@Two.Example",
        "a@ONE.example",
        "c@one.example",
        "x@[192.0.2.1]",
        "Postmaster",
    ];
    client.begin(&to).await;
    assert!(client.ask("x\r\n.").await.starts_with("250 2.0.0"));
    let kept = house.store.kept();
    let jobs: Vec<String> = kept[0]
        .jobs
        .iter()
        .map(|job| {
            let to: Vec<&str> = job
                .recipients
                .iter()
                .map(|to| to.address.as_str())
                .collect();
            format!("{}: {}", job.destination, to.join(" "))
        })
        .collect();
    assert_eq!(
        jobs,
        [
            "[192.0.2.1]: x@[192.0.2.1]",
            "one.example: a@one.example c@one.example",
            "relay.example: postmaster@relay.example",
            "two.example: B@two.example",
        ]
    );
    assert_eq!(kept[0].envelope.origin, "127.0.0.1");
}

#[tokio::test]
async fn a_loop_ends_here() {
    let mut settings = settings();
    settings.limits.received_fields = 3;
    let house = House::open(settings).await;
    let mut client = house.connect_locally().await;
    client.greet().await;
    for (fields, expected) in [
        (4, "554 5.4.6 more than 3 Received"),
        (3, "250 2.0.0 queued"),
    ] {
        client.begin(&["b@a.example"]).await;
        let header = "Received: from x\r\n\tby y\r\n".repeat(fields);
        let reply = client
            .ask(&format!("{header}\r\nReceived: text\r\n."))
            .await;
        assert!(reply.starts_with(expected), "{reply}");
    }
    assert_eq!(house.store.kept().len(), 1);
    assert_eq!(house.store.kept()[0].envelope.origin, "local");
}

/// A full disk or a failing store is said before DATA where it can be known, and never after 250.
#[tokio::test]
async fn what_is_not_kept_is_not_acknowledged() {
    let house = House::open(settings()).await;
    let mut client = house.connect().await;
    client.greet().await;
    *house.store.mood.lock().unwrap() = Mood::Full;
    let reply = client.ask("MAIL FROM:<a@sender.example> SIZE=100").await;
    assert_eq!(reply, "452 4.3.1 no room for the message now");
    type Failure = fn() -> StoreError;
    let failures: [(Failure, &str); 6] = [
        (|| StoreError::Full("x".to_owned()), "452 4.3.1"),
        (
            || StoreError::Content(io::ErrorKind::StorageFull.into()),
            "452 4.3.1",
        ),
        (
            || StoreError::Content(io::ErrorKind::Other.into()),
            "451 4.3.0",
        ),
        (|| StoreError::Failed("x".to_owned()), "451 4.3.0"),
        (|| StoreError::Unavailable("x".to_owned()), "451 4.3.0"),
        (|| StoreError::Refused("x"), "554 5.3.0"),
    ];
    for (failure, expected) in failures {
        *house.store.mood.lock().unwrap() = Mood::FailsToKeep(failure);
        client.begin(&["b@a.example"]).await;
        let reply = client.ask("x\r\n.").await;
        assert!(reply.starts_with(expected), "{reply}");
        assert!(
            !reply.contains('x'),
            "what is wrong inside is nobody's business: {reply}"
        );
    }
    *house.store.mood.lock().unwrap() = Mood::Well;
    client.begin(&["b@a.example"]).await;
    // The disk fills up between MAIL and the end.
    std::fs::remove_dir(house.store.folder()).unwrap();
    let large = "x".repeat(70).repeat(3000).into_bytes();
    let large: Vec<u8> = large
        .chunks(70)
        .flat_map(|line| [line, b"\r\n"].concat())
        .collect();
    client.write(&large).await;
    let reply = client.ask("\r\n.").await;
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    assert!(house.store.kept().is_empty());
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let mut settings = settings();
    settings.limits.message_octets = 300_000;
    let house = House::open(settings).await;
    let mut client = house.connect().await;
    client.greet().await;
    let reply = client.ask("MAIL FROM:<a@sender.example> SIZE=300001").await;
    assert_eq!(reply, "552 5.3.4 a message may have 300000 octets");
    client.begin(&["b@a.example"]).await;
    let line = [b"y".repeat(70).as_slice(), b"\r\n"].concat();
    client.write(&line.repeat(5000)).await;
    assert_eq!(
        client.ask(".").await,
        "552 5.3.4 a message may have 300000 octets"
    );
    assert_eq!(house.store.spooled(), 0);
    client.begin(&["b@a.example"]).await;
    assert!(client.ask("x\r\n.").await.starts_with("250 2.0.0"));
}
