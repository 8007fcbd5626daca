//! The recipients' domains: signed zones on loopback, whose MX host is the sink.

use crate::sink::{self, Counts};
use elsinore_dane::time::UnixTime;
use elsinore_lab::pki::{CertificateSpec, Identity};
use elsinore_lab::running::{Placement, Running};
use elsinore_lab::scenario::files::read_all;
use elsinore_lab::up::{LabFolder, write_folder};
use elsinore_lab::world::World as LabWorld;
use elsinore_net::clock::{Clock as _, SystemClock};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Addresses of the sinks in the lab.
const WITH_TLS: &str = "198.51.100.200:25";
const PLAIN: &str = "198.51.100.201:25";

/// Everything that stands on the far side of the contenders.
#[derive(Debug)]
pub(crate) struct World {
    _running: Running,
    folder: LabFolder,
    /// The configuration that finds the domains.
    pub(crate) configuration: PathBuf,
    /// The sink with TLS, and the one without.
    pub(crate) sinks: [SocketAddr; 2],
    /// What they saw.
    pub(crate) counts: Arc<Counts>,
}

impl World {
    /// Starts it.
    pub(crate) async fn start() -> Result<Self, Box<dyn Error>> {
        let now: UnixTime = SystemClock.now();
        let spec = CertificateSpec::server(&["mx.bench.example"], now);
        let leaf = Identity::self_signed(&spec)?;
        let counts = Arc::new(Counts::default());
        let sinks = [
            sink::listen(Some(Arc::new(tls(&leaf)?)), Arc::clone(&counts)).await?,
            sink::listen(None, Arc::clone(&counts)).await?,
        ];
        let text = format!(
            r#"
[[scenario]]
id = "bench"
title = "The sinks of the benchmark"
shows = ["RFC 7672 §2.2"]
[[scenario.zone]]
name = "bench.example"
records = """
@             MX    10 mx
mx            A     198.51.100.200
_25._tcp.mx   TLSA  {}
"""
[[scenario.zone]]
name = "plain.example"
records = """
@             MX    10 mx
mx            A     198.51.100.201
"""
[[scenario.case]]
expect = {{ outcome = "delivered", security = "dane" }}
"#,
            leaf.tlsa(3, 1, 1)?
        );
        let scenarios = read_all([("bench.toml", text.as_str())])?;
        let world = Arc::new(LabWorld::build(scenarios, now)?);
        let running = Running::start(world, Placement::Loopback).await?;
        let folder = LabFolder::create()?;
        let configuration = write_folder(folder.path(), &running, Placement::Loopback)?;
        let mut map = running.map().clone();
        map.tcp.insert(WITH_TLS.parse()?, sinks[0]);
        map.tcp.insert(PLAIN.parse()?, sinks[1]);
        std::fs::write(folder.path().join("addresses.txt"), map.to_text())?;
        Ok(Self {
            _running: running,
            folder,
            configuration,
            sinks,
            counts,
        })
    }

    /// The folder of the configuration.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn tls(leaf: &Identity) -> Result<ServerConfig, Box<dyn Error>> {
    let chain = vec![CertificateDer::from_pem_slice(leaf.pem()?.as_bytes())?];
    let key = PrivateKeyDer::from_pem_slice(leaf.key_pem()?.as_bytes())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?)
}
