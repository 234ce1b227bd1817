//! What a prober needs to know of a leg to ask something about it.

use super::{Call, Witness};
use crate::place::{Place, Side};
use crate::seen::text;
use loadtest::agent::Random;

/// A leg that has begun, as its agent could name it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) call: u64,
    pub(crate) agent: Place,
    pub(crate) call_id: String,
    /// The node's tag.
    pub(crate) node_tag: String,
    /// The agent's tag.
    pub(crate) agent_tag: String,
    /// Of the INVITE that came to the node.
    pub(crate) branch: String,
    /// Of the INVITE.
    pub(crate) cseq: u32,
    /// Whether there was a 2xx.
    pub(crate) has_dialog: bool,
    /// Whether anybody of the call has hung up.
    pub(crate) is_ending: bool,
    /// Whether there was a BYE after it.
    pub(crate) is_over: bool,
}

impl Witness {
    /// Any leg in which the node has used its tag.
    pub(crate) fn target(&self, random: &mut Random) -> Option<Target> {
        let begun: Vec<(u64, Side)> = self
            .calls
            .iter()
            .flat_map(|(number, call)| {
                [Side::Caller, Side::Peer]
                    .into_iter()
                    .filter(|side| call.leg(*side).is_some_and(|leg| !leg.own_tags.is_empty()))
                    .map(|side| (*number, side))
            })
            .collect();
        let turn = usize::try_from(random.below(begun.len() as u64)).ok()?;
        let (number, side) = *begun.get(turn)?;
        self.calls.get(&number)?.target(number, side)
    }
}

impl Call {
    fn target(&self, number: u64, side: Side) -> Option<Target> {
        let leg = self.leg(side)?;
        let (tag, dialog) = match leg.winner() {
            Some(winner) => (winner, leg.dialogs.get(winner)),
            None => {
                let dialog = leg.dialogs.first_key_value();
                let invited = leg.invite_came().map(|invite| invite.their_tag.as_slice());
                let tag = dialog.map(|(tag, _)| tag.as_slice()).or(invited);
                (tag.unwrap_or(b"nobody"), dialog.map(|(_, dialog)| dialog))
            }
        };
        // One that the node never took up is none.
        let dialog = dialog.filter(|dialog| dialog.is_real());
        Some(Target {
            call: number,
            agent: leg.agent,
            call_id: text(&leg.call_id),
            node_tag: text(leg.own_tags.first()?),
            agent_tag: text(tag),
            branch: text(&leg.invite.0),
            cseq: match side {
                Side::Caller => leg.invite_came()?.cseq,
                Side::Peer => leg.invite_went()?.cseq,
            },
            has_dialog: dialog.is_some(),
            is_ending: self.is_ending(),
            is_over: dialog.is_some_and(super::leg::Dialog::is_over),
        })
    }
}
