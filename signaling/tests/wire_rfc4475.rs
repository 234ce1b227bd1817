//! The torture messages of RFC 4475 and RFC 5118 against the whole core: what goes out on the wire
//! for each.
//!
//! After each message an OPTIONS must still be answered. `process` means what it means for this
//! server: a call is begun, an OPTIONS gets 200, and a REGISTER gets 405, since Baton is no
//! registrar.
#![expect(
    clippy::unwrap_used,
    reason = "a vector that is treated wrongly fails its test"
)]

mod support;

use signaling::counters::Counters;
use signaling::sip::message::{Framing, Index, Limits};
use signaling::{
    Choice, Core, Hop, Listener, ListenerId, Output, Settings, Statuses, Timers, Transport,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::{Table, vectors};

const PING: &[u8] = b"OPTIONS sip:192.0.2.5 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.200;branch=z9hG4bKping\r\n\
    Max-Forwards: 70\r\nFrom: <sip:ping@192.0.2.200>;tag=1\r\nTo: <sip:192.0.2.5>\r\nCall-ID: ping\r\n\
    CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

/// What came out: statuses of answers to the sender, methods of requests to the peer, and where all
/// of it went.
#[derive(Debug, Default, PartialEq, Eq)]
struct Treatment {
    statuses: Vec<u16>,
    to_peer: Vec<String>,
}

struct Wire {
    core: Core,
    now: Instant,
}

impl Wire {
    fn new() -> Self {
        let settings = Settings {
            worker: 0,
            workers: 1,
            secret: [5, 6],
            timers: Timers::default(),
            calls_max: 1000,
            exchanges_max: 100,
            exchanges_per_call_max: 8,
            session: signaling::SessionTimes::default(),
            refer: signaling::ReferMode::default(),
            transactions_max: 1000,
            listeners: vec![Listener {
                transport: Transport::Udp,
                local: "192.0.2.5:5060".parse().unwrap(),
                advertised: "192.0.2.5:5060".into(),
            }],
            kept_octets_max: usize::MAX,
            access: Arc::default(),
            overload: signaling::overload::OverloadSettings::default(),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the wire needs one real instant to start from"
        )]
        let now = Instant::now();
        Self {
            core: Core::new(Arc::new(settings), Arc::new(Counters::default()), now),
            now,
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Treatment {
        let mut index = Index::new(Limits::default());
        let message = index.read(bytes, Framing::Datagram);
        let sender: std::net::SocketAddr = "192.0.2.200:5060".parse().unwrap();
        let source = Hop {
            transport: Transport::Udp,
            listener: ListenerId(0),
            remote: sender,
            connection: None,
            identity: None,
        };
        self.core.handle_message(self.now, source, &message);
        let mut treatment = Treatment::default();
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Choose(attempt) => {
                    let choice = Choice {
                        awaits_confirmation: false,
                        connect_patience: Duration::from_secs(1),
                        request_uri: None,
                        peer: 0,
                        transport: Transport::Udp,
                        remote: "192.0.2.9:5080".parse().unwrap(),
                        patience: Duration::from_secs(2),
                        attempts_max: 3,
                        next_on: Statuses::default(),
                    };
                    self.core.handle_choice(self.now, attempt, Ok(choice));
                }
                Output::Lookup(key) => self.core.handle_lookup(key, Ok(())),
                Output::Attempted(..) | Output::Ended(_) | Output::Probed(..) => {}
                Output::Send(transmit) => {
                    let out = self.core.bytes(transmit.span).to_vec();
                    let mut index = Index::new(Limits::default());
                    let message = index.read(&out, Framing::Datagram);
                    if message.is_response() {
                        // An answer repeats what the request had, faults and all; it goes to the
                        // sender's address only, and is not much larger than the request (R18).
                        assert_eq!(
                            transmit.hop.remote.ip(),
                            sender.ip(),
                            "{}",
                            String::from_utf8_lossy(&out)
                        );
                        assert!(
                            out.len() * 10 <= bytes.len() * 12 || message.status() == 100,
                            "{} for {}",
                            out.len(),
                            bytes.len()
                        );
                        treatment.statuses.push(message.status());
                    } else {
                        assert_eq!(message.fault(), None, "{}", String::from_utf8_lossy(&out));
                        assert_eq!(transmit.hop.remote.to_string(), "192.0.2.9:5080");
                        treatment
                            .to_peer
                            .push(String::from_utf8_lossy(message.method_text()).into_owned());
                    }
                }
            }
        }
        self.core.sent();
        treatment
    }
}

/// Whether a treatment is one of those that the table allows, such as `400|process`.
fn is_allowed(column: &str, kind: &str, treatment: &Treatment) -> bool {
    column.split('|').any(|allowed| match allowed {
        "process" | "200" => match kind {
            "INVITE" => treatment.statuses == [100] && treatment.to_peer == ["INVITE"],
            "OPTIONS" => treatment.statuses == [200] && treatment.to_peer.is_empty(),
            "REGISTER" => treatment.statuses == [405] && treatment.to_peer.is_empty(),
            _ => false,
        },
        "drop" | "drop-unmatched" => treatment.statuses.is_empty() && treatment.to_peer.is_empty(),
        status => {
            treatment.statuses == [status.parse::<u16>().unwrap()] && treatment.to_peer.is_empty()
        }
    })
}

#[test]
fn rfc4475_is_treated_as_a_b2bua_should() {
    let Some(folder) = vectors("rfc4475/dev") else {
        return;
    };
    let table = Table::read(&folder.join("expected.tsv"));
    let mut wire = Wire::new();
    let mut wrong = Vec::new();
    let mut count = 0;
    for row in table.rows() {
        let name = row.get("name");
        let treatment = wire.send(&row.message(&folder, name));
        if !is_allowed(row.get("uas_b2bua"), row.get("kind"), &treatment) {
            wrong.push(format!(
                "{name}: {treatment:?}, not {}",
                row.get("uas_b2bua")
            ));
        }
        assert_eq!(wire.send(PING).statuses, [200], "the ping after {name}");
        count += 1;
    }
    assert_eq!(count, 25);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rfc5118_is_taken_or_refused_as_the_table_says() {
    let Some(folder) = vectors("rfc5118") else {
        return;
    };
    let table = Table::read(&folder.join("expected.tsv"));
    let mut wire = Wire::new();
    for row in table.rows() {
        let name = row.get("message");
        let treatment = wire.send(&row.message(&folder, name));
        let was_refused = treatment.statuses == [400];
        assert_eq!(
            was_refused,
            row.get("datagram_expected") == "400",
            "{name}: {treatment:?}"
        );
        assert_eq!(wire.send(PING).statuses, [200], "the ping after {name}");
    }
}
