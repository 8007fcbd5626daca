//! Keys and signatures, made by BIND's and ldns' tools.

use crate::namespace::run;
use crate::plan::{Denial, Kind, Layout, Plan, Signing, Tool};
use openssl::base64;
use openssl::hash::{MessageDigest, hash};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Signatures hold from and to, as the tools want it; both around [`crate::NOW`].
const VALID: (&str, &str) = ("20260501000000", "20260701000000");
const EXPIRED: (&str, &str) = ("20260301000000", "20260501000000");
const FUTURE: (&str, &str) = ("20260701000000", "20260901000000");

/// A key pair: the data of its DNSKEY record and the private part as BIND writes it.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) flags: u16,
    pub(crate) algorithm: u8,
    pub(crate) public: Vec<u8>,
    private: String,
}

impl Key {
    fn read(path: &Path) -> Self {
        // The name has dots of its own.
        let part = |ending| format!("{}.{ending}", path.display());
        let text = fs::read_to_string(part("key")).expect("a public key");
        let line = text
            .lines()
            .find(|line| !line.starts_with(';'))
            .expect("a DNSKEY record");
        let mut words = line.split_whitespace().skip_while(|word| *word != "DNSKEY");
        let mut word = || words.next().expect("a field of DNSKEY");
        word();
        let flags = word().parse().expect("flags");
        word();
        let algorithm = word().parse().expect("an algorithm");
        let public: String = words.collect();
        Self {
            flags,
            algorithm,
            public: base64::decode_block(&public).expect("base64"),
            private: fs::read_to_string(part("private")).expect("a private key"),
        }
    }

    pub(crate) fn rdata(&self) -> Vec<u8> {
        let mut rdata = self.flags.to_be_bytes().to_vec();
        rdata.extend([3, self.algorithm]);
        rdata.extend(&self.public);
        rdata
    }

    fn record(&self, apex: &str) -> String {
        let public = base64::encode_block(&self.public);
        format!(
            "{apex}. 3600 IN DNSKEY {} 3 {} {public}\n",
            self.flags, self.algorithm
        )
    }

    /// RFC 4034 appendix B.
    pub(crate) fn tag(&self) -> u16 {
        tag(&self.rdata())
    }

    /// The same key with the REVOKE bit (RFC 5011 §2.1).
    fn revoked(&self) -> Self {
        Self {
            flags: self.flags | 0x80,
            ..self.clone()
        }
    }

    /// Other octets with the same tag: nobody has the private part.
    fn colliding(&self, number: usize) -> Self {
        let mut other = self.clone();
        let wanted = self.tag();
        let number = u8::try_from(number).expect("few keys");
        for octet in &mut other.public[..8] {
            *octet = octet.wrapping_add(number + 1);
        }
        let last = other.public.len() - 2;
        for guess in 0..=u16::MAX {
            other.public[last..].copy_from_slice(&guess.to_be_bytes());
            if other.tag() == wanted {
                break;
            }
        }
        assert_eq!(other.tag(), wanted);
        other
    }
}

fn tag(rdata: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for (index, octet) in rdata.iter().enumerate() {
        sum += u32::from(*octet) << (if index % 2 == 0 { 8 } else { 0 });
    }
    sum += sum >> 16 & 0xffff;
    u16::try_from(sum & 0xffff).expect("masked")
}

/// Two key-signing and two zone-signing keys of each algorithm, shared by all zones.
#[derive(Debug)]
pub(crate) struct Pool(BTreeMap<u8, [Vec<Key>; 2]>);

impl Pool {
    pub(crate) fn make(folder: &Path) -> Self {
        let here = folder.display().to_string();
        let mut pool = BTreeMap::new();
        for (number, name) in [
            (5, "RSASHA1"),
            (7, "NSEC3RSASHA1"),
            (8, "RSASHA256"),
            (10, "RSASHA512"),
            (13, "ECDSAP256SHA256"),
            (14, "ECDSAP384SHA384"),
            (15, "ED25519"),
            (16, "ED448"),
        ] {
            let mut made = [Vec::new(), Vec::new()];
            for (index, kept) in made.iter_mut().enumerate() {
                for _ in 0..2 {
                    let mut arguments = vec!["-q", "-K", &here, "-a", name];
                    if number <= 10 {
                        arguments.extend(["-b", "1024"]);
                    }
                    if index == 0 {
                        arguments.extend(["-f", "KSK"]);
                    }
                    arguments.push("pool");
                    let printed = run("dnssec-keygen", &arguments);
                    kept.push(Key::read(&folder.join(printed.trim())));
                }
            }
            pool.insert(number, made);
        }
        Self(pool)
    }

    fn key_signing(&self, algorithm: u8, number: usize) -> &Key {
        &self.0[&algorithm][0][number % 2]
    }

    fn zone_signing(&self, algorithm: u8, number: usize) -> &Key {
        &self.0[&algorithm][1][number % 2]
    }
}

/// A signed zone and what its parent says of it.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) text: String,
    /// The keys that the parent vouches for, in the order of the zone's algorithms.
    pub(crate) secure_entry: Vec<Key>,
    /// The same zone with signatures of the past or of the future, if its kind needs one.
    pub(crate) other_time: Option<String>,
    /// A key of another zone, for DS records and DNSKEY RRsets that do not belong here.
    pub(crate) stranger: Key,
}

/// Signs `text` as `plan` says. `number` makes file names and chooses keys.
pub(crate) fn sign(
    plan: &Plan,
    signing: &Signing,
    text: &str,
    number: usize,
    pool: &Pool,
    folder: &Path,
) -> Signed {
    let mut signers = Vec::new();
    let mut beside = Vec::new();
    let mut secure_entry = Vec::new();
    for algorithm in &signing.algorithms {
        let mut entry = pool.key_signing(*algorithm, number).clone();
        if plan.kind == Kind::Revoked {
            entry = entry.revoked();
        }
        signers.push(entry.clone());
        if signing.layout == Layout::Split || plan.kind == Kind::Revoked {
            signers.push(pool.zone_signing(*algorithm, number).clone());
        }
        if plan.kind == Kind::RevokedBeside {
            signers.push(pool.key_signing(*algorithm, number + 1).revoked());
        }
        if let Kind::Collide(count) = plan.kind {
            beside.extend((0..count).map(|one| entry.colliding(one)));
        }
        secure_entry.push(entry);
    }
    let stranger = pool.key_signing(signing.algorithms[0], number + 1).clone();
    let is_combined = signing.layout == Layout::Combined && plan.kind != Kind::Revoked;
    let task = Task {
        plan,
        signing,
        text,
        signers: &signers,
        beside: &beside,
        is_combined,
        stem: folder.join(format!("z{number}")),
    };
    let other_time = match plan.kind {
        Kind::Expired | Kind::ExpiredType(_) => Some(task.run(EXPIRED)),
        Kind::Future => Some(task.run(FUTURE)),
        _ => None,
    };
    Signed {
        text: task.run(VALID),
        secure_entry,
        other_time,
        stranger,
    }
}

struct Task<'a> {
    plan: &'a Plan,
    signing: &'a Signing,
    text: &'a str,
    signers: &'a [Key],
    beside: &'a [Key],
    is_combined: bool,
    stem: PathBuf,
}

impl Task<'_> {
    fn run(&self, (from, to): (&str, &str)) -> String {
        let apex = format!("{}.", self.plan.apex);
        let mut names = Vec::new();
        let mut text = self.text.to_owned();
        let mut known = std::collections::BTreeSet::new();
        for (index, key) in self.signers.iter().enumerate() {
            let path = format!("{}-k{index}", self.stem.display());
            fs::write(format!("{path}.key"), key.record(&self.plan.apex)).expect("a key file");
            fs::write(format!("{path}.private"), &key.private).expect("a key file");
            // ldns-signzone puts the keys in by itself.
            if self.signing.tool == Tool::Bind && known.insert(key.rdata()) {
                text.push_str(&key.record(&self.plan.apex));
            }
            names.push(path);
        }
        for key in self.beside {
            text.push_str(&key.record(&self.plan.apex));
        }
        let plain = self.stem.display().to_string();
        let folder = self.stem.parent().expect("a folder").display().to_string();
        let output = format!("{plain}.signed");
        fs::write(&plain, text).expect("a zone file");
        let mut arguments: Vec<String> = Vec::new();
        let mut push =
            |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
        match self.signing.tool {
            Tool::Bind => {
                push(&["-q", "-P", "-O", "full", "-d", &folder]);
                push(&["-s", from, "-e", to, "-o", &apex]);
                if self.is_combined {
                    push(&["-z"]);
                }
                if let Denial::Nsec3 {
                    iterations,
                    salt,
                    opt_out,
                } = &self.signing.denial
                {
                    let salt = if salt.is_empty() { "-" } else { *salt };
                    push(&["-3", salt, "-H", &iterations.to_string()]);
                    if *opt_out {
                        push(&["-A"]);
                    }
                }
                push(&["-f", &output, &plain]);
                for name in &names {
                    push(&[&format!("{name}.private")]);
                }
                run_bind(&arguments);
            }
            Tool::Ldns => {
                push(&["-i", from, "-e", to, "-o", &apex, "-f", &output]);
                if let Denial::Nsec3 {
                    iterations,
                    salt,
                    opt_out,
                } = &self.signing.denial
                {
                    push(&["-n", "-t", &iterations.to_string()]);
                    if !salt.is_empty() {
                        push(&["-s", salt]);
                    }
                    if *opt_out {
                        push(&["-p"]);
                    }
                }
                push(&[&plain]);
                for name in &names {
                    push(&[name]);
                }
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                run("ldns-signzone", &arguments);
            }
        }
        fs::read_to_string(output).expect("the signed zone")
    }
}

fn run_bind(arguments: &[String]) {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run("dnssec-signzone", &arguments);
}

fn wire(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        octets.push(u8::try_from(label.len()).expect("a label"));
        octets.extend(label.to_ascii_lowercase().bytes());
    }
    octets.push(0);
    octets
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// One DS record (RFC 4034 §5.1.4), with an octet changed where the digest is to be wrong.
fn ds(apex: &str, key: &Key, digest_type: u8, algorithm: u8, is_wrong: bool) -> String {
    let method = match digest_type {
        1 => MessageDigest::sha1(),
        4 => MessageDigest::sha384(),
        _ => MessageDigest::sha256(),
    };
    let mut octets = wire(apex);
    octets.extend(key.rdata());
    let mut digest = hash(method, &octets).expect("a digest").to_vec();
    if is_wrong {
        digest[7] ^= 1;
    }
    format!(
        "{apex}. 3600 IN DS {} {algorithm} {digest_type} {}\n",
        key.tag(),
        hex(&digest)
    )
}

/// The DS records of a zone, as its kind wants them; `entry` are its keys.
pub(crate) fn ds_records(plan: &Plan, entry: &[Key], stranger: &Key) -> String {
    let one = |key: &Key, digest, is_wrong| ds(&plan.apex, key, digest, key.algorithm, is_wrong);
    let Some(first) = entry.first() else {
        return one(stranger, 2, false);
    };
    match plan.kind {
        Kind::WrongDigest => one(first, 2, true),
        Kind::OtherDs => one(stranger, 2, false),
        Kind::NewAlgorithmDs => ds(&plan.apex, first, 2, 200, false),
        Kind::NewDigestDs => ds(&plan.apex, first, 99, first.algorithm, false),
        Kind::MixedDs => {
            ds(&plan.apex, first, 2, 200, false)
                + &ds(&plan.apex, first, 99, first.algorithm, false)
                + &one(stranger, 2, false)
                + &one(first, 2, false)
        }
        Kind::Sha1Ds => one(first, 1, false),
        Kind::Sha384Ds => one(first, 4, false),
        Kind::WeakDs => one(first, 1, false) + &one(first, 2, true),
        Kind::StrongDs => one(first, 1, true) + &one(first, 2, false),
        Kind::HalfDs => one(first, 2, false) + &one(first, 4, true),
        Kind::SecondOnly => one(entry.last().unwrap_or(first), 2, false),
        Kind::NewAlgorithm => ds(&plan.apex, first, 2, NEW_ALGORITHM, false),
        _ => entry.iter().map(|key| one(key, 2, false)).collect(),
    }
}

/// A number nobody has given to an algorithm.
pub(crate) const NEW_ALGORITHM: u8 = 99;

impl Pool {
    /// Some key, for DS records of zones that have none.
    pub(crate) fn any(&self) -> &Key {
        self.key_signing(13, 0)
    }
}
