//! The peer with the most sessions available; ties go round.

use crate::board::Peer;

/// Picks among the peers that have room. `turn` rotates where the search starts, so that equal
/// peers take turns and never the first of the list all the time.
pub(crate) fn most_available(peers: &[Peer], turn: usize) -> Option<&Peer> {
    let start = turn.checked_rem(peers.len())?;
    let (front, back) = peers.split_at_checked(start)?;
    let mut best: Option<(u32, &Peer)> = None;
    for peer in back.iter().chain(front) {
        let available = peer.sessions.available();
        if available > best.map_or(0, |(most, _)| most) {
            best = Some((available, peer));
        }
    }
    best.map(|(_, peer)| peer)
}
