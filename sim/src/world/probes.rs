//! Messages out of place: what a confused or hostile agent asks in the name of a call. Each gets the answer that is due,
//! and changes nothing.

use super::World;
use crate::finding::Fault;
use crate::node::Sent;
use crate::place::{Place, Side};
use crate::scenario::thawed;
use crate::witness::Target;
use loadtest::agent::Random;
use signaling::Transport;

/// Stands in the branch of every probe; agents never see the answers.
const MARK: &str = "z9hG4bKprobe-";

/// A message out of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    /// An ACK with another number in CSeq.
    AckOfAnother,
    /// An ACK before there is anything to acknowledge.
    AckTooEarly,
    /// A BYE when the dialog is over.
    ByeAfterEnd,
    /// A BYE by somebody who has another tag.
    ByeOfStranger,
    /// A BYE with the tags of one call and the Call-ID of another.
    ByeOfAnotherCall,
    /// A BYE to a tag that the node never made.
    ByeToNobody,
    /// A CANCEL of an INVITE that never was.
    CancelOfNothing,
    /// A request inside the dialog with a number in CSeq that has been used.
    Info,
    /// OPTIONS, as a monitoring system sends it.
    Options,
    /// A method that the node does not carry across.
    Publish,
    /// A re-INVITE with a number in CSeq that has been used.
    ReInvite,
    /// A 200 to a request that the node never sent.
    ResponseToNothing,
}

impl Probe {
    const ALL: [Self; 12] = [
        Self::AckOfAnother,
        Self::AckTooEarly,
        Self::ByeAfterEnd,
        Self::ByeOfStranger,
        Self::ByeOfAnotherCall,
        Self::ByeToNobody,
        Self::CancelOfNothing,
        Self::Info,
        Self::Options,
        Self::Publish,
        Self::ReInvite,
        Self::ResponseToNothing,
    ];

    fn method(self) -> &'static str {
        match self {
            Self::AckOfAnother | Self::AckTooEarly => "ACK",
            Self::ByeAfterEnd
            | Self::ByeOfAnotherCall
            | Self::ByeOfStranger
            | Self::ByeToNobody => "BYE",
            Self::CancelOfNothing => "CANCEL",
            Self::Info => "INFO",
            Self::Options => "OPTIONS",
            Self::Publish => "PUBLISH",
            Self::ReInvite | Self::ResponseToNothing => "INVITE",
        }
    }

    /// Whether it is out of place in this leg.
    fn fits(self, target: &Target) -> bool {
        match self {
            Self::AckTooEarly => !target.has_dialog,
            Self::ByeAfterEnd => target.is_over,
            Self::AckOfAnother
            | Self::ByeOfAnotherCall
            | Self::ByeOfStranger
            | Self::ByeToNobody
            | Self::CancelOfNothing
            | Self::Options
            | Self::Publish
            | Self::ResponseToNothing => true,
            // Only the caller's side has used a number for certain: that of its INVITE.
            Self::Info | Self::ReInvite => target.agent.side() == Some(Side::Caller),
        }
    }

    /// The answers that are right; none: there must be no answer.
    fn answers(self, target: &Target) -> &'static [u16] {
        match self {
            Self::AckOfAnother | Self::AckTooEarly | Self::ResponseToNothing => &[],
            Self::ByeAfterEnd => &[200, 481],
            Self::ByeOfAnotherCall
            | Self::ByeOfStranger
            | Self::ByeToNobody
            | Self::CancelOfNothing => &[481],
            Self::Info | Self::ReInvite if target.has_dialog && !target.is_ending => &[500],
            Self::Info | Self::ReInvite => &[481, 500],
            Self::Options => &[200, 481],
            Self::Publish if target.has_dialog && !target.is_over => &[405, 500],
            Self::Publish => &[405, 481, 500],
        }
    }

    fn text(self, target: &Target, (transport, is_v6): (Transport, bool), serial: u64) -> String {
        let local = target.agent.address(is_v6);
        let via = format!("SIP/2.0/{transport} {local};branch={MARK}{serial};rport");
        let node = Place::Node.address(is_v6);
        let method = self.method();
        let (call_id, node_tag) = (&target.call_id, &target.node_tag);
        let call_id = if self == Self::ByeOfAnotherCall {
            "another"
        } else {
            call_id
        };
        let agent_tag = if self == Self::ByeOfStranger {
            "stranger"
        } else {
            &target.agent_tag
        };
        let node_tag = if self == Self::ByeToNobody {
            "nobody"
        } else {
            node_tag
        };
        let (start, via) = if self == Self::ResponseToNothing {
            (
                "SIP/2.0 200 OK".to_owned(),
                format!("SIP/2.0/{transport} {node};branch={MARK}{serial}"),
            )
        } else {
            (format!("{method} sip:{node_tag}@{node} SIP/2.0"), via)
        };
        let cseq = match self {
            Self::AckTooEarly | Self::CancelOfNothing => target.cseq,
            // What is to come of the call has higher numbers, and must not be put out of order.
            Self::Info | Self::Publish | Self::ReInvite => 0,
            Self::AckOfAnother
            | Self::ByeAfterEnd
            | Self::ByeOfAnotherCall
            | Self::ByeOfStranger
            | Self::ByeToNobody
            | Self::Options
            | Self::ResponseToNothing => target.cseq + 100,
        };
        format!(
            "{start}\r\nVia: {via}\r\nMax-Forwards: 70\r\n\
             From: <sip:probe@example.com>;tag={agent_tag}\r\nTo: <sip:room@example.com>;tag={node_tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:probe@{local}>\r\n\
             User-Agent: a confused agent, whose messages are never longer than this\r\nContent-Length: 0\r\n\r\n"
        )
    }
}

impl World {
    /// Somebody asks something out of place.
    pub(super) fn probe(&mut self) -> Result<(), Fault> {
        let serial = self.probes as u64;
        self.probes += 1;
        if thawed(&self.scenario.freezes, self.now) > self.now {
            return Ok(());
        }
        let Some(target) = self.witness.target(&mut self.random) else {
            return Ok(());
        };
        let Some(probe) = any(&mut self.random, &target) else {
            return Ok(());
        };
        let transport = self.transport_of(target.agent);
        let connection = match transport {
            Transport::Tcp | Transport::Tls => self.net.streams.with(self.now, target.agent),
            Transport::Udp => None,
        };
        if transport.is_reliable() && connection.is_none() {
            return Ok(());
        }
        let text = probe.text(&target, (transport, self.scenario.is_v6), serial);
        self.note(
            Some(target.call),
            &format!("{} tries {probe:?}", target.agent),
        );
        let fault = |what: String| {
            Fault::of_call(
                target.call,
                format!("{probe:?} by {}: {what}", target.agent),
            )
        };
        let before = self.node.holdings(false);
        let now = self.base + self.now;
        let at = self.random.below(self.node.workers() as u64);
        let at = usize::try_from(at).unwrap_or(0);
        let source = (target.agent, transport, connection);
        let owner = self
            .node
            .handle_message(now, at, source, text.as_bytes())
            .map_err(fault)?;
        let sent = self.node.collect(now, owner);
        self.check_answers(probe, &target, serial, &sent)
            .map_err(fault)?;
        let after = self.node.holdings(false);
        let [calls_before, .., permits_before, _] = before.occupancy;
        let [calls_after, .., permits_after, _] = after.occupancy;
        if (calls_before, permits_before, &before.sessions)
            != (calls_after, permits_after, &after.sessions)
        {
            return Err(fault(format!("it changed {before:?} to {after:?}")));
        }
        Ok(())
    }

    /// The probe was answered once, rightly, to whom it came from, and nobody else heard of it.
    fn check_answers(
        &mut self,
        probe: Probe,
        target: &Target,
        serial: u64,
        sent: &[Sent],
    ) -> Result<(), String> {
        let right = probe.answers(target);
        let branch = format!("{MARK}{serial}").into_bytes();
        for sent in sent {
            let message = self
                .read(sent.hop.transport, &sent.bytes)
                .map_err(|fault| fault.what)?;
            if message.is_request || message.branch != branch {
                return Err(format!("it made the node send {}", message.title()));
            }
            if sent.hop.remote != target.agent.address(self.scenario.is_v6) {
                return Err(format!("answered to {}", sent.hop.remote));
            }
            if !right.contains(&message.status) {
                return Err(format!("{} where {right:?} is due", message.status));
            }
        }
        if sent.len() != usize::from(!right.is_empty()) {
            return Err(format!("{} answers", sent.len()));
        }
        Ok(())
    }
}

/// A probe that is out of place in this leg.
fn any(random: &mut Random, target: &Target) -> Option<Probe> {
    let fitting = Probe::ALL.into_iter().filter(|probe| probe.fits(target));
    let fitting: Vec<Probe> = fitting.collect();
    let turn = usize::try_from(random.below(fitting.len() as u64)).ok()?;
    fitting.get(turn).copied()
}
