//! Keys and certificates of the lab's servers, made from their recipes at start.

use crate::pki::{CertificateSpec, Digest, Identity, KeyType};
use crate::receiver::tls::{Presentation, Presented};
use crate::scenario::certificate::{AuthorityNames, Purpose, SentWhen, SignatureDigest, Validity};
use crate::scenario::{AlsoSent, CertificateRecipe, ChainPart, Issuer, KeyKind, PolicyFault};
use elsinore_dane::time::UnixTime;
use openssl::error::ErrorStack;
use openssl::sha::sha256;
use openssl::x509::X509;
use std::fmt::Write as _;

/// A server's certificate and those around it.
#[derive(Debug, Clone)]
pub struct Credentials {
    leaf: Identity,
    authority: Option<Chain>,
    sends: Vec<ChainPart>,
    also: Vec<Also>,
}

/// A certificate that a server has besides its first, and when it sends it.
#[derive(Debug, Clone)]
struct Also {
    name: String,
    when: SentWhen,
    sni: Vec<String>,
    credentials: Credentials,
}

/// The CA that everybody in the lab trusts for WebPKI: a root and an intermediate.
#[derive(Debug, Clone)]
pub struct PublicCa {
    chain: Chain,
    pem: String,
}

impl PublicCa {
    /// Makes the CA.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn make(now: UnixTime) -> Result<Self, ErrorStack> {
        let names = called_after("Lab Public");
        let chain = Chain::make(&names, Validity::Current, Validity::Current, now)?;
        let pem = chain.root.pem()?;
        Ok(Self { chain, pem })
    }

    /// The root certificate, PEM.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }
}

/// A root and the intermediate that signs leaves.
#[derive(Debug, Clone)]
struct Chain {
    root: Identity,
    intermediate: Identity,
}

impl Chain {
    fn make(
        names: &AuthorityNames,
        root_validity: Validity,
        intermediate_validity: Validity,
        now: UnixTime,
    ) -> Result<Self, ErrorStack> {
        let authority = |common_name: &str| CertificateSpec {
            organization: names.organization.clone(),
            ..CertificateSpec::authority(common_name, now)
        };
        let root = Identity::self_signed(&limited(authority(&names.root), root_validity, now))?;
        let intermediate = root.issue(&limited(
            authority(&names.intermediate),
            intermediate_validity,
            now,
        ))?;
        Ok(Self { root, intermediate })
    }
}

/// An authority that is called after something else.
fn called_after(name: &str) -> AuthorityNames {
    // 64 characters is the limit of commonName (RFC 5280, appendix A).
    let called = |role: &str| {
        (name.chars().take(64 - role.len()))
            .chain(role.chars())
            .collect()
    };
    AuthorityNames {
        organization: None,
        root: called(" Root"),
        intermediate: called(" Intermediate"),
    }
}

fn limited(spec: CertificateSpec, validity: Validity, now: UnixTime) -> CertificateSpec {
    const DAY: i64 = 86_400;
    let day = |days: i64| now.plus_seconds(days * DAY);
    match validity {
        Validity::Current => spec,
        Validity::Expired => spec.valid(day(-60), day(-1)),
        Validity::Future => spec.valid(day(10), day(60)),
        Validity::Ending => spec.valid(day(-60), day(5)),
    }
}

impl Credentials {
    /// Makes what a mail server needs; `host_name` is certified unless the recipe has names.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn make(
        recipe: &CertificateRecipe,
        host_name: &str,
        ca: &PublicCa,
        now: UnixTime,
    ) -> Result<Self, ErrorStack> {
        let names: Vec<&str> = match &recipe.names {
            Some(names) => names.iter().map(String::as_str).collect(),
            None => vec![host_name],
        };
        let mut spec = CertificateSpec::server(&names, now).with_key(match recipe.key {
            KeyKind::P256 => KeyType::P256,
            KeyKind::Rsa2048 => KeyType::rsa(2048),
            KeyKind::Rsa1024 => KeyType::rsa(1024),
        });
        spec.common_name.clone_from(&recipe.common_name);
        // RSA key exchange needs keyEncipherment (RFC 5246 §7.4.2); without the extension
        // everything is allowed.
        spec.key_usage = None;
        spec.purposes = vec![
            match recipe.purpose {
                Purpose::Server => "serverAuth",
                Purpose::Client => "clientAuth",
            }
            .to_owned(),
        ];
        spec.digest = match recipe.digest {
            SignatureDigest::Sha256 => Digest::Sha256,
            SignatureDigest::Sha1 => Digest::Sha1,
        };
        let spec = limited(spec, recipe.validity, now);
        let authority = match recipe.issuer {
            Issuer::Itself => None,
            Issuer::Private => Some(Chain::make(
                &(recipe.authority.clone()).unwrap_or_else(|| called_after(host_name)),
                recipe.root_validity,
                recipe.intermediate_validity,
                now,
            )?),
            Issuer::Public => Some(ca.chain.clone()),
        };
        let leaf = match &authority {
            Some(chain) => chain.intermediate.issue(&spec)?,
            None => Identity::self_signed(&spec)?,
        };
        Ok(Self {
            leaf,
            authority,
            sends: recipe.sends.clone(),
            also: Vec::new(),
        })
    }

    /// Adds a certificate that the server has besides.
    pub fn add(&mut self, spec: &AlsoSent, credentials: Self) {
        self.also.push(Also {
            name: spec.name.clone(),
            when: spec.when,
            sni: spec.sni.clone(),
            credentials,
        });
    }

    /// What the server presents to whom.
    #[must_use]
    pub fn presentation(&self) -> Presentation {
        let mut presentation = Presentation {
            first: self.presented(),
            beside: Vec::new(),
            by_name: Vec::new(),
            without_name: None,
        };
        for also in &self.also {
            let presented = also.credentials.presented();
            match also.when {
                SentWhen::Beside => presentation.beside.push(presented),
                SentWhen::Sni => presentation.by_name.push((also.sni.clone(), presented)),
                SentWhen::NoSni => presentation.without_name = Some(presented),
                SentWhen::Never => {}
            }
        }
        presentation
    }

    fn presented(&self) -> Presented {
        Presented {
            chain: self.sent(),
            key: self.leaf.key().clone(),
        }
    }

    /// One of those by its name.
    pub(super) fn also(&self, name: &str) -> Option<&Self> {
        (self.also.iter())
            .find(|one| one.name == name)
            .map(|one| &one.credentials)
    }

    /// Makes what a policy host needs.
    ///
    /// # Errors
    /// OpenSSL's own.
    pub fn for_policy_host(
        name: &str,
        fault: Option<PolicyFault>,
        ca: &PublicCa,
        now: UnixTime,
    ) -> Result<Self, ErrorStack> {
        let wrong = fault == Some(PolicyFault::WrongName);
        let recipe = CertificateRecipe {
            names: wrong.then(|| vec!["elsewhere.example".to_owned()]),
            issuer: if fault == Some(PolicyFault::SelfSigned) {
                Issuer::Itself
            } else {
                Issuer::Public
            },
            sends: vec![ChainPart::Leaf, ChainPart::Intermediate],
            ..CertificateRecipe::default()
        };
        Self::make(&recipe, name, ca, now)
    }

    /// The server's certificate with its key.
    #[must_use]
    pub const fn leaf(&self) -> &Identity {
        &self.leaf
    }

    /// What the server sends, in that order.
    #[must_use]
    pub fn sent(&self) -> Vec<X509> {
        (self.sends.iter())
            .filter_map(|part| self.part(*part))
            .map(|identity| identity.certificate().clone())
            .collect()
    }

    fn part(&self, part: ChainPart) -> Option<&Identity> {
        let chain = self.authority.as_ref();
        match part {
            ChainPart::Leaf => Some(&self.leaf),
            ChainPart::Intermediate => chain.map(|chain| &chain.intermediate),
            ChainPart::Root => chain.map(|chain| &chain.root),
        }
    }

    /// The TLSA record of one certificate of the chain, presentation format.
    pub(super) fn tlsa(&self, part: ChainPart, fields: (u8, u8, u8)) -> Result<String, String> {
        let (usage, selector, matching_type) = fields;
        (self.part(part))
            .ok_or("a self-signed certificate has no issuer above it")?
            .tlsa(usage, selector, matching_type)
            .map(|record| record.to_string())
            .map_err(|error| error.to_string())
    }

    /// SHA-256 of the leaf or of its public key, in the form of a configured pin.
    pub(super) fn pin(&self, of_key: bool) -> Result<String, String> {
        let certificate = self.leaf.certificate();
        let octets = if of_key {
            (certificate.public_key()).and_then(|key| key.public_key_to_der())
        } else {
            certificate.to_der()
        }
        .map_err(|error| error.to_string())?;
        let mut pin = "sha256:".to_owned();
        for octet in sha256(&octets) {
            // Writing to a String cannot fail.
            let _ = write!(pin, "{octet:02x}");
        }
        Ok(pin)
    }
}
