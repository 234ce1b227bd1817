//! Requests and responses by direction, transport, method and class: a fixed array of counters, so
//! that counting is one addition.

use crate::counters::Counter;
use crate::hop::Transport;
use crate::sip::message::{Fault, Method};

/// Where a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It was received.
    In,
    /// It was sent.
    Out,
}

/// Classes of responses, and 0 for requests.
const CLASSES: usize = 7;

/// The counters, by direction, transport, method and class in this order.
#[derive(Debug)]
pub struct Traffic {
    messages: Box<[Counter]>,
    /// In the order of [`Fault::REASONS`].
    faults: Box<[Counter]>,
}

/// One kind of message and how many there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Where it went.
    pub direction: Direction,
    /// What carried it.
    pub transport: Transport,
    /// Its method; of a response that of the request.
    pub method: Method,
    /// 1 to 6 of a response, 0 of a request.
    pub class: u8,
    /// How many.
    pub count: u64,
}

impl Default for Traffic {
    fn default() -> Self {
        let count = DIRECTIONS.len() * Transport::ALL.len() * Method::ALL.len() * CLASSES;
        Self {
            messages: (0..count).map(|_| Counter::default()).collect(),
            faults: Fault::REASONS.iter().map(|_| Counter::default()).collect(),
        }
    }
}

const DIRECTIONS: [Direction; 2] = [Direction::In, Direction::Out];

impl Direction {
    /// As a metric's label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

impl Traffic {
    pub(crate) fn count(
        &self,
        direction: Direction,
        transport: Transport,
        method: Method,
        class: u8,
    ) {
        let place = direction as usize * Transport::ALL.len() + transport as usize;
        let place = (place * Method::ALL.len() + method as usize) * CLASSES;
        if usize::from(class) < CLASSES
            && let Some(counter) = self.messages.get(place + usize::from(class))
        {
            counter.add_one();
        }
    }

    pub(crate) fn count_fault(&self, fault: Fault) {
        let reason = fault.reason();
        let place = Fault::REASONS.iter().position(|known| *known == reason);
        if let Some(counter) = place.and_then(|place| self.faults.get(place)) {
            counter.add_one();
        }
    }

    /// What was counted at least once.
    pub fn each(&self) -> impl Iterator<Item = Kind> {
        let kinds = DIRECTIONS.into_iter().flat_map(|direction| {
            Transport::ALL.into_iter().flat_map(move |transport| {
                Method::ALL.into_iter().flat_map(move |method| {
                    (0..=6).map(move |class| Kind {
                        direction,
                        transport,
                        method,
                        class,
                        count: 0,
                    })
                })
            })
        });
        let counted = kinds.zip(&self.messages).map(|(kind, counter)| Kind {
            count: counter.value(),
            ..kind
        });
        counted.filter(|kind| kind.count > 0)
    }

    /// Faults by reason.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.faults.iter().map(Counter::value);
        Fault::REASONS.into_iter().zip(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_a_place_of_its_own() {
        let traffic = Traffic::default();
        let mut expected = 0;
        for direction in DIRECTIONS {
            for transport in Transport::ALL {
                for method in Method::ALL {
                    for class in 0..=6 {
                        traffic.count(direction, transport, method, class);
                        expected += 1;
                    }
                }
            }
        }
        traffic.count(Direction::Out, Transport::Udp, Method::Other, 7);
        assert_eq!(traffic.each().count(), expected);
        assert!(traffic.each().all(|kind| kind.count == 1));
    }

    #[test]
    fn the_right_kind_is_counted() {
        let traffic = Traffic::default();
        traffic.count(Direction::Out, Transport::Tls, Method::Bye, 2);
        let kind = Kind {
            direction: Direction::Out,
            transport: Transport::Tls,
            method: Method::Bye,
            class: 2,
            count: 1,
        };
        assert_eq!(traffic.each().collect::<Vec<_>>(), [kind]);
        traffic.count_fault(Fault::BadCseq);
        let counted: Vec<_> = traffic.faults().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("bad_cseq", 1)]);
    }
}
