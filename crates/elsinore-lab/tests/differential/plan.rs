//! The generated tree: which zones there are, how each is signed, and what is wrong with it.

use crate::random::Random;

/// How absence is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Denial {
    Nsec,
    Nsec3 {
        iterations: u16,
        /// Hexadecimal; empty for none.
        salt: &'static str,
        opt_out: bool,
    },
}

impl Denial {
    /// For labels: `n`, `h` and the iterations, or `o` and the iterations.
    fn word(&self) -> String {
        match self {
            Self::Nsec => "n".to_owned(),
            Self::Nsec3 {
                iterations,
                opt_out,
                ..
            } => format!("{}{iterations}", if *opt_out { 'o' } else { 'h' }),
        }
    }

    pub(crate) const fn iterations(&self) -> Option<u16> {
        match self {
            Self::Nsec => None,
            Self::Nsec3 { iterations, .. } => Some(*iterations),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Bind,
    Ldns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One key signs everything.
    Combined,
    /// A key-signing and a zone-signing key.
    Split,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signing {
    pub(crate) algorithms: Vec<u8>,
    pub(crate) layout: Layout,
    pub(crate) denial: Denial,
    pub(crate) tool: Tool,
}

/// What is wrong with a zone or its delegation, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Sound,
    Unsigned,
    /// Signed, and the parent has no DS.
    Island,
    /// Unsigned, and the parent has DS.
    Naked,
    WrongDigest,
    /// DS of a key that is not there.
    OtherDs,
    NewAlgorithmDs,
    NewDigestDs,
    MixedDs,
    Sha1Ds,
    Sha384Ds,
    /// SHA-1 is right, SHA-256 is not.
    WeakDs,
    /// SHA-256 is right, SHA-1 is not.
    StrongDs,
    /// SHA-256 is right, SHA-384 is not.
    HalfDs,
    /// Every signature over this type has an octet changed.
    BadSignature(&'static str),
    Expired,
    Future,
    ExpiredType(&'static str),
    NoSignature(&'static str),
    NoSignatures,
    /// All NSEC or NSEC3 records are gone.
    Stripped,
    /// A third of them is.
    Holes,
    /// The type bitmaps of NSEC or NSEC3 have lost a type.
    Bitmaps,
    /// The DNSKEY RRset is another's.
    WrongKeys,
    NoKeys,
    Revoked,
    RevokedBeside,
    /// So many more keys of the tag of the one that signs.
    Collide(usize),
    /// Two algorithms, DS for both.
    TwoAlgorithms,
    /// Two algorithms, DS for both, the signatures of the first gone.
    HalfSigned,
    /// Two algorithms, DS for the second only.
    SecondOnly,
    /// An algorithm nobody knows, in keys, signatures and DS.
    NewAlgorithm,
    Replaced,
    Added,
    Removed,
    RaisedTtl,
    LoweredTtl,
    /// So many useless signatures beside each good one.
    UselessSignatures(usize),
    /// The signer's name is the parent's.
    ForeignSigner,
    /// The label count of signatures is one too many.
    Labels,
}

const BROKEN_TYPES: &[&str] = &[
    "A", "MX", "TLSA", "CNAME", "DNAME", "NS", "SOA", "NSEC", "NSEC3", "DNSKEY", "DS", "TXT",
];

impl Kind {
    /// Every kind, the frequent ones first.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = vec![
            Self::Sound,
            Self::Unsigned,
            Self::Island,
            Self::Naked,
            Self::WrongDigest,
            Self::OtherDs,
            Self::NewAlgorithmDs,
            Self::NewDigestDs,
            Self::MixedDs,
            Self::Sha1Ds,
            Self::Sha384Ds,
            Self::WeakDs,
            Self::StrongDs,
            Self::HalfDs,
            Self::Expired,
            Self::Future,
            Self::NoSignatures,
            Self::Stripped,
            Self::Holes,
            Self::Bitmaps,
            Self::WrongKeys,
            Self::NoKeys,
            Self::Revoked,
            Self::RevokedBeside,
            Self::Collide(1),
            Self::Collide(3),
            Self::Collide(20),
            Self::TwoAlgorithms,
            Self::HalfSigned,
            Self::SecondOnly,
            Self::NewAlgorithm,
            Self::Replaced,
            Self::Added,
            Self::Removed,
            Self::RaisedTtl,
            Self::LoweredTtl,
            Self::UselessSignatures(3),
            Self::UselessSignatures(30),
            Self::ForeignSigner,
            Self::Labels,
        ];
        for rtype in BROKEN_TYPES {
            all.push(Self::BadSignature(rtype));
            all.push(Self::ExpiredType(rtype));
            all.push(Self::NoSignature(rtype));
        }
        all
    }

    /// For labels.
    pub(crate) fn word(self) -> String {
        match self {
            Self::BadSignature(rtype) => format!("badsig-{}", rtype.to_lowercase()),
            Self::ExpiredType(rtype) => format!("expired-{}", rtype.to_lowercase()),
            Self::NoSignature(rtype) => format!("nosig-{}", rtype.to_lowercase()),
            Self::Collide(count) => format!("collide{count}"),
            Self::UselessSignatures(count) => format!("useless{count}"),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    const fn is_signed(self) -> bool {
        !matches!(self, Self::Unsigned | Self::Naked)
    }
}

/// Where the servers of a zone are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// On the server of its tier, with glue.
    Own,
    /// On the server of its parent, too.
    WithParent,
    /// On the server of its tier, whose name is in another zone.
    Glueless,
    /// Reachable by IPv6 alone.
    OnlySix,
    /// The first of two servers is not there.
    HalfDead,
    /// At an address where nothing answers.
    Dead,
    /// On a server that does not know the zone.
    Lame,
}

/// One zone of the tree.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Without a trailing dot; empty for the root.
    pub(crate) apex: String,
    pub(crate) parent: Option<usize>,
    /// 0 root, 1 top-level, 2 domain, 3 below a domain.
    pub(crate) tier: usize,
    pub(crate) kind: Kind,
    pub(crate) place: Place,
    pub(crate) signing: Option<Signing>,
}

impl Plan {
    /// The tier whose server has the zone.
    pub(crate) const fn served_by(&self) -> usize {
        match self.place {
            Place::WithParent => self.tier - 1,
            _ => self.tier,
        }
    }

    /// The absolute name of `label`s below the apex; the apex itself for `@`.
    pub(crate) fn name(&self, labels: &str) -> String {
        match (labels, self.apex.as_str()) {
            ("@", apex) => format!("{apex}."),
            (labels, "") => format!("{labels}."),
            (labels, apex) => format!("{labels}.{apex}."),
        }
    }

    pub(crate) fn has_ds(&self) -> bool {
        self.tier > 0 && !matches!(self.kind, Kind::Unsigned | Kind::Island)
    }
}

fn nsec3(iterations: u16, salt: &'static str, opt_out: bool) -> Denial {
    Denial::Nsec3 {
        iterations,
        salt,
        opt_out,
    }
}

fn signing(algorithm: u8, layout: Layout, denial: Denial, tool: Tool) -> Option<Signing> {
    Some(Signing {
        algorithms: vec![algorithm],
        layout,
        denial,
        tool,
    })
}

/// The root and the top-level zones, which are the same in every tree.
fn top() -> Vec<Plan> {
    use Layout::{Combined, Split};
    use Tool::{Bind, Ldns};
    let mut plans = Vec::new();
    for (apex, kind, signing) in [
        ("", Kind::Sound, signing(8, Split, Denial::Nsec, Bind)),
        (
            "nsec",
            Kind::Sound,
            signing(13, Combined, Denial::Nsec, Bind),
        ),
        (
            "hash",
            Kind::Sound,
            signing(8, Split, nsec3(0, "", false), Ldns),
        ),
        (
            "optout",
            Kind::Sound,
            signing(15, Split, nsec3(1, "ab", true), Bind),
        ),
        ("plain", Kind::Unsigned, None),
        (
            "island",
            Kind::Island,
            signing(13, Split, Denial::Nsec, Ldns),
        ),
        (
            "hundred",
            Kind::Sound,
            signing(10, Split, nsec3(100, "0102", false), Bind),
        ),
        (
            "many",
            Kind::Sound,
            signing(14, Combined, nsec3(150, "ff", false), Bind),
        ),
        (
            "most",
            Kind::Sound,
            signing(13, Split, nsec3(600, "ff", true), Ldns),
        ),
        (
            "newalg",
            Kind::NewAlgorithm,
            signing(13, Combined, Denial::Nsec, Bind),
        ),
        (
            "broken",
            Kind::BadSignature("DNSKEY"),
            signing(8, Split, Denial::Nsec, Bind),
        ),
    ] {
        let is_root = apex.is_empty();
        plans.push(Plan {
            apex: apex.to_owned(),
            parent: (!is_root).then_some(0),
            tier: usize::from(!is_root),
            kind,
            place: Place::Own,
            signing,
        });
    }
    plans
}

const ALGORITHMS: &[u8] = &[5, 7, 8, 10, 13, 13, 13, 14, 15, 15, 16];
const ITERATIONS: &[u16] = &[0, 0, 0, 1, 1, 10, 100, 101, 150, 151, 500, 501];
const SALTS: &[&str] = &["", "", "ab", "0123456789abcdef"];

fn leaf_signing(kind: Kind, random: &mut Random) -> Signing {
    let mut algorithm = *random.pick(ALGORITHMS);
    let wants = match kind {
        Kind::BadSignature(rtype) | Kind::ExpiredType(rtype) | Kind::NoSignature(rtype) => rtype,
        _ => "",
    };
    let hashed = match wants {
        "NSEC" => false,
        "NSEC3" => true,
        _ => random.chance(50),
    };
    if hashed && algorithm == 5 {
        // RSASHA1 is from before NSEC3 (RFC 5155 §2).
        algorithm = 7;
    }
    let denial = if hashed {
        nsec3(
            *random.pick(ITERATIONS),
            random.pick::<&'static str>(SALTS),
            random.chance(40),
        )
    } else {
        Denial::Nsec
    };
    let mut algorithms = vec![algorithm];
    if matches!(
        kind,
        Kind::TwoAlgorithms | Kind::HalfSigned | Kind::SecondOnly
    ) {
        let second = if algorithm == 8 { 13 } else { 8 };
        algorithms.push(second);
    }
    if matches!(kind, Kind::Collide(_)) {
        // Any 32 octets make a key of this one.
        algorithms = vec![15];
    }
    let wants_bind = matches!(kind, Kind::Collide(_) | Kind::Revoked | Kind::RevokedBeside);
    // dnssec-signzone hashes no more often than this.
    let beyond_bind = denial.iterations().is_some_and(|count| count > 150);
    let denial = match denial {
        Denial::Nsec3 { salt, opt_out, .. } if wants_bind && beyond_bind => nsec3(1, salt, opt_out),
        other => other,
    };
    let is_ldns = !wants_bind && (beyond_bind || random.chance(50));
    Signing {
        algorithms,
        layout: if random.chance(50) {
            Layout::Combined
        } else {
            Layout::Split
        },
        denial,
        tool: if is_ldns { Tool::Ldns } else { Tool::Bind },
    }
}

/// A tree of `zones` zones below the top-level ones: every kind in turn, then again with other
/// dice.
pub(crate) fn tree(zones: usize, random: &mut Random) -> Vec<Plan> {
    let mut plans = top();
    let tops = plans.len();
    let kinds = Kind::all();
    for number in 0..zones {
        // The first of all is sound: it holds the names of servers of others.
        let kind = match number % 3 {
            _ if number == 0 => Kind::Sound,
            0 => *random.pick(&[Kind::Sound, Kind::Sound, Kind::Unsigned, Kind::Island]),
            _ => kinds[(number - number / 3) % kinds.len()],
        };
        let domains: Vec<usize> = (tops..plans.len())
            .filter(|index| plans[*index].tier == 2)
            .collect();
        let parent = if number > 0 && !domains.is_empty() && random.chance(30) {
            *random.pick(&domains)
        } else if number == 0 {
            1
        } else if random.chance(75) {
            1 + random.below(3)
        } else {
            1 + random.below(tops - 1)
        };
        let tier = plans[parent].tier + 1;
        let place = match random.below(100) {
            _ if number == 0 => Place::Own,
            0..10 if tier == 3 => Place::WithParent,
            10..16 => Place::Glueless,
            16..20 => Place::OnlySix,
            20 if tier == 2 => Place::HalfDead,
            21 if number % 7 == 0 => Place::Dead,
            22 if number % 7 == 0 => Place::Lame,
            _ => Place::Own,
        };
        let signing = kind.is_signed().then(|| leaf_signing(kind, random));
        let dice = signing.as_ref().map_or_else(String::new, |signing| {
            format!("-{}{}", signing.algorithms[0], signing.denial.word())
        });
        let mut label = format!("{}{dice}-{number}", kind.word());
        if tier == 3 && random.chance(25) {
            // An empty non-terminal between parent and child.
            label.push_str(".between");
        }
        let apex = plans[parent].name(&label);
        plans.push(Plan {
            apex: apex.trim_end_matches('.').to_owned(),
            parent: Some(parent),
            tier,
            kind,
            place,
            signing,
        });
    }
    plans
}
