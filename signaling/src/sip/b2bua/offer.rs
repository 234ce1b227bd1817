//! What an INVITE says, kept until it is answered: enough to write it to any peer, without reading
//! it again.

use super::headers::Passage;
use super::side::Side;
use super::{extensions, headers, refresh, session_timer};
use crate::access::Zone;
use crate::hop::Hop;
use crate::pool::{Buffer, Pool};
use crate::settings::Settings;
use crate::sip::dialog::contact::{Features, write_contact, write_features};
use crate::sip::dialog::{target, write_via};
use crate::sip::message::{HeaderName, Message, Writer};
use crate::sip::token::Text;

/// The parts of [`Offer::buffer`], in their order; each ends where the next one starts.
#[derive(Clone, Copy)]
enum Part {
    RequestUri,
    /// The From value up to where its tag stands.
    FromFront,
    FromBack,
    To,
    /// Header lines that pass, with their CRLF.
    Lines,
    Body,
    /// What the caller can do.
    Features,
}

const PARTS: [Part; 7] = [
    Part::RequestUri,
    Part::FromFront,
    Part::FromBack,
    Part::To,
    Part::Lines,
    Part::Body,
    Part::Features,
];

/// The INVITE of a call that is being set up.
#[derive(Debug, Default)]
pub(crate) struct Offer {
    buffer: Buffer,
    ends: [u32; 7],
    max_forwards: u32,
    has_sdp: bool,
}

/// What is written for the peer leg beside the offer's own text: request line, Via, Contact and so
/// on.
const ADDED_MAX: usize = 1536;
/// RFC 5393 §5.3.3.2, of a call that came without.
const MAX_BREADTH: &[u8] = b"Max-Breadth: 60\r\n";
/// RFC 3261 §8.1.1.6.
const MAX_FORWARDS_DEFAULT: u32 = 70;

impl Offer {
    /// Keeps what an INVITE says, as far as its zone lets it pass.
    ///
    /// `translated` are lines that were written for the peer.
    pub(crate) fn of(
        message: &Message<'_>,
        zone: Option<&Zone>,
        translated: &[u8],
        pool: &mut Pool,
    ) -> Self {
        let room =
            message.bytes().len() + headers::ALLOW.len() + MAX_BREADTH.len() + translated.len();
        let mut buffer = pool.take(room);
        let from = message.from();
        let (front, back) = split_at_tag(from, message.from_tag());
        let mut ends = [0; 7];
        let mut writer = Writer::new(buffer.room());
        for (part, end) in PARTS.into_iter().zip(&mut ends) {
            match part {
                Part::RequestUri => writer.put(message.request_uri()),
                Part::FromFront => writer.put(front),
                Part::FromBack => writer.put(back),
                Part::To => writer.put(message.to()),
                Part::Lines => {
                    let passage = Passage::of(message, zone, Side::Peer);
                    writer.pass(message, |line| passage.lets(line));
                    if message.header(HeaderName::MaxBreadth).is_none() {
                        writer.put(MAX_BREADTH);
                    }
                    writer.put(translated);
                    extensions::write(&mut writer, message);
                    headers::write_allow(&mut writer, message, zone);
                }
                Part::Body => writer.put(message.body()),
                Part::Features => write_features(&mut writer, Features::Of(message)),
            }
            *end = u32::try_from(writer.len()).unwrap_or(u32::MAX);
        }
        // Each part is a part of the message, so they fit where it would: what is left out (Via,
        // Call-ID, CSeq) is longer than what is written anew.
        let length = writer.finish().unwrap_or(0);
        buffer.set_length(length);
        Self {
            buffer,
            ends,
            has_sdp: refresh::is_sdp(message),
            max_forwards: message
                .max_forwards()
                .unwrap_or(MAX_FORWARDS_DEFAULT + 1)
                // ZON-14: the lower of the two counts wins.
                .min(zone.map_or(u32::MAX, |zone| zone.hops_max.saturating_add(1))),
        }
    }

    /// The Request-URI as dialled.
    pub(crate) fn request_uri(&self) -> &[u8] {
        self.part(Part::RequestUri)
    }

    /// The body, whatever it is.
    pub(crate) fn body(&self) -> &[u8] {
        self.part(Part::Body)
    }

    /// The body, if it is a session description and nothing else.
    pub(crate) fn sdp(&self) -> &[u8] {
        if self.has_sdp {
            self.part(Part::Body)
        } else {
            &[]
        }
    }

    /// Octets that [`Offer::write`] may write.
    pub(crate) fn room(&self) -> usize {
        self.buffer.as_slice().len() + self.part(Part::RequestUri).len() + ADDED_MAX
    }

    /// Writes the INVITE of the peer leg, with the credentials that the peer asked for.
    pub(crate) fn write(
        &self,
        settings: &Settings,
        writer: &mut Writer<'_>,
        hop: &Hop,
        names: &PeerNames<'_>,
        credentials: impl FnOnce(&mut Writer<'_>),
    ) {
        writer.put(b"INVITE ");
        let uri = names.uri.unwrap_or_else(|| self.request_uri());
        target::write_peer_uri(writer, uri, hop);
        writer.put(b" SIP/2.0\r\n");
        write_via(settings, writer, hop, &names.branch);
        writer.put(b"Max-Forwards: ");
        writer.number(self.max_forwards.saturating_sub(1));
        writer.put(b"\r\nFrom: ");
        writer.put(self.part(Part::FromFront));
        writer.put(b";tag=");
        writer.put(&names.tag);
        writer.put(self.part(Part::FromBack));
        writer.put(b"\r\nTo: ");
        writer.put(self.part(Part::To));
        writer.put(b"\r\nCall-ID: ");
        writer.put(&names.call_id);
        writer.put(b"\r\nCSeq: ");
        writer.number(names.cseq);
        writer.put(b" INVITE\r\n");
        let features = Features::Kept(self.part(Part::Features));
        write_contact(settings, writer, hop, (&names.tag, features));
        credentials(writer);
        let mut times = settings.session;
        times.min_se = times.min_se.max(names.min_se);
        session_timer::write_wish(writer, times, (times.expires, None));
        writer.put(self.part(Part::Lines));
        writer.body(self.part(Part::Body));
    }

    /// Gives the memory back.
    pub(crate) fn release(&mut self, pool: &mut Pool) {
        pool.put(std::mem::take(&mut self.buffer));
        self.ends = [0; 7];
    }

    fn part(&self, part: Part) -> &[u8] {
        let index = part as usize;
        let end = self.ends.get(index).copied().unwrap_or(0);
        let start = index
            .checked_sub(1)
            .and_then(|before| self.ends.get(before).copied())
            .unwrap_or(0);
        self.buffer
            .as_slice()
            .get(start as usize..end as usize)
            .unwrap_or(&[])
    }
}

/// What the peer leg is called: all tokens of the call.
pub(crate) struct PeerNames<'a> {
    pub(crate) branch: Text,
    pub(crate) tag: Text,
    pub(crate) call_id: Text,
    pub(crate) cseq: u32,
    /// The least session interval that the peer asked for, or 0.
    pub(crate) min_se: u32,
    /// The URI that the call goes to, instead of the one that was dialled.
    pub(crate) uri: Option<&'a [u8]>,
}

/// A From value without its tag parameter: what stands before and after it.
pub(crate) fn split_at_tag<'a>(from: &'a [u8], tag: Option<&'a [u8]>) -> (&'a [u8], &'a [u8]) {
    let whole = (from, &b""[..]);
    let Some(tag) = tag else { return whole };
    // The tag is a part of `from`: its place is the difference of the addresses.
    let start = (tag.as_ptr() as usize).wrapping_sub(from.as_ptr() as usize);
    let Some((front, back)) = from.split_at_checked(start) else {
        return whole;
    };
    let Some(back) = back.get(tag.len()..) else {
        return whole;
    };
    // `;tag=` may be written with white space around its signs (RFC 3261 §7.3.1).
    let front = front.trim_ascii_end();
    let front = front.strip_suffix(b"=").unwrap_or(front).trim_ascii_end();
    let Some((front, name)) = front
        .len()
        .checked_sub(3)
        .and_then(|at| front.split_at_checked(at))
    else {
        return whole;
    };
    debug_assert!(
        name.eq_ignore_ascii_case(b"tag"),
        "the index found the tag behind its name"
    );
    let front = front.trim_ascii_end();
    (
        front.strip_suffix(b";").unwrap_or(front).trim_ascii_end(),
        back,
    )
}

/// Whether a request may be carried one hop further (RFC 3261 §16.3 step 3).
pub(crate) fn has_hops_left(message: &Message<'_>) -> bool {
    message.max_forwards() != Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_goes_and_the_rest_stays() {
        for (from, tag, front, back) in [
            (
                &b"<sip:a@b>;tag=1x"[..],
                Some((14, 2)),
                &b"<sip:a@b>"[..],
                &b""[..],
            ),
            (
                b"\"A;tag=no\" <sip:a@b> ; tag = 1x ;x=y",
                Some((29, 2)),
                b"\"A;tag=no\" <sip:a@b>",
                b" ;x=y",
            ),
            (b"<sip:a@b>", None, b"<sip:a@b>", b""),
        ] {
            let tag = tag.map(|(at, length)| &from[at..at + length]);
            assert_eq!(split_at_tag(from, tag), (front, back));
        }
    }
}
