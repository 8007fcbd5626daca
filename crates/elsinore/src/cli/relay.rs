//! `elsinore relay`: accepts mail, keeps it, delivers it. The relay itself is `elsinore-relay`; here
//! its parts are put together from the configuration.

use crate::config::Settings;
use crate::network;
use anyhow::Result;

/// Looks at everything that the relay needs of the configuration, files that it names included, as it
/// does before it starts and on SIGHUP.
///
/// # Errors
/// A configuration error of one line.
pub(crate) fn checked(settings: &Settings) -> Result<()> {
    network::sender_config(settings, &network::helo(settings)?)?;
    network::trust(settings)?;
    Ok(())
}
