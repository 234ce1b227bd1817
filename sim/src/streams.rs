//! The TCP connections of the world: one between an agent and the node at a time, in order, lossless until it breaks.

use crate::place::Place;
use signaling::ConnectionId;
use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::time::Duration;

/// All connections.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: BTreeMap<Place, Stream>,
    made: u64,
    /// Who cannot be reached, until when.
    refusing: BTreeMap<Place, Duration>,
}

#[derive(Debug)]
struct Stream {
    id: ConnectionId,
    /// When the last message of each direction arrives: the next one cannot be before it.
    to_node: Duration,
    to_agent: Duration,
}

impl Streams {
    /// The connection with this agent; made if there is none. `None`: it cannot be made now.
    pub(crate) fn with(&mut self, now: Duration, agent: Place) -> Option<ConnectionId> {
        if let Some(stream) = self.open.get(&agent) {
            return Some(stream.id);
        }
        if self.refusing.get(&agent).is_some_and(|until| now < *until) {
            return None;
        }
        self.made += 1;
        let id = ConnectionId(NonZeroU64::new(self.made)?);
        let stream = Stream {
            id,
            to_node: Duration::ZERO,
            to_agent: Duration::ZERO,
        };
        self.open.insert(agent, stream);
        Some(id)
    }

    /// Whose connection this is, if it lives.
    pub(crate) fn agent_of(&self, id: ConnectionId) -> Option<Place> {
        let found = self.open.iter().find(|(_, stream)| stream.id == id);
        found.map(|(agent, _)| *agent)
    }

    /// When a message arrives that would take until `at` if it were alone.
    pub(crate) fn arrival(&mut self, agent: Place, is_to_node: bool, at: Duration) -> Duration {
        let Some(stream) = self.open.get_mut(&agent) else {
            debug_assert!(false, "a message on a connection that is not there");
            return at;
        };
        let last = if is_to_node {
            &mut stream.to_node
        } else {
            &mut stream.to_agent
        };
        *last = at.max(*last + Duration::from_nanos(1));
        *last
    }

    /// The connection breaks, and no new one can be made until then.
    pub(crate) fn cut(&mut self, agent: Place, until: Duration) -> Option<ConnectionId> {
        self.refusing.insert(agent, until);
        self.open.remove(&agent).map(|stream| stream.id)
    }
}
