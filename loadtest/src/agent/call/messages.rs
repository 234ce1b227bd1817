//! The messages that a call sends.

use super::{Call, Desk, Dialog};
use crate::agent::act::Acts;
use crate::agent::plan::Offer;
use crate::agent::received::Received;
use crate::agent::text::{Text, transport_parameter, via};
use crate::agent::timed::{MIN_SE, Terms};
use crate::agent::{CALLER_MARK, sdp};

impl Call {
    /// A request up to its CSeq.
    pub(super) fn request(
        &self,
        desk: &Desk,
        method: &str,
        uri: &[u8],
        to: &[u8],
        (branch, number): (&str, u32),
    ) -> Text {
        let via = via(desk.transport, desk.local, branch);
        let mut text = Text::request(method, uri);
        text.common(
            &via,
            [&self.from, to, self.call_id.as_bytes()],
            &format!("{number} {method}"),
        );
        text
    }

    pub(super) fn invite(&self, desk: &Desk) -> Vec<u8> {
        let mut text = self.request(
            desk,
            "INVITE",
            self.uri.as_bytes(),
            &self.to,
            (&self.branch, 1),
        );
        let mut allow = "INVITE, ACK, CANCEL, OPTIONS, BYE".to_owned();
        if self.plan.acts != Acts::default() {
            allow.push_str(", INFO, MESSAGE, REFER, UPDATE");
        }
        let mut supported = Vec::new();
        if self.plan.takes_reliable {
            allow.push_str(", PRACK");
            supported.push("100rel");
        }
        if let Some(timed) = self.plan.timed {
            supported.push("timer");
            if timed.takes_update && self.plan.acts == Acts::default() {
                allow.push_str(", UPDATE");
            }
            let terms = Terms {
                seconds: timed.seconds,
                by_uac: timed.refreshes,
            };
            text.header("Session-Expires", terms.text().as_bytes())
                .header("Min-SE", MIN_SE.to_string().as_bytes());
        }
        if !supported.is_empty() {
            text.header("Supported", supported.join(", ").as_bytes());
        }
        text.header("Contact", self.contact(desk).as_bytes())
            .header("Allow", allow.as_bytes())
            .header("User-Agent", b"baton-loadtest");
        match self.plan.offer {
            Offer::Early => text.end(&sdp::of_caller(self.number)),
            Offer::Delayed => text.end(b""),
        }
    }

    /// RFC 3261 §13.2.2.4: to the Contact of the 2xx, with a branch of its own.
    pub(super) fn ack_for_2xx(&self, desk: &mut Desk, dialog: &Dialog) -> Vec<u8> {
        let branch = format!("z9hG4bK{}", desk.name(CALLER_MARK));
        let text = self.request(desk, "ACK", &dialog.target_uri, &dialog.to, (&branch, 1));
        match self.plan.offer {
            Offer::Early => text.end(b""),
            Offer::Delayed => text.end(&sdp::of_caller(self.number)),
        }
    }

    /// RFC 3261 §17.1.1.3: the INVITE's own branch and URI, the To of the response.
    pub(super) fn ack_for_failure(&self, desk: &Desk, response: &Received<'_>) -> Vec<u8> {
        self.request(
            desk,
            "ACK",
            self.uri.as_bytes(),
            response.to(),
            (&self.branch, 1),
        )
        .end(b"")
    }

    pub(super) fn contact(&self, desk: &Desk) -> String {
        let transport = transport_parameter(desk.transport);
        format!(
            "<sip:{CALLER_MARK}{}@{}{transport}>",
            self.number, desk.local
        )
    }
}
