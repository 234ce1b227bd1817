//! Names of dialogs, translated (RFC 3891, RFC 3515, RFC 4538; TRUNK.md section 5 rule 6).
//!
//! Who names a dialog with Baton means the one behind it: Call-ID and both tags become those of the
//! other leg, as the one there knows them. A dialog that is none of ours keeps its name in a
//! Refer-To, which is about third parties; an INVITE that replaces it gets 481.

use super::refer::Named;
use super::side::{Side, Stage};
use crate::core::Core;
use crate::hop::Hop;
use crate::output::Replaced;
use crate::sip::dialog::Dialog;
use crate::sip::message::{
    HeaderName, Message, Method, ReferTo, Replaces, TargetDialog, percent_decoded,
};
use crate::sip::reject::Cause;
use crate::slots::Key;

/// Most REFERs of a call whose NOTIFYs find their number.
const REFERS_MAX: usize = 8;

/// A REFER that went across: its NOTIFYs name it by its number (RFC 3515 §2.4.6).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refer {
    /// Who sent it.
    from: Side,
    cseq_in: u32,
    cseq_out: u32,
}

impl Core {
    /// Replaces of a new INVITE, for the peer of the call that it names, and that call (RFC 3891 §3).
    pub(crate) fn translated_replaces(
        &self,
        source: &Hop,
        message: &Message<'_>,
    ) -> Result<Option<(Replaced, Vec<u8>)>, Cause> {
        let Some(value) = message.header(HeaderName::Replaces) else {
            return Ok(None);
        };
        // RFC 3891 §3: what cannot be read, or names nothing here, is 481; two of them are 400, but
        // none of them will do either.
        let replaces = Replaces::parse(value).map_err(|_| Cause::NoDialog)?;
        let named = (replaces.call_id, replaces.to_tag, replaces.from_tag);
        let (key, side) = self.dialog_named(named).ok_or(Cause::NoDialog)?;
        let call = self.calls.get(key).ok_or(Cause::NoDialog)?;
        // Behind the dialog of a peer is a caller, and nobody is called there.
        let (Side::Caller, Some(hop)) = (side, call.peer.hop) else {
            return Err(Cause::NoDialog);
        };
        // Only who could end the dialog may take it over (docs/decisions/0018-replaces.md).
        if !call.is_from_caller(&self.context.settings.access, source) {
            self.context.counters.refused_foreign_source.add_one();
            return Err(Cause::Forbidden);
        }
        // What is over already is declined.
        if [Side::Caller, Side::Peer]
            .map(|side| call.stage(side))
            .contains(&Stage::Over)
        {
            return Err(Cause::Declined);
        }
        let replaced = Replaced {
            attempt: call.peer.progress.current(key),
            hop,
        };
        let mut line = b"Replaces: ".to_vec();
        write_name(&mut line, call.dialog(Side::Peer).ok_or(Cause::NoDialog)?);
        if replaces.early_only {
            line.extend_from_slice(b";early-only");
        }
        line.extend_from_slice(b"\r\n");
        Ok(Some((replaced, line)))
    }

    /// The worker that has the dialog which a new INVITE replaces.
    pub(crate) fn worker_of_replaced(&self, message: &Message<'_>) -> Option<u8> {
        let value = message.header(HeaderName::Replaces)?;
        let replaces = Replaces::parse(value).ok()?;
        Some(self.leg_of(replaces.to_tag)?.worker)
    }

    /// Whether a REFER names a dialog of this node that cannot be translated: it is over, or another
    /// worker has it. It would mean nothing on the other leg (TRUNK.md section 5 rule 6).
    pub(crate) fn refers_to_unknown(&self, message: &Message<'_>) -> bool {
        let is_unknown = |value| {
            let refer_to = ReferTo::parse(value).ok()?;
            let text: Vec<u8> = percent_decoded(refer_to.replaces()?).collect();
            let replaces = Replaces::parse(&text).ok()?;
            self.leg_of(replaces.to_tag)?;
            Some(self.translated_refer_to(value).is_none())
        };
        let refer_to = message.header(HeaderName::ReferTo);
        refer_to.and_then(is_unknown).unwrap_or(false)
    }

    /// The lines of a request inside a dialog that name dialogs or numbers of this leg, written for
    /// the other one.
    pub(crate) fn translated_lines(&self, key: Key, from: Side, message: &Message<'_>) -> Vec<u8> {
        let mut lines = Vec::new();
        if message.method() == Method::Refer
            && let Some(value) = message.header(HeaderName::ReferTo)
        {
            self.write_refer_to(&mut lines, value);
        }
        if let Some(value) = message.header(HeaderName::TargetDialog)
            && let Ok(target) = TargetDialog::parse(value)
            && let Some((key, side)) =
                self.dialog_named((target.call_id, target.local_tag, target.remote_tag))
            && let Some(other) = self
                .calls
                .get(key)
                .and_then(|call| call.dialog(side.other()))
        {
            lines.extend_from_slice(b"Target-Dialog: ");
            lines.extend_from_slice(other.call_id());
            lines.extend_from_slice(b";local-tag=");
            lines.extend_from_slice(other.remote_tag());
            lines.extend_from_slice(b";remote-tag=");
            lines.extend_from_slice(other.local_tag());
            lines.extend_from_slice(b"\r\n");
        }
        if let Some(event) = self.translated_event(key, from, message) {
            lines.extend_from_slice(b"Event: ");
            lines.extend_from_slice(&event);
            lines.extend_from_slice(b"\r\n");
        }
        lines
    }

    /// Remembers the numbers of a REFER that was carried across.
    pub(crate) fn keep_refer(&mut self, key: Key, from: Side, cseq_in: u32, cseq_out: u32) {
        if let Some(call) = self.calls.get_mut(key) {
            if call.refers.len() >= REFERS_MAX {
                call.refers.remove(0);
            }
            call.refers.push(Refer {
                from,
                cseq_in,
                cseq_out,
            });
        }
    }

    /// A REFER of this side went across once more, under another number.
    pub(crate) fn refer_renumbered(&mut self, key: Key, from: Side, (old, new): (u32, u32)) {
        let refers = self.calls.get_mut(key).map(|call| call.refers.iter_mut());
        for refer in refers.into_iter().flatten() {
            if refer.from == from && refer.cseq_out == old {
                refer.cseq_out = new;
            }
        }
    }

    /// Event with the number of a REFER: a NOTIFY goes against it, a SUBSCRIBE with it.
    fn translated_event(&self, key: Key, from: Side, message: &Message<'_>) -> Option<Vec<u8>> {
        let value = message.header(HeaderName::Event)?;
        let (front, id) = split_at_id(value)?;
        let id: u32 = std::str::from_utf8(id).ok()?.trim().parse().ok()?;
        let mut refers = self.calls.get(key)?.refers.iter();
        let translated = if message.method() == Method::Notify {
            let refer = refers.find(|refer| refer.from != from && refer.cseq_out == id)?;
            refer.cseq_in
        } else {
            let refer = refers.find(|refer| refer.from == from && refer.cseq_in == id)?;
            refer.cseq_out
        };
        let mut event = front.to_vec();
        event.extend_from_slice(translated.to_string().as_bytes());
        Some(event)
    }

    /// The dialog with Baton that somebody means: our tag in it, and theirs.
    fn dialog_named(
        &self,
        (call_id, our_tag, their_tag): (&[u8], &[u8], &[u8]),
    ) -> Option<(Key, Side)> {
        let token = self.leg_of(our_tag)?;
        if token.worker != self.context.settings.worker {
            return None;
        }
        let call = self.calls.get(token.key)?;
        let side = call.side_named(token.kind, call_id)?;
        let dialog = call.dialog(side)?;
        let is_meant = dialog.call_id() == call_id
            && dialog.remote_tag().eq_ignore_ascii_case(their_tag)
            && dialog.local_tag().eq_ignore_ascii_case(our_tag);
        is_meant.then_some((token.key, side))
    }

    /// Where a Refer-To leads whose Replaces names one of our dialogs: to the URI of whoever is behind
    /// it, with a Replaces line of that dialog.
    pub(crate) fn replaced_by(&self, call: Key, refer_to: &ReferTo<'_>) -> Option<Named> {
        let text: Vec<u8> = percent_decoded(refer_to.replaces()?).collect();
        let replaces = Replaces::parse(&text).ok()?;
        let named = (replaces.call_id, replaces.to_tag, replaces.from_tag);
        // Nobody is joined with itself.
        let (key, side) = self.dialog_named(named).filter(|(key, _)| *key != call)?;
        let named = self.calls.get(key)?;
        let other = named.dialog(side.other())?;
        let mut lines = b"Replaces: ".to_vec();
        write_name(&mut lines, other);
        if replaces.early_only {
            lines.extend_from_slice(b";early-only");
        }
        lines.extend_from_slice(b"\r\n");
        let attempt = named.attempt_of(key, side.other());
        Some(Named {
            uri: other.target().to_vec(),
            lines,
            hop: Some(other.hop),
            replaced: attempt.map(|attempt| Replaced {
                attempt,
                hop: other.hop,
            }),
        })
    }

    /// Refer-To: with a Replaces that names one of our dialogs, whoever is behind it is called.
    fn write_refer_to(&self, lines: &mut Vec<u8>, value: &[u8]) {
        lines.extend_from_slice(b"Refer-To: ");
        match self.translated_refer_to(value) {
            Some(translated) => lines.extend_from_slice(&translated),
            None => lines.extend_from_slice(value),
        }
        lines.extend_from_slice(b"\r\n");
    }

    fn translated_refer_to(&self, value: &[u8]) -> Option<Vec<u8>> {
        let refer_to = ReferTo::parse(value).ok()?;
        let text: Vec<u8> = percent_decoded(refer_to.replaces()?).collect();
        let replaces = Replaces::parse(&text).ok()?;
        let named = (replaces.call_id, replaces.to_tag, replaces.from_tag);
        let (key, side) = self.dialog_named(named)?;
        let other = self.calls.get(key)?.dialog(side.other())?;
        let mut name = Vec::new();
        write_name(&mut name, other);
        let mut translated = b"<".to_vec();
        translated.extend_from_slice(other.target());
        translated.extend_from_slice(b"?Replaces=");
        escape(&mut translated, &name);
        // The other headers that the call is to have.
        for header in refer_to.uri.headers.split(|octet| *octet == b'&') {
            let is_replaces = header
                .get(..9)
                .is_some_and(|name| name.eq_ignore_ascii_case(b"Replaces="));
            if !header.is_empty() && !is_replaces {
                translated.push(b'&');
                translated.extend_from_slice(header);
            }
        }
        translated.push(b'>');
        Some(translated)
    }
}

/// A dialog's name, as the other end of it knows it (RFC 3891 §6.1).
fn write_name(text: &mut Vec<u8>, dialog: &Dialog) {
    text.extend_from_slice(dialog.call_id());
    text.extend_from_slice(b";to-tag=");
    text.extend_from_slice(dialog.remote_tag());
    text.extend_from_slice(b";from-tag=");
    text.extend_from_slice(dialog.local_tag());
}

/// Writes text into a header of a URI (RFC 3261 §25.1, `hvalue`).
fn escape(text: &mut Vec<u8>, plain: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for octet in plain {
        if octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(octet) {
            text.push(*octet);
        } else {
            let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or(b'0');
            text.extend([b'%', digit(octet >> 4), digit(octet & 15)]);
        }
    }
}

/// `refer;id=` and what follows it, where `id` is the last parameter.
fn split_at_id(event: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_refer = event
        .get(..5)
        .is_some_and(|name| name.eq_ignore_ascii_case(b"refer"));
    let at = event
        .windows(4)
        .position(|four| four.eq_ignore_ascii_case(b";id="))?;
    is_refer.then(|| event.split_at_checked(at + 4)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_letter_or_mark_is_escaped() {
        let mut text = Vec::new();
        escape(&mut text, b"a@b;to-tag=x~1");
        assert_eq!(text, b"a%40b%3Bto-tag%3Dx~1");
    }

    #[test]
    fn only_the_event_of_a_refer_has_its_number() {
        assert_eq!(
            split_at_id(b"refer;id=93809824"),
            Some((&b"refer;id="[..], &b"93809824"[..]))
        );
        assert_eq!(split_at_id(b"conference;id=1"), None);
        assert_eq!(split_at_id(b"refer"), None);
    }
}
