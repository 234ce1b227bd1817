//! The witness: sees every message that reaches or leaves the node, knows what each call was to be, and says what is wrong.
//!
//! It is no SIP stack: it keeps, for each leg, what came and what went, and asks of every message of the node whether
//! there was a reason for it, and after every step whether what was due has been done. What a message says beyond that
//! (bodies, tags, Via) is judged by the agents themselves; here their complaints are told from those that a lossy network
//! excuses.

mod agents;
mod arrivals;
mod books;
mod choice;
mod endings;
mod exchanges;
mod failover;
mod leg;
mod meetings;
mod probed;
mod probing;
mod requests;
mod responses;
mod strain;
mod timed;

use crate::node::Holdings;
use crate::place::{Place, Side};
use crate::scenario::{Meetings, PeerPlan, Scenario, Script};
use crate::seen::{Seen, TransactionId, text};
use balancer::{Operator, PeerState};
use leg::Leg;
use meetings::Seat;
pub(crate) use probed::Target;
use signaling::{Timers, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What the witness remembers of one call.
#[derive(Debug)]
struct Call {
    script: Script,
    /// Something of it was lost, or somebody died: then agents may complain of silence.
    is_disturbed: bool,
    caller: Option<Leg>,
    /// The leg of the last attempt.
    peer: Option<Leg>,
    /// Those of earlier attempts.
    past: Vec<Leg>,
    /// The caller cancelled or hung up before the final answer was sent.
    is_cancelled: bool,
    /// A final answer arrived at the caller.
    final_reached: bool,
    /// To which dialogs of the peer a BYE arrived.
    byes_reached: BTreeSet<(Place, Vec<u8>)>,
    is_reported: bool,
    /// Where it shares a conference.
    seat: Option<Seat>,
    /// When something of it came to or left the node.
    last_at: Duration,
}

/// What has to happen within the step that has just begun.
#[derive(Debug)]
enum Due {
    /// The 2xx or refusal with this tag is acknowledged, once more if need be.
    Acknowledged(u64, Side, Vec<u8>),
    /// This request gets an answer.
    Answer(u64, Side, TransactionId),
    /// The conference has as many callers as it may: the call was refused for that.
    Crowded(u64),
    /// The peer of the leg with this Call-ID is told to stop ringing: nobody waits for it any more.
    Cancelled(u64, Vec<u8>),
    /// The dialog with this tag is ended: its 2xx came too late.
    Ended(u64, Vec<u8>),
    /// The caller's INVITE gets its final answer.
    Final(u64),
    /// All peers are full: the call was refused for that.
    Full(u64),
    /// A worker is full: the call was refused for that.
    Overloaded(u64),
    /// The call goes to a peer, or is refused.
    Placed(u64),
    /// After a refusal the call goes to another peer, or the caller hears its final answer: so many
    /// legs there were.
    Next(u64, usize),
    /// The caller hears this status.
    Relayed(u64, u16),
    /// The call is refused: the node has more to do than it can.
    Shed(u64),
}

/// Sees everything.
#[derive(Debug)]
pub(crate) struct Witness {
    timers: Timers,
    slack: Duration,
    /// Whether the node's timers go off when they should.
    is_punctual: bool,
    /// Since when the node takes no new calls.
    draining_since: Option<Duration>,
    /// Since when messages wait too long before they are taken in.
    crowded_since: Option<Duration>,
    calls_max: usize,
    is_v6: bool,
    callers: Vec<Transport>,
    peers: Vec<PeerPlan>,
    calls: BTreeMap<u64, Call>,
    /// Which call a Call-ID of a peer leg belongs to.
    peer_legs: BTreeMap<Vec<u8>, u64>,
    /// What the node's branches were used for: Call-ID and number in CSeq.
    branches: BTreeMap<Vec<u8>, (Vec<u8>, u32)>,
    due: Vec<Due>,
    /// Peers that the node has a reason to pass over, or had.
    troubled: BTreeSet<Place>,
    /// What the node knows of each peer when a step begins: its state, its sessions in use.
    before: Vec<(PeerState, u32)>,
    /// Peers that were not in service at any time.
    wavered: BTreeSet<Place>,
    /// When a peer was last known to have failed.
    failed_last: BTreeMap<Place, Duration>,
    /// What the operator wants of peers.
    operators: BTreeMap<Place, Operator>,
    meetings: Option<Meetings>,
    /// Calls of which a message came or went since they were looked at.
    met: BTreeSet<u64>,
    /// The probes of each peer, the first one first.
    probes: BTreeMap<Place, Vec<probing::Probed>>,
    /// Responses that the node sent in this step.
    answered: Vec<(u64, Side, TransactionId, u16)>,
    /// ACKs that the node sent in this step, by To tag.
    acknowledged: Vec<(u64, Side, Vec<u8>)>,
    /// What the node held after the last step in which anything changed.
    held: Option<Holdings>,
    /// Calls of which a message came or went in this step.
    touched: BTreeSet<u64>,
}

impl Witness {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let calls = scenario.calls.iter().map(|script| {
            let call = Call {
                script: *script,
                // What comes of a node that stands still looks like loss.
                is_disturbed: !scenario.freezes.is_empty(),
                caller: None,
                peer: None,
                past: Vec::new(),
                is_cancelled: false,
                final_reached: false,
                byes_reached: BTreeSet::new(),
                is_reported: false,
                seat: (scenario.meetings)
                    .map(|meetings| Seat::new(meetings.conference_of(script.number))),
                last_at: Duration::ZERO,
            };
            (script.number, call)
        });
        Self {
            timers: scenario.timers,
            // A worker wakes late, and its wheel has ticks of 10 ms.
            slack: scenario.lateness * 2 + Duration::from_millis(50),
            is_punctual: scenario.freezes.is_empty(),
            draining_since: None,
            crowded_since: None,
            calls_max: scenario.calls_max,
            is_v6: scenario.is_v6,
            callers: scenario.callers.clone(),
            peers: scenario.peers.clone(),
            calls: calls.collect(),
            peer_legs: BTreeMap::new(),
            branches: BTreeMap::new(),
            due: Vec::new(),
            troubled: troubled(scenario),
            before: Vec::new(),
            wavered: BTreeSet::new(),
            failed_last: BTreeMap::new(),
            operators: BTreeMap::new(),
            meetings: scenario.meetings,
            met: BTreeSet::new(),
            probes: BTreeMap::new(),
            answered: Vec::new(),
            acknowledged: Vec::new(),
            held: None,
            touched: BTreeSet::new(),
        }
    }

    /// The call that a message between the node and this agent belongs to.
    pub(crate) fn call_of(&self, agent: Place, message: &Seen) -> Option<u64> {
        match agent.side()? {
            Side::Peer => self.peer_legs.get(&message.call_id).copied().or_else(|| {
                let is_new = message.is_request && message.to_tag.is_empty();
                message.number.filter(|_| is_new)
            }),
            Side::Caller => {
                let call_id = text(&message.call_id);
                let number = call_id.rsplit('-').next()?.parse().ok()?;
                let is_ours = call_id.starts_with(loadtest::agent::CALLER_MARK);
                (is_ours && self.calls.contains_key(&number)).then_some(number)
            }
        }
    }

    /// Something of this call was lost, or one of its parties died.
    pub(crate) fn disturb(&mut self, call: u64) {
        if let Some(call) = self.calls.get_mut(&call) {
            call.is_disturbed = true;
        }
    }

    /// Whether anything was lost in this world.
    pub(crate) fn has_disturbed(&self) -> bool {
        self.calls.values().any(|call| call.is_disturbed)
    }

    /// Something of a call came or went.
    fn touch(&mut self, now: Duration, number: u64) {
        self.touched.insert(number);
        if let Some(call) = self.calls.get_mut(&number) {
            call.last_at = now;
            if call.seat.is_some() {
                self.met.insert(number);
            }
        }
    }

    /// The node takes no new calls from now on.
    pub(crate) fn drain(&mut self, now: Duration) {
        self.draining_since = Some(now);
    }

    /// The final answer that the node gave to the caller's INVITE.
    fn final_status(&self, number: u64) -> Option<u16> {
        let leg = self.calls.get(&number)?.caller.as_ref()?;
        leg.invite_came()?.status()
    }

    /// The transport that an agent speaks.
    fn transport(&self, agent: Place) -> Transport {
        let found = match agent {
            Place::Caller(number) => self.callers.get(usize::from(number)).copied(),
            Place::Peer(number) => {
                let peer = self.peers.get(usize::from(number));
                peer.map(|peer| peer.transport)
            }
            Place::Node | Place::Stranger => None,
        };
        found.unwrap_or(Transport::Udp)
    }
}

/// Where messages are lost any probe may be, and any peer may be taken for dead.
fn troubled(scenario: &Scenario) -> BTreeSet<Place> {
    let is_calm = scenario.has_calm_network();
    let peers = (0u8..).take(scenario.peers.len());
    peers.map(Place::Peer).filter(|_| !is_calm).collect()
}

impl Call {
    /// Whether the caller's INVITE came and has no final answer.
    fn is_open(&self) -> bool {
        let invite = self.caller.as_ref().and_then(Leg::invite_came);
        invite.is_some_and(|invite| invite.answer.is_none())
    }

    fn leg(&self, side: Side) -> Option<&Leg> {
        match side {
            Side::Caller => self.caller.as_ref(),
            Side::Peer => self.peer.as_ref(),
        }
    }

    fn leg_mut(&mut self, side: Side) -> Option<&mut Leg> {
        match side {
            Side::Caller => self.caller.as_mut(),
            Side::Peer => self.peer.as_mut(),
        }
    }
}
