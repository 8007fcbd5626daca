//! Where trust starts: keys of the root, and of any other zone, as DS or DNSKEY records
//! (RFC 4033 §2, RFC 4035 §4.4).

use super::validate::{Cryptography, Fault, is_usable, key_tag};
use super::wire::{Ds, Name};
use super::zone_text::{self, TextRecord};
use elsinore_dane::security::Cause;
use openssl::sha::Sha256;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// The shipped anchors: KSK-2017 and KSK-2024, as IANA publishes them.
const SHIPPED: &str = "\
. DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D
. DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16
";

/// Fingerprints of the sets that earlier versions shipped: what was learnt from them goes on.
pub(super) const SHIPPED_BEFORE: &[&str] = &[];

/// One configured key of a zone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Anchor {
    /// DS RDATA: key tag, algorithm, digest type, digest.
    Ds(Vec<u8>),
    /// DNSKEY RDATA: flags, protocol, algorithm, key.
    Dnskey(Vec<u8>),
}

impl Anchor {
    fn rdata(&self) -> &[u8] {
        match self {
            Self::Ds(rdata) | Self::Dnskey(rdata) => rdata,
        }
    }

    /// The key tag (RFC 4034 appendix B).
    pub(super) fn tag(&self) -> u16 {
        match self {
            Self::Ds(rdata) => Ds::parse(rdata).map_or(0, |ds| ds.key_tag),
            Self::Dnskey(rdata) => key_tag(rdata),
        }
    }

    /// The algorithm number.
    pub(super) fn algorithm(&self) -> u8 {
        match self {
            Self::Ds(rdata) => rdata.get(2),
            Self::Dnskey(rdata) => rdata.get(3),
        }
        .copied()
        .unwrap_or(0)
    }

    /// Whether anything could be validated by it.
    pub(super) fn is_usable(&self, cryptography: &dyn Cryptography) -> bool {
        match self {
            Self::Ds(rdata) => Ds::parse(rdata).is_some_and(|ds| is_usable(&ds, cryptography)),
            Self::Dnskey(rdata) => rdata.get(3).is_some_and(|a| cryptography.supports(*a)),
        }
    }
}

/// The record in zone-file text, with the root as owner.
impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ds(rdata) => {
                let (algorithm, digest_type) = (self.algorithm(), rdata.get(3).unwrap_or(&0));
                let digest = hex_text(rdata.get(4..).unwrap_or_default());
                write!(
                    f,
                    ". IN DS {} {algorithm} {digest_type} {digest}",
                    self.tag()
                )
            }
            Self::Dnskey(rdata) => {
                let flags = rdata.first_chunk().copied().map_or(0, u16::from_be_bytes);
                let key = openssl::base64::encode_block(rdata.get(4..).unwrap_or_default());
                write!(f, ". IN DNSKEY {flags} 3 {} {key}", self.algorithm())
            }
        }
    }
}

/// The trust anchors: of the root, and of any zone whose keys are known from elsewhere; never
/// empty. The deepest zone at or above a name is where the chain of that name starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchors {
    zones: BTreeMap<Name, Vec<Anchor>>,
}

/// Where the chain of a name starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Start {
    /// At this zone, with these keys.
    Keys(Name, Arc<[Anchor]>),
    /// Nowhere, and why: the name is insecure without any chain.
    Never(Fault),
}

/// Every point at which trust starts or stops, ready to be searched.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Starts {
    /// The deepest first; at one name a negative anchor before the others.
    points: Vec<(Name, Point)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Point {
    /// A negative trust anchor.
    Negative,
    Keys(Arc<[Anchor]>),
    /// Anchors of unknown algorithms or digest types only.
    Unknown,
}

impl Starts {
    /// The points of `anchors`, as far as `cryptography` can use them, and of `negative` anchors.
    pub(super) fn new(
        anchors: &TrustAnchors,
        negative: &[Name],
        cryptography: &dyn Cryptography,
    ) -> Self {
        let mut points: Vec<(Name, Point)> = negative
            .iter()
            .map(|name| (name.clone(), Point::Negative))
            .collect();
        points.extend(anchors.zones.iter().map(|(zone, anchors)| {
            let usable: Vec<Anchor> = anchors
                .iter()
                .filter(|anchor| anchor.is_usable(cryptography))
                .cloned()
                .collect();
            // A root whose keys were all revoked has nothing to verify with, which is not the same
            // as being unsigned.
            let point = if usable.is_empty() && !anchors.is_empty() {
                Point::Unknown
            } else {
                Point::Keys(usable.into())
            };
            (zone.clone(), point)
        }));
        // A stable sort: the negative anchors stay in front.
        points.sort_by_key(|(zone, _)| std::cmp::Reverse(zone.label_count()));
        Self { points }
    }

    /// Where the chain of `name` starts: the deepest point at or above it decides (RFC 7646 §1.1);
    /// of two at one name the negative one (§3 there), set for a reason. Anchors of unknown
    /// kinds are passed by, as a DS of an unknown kind is (RFC 4035 §5.2): they could only ever
    /// make the zone unsigned.
    pub(super) fn of(&self, name: &Name) -> Start {
        let mut unknown = None;
        for (zone, point) in &self.points {
            if !name.is_at_or_below(zone) {
                continue;
            }
            match point {
                Point::Negative => {
                    let text = format!("negative trust anchor {zone}");
                    return Start::Never(Fault::new(Cause::NegativeAnchor, text));
                }
                Point::Keys(anchors) => return Start::Keys(zone.clone(), Arc::clone(anchors)),
                Point::Unknown => unknown = unknown.or(Some(zone)),
            }
        }
        Start::Never(match unknown {
            Some(zone) => {
                let text = format!(
                    "the trust anchors of {zone} are of unknown algorithms or digest types only"
                );
                Fault::new(Cause::UnknownAlgorithm, text)
            }
            None => Fault::new(Cause::NoAnchor, "under no trust anchor"),
        })
    }
}

/// Why a text is not usable as trust anchors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// Not zone-file text, or a record that is neither DS nor DNSKEY.
    #[error("trust anchor: {0}")]
    Text(String),
    /// No record at all. Validation is never silently turned off.
    #[error("trust anchor: the file holds no DS or DNSKEY record")]
    Empty,
}

impl TrustAnchors {
    /// Whether there are anchors of the root, and `cryptography` can use none.
    pub(super) fn has_unusable_root(&self, cryptography: &dyn Cryptography) -> bool {
        self.zones.get(&Name::root()).is_some_and(|anchors| {
            !anchors.is_empty() && !anchors.iter().any(|anchor| anchor.is_usable(cryptography))
        })
    }

    /// The anchors that come with the program: those of the root.
    #[must_use]
    pub fn shipped() -> Self {
        // The text is a constant that a test parses; an empty set would be refused by the
        // resolver.
        Self::parse(SHIPPED).unwrap_or(Self {
            zones: BTreeMap::new(),
        })
    }

    /// Reads zone-file text: DS or DNSKEY records of any zones; TTL and class may be left out.
    ///
    /// # Errors
    /// [`AnchorError`] when the text is empty or does not parse.
    pub fn parse(text: &str) -> Result<Self, AnchorError> {
        let mut zones: BTreeMap<Name, Vec<Anchor>> = BTreeMap::new();
        for record in zone_text::parse(text).map_err(AnchorError::Text)? {
            let anchor = match record.rtype.as_str() {
                "DS" => ds(&record).map(Anchor::Ds),
                "DNSKEY" => dnskey(&record).map(Anchor::Dnskey),
                other => {
                    return Err(AnchorError::Text(format!(
                        "line {}: {other} is neither DS nor DNSKEY",
                        record.line
                    )));
                }
            };
            let anchor = anchor.map_err(|why| {
                AnchorError::Text(format!(
                    "line {}: malformed {}: {why}",
                    record.line, record.rtype
                ))
            })?;
            let zone = zones.entry(Name::from_domain(&record.owner)).or_default();
            if !zone.contains(&anchor) {
                zone.push(anchor);
            }
        }
        if zones.is_empty() {
            return Err(AnchorError::Empty);
        }
        Ok(Self { zones })
    }

    /// The uppermost anchored zone: the root, as a rule.
    pub(super) fn uppermost(&self) -> Option<&Name> {
        self.zones.keys().next()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.zones.values().all(Vec::is_empty)
    }

    /// Whether the root itself has an anchor that `cryptography` can use. Without one all names
    /// outside the other anchored zones are insecure.
    #[must_use]
    pub fn cover_the_root(&self, cryptography: &dyn Cryptography) -> bool {
        let root = self.zones.get(&Name::root());
        root.is_some_and(|anchors| anchors.iter().any(|anchor| anchor.is_usable(cryptography)))
    }

    /// These anchors of the root.
    pub(super) fn of_root(anchors: Vec<Anchor>) -> Self {
        Self {
            zones: BTreeMap::from([(Name::root(), anchors)]),
        }
    }

    /// The anchors of the root.
    pub(super) fn root(&self) -> &[Anchor] {
        self.zones.get(&Name::root()).map_or(&[], Vec::as_slice)
    }

    /// A short name of this set, the same for the same anchors in any order: what was learnt
    /// under one set of anchors is kept apart from what was learnt under another.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let mut digest = Sha256::new();
        for (zone, anchors) in &self.zones {
            let mut anchors: Vec<&Anchor> = anchors.iter().collect();
            anchors.sort_unstable();
            for anchor in anchors {
                for part in [zone.wire(), anchor.rdata()] {
                    digest.update(&part.len().to_be_bytes());
                    digest.update(part);
                }
            }
        }
        hex_text(&digest.finish()[..8])
    }
}

/// Lower-case hexadecimal digits.
pub(super) fn hex_text(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut text, octet| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

fn ds(record: &TextRecord) -> Result<Vec<u8>, &'static str> {
    let [tag, algorithm, digest_type, digest @ ..] = record.words.as_slice() else {
        return Err("not key tag, algorithm, digest type and digest");
    };
    let digest_type: u8 = digest_type.parse().map_err(|_| "no digest type")?;
    let digest = hex(&digest.concat()).ok_or("the digest is not hexadecimal")?;
    let expected = match digest_type {
        1 => Some(20),
        2 => Some(32),
        4 => Some(48),
        _ => None,
    };
    if digest.is_empty() || expected.is_some_and(|length| length != digest.len()) {
        return Err("the digest has the wrong length");
    }
    let tag = tag.parse::<u16>().map_err(|_| "no key tag")?;
    let mut rdata = tag.to_be_bytes().to_vec();
    rdata.push(algorithm.parse().map_err(|_| "no algorithm number")?);
    rdata.push(digest_type);
    rdata.extend(digest);
    Ok(rdata)
}

/// A DNSKEY as an anchor: a zone key, protocol 3, not revoked (RFC 4034 §2.1, RFC 5011 §2.1).
fn dnskey(record: &TextRecord) -> Result<Vec<u8>, &'static str> {
    let [flags, protocol, algorithm, key @ ..] = record.words.as_slice() else {
        return Err("not flags, protocol, algorithm and key");
    };
    let flags = flags.parse::<u16>().map_err(|_| "no flags")?;
    if flags & 0x0100 == 0 {
        return Err("not a zone key");
    }
    if flags & 0x0080 != 0 {
        return Err("the key is revoked");
    }
    if protocol != "3" {
        return Err("the protocol is not 3");
    }
    let mut rdata = flags.to_be_bytes().to_vec();
    rdata.push(3);
    rdata.push(algorithm.parse().map_err(|_| "no algorithm number")?);
    let key = openssl::base64::decode_block(&key.concat()).map_err(|_| "the key is not base64")?;
    if key.is_empty() {
        return Err("the key is empty");
    }
    rdata.extend(key);
    Ok(rdata)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
        })
        .collect();
    let digits = digits?;
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolver::validate::OpenSsl;
    use elsinore_dane::name::DomainName;

    const DIGEST: &str = "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";

    const NOWHERE: &str = "under no trust anchor";

    fn name(text: &str) -> Name {
        Name::from_domain(&DomainName::parse(text).unwrap())
    }

    #[test]
    fn shipped_anchors_parse() {
        let anchors = TrustAnchors::shipped();
        assert_eq!(anchors.zones[&Name::root()].len(), 2);
        assert!(anchors.cover_the_root(&OpenSsl::default()));
    }

    #[test]
    fn accepted() {
        for text in [
            ". 172800 IN DS 20326 8 2 ( E06D44B80B8F1D39A95C0B0D7C65D084\n 58E880409BBC683457104237C7F8EC8D )",
            ". IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4= ; ksk",
            "example.net. DS 1 253 77 00",
        ] {
            assert_eq!(TrustAnchors::parse(text).unwrap().zones.len(), 1, "{text}");
        }
    }

    #[test]
    fn refused() {
        for (text, part) in [
            ("", "no DS or DNSKEY"),
            ("; nothing\n", "no DS or DNSKEY"),
            (". DS 1 8 2 E06D", "line 1: malformed DS: the digest has"),
            (". DS 1 8", "malformed DS: not key tag"),
            (
                "\n\n. DS 1 8 2 xyz",
                "line 3: malformed DS: the digest is not",
            ),
            (". DNSKEY 257 4 8 AAAA", "malformed DNSKEY: the protocol"),
            (". DNSKEY 1 3 8 AAAA", "malformed DNSKEY: not a zone key"),
            (
                ". DNSKEY 385 3 8 AAAA",
                "malformed DNSKEY: the key is revoked",
            ),
            (
                ". DNSKEY 257 3 8 !",
                "malformed DNSKEY: the key is not base64",
            ),
            (". NS a.example.", "neither"),
            ("\u{0}\u{1}garbage", "line 1"),
        ] {
            let error = TrustAnchors::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    /// The deepest usable anchor at or above the name (RFC 4033 §2).
    #[test]
    fn starts() {
        let anchors = TrustAnchors::parse(&format!(
            "example. DS 1 8 2 {DIGEST}\n\
             a.example. DS 1 8 2 {DIGEST}\n\
             odd.example. DS 1 208 2 {DIGEST}\n\
             odd.test. DS 1 8 99 00\n\
             mixed.test. DS 1 208 2 {DIGEST}\n\
             mixed.test. DS 1 8 2 {DIGEST}\n\
             on.off.example. DS 1 8 2 {DIGEST}\n\
             same.example. DS 1 8 2 {DIGEST}\n"
        ))
        .unwrap();
        let negative = ["off.example", "same.example", "off.test"].map(name);
        let starts = Starts::new(&anchors, &negative, &OpenSsl::default());
        for (of, expected) in [
            (".", NOWHERE),
            ("test", NOWHERE),
            ("example", "example"),
            ("b.example", "example"),
            ("a.example", "a.example"),
            ("x.y.a.example", "a.example"),
            ("xa.example", "example"),
            ("x.odd.example", "example"),
            (
                "x.odd.test",
                "the trust anchors of odd.test are of unknown algorithms or digest types only",
            ),
            ("mixed.test", "mixed.test"),
            // Negative anchors: below an anchor, above one, and at one.
            ("x.off.example", "negative trust anchor off.example"),
            ("on.off.example", "on.off.example"),
            ("x.same.example", "negative trust anchor same.example"),
            ("x.off.test", "negative trust anchor off.test"),
        ] {
            let got = match starts.of(&name(of)) {
                Start::Keys(zone, _) => zone.to_string(),
                Start::Never(fault) => fault.to_string(),
            };
            assert_eq!(got, expected, "{of}");
        }
        assert!(!anchors.cover_the_root(&OpenSsl::default()));
    }

    #[test]
    fn fingerprints() {
        let of = |text: &str| TrustAnchors::parse(text).unwrap().fingerprint();
        let (one, two) = (
            format!("a. DS 1 8 2 {DIGEST}"),
            format!("a. DS 2 8 2 {DIGEST}"),
        );
        assert_eq!(
            of(&format!("{one}\n{two}")),
            of(&format!("{two}\n{one}\n{one}"))
        );
        assert_ne!(of(&one), of(&two));
        assert_ne!(of(&one), of(&one.replace("a. ", "b. ")));
    }
}
