//! DKIM signatures (RFC 6376) by `relaxed/relaxed`, with RSA and SHA-256 or with Ed25519 (RFC 8463).
//! Pure: the message, the key and the time are arguments. It signs what this program wrote itself,
//! a whole body and never a part of one (RFC 8460 §3 forbids `l=`).

use elsinore_dane::name::DomainName;
use openssl::base64::encode_block;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Private};
use openssl::sha::sha256;
use openssl::sign::Signer as OpenSslSigner;

/// The fields that are signed where they are present. `From` comes twice, so that nobody can add
/// another one (RFC 6376 §8.15).
const SIGNED: [&str; 13] = [
    "From",
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Auto-Submitted",
    "TLS-Required",
    "TLS-Report-Domain",
    "TLS-Report-Submitter",
];

/// RFC 8301 §3.2: shorter RSA keys must not be used.
const SHORTEST_RSA: u32 = 1024;
/// Characters of base64 on one line.
const WIDTH: usize = 70;

/// A key with the name under which its other half is published.
#[derive(Debug)]
pub struct Signer {
    domain: DomainName,
    selector: String,
    key: PKey<Private>,
    algorithm: Algorithm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    RsaSha256,
    Ed25519Sha256,
}

/// Why a key cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum DkimError {
    /// Not PEM of a private key, or one under a passphrase.
    #[error("not a private key in PEM form without a passphrase")]
    NotAKey,
    /// Neither RSA nor Ed25519.
    #[error("a key of this kind makes no DKIM signatures; RSA and Ed25519 do")]
    Kind,
    /// An RSA key of fewer than 1024 bits (RFC 8301 §3.2).
    #[error("an RSA key of {0} bits is too short")]
    Short(u32),
    /// Not labels of letters, digits and hyphens.
    #[error("{0:?} is not a selector")]
    Selector(String),
    /// The message has no end of its header, or no From field.
    #[error("not a message")]
    NotAMessage,
    /// OpenSSL would not.
    #[error("signing failed: {0}")]
    OpenSsl(#[from] openssl::error::ErrorStack),
}

impl Signer {
    /// A signer for `domain` whose public key stands at `SELECTOR._domainkey.DOMAIN`.
    ///
    /// # Errors
    /// [`DkimError`].
    pub fn new(domain: DomainName, selector: &str, pem: &[u8]) -> Result<Self, DkimError> {
        let is_label = |label: &str| {
            let plain = |o: u8| o.is_ascii_alphanumeric() || o == b'-';
            !label.is_empty() && label.len() <= 63 && label.bytes().all(plain)
        };
        if !selector.split('.').all(is_label) {
            return Err(DkimError::Selector(selector.to_owned()));
        }
        // The callback answers every question for a passphrase with none.
        let key =
            PKey::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|_| DkimError::NotAKey)?;
        let algorithm = match key.id() {
            Id::RSA if key.bits() < SHORTEST_RSA => return Err(DkimError::Short(key.bits())),
            Id::RSA => Algorithm::RsaSha256,
            Id::ED25519 => Algorithm::Ed25519Sha256,
            _ => return Err(DkimError::Kind),
        };
        Ok(Self {
            domain,
            selector: selector.to_owned(),
            key,
            algorithm,
        })
    }

    /// The TXT record to publish at `SELECTOR._domainkey.DOMAIN`, for reports alone (RFC 8460 §3).
    ///
    /// # Errors
    /// [`DkimError::OpenSsl`].
    pub fn record(&self) -> Result<String, DkimError> {
        let (kind, public) = match self.algorithm {
            Algorithm::RsaSha256 => ("rsa", self.key.public_key_to_der()?),
            Algorithm::Ed25519Sha256 => ("ed25519", self.key.raw_public_key()?),
        };
        let public = encode_block(&public);
        Ok(format!("v=DKIM1; k={kind}; s=tlsrpt; p={public}"))
    }

    /// The DKIM-Signature field for `message`, CRLF at its end, to be put in front of it. `now` is in
    /// seconds since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// [`DkimError`].
    pub fn sign(&self, message: &[u8], now: i64) -> Result<String, DkimError> {
        let (fields, body) = split(message).ok_or(DkimError::NotAMessage)?;
        let body_hash = encode_block(&sha256(&relaxed_body(body)));
        // Of several fields of a name the last is signed first (RFC 6376 §5.4.2).
        let mut left: Vec<&Field<'_>> = fields.iter().collect();
        let mut names = Vec::new();
        let mut signed = Vec::new();
        for name in SIGNED {
            let found = left
                .iter()
                .rposition(|field| field.name.eq_ignore_ascii_case(name.as_bytes()));
            match found {
                Some(position) => {
                    signed.extend_from_slice(&relaxed_field(left.remove(position)));
                    signed.extend_from_slice(b"\r\n");
                    names.push(name);
                }
                // The absence of a second one is signed.
                None if names.contains(&name) => names.push(name),
                None if name == "From" => return Err(DkimError::NotAMessage),
                None => {}
            }
        }
        let algorithm = match self.algorithm {
            Algorithm::RsaSha256 => "rsa-sha256",
            Algorithm::Ed25519Sha256 => "ed25519-sha256",
        };
        let mut lines = vec![
            format!("v=1; a={algorithm}; c=relaxed/relaxed;"),
            format!("d={}; s={};", self.domain, self.selector),
            format!("t={now};"),
        ];
        let (last, others) = names.split_last().ok_or(DkimError::NotAMessage)?;
        let mut line = "h=".to_owned();
        for name in others {
            if line.len() + name.len() > WIDTH {
                lines.push(std::mem::take(&mut line));
            }
            line.push_str(name);
            line.push(':');
        }
        line.push_str(last);
        line.push(';');
        lines.push(line);
        lines.push(format!("bh={body_hash};"));
        lines.push("b=".to_owned());
        let unsigned = format!("DKIM-Signature: {}", lines.join("\r\n\t"));
        let own = Field::of(unsigned.as_bytes()).ok_or(DkimError::NotAMessage)?;
        signed.extend_from_slice(&relaxed_field(&own));
        let signature = encode_block(&self.signature(&signed)?);
        let mut field = unsigned;
        for (index, chunk) in signature.as_bytes().chunks(WIDTH).enumerate() {
            if index > 0 {
                field.push_str("\r\n\t ");
            }
            field.push_str(&String::from_utf8_lossy(chunk));
        }
        field.push_str("\r\n");
        Ok(field)
    }

    fn signature(&self, octets: &[u8]) -> Result<Vec<u8>, DkimError> {
        Ok(match self.algorithm {
            Algorithm::RsaSha256 => {
                let mut signer = OpenSslSigner::new(MessageDigest::sha256(), &self.key)?;
                signer.sign_oneshot_to_vec(octets)?
            }
            // RFC 8463 §3: Ed25519 signs the digest.
            Algorithm::Ed25519Sha256 => {
                let mut signer = OpenSslSigner::new_without_digest(&self.key)?;
                signer.sign_oneshot_to_vec(&sha256(octets))?
            }
        })
    }
}

/// A header field with its continuation lines, without the last CRLF.
struct Field<'a> {
    name: &'a [u8],
    value: &'a [u8],
}

impl<'a> Field<'a> {
    fn of(octets: &'a [u8]) -> Option<Self> {
        let colon = octets.iter().position(|octet| *octet == b':')?;
        let name = octets[..colon].trim_ascii_end();
        (!name.is_empty()).then_some(Self {
            name,
            value: &octets[colon + 1..],
        })
    }
}

/// The fields and the body of a message with CRLF line ends.
fn split(message: &[u8]) -> Option<(Vec<Field<'_>>, &[u8])> {
    let mut fields = Vec::new();
    let mut begin = 0;
    let mut at = 0;
    loop {
        let end = at
            + message
                .get(at..)?
                .windows(2)
                .position(|two| two == b"\r\n")?;
        if end == at {
            // The empty line; a field ended before it.
            return Some((fields, &message[end + 2..]));
        }
        let next = end + 2;
        let continues = message.get(next).is_some_and(|o| matches!(o, b' ' | b'\t'));
        if !continues {
            fields.push(Field::of(&message[begin..end])?);
            begin = next;
        }
        at = next;
    }
}

/// RFC 6376 §3.4.2: name in lower case, lines unfolded, blanks made one, none at the ends.
fn relaxed_field(field: &Field<'_>) -> Vec<u8> {
    let mut canonical = field.name.to_ascii_lowercase();
    canonical.push(b':');
    let mut is_blank = true;
    for octet in field.value {
        match octet {
            b'\r' | b'\n' => {}
            b' ' | b'\t' => {
                if !is_blank {
                    canonical.push(b' ');
                }
                is_blank = true;
            }
            octet => {
                canonical.push(*octet);
                is_blank = false;
            }
        }
    }
    if canonical.last() == Some(&b' ') {
        canonical.pop();
    }
    canonical
}

/// RFC 6376 §3.4.4: blanks made one and none at the ends of lines, no empty lines at the end.
fn relaxed_body(body: &[u8]) -> Vec<u8> {
    let mut canonical = Vec::with_capacity(body.len());
    let mut empty_lines = 0;
    let mut rest = body;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == b"\r\n");
        let (line, after) = match end {
            Some(end) => (&rest[..end], &rest[end + 2..]),
            None => (rest, &rest[rest.len()..]),
        };
        rest = after;
        let mut relaxed = Vec::with_capacity(line.len());
        for octet in line {
            match octet {
                b' ' | b'\t' => {
                    if relaxed.last() != Some(&b' ') {
                        relaxed.push(b' ');
                    }
                }
                octet => relaxed.push(*octet),
            }
        }
        if relaxed.last() == Some(&b' ') {
            relaxed.pop();
        }
        if relaxed.is_empty() {
            empty_lines += 1;
            continue;
        }
        for _ in 0..std::mem::take(&mut empty_lines) {
            canonical.extend_from_slice(b"\r\n");
        }
        canonical.extend_from_slice(&relaxed);
        canonical.extend_from_slice(b"\r\n");
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6376 §3.4.5, examples 1 and 2.
    #[test]
    fn canonical_forms() {
        let message = b"A: X\r\nB : Y\t\r\n\tZ  \r\n\r\n C \r\nD \t E\r\n\r\n\r\n";
        let (fields, body) = split(message).unwrap();
        let fields: Vec<Vec<u8>> = fields.iter().map(relaxed_field).collect();
        assert_eq!(fields, [b"a:X".to_vec(), b"b:Y Z".to_vec()]);
        assert_eq!(relaxed_body(body), b" C\r\nD E\r\n");
    }

    #[test]
    fn bodies() {
        for (body, expected) in [
            (&b""[..], &b""[..]),
            (b"\r\n\r\n", b""),
            (b" \t \r\n", b""),
            (b"a", b"a\r\n"),
            (b"a\r\n", b"a\r\n"),
            (b"a\r\n\r\nb\r\n \r\n", b"a\r\n\r\nb\r\n"),
        ] {
            assert_eq!(relaxed_body(body), expected, "{body:?}");
        }
    }

    #[test]
    fn keys_that_cannot_sign() {
        let domain = || DomainName::parse("example.org").unwrap();
        let short = openssl::rsa::Rsa::generate(512).unwrap();
        let short = short.private_key_to_pem().unwrap();
        let signer = |selector: &str, pem: &[u8]| Signer::new(domain(), selector, pem);
        assert!(matches!(signer("s", &short), Err(DkimError::Short(512))));
        let curve = openssl::nid::Nid::X9_62_PRIME256V1;
        let group = openssl::ec::EcGroup::from_curve_name(curve).unwrap();
        let ec = openssl::ec::EcKey::generate(&group).unwrap();
        let ec = ec.private_key_to_pem().unwrap();
        assert!(matches!(signer("s", &ec), Err(DkimError::Kind)));
        assert!(matches!(signer("s", b"key"), Err(DkimError::NotAKey)));
        let good = PKey::generate_ed25519().unwrap();
        let cipher = openssl::symm::Cipher::aes_128_cbc();
        let locked = good.private_key_to_pem_pkcs8_passphrase(cipher, b"secret");
        assert!(matches!(
            signer("s", &locked.unwrap()),
            Err(DkimError::NotAKey)
        ));
        let good = good.private_key_to_pem_pkcs8().unwrap();
        assert!(signer("a.b-1", &good).is_ok());
        for selector in ["", ".", "a..b", "a b", "a_b", "a;b"] {
            assert!(
                matches!(signer(selector, &good), Err(DkimError::Selector(_))),
                "{selector}"
            );
        }
        let signer = signer("s", &good).unwrap();
        for message in ["", "Subject: x\r\n\r\n", "From: x", "From\r\n\r\n", "\r\n"] {
            assert!(signer.sign(message.as_bytes(), 0).is_err(), "{message:?}");
        }
    }
}
