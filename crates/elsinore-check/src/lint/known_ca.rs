//! Keys of public CAs that stand in TLSA records: which are retired, and which belong to a batch
//! of which the CA picks one at each renewal.
//!
//! # Where the rows come from
//! * Roots: computed from the certificates in Debian's `ca-certificates` 20230311 on 2026-11-22; a
//!   test compares them with the roots this program trusts. Root YE: from the certificate that
//!   ISRG Root X2 signed (<https://letsencrypt.org/certs/gen-y/root-ye-by-x2.pem>), its signature
//!   verified with Debian's copy of that root.
//! * YE1 to YE3: from the CA's published certificates, signatures verified up to ISRG Root X2 the
//!   same day. YR1 to YR3: from the CA's published certificates, the key checked against the key
//!   identifier in each; their root's signature could not be verified offline.
//! * E5 to E9 and R10 to R14: three independent public files that list all ten agree. E1, E2, R3,
//!   R4: a published zone made from the CA's files. X3 and X4: the manual of OpenSSL's `s_client`
//!   and the zone of exim.org.
//! * Names and dates: the CA's announcements (<https://letsencrypt.org/certificates/>, of
//!   2020-09-17, 2024-03-19 and 2025-11-24), and for the end of the batch of 2024 its time table
//!   for 2026 as reported on 2026-05-13.
//!
//! A row without any of these has a name and no digest: nothing is guessed.

use elsinore_dane::verify::{CertificateSummary, inspect};

/// One CA key that is known by name.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownCa {
    /// The name for people, such as `Let's Encrypt R3`.
    pub name: &'static str,
    /// Common name of its certificates.
    pub common_name: &'static str,
    /// Organisation in its certificates.
    pub organisation: &'static str,
    /// SHA-256 of its SubjectPublicKeyInfo in lower-case hexadecimal, where shown.
    pub spki_sha256: Option<&'static str>,
    /// Whether it is a root.
    pub is_root: bool,
    /// Whether there are several certificates of this one key.
    pub cross_signed: bool,
    /// Keys of one batch, of one algorithm, replace each other without notice.
    pub batch: Option<&'static str>,
    /// From when on nothing new is issued with it, in seconds of the Unix epoch.
    pub retired_at: Option<i64>,
}

impl KnownCa {
    /// Whether it has stopped issuing by `now`.
    #[must_use]
    pub const fn is_retired(&self, now: i64) -> bool {
        match self.retired_at {
            Some(moment) => now >= moment,
            None => false,
        }
    }

    /// The other keys of its batch.
    pub fn siblings(&'static self) -> impl Iterator<Item = &'static Self> {
        KNOWN
            .iter()
            .filter(move |other| self.batch.is_some() && other.batch == self.batch)
            .filter(move |other| other.name != self.name)
    }
}

/// 2020-12-02: R3 took over from X3.
const END_OF_X: i64 = 1_606_867_200;
/// 2024-06-06: the batch of 2024 took over.
const END_OF_2020: i64 = 1_717_632_000;
/// 2026-07-08: the last profile that used the batch of 2024 was closed; the usual one had gone
/// over to the batch of 2025 on 2026-05-13.
const END_OF_2024: i64 = 1_783_468_800;

const LETS_ENCRYPT: &str = "Let's Encrypt";
const ISRG: &str = "Internet Security Research Group";

/// An intermediate of Let's Encrypt.
const fn issuing(
    name: &'static str,
    common_name: &'static str,
    spki_sha256: Option<&'static str>,
    batch: &'static str,
    retired_at: Option<i64>,
) -> KnownCa {
    KnownCa {
        name,
        common_name,
        organisation: LETS_ENCRYPT,
        spki_sha256,
        is_root: false,
        cross_signed: false,
        batch: Some(batch),
        retired_at,
    }
}

/// The same, certified more than once.
const fn crossed(
    name: &'static str,
    common_name: &'static str,
    spki_sha256: Option<&'static str>,
    batch: &'static str,
    retired_at: Option<i64>,
) -> KnownCa {
    KnownCa {
        cross_signed: true,
        ..issuing(name, common_name, spki_sha256, batch, retired_at)
    }
}

/// A root.
const fn root(
    name: &'static str,
    organisation: &'static str,
    spki_sha256: Option<&'static str>,
    cross_signed: bool,
) -> KnownCa {
    KnownCa {
        name,
        common_name: name,
        organisation,
        spki_sha256,
        is_root: true,
        cross_signed,
        batch: None,
        retired_at: None,
    }
}

/// Every key that is known.
#[rustfmt::skip]
pub static KNOWN: &[KnownCa] = &[
    crossed("Let's Encrypt X3", "Let's Encrypt Authority X3", Some("60b87575447dcba2a36b7d11ac09fb24a9db406fee12d2cc90180517616e8a18"), "X", Some(END_OF_X)),
    crossed("Let's Encrypt X4", "Let's Encrypt Authority X4", Some("b111dd8a1c2091a89bd4fd60c57f0716cce50feeff8137cdbee0326e02cf362b"), "X", Some(END_OF_X)),
    crossed("Let's Encrypt R3", "R3", Some("8d02536c887482bc34ff54e41d2ba659bf85b341a0a20afadb5813dcfbcf286d"), "R-2020", Some(END_OF_2020)),
    crossed("Let's Encrypt R4", "R4", Some("e5545e211347241891c554a03934cde9b749664a59d26d615fe58f77990f2d03"), "R-2020", Some(END_OF_2020)),
    issuing("Let's Encrypt E1", "E1", Some("276fe8a8c4ec7611565bf9fce6dcace9be320c1b5bea27596b2204071ed04f10"), "E-2020", Some(END_OF_2020)),
    issuing("Let's Encrypt E2", "E2", Some("bd936e72b212ef6f773102c6b77d38f94297322efc25396bc3279422e0c89270"), "E-2020", Some(END_OF_2020)),
    issuing("Let's Encrypt R10", "R10", Some("2bbad93ab5c79279ec121507f272cbe0c6647a3aae52e22f388afab426b4adba"), "R-2024", Some(END_OF_2024)),
    issuing("Let's Encrypt R11", "R11", Some("6ddac18698f7f1f7e1c69b9bce420d974ac6f94ca8b2c761701623f99c767dc7"), "R-2024", Some(END_OF_2024)),
    issuing("Let's Encrypt R12", "R12", Some("919c0df7a787b597ed056ace654b1de9c0387acf349f73734a4fd7b58cf612a4"), "R-2024", Some(END_OF_2024)),
    issuing("Let's Encrypt R13", "R13", Some("025490860b498ab73c6a12f27a49ad5fe230fafe3ac8f6112c9b7d0aad46941d"), "R-2024", Some(END_OF_2024)),
    issuing("Let's Encrypt R14", "R14", Some("f1647a5ee3efac54c892e930584fe47979b7acd1c76c1271bca1c5076d869888"), "R-2024", Some(END_OF_2024)),
    crossed("Let's Encrypt E5", "E5", Some("3586d4ecf070578cbd27aedce20b964e48bc149faeb9dad72f46b857869172b8"), "E-2024", Some(END_OF_2024)),
    crossed("Let's Encrypt E6", "E6", Some("d016e1fe311948aca64f2de44ce86c9a51ca041df6103bb52a88eb3f761f57d7"), "E-2024", Some(END_OF_2024)),
    crossed("Let's Encrypt E7", "E7", Some("cbbc559b44d524d6a132bdac672744da3407f12aae5d5f722c5f6c7913871c75"), "E-2024", Some(END_OF_2024)),
    crossed("Let's Encrypt E8", "E8", Some("885bf0572252c6741dc9a52f5044487fef2a93b811cdedfad7624cc283b7cdd5"), "E-2024", Some(END_OF_2024)),
    crossed("Let's Encrypt E9", "E9", Some("f1440a9b76e1e41e53a4cb461329bf6337b419726be513e42e19f1c691c5d4b2"), "E-2024", Some(END_OF_2024)),
    issuing("Let's Encrypt YR1", "YR1", Some("2e8307068b6db620e4a39d068b5dee5d6ef5788cbb2c0b6d23ead84fcc17178c"), "YR-2025", None),
    issuing("Let's Encrypt YR2", "YR2", Some("9d637b3d27a9e570d07607b9ccadb80a70915c7af72afce12841b1b1da825fd1"), "YR-2025", None),
    issuing("Let's Encrypt YR3", "YR3", Some("51aaa87d984b559ac69e929f888a022d832e089ff4dba0a412b5101bca4bc799"), "YR-2025", None),
    issuing("Let's Encrypt YE1", "YE1", Some("6ebcefb4210b088654a38b03fea3d7d1c711b4fb1ddc363a45f9b1a4e53da01e"), "YE-2025", None),
    issuing("Let's Encrypt YE2", "YE2", Some("b3fb5d00e994cddf2cc9a4eea9f806bc5727e83cc0e4299bf956f2d524fe5376"), "YE-2025", None),
    issuing("Let's Encrypt YE3", "YE3", Some("a698a20824be04e47a1a33c4fa488731be92011f23a31e900e2ca26c9c2acfce"), "YE-2025", None),
    root("ISRG Root X1", ISRG, Some("0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3"), true),
    root("ISRG Root X2", ISRG, Some("762195c225586ee6c0237456e2107dc54f1efc21f61a792ebd515913cce68332"), true),
    root("Root YE", "ISRG", Some("b0292ae545978e0fbb98abbd94c861605e5b18bb32ed523f50d5b7b5c71d47bc"), true),
    root("DigiCert Global Root G2", "DigiCert Inc", Some("8bb593a93be1d0e8a822bb887c547890c3e706aad2dab76254f97fb36b82fc26"), false),
    root("USERTrust RSA Certification Authority", "The USERTRUST Network", Some("c784333d20bcd742b9fdc3236f4e509b8937070e73067e254dd3bf9c45bf4dde"), true),
    root("USERTrust ECC Certification Authority", "The USERTRUST Network", Some("2021917e98263945c859c43f1d73cb4139053c414fa03ca3bc7ee88614298f3b"), true),
    root("GTS Root R1", "Google Trust Services LLC", Some("871a9194f4eed5b312ff40c84c1d524aed2f778bbff25f138cf81f680a7adc67"), true),
    root("GTS Root R4", "Google Trust Services LLC", Some("9847e5653e5e9e847516e5cb818606aa7544a19be67fd7366d506988e8d84347"), true),
    root("Sectigo Public Server Authentication Root R46", "Sectigo Limited", Some("0e8bb18bbeefb381be21bfc1a206d317298462ad104855f04a0542699708d3d4"), true),
    root("Sectigo Public Server Authentication Root E46", "Sectigo Limited", Some("b0b56335468561f5bb9fa12d801784a633a572705d34f32b643445dfa8b005d1"), true),
    root("Buypass Class 2 Root CA", "Buypass AS-983163327", Some("5955ae291574a931342cf7450e16652ede1e0fb3097e1571dfac11c915601564"), false),
];

/// Organisations whose certificates are renewed by a program after weeks (ACME, RFC 8555).
pub const RENEWED_BY_PROGRAM: &[&str] = &[
    LETS_ENCRYPT,
    "ZeroSSL",
    "Google Trust Services",
    "Buypass AS-983163327",
];

/// The CA with that key.
#[must_use]
pub fn by_spki(digest: &[u8; 32]) -> Option<&'static KnownCa> {
    by_spki_hex(&hexadecimal(digest))
}

/// The CA with that key; `digest` in lower-case hexadecimal.
#[must_use]
pub fn by_spki_hex(digest: &str) -> Option<&'static KnownCa> {
    KNOWN.iter().find(|ca| ca.spki_sha256 == Some(digest))
}

/// The CA whose certificates have that common name. A name proves nothing: others may use it too,
/// so [`of_certificate`] and [`issuer_of`] look for the organisation as well.
#[must_use]
pub fn by_name(common_name: &str) -> Option<&'static KnownCa> {
    KNOWN.iter().find(|ca| ca.common_name == common_name)
}

/// Which CA this certificate (DER) is one of: by its key, else by common name and organisation.
#[must_use]
pub fn of_certificate(entry: &[u8]) -> Option<&'static KnownCa> {
    let summary = inspect(entry).ok()?;
    by_spki(&summary.public_key_sha256).or_else(|| named(entry, &summary.subject_common_names))
}

/// Which CA issued this certificate (DER), by the name it gives.
#[must_use]
pub fn issuer_of(entry: &[u8]) -> Option<&'static KnownCa> {
    let CertificateSummary {
        issuer_common_names,
        ..
    } = inspect(entry).ok()?;
    named(entry, &issuer_common_names)
}

/// Whether the certificate (DER) names an organisation that renews by program.
#[must_use]
pub fn renews_by_program(entry: &[u8]) -> Option<&'static str> {
    RENEWED_BY_PROGRAM
        .iter()
        .copied()
        .find(|organisation| contains(entry, organisation))
}

/// A row whose common name is among `names` and whose organisation stands in the certificate.
fn named(entry: &[u8], names: &[String]) -> Option<&'static KnownCa> {
    let ca = names.iter().find_map(|name| by_name(name))?;
    contains(entry, ca.organisation).then_some(ca)
}

fn contains(entry: &[u8], text: &str) -> bool {
    entry
        .windows(text.len())
        .any(|octets| octets == text.as_bytes())
}

/// Lower-case hexadecimal.
pub(crate) fn hexadecimal(octets: &[u8]) -> String {
    use std::fmt::Write as _;
    octets.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn rows_are_distinct_and_found_again() {
        let mut digests = HashSet::new();
        let mut names = HashSet::new();
        for ca in KNOWN {
            assert!(names.insert(ca.common_name), "{}", ca.name);
            assert_eq!(by_name(ca.common_name), Some(ca));
            let Some(digest) = ca.spki_sha256 else {
                continue;
            };
            assert!(digests.insert(digest), "{}", ca.name);
            assert_eq!(digest.len(), 64, "{}", ca.name);
            let octets: Vec<u8> = (0..32)
                .map(|at| u8::from_str_radix(&digest[2 * at..2 * at + 2], 16).unwrap())
                .collect();
            assert_eq!(by_spki(&octets.try_into().unwrap()), Some(ca));
        }
        assert_eq!(by_name("R5"), None);
        assert_eq!(by_spki(&[0; 32]), None);
    }

    /// The key as a certificate has it, from the contents that the root list keeps.
    fn public_key_digest(contents: &[u8]) -> String {
        let length = contents.len();
        let mut der = vec![0x30];
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => der.push(short),
            Ok(one) => der.extend([0x81, one]),
            Err(_) => {
                der.push(0x82);
                der.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
        }
        der.extend(contents);
        hexadecimal(&openssl::sha::sha256(&der))
    }

    #[test]
    fn roots_are_those_that_this_program_trusts() {
        let trusted: HashSet<String> = webpki_roots::TLS_SERVER_ROOTS
            .iter()
            .map(|root| public_key_digest(&root.subject_public_key_info))
            .collect();
        assert!(trusted.len() > 50);
        // Root YE is younger than the list; it is known by the signature of X2.
        let listed = |ca: &&KnownCa| ca.is_root && ca.common_name != "Root YE";
        for ca in KNOWN.iter().filter(listed) {
            assert!(trusted.contains(ca.spki_sha256.unwrap()), "{}", ca.name);
        }
    }

    #[test]
    fn siblings_are_of_one_batch_and_one_algorithm() {
        let siblings = |name: &str| {
            let ca = by_name(name).unwrap();
            ca.siblings()
                .map(|other| other.common_name)
                .collect::<Vec<_>>()
        };
        assert_eq!(siblings("E7"), ["E5", "E6", "E8", "E9"]);
        assert_eq!(siblings("R10"), ["R11", "R12", "R13", "R14"]);
        assert_eq!(siblings("YE1"), ["YE2", "YE3"]);
        assert!(siblings("ISRG Root X1").is_empty());
    }

    #[test]
    fn retirement_has_a_day() {
        let r3 = by_name("R3").unwrap();
        assert!(r3.is_retired(END_OF_2020) && !r3.is_retired(END_OF_2020 - 1));
        assert!(!by_name("YE1").unwrap().is_retired(i64::MAX));
    }
}
