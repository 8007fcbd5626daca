//! What bad input gets: a verdict or a refusal in one line, never a panic.

use crate::proxy;
use crate::world::World;
use std::sync::atomic::{AtomicU64, Ordering};

/// Octets that look like nothing, the same in each run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_be_bytes()[3]
        })
        .collect()
}

/// A resolver that sends noise, noise behind a right header, and right answers with noise in them.
#[test]
fn a_resolver_that_sends_noise() {
    let world = World::now();
    let root = world.listeners.places()[0].1;
    let count = AtomicU64::new(0);
    let noisy = proxy::start(move |transport, query| {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let junk = noise(number, 16 + usize::try_from(number % 700).unwrap());
        Some(match number % 4 {
            0 => junk,
            1 => [&query[..2], &[0x81, 0x80], &junk].concat(),
            2 => {
                let mut reply = proxy::refusal(query, 0);
                reply[7] = 9;
                [reply, junk].concat()
            }
            _ => {
                let mut reply = proxy::behind(root, transport, query)?;
                let at = 12 + usize::try_from(number).unwrap() % (reply.len() - 12);
                reply[at] ^= 0xff;
                reply
            }
        })
    });
    let at = noisy.to_string();
    for mode in ["recursive", "forward", "ad"] {
        let machine = world.machine().reaching(noisy);
        let said = machine.doctor(&["--resolver", &at, "--upstream", &at, "--dns-mode", mode]);
        let worst = i32::from(mode != "recursive");
        assert_eq!(said.code, worst, "{mode}: {said:?}");
        assert!(!said.of("resolver").is_empty(), "{said:?}");
    }
}

#[test]
fn a_resolv_conf_full_of_junk() {
    let world = World::now();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let files = [
        (write("empty", b""), &["note no-resolver"][..]),
        (
            write(
                "words",
                b"nameserver here\nnameserver 1.2.3\n\x1b[2Jnameserver x\n",
            ),
            &["warn no-address", "warn no-address", "note no-resolver"],
        ),
        (write("noise", &noise(3, 100_000)), &["note no-resolver"]),
        (
            folder.path().join("none").display().to_string(),
            &["note no-file"],
        ),
        (folder.path().display().to_string(), &["warn unreadable"]),
    ];
    for (path, expected) in files {
        let said = world
            .machine()
            .doctor(&["--no-mail", "--resolv-conf", &path]);
        assert_eq!(said.of("resolver"), expected, "{path}: {said:?}");
        assert_eq!(said.code, 0, "{path}: {said:?}");
        let human = world
            .machine()
            .run(&["doctor", "--no-mail", "--resolv-conf", &path]);
        assert!(!human.stdout.contains(&0x1b), "{path}: control characters");
    }
}

#[test]
fn flags_that_mean_nothing() {
    let world = World::now();
    for (arguments, part) in [
        (
            &["doctor", "--resolver", "nowhere"][..],
            "not IP or IP:PORT",
        ),
        (&["doctor", "--mail-host", "mx:port"], "is not a port"),
        (&["doctor", "--secure", "a..b"], "--secure"),
        (
            &["doctor", "--bogus", "a.test NOPE"],
            "is not a record type",
        ),
        (&["doctor", "--timeout", "0"], "not between 1 and 86400"),
        (&["doctor", "--timeout", "soon"], "not a number of seconds"),
        (
            &["doctor", "--no-mail", "--mail-host", "mx.good.test"],
            "cannot be used with",
        ),
    ] {
        let output = world.machine().run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

/// Names that are not what they are said to be make the doctor say so, not blame a resolver.
#[test]
fn names_that_are_not_what_they_are_said_to_be() {
    let world = World::now();
    for (arguments, code, expected) in [
        (["--bogus", "good.test"], 3, "unknown no-bogus-name"),
        (["--secure", "plain.test"], 1, "fail signed-looks-unsigned"),
        (["--insecure", "good.test"], 0, "ok validating"),
        (["--secure", "nowhere.test"], 0, "ok validating"),
        (["--secure", "mx.good.test AAAA"], 0, "ok validating"),
    ] {
        let all = [&arguments[..], &["--no-mail"]].concat();
        let said = world.machine().doctor(&all);
        assert_eq!(said.of("lookups"), [expected], "{arguments:?}: {said:?}");
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
    }
}
