//! OPTIONS that come in (RFC 3261 §11): 200 for this node and for what it serves, 404 for what it does
//! not.
//!
//! A VCS asks so before it sends a call that began as H.323 (TRUNK.md section 2), and to see whether
//! this node lives. Who serves what is the owner's to know. The answer leaves nothing behind.

use super::message::{Message, Uri};
use super::reject::Stateless;
use crate::access::ZoneId;
use crate::core::Core;
use crate::hop::Hop;
use crate::output::{Output, Refusal};
use crate::sip::reject::Cause;
use crate::slots::Key;

/// An OPTIONS that waits for the owner.
pub(crate) struct Lookup {
    answer: Stateless,
    request_uri: Vec<u8>,
    zone: Option<ZoneId>,
}

impl Core {
    /// What is asked for, and the zone that asks.
    #[must_use]
    pub fn lookup(&self, key: Key) -> Option<(&[u8], Option<ZoneId>)> {
        let lookup = self.lookups.get(key)?;
        Some((&lookup.request_uri, lookup.zone))
    }

    /// The owner's answer to [`Output::Lookup`].
    pub fn handle_lookup(&mut self, key: Key, served: Result<(), Refusal>) {
        let Some(lookup) = self.lookups.remove(key) else {
            return;
        };
        match served {
            Ok(()) => lookup.answer.accept_options(&mut self.context),
            Err(refusal) => lookup
                .answer
                .refuse(&mut self.context, Cause::from(refusal)),
        }
    }

    /// An OPTIONS outside a dialog: one with a user part asks for an alias, one without for us.
    pub(crate) fn look_up(
        &mut self,
        message: &Message<'_>,
        source: Hop,
        zone: Option<ZoneId>,
    ) -> Result<(), Cause> {
        if !self.lookups.has_room() {
            return Err(Cause::Overloaded);
        }
        let request_uri = message.request_uri();
        let answer = Stateless::of(&mut self.context, message, source);
        if Uri::parse(request_uri).is_ok_and(|uri| uri.user.is_none()) {
            answer.accept_options(&mut self.context);
            return Ok(());
        }
        let lookup = Lookup {
            answer,
            request_uri: request_uri.to_vec(),
            zone,
        };
        let key = self.lookups.insert(lookup).ok_or(Cause::Overloaded)?;
        self.context.outputs.push_back(Output::Lookup(key));
        Ok(())
    }
}
