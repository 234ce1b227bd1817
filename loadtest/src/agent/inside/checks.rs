//! What an end asks of the requests and answers that come inside its dialog.

use super::{BODIES, Inside, PICTURE, text_of};
use crate::agent::act::ActKind;
use crate::agent::received::Received;
use crate::agent::sdp;
use crate::agent::timed::Terms;
use signaling::sip::message::Method;

impl Inside {
    /// What is wrong with a request that came.
    pub(super) fn wrong(&self, number: u64, request: &Received<'_>) -> Option<String> {
        let body = request.body();
        let method = request.method();
        // The node's own begins at 70 (RFC 3261 §8.1.1.6).
        let refreshes = self.session.is_some() && Terms::of(request).is_some();
        let is_right = if method == Method::Info {
            body == PICTURE
        } else if method == Method::Message {
            body == text_of(number).as_slice()
        } else {
            let may_be_empty = method != Method::Update || refreshes;
            let is_first = if self.is_caller {
                body == sdp::of_peer(number, 0)
            } else {
                body == sdp::of_caller(number)
            };
            (may_be_empty && body.is_empty())
                || self.is_theirs(number, body)
                || (refreshes && is_first)
        };
        let max_forwards = request.max_forwards();
        if !is_right {
            Some(format!(
                "the body of the {} is not what the other end sends",
                request.method()
            ))
        } else if max_forwards != Some(if refreshes { 70 } else { 69 }) {
            Some(format!("Max-Forwards is {max_forwards:?} inside a dialog"))
        } else {
            None
        }
    }

    /// Whether this is a session description of the other end.
    pub(super) fn is_theirs(&self, number: u64, body: &[u8]) -> bool {
        (0..BODIES).any(|order| body == sdp::of_inside(number, !self.is_caller, order))
    }

    /// What is wrong with a final answer to a request of ours.
    pub(super) fn wrong_answer(
        &self,
        number: u64,
        kind: ActKind,
        response: &Received<'_>,
    ) -> Option<String> {
        let status = response.status();
        let is_of_session = matches!(
            kind,
            ActKind::ReInvite | ActKind::ReInviteDelayed | ActKind::Update
        );
        let may_be = match kind {
            ActKind::Info | ActKind::Message => [200, 481, 487, 500, 504].as_slice(),
            ActKind::Refer => &[603, 481, 487, 500, 504],
            ActKind::Refresh => &[200, 481, 487, 491, 500],
            ActKind::ReInvite | ActKind::ReInviteDelayed | ActKind::Update => {
                &[200, 481, 487, 488, 491, 500, 504]
            }
        };
        if !may_be.contains(&status) {
            return Some(format!("the {} got {status}", kind.method()));
        }
        let wants_sdp = status == 200 && is_of_session;
        let is_right = if wants_sdp {
            self.is_theirs(number, response.body())
        } else {
            response.body().is_empty()
        };
        (!is_right).then(|| format!("the body of {status} is not what the other end sends"))
    }
}
