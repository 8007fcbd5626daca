//! Starting, changing, stopping.

use crate::house::{House, PATIENCE, certificate, settings};
use elsinore_relay::accept::{AcceptSettings, Listeners, Rebind, listen_at};
use elsinore_relay::event::{Event, Severity};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// The common name of the certificate that is shown after STARTTLS.
fn shown_name(address: SocketAddr) -> String {
    use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    (&stream).write_all(b"EHLO x\r\n").unwrap();
    while !line.starts_with("250 ") {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    (&stream).write_all(b"STARTTLS\r\n").unwrap();
    line.clear();
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("220"), "{line}");
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_verify(SslVerifyMode::NONE);
    let tls = builder.build().connect("relay.example", stream).unwrap();
    let shown = tls.ssl().peer_certificate().unwrap();
    let name = shown.subject_name().entries().next().unwrap();
    String::from_utf8(name.data().as_slice().to_vec()).unwrap()
}

async fn name(house: &House) -> String {
    let address = house.address;
    tokio::task::spawn_blocking(move || shown_name(address))
        .await
        .unwrap()
}

#[tokio::test]
async fn a_certificate_is_changed_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings();
    let files = certificate(folder.path(), "first.example");
    settings.tls = Some(files.clone());
    let house = House::open(settings).await;
    assert_eq!(name(&house).await, "first.example");
    // SIGHUP: the settings come again.
    let again = || {
        let settings = AcceptSettings::clone(&house.settings.borrow());
        house.settings.send_replace(Arc::new(settings));
    };
    // A key that is not the certificate's.
    let key = std::fs::read(&files.key).unwrap();
    certificate(folder.path(), "second.example");
    let second = std::fs::read(&files.key).unwrap();
    std::fs::write(&files.key, &key).unwrap();
    again();
    let complaint = || {
        let events = house.diary.0.lock().unwrap();
        events.iter().any(|event| {
            matches!(event, Event::Notice { severity: Severity::Error, part: "listener", text }
                if text.starts_with("certificate not taken, the one before stays: "))
        })
    };
    while !complaint() {
        tokio::task::yield_now().await;
    }
    assert_eq!(name(&house).await, "first.example");
    std::fs::write(&files.key, &second).unwrap();
    again();
    while name(&house).await != "second.example" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn new_settings_hold_for_those_who_come_after() {
    let house = House::open(settings()).await;
    let mut before = house.connect().await;
    before.greet().await;
    let mut settings = AcceptSettings::clone(&house.settings.borrow());
    settings.allow_clients = vec!["192.0.2.0/24".parse().unwrap()];
    house.settings.send_replace(Arc::new(settings));
    loop {
        let mut client = house.connect().await;
        let greeting = client.reply().await;
        if greeting == "554 5.7.1 relaying denied for 127.0.0.1" {
            break;
        }
        assert!(greeting.starts_with("220"), "{greeting}");
        tokio::task::yield_now().await;
    }
    before.begin(&["b@a.example"]).await;
    // The unix socket is this machine's, whatever the networks are.
    let mut local = house.connect_locally().await;
    local.greet().await;
    local.begin(&["b@a.example"]).await;
}

/// Addresses come and go while a session on the old one goes on.
#[tokio::test]
async fn addresses_are_changed_while_mail_is_accepted() {
    let house = House::open(settings()).await;
    let mut before = house.connect().await;
    before.greet().await;
    before.begin(&["b@a.example"]).await;
    let listener = listen_at("127.0.0.1:0".parse().unwrap()).unwrap();
    let other = listener.local_addr().unwrap();
    let change = Rebind {
        open: vec![listener],
        close: vec![house.address],
    };
    house.changes.send(change).await.unwrap();
    let stream = tokio::net::TcpStream::connect(other).await.unwrap();
    let mut after = crate::house::Client::new(stream);
    after.greet().await;
    // Closed once the task that listens has been told so, which is soon.
    while TcpStream::connect(house.address).is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(before.ask("x\r\n.").await.starts_with("250 2.0.0 queued"));
    after.begin(&["b@a.example"]).await;
    assert!(after.ask("x\r\n.").await.starts_with("250 2.0.0 queued"));
    let mut house = house;
    house.stop();
    assert!(after.reply().await.starts_with("421 4.3.2"));
    house.closed().await;
}

#[tokio::test]
async fn sessions_between_messages_are_sent_away_and_others_may_end() {
    let mut house = House::open(settings()).await;
    let (mut idle, mut busy, mut abrupt) = (
        house.connect().await,
        house.connect().await,
        house.connect().await,
    );
    for client in [&mut idle, &mut busy, &mut abrupt] {
        client.greet().await;
    }
    busy.begin(&["b@a.example"]).await;
    abrupt.begin(&["b@a.example"]).await;
    house.stop();
    assert_eq!(idle.reply().await, "421 4.3.2 the relay stops; come again");
    assert_eq!(idle.reply().await, "closed");
    assert!(TcpStream::connect(house.address).is_err());
    assert!(busy.ask("x\r\n.").await.starts_with("250 2.0.0 queued"));
    assert_eq!(busy.reply().await, "421 4.3.2 the relay stops; come again");
    drop(abrupt);
    assert_eq!(house.store.kept().len(), 1);
    let socket = house.socket();
    house.closed().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn a_message_that_does_not_end_does_not_keep_the_relay() {
    let mut settings = settings();
    settings.times.last_messages = std::time::Duration::from_millis(50);
    let mut house = House::open(settings).await;
    let mut client = house.connect().await;
    client.greet().await;
    client.begin(&["b@a.example"]).await;
    client.write(b"half a message").await;
    house.stop();
    assert_eq!(
        client.reply().await,
        "421 4.3.2 the relay stops; come again"
    );
    assert!(house.store.kept().is_empty());
    house.closed().await;
}

#[tokio::test]
async fn places_that_are_taken() {
    let house = House::open(settings()).await;
    let mut settings = settings();
    settings.listen = vec![house.address];
    let error = Listeners::bind(&settings).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("cannot listen on {}: ", house.address)),
        "{error}"
    );
    settings.listen = Vec::new();
    settings.socket = Some(house.socket());
    let error = Listeners::bind(&settings).unwrap_err().to_string();
    assert!(error.contains("smtp.sock: "), "{error}");
    // Left behind by a process that was killed.
    let stale = house.folder.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    assert!(stale.exists());
    settings.socket = Some(stale.clone());
    settings.socket_mode = 0o600;
    let listeners = Listeners::bind(&settings).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(
        std::fs::metadata(&stale).unwrap().permissions().mode() & 0o777,
        0o600
    );
    drop(listeners);
    assert!(!stale.exists());
}
