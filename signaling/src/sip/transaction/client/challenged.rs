//! Requests of ours that are sent once more, since their refusal says how to ask: with credentials (RFC 3261
//! §22), where there is an account, or for a longer session (RFC 4028 §7.3).

use super::{Clients, MAGIC_COOKIE, Purpose};
use crate::context::Context;
use crate::hop::Hop;
use crate::sip::message::{Message, Method};
use crate::sip::token::Kind;
use crate::slots::Key;

/// A request of ours that may be sent once more, as it was sent.
pub(crate) struct Challenged {
    pub(crate) hop: Hop,
    bytes: Vec<u8>,
    /// Whether it has credentials of ours, behind its CSeq.
    pub(crate) has_credentials: bool,
    /// Whether it asks for the interval that a 422 wanted.
    pub(crate) is_longer: bool,
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
    /// The request inside a dialog that a response wants to see once more; to be asked before the
    /// transaction takes its step.
    pub(crate) fn challenged(
        &self,
        context: &Context,
        message: &Message<'_>,
    ) -> Option<Challenged> {
        let status = message.status();
        if !matches!(status, 401 | 407 | 422) || message.cseq_method() == Method::Cancel {
            return None;
        }
        let branch = message.branch()?.strip_prefix(MAGIC_COOKIE)?;
        let client = self
            .slots
            .get(context.mint.read(Kind::Branch, branch)?.key)?;
        let may_be_sent = if status == 422 {
            !client.is_longer
                && matches!(
                    client.purpose,
                    Purpose::Exchange(_)
                        | Purpose::Reinvite(_)
                        | Purpose::Transfer(_)
                        | Purpose::TransferOffer(_)
                )
        } else {
            !client.is_answer
                && !matches!(client.purpose, Purpose::Invite(_) | Purpose::Probe(_))
                && context.settings.access.has_account(&client.hop)
        };
        (may_be_sent && !client.message.is_empty()).then(|| Challenged {
            hop: client.hop,
            bytes: client.message.as_slice().to_vec(),
            has_credentials: client.is_answer,
            is_longer: client.is_longer,
        })
    }

    /// What this request is that was sent once more: with credentials, for a longer session.
    pub(crate) fn mark_again(&mut self, key: Key, (is_answer, is_longer): (bool, bool)) {
        if let Some(client) = self.slots.get_mut(key) {
            client.is_answer = is_answer;
            client.is_longer = is_longer;
        }
    }
}
