//! `baton drain`, `baton undrain`: no new calls on this node, until they are wanted again.

use super::answer::{Answer, Kind, Reader};
use super::routes::Desk;
use super::status::state;
use crate::observe::json::Json;
use crate::shell::control::Phase;
use crate::shell::policy::Override;
use hyper::StatusCode;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How often a drain that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(50);

impl Desk {
    /// New calls are refused from now on, so that a VCS sends them to a sibling. With a time to
    /// wait: until the last call has gone, else 202.
    pub(super) async fn set_maintenance(&self, reader: Reader, wait: Duration, who: u32) -> Answer {
        let begun = Instant::now();
        if self.view.control.set_maintenance(true) {
            warn!(
                operator = who,
                "the node is in maintenance mode and takes no new calls"
            );
        }
        while self.calls_left() > 0 && begun.elapsed() < wait {
            tokio::time::sleep(LOOK).await;
        }
        let is_over = wait.is_zero() || self.calls_left() == 0;
        let status = if is_over {
            StatusCode::OK
        } else {
            StatusCode::ACCEPTED
        };
        Answer {
            status,
            ..self.told(reader)
        }
    }

    /// New calls are welcome again.
    pub(super) fn end_maintenance(&self, reader: Reader, who: u32) -> Answer {
        if self.view.control.set_maintenance(false) {
            info!(operator = who, "the node takes calls again");
        }
        if self.view.control.phase() > Phase::Maintenance {
            let message = "the node is on its way out and does not come back; start it again";
            return Answer::error(reader, Kind::Conflict, message);
        }
        self.told(reader)
    }

    /// Ends the program as SIGTERM does: with its last call, or when its patience ends.
    pub(super) fn shut_down(&self, reader: Reader, who: u32) -> Answer {
        info!(operator = who, "the operator ends the node");
        self.view.leave.notify_one();
        self.told(reader)
    }

    /// The policy service tells a VCS that it is in this state, to try what that does.
    pub(super) fn set_policy_state(&self, reader: Reader, said: Override, who: u32) -> Answer {
        warn!(
            operator = who,
            ?said,
            "the operator sets the state of the policy service"
        );
        self.view.policy.say(said);
        let state = self.view.policy.words();
        Answer::of(
            reader,
            || format!("policy service: {state}\n"),
            || Json::Object(vec![("policy", Json::text(state))]),
        )
    }

    fn calls_left(&self) -> u64 {
        self.view.sum(|shell| &shell.calls)
    }

    fn told(&self, reader: Reader) -> Answer {
        let state = state(self.view.control.phase());
        let calls = self.calls_left();
        Answer::of(
            reader,
            || format!("{}: {state}, {calls} calls live\n", self.view.name),
            || Json::Object(vec![("state", Json::text(state)), ("calls", calls.into())]),
        )
    }
}
