//! A peer's challenge (RFC 3261 §22.2): the request once more, with credentials, if the configuration
//! has some for this realm and peer; else the challenge is the other side's to answer.
//!
//! The INVITE of an attempt is written anew from its offer. What is sent inside a dialog is kept
//! where there is an account, and written once more from what was sent: a new branch, the next
//! number, the credentials.

use super::again;
use super::side::Side;
use crate::core::Core;
use crate::settings::Settings;
use crate::sip::dialog::target::write_peer_uri;
use crate::sip::dialog::write_via;
use crate::sip::message::{Message, Method, Writer};
use crate::sip::token::Text;
use crate::sip::transaction::client::{Challenged, Purpose};
use crate::slots::Key;
use std::sync::Arc;
use std::time::Instant;

/// Longest Request-URI that credentials are made for.
const URI_MAX: usize = 1024;

impl Core {
    /// Answers the challenge of the peer, once for each INVITE; `false`: it is not for us.
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
        let (false, Some(hop)) = (call.peer.progress.is_authenticated, call.peer.hop) else {
            return false;
        };
        let Some((account, answerable)) = settings.access.answerable(&hop, message) else {
            return false;
        };
        let mut room = [0; URI_MAX];
        let mut writer = Writer::new(&mut room);
        let other = call.search.as_ref().and_then(|search| search.uri());
        let dialled = other.unwrap_or_else(|| call.offer.request_uri());
        write_peer_uri(&mut writer, dialled, &hop);
        let length = writer.finish().ok();
        let Some(uri) = length.and_then(|length| room.get(..length)) else {
            return false;
        };
        let cnonce = self.context.ack_branch();
        // What is quoted stands in the refusal or in the configuration.
        let quoted = message.bytes().len() + URI_MAX;
        let is_sent = self.invite_again(now, key, quoted, |writer| {
            account.write(writer, &answerable, (b"INVITE", uri), &cnonce);
        });
        if is_sent {
            if let Some(call) = self.calls.get_mut(key) {
                call.peer.progress.is_authenticated = true;
            }
            self.context.counters.challenges_answered.add_one();
        }
        is_sent
    }

    /// Sends a request inside a dialog once more, as its refusal asks for it, once for each kind of refusal;
    /// `false`: the refusal is not for us.
    pub(crate) fn ask_again(
        &mut self,
        now: Instant,
        (client, purpose): (Key, Purpose),
        kept: &Challenged,
        refusal: &Message<'_>,
    ) -> bool {
        let settings = Arc::clone(&self.context.settings);
        if !self.is_still_wanted(client, purpose, refusal.cseq_method()) {
            return false;
        }
        if refusal.status() == 422 {
            let Some(wanted) = again::longer(kept, refusal) else {
                return false;
            };
            let marks = (false, true);
            return self.send_again(now, purpose, (kept, marks), refusal, |writer, names| {
                again::write_longer(&settings, writer, kept, names, wanted);
            });
        }
        let Some((account, answerable)) = settings.access.answerable(&kept.hop, refusal) else {
            return false;
        };
        let cnonce = self.context.ack_branch();
        let marks = (true, kept.is_longer);
        let is_sent = self.send_again(now, purpose, (kept, marks), refusal, |writer, names| {
            let lines = write_start_again(&settings, writer, kept, names);
            account.write(writer, &answerable, kept.start(), &cnonce);
            lines.for_each(|line| writer.put(line));
        });
        if is_sent {
            self.context.counters.challenges_answered.add_one();
        }
        is_sent
    }

    fn send_again(
        &mut self,
        now: Instant,
        purpose: Purpose,
        (kept, marks): (&Challenged, (bool, bool)),
        refusal: &Message<'_>,
        write: impl FnOnce(&mut Writer<'_>, (&Text, u32)),
    ) -> bool {
        let leg = self.leg_asked(purpose);
        let dialog = leg.and_then(|(call, side)| self.calls.get_mut(call)?.dialog_mut(side));
        let next = refusal.cseq() + 1;
        let cseq = dialog.map_or(next, |dialog| {
            dialog.cseq_local += 1;
            dialog.cseq_local
        });
        // What is quoted stands in the refusal or in the configuration.
        let room = kept.bytes().len() + refusal.bytes().len() + URI_MAX;
        let to = (purpose, kept.hop);
        let (context, clients) = (&mut self.context, &mut self.clients);
        let sent = clients.send(context, now, to, room, |writer, branch| {
            write(writer, (branch, cseq));
        });
        let Some(again) = sent else { return false };
        self.clients.mark_again(again, marks);
        self.goes_on_as(now, purpose, (again, cseq), refusal);
        true
    }

    /// Whether somebody waits for what the request asks for.
    fn is_still_wanted(&self, client: Key, purpose: Purpose, method: Method) -> bool {
        match purpose {
            Purpose::ByeToCaller(_)
            | Purpose::ByeToLate(_)
            | Purpose::ByeToPeer(_)
            | Purpose::Notice(..) => true,
            // The BYE to a fork that lost. A CANCEL is never challenged (§22.1).
            Purpose::Forgotten => method == Method::Bye,
            Purpose::Exchange(exchange) => self.exchanges.get(exchange).is_some(),
            Purpose::Reinvite(exchange) => {
                let exchange = self.exchanges.get(exchange);
                let reinvite = exchange.and_then(|exchange| exchange.reinvite.as_ref());
                reinvite.is_some_and(|reinvite| reinvite.is_unanswered())
            }
            Purpose::Refresh(call, side) | Purpose::RefreshByInvite(call, side) => {
                let call = self.calls.get(call);
                let refreshing = call.and_then(|call| call.session(side).refreshing);
                refreshing.is_some_and(|refreshing| refreshing.client == client)
            }
            Purpose::Transfer(attempt) => self.calls_target_in(attempt.call, client),
            Purpose::TransferOffer(call) => self.offers_in(call, client),
            Purpose::Invite(_) | Purpose::Probe(_) => false,
        }
    }

    /// The leg that a request was sent on.
    fn leg_asked(&self, purpose: Purpose) -> Option<(Key, Side)> {
        match purpose {
            Purpose::ByeToCaller(call) => Some((call, Side::Caller)),
            Purpose::ByeToPeer(call) => Some((call, Side::Peer)),
            Purpose::Exchange(exchange) | Purpose::Reinvite(exchange) => {
                Some(self.exchanges.get(exchange)?.asked())
            }
            Purpose::Notice(call, side)
            | Purpose::Refresh(call, side)
            | Purpose::RefreshByInvite(call, side) => Some((call, side)),
            Purpose::TransferOffer(call) => self.side_that_stays(call).map(|side| (call, side)),
            Purpose::ByeToLate(_)
            | Purpose::Forgotten
            | Purpose::Invite(_)
            | Purpose::Probe(_)
            | Purpose::Transfer(_) => None,
        }
    }

    /// The request goes on in another transaction and under another number.
    fn goes_on_as(
        &mut self,
        now: Instant,
        purpose: Purpose,
        (client, cseq): (Key, u32),
        refusal: &Message<'_>,
    ) {
        match purpose {
            Purpose::Reinvite(exchange) => {
                if let Some(reinvite) = self.exchanges.reinvite_mut(exchange) {
                    reinvite.goes_on_as(client, cseq);
                }
            }
            Purpose::Refresh(call, side) | Purpose::RefreshByInvite(call, side) => {
                let call = self.calls.get_mut(call);
                let session = call.map(|call| call.session_mut(side));
                if let Some(refreshing) = session.and_then(|session| session.refreshing.as_mut()) {
                    refreshing.client = client;
                }
            }
            // NOTIFYs name a REFER by its number (RFC 3515 §2.4.6).
            Purpose::Exchange(exchange) => {
                let asked = self
                    .exchanges
                    .get(exchange)
                    .map(|exchange| exchange.asked());
                if let Some((call, side)) = asked {
                    self.refer_renumbered(call, side.other(), (refusal.cseq(), cseq));
                }
            }
            Purpose::Transfer(attempt) => self.target_goes_on_as(now, attempt.call, client),
            Purpose::TransferOffer(call) => self.offer_goes_on_as(call, client),
            Purpose::ByeToCaller(_)
            | Purpose::ByeToLate(_)
            | Purpose::ByeToPeer(_)
            | Purpose::Forgotten
            | Purpose::Invite(_)
            | Purpose::Notice(..)
            | Purpose::Probe(_) => {}
        }
    }
}

/// Writes a request of ours once more, up to and with its CSeq; what follows there is left. It begins with
/// request line and Via; lines that passed may be folded, and a folded line begins with white space.
pub(super) fn write_start_again<'a>(
    settings: &Settings,
    writer: &mut Writer<'_>,
    kept: &'a Challenged,
    (branch, cseq): (&Text, u32),
) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    let (method, uri) = kept.start();
    writer.request_line(method, uri);
    write_via(settings, writer, &kept.hop, branch);
    let mut lines = kept.bytes().split_inclusive(|octet| *octet == b'\n');
    for line in lines.by_ref().skip(2) {
        if line.starts_with(b"CSeq: ") {
            break;
        }
        writer.put(line);
    }
    writer.put(b"CSeq: ");
    writer.number(cseq);
    writer.put(b" ");
    writer.put(method);
    writer.put(b"\r\n");
    lines
}
