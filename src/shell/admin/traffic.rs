//! The part of `/metrics` that counts SIP messages by kind, and times.

use crate::observe::exposition::{Family, Page};
use crate::observe::metrics as names;
use crate::shell::view::View;
use signaling::counters::Counters;
use signaling::sip::message::Method;
use signaling::times::{self, Times};
use signaling::traffic::Kind;
use std::collections::BTreeMap;

/// A kind of message in words: method, class, transport, direction.
type Words = [&'static str; 4];

/// Writes it.
pub(super) fn write(page: &mut Page, view: &View) {
    let mut requests: BTreeMap<Words, u64> = BTreeMap::new();
    let mut responses = BTreeMap::new();
    let mut faults: BTreeMap<&'static str, u64> = BTreeMap::new();
    for figures in &view.figures {
        for kind in figures.core.traffic.each() {
            let sums = if kind.class == 0 {
                &mut requests
            } else {
                &mut responses
            };
            *sums.entry(words(kind)).or_default() += kind.count;
        }
        for (reason, count) in figures.core.traffic.faults() {
            *faults.entry(reason).or_default() += count;
        }
    }
    let mut family = page.family(&names::SIP_REQUESTS);
    for ([method, _, transport, direction], count) in requests {
        family.sample(&[method, transport, direction], count);
    }
    let mut family = page.family(&names::SIP_RESPONSES);
    for (labels, count) in responses {
        family.sample(&labels, count);
    }
    let mut family = page.family(&names::SIP_PARSE_ERRORS);
    for (reason, count) in faults {
        family.sample(&[reason], count);
    }
    let setup = Sum::of(view, |core| &core.setup);
    setup.write(&mut page.family(&names::CALL_SETUP), &[]);
    let mut family = page.family(&names::SIP_TRANSACTION_DURATION);
    Sum::of(view, |core| &core.invites).write(&mut family, &["INVITE"]);
    Sum::of(view, |core| &core.requests).write(&mut family, &["other"]);
}

/// Times of all workers.
#[derive(Default)]
struct Sum {
    counts: [u64; times::BOUNDS.len() + 1],
    seconds: f64,
}

impl Sum {
    fn of(view: &View, times: impl Fn(&Counters) -> &Times) -> Self {
        let mut sum = Self::default();
        for figures in &view.figures {
            let times = times(&figures.core);
            for (all, count) in sum.counts.iter_mut().zip(times.counts()) {
                *all += count;
            }
            sum.seconds += times.sum().as_secs_f64();
        }
        sum
    }

    fn write(&self, family: &mut Family<'_>, labels: &[&str]) {
        family.histogram(labels, &times::BOUNDS, &self.counts, self.seconds);
    }
}

fn words(kind: Kind) -> Words {
    let method = if kind.method == Method::Other {
        "other"
    } else {
        kind.method.as_str()
    };
    let class = match kind.class {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        6 => "6xx",
        _ => "",
    };
    let transport = match kind.transport {
        signaling::Transport::Tcp => "tcp",
        signaling::Transport::Tls => "tls",
        signaling::Transport::Udp => "udp",
    };
    [method, class, transport, kind.direction.as_str()]
}
