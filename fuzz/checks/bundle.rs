//! What must hold of bundles, whatever is in them.

use elsinore_check::bundle::{Bundle, ReplayTrust, ReplayedWorld};
use elsinore_check::world::World;
use elsinore_dane::answer::{Question, RecordType};
use elsinore_dane::security::Security;
use elsinore_net::resolver::{Freshness, ResolverConfig, SecureResolver};

/// Any file: what is read is written as something that reads the same, and nothing of it is secure
/// under anchors that nobody here has the keys of.
pub(crate) fn check_bundle(octets: &[u8]) {
    let Ok(bundle) = Bundle::read(octets) else {
        return;
    };
    let Ok(written) = bundle.write() else {
        panic!("a bundle that cannot be written");
    };
    let again = Bundle::read(&written);
    assert_eq!(again.as_ref(), Ok(&bundle));
    assert_eq!(again.map(|again| again.write().ok()), Ok(Some(written)));
    let trust = ReplayTrust(ResolverConfig::default());
    let world = ReplayedWorld::new(&bundle, &trust).expect("the shipped anchors are there");
    let question = Question::new(bundle.domain.clone(), RecordType::Mx);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let answer = runtime.block_on(world.resolver().lookup(&question, Freshness::Cached));
    assert_ne!(answer.overall().security(), Security::Secure, "{answer:?}");
}
