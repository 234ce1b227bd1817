//! What calls and probes tell of a peer, in the words of the balancer (TRUNK.md section 4).

use balancer::Cause;
use balancer::Outcome as Report;
use signaling::{Outcome, Trouble};

/// What an attempt tells; nothing where it tells nothing new.
pub(super) fn of_attempt(outcome: Outcome) -> Option<Report> {
    match outcome {
        Outcome::Accepted => Some(Report::Accepted),
        Outcome::Answered {
            status: 503,
            retry_after: Some(wait),
        } => Some(Report::Paused(wait)),
        Outcome::Answered { status, .. } if is_failure(status) => Some(Report::SoftFailure),
        Outcome::Answered {
            status: 480 | 486 | 600,
            ..
        } => Some(Report::Busy),
        Outcome::Answered { .. } => Some(Report::Answered),
        Outcome::Over => None,
        Outcome::Silent => Some(Report::Failed(Cause::Silent)),
        Outcome::Unreachable(trouble) => Some(Report::Failed(match trouble {
            // It says nothing of the peer.
            Trouble::Local => return None,
            Trouble::Refused => Cause::Refused,
            Trouble::Silent => Cause::Silent,
            Trouble::Tls => Cause::Tls,
        })),
    }
}

/// What a probe tells; a 503 with Retry-After tells that the peer lives, and wants to be left alone.
pub(super) fn of_probe(outcome: Outcome) -> [Option<Report>; 2] {
    match outcome {
        Outcome::Answered {
            status: 503,
            retry_after: Some(wait),
        } => [Some(Report::ProbeGood), Some(Report::Paused(wait))],
        Outcome::Answered { status, .. } if !is_failure(status) => [Some(Report::ProbeGood), None],
        Outcome::Accepted | Outcome::Over | Outcome::Unreachable(Trouble::Local) => [None, None],
        Outcome::Answered { .. } | Outcome::Silent | Outcome::Unreachable(_) => {
            [Some(Report::ProbeBad), None]
        }
    }
}

fn is_failure(status: u16) -> bool {
    matches!(status, 408 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn answered(status: u16) -> Outcome {
        Outcome::Answered {
            status,
            retry_after: None,
        }
    }

    #[test]
    fn the_table_of_trunk_md_section_4() {
        for (status, attempt, probe) in [
            (500, Report::SoftFailure, Report::ProbeBad),
            (502, Report::SoftFailure, Report::ProbeBad),
            (503, Report::SoftFailure, Report::ProbeBad),
            (504, Report::SoftFailure, Report::ProbeBad),
            (408, Report::SoftFailure, Report::ProbeBad),
            (480, Report::Busy, Report::ProbeGood),
            (486, Report::Busy, Report::ProbeGood),
            (600, Report::Busy, Report::ProbeGood),
            (401, Report::Answered, Report::ProbeGood),
            (404, Report::Answered, Report::ProbeGood),
            (405, Report::Answered, Report::ProbeGood),
            (481, Report::Answered, Report::ProbeGood),
            (501, Report::Answered, Report::ProbeGood),
            (488, Report::Answered, Report::ProbeGood),
            (606, Report::Answered, Report::ProbeGood),
            (302, Report::Answered, Report::ProbeGood),
        ] {
            assert_eq!(of_attempt(answered(status)), Some(attempt), "{status}");
            assert_eq!(of_probe(answered(status)), [Some(probe), None], "{status}");
        }
        assert_eq!(of_probe(answered(200)), [Some(Report::ProbeGood), None]);
        let wait = Duration::from_secs(30);
        let paused = Outcome::Answered {
            status: 503,
            retry_after: Some(wait),
        };
        assert_eq!(of_attempt(paused), Some(Report::Paused(wait)));
        assert_eq!(
            of_probe(paused),
            [Some(Report::ProbeGood), Some(Report::Paused(wait))]
        );
        for (failed, cause) in [
            (Outcome::Silent, Cause::Silent),
            (Outcome::Unreachable(Trouble::Refused), Cause::Refused),
            (Outcome::Unreachable(Trouble::Silent), Cause::Silent),
            (Outcome::Unreachable(Trouble::Tls), Cause::Tls),
        ] {
            assert_eq!(of_attempt(failed), Some(Report::Failed(cause)));
            assert_eq!(of_probe(failed), [Some(Report::ProbeBad), None]);
        }
        let local = Outcome::Unreachable(Trouble::Local);
        assert_eq!((of_attempt(local), of_probe(local)), (None, [None, None]));
    }
}
