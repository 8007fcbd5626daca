//! A check of a domain of the lab, recorded.

use elsinore_check::bundle::{Bundle, Claim, RecordingWorld, ReplayTrust, Setting, recompute};
use elsinore_check::judge::{JudgeOptions, judge};
use elsinore_check::measure::{MeasureSettings, measure};
use elsinore_check::report::Report;
use elsinore_check::world::{LiveSettings, LiveWorld, World};
use elsinore_dane::name::DomainName;
use elsinore_dane::network::NetworkPolicy;
use elsinore_lab::running::{Placement, Running};
use elsinore_lab::scenario::Scenario;
use elsinore_lab::world::{NETWORKS, World as Lab};
use elsinore_net::clock::{Clock, SystemClock};
use elsinore_net::deliver::SenderConfig;
use elsinore_net::dialer::Dialer;
use elsinore_net::resolver::tape::Recorder;
use elsinore_net::resolver::{Resolver, ResolverConfig, RootHints, Tape, TrustAnchors};
use elsinore_net::tls::webpki::WebPkiRoots;
use elsinore_smtp::command::GreetingName;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// The longest that one step of a session and one lookup take here.
const PATIENCE: Duration = Duration::from_secs(3);

/// The lab, and who looks at it.
pub(crate) struct Looking {
    dialer: Arc<dyn Dialer>,
    pub(crate) settings: MeasureSettings,
    pub(crate) trust: ReplayTrust,
    /// The servers live as long as this.
    _running: Running,
}

impl Looking {
    pub(crate) async fn at(scenarios: Vec<Scenario>) -> Self {
        let world = Arc::new(Lab::build(scenarios, SystemClock.now()).unwrap());
        let running = Running::start(Arc::clone(&world), Placement::Loopback)
            .await
            .unwrap();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(world.ca_pem().as_bytes()).unwrap();
        let name = GreetingName::parse("client.sender.example").unwrap();
        let mut sender = SenderConfig::new(name).unwrap();
        sender.roots = WebPkiRoots::new(Some(file.path())).unwrap();
        sender.policy.networks = NetworkPolicy {
            allowed: NETWORKS.map(|one| one.parse().unwrap()).into(),
        };
        let step = PATIENCE;
        sender.timeouts = sender.timeouts.capped(step);
        sender.timeouts.discovery = step * 4;
        let tree = world.authority().tree();
        let trust = ReplayTrust(ResolverConfig {
            hints: RootHints::parse(&tree.root_hints()).unwrap(),
            anchors: TrustAnchors::parse(&tree.trust_anchor()).unwrap(),
            allow_nets: NETWORKS.map(|one| one.parse().unwrap()).into(),
            deadline: PATIENCE,
            ..ResolverConfig::default()
        });
        Self {
            dialer: Arc::new(running.map().clone()),
            settings: MeasureSettings::new(sender),
            trust,
            _running: running,
        }
    }

    /// Checks `domain`, and keeps all that was seen.
    pub(crate) async fn check(&self, domain: &str) -> (Report, Bundle) {
        let domain: DomainName = domain.parse().unwrap();
        let recorder = Arc::new(Recorder::default());
        let config = ResolverConfig {
            tape: Tape::Record(Arc::clone(&recorder)),
            ..self.trust.0.clone()
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let setting = Setting::of(&self.settings.sender, &config);
        let resolver = Resolver::new(config, Arc::clone(&self.dialer), Arc::clone(&clock));
        let live = LiveWorld::new(
            LiveSettings {
                pause: Duration::ZERO,
                patience: PATIENCE,
                ..LiveSettings::new(self.settings.sender.clone())
            },
            Arc::new(resolver.unwrap()),
            Arc::clone(&self.dialer),
            clock,
        );
        let recording = Arc::new(RecordingWorld::new(Arc::new(live), recorder));
        let world: Arc<dyn World> = Arc::clone(&recording) as Arc<dyn World>;
        let sighting = measure(&world, &self.settings, &domain, &|_| {}).await;
        let report = judge(&sighting, &JudgeOptions::new("elsinore test"));
        let claim = Claim {
            state: report.state,
            sentence: report.sentence.clone(),
        };
        let bundle = recording.bundle(&domain, setting, Some(claim));
        assert_eq!(bundle.dns_left_out, 0);
        (report, bundle)
    }

    /// The verdict from the bundle alone.
    pub(crate) async fn again(&self, bundle: &Bundle) -> Report {
        self.again_trusting(bundle, &self.trust).await
    }

    pub(crate) async fn again_trusting(&self, bundle: &Bundle, trust: &ReplayTrust) -> Report {
        // Through the file, as somebody else would have it.
        let bundle = Bundle::read(&bundle.write().unwrap()).unwrap();
        let options = JudgeOptions::new("elsinore test");
        recompute(&bundle, &self.settings, trust, &options)
            .await
            .unwrap()
    }
}
