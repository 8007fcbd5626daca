//! What one part of a report says of another must be there.

use elsinore_check::report::{
    AddressState, Report, SCHEMA_VERSION, SenderKind, SenderOutcome, State,
};

/// Everything in a report that points to nothing.
pub(crate) fn dangling(report: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    let mut lookup = |index: Option<usize>, whence: &str| {
        if index.is_some_and(|index| index >= report.lookups.len()) {
            faults.push(format!("{whence}: no lookup {index:?}"));
        }
    };
    lookup(report.mx_lookup, "mx_lookup");
    lookup(report.sts.as_ref().and_then(|sts| sts.lookup), "sts");
    lookup(
        report.tls_rpt.as_ref().and_then(|rpt| rpt.lookup),
        "tls_rpt",
    );
    for host in &report.hosts {
        for index in &host.address_lookups {
            lookup(Some(*index), &host.mx_host);
        }
        for candidate in &host.candidates {
            lookup(candidate.lookup, &candidate.base);
        }
    }
    let zones: Vec<&str> = report.zones.iter().map(|zone| zone.apex.as_str()).collect();
    for host in &report.hosts {
        if let Some(zone) = &host.zone
            && !zones.contains(&zone.as_str())
        {
            faults.push(format!("{}: no zone {zone}", host.mx_host));
        }
        if let Some(base) = &host.tlsa_base_domain
            && !(host.candidates.iter()).any(|one| one.in_force && one.base == *base)
        {
            faults.push(format!("{}: no candidate in force {base}", host.mx_host));
        }
        let sessions = host.addresses.iter().flat_map(|address| &address.sessions);
        for session in sessions {
            for key in &session.chain {
                if !report.certificates.contains_key(key) {
                    faults.push(format!("{}: no certificate {key}", host.mx_host));
                }
            }
            if session
                .matched
                .as_ref()
                .is_some_and(|at| at.record >= host.tlsa.len())
            {
                faults.push(format!("{}: matched no record", host.mx_host));
            }
        }
        for wire in host.tlsa.iter().flat_map(|record| &record.wires) {
            let known = |key| report.certificates.contains_key(key);
            if !wire.certificate.as_ref().is_none_or(known) {
                faults.push(format!("{}: wire to no certificate", host.mx_host));
            }
            let found = host
                .addresses
                .iter()
                .find(|one| one.address == wire.address);
            if !found.is_some_and(|one| one.sessions.iter().any(|s| s.offer == wire.offer)) {
                faults.push(format!("{}: wire to no session", host.mx_host));
            }
        }
    }
    for sender in &report.senders {
        let named: Vec<_> = sender.hosts.iter().map(|host| &host.mx_host).collect();
        let hosts: Vec<_> = report.hosts.iter().map(|host| &host.mx_host).collect();
        if named != hosts {
            faults.push(format!("{:?}: other hosts than the report", sender.kind));
        }
    }
    if report
        .forecast
        .breaks
        .is_some_and(|at| !report.forecast.events.get(at).is_some_and(|e| e.breaks))
    {
        faults.push("forecast: breaks points to no event that breaks".to_owned());
    }
    faults.extend(contradiction(report));
    if report.schema_version != SCHEMA_VERSION {
        faults.push(format!("schema version {}", report.schema_version));
    }
    if !report.sentence.ends_with('.') {
        faults.push(format!("no full stop: {}", report.sentence));
    }
    faults
}

/// The state is from the side of the DANE sender: where it says something else than that sender
/// does, one of the two is wrong.
fn contradiction(report: &Report) -> Option<String> {
    let sender = (report.senders.iter()).find(|sender| sender.kind == SenderKind::Dane)?;
    let delivers = sender.outcome == SenderOutcome::Delivered;
    let security = sender.security.as_deref();
    let fits = match report.state {
        State::Protected => {
            let mut addresses = report.hosts.iter().flat_map(|host| &host.addresses);
            security == Some("dane")
                && addresses.all(|address| match address.state {
                    AddressState::Met => address.security.as_deref() == Some("dane"),
                    AddressState::Inconclusive => true,
                    AddressState::MetInPart | AddressState::Failed | AddressState::NotTried => {
                        false
                    }
                })
        }
        State::PartlyProtected => delivers,
        State::NotProtected => matches!(security, Some("webpki" | "encrypted" | "plaintext")),
        State::Refused => !delivers,
        State::CouldNotTell => true,
    };
    (!fits || delivers != security.is_some()).then(|| {
        let (state, outcome) = (report.state.word(), sender.outcome);
        format!("{state}, and the DANE sender: {outcome:?} {security:?}")
    })
}
