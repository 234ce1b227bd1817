//! What befalls a peer, whatever its calls are to become: it hears and says nothing for a while, or it dies.

use crate::agent::{Agent, Counts, Packet, Peer};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A fate; the default is a long life.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// When it is a black hole.
    pub deaf: Option<Deaf>,
    /// The request that it dies of.
    pub dies_at: Option<Death>,
}

/// A time in which nothing is heard and nothing is said, as of a machine that was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deaf {
    /// From the start.
    pub from: Duration,
    /// How long.
    pub lasts: Duration,
    /// After how long it begins again: a peer that flaps.
    pub every: Option<Duration>,
}

/// The n-th request of a method, counted from 1: it is read and not answered, and the socket closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// `INVITE`, `ACK`, `BYE` ...
    pub method: String,
    /// Which one.
    pub number: u64,
}

impl Deaf {
    fn is_now(&self, elapsed: Duration) -> bool {
        let Some(since) = elapsed.checked_sub(self.from) else {
            return false;
        };
        let since = match self.every {
            Some(every) if !every.is_zero() => {
                let rest = since.as_nanos() % every.as_nanos();
                Duration::from_nanos(u64::try_from(rest).unwrap_or(u64::MAX))
            }
            _ => since,
        };
        since < self.lasts
    }
}

/// A peer with its fate.
pub(super) struct Fated {
    pub(super) peer: Peer,
    fate: Fate,
    start: Instant,
    met: u64,
    is_deaf: bool,
    pub(super) is_dead: bool,
    /// Messages that came while it was deaf.
    pub(super) unheard: u64,
}

impl Fated {
    pub(super) fn new(peer: Peer, fate: Fate) -> Self {
        Self {
            peer,
            fate,
            start: Instant::now(),
            met: 0,
            is_deaf: false,
            is_dead: false,
            unheard: 0,
        }
    }

    fn look(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.start);
        let deaf = self.fate.deaf;
        self.is_deaf = self.is_dead || deaf.is_some_and(|deaf| deaf.is_now(elapsed));
    }

    fn dies_of(&mut self, bytes: &[u8]) -> bool {
        let Some(death) = &self.fate.dies_at else {
            return false;
        };
        let rest = bytes.strip_prefix(death.method.as_bytes());
        self.met += u64::from(rest.is_some_and(|rest| rest.starts_with(b" ")));
        self.met >= death.number
    }
}

impl Agent for Fated {
    fn handle_message(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        self.look(now);
        if self.is_deaf {
            self.unheard += 1;
        } else if self.dies_of(bytes) {
            (self.is_dead, self.is_deaf) = (true, true);
        } else {
            self.peer.handle_message(now, from, bytes);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.look(now);
        self.peer.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Option<Packet> {
        while self.is_deaf {
            self.peer.poll_output()?;
        }
        self.peer.poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.peer.poll_timeout()
    }

    fn poll_complaint(&mut self) -> Option<String> {
        self.peer.poll_complaint()
    }

    fn complaints(&self) -> u64 {
        self.peer.complaints()
    }

    fn counts(&self) -> Counts {
        self.peer.counts()
    }

    fn live(&self) -> usize {
        self.peer.live()
    }

    fn is_quiet(&self) -> bool {
        self.peer.is_quiet()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::PeerSettings;

    const MS: Duration = Duration::from_millis(1);

    fn peer(fate: Fate) -> Fated {
        let local = "127.0.0.1:5060".parse().unwrap();
        Fated::new(Peer::new(PeerSettings::answering(local, 1, MS)), fate)
    }

    fn asks(peer: &mut Fated, at: Duration) -> bool {
        let options = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK1\r\n\
            Max-Forwards: 70\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
        let from = "127.0.0.1:5061".parse().unwrap();
        peer.handle_message(peer.start + at, from, options);
        let is_answered = peer.poll_output().is_some();
        while peer.poll_output().is_some() {}
        is_answered
    }

    #[test]
    fn a_black_hole_comes_and_goes() {
        let deaf = Deaf {
            from: MS * 100,
            lasts: MS * 50,
            every: Some(MS * 200),
        };
        let mut peer = peer(Fate {
            deaf: Some(deaf),
            dies_at: None,
        });
        let heard = [50, 100, 149, 150, 299, 300, 349, 350].map(|at| asks(&mut peer, MS * at));
        assert_eq!(heard, [true, false, false, true, true, false, false, true]);
        assert_eq!(peer.unheard, 4);
    }

    #[test]
    fn it_dies_at_its_message() {
        let death = Death {
            method: "OPTIONS".into(),
            number: 3,
        };
        let mut peer = peer(Fate {
            deaf: None,
            dies_at: Some(death),
        });
        assert_eq!(
            [1, 2, 3, 4].map(|at| asks(&mut peer, MS * at)),
            [true, true, false, false]
        );
        assert!(peer.is_dead);
    }
}
