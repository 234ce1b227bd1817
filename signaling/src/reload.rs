//! Other settings for a core that runs: what lives goes on, what begins follows them.

use crate::core::Core;
use crate::settings::Settings;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

impl Core {
    /// Takes new settings over. Worker, workers, secret and listeners are those of the start: tokens
    /// and hops that are in use name them.
    pub fn handle_settings(&mut self, now: Instant, settings: Arc<Settings>) {
        let old = &self.context.settings;
        debug_assert_eq!(
            (old.worker, old.workers, old.secret, old.listeners.len()),
            (
                settings.worker,
                settings.workers,
                settings.secret,
                settings.listeners.len()
            ),
            "a core stays in its place"
        );
        self.calls.set_limit(settings.calls_max);
        self.clients.set_limit(settings.transactions_max);
        self.servers.set_limit(settings.transactions_max);
        self.exchanges
            .set_limits(settings.exchanges_max, settings.exchanges_per_call_max);
        self.context.handle_settings(now, settings);
    }

    /// Where the peers are now: who sends from there may do what a peer may (docs/decisions/0010).
    pub fn handle_peers(&mut self, peers: impl IntoIterator<Item = IpAddr>) {
        let access = (*self.context.settings.access).clone();
        let mut settings = (*self.context.settings).clone();
        settings.access = Arc::new(access.with_located(peers));
        self.context.settings = Arc::new(settings);
    }

    /// New calls are welcome again, after [`Core::drain`].
    pub fn resume(&mut self) {
        self.is_draining = false;
    }
}
