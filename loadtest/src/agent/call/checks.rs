//! What a call asks of the responses it gets, beyond their order.

use super::{Call, Desk};
use crate::agent::context::check_common;
use crate::agent::received::{Received, show};
use crate::agent::{PEER_MARK, sdp};

impl Call {
    pub(super) fn check_response(
        &self,
        desk: &Desk,
        response: &Received<'_>,
    ) -> Result<(), String> {
        check_common(response, desk.foreign(PEER_MARK))?;
        if response.from() != self.from {
            return Err(format!("From came back as {}", show(response.from())));
        }
        if !response.to().starts_with(&self.to) {
            return Err(format!("To came back as {}", show(response.to())));
        }
        if response.status() > 100 && response.tag_of_to().is_empty() {
            return Err(format!("a {} without a To tag", response.status()));
        }
        if response.source != self.outbound {
            return Err(format!(
                "a response from {}, which was not asked",
                response.source
            ));
        }
        let sent_by = format!("SIP/2.0/{} {};", desk.transport, desk.local);
        if !response.top_via().starts_with(sent_by.as_bytes()) {
            return Err(format!("Via came back as {}", show(response.top_via())));
        }
        Ok(())
    }

    /// One early dialog: Baton shows the caller one To tag from the first 18x to the 2xx.
    pub(super) fn check_tag(&mut self, desk: &mut Desk, response: &Received<'_>) {
        if self.early_tag.is_empty() {
            self.early_tag = response.tag_of_to().to_vec();
        } else if self.early_tag != response.tag_of_to() {
            self.fault(
                desk,
                &format!(
                    "the To tag of {} is not that of the response before",
                    response.status()
                ),
            );
        }
    }

    pub(super) fn check_sdp(&mut self, desk: &mut Desk, response: &Received<'_>) {
        let promised = (0..2).any(|fork| response.carries_sdp(&sdp::of_peer(self.number, fork)));
        if !promised {
            self.fault(
                desk,
                &format!(
                    "the body of {} is not what the peer sends",
                    response.status()
                ),
            );
        }
    }
}
