//! Certificate extensions (RFC 5280 §4.2).

use super::{CertificateSpec, KeyIdentifiers, KeyUsageBit, Role};
use openssl::asn1::{Asn1Object, Asn1OctetString};
use openssl::error::ErrorStack;
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509Extension};

/// nameConstraints on dNSName (RFC 5280 §4.2.1.10); texts as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NameConstraints {
    /// Names must lie at or below one of these, if there are any.
    pub permitted_dns: Vec<String>,
    /// Names must lie at or below none of these.
    pub excluded_dns: Vec<String>,
}

/// An extension given as its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawExtension {
    /// Dotted object identifier.
    pub oid: String,
    /// Whether it is marked critical.
    pub criticality: Criticality,
    /// The DER inside extnValue, malformed or not.
    pub value: Vec<u8>,
}

/// Whether a reader that does not know an extension must refuse the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Criticality {
    /// It must.
    Critical,
    /// It may go on.
    NotCritical,
}

pub(super) fn append(
    builder: &mut X509Builder,
    spec: &CertificateSpec,
    issuer: Option<&X509>,
) -> Result<(), ErrorStack> {
    match spec.role {
        Role::Unstated => {}
        Role::EndEntity => {
            builder.append_extension(BasicConstraints::new().critical().build()?)?;
        }
        Role::Authority(limit) => {
            let mut constraints = BasicConstraints::new();
            constraints.critical().ca();
            if let Some(limit) = limit {
                constraints.pathlen(limit);
            }
            builder.append_extension(constraints.build()?)?;
        }
    }
    if let Some(bits) = &spec.key_usage {
        builder.append_extension(key_usage(bits)?)?;
    }
    if !spec.purposes.is_empty() {
        let mut usage = ExtendedKeyUsage::new();
        for purpose in &spec.purposes {
            usage.other(purpose);
        }
        builder.append_extension(usage.build()?)?;
    }
    if spec.key_identifiers == KeyIdentifiers::Present {
        let context = builder.x509v3_context(issuer.map(|issuer| &**issuer), None);
        let subject = SubjectKeyIdentifier::new().build(&context)?;
        builder.append_extension(subject)?;
        if issuer.is_some_and(|issuer| issuer.subject_key_id().is_some()) {
            let context = builder.x509v3_context(issuer.map(|issuer| &**issuer), None);
            let authority = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
            builder.append_extension(authority)?;
        }
    }
    if !spec.dns_names.is_empty()
        || !spec.ip_addresses.is_empty()
        || !spec.mail_addresses.is_empty()
    {
        let mut names = SubjectAlternativeName::new();
        for name in &spec.dns_names {
            names.dns(name);
        }
        for address in &spec.ip_addresses {
            names.ip(address);
        }
        for address in &spec.mail_addresses {
            names.email(address);
        }
        let context = builder.x509v3_context(issuer.map(|issuer| &**issuer), None);
        let names = names.build(&context)?;
        builder.append_extension(names)?;
    }
    if let Some(constraints) = &spec.name_constraints {
        builder.append_extension(raw(&RawExtension {
            oid: "2.5.29.30".to_owned(),
            criticality: Criticality::Critical,
            value: constraints.der(),
        })?)?;
    }
    for extension in &spec.raw_extensions {
        builder.append_extension(raw(extension)?)?;
    }
    Ok(())
}

fn key_usage(bits: &[KeyUsageBit]) -> Result<X509Extension, ErrorStack> {
    let mut usage = KeyUsage::new();
    usage.critical();
    for bit in bits {
        match bit {
            KeyUsageBit::DigitalSignature => usage.digital_signature(),
            KeyUsageBit::NonRepudiation => usage.non_repudiation(),
            KeyUsageBit::KeyEncipherment => usage.key_encipherment(),
            KeyUsageBit::DataEncipherment => usage.data_encipherment(),
            KeyUsageBit::KeyAgreement => usage.key_agreement(),
            KeyUsageBit::KeyCertSign => usage.key_cert_sign(),
            KeyUsageBit::CrlSign => usage.crl_sign(),
        };
    }
    usage.build()
}

fn raw(extension: &RawExtension) -> Result<X509Extension, ErrorStack> {
    let oid = Asn1Object::from_str(&extension.oid)?;
    let value = Asn1OctetString::new_from_bytes(&extension.value)?;
    let critical = extension.criticality == Criticality::Critical;
    X509Extension::new_from_der(&oid, critical, &value)
}

impl NameConstraints {
    fn der(&self) -> Vec<u8> {
        let subtrees = |names: &[String]| -> Vec<u8> {
            names
                .iter()
                // GeneralSubtree { base dNSName [2] }
                .flat_map(|name| tagged(0x30, &tagged(0x82, name.as_bytes())))
                .collect()
        };
        let mut body = Vec::new();
        if !self.permitted_dns.is_empty() {
            body.extend(tagged(0xa0, &subtrees(&self.permitted_dns)));
        }
        if !self.excluded_dns.is_empty() {
            body.extend(tagged(0xa1, &subtrees(&self.excluded_dns)));
        }
        tagged(0x30, &body)
    }
}

/// A DER element with a definite length.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..=0x7f) => element.push(short),
        _ => {
            let octets: Vec<u8> = content
                .len()
                .to_be_bytes()
                .into_iter()
                .skip_while(|octet| *octet == 0)
                .collect();
            // A length has at most eight octets.
            element.push(0x80 | u8::try_from(octets.len()).unwrap_or(8));
            element.extend(octets);
        }
    }
    element.extend_from_slice(content);
    element
}
