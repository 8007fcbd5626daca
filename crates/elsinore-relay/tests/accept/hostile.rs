//! Octets that want to be read in two ways, on a real socket.

use crate::house::{House, certificate, settings};

#[tokio::test]
async fn nothing_is_smuggled() {
    let house = House::open(settings()).await;
    let ends = ["\r\n", "\n", "\r", "\r\r\n", "\n\r\n", "\n\r"];
    let smuggled = "MAIL FROM:<forged@sender.example>\r\nRCPT TO:<b@a.example>\r\nDATA\r\nforged\r\n.\r\nQUIT\r\n";
    for before in ends {
        for behind in ends {
            if (before, behind) == ("\r\n", "\r\n") {
                continue;
            }
            let mut client = house.connect().await;
            client.greet().await;
            client.begin(&["b@a.example"]).await;
            client
                .write(format!("one{before}.{behind}{smuggled}").as_bytes())
                .await;
            let mut replies = Vec::new();
            loop {
                let reply = client.reply().await;
                if reply == "closed" {
                    break;
                }
                replies.push(reply);
            }
            assert!(
                replies[0].starts_with("554 5.6.0"),
                "{before:?} {behind:?} {replies:?}"
            );
            let kept = house.store.kept();
            // A message that does end, by the one reading there is, is refused, and what follows is
            // what the client wrote as commands.
            let ends_here = before.ends_with("\r\n") && behind == "\r\n";
            assert_eq!(
                kept.len(),
                usize::from(ends_here),
                "{before:?} {behind:?} {replies:?}"
            );
            house.store.kept.lock().unwrap().clear();
        }
    }
}

#[tokio::test]
async fn nothing_from_outside_tls_gets_inside() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings();
    settings.tls = Some(certificate(folder.path(), "relay.example"));
    let house = House::open(settings).await;
    let mut client = house.connect().await;
    client.greet().await;
    client
        .write(b"STARTTLS\r\nMAIL FROM:<forged@sender.example>\r\n")
        .await;
    assert_eq!(client.reply().await, "503 5.5.1 text behind STARTTLS");
    assert_eq!(client.reply().await, "closed");
    // Text in place of a handshake.
    let mut client = house.connect().await;
    client.greet().await;
    assert!(client.ask("STARTTLS").await.starts_with("220"));
    client
        .write(b"MAIL FROM:<forged@sender.example>\r\nRCPT TO:<b@a.example>\r\n")
        .await;
    let mut left = Vec::new();
    // An alert perhaps, then the end; never a reply.
    let _ = tokio::io::AsyncReadExt::read_to_end(&mut client.stream, &mut left).await;
    assert!(!left.windows(3).any(|part| part == b"250"), "{left:?}");
    assert!(house.store.kept().is_empty());
}

#[tokio::test]
async fn garbage_is_answered_and_ends() {
    let house = House::open(settings()).await;
    for garbage in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(200),
        vec![0; 200_000],
        b"\r\n".repeat(1000),
        b"\n".to_vec(),
    ] {
        let mut client = house.connect().await;
        // The server may close before all of it is written.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.stream, &garbage).await;
        let _ = tokio::io::AsyncWriteExt::shutdown(&mut client.stream).await;
        let mut replies = 0;
        while client.reply().await != "closed" {
            replies += 1;
        }
        assert!(replies <= 25, "{replies}");
    }
    assert!(house.store.kept().is_empty());
}

/// Whoever stops in the middle leaves nothing behind.
#[tokio::test]
async fn half_a_message_is_none() {
    let house = House::open(settings()).await;
    let mut client = house.connect().await;
    client.greet().await;
    client.begin(&["b@a.example"]).await;
    let line = [b"y".repeat(70).as_slice(), b"\r\n"].concat();
    client.write(&line.repeat(5000)).await;
    drop(client);
    while house.store.spooled() > 0 {
        tokio::task::yield_now().await;
    }
    let mut client = house.connect().await;
    client.greet().await;
    assert!(house.store.kept().is_empty());
}
