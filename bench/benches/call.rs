//! A whole call through the core, without sockets: seven messages in, seven out.
//!
//! Prints also what one established call keeps in memory, as an allocator sees it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench that cannot run has to stop"
)]

use criterion::{Criterion, criterion_group, criterion_main};
use signaling::counters::Counters;
use signaling::sip::message::{Framing, HeaderName, Index, Limits};
use signaling::{
    Choice, Core, Hop, Listener, ListenerId, Output, Settings, Statuses, Timers, Transport,
};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CALLER: &str = "127.0.0.1:5190";
const PEER: &str = "127.0.0.1:5180";
const SDP: &str = "v=0\r\no=- 53 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nb=AS:4096\r\nt=0 0\r\n\
    m=audio 50000 RTP/AVP 9 101\r\nb=TIAS:64000\r\na=rtpmap:9 G722/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
    a=fmtp:101 0-15\r\na=sendrecv\r\nm=video 50002 RTP/AVP 97\r\nb=TIAS:4000000\r\na=rtpmap:97 H264/90000\r\n\
    a=fmtp:97 profile-level-id=428016;max-mbps=245000;max-fs=9000\r\na=sendrecv\r\n";

/// A core, its clock, and what it sent last to either side.
struct Table {
    core: Core,
    index: Index,
    now: Instant,
    to_caller: Vec<u8>,
    to_peer: Vec<u8>,
    calls: u64,
}

impl Table {
    fn new() -> Self {
        let settings = Settings {
            worker: 0,
            workers: 1,
            secret: [1, 2],
            timers: Timers::default(),
            calls_max: 1 << 20,
            transactions_max: 1 << 20,
            exchanges_max: 1 << 16,
            exchanges_per_call_max: 8,
            session: signaling::SessionTimes::default(),
            refer: signaling::ReferMode::default(),
            listeners: vec![Listener {
                transport: Transport::Udp,
                local: "127.0.0.1:5060".parse().unwrap(),
                advertised: "127.0.0.1:5060".into(),
            }],
            kept_octets_max: usize::MAX,
            access: Arc::default(),
            overload: signaling::overload::OverloadSettings::default(),
        };
        let now = Instant::now();
        let core = Core::new(Arc::new(settings), Arc::new(Counters::default()), now);
        Self {
            core,
            index: Index::new(Limits::default()),
            now,
            to_caller: Vec::new(),
            to_peer: Vec::new(),
            calls: 0,
        }
    }

    fn hear(&mut self, from: &str, bytes: &[u8]) {
        let source = Hop {
            transport: Transport::Udp,
            listener: ListenerId(0),
            remote: from.parse().unwrap(),
            connection: None,
            identity: None,
        };
        let message = self.index.read(bytes, Framing::Datagram);
        self.core.handle_message(self.now, source, &message);
        while let Some(output) = self.core.poll_output() {
            match output {
                Output::Choose(attempt) => {
                    let choice = Choice {
                        awaits_confirmation: false,
                        connect_patience: Duration::from_secs(1),
                        request_uri: None,
                        peer: 0,
                        transport: Transport::Udp,
                        remote: PEER.parse().unwrap(),
                        patience: Duration::from_secs(2),
                        attempts_max: 3,
                        next_on: Statuses::default(),
                    };
                    self.core.handle_choice(self.now, attempt, Ok(choice));
                }
                Output::Lookup(key) => self.core.handle_lookup(key, Ok(())),
                Output::Attempted(..) | Output::Ended(_) | Output::Probed(..) => {}
                Output::Send(transmit) => {
                    let bytes = self.core.bytes(transmit.span);
                    let copy = if transmit.hop.remote.port() == 5180 {
                        &mut self.to_peer
                    } else {
                        &mut self.to_caller
                    };
                    copy.clear();
                    copy.extend_from_slice(bytes);
                }
            }
        }
        self.core.sent();
    }

    fn request(&self, method: &str, cseq: u32, body: &str) -> Vec<u8> {
        let number = self.calls;
        let tag = if method == "INVITE" {
            String::new()
        } else {
            format!(";tag={}", to_tag(&self.to_caller))
        };
        format!(
            "{method} sip:meet.room@127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5190;branch=z9hG4bK-{number}-{method};rport\r\n\
             Max-Forwards: 70\r\nFrom: \"Room {number}\" <sip:room{number}@example.com>;tag=1u{number}\r\n\
             To: <sip:meet.room@example.com>{tag}\r\nCall-ID: {number}-1@127.0.0.1\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:room{number}@127.0.0.1:5190;transport=UDP>\r\nAllow: INVITE, ACK, CANCEL, OPTIONS, BYE\r\n\
             Supported: timer, replaces\r\nSession-Expires: 1800\r\nMin-SE: 90\r\nUser-Agent: bench\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    fn answer(&self, status: &str, body: &str) -> Vec<u8> {
        let mut index = Index::new(Limits::default());
        let request = index.read(&self.to_peer, Framing::Datagram);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let tag = if request.to_tag().is_some() || status.starts_with("100") {
            ""
        } else {
            ";tag=peer"
        };
        format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {} {}\r\n\
             Contact: <sip:bridge@127.0.0.1:5180;transport=UDP>\r\nServer: bench\r\nContent-Length: {}\r\n\r\n{body}",
            text(request.header(HeaderName::Via).unwrap()),
            text(request.from()),
            text(request.to()),
            text(request.call_id()),
            request.cseq(),
            text(request.cseq_method_text()),
            body.len()
        )
        .into_bytes()
    }

    /// Sets a call up; the messages are made beforehand where that is possible, and not counted
    /// where `timed` is false.
    fn establish(&mut self, spent: &mut Duration) {
        self.calls += 1;
        let invite = self.request("INVITE", 1, SDP);
        self.timed(CALLER, &invite, spent);
        for (status, body) in [("100 Trying", ""), ("180 Ringing", ""), ("200 OK", SDP)] {
            let answer = self.answer(status, body);
            self.timed(PEER, &answer, spent);
        }
        let ack = self.request("ACK", 1, "");
        self.timed(CALLER, &ack, spent);
    }

    fn end(&mut self, spent: &mut Duration) {
        let bye = self.request("BYE", 2, "");
        self.timed(CALLER, &bye, spent);
        let answer = self.answer("200 OK", "");
        self.timed(PEER, &answer, spent);
    }

    fn timed(&mut self, from: &str, bytes: &[u8], spent: &mut Duration) {
        let start = Instant::now();
        self.hear(from, black_box(bytes));
        *spent += start.elapsed();
    }

    /// Lets virtual time pass, so that what lingers goes; that work belongs to the calls and is
    /// counted.
    fn pass(&mut self, time: Duration, spent: &mut Duration) {
        self.now += time;
        let start = Instant::now();
        self.core.handle_timeout(self.now);
        *spent += start.elapsed();
        while self.core.poll_output().is_some() {}
        self.core.sent();
    }
}

fn to_tag(bytes: &[u8]) -> String {
    let mut index = Index::new(Limits::default());
    let message = index.read(bytes, Framing::Datagram);
    String::from_utf8(message.to_tag().expect("an answer with a tag").to_vec()).unwrap()
}

fn whole_call(criterion: &mut Criterion) {
    for established in [0u64, 10_000, 100_000] {
        let mut table = Table::new();
        let mut unused = Duration::ZERO;
        for _ in 0..established {
            table.establish(&mut unused);
        }
        table.pass(Duration::from_secs(70), &mut unused);
        criterion.bench_function(
            &format!("whole call, {established} established"),
            |bencher| {
                bencher.iter_custom(|calls| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..calls {
                        table.establish(&mut spent);
                        table.end(&mut spent);
                        // 2,000 calls a second.
                        table.pass(Duration::from_micros(500), &mut spent);
                    }
                    spent
                });
            },
        );
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(4));
    targets = whole_call
}
criterion_main!(benches);
