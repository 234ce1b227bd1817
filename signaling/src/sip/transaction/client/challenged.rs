//! Requests of ours that somebody challenges (RFC 3261 §22): kept as they were sent where there is an
//! account, to be sent once more with credentials.

use super::{Clients, MAGIC_COOKIE, Purpose};
use crate::context::Context;
use crate::hop::Hop;
use crate::sip::message::{Message, Method};
use crate::sip::token::Kind;
use crate::slots::Key;

/// A request of ours that is challenged, as it was sent.
pub(crate) struct Challenged {
    pub(crate) hop: Hop,
    bytes: Vec<u8>,
}

impl Challenged {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Method and Request-URI.
    pub(crate) fn start(&self) -> (&[u8], &[u8]) {
        let mut words = self.bytes.split(|octet| *octet == b' ');
        let method = words.next().unwrap_or(&[]);
        (method, words.next().unwrap_or(&[]))
    }
}

impl Clients {
    /// The request inside a dialog that a response challenges, where we have an account; to be asked
    /// before the transaction takes its step.
    pub(crate) fn challenged(
        &self,
        context: &Context,
        message: &Message<'_>,
    ) -> Option<Challenged> {
        if !matches!(message.status(), 401 | 407) || message.cseq_method() == Method::Cancel {
            return None;
        }
        let branch = message.branch()?.strip_prefix(MAGIC_COOKIE)?;
        let client = self
            .slots
            .get(context.mint.read(Kind::Branch, branch)?.key)?;
        let may_be_answered = !client.is_answer
            && !client.message.is_empty()
            && !matches!(client.purpose, Purpose::Invite(_) | Purpose::Probe(_))
            && context.settings.access.has_account(&client.hop);
        may_be_answered.then(|| Challenged {
            hop: client.hop,
            bytes: client.message.as_slice().to_vec(),
        })
    }

    /// This request answers a challenge.
    pub(crate) fn mark_answer(&mut self, key: Key) {
        if let Some(client) = self.slots.get_mut(key) {
            client.is_answer = true;
        }
    }
}
