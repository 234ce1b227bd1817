//! Probes of peers: OPTIONS outside any dialog (RFC 3261 §11.1, TRUNK.md section 3).
//!
//! The owner says when, to whom and how long to wait; the core sends, repeats over datagrams, and
//! tells what came back. What that means for the peer is the owner's to know.

use crate::core::Core;
use crate::hop::Hop;
use crate::output::{Outcome, Output, Probe, Trouble};
use crate::sip::dialog::{target, write_via};
use crate::sip::message::Writer;
use crate::sip::token::Text;
use crate::sip::transaction::client::Purpose;
use std::sync::Arc;
use std::time::Instant;

/// Request line, Via, To and the rest, with long names of ours.
const ROOM: usize = 1024;

impl Core {
    /// Sends OPTIONS to a peer; what comes of it is told with [`Output::Probed`].
    pub fn handle_probe(&mut self, now: Instant, probe: Probe) {
        let settings = Arc::clone(&self.context.settings);
        let Some(listener) = settings.listener_for(probe.transport, &probe.remote) else {
            self.probed(probe.peer, Outcome::Unreachable(Trouble::Refused));
            return;
        };
        let hop = Hop {
            transport: probe.transport,
            listener,
            remote: probe.remote,
            connection: None,
            identity: None,
        };
        let (call_id, tag) = (self.context.ack_branch(), self.context.ack_branch());
        let advertised = settings
            .listener(listener)
            .map_or("invalid", |listener| listener.advertised.as_str());
        let purpose = (Purpose::Probe(probe.peer), hop);
        let sent = self
            .clients
            .send(&mut self.context, now, purpose, ROOM, |writer, branch| {
                writer.put(b"OPTIONS ");
                write_peer(writer, &hop);
                writer.put(b" SIP/2.0\r\n");
                write_via(&settings, writer, &hop, branch);
                write_names(writer, &hop, advertised.as_bytes(), (&call_id, &tag));
                writer.body(b"");
            });
        // A full table says nothing about the peer.
        if let Some(client) = sent {
            self.context.connect_within(probe.connect_patience);
            let until = now + probe.patience;
            self.clients.end_at(&mut self.context, client, until);
            self.context.counters.probes_sent.add_one();
        }
    }

    /// Tells the owner what came of a probe.
    pub(crate) fn probed(&mut self, peer: u32, outcome: Outcome) {
        if !matches!(outcome, Outcome::Answered { .. }) {
            self.context.counters.probes_failed.add_one();
        }
        self.context
            .outputs
            .push_back(Output::Probed(peer, outcome));
    }
}

/// A peer as a Request-URI without a user.
fn write_peer(writer: &mut Writer<'_>, hop: &Hop) {
    writer.put(b"sip:");
    target::write_address(writer, &hop.remote);
    writer.put(hop.transport.uri_parameter().as_bytes());
}

fn write_names(
    writer: &mut Writer<'_>,
    hop: &Hop,
    advertised: &[u8],
    (call_id, tag): (&Text, &Text),
) {
    writer.put(b"Max-Forwards: 70\r\nFrom: <sip:");
    writer.put(advertised);
    writer.put(b">;tag=");
    writer.put(tag);
    writer.put(b"\r\nTo: <");
    write_peer(writer, hop);
    writer.put(b">\r\nCall-ID: ");
    writer.put(call_id);
    writer.put(b"\r\nCSeq: 1 OPTIONS\r\nContact: <sip:");
    writer.put(advertised);
    writer.put(hop.transport.uri_parameter().as_bytes());
    writer.put(b">\r\nAccept: application/sdp\r\n");
}
