//! From the configuration to what the parts of a relay want to know; every file that it names is read.
//! The same at the start, on SIGHUP and for `elsinore config check`.

use crate::config::Settings;
use crate::config::relay::AdminSettings;
use crate::exit::Refusal;
use crate::network;
use anyhow::Result;
use elsinore_dane::name::DomainName;
use elsinore_net::deliver::{Reuse, SenderConfig};
use elsinore_relay::accept::{AcceptSettings, check_certificate};
use elsinore_relay::admin::guard::{Guard, Token};
use elsinore_relay::notice::NoticeSettings;
use elsinore_relay::schedule::ScheduleSettings;
use elsinore_tlsrpt::dkim::Signer;
use elsinore_tlsrpt::settings::TlsRptSettings;
use std::sync::Arc;

/// What the parts of a relay want to know.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) accept: Arc<AcceptSettings>,
    pub(super) schedule: Arc<ScheduleSettings>,
    pub(super) notice: Arc<NoticeSettings>,
    pub(super) sender: SenderConfig,
    pub(super) guard: Guard,
}

/// Looks at everything that the relay needs of the configuration.
///
/// # Errors
/// A configuration error of one line.
pub(super) async fn prepare(settings: &Settings) -> Result<Prepared> {
    let relay = &settings.relay;
    crate::store::place(settings)?;
    if let Some(files) = &relay.accept.tls {
        (check_certificate(files).await)
            .map_err(|error| Refusal::configuration(format!("[relay.tls] {error}")))?;
    }
    // Anchors and hints are read here once, to be told of what is wrong with them.
    network::trust(settings)?;
    check_reports(&relay.tlsrpt)?;
    Ok(Prepared {
        accept: Arc::new(relay.accept.clone()),
        schedule: Arc::new(relay.schedule.clone()),
        notice: Arc::new(relay.notice.clone()),
        sender: sender(settings)?,
        guard: guard(&relay.admin)?,
    })
}

/// The same, when nothing is done with it.
///
/// # Errors
/// A configuration error of one line.
pub(crate) fn checked(settings: &Settings) -> Result<()> {
    network::block_on(async { prepare(settings).await.map(|_| ()) })
}

/// The sender, under the relay's own name and with connections that are kept.
fn sender(settings: &Settings) -> Result<SenderConfig> {
    let relay = &settings.relay;
    let host = &relay.accept.host;
    let greeting = match &settings.smtp.helo {
        Some(_) => network::helo(settings)?,
        None => host.clone(),
    };
    let mut sender = network::sender_config(settings, &greeting)?;
    sender.reuse = Reuse::for_a_relay();
    let own = &mut sender.policy.own_names;
    own.extend(relay.own_names.iter().cloned());
    for name in [host, &greeting] {
        // An address literal is no name that stands in an MX list.
        own.extend(DomainName::parse(&name.to_string()));
    }
    let listens = relay.accept.listen.iter();
    let addresses = listens.filter(|at| !at.ip().is_unspecified()).copied();
    sender.policy.own_addresses = addresses.chain(relay.own_addresses.clone()).collect();
    Ok(sender)
}

/// Whom the administrator's address answers.
fn guard(admin: &AdminSettings) -> Result<Guard> {
    let token = match &admin.token_file {
        None => None,
        Some(file) => {
            let wrong = |fault: &dyn std::fmt::Display| {
                let file = file.display();
                Refusal::configuration(format!("[relay.admin] token_file {file}: {fault}"))
            };
            let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
            Some(Token::parse(&text).map_err(|fault| wrong(&fault))?)
        }
    };
    Ok(Guard {
        hosts: admin.hosts.clone(),
        token,
    })
}

/// Whether the key that signs reports can be used.
fn check_reports(settings: &TlsRptSettings) -> Result<()> {
    let Some(dkim) = settings.dkim.as_ref().filter(|_| settings.enabled) else {
        return Ok(());
    };
    let wrong = |fault: &dyn std::fmt::Display| {
        let file = dkim.key_file.display();
        Refusal::configuration(format!("[relay.tlsrpt] dkim_key {file}: {fault}"))
    };
    let pem = std::fs::read(&dkim.key_file).map_err(|error| wrong(&error))?;
    (Signer::new(dkim.domain.clone(), &dkim.selector, &pem))
        .map(|_| ())
        .map_err(|error| wrong(&error))
}
