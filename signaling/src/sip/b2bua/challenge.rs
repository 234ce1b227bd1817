//! A peer's challenge to our INVITE (RFC 3261 §22.2): the INVITE once more, with credentials, if the
//! configuration has some for this realm and peer; else the challenge is the caller's to answer.

use super::call::With;
use super::offer::PeerNames;
use super::peer_leg;
use crate::core::Core;
use crate::sip::dialog::target::write_peer_uri;
use crate::sip::message::{Message, Writer};
use crate::sip::token::Kind;
use crate::sip::transaction::client::Purpose;
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

/// Longest Request-URI that credentials are made for.
const URI_MAX: usize = 1024;

impl Core {
    /// Answers the challenge of the peer, once for each attempt; `false`: it is not for us.
    pub(crate) fn answer_challenge(
        &mut self,
        now: Instant,
        key: Key,
        message: &Message<'_>,
    ) -> bool {
        let settings = Arc::clone(&self.context.settings);
        let Some(call) = self.calls.get(key) else {
            return false;
        };
        let is_waiting = matches!(
            call.peer.state,
            peer_leg::State::Calling | peer_leg::State::Proceeding
        );
        let progress = call.peer.progress;
        let (true, false, Some(hop)) = (is_waiting, progress.is_authenticated, call.peer.hop)
        else {
            return false;
        };
        let mut accounts = settings.access.accounts.iter();
        let found =
            accounts.find_map(|account| Some((account, account.answerable(&hop, message)?)));
        let Some((account, answerable)) = found else {
            return false;
        };
        let mut room = [0; URI_MAX];
        let mut writer = Writer::new(&mut room);
        let redirect = call.search.as_ref();
        let redirect = redirect.and_then(|search| search.sent_to.as_deref());
        let dialled = redirect.unwrap_or_else(|| call.offer.request_uri());
        write_peer_uri(&mut writer, dialled, &hop);
        let length = writer.finish().ok();
        let Some(uri) = length.and_then(|length| room.get(..length)) else {
            return false;
        };
        let cnonce = self.context.ack_branch();
        let attempt = progress.current(key);
        let tag = self.context.attempt_token(Kind::PeerLeg, attempt);
        let call_id = self.context.attempt_token(Kind::CallId, attempt);
        let offer = &call.offer;
        // What is quoted stands in the refusal or in the configuration.
        let room = offer.room() + message.bytes().len() + URI_MAX;
        let client = self.clients.send(
            &mut self.context,
            now,
            (Purpose::Invite(attempt), hop),
            room,
            |writer, branch| {
                let names = PeerNames {
                    branch: *branch,
                    tag,
                    call_id,
                    redirect,
                };
                offer.write_authenticated(&settings, writer, &hop, &names, |writer| {
                    account.write(writer, &answerable, (uri, &cnonce));
                });
            },
        );
        let Some(client) = client else { return false };
        if let Some(call) = self.calls.get_mut(key) {
            call.peer.client = Some(client);
            call.peer.progress.is_authenticated = true;
        }
        self.context.counters.challenges_answered.add_one();
        self.peer_input(now, key, peer_leg::Input::Challenged, With::default());
        true
    }
}
