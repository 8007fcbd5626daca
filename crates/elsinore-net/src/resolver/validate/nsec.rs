//! Proofs by NSEC (RFC 4035 §5.4, RFC 6840 §4).

use super::denial::{DsProof, Proof};
use crate::resolver::wire::{Name, Nsec, rtype};

/// NSEC records of one zone whose signatures verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct NsecSet<'a>(pub(super) &'a [(Name, Nsec)]);

fn is_delegation(nsec: &Nsec) -> bool {
    nsec.types.has(rtype::NS) && !nsec.types.has(rtype::SOA)
}

/// Whether `owner`..`next` shows that `name` does not exist. What stands below a delegation or a
/// DNAME is not this record's to deny (RFC 6840 §4.1).
fn covers(owner: &Name, nsec: &Nsec, name: &Name) -> bool {
    let between = if nsec.next > *owner {
        owner < name && *name < nsec.next
    } else {
        // The last record of the zone points back to its apex.
        owner < name && name.is_below(&nsec.next)
    };
    let elsewhere = is_delegation(nsec) || nsec.types.has(rtype::DNAME);
    between && !(elsewhere && name.is_below(owner))
}

impl<'a> NsecSet<'a> {
    fn matching(&self, name: &Name) -> Option<&'a Nsec> {
        self.0
            .iter()
            .find(|(owner, _)| owner == name)
            .map(|(_, nsec)| nsec)
    }

    fn covering(&self, name: &Name) -> Option<&'a (Name, Nsec)> {
        self.0
            .iter()
            .find(|(owner, nsec)| covers(owner, nsec, name))
    }

    /// Whether the record shows `name` to be an empty non-terminal.
    fn shows_empty(record: &(Name, Nsec), name: &Name) -> bool {
        record.1.next.is_below(name)
    }

    /// The deepest existing ancestor of `name`, as the record that covers it shows.
    fn closest_encloser((owner, nsec): &(Name, Nsec), name: &Name) -> Name {
        let (a, b) = (
            name.common_ancestor(owner),
            name.common_ancestor(&nsec.next),
        );
        if a.label_count() >= b.label_count() {
            a
        } else {
            b
        }
    }

    pub(super) fn no_data(&self, name: &Name, rtype: u16) -> Result<Proof, String> {
        if let Some(nsec) = self.matching(name) {
            return lacks(name, nsec, rtype).map(|()| Proof::Shown);
        }
        let record = self
            .covering(name)
            .ok_or_else(|| format!("no NSEC matches or covers {name}"))?;
        if Self::shows_empty(record, name) {
            return Ok(Proof::Shown);
        }
        let encloser = Self::closest_encloser(record, name);
        let wildcard = encloser.wildcard().ok_or("name too long for a wildcard")?;
        let nsec = self.matching(&wildcard).ok_or_else(|| {
            format!("{name} is shown not to exist, and no NSEC is for {wildcard}")
        })?;
        lacks(&wildcard, nsec, rtype).map(|()| Proof::Shown)
    }

    pub(super) fn no_name(&self, name: &Name) -> Result<Proof, String> {
        let record = self
            .covering(name)
            .ok_or_else(|| format!("no NSEC covers {name}"))?;
        if Self::shows_empty(record, name) {
            return Err(format!("the NSEC shows {name} to exist as an empty name"));
        }
        let encloser = Self::closest_encloser(record, name);
        let wildcard = encloser.wildcard().ok_or("name too long for a wildcard")?;
        self.covering(&wildcard)
            .map(|_| Proof::Shown)
            .ok_or_else(|| format!("no NSEC covers the wildcard {wildcard}"))
    }

    /// That `name` does not exist, so that the wildcard below `encloser` answers for it.
    pub(super) fn expansion(&self, name: &Name, encloser: &Name) -> Result<Proof, String> {
        let record = self
            .covering(name)
            .ok_or_else(|| format!("wildcard answer, and no NSEC covers {name}"))?;
        if Self::closest_encloser(record, name).label_count() > encloser.label_count() {
            return Err(format!("a closer name than {encloser} exists for {name}"));
        }
        Ok(Proof::Shown)
    }

    pub(super) fn no_ds(&self, name: &Name) -> Result<DsProof, String> {
        if let Some(nsec) = self.matching(name) {
            lacks(name, nsec, rtype::DS)?;
            return Ok(if nsec.types.has(rtype::NS) {
                DsProof::Unsigned
            } else {
                DsProof::NoCut
            });
        }
        self.covering(name)
            .map(|_| DsProof::NoCut)
            .ok_or_else(|| format!("no NSEC matches or covers {name}"))
    }
}

/// That the record at `name` shows `rtype` absent: neither the type nor CNAME in its bitmap
/// (RFC 6840 §4.3), and it is from the right side of a zone cut (§4.1).
fn lacks(name: &Name, nsec: &Nsec, rtype: u16) -> Result<(), String> {
    if nsec.types.has(rtype) {
        return Err(format!("the NSEC of {name} says that the type exists"));
    }
    if nsec.types.has(rtype::CNAME) {
        return Err(format!("the NSEC of {name} says that a CNAME exists"));
    }
    if rtype == rtype::DS {
        if nsec.types.has(rtype::SOA) && !name.is_root() {
            return Err(format!(
                "the NSEC of {name} is the child's, not the parent's"
            ));
        }
    } else if is_delegation(nsec) {
        return Err(format!(
            "the NSEC of {name} is the parent's and speaks of DS only"
        ));
    }
    Ok(())
}
