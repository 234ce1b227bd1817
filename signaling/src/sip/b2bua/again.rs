//! The INVITE of an attempt once more to the same peer, because its refusal says how to ask.
//!
//! [`super::challenge`] sends it with credentials. A 422 (RFC 4028 §7.3) is answered with the interval
//! that the peer asks for: each leg has a session timer of its own, so that the caller need not know. The
//! same holds inside a dialog, for what was carried across.

use super::call::With;
use super::challenge::write_start_again;
use super::offer::PeerNames;
use super::peer_leg;
use super::session_timer::write_wish;
use crate::core::Core;
use crate::settings::Settings;
use crate::sip::message::{HeaderName, Message, MinSe, SessionExpires, Writer};
use crate::sip::token::{Kind, Text};
use crate::sip::transaction::client::{Challenged, Purpose};
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

impl Core {
    /// Asks the peer once more, for a session as long as its 422 wants it, once for each attempt.
    pub(crate) fn lengthen_session(
        &mut self,
        now: Instant,
        key: Key,
        message: &Message<'_>,
    ) -> bool {
        if message.status() != 422 {
            return false;
        }
        let min_se = message.header(HeaderName::MinSe).map(MinSe::parse);
        let offered = self.context.settings.session.expires;
        let Some(call) = self.calls.get_mut(key) else {
            return false;
        };
        let progress = &mut call.peer.progress;
        let (Some(Ok(min_se)), 0) = (min_se, progress.min_se) else {
            return false;
        };
        // It was offered no less already: asking again would change nothing.
        if min_se.seconds <= offered {
            return false;
        }
        progress.min_se = min_se.seconds;
        let is_sent = self.invite_again(now, key, 0, |_| {});
        if is_sent && let Some(call) = self.calls.get_mut(key) {
            // The new INVITE has no credentials yet.
            call.peer.progress.is_authenticated = false;
        }
        is_sent
    }

    /// Sends the INVITE of the attempt once more, one number further, as long as the peer leg waits
    /// for its answer.
    pub(crate) fn invite_again(
        &mut self,
        now: Instant,
        key: Key,
        room: usize,
        credentials: impl FnOnce(&mut Writer<'_>),
    ) -> bool {
        let settings = Arc::clone(&self.context.settings);
        let Some(call) = self.calls.get(key) else {
            return false;
        };
        let is_waiting = matches!(
            call.peer.state,
            peer_leg::State::Calling | peer_leg::State::Proceeding
        );
        let mut progress = call.peer.progress;
        let (true, Some(hop)) = (is_waiting, call.peer.hop) else {
            return false;
        };
        progress.again += 1;
        let attempt = progress.current(key);
        let tag = self.context.attempt_token(Kind::PeerLeg, attempt);
        let call_id = self.context.attempt_token(Kind::CallId, attempt);
        let uri = call.search.as_ref().and_then(|search| search.uri());
        let offer = &call.offer;
        let room = offer.room() + uri.map_or(0, <[u8]>::len) + room;
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
                    cseq: progress.invite_cseq(),
                    min_se: progress.min_se,
                    uri,
                };
                offer.write(&settings, writer, &hop, &names, credentials);
            },
        );
        let Some(client) = client else { return false };
        // It has as long for its first answer as the INVITE before it.
        progress.is_silent = false;
        if let Some(call) = self.calls.get_mut(key) {
            call.peer.client = Some(client);
            call.peer.progress = progress;
        }
        self.peer_input(now, key, peer_leg::Input::Challenged, With::default());
        self.wait_for_peer(key, now + progress.patience);
        true
    }
}

const SESSION_EXPIRES: &[u8] = b"Session-Expires: ";
const MIN_SE: &[u8] = b"Min-SE: ";

/// The least interval that a 422 asks for, if the request did not offer as much.
pub(super) fn longer(kept: &Challenged, refusal: &Message<'_>) -> Option<u32> {
    let wanted = MinSe::parse(refusal.header(HeaderName::MinSe)?).ok()?;
    let offered = offered(kept.bytes())?.seconds;
    (wanted.seconds > offered).then_some(wanted.seconds)
}

/// Session-Expires of a request of ours.
fn offered(request: &[u8]) -> Option<SessionExpires<'_>> {
    let mut lines = request.split(|octet| *octet == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(SESSION_EXPIRES))?;
    SessionExpires::parse(line.trim_ascii()).ok()
}

/// Writes a request of ours once more, for a session of at least so many seconds.
pub(super) fn write_longer(
    settings: &Settings,
    writer: &mut Writer<'_>,
    kept: &Challenged,
    names: (&Text, u32),
    wanted: u32,
) {
    let lines = write_start_again(settings, writer, kept, names);
    let refresher = offered(kept.bytes()).and_then(|offered| offered.refresher);
    let mut times = settings.session;
    times.min_se = times.min_se.max(wanted);
    write_wish(writer, times, (wanted, refresher));
    let mut is_head = true;
    // The credentials were for the request before.
    for line in lines.skip(usize::from(kept.has_credentials)) {
        is_head &= !line.trim_ascii().is_empty();
        let is_old = line.starts_with(SESSION_EXPIRES) || line.starts_with(MIN_SE);
        if !(is_head && is_old) {
            writer.put(line);
        }
    }
}
