//! Bugs on purpose: what a node would send that had them. A witness that overlooks one of these is worth nothing.

use crate::node::{Holdings, Sent};
use crate::place::Place;
use balancer::{PeerState, Permit};
use signaling::Transport;
use std::time::Instant;

/// A bug of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// An ACK leaves right after the INVITE.
    AckTooEarly,
    /// A CANCEL leaves right after the INVITE.
    CancelTooEarly,
    /// A repeated final answer says something else.
    ChangedFinal,
    /// The BYE has the number of the INVITE in CSeq.
    CseqStandsStill,
    /// A call goes to a peer that is known to have failed.
    FailedChosen,
    /// The caller's final answers are never sent.
    FinalsSwallowed,
    /// A refusal inside a dialog becomes another one.
    InsideChanged,
    /// Requests inside a dialog are never carried across.
    InsideSwallowed,
    /// Requests inside a dialog are carried across twice.
    InsideTwice,
    /// The INVITE to the peer holds a header with a name of the caller's.
    LeakedCallId,
    /// The caller hears from where the peer speaks.
    LeakedPeer,
    /// One session is taken and never given back.
    LostPermit,
    /// The node does not know that messages wait.
    LoadHidden,
    /// Max-Forwards stays as it came.
    MaxForwardsKept,
    /// What the operator wants of peers is forgotten.
    OrderLost,
    /// PRACKs are never carried across.
    PrackSwallowed,
    /// A PRACK names another provisional.
    RackChanged,
    /// Other settings are never taken over.
    ReloadLost,
    /// Sessions are never refreshed.
    RefreshSwallowed,
    /// The INVITE to the peer goes out again with every message.
    Repeating,
    /// Refusals do not say when to come again.
    RetryAfterLost,
    /// A reliable provisional becomes a plain one.
    RseqLost,
    /// Every other call goes to the next peer, wherever its conference is.
    Scattered,
    /// A session description is tidied.
    SdpTidied,
    /// The caller is told of a longer session than was agreed.
    SessionChanged,
    /// A session is given back while its call is up.
    SessionForgotten,
    /// Every INVITE goes to the first peer, whoever was chosen.
    StuckToOnePeer,
    /// ACKs to the peer are never sent.
    SwallowedAck,
    /// BYEs are never sent.
    SwallowedBye,
    /// CANCELs are never sent.
    SwallowedCancel,
    /// Provisional answers are never sent.
    SwallowedRinging,
    /// Timers never go off.
    TimersStopped,
    /// Messages end too early.
    Truncated,
    /// BYEs go out twice, with two numbers in CSeq.
    TwoByes,
    /// An INVITE goes to another peer as well, with other names.
    TwoPeers,
    /// What is for one agent goes to another.
    WrongAddress,
}

impl Sabotage {
    /// All of them.
    pub const ALL: [Self; 36] = [
        Self::AckTooEarly,
        Self::CancelTooEarly,
        Self::ChangedFinal,
        Self::CseqStandsStill,
        Self::FailedChosen,
        Self::FinalsSwallowed,
        Self::InsideChanged,
        Self::InsideSwallowed,
        Self::InsideTwice,
        Self::LeakedCallId,
        Self::LeakedPeer,
        Self::LostPermit,
        Self::LoadHidden,
        Self::MaxForwardsKept,
        Self::OrderLost,
        Self::PrackSwallowed,
        Self::RackChanged,
        Self::RefreshSwallowed,
        Self::ReloadLost,
        Self::Repeating,
        Self::RetryAfterLost,
        Self::RseqLost,
        Self::Scattered,
        Self::SdpTidied,
        Self::SessionChanged,
        Self::SessionForgotten,
        Self::StuckToOnePeer,
        Self::SwallowedAck,
        Self::SwallowedBye,
        Self::SwallowedCancel,
        Self::SwallowedRinging,
        Self::TimersStopped,
        Self::Truncated,
        Self::TwoByes,
        Self::TwoPeers,
        Self::WrongAddress,
    ];
}

/// Carries a sabotage out.
#[derive(Debug)]
pub(crate) struct Saboteur {
    sabotage: Sabotage,
    is_v6: bool,
    invite: Option<Sent>,
    finals: Vec<Vec<u8>>,
    stolen: Option<Permit>,
    /// How each peer is.
    peers: Vec<(PeerState, u32)>,
    scattered: u8,
}

impl Saboteur {
    pub(crate) fn new(sabotage: Sabotage, is_v6: bool) -> Self {
        Self {
            sabotage,
            is_v6,
            invite: None,
            finals: Vec::new(),
            stolen: None,
            peers: Vec::new(),
            scattered: 0,
        }
    }

    /// How each peer is before the next thing happens.
    pub(crate) fn foresee(&mut self, peers: &[(PeerState, u32)]) {
        self.peers = peers.to_vec();
    }

    pub(crate) fn hides_load(&self) -> bool {
        self.sabotage == Sabotage::LoadHidden
    }

    pub(crate) fn loses_reloads(&self) -> bool {
        self.sabotage == Sabotage::ReloadLost
    }

    pub(crate) fn loses_orders(&self) -> bool {
        self.sabotage == Sabotage::OrderLost
    }

    /// What the node would hold with this bug.
    pub(crate) fn holdings(&self, mut holdings: Holdings) -> Holdings {
        if self.sabotage == Sabotage::SessionForgotten {
            let mut sessions = holdings.sessions.iter_mut();
            if let Some([used, _]) = sessions.find(|[used, _]| *used > 0) {
                *used -= 1;
                let [.., attempts, permits, _] = &mut holdings.occupancy;
                (*attempts, *permits) = (attempts.saturating_sub(1), permits.saturating_sub(1));
            }
        }
        holdings
    }

    /// Another peer than the one that was chosen, if that is the sabotage.
    fn diverted(&mut self) -> Option<Place> {
        let failed = |(state, _): &(PeerState, u32)| *state == PeerState::Failed;
        let number = if self.sabotage == Sabotage::FailedChosen {
            u8::try_from(self.peers.iter().position(failed)?).ok()?
        } else if self.sabotage == Sabotage::Scattered {
            self.scattered = self.scattered.wrapping_add(1);
            self.scattered
                .checked_rem(u8::try_from(self.peers.len()).ok()?)?
        } else {
            0
        };
        Some(Place::Peer(number))
    }

    pub(crate) fn stops_timers(&self) -> bool {
        self.sabotage == Sabotage::TimersStopped
    }

    /// Takes a session once, if that is the sabotage.
    pub(crate) fn steal(&mut self, now: Instant, balancer: &balancer::Balancer) {
        if self.sabotage == Sabotage::LostPermit && self.stolen.is_none() {
            let request = balancer::Request {
                alias: b"thief",
                zone: "",
                tried: &[],
                is_audio_only: false,
                now,
            };
            let placed = balancer.place(&request);
            self.stolen = placed.ok().map(|placement| placement.permit);
        }
    }

    /// What is sent instead of this.
    pub(crate) fn instead_of(&mut self, sent: Sent) -> Vec<Sent> {
        let kind = Kind::of(&sent);
        if self.swallows(kind) {
            return Vec::new();
        }
        let added = self.added(&sent, kind);
        let changed = self.changed(sent, kind);
        std::iter::once(changed).chain(added).collect()
    }

    fn swallows(&self, kind: Kind) -> bool {
        match (self.sabotage, kind) {
            (Sabotage::FinalsSwallowed, Kind::Final)
            | (Sabotage::InsideSwallowed, Kind::Inside)
            | (Sabotage::PrackSwallowed, Kind::Prack)
            | (Sabotage::RefreshSwallowed, Kind::Refresh)
            | (Sabotage::SwallowedAck, Kind::Ack)
            | (Sabotage::SwallowedBye, Kind::Bye)
            | (Sabotage::SwallowedCancel, Kind::Cancel)
            | (Sabotage::SwallowedRinging, Kind::Ringing) => true,
            (
                _,
                Kind::Ack
                | Kind::Bye
                | Kind::Cancel
                | Kind::Declined
                | Kind::Final
                | Kind::Inside
                | Kind::Invite
                | Kind::Other
                | Kind::Prack
                | Kind::Refresh
                | Kind::Ringing,
            ) => false,
        }
    }

    /// What is sent behind it.
    fn added(&mut self, sent: &Sent, kind: Kind) -> Option<Sent> {
        match (self.sabotage, kind) {
            (Sabotage::AckTooEarly, Kind::Invite) => {
                Some(swap(&without_body(sent), b"INVITE", b"ACK"))
            }
            (Sabotage::CancelTooEarly, Kind::Invite) => {
                Some(swap(&without_body(sent), b"INVITE", b"CANCEL"))
            }
            (Sabotage::Repeating, Kind::Invite) if self.invite.is_none() => {
                self.invite = Some(sent.clone());
                None
            }
            (Sabotage::Repeating, _) => self.invite.clone(),
            (Sabotage::TwoPeers, Kind::Invite) if !has(&sent.bytes, b"X-Twin") => {
                let mut twin = swap(sent, b"branch=z9hG4bK", b"branch=z9hG4bKtwin");
                twin = swap(&twin, b"Call-ID: ", b"X-Twin: yes\r\nCall-ID: twin");
                let other = u8::from(Place::of(sent.hop.remote) == Some(Place::Peer(0)));
                twin.hop.remote = Place::Peer(other).address(self.is_v6);
                twin.ticket = None;
                Some(twin)
            }
            (Sabotage::InsideTwice, Kind::Inside) if !has(&sent.bytes, b"bKtwice") => {
                Some(swap(sent, b"branch=z9hG4bK", b"branch=z9hG4bKtwice"))
            }
            (Sabotage::TwoByes, Kind::Bye) => {
                let second = swap(sent, b"branch=z9hG4bK", b"branch=z9hG4bKx");
                let second = swap(&second, b"CSeq: 2 BYE", b"CSeq: 3 BYE");
                Some(swap(&second, b"CSeq: 1 BYE", b"CSeq: 2 BYE"))
            }
            (
                _,
                Kind::Ack
                | Kind::Bye
                | Kind::Cancel
                | Kind::Declined
                | Kind::Final
                | Kind::Inside
                | Kind::Invite
                | Kind::Other
                | Kind::Prack
                | Kind::Refresh
                | Kind::Ringing,
            ) => None,
        }
    }

    /// What is written otherwise in every message of a kind.
    fn swaps(&self, kind: Kind) -> Option<(&'static [u8], &'static [u8])> {
        let mut swaps = SWAPS.iter();
        let found = swaps.find(|(sabotage, of, ..)| (*sabotage, *of) == (self.sabotage, kind));
        found.map(|(_, _, old, new)| (*old, *new))
    }

    /// What it becomes itself.
    fn changed(&mut self, sent: Sent, kind: Kind) -> Sent {
        if let Some((old, new)) = self.swaps(kind) {
            return swap(&sent, old, new);
        }
        match (self.sabotage, kind) {
            (Sabotage::ChangedFinal, Kind::Final) => {
                if self.finals.contains(&sent.bytes) {
                    return swap(&sent, b"CSeq:", b"X-Again: yes\r\nCSeq:");
                }
                self.finals.push(sent.bytes.clone());
                sent
            }
            (Sabotage::CseqStandsStill, Kind::Bye) => {
                let stands = swap(&sent, b"CSeq: 1 BYE", b"CSeq: 0 BYE");
                swap(&stands, b"CSeq: 2 BYE", b"CSeq: 1 BYE")
            }
            (Sabotage::InsideChanged, Kind::Declined) => {
                swap(&sent, b"SIP/2.0 603", b"SIP/2.0 403")
            }
            (Sabotage::LeakedCallId, Kind::Invite) => {
                swap(&sent, b"CSeq:", b"X-Was: caller-leg-1\r\nCSeq:")
            }
            (Sabotage::LeakedPeer, Kind::Ringing) => {
                let peer = Place::Peer(0).address(self.is_v6);
                let line = format!("Server: {peer}\r\nCSeq:");
                swap(&sent, b"CSeq:", line.as_bytes())
            }
            (
                Sabotage::FailedChosen | Sabotage::Scattered | Sabotage::StuckToOnePeer,
                Kind::Invite,
            ) if matches!(Place::of(sent.hop.remote), Some(Place::Peer(_))) => {
                let Some(peer) = self.diverted() else {
                    return sent;
                };
                let mut diverted = sent;
                diverted.hop.remote = peer.address(self.is_v6);
                diverted.hop.connection = None;
                diverted
            }
            (Sabotage::SdpTidied, _) => swap(&sent, b"a=fmtp:101 0-15  ", b"a=fmtp:101 0-15\r\n"),
            (Sabotage::Truncated, _) if sent.hop.transport == Transport::Udp => cut(&sent),
            (Sabotage::WrongAddress, _) => {
                let is_first_peer = Place::of(sent.hop.remote) == Some(Place::Peer(0));
                let other = if is_first_peer {
                    Place::Caller(0)
                } else {
                    Place::Peer(0)
                };
                let mut wrong = sent;
                wrong.hop.remote = other.address(self.is_v6);
                wrong.hop.connection = None;
                wrong
            }
            (
                _,
                Kind::Ack
                | Kind::Bye
                | Kind::Cancel
                | Kind::Declined
                | Kind::Final
                | Kind::Inside
                | Kind::Invite
                | Kind::Other
                | Kind::Prack
                | Kind::Refresh
                | Kind::Ringing,
            ) => sent,
        }
    }
}

/// Sabotages that write something otherwise in each message of a kind.
const SWAPS: [(Sabotage, Kind, &[u8], &[u8]); 5] = [
    (
        Sabotage::MaxForwardsKept,
        Kind::Invite,
        b"Max-Forwards: 69",
        b"Max-Forwards: 70",
    ),
    (Sabotage::RackChanged, Kind::Prack, b"RAck: ", b"RAck: 9"),
    (
        Sabotage::RetryAfterLost,
        Kind::Final,
        b"Retry-After",
        b"X-Later",
    ),
    (Sabotage::RseqLost, Kind::Ringing, b"RSeq: ", b"X-RSeq: "),
    (
        Sabotage::SessionChanged,
        Kind::Final,
        b"Session-Expires: ",
        b"Session-Expires: 9",
    ),
];

/// What a message is, as far as saboteurs care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ack,
    Bye,
    Cancel,
    /// The answer to a REFER.
    Declined,
    /// A final answer to an INVITE.
    Final,
    /// A request inside a dialog that is no INVITE.
    Inside,
    Invite,
    Other,
    Prack,
    /// An UPDATE without a body.
    Refresh,
    /// 180 or 183.
    Ringing,
}

impl Kind {
    fn of(sent: &Sent) -> Self {
        let is = |start: &[u8]| sent.bytes.starts_with(start);
        let is_of_invite = || has(&sent.bytes, b" INVITE\r\n");
        if is(b"ACK ") {
            Self::Ack
        } else if is(b"BYE ") {
            Self::Bye
        } else if is(b"CANCEL ") {
            Self::Cancel
        } else if is(b"INVITE ") {
            Self::Invite
        } else if is(b"SIP/2.0 603") && has(&sent.bytes, b" REFER\r\n") {
            Self::Declined
        } else if is(b"UPDATE ") && has(&sent.bytes, b"Content-Length: 0\r\n") {
            Self::Refresh
        } else if is(b"INFO ") || is(b"MESSAGE ") || is(b"REFER ") || is(b"UPDATE ") {
            Self::Inside
        } else if is(b"PRACK ") {
            Self::Prack
        } else if is(b"SIP/2.0 18") {
            Self::Ringing
        } else if is(b"SIP/2.0 ") && !is(b"SIP/2.0 1") && is_of_invite() {
            Self::Final
        } else {
            Self::Other
        }
    }
}

fn has(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

/// The message with every occurrence replaced, except that a body keeps the length that its message says.
fn swap(sent: &Sent, old: &[u8], new: &[u8]) -> Sent {
    let mut bytes = Vec::with_capacity(sent.bytes.len() + new.len());
    let mut rest = sent.bytes.as_slice();
    while let Some((first, tail)) = rest.split_first() {
        if let Some(tail) = rest.strip_prefix(old) {
            bytes.extend_from_slice(new);
            rest = tail;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    Sent {
        bytes,
        ..sent.clone()
    }
}

fn without_body(sent: &Sent) -> Sent {
    let text = String::from_utf8_lossy(&sent.bytes).into_owned();
    let (head, _) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let lines = head
        .split("\r\n")
        .filter(|line| !line.starts_with("Content-"));
    let mut head = lines.collect::<Vec<_>>().join("\r\n");
    head.push_str("\r\nContent-Length: 0\r\n\r\n");
    Sent {
        bytes: head.into_bytes(),
        ticket: None,
        ..sent.clone()
    }
}

fn cut(sent: &Sent) -> Sent {
    let mut bytes = sent.bytes.clone();
    bytes.truncate(bytes.len() - 3);
    Sent {
        bytes,
        ..sent.clone()
    }
}
