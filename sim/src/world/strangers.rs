//! Strangers: who overhears a call and forges what would end it, and who floods the node. Each is
//! refused or not heard, and no call changes by it.
//!
//! They send from an address of their own, which neither calls nor is called, and know everything
//! that stands in the messages of a call.

use super::World;
use crate::finding::Fault;
use crate::node::Sent;
use crate::place::{Place, Side};
use crate::scenario::thawed;
use crate::witness::Target;
use loadtest::agent::Random;
use signaling::Transport;

/// Stands in the branch of every message of a stranger but a CANCEL's.
const MARK: &str = "z9hG4bKstranger-";
/// Requests of one flood: more than all workers tell a stranger in one go.
const FLOOD: u64 = 400;
/// How many refusals one worker gives a source in one go.
const REFUSALS_MAX: u64 = 100;

/// What a stranger does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// The ACK of a 2xx.
    Ack,
    /// A BYE with both tags.
    Bye,
    /// A CANCEL with the INVITE's own branch.
    Cancel,
    /// A request that would be carried across.
    Info,
    /// Many INVITEs, one after the other.
    Flood,
}

impl Deed {
    fn of(random: &mut Random, has_zones: bool) -> Self {
        match random.below(if has_zones { 5 } else { 4 }) {
            0 => Self::Ack,
            1 => Self::Bye,
            2 => Self::Cancel,
            3 => Self::Info,
            // Without zones everybody may call.
            _ => Self::Flood,
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Info => "INFO",
            Self::Flood => "INVITE",
        }
    }

    fn text(self, target: &Target, is_v6: bool, serial: u64) -> String {
        let (node, here) = (Place::Node.address(is_v6), Place::Stranger.address(is_v6));
        let (sent_by, branch) = match self {
            Self::Cancel => (target.agent.address(is_v6), target.branch.clone()),
            Self::Ack | Self::Bye | Self::Info | Self::Flood => (here, format!("{MARK}{serial}")),
        };
        let method = self.method();
        let cseq = match self {
            Self::Ack | Self::Cancel => target.cseq,
            Self::Bye | Self::Info | Self::Flood => target.cseq + 1,
        };
        let (call_id, to_tag) = match self {
            Self::Flood => (format!("flood-{serial}"), String::new()),
            Self::Cancel => (target.call_id.clone(), String::new()),
            Self::Ack | Self::Bye | Self::Info => {
                (target.call_id.clone(), format!(";tag={}", target.node_tag))
            }
        };
        format!(
            "{method} sip:room@{node} SIP/2.0\r\nVia: SIP/2.0/UDP {sent_by};branch={branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:probe@example.com>;tag={}\r\n\
             To: <sip:room@example.com>{to_tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:probe@{here}>\r\n\
             User-Agent: a stranger, whose messages are never much longer than this\r\n\
             Content-Length: 0\r\n\r\n",
            target.agent_tag
        )
    }
}

impl World {
    /// A stranger does something.
    pub(super) fn intrude(&mut self) -> Result<(), Fault> {
        let serial = self.intrusions as u64 * FLOOD;
        self.intrusions += 1;
        if thawed(&self.scenario.freezes, self.now) > self.now {
            return Ok(());
        }
        let Some(target) = self.witness.target(&mut self.strangers) else {
            return Ok(());
        };
        let deed = Deed::of(&mut self.strangers, self.scenario.has_zones);
        // Only an INVITE that came to the node can be cancelled there.
        if deed == Deed::Cancel && target.agent.side() != Some(Side::Caller) {
            return Ok(());
        }
        // While there is too much to do, who floods hears of that.
        if deed == Deed::Flood && self.witness.is_crowded() {
            return Ok(());
        }
        self.note(Some(target.call), &format!("a stranger tries {deed:?}"));
        let count = if deed == Deed::Flood { FLOOD } else { 1 };
        let before = self.node.holdings(false);
        let mut heard = 0;
        for serial in serial..serial + count {
            let text = deed.text(&target, self.scenario.is_v6, serial);
            heard += self.refusals(deed, &text).map_err(|what| {
                Fault::of_call(target.call, format!("{deed:?} of a stranger: {what}"))
            })?;
        }
        let after = self.node.holdings(false);
        if before != after {
            let what = format!("{deed:?} of a stranger changed {before:?} to {after:?}");
            return Err(Fault::of_call(target.call, what));
        }
        // Of many, some hear nothing; of one, only an ACK.
        let is_right = match deed {
            Deed::Ack => heard == 0,
            Deed::Bye | Deed::Cancel | Deed::Info => heard <= 1,
            Deed::Flood => heard <= REFUSALS_MAX * self.node.workers() as u64,
        };
        if is_right {
            Ok(())
        } else {
            let what = format!("{deed:?} of a stranger was answered {heard} times");
            Err(Fault::of_call(target.call, what))
        }
    }

    /// Sends one message of a stranger; how many refusals it hears. Nobody else hears anything.
    fn refusals(&mut self, deed: Deed, text: &str) -> Result<u64, String> {
        let now = self.base + self.now;
        let at = self.strangers.below(self.node.workers() as u64);
        let at = usize::try_from(at).unwrap_or(0);
        let source = (Place::Stranger, Transport::Udp, None);
        let owner = self.node.handle_message(now, at, source, text.as_bytes())?;
        let sent = self.node.collect(now, owner);
        for sent in &sent {
            self.check_refusal(deed, sent)?;
        }
        Ok(sent.len() as u64)
    }

    fn check_refusal(&mut self, deed: Deed, sent: &Sent) -> Result<(), String> {
        let message = self
            .read(sent.hop.transport, &sent.bytes)
            .map_err(|fault| fault.what)?;
        let right = match deed {
            Deed::Flood => 403,
            Deed::Ack | Deed::Bye | Deed::Cancel | Deed::Info => 481,
        };
        if message.is_request || message.status != right {
            return Err(format!("it made the node send {}", message.title()));
        }
        if sent.hop.remote != Place::Stranger.address(self.scenario.is_v6) {
            return Err(format!("answered to {}", sent.hop.remote));
        }
        Ok(())
    }
}
