//! Requests that come a second time by another way (RFC 3261 §8.2.2.2), and calls that come back to
//! where they were (§16.3 step 4): 482 for both.

use super::message::{HeaderName, Message, Uri, Via};
use super::token::Kind;
use super::transaction::key::MAGIC_COOKIE;
use crate::core::Core;

impl Core {
    /// What a request without a To tag has in common with its copies by other ways: From tag,
    /// Call-ID and CSeq.
    pub(crate) fn origin(&self, message: &Message<'_>) -> u64 {
        self.context.mint.hash(&[
            b"origin",
            message.from_tag().unwrap_or(&[]),
            message.call_id(),
            &message.cseq().to_be_bytes(),
            message.method_text(),
        ])
    }

    /// Whether a call is one of ours that was sent back: a Via below the first one is of an INVITE of
    /// ours that still runs, and asks for the same. With another user part it is a spiral, which
    /// Max-Forwards bounds.
    pub(crate) fn is_loop(&self, message: &Message<'_>) -> bool {
        let mut vias = message.values(HeaderName::Via).skip(1);
        vias.any(|via| {
            let via = Via::parse(via).ok();
            let branch = via.and_then(|via| via.branch()).unwrap_or(&[]);
            let token = branch
                .strip_prefix(MAGIC_COOKIE)
                .and_then(|text| self.context.mint.read(Kind::Branch, text));
            let call = token
                .filter(|token| token.worker == self.context.settings.worker)
                .and_then(|token| self.clients.call_of(token.key))
                .and_then(|call| self.calls.get(call));
            call.is_some_and(|call| user(call.offer.request_uri()) == user(message.request_uri()))
        })
    }
}

fn user(uri: &[u8]) -> Option<&[u8]> {
    Uri::parse(uri).ok()?.user
}
