//! The network of the subcommands that look at servers.

use crate::config::Settings;
use crate::network;
use anyhow::Result;
use elsinore_check::world::LiveWorld;
use elsinore_net::deliver::SenderConfig;
use elsinore_net::resolver::Resolver;
use std::sync::Arc;

/// A resolver, a sender's settings, and the world that holds its sessions.
pub(super) struct Live {
    /// The resolver, which the world uses too.
    pub(super) resolver: Arc<Resolver>,
    /// The settings of the sender that is stood for.
    pub(super) sender: SenderConfig,
    /// Who holds the sessions.
    pub(super) world: LiveWorld,
}

/// Everything that a look needs.
///
/// # Errors
/// A configuration error.
pub(super) fn live(settings: &Settings) -> Result<Live> {
    let resolver = network::resolver(settings)?;
    let sender = network::sender_config(settings, &network::helo(settings)?)?;
    let world = network::live_world(settings, &sender, &resolver)?;
    Ok(Live {
        resolver,
        sender,
        world,
    })
}
