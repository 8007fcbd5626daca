//! Submitting with software that is not ours.

use crate::house::{House, PATIENCE, certificate, settings};
use std::process::Stdio;
use tokio::process::Command;

/// Runs swaks against the house; its transcript, and whether it was content. None when it is not
/// installed.
async fn swaks(house: &House, arguments: &[&str]) -> Option<(String, bool)> {
    let mut command = Command::new("swaks");
    command
        .args([
            "--server",
            "127.0.0.1",
            "--port",
            &house.address.port().to_string(),
        ])
        .args(["--helo", "client.example", "--from", "a@sender.example"])
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, command.output())
        .await
        .unwrap()
    {
        Ok(output) => Some((
            String::from_utf8_lossy(&output.stdout).into_owned(),
            output.status.success(),
        )),
        Err(error) => {
            assert!(
                std::env::var_os("ELSINORE_NO_SKIPS").is_none(),
                "swaks: {error}"
            );
            eprintln!("skipped: swaks: {error}");
            None
        }
    }
}

#[tokio::test]
async fn swaks_submits() {
    let house = House::open(settings()).await;
    let body = "first line\n.dot\n..two dots\nlast line\n";
    let arguments = [
        "--to",
        "b@a.example,c@B.example,d@a.example",
        "--body",
        body,
        "--pipeline",
    ];
    let Some((transcript, content)) = swaks(&house, &arguments).await else {
        return;
    };
    assert!(content, "{transcript}");
    let kept = house.store.kept();
    assert_eq!(kept.len(), 1, "{transcript}");
    let id = kept[0].id.to_string();
    assert!(
        transcript.contains(&format!("250 2.0.0 queued as {id}")),
        "{transcript}"
    );
    let destinations: Vec<_> = kept[0]
        .jobs
        .iter()
        .map(|job| job.destination.as_str())
        .collect();
    assert_eq!(destinations, ["a.example", "b.example"]);
    assert_eq!(kept[0].jobs[0].recipients.len(), 2);
    let content = String::from_utf8(kept[0].content.clone()).unwrap();
    assert!(content.starts_with("Received: from client.example ([127.0.0.1])\r\n\tby relay.example (Elsinore) with ESMTP\r\n"), "{content}");
    assert!(
        content.contains("\r\n\r\nfirst line\r\n.dot\r\n..two dots\r\nlast line\r\n"),
        "{content}"
    );
}

#[tokio::test]
async fn swaks_submits_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings();
    settings.tls = Some(certificate(folder.path(), "relay.example"));
    let house = House::open(settings).await;
    let Some((transcript, content)) = swaks(&house, &["--to", "b@a.example", "--tls"]).await else {
        return;
    };
    assert!(content, "{transcript}");
    assert!(transcript.contains("REQUIRETLS"), "{transcript}");
    let kept = house.store.kept();
    assert_eq!(kept.len(), 1, "{transcript}");
    let content = String::from_utf8(kept[0].content.clone()).unwrap();
    let trace = "by relay.example (Elsinore) with ESMTPS\r\n\t(TLSv1.3 with cipher TLS_";
    assert!(content.contains(trace), "{content}");
    assert!(content.contains("\r\n\tfor <b@a.example>;"), "{content}");
}

#[tokio::test]
async fn swaks_is_no_client_of_ours() {
    let mut settings = settings();
    settings.allow_clients = vec!["192.0.2.0/24".parse().unwrap()];
    let house = House::open(settings).await;
    let Some((transcript, content)) = swaks(&house, &["--to", "b@a.example"]).await else {
        return;
    };
    assert!(!content, "{transcript}");
    assert!(
        transcript.contains("554 5.7.1 relaying denied for 127.0.0.1"),
        "{transcript}"
    );
    assert!(house.store.kept().is_empty());
    assert_eq!(house.turned_away(), ["127.0.0.1 relaying denied"]);
    assert!(house.refusals().is_empty());
}
