//! What must hold of MTA-STS records and policies, whatever they say.

use elsinore_dane::mta_sts::{StsPolicy, select};
use elsinore_dane::name::DomainName;

/// Any TXT record and any policy body: what parses prints as something that parses the same.
pub(crate) fn check_sts_policy(octets: &[u8]) {
    if let Ok(policy) = StsPolicy::parse(octets) {
        assert_eq!(
            StsPolicy::parse(policy.to_string().as_bytes()).as_ref(),
            Ok(&policy)
        );
        if let Ok(host) = DomainName::parse("mx.example.org") {
            let _ = policy.lists(&host);
        }
    }
    let _ = select(octets.split(|octet| *octet == 0));
}
