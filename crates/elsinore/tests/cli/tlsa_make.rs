//! `elsinore tlsa make`: the digests are those of the openssl program, the forms are complete, and bad
//! input is refused with a reason.

use crate::command::{Run, Workplace};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the openssl program in `folder`.
fn openssl(folder: &Path, arguments: &str) -> Vec<u8> {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {error}");
    output.stdout
}

/// SHA2-256 of `octets` by the openssl program.
fn sha256(place: &Workplace, octets: &[u8]) -> String {
    std::fs::write(place.path().join("octets"), octets).unwrap();
    let line = openssl(place.path(), "dgst -sha256 -r octets");
    String::from_utf8(line[..64].to_vec()).unwrap()
}

/// Keys, certificates and requests of every kind, made by the openssl program.
fn place() -> Workplace {
    let place = Workplace::new();
    let folder = place.path();
    let run = |arguments: &str| openssl(folder, arguments);
    run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ec.pem");
    run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem");
    run("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out weak.pem");
    run("genpkey -algorithm ED25519 -out ed.pem");
    run("ecparam -name prime256v1 -genkey -out ecold.pem");
    run("rsa -in rsa.pem -traditional -out rsaold.pem");
    run("rsa -in rsa.pem -RSAPublicKey_out -out rsapub1.pem");
    run("pkey -in ec.pem -outform DER -out ec.der");
    run("pkey -in ec.pem -pubout -out ecpub.pem");
    run("pkey -in ec.pem -pubout -outform DER -out ecpub.der");
    run("pkey -in ec.pem -aes128 -passout pass:x -out locked.pem");
    run("rsa -in rsa.pem -traditional -aes128 -passout pass:x -out lockedold.pem");
    let subject = "-subj /CN=mx.example.net -addext subjectAltName=DNS:mx.example.net";
    for key in ["ec", "rsa", "weak", "ed"] {
        let days = if key == "ec" { 90 } else { 4000 };
        run(&format!(
            "req -x509 -key {key}.pem -days {days} {subject} -out {key}.crt"
        ));
    }
    run(&format!("req -new -key ec.pem {subject} -out ec.csr"));
    run("req -in ec.csr -outform DER -out ecder.csr");
    run("x509 -in ec.crt -outform DER -out eccrt.der");
    run("crl2pkcs7 -nocrl -certfile ec.crt -out chain.p7");
    // An authority, an intermediate and a server certificate.
    run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out root.pem");
    run("req -x509 -key root.pem -days 4000 -subj /CN=Root -out root.crt");
    run("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out inter.pem");
    run("req -new -key inter.pem -subj /CN=Inter -out inter.csr");
    std::fs::write(folder.join("ca.ext"), "basicConstraints=critical,CA:TRUE\n").unwrap();
    let signed = "-days 4000 -set_serial 7";
    run(&format!(
        "x509 -req -in inter.csr -CA root.crt -CAkey root.pem {signed} -extfile ca.ext -out inter.crt"
    ));
    std::fs::write(folder.join("ee.ext"), "subjectAltName=DNS:mx.example.net\n").unwrap();
    run(&format!(
        "x509 -req -in ec.csr -CA inter.crt -CAkey inter.pem {signed} -extfile ee.ext -out leaf.crt"
    ));
    let join = |names: &[&str], out: &str| {
        let parts: Vec<Vec<u8>> = names
            .iter()
            .map(|name| std::fs::read(folder.join(name)).unwrap())
            .collect();
        std::fs::write(folder.join(out), parts.concat()).unwrap();
    };
    join(&["leaf.crt", "inter.crt", "root.crt"], "chain.pem");
    join(&["inter.crt", "leaf.crt"], "backwards.pem");
    join(&["ec.pem", "leaf.crt", "inter.crt"], "combined.pem");
    join(&["rsa.pem", "leaf.crt"], "foreign.pem");
    join(&["ec.crt", "rsa.crt"], "two.crt");
    join(&["ec.pem", "rsa.pem"], "two.pem");
    join(&["ec.csr", "ec.csr"], "two.csr");
    place
}

/// `tlsa make` with the words of `arguments`.
fn make(place: &Workplace, arguments: &str) -> Run {
    let words: Vec<&str> = ["tlsa", "make"]
        .into_iter()
        .chain(arguments.split(' '))
        .collect();
    place.run(&words)
}

/// The record lines, without comments.
fn lines(run: &Run) -> Vec<String> {
    assert_eq!(run.code, 0, "{run:?}");
    run.stdout
        .lines()
        .filter(|line| !line.starts_with(';'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn digests_are_those_of_the_openssl_program() {
    let place = place();
    let spki = |key: &str| {
        let der = openssl(
            place.path(),
            &format!("pkey -in {key} -pubout -outform DER"),
        );
        sha256(&place, &der)
    };
    let (ec, rsa, old) = (spki("ec.pem"), spki("rsa.pem"), spki("ecold.pem"));
    let certificate = |name: &str| {
        let der = openssl(place.path(), &format!("x509 -in {name} -outform DER"));
        sha256(&place, &der)
    };
    let inter = {
        let pem = openssl(place.path(), "x509 -in inter.crt -pubkey -noout");
        std::fs::write(place.path().join("inter.pub"), pem).unwrap();
        sha256(
            &place,
            &openssl(place.path(), "pkey -pubin -in inter.pub -outform DER"),
        )
    };
    let name = "--name mx.example.net";
    let ee = |digest: &str| vec![format!("3 1 1 {digest}")];
    for (arguments, expected) in [
        ("--certificate ec.crt".to_owned(), ee(&ec)),
        ("--certificate eccrt.der".to_owned(), ee(&ec)),
        ("--certificate chain.pem".to_owned(), ee(&ec)),
        ("--certificate combined.pem".to_owned(), ee(&ec)),
        ("--certificate ec.crt --key ec.pem".to_owned(), ee(&ec)),
        (
            "--certificate ec.crt rsa.crt".to_owned(),
            [ee(&ec), ee(&rsa)].concat(),
        ),
        (
            "--certificate ec.crt --next rsa.csr".replace("csr", "pem"),
            [ee(&ec), ee(&rsa)].concat(),
        ),
        ("--csr ec.csr".to_owned(), ee(&ec)),
        ("--csr ecder.csr".to_owned(), ee(&ec)),
        (format!("--key ec.pem {name}"), ee(&ec)),
        (format!("--key ec.der {name}"), ee(&ec)),
        (format!("--key ecpub.pem {name}"), ee(&ec)),
        (format!("--key ecpub.der {name}"), ee(&ec)),
        (format!("--key ecold.pem {name}"), ee(&old)),
        (format!("--key rsa.pem {name}"), ee(&rsa)),
        (format!("--key rsaold.pem {name}"), ee(&rsa)),
        (format!("--key rsapub1.pem {name}"), ee(&rsa)),
        (
            "--certificate ec.crt --selector 0".to_owned(),
            vec![format!("3 0 1 {}", certificate("ec.crt"))],
        ),
        (
            "--certificate chain.pem --usage 2".to_owned(),
            vec![format!("2 1 1 {inter}")],
        ),
        (
            "--certificate chain.pem --usage 2 --selector 0".to_owned(),
            vec![format!("2 0 1 {}", certificate("inter.crt"))],
        ),
    ] {
        let run = make(&place, &arguments);
        let expected: Vec<String> = expected
            .iter()
            .map(|record| format!("_25._tcp.mx.example.net. 3600 IN TLSA {record}"))
            .collect();
        assert_eq!(lines(&run), expected, "{arguments}");
    }
}

#[test]
fn forms() {
    let place = place();
    let record = |form: &str| {
        let arguments = format!("--certificate ec.crt --port 465 --ttl 600 --form {form}");
        lines(&make(&place, &arguments))
    };
    let zone = record("zone").remove(0);
    let digest = zone.rsplit(' ').next().unwrap();
    assert_eq!(
        zone,
        format!("_465._tcp.mx.example.net. 600 IN TLSA 3 1 1 {digest}")
    );
    assert_eq!(
        record("generic"),
        [format!(
            "_465._tcp.mx.example.net. 600 IN TYPE52 \\# 35 030101{digest}"
        )]
    );
    assert_eq!(
        record("nsupdate --zone example.net --server 192.0.2.53"),
        [
            "server 192.0.2.53".to_owned(),
            "zone example.net.".to_owned(),
            format!("update add {zone}"),
            "send".to_owned(),
        ]
    );
    let plain = record("plain");
    for field in [
        "Name           _465._tcp.mx.example.net".to_owned(),
        "TTL            600".to_owned(),
        "Usage          3".to_owned(),
        format!("Data           {digest}"),
    ] {
        assert!(plain.contains(&field), "{field}: {plain:?}");
    }
    let json = make(&place, "--certificate ec.crt --next rsa.pem --format json").json();
    assert_eq!(json["schema_version"], 1);
    assert_eq!(json["records"][0]["record"], format!("3 1 1 {digest}"));
    assert_eq!(json["records"][1]["role"], "next");
    assert_eq!(
        json["records"][0]["verified"],
        "TLSA 3 1 1 matched the server certificate"
    );
}

/// What is made is what the verifier takes.
#[test]
fn verify_takes_what_make_gives() {
    let place = place();
    for arguments in ["", "--selector 0", "--usage 2", "--matching-type 2"] {
        let made = make(
            &place,
            format!("--certificate chain.pem {arguments}").trim_end(),
        );
        let line = lines(&made).remove(0);
        let rdata = line.split(" TLSA ").nth(1).unwrap();
        let run = place.run(&[
            "tlsa",
            "verify",
            "--chain",
            "chain.pem",
            "--name",
            "mx.example.net",
            "--tlsa",
            rdata,
        ]);
        assert_eq!(run.code, 0, "{arguments}: {run:?}");
    }
}

#[test]
fn cautions() {
    let place = place();
    let ids = |arguments: &str| -> Vec<String> {
        let json = make(&place, &format!("{arguments} --format json")).json();
        let cautions = json["cautions"].as_array().unwrap();
        cautions
            .iter()
            .map(|caution| caution["id"].as_str().unwrap().to_owned())
            .collect()
    };
    for (arguments, expected) in [
        (
            "--certificate ec.crt",
            vec!["no-next-key", "key-may-change-at-renewal"],
        ),
        (
            "--certificate ec.crt --selector 0",
            vec!["no-next-key", "record-changes-at-renewal"],
        ),
        ("--certificate rsa.crt --next ec.pem", vec![]),
        ("--certificate weak.crt --next ec.pem", vec!["weak-key"]),
        ("--certificate ed.crt --next ec.pem", vec!["rare-algorithm"]),
        (
            "--certificate rsa.crt --next ec.pem --name mx2.example.net",
            vec!["name-not-carried"],
        ),
        (
            "--certificate rsa.crt --next ec.pem --matching-type 2",
            vec!["only-sha2-512"],
        ),
        (
            "--certificate chain.pem --usage 2",
            vec![
                "ends-under-usage-2",
                "authority-must-be-sent",
                "authority-may-change",
            ],
        ),
    ] {
        assert_eq!(ids(arguments), expected, "{arguments}");
    }
    let run = make(&place, "--certificate weak.crt --next ec.pem");
    assert!(
        run.stderr.contains("caution: weak.crt: RSA key of 1024"),
        "{run:?}"
    );
}

#[test]
fn bad_input() {
    let place = place()
        .with("empty", "")
        .with("noise", vec![b'x'; 100_000])
        .with("large", vec![b'x'; 5 << 20])
        .with("binary", [0x30, 0x82, 0xff, 0xff, 0x00]);
    std::fs::create_dir(place.path().join("folder")).unwrap();
    for (arguments, code, part) in [
        ("", 64, "give --certificate, --key, --csr or a running HOST"),
        ("--certificate absent", 74, "cannot read absent"),
        ("--certificate folder", 74, "cannot read folder"),
        ("--certificate large", 74, "more than 4 MiB"),
        ("--certificate empty", 65, "empty: the file is empty"),
        ("--key empty", 65, "the file is empty"),
        ("--csr empty", 65, "the file is empty"),
        ("--certificate noise", 65, "not a certificate"),
        ("--certificate binary", 65, "not a certificate"),
        ("--key noise", 65, "not a key"),
        ("--key binary", 65, "not a key in DER"),
        ("--csr noise", 65, "not a request"),
        (
            "--certificate ec.crt --next noise",
            65,
            "neither a certificate nor a key",
        ),
        (
            "--certificate ec.crt --next binary",
            65,
            "neither a certificate nor a key",
        ),
        ("--certificate ec.pem", 65, "a key, not a certificate"),
        (
            "--certificate ec.csr",
            65,
            "a certificate signing request, not",
        ),
        ("--certificate chain.p7", 65, "openssl pkcs7"),
        ("--key ec.crt", 65, "not a key"),
        ("--key locked.pem", 65, "openssl pkey -in FILE -pubout"),
        ("--key lockedold.pem", 65, "the key is encrypted"),
        ("--key two.pem", 65, "holds 2 keys"),
        ("--csr two.csr", 65, "holds 2 requests"),
        (
            "--certificate two.crt",
            65,
            "certificate 2 is no authority of certificate 1",
        ),
        (
            "--certificate backwards.pem",
            65,
            "the authority of certificate 2",
        ),
        (
            "--certificate foreign.pem",
            65,
            "does not belong to certificate 1",
        ),
        (
            "--certificate ec.crt --key rsa.pem",
            65,
            "belongs to no --certificate",
        ),
        (
            "--certificate ec.crt --next ec.pem",
            65,
            "the next key is the one in use",
        ),
        (
            "--certificate ec.crt --usage 2",
            65,
            "names an authority, and none is in the chain",
        ),
        (
            "--certificate chain.pem --usage 2 --name mx.test",
            65,
            "senders would refuse the server",
        ),
        (
            "--key ec.pem --usage 2 --name mx.test",
            65,
            "made of a certificate",
        ),
        ("--csr ec.csr --selector 0", 65, "made of a certificate"),
        ("--key ec.pem", 64, "give --name (ec.pem names 0 hosts)"),
        (
            "--certificate ec.crt --usage 1",
            64,
            "[possible values: 3, 2]",
        ),
        (
            "--certificate ec.crt --matching-type 0",
            64,
            "[possible values: 1, 2]",
        ),
        ("--certificate ec.crt --port 0", 64, "--port"),
        ("--certificate ec.crt --port 65536", 64, "--port"),
        ("--certificate ec.crt --ttl 0", 64, "--ttl"),
        (
            "--certificate ec.crt --csr ec.csr",
            64,
            "cannot be used with",
        ),
        (
            "--certificate ec.crt --zone example.net",
            64,
            "are for --form nsupdate",
        ),
        (
            "--certificate ec.crt --form nsupdate --zone other.test",
            64,
            "does not lie in the zone",
        ),
        (
            "--certificate ec.crt --form nsupdate --server a;b",
            64,
            "--server",
        ),
        (
            "--certificate ec.crt --name _25._tcp.mx.example.net",
            64,
            "come from --port",
        ),
        (
            "--certificate ec.crt --name *.example.net",
            64,
            "a wildcard is not a host",
        ),
        (
            "--certificate ec.crt --name 192.0.2.1",
            64,
            "an address has no TLSA records",
        ),
        (
            "--certificate ec.crt --name mx_1.example.net",
            64,
            "not a host name",
        ),
    ] {
        let run = if arguments.is_empty() {
            place.run(&["tlsa", "make"])
        } else {
            make(&place, arguments)
        };
        assert_eq!(run.stdout, "", "{arguments}");
        run.assert_refused(code, part);
    }
    // A name in Unicode is the name in the zone.
    let run = make(&place, "--key ec.pem --name m\u{fc}ller.example");
    assert!(lines(&run)[0].starts_with("_25._tcp.xn--mller-kva.example. "));
}

#[test]
fn a_certificate_from_stdin() {
    let place = place();
    let pem = std::fs::read(place.path().join("ec.crt")).unwrap();
    let run = place.run_with_input(&["tlsa", "make", "--certificate", "-"], &pem);
    assert_eq!(lines(&run).len(), 1);
}

/// Names in a certificate cannot leave their comment, nor reach the terminal as control characters.
#[test]
fn hostile_file_names_stay_in_comments() {
    let pem = std::fs::read(place().path().join("ec.crt")).unwrap();
    let odd = "x\u{1b}[31m\n_25._tcp.evil.test. 1 IN TLSA 3 1 1 00";
    let place = Workplace::new().with(odd, pem);
    let run = place.run(&["tlsa", "make", "--certificate", odd]);
    assert_eq!(lines(&run).len(), 1, "{run:?}");
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'));
}
