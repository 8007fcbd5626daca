//! Wrong configuration: exit code 78 and one line that names the file, the line and the fault.

use crate::command::Workplace;

/// A command that needs the resolver, so that hints and anchors are read.
const LOOKUP: &[&str] = &["--config", "elsinore.toml", "dns", "example.org", "MX"];

/// Sends the configuration itself, which is refused before anything is sent.
const SEND: &[&str] = &[
    "--config",
    "elsinore.toml",
    "send",
    "--from",
    "a@example.org",
    "--to",
    "b@example.org",
    "--file",
    "elsinore.toml",
];

#[test]
fn faults_in_the_file() {
    for (text, line, part) in [
        ("[dns]\nmodus = \"ad\"\n", 2, "unknown field `modus`"),
        ("dns = 3\n", 1, "invalid type"),
        ("[tsl]\n", 1, "unknown field `tsl`"),
        ("[smtp]\nport = 25\nport = 26\n", 3, "duplicate key"),
        ("[smtp]\nport = 70000\n", 2, "70000"),
        ("[smtp]\nport = \"25\"\n", 2, "invalid type"),
        ("[dns]\nmode = \"iterative\"\n", 2, "`recursive`"),
        ("[dns]\nallow_nets = [\"10.0.0.1/8\"]\n", 2, "address bits"),
        ("[smtp]\nallow_nets = [\"lan\"]\n", 2, "not an IP address"),
        ("[dns]\nupstream = [\"localhost\"]\n", 2, "IP:PORT"),
        ("[dns]\nnta = [\"a..b\"]\n", 2, "empty label"),
        ("[dns]\ntimeout = 0\n", 2, "between 1 and"),
        ("[dns]\nsha1 = \"no\"\n", 2, "invalid type"),
        ("[dns]\ncache_megabytes = 0\n", 2, "between 1 and 65536"),
        ("[dns]\ncache_megabytes = 70000\n", 2, "between 1 and 65536"),
        (
            "[dns]\ncache_megabytes = -1\n",
            2,
            "`-1`, expected a whole number",
        ),
        (
            "[dns]\ncache_megabytes = \"128 MB\"\n",
            2,
            "expected a whole number",
        ),
        ("[dns]\nad_trust = \"remote\"\n", 2, "`loopback`"),
        ("[tls]\nmin_authenticated = \"1.1\"\n", 2, "`1.2`"),
        ("[smtp.timeouts]\ngreeting = 0\n", 2, "between 1 and"),
        ("[smtp.timeouts]\nlunch = 3600\n", 2, "unknown field"),
        (
            "[[destination]]\nlevel = \"dane\"\n",
            1,
            "missing field `domain`",
        ),
        (
            "[[destination]]\ndomain = \"example.org\"\nlevel = \"strict\"\n",
            3,
            "dane-only",
        ),
        (
            "[[destination]]\ndomain = \"example.org\"\npins = [\"md5:00\"]\n",
            3,
            "sha256:",
        ),
        (
            "[[destination]]\ndomain = \"example.org\"\nexpires = \"soon\"\n",
            3,
            "not a date",
        ),
        ("[doctor]\nsecure = \"example.org\"\n", 2, "invalid type"),
        ("[doctor]\nbogus = [\"a..b\"]\n", 2, "empty label"),
        (
            "[doctor]\ninsecure = [\"example.org NOPE\"]\n",
            2,
            "is not a record type",
        ),
        ("[doctor]\nmail = [\"mx:99999\"]\n", 2, "is not a port"),
        ("[doctor]\ntimeout = 0\n", 2, "between 1 and"),
        ("[doctor]\npatience = 1\n", 2, "unknown field"),
        ("[dns\n", 1, ""),
        ("\u{0}", 1, ""),
    ] {
        let run = Workplace::new().with("elsinore.toml", text).run(LOOKUP);
        run.assert_refused(78, &format!("elsinore.toml:{line}: "));
        let written = text
            .lines()
            .nth(line - 1)
            .unwrap()
            .escape_debug()
            .to_string();
        let shown = run.stderr.escape_debug().to_string();
        assert!(
            shown.contains(&written) || text == "\u{0}",
            "the line is shown: {run:?}"
        );
        assert!(run.stderr.contains(part), "{part:?} for {text:?}: {run:?}");
    }
}

#[test]
fn contradictions() {
    for (text, part) in [
        ("[lab]\nmap = \"map\"\n", "trust_anchor"),
        ("[dns]\nmode = \"forward\"\n", "upstream"),
        (
            "[dns]\nmode = \"ad\"\nupstream = [\"192.0.2.1\"]\n",
            "not on loopback",
        ),
        ("[smtp]\nport = 0\n", "not a port"),
        (
            "[[destination]]\ndomain = \"example.org\"\n[[destination]]\ndomain = \"Example.ORG\"\n",
            "example.org: there are two",
        ),
        (
            "[[destination]]\ndomain = \"example.org\"\nlevel = \"fingerprint\"\n",
            "needs pins",
        ),
        ("[dns]\ntrust_anchor = \"nowhere\"\n", "nowhere"),
        ("[dns]\nroot_hints = \"nowhere\"\n", "nowhere"),
        (
            "[dns]\ntrust_anchor = \"anchor\"\n[lab]\nmap = \"nowhere\"\n",
            "nowhere",
        ),
    ] {
        Workplace::new()
            .with("elsinore.toml", text)
            .with("anchor", ANCHOR)
            .run(LOOKUP)
            .assert_refused(78, part);
    }
}

pub(crate) const ANCHOR: &str =
    ". IN DS 20326 8 2 e06d44b80b8f1d39a95c0b0d7c65d08458e880409bbc683457104237c7f8ec8d\n";

/// Who vouches for the way to an upstream may believe its AD bit wherever it is.
#[test]
fn an_upstream_that_is_not_on_loopback() {
    let text = "[dns]\nmode = \"ad\"\nupstream = [\"192.0.2.1\"]\ntrust_anchor = \"anchor\"\n\
        ad_trust = \"any\"\n[lab]\nmap = \"map\"\n";
    for (text, code) in [
        (text.to_owned(), 75),
        (text.replace("any", "loopback"), 78),
        (text.replace("ad_trust = \"any\"\n", ""), 78),
    ] {
        let run = Workplace::new()
            .with("anchor", ANCHOR)
            .with("map", "")
            .with("elsinore.toml", &text)
            .run(LOOKUP);
        assert_eq!(run.code, code, "{text}: {run:?}");
    }
}

/// An empty variable, as a slip in a unit file makes it, must not mean the defaults: mail would
/// leave without the administrator's overrides.
#[test]
fn an_empty_variable() {
    let place = Workplace::new();
    for arguments in [&LOOKUP[2..], &["doctor"], &["explain", "TLSA-USABLE"]] {
        let output = place
            .command(arguments)
            .env("ELSINORE_CONFIG", "")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{arguments:?}: {said}");
        assert!(
            said.starts_with("elsinore: ELSINORE_CONFIG (or --config) is set and empty"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    // A file that is named counts, and so does the lab, which reads no configuration.
    std::fs::write(place.path().join("elsinore.toml"), "").unwrap();
    for arguments in [
        &["--config", "elsinore.toml", "explain", "TLSA-USABLE"][..],
        &["lab", "list"],
    ] {
        let run = place
            .command(arguments)
            .env("ELSINORE_CONFIG", "")
            .output()
            .unwrap();
        assert_eq!(run.status.code(), Some(0), "{arguments:?}: {run:?}");
    }
}

#[test]
fn anchors_and_hints() {
    for (name, text, part) in [
        ("trust_anchor", "", "no DS or DNSKEY"),
        ("trust_anchor", "; nothing here\n", "no DS or DNSKEY"),
        ("trust_anchor", "example. DS 1 8 2 00\n", ""),
        (
            "trust_anchor",
            &ANCHOR.replacen('.', "example.org.", 1),
            "no anchor of the root",
        ),
        (
            "trust_anchor",
            ". IN A 192.0.2.1\n",
            "neither DS nor DNSKEY",
        ),
        ("root_hints", "", ""),
        ("root_hints", ". IN NS a.root.\n", ""),
        ("root_hints", "what is this\n", ""),
        ("root_hints", "\u{0}\u{1}\n", ""),
    ] {
        let run = Workplace::new()
            .with("file", text)
            .with("elsinore.toml", format!("[dns]\n{name} = \"file\"\n"))
            .run(LOOKUP);
        run.assert_refused(78, "file");
        assert!(run.stderr.contains(part), "{part:?} for {text:?}: {run:?}");
    }
}

#[test]
fn authorities() {
    for (name, text, part) in [
        ("nowhere", "", "nowhere: cannot be read: No such file"),
        ("file", "", "file: holds no certificate"),
        ("file", "\u{0}not PEM\n", "file: holds no certificate"),
        (
            "file",
            "-----BEGIN CERTIFICATE-----\nAAAA\n",
            "file: a PEM section has no end line",
        ),
        (
            "file",
            "-----BEGIN CERTIFICATE-----\n?\n-----END CERTIFICATE-----\n",
            "file: a PEM section is not base64",
        ),
        (
            "file",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "file: certificate 1 cannot be a trust anchor: it is not an X.509 certificate",
        ),
    ] {
        Workplace::new()
            .with("file", text)
            .with("elsinore.toml", format!("[tls]\nca_file = \"{name}\"\n"))
            .run(SEND)
            .assert_refused(78, &format!("[tls] ca_file {part}"));
    }
}

#[test]
fn files_that_are_not_text() {
    let octets = [0x2e, 0xff, 0xfe];
    for key in ["trust_anchor", "root_hints"] {
        Workplace::new()
            .with("file", octets)
            .with("elsinore.toml", format!("[dns]\n{key} = \"file\"\n"))
            .run(LOOKUP)
            .assert_refused(78, "file: not a text file");
    }
    Workplace::new()
        .with("elsinore.toml", octets)
        .run(LOOKUP)
        .assert_refused(78, "not a text file");
}

#[test]
fn no_such_configuration_file() {
    Workplace::new()
        .run(LOOKUP)
        .assert_refused(78, "elsinore.toml");
}

#[test]
fn the_example_of_the_readme_is_accepted() {
    let readme = include_str!("../../../../README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let run = Workplace::new().with("elsinore.toml", example).run(&[
        "--config",
        "elsinore.toml",
        "explain",
        "TLSA-USABLE",
    ]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
}

#[test]
fn every_key_is_accepted_in_every_mode() {
    let text = "state_dir = \"state\"\n\
        [dns]\nmode = \"recursive\"\nroot_hints = \"h\"\ntrust_anchor = \"a\"\n\
        upstream = [\"127.0.0.1\", \"[::1]:5353\"]\nallow_nets = [\"10.0.0.0/8\"]\nnta = [\"a.b\"]\n\
        ad_trust = \"any\"\ntimeout = 20\nsha1 = false\ncache_megabytes = 8\n\
        [tls]\nca_file = \"c\"\nlegacy = false\nmin_authenticated = \"1.3\"\n\
        [smtp]\nhelo = \"mail.example.org\"\nport = 2525\nallow_nets = [\"::1\"]\n\
        timeouts = { connect = 1, greeting = 1, hello = 1, handshake = 1, mail = 1, recipient = 1, \
        data_start = 1, data_block = 1, data_end = 1, quit = 1, sts_fetch = 1, discovery = 1, \
        domain = 1 }\n\
        [policy]\ninsecure_mx = \"encrypt\"\n\
        [relay]\nlisten = [\"127.0.0.1:25\"]\n\
        [survey]\nrate = 5\n\
        [doctor]\nsecure = [\"example.org\"]\nbogus = [\"example.net MX\"]\ninsecure = [\"example.com\"]\n\
        mail = [\"mx.example:2525\", \"@example.org\", \"[2001:db8::1]\"]\ntimeout = 3\nresolv_conf = \"r\"\n\
        [lab]\nmap = \"m\"\n\
        [[destination]]\ndomain = \".example.org\"\nlevel = \"fingerprint\"\nmode = \"exact\"\n\
        match = [\"hostname\", \"dot-nexthop\", \"mx.example.org\", \".example.org\"]\n\
        pins = [\"sha256:00000000000000000000000000000000000000000000000000000000000000ff\"]\n\
        relay = \"[relay.example]:587\"\nport = 587\ninsecure_mx = \"may\"\nnta = true\n\
        expires = 2027-01-31\nreason = \"a test\"\n\
        [[destination]]\ndomain = \"example.net\"\nexpires = \"2027-01-31T10:00:00Z\"\n";
    for mode in ["recursive", "forward", "ad"] {
        let text = text.replace("\"recursive\"", &format!("\"{mode}\""));
        let run = Workplace::new().with("elsinore.toml", text).run(&[
            "--config",
            "elsinore.toml",
            "explain",
            "TLSA-USABLE",
        ]);
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{run:?}");
    }
}
