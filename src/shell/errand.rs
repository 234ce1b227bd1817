//! What the main thread has a worker do, between two messages: never more than a moment's work.

use super::intake::Intake;
use super::tcp::{self, Tcp};
use std::sync::Arc;
use std::time::Instant;

/// One thing to do.
#[derive(Debug)]
pub(super) enum Errand {
    /// A new configuration.
    Reload {
        settings: Arc<signaling::Settings>,
        limits: tcp::Limits,
    },
}

impl Errand {
    pub(super) fn run(&self, now: Instant, intake: &mut Intake, tcp: &mut Tcp) {
        match self {
            Self::Reload { settings, limits } => {
                tcp.set_limits(*limits);
                tcp.set_access(Arc::clone(&settings.access));
                let settings = Arc::clone(settings);
                intake.worker.handle_settings(now, settings, limits.message);
            }
        }
    }
}
