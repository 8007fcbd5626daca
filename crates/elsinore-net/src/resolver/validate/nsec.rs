//! Proofs by NSEC (RFC 4035 §5.4, RFC 6840 §4).

use super::denial::{DsProof, Proof};
use super::fault::Fault;
use crate::resolver::wire::{Name, Nsec, rtype};
use elsinore_dane::security::Cause;

/// NSEC records of one zone whose signatures verified.
#[derive(Debug, Clone, Copy)]
pub(super) struct NsecSet<'a>(pub(super) &'a [(Name, Nsec)]);

fn wrong(text: impl Into<std::sync::Arc<str>>) -> Fault {
    Fault::new(Cause::DenialWrong, text)
}

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

    pub(super) fn no_data(&self, name: &Name, rtype: u16) -> Result<Proof, Fault> {
        if let Some(nsec) = self.matching(name) {
            return lacks(name, nsec, rtype).map(|()| Proof::Shown);
        }
        let record = self
            .covering(name)
            .ok_or_else(|| wrong(format!("no NSEC matches or covers {name}")))?;
        if Self::shows_empty(record, name) {
            return Ok(Proof::Shown);
        }
        let encloser = Self::closest_encloser(record, name);
        let wildcard = encloser
            .wildcard()
            .ok_or_else(|| wrong("name too long for a wildcard"))?;
        if let Some(nsec) = self.matching(&wildcard) {
            return lacks(&wildcard, nsec, rtype).map(|()| Proof::Shown);
        }
        // A wildcard may exist as an empty name (RFC 4592 §2.2.2, §4.9).
        if self.shows_empty_wildcard(&wildcard) {
            return Ok(Proof::Shown);
        }
        Err(wrong(format!(
            "{name} is shown not to exist, and no NSEC is for {wildcard}"
        )))
    }

    pub(super) fn no_name(&self, name: &Name) -> Result<Proof, Fault> {
        let record = self
            .covering(name)
            .ok_or_else(|| wrong(format!("no NSEC covers {name}")))?;
        if Self::shows_empty(record, name) {
            return Err(wrong(format!(
                "the NSEC shows {name} to exist as an empty name"
            )));
        }
        let encloser = Self::closest_encloser(record, name);
        let wildcard = encloser
            .wildcard()
            .ok_or_else(|| wrong("name too long for a wildcard"))?;
        if self.shows_empty_wildcard(&wildcard) {
            return Err(wrong(format!(
                "the NSEC shows {wildcard} to exist as an empty name"
            )));
        }
        self.covering(&wildcard)
            .map(|_| Proof::Shown)
            .ok_or_else(|| wrong(format!("no NSEC covers the wildcard {wildcard}")))
    }

    fn shows_empty_wildcard(&self, wildcard: &Name) -> bool {
        self.covering(wildcard)
            .is_some_and(|record| Self::shows_empty(record, wildcard))
    }

    /// That `name` does not exist, so that the wildcard below `encloser` answers for it.
    pub(super) fn expansion(&self, name: &Name, encloser: &Name) -> Result<Proof, Fault> {
        let record = self
            .covering(name)
            .ok_or_else(|| wrong(format!("wildcard answer, and no NSEC covers {name}")))?;
        if Self::closest_encloser(record, name).label_count() > encloser.label_count() {
            return Err(wrong(format!(
                "a closer name than {encloser} exists for {name}"
            )));
        }
        Ok(Proof::Shown)
    }

    pub(super) fn no_ds(&self, name: &Name) -> Result<DsProof, Fault> {
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
            .ok_or_else(|| wrong(format!("no NSEC matches or covers {name}")))
    }
}

/// That the record at `name` shows `rtype` absent: neither the type nor CNAME in its bitmap
/// (RFC 6840 §4.3), and it is from the right side of a zone cut (§4.1).
fn lacks(name: &Name, nsec: &Nsec, rtype: u16) -> Result<(), Fault> {
    // Nobody has the type ANY; a name without any type has but what denies the others.
    let has_any = rtype == rtype::ANY && !nsec.types.has_only(&[rtype::NSEC, rtype::RRSIG]);
    if has_any || nsec.types.has(rtype) {
        return Err(wrong(format!(
            "the NSEC of {name} says that the type exists"
        )));
    }
    if nsec.types.has(rtype::CNAME) {
        return Err(wrong(format!(
            "the NSEC of {name} says that a CNAME exists"
        )));
    }
    if rtype == rtype::DS {
        if nsec.types.has(rtype::SOA) && !name.is_root() {
            return Err(wrong(format!(
                "the NSEC of {name} is the child's, not the parent's"
            )));
        }
    } else if is_delegation(nsec) {
        return Err(wrong(format!(
            "the NSEC of {name} is the parent's and speaks of DS only"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use elsinore_dane::name::DomainName;

    fn name(text: &str) -> Name {
        Name::from_domain(&DomainName::parse(text).unwrap())
    }

    /// `owner next types`, all types below 128.
    fn nsec(line: &str) -> (Name, Nsec) {
        let mut words = line.split_whitespace();
        let owner = name(words.next().unwrap());
        let mut rdata = name(words.next().unwrap()).wire().to_vec();
        let mut bitmap = [0_u8; 16];
        for word in words {
            let code: u8 = match word {
                "A" => 1,
                "NS" => 2,
                "CNAME" => 5,
                "SOA" => 6,
                "DNAME" => 39,
                "DS" => 43,
                "RRSIG" => 46,
                "NSEC" => 47,
                "TLSA" => 52,
                other => panic!("{other}"),
            };
            bitmap[usize::from(code / 8)] |= 0x80 >> (code % 8);
        }
        rdata.extend([0, 16]);
        rdata.extend(bitmap);
        (owner, Nsec::parse(&rdata).unwrap())
    }

    fn check<T: PartialEq + std::fmt::Debug>(
        records: &[&str],
        prove: impl Fn(&NsecSet<'_>) -> Result<T, Fault>,
        expected: Result<T, &str>,
    ) {
        let records: Vec<_> = records.iter().map(|line| nsec(line)).collect();
        match (prove(&NsecSet(&records)), expected) {
            (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{records:?}"),
            (Err(fault), Err(part)) => {
                assert!(fault.text.contains(part), "{fault}, not {part}");
            }
            (got, expected) => panic!("{got:?}, not {expected:?}: {records:?}"),
        }
    }

    #[test]
    fn no_data() {
        let shown = Ok(Proof::Shown);
        for (records, owner, rtype, expected) in [
            (&["mx.e ns.e A"][..], "mx.e", 52, shown.clone()),
            (
                &["mx.e ns.e A TLSA"],
                "mx.e",
                52,
                Err("says that the type exists"),
            ),
            // RFC 6840 §4.3.
            (
                &["mx.e ns.e CNAME"],
                "mx.e",
                52,
                Err("says that a CNAME exists"),
            ),
            // RFC 6840 §4.1: the parent's side of a cut.
            (&["sub.e x.e NS"], "sub.e", 52, Err("speaks of DS only")),
            (&["sub.e x.e NS"], "sub.e", 43, shown.clone()),
            (&["e a.e NS SOA"], "e", 52, shown.clone()),
            // Who has any type has ANY; what denies the rest does not count (RFC 4035 §2.3).
            (&["mx.e ns.e A RRSIG NSEC"], "mx.e", 255, Err("type exists")),
            (&["mx.e ns.e RRSIG NSEC"], "mx.e", 255, shown.clone()),
            (&["a.e x.b.ent.e A"], "ent.e", 255, shown.clone()),
            // The wildcard's NSEC denies a type of the names it stands for, not the wildcard's
            // own CNAME.
            (
                &["a.e x.e A", "*.e a.e CNAME"],
                "mx.e",
                52,
                Err("a CNAME exists"),
            ),
            // A wildcard below a closer name that exists is none for this one.
            (
                &["a.mx.e x.e A", "*.e a.e A"],
                "b.mx.e",
                52,
                Err("no NSEC is for *.mx.e"),
            ),
            // The end of the zone, and the apex as an ancestor only.
            (&["x.e e A", "*.e a.e A"], "zz.e", 52, shown.clone()),
            (&["x.e e A", "*.e a.e A"], "e", 52, Err("matches or covers")),
            (&["e a.e NS SOA"], "e", 43, Err("is the child's")),
            (&["a.e x.b.ent.e A"], "ent.e", 52, shown.clone()),
            (&["a.e x.e A"], "mx.e", 52, Err("no NSEC is for *.e")),
            (&["a.e x.e A", "*.e a.e A"], "mx.e", 52, shown.clone()),
            (
                &["a.e x.e A", "*.e a.e TLSA"],
                "mx.e",
                52,
                Err("says that the type exists"),
            ),
            (&["a.e b.e A"], "mx.e", 52, Err("matches or covers")),
            // RFC 4592 §4.9: the wildcard itself is an empty name.
            (
                &["e x.*.e SOA NS", "x.*.e x.e A"],
                "mx.e",
                52,
                shown.clone(),
            ),
            // An unsigned name below a delegation is not the parent's to deny, whatever the type.
            (&["sub.e x.e NS"], "mx.sub.e", 43, Err("matches or covers")),
            (&["dn.e x.e DNAME"], "mx.dn.e", 52, Err("matches or covers")),
            (&["dn.e x.e DNAME"], "dn.e", 52, shown.clone()),
            // The wildcard is a delegation: its NSEC is the parent's side.
            (
                &["a.e x.e A", "*.e a.e NS"],
                "mx.e",
                52,
                Err("speaks of DS only"),
            ),
        ] {
            check(records, |set| set.no_data(&name(owner), rtype), expected);
        }
    }

    #[test]
    fn no_name() {
        let shown = Ok(Proof::Shown);
        for (records, owner, expected) in [
            (&["e b.e SOA NS", "b.e x.e A"][..], "mx.e", shown.clone()),
            (&["b.e x.e A"], "mx.e", Err("the wildcard *.e")),
            // One record may cover both.
            (&["e x.e SOA NS"], "mx.e", shown.clone()),
            // The last record of the zone.
            (&["b.e e A", "e b.e SOA NS"], "mx.e", shown.clone()),
            (&["b.e e A"], "mx.other", Err("no NSEC covers")),
            (&["e a.mx.e SOA NS"], "mx.e", Err("exist as an empty name")),
            // Below a delegation or a DNAME nothing is this zone's to deny.
            (
                &["sub.e x.e NS", "e sub.e SOA NS"],
                "mx.sub.e",
                Err("no NSEC covers"),
            ),
            (
                &["dn.e x.e DNAME", "e dn.e SOA NS"],
                "mx.dn.e",
                Err("no NSEC covers"),
            ),
            (&["sub.e x.e NS SOA"], "mx.sub.e", shown.clone()),
            (
                &["e x.*.e SOA NS", "x.*.e x.e A"],
                "mx.e",
                Err("*.e to exist as an empty name"),
            ),
            // Neither half alone, nor the same half twice.
            (&["e b.e SOA NS"], "mx.e", Err("no NSEC covers mx.e")),
            (&["b.e x.e A", "b.e x.e A"], "mx.e", Err("the wildcard *.e")),
            // The wildcard exists: the name has an answer.
            (
                &["e *.e SOA NS", "*.e b.e A", "b.e x.e A"],
                "mx.e",
                Err("the wildcard *.e"),
            ),
            // The name itself exists.
            (
                &["mx.e x.e A", "e mx.e SOA NS"],
                "mx.e",
                Err("no NSEC covers mx.e"),
            ),
            // A zone of one name.
            (&["e e SOA NS"], "mx.e", shown.clone()),
            (&["e e SOA NS"], "e", Err("no NSEC covers")),
        ] {
            check(records, |set| set.no_name(&name(owner)), expected);
        }
    }

    #[test]
    fn expansion() {
        for (records, owner, encloser, expected) in [
            (&["b.e x.e A"][..], "mx.e", "e", Ok(Proof::Shown)),
            (&["b.e c.e A"], "mx.e", "e", Err("no NSEC covers")),
            // The name itself, or something between it and the wildcard, exists.
            (&["b.e a.mx.e A"], "mx.e", "e", Err("closer name")),
            (&["a.sub.e x.e A"], "mx.sub.e", "e", Err("closer name")),
            (&["a.e x.e A"], "mx.sub.e", "e", Ok(Proof::Shown)),
        ] {
            check(
                records,
                |set| set.expansion(&name(owner), &name(encloser)),
                expected,
            );
        }
    }

    #[test]
    fn no_ds() {
        for (records, owner, expected) in [
            (&["sub.e x.e NS"][..], "sub.e", Ok(DsProof::Unsigned)),
            (&["sub.e x.e A"], "sub.e", Ok(DsProof::NoCut)),
            (
                &["sub.e x.e NS DS"],
                "sub.e",
                Err("says that the type exists"),
            ),
            (&["sub.e x.e NS SOA"], "sub.e", Err("is the child's")),
            (&["a.e x.e A"], "sub.e", Ok(DsProof::NoCut)),
            (&["a.e x.sub.e A"], "sub.e", Ok(DsProof::NoCut)),
            (&["a.e b.e A"], "sub.e", Err("matches or covers")),
        ] {
            check(records, |set| set.no_ds(&name(owner)), expected);
        }
    }
}
