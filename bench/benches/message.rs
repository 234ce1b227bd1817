//! What the message layer costs: index, rewrite and typed values, beside rsip and (with the feature
//! `compare`) rsipstack.
//!
//! `cargo bench -p bench --bench message`; a table measured side by side is printed first.
#![expect(clippy::unwrap_used, reason = "a bench that cannot run must stop")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use signaling::sip::message::{
    Framing, HeaderName, Index, Limits, Line, Message, NameAddr, SessionExpires, Uri, Via, Writer,
};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to the system allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Relaxed: only the total counts, and it is read on the thread that allocates.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Relaxed: as above.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SDP: &str = "v=0\r\no=- 1712345678 1712345679 IN IP4 198.51.100.23\r\ns=-\r\n\
    c=IN IP4 198.51.100.23\r\nb=AS:4096\r\nt=0 0\r\n\
    m=audio 49170 RTP/AVP 99 9 8 0 101\r\na=rtpmap:99 MP4A-LATM/90000\r\n\
    a=fmtp:99 profile-level-id=24;object=23;bitrate=64000\r\na=rtpmap:101 telephone-event/8000\r\n\
    m=video 49172 RTP/AVP 97\r\nb=TIAS:2048000\r\na=rtpmap:97 H264/90000\r\n\
    a=fmtp:97 profile-level-id=428014;max-br=1732;max-fs=3600\r\n\
    a=rtcp-fb:* nack pli\r\na=rtcp-fb:* ccm fir\r\na=content:main\r\na=label:11\r\na=sendrecv\r\n\
    m=application 5070 UDP/BFCP *\r\na=floorctrl:c-only\r\na=setup:actpass\r\n";

fn invite() -> Vec<u8> {
    let head = "INVITE sip:room.4711@conference.example.com;transport=udp SIP/2.0\r\n\
        Via: SIP/2.0/UDP 203.0.113.17:5060;branch=z9hG4bK-524287-1---c4f2a9d1e8b70365;rport\r\n\
        Via: SIP/2.0/TLS 192.0.2.44:5061;branch=z9hG4bK776asdhds;received=192.0.2.45;rport=51234\r\n\
        Max-Forwards: 69\r\n\
        Record-Route: <sip:203.0.113.17;lr;ftag=a73kszlfl>\r\n\
        Contact: <sip:alice@192.0.2.44:5061;transport=tls>;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"\r\n\
        To: \"Weekly Meeting\" <sip:room.4711@conference.example.com>\r\n\
        From: \"Alice Example\" <sip:alice@example.com>;tag=a73kszlfl\r\n\
        Call-ID: 1j9FpLxk3uxtm8tn@192.0.2.44\r\n\
        CSeq: 314159 INVITE\r\n\
        Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, UPDATE\r\n\
        Supported: replaces, timer, 100rel, outbound\r\n\
        Session-Expires: 1800;refresher=uac\r\n\
        User-Agent: ExamplePhone 5.4.1\r\n\
        Content-Type: application/sdp\r\n";
    with_body(head, SDP)
}

fn ok() -> Vec<u8> {
    let head = "SIP/2.0 200 OK\r\n\
        Via: SIP/2.0/UDP 203.0.113.17:5060;branch=z9hG4bK-524287-1---c4f2a9d1e8b70365;rport=5060;received=203.0.113.17\r\n\
        Record-Route: <sip:203.0.113.17;lr;ftag=a73kszlfl>\r\n\
        To: \"Weekly Meeting\" <sip:room.4711@conference.example.com>;tag=8f3b0c2d\r\n\
        From: \"Alice Example\" <sip:alice@example.com>;tag=a73kszlfl\r\n\
        Call-ID: 1j9FpLxk3uxtm8tn@192.0.2.44\r\n\
        CSeq: 314159 INVITE\r\n\
        Contact: <sip:conference@198.51.100.80:5060>\r\n\
        Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, INFO, UPDATE\r\n\
        Supported: timer\r\n\
        Session-Expires: 1800;refresher=uac\r\n\
        Server: ExampleBridge 3.2\r\n\
        Content-Type: application/sdp\r\n";
    with_body(head, SDP)
}

fn trying() -> Vec<u8> {
    let head = "SIP/2.0 100 Trying\r\n\
        Via: SIP/2.0/UDP 203.0.113.17:5060;branch=z9hG4bK-524287-1---c4f2a9d1e8b70365;rport=5060;received=203.0.113.17\r\n\
        To: \"Weekly Meeting\" <sip:room.4711@conference.example.com>\r\n\
        From: \"Alice Example\" <sip:alice@example.com>;tag=a73kszlfl\r\n\
        Call-ID: 1j9FpLxk3uxtm8tn@192.0.2.44\r\n\
        CSeq: 314159 INVITE\r\n";
    with_body(head, "")
}

fn bye() -> Vec<u8> {
    let head = "BYE sip:alice@192.0.2.44:5061;transport=tls SIP/2.0\r\n\
        Via: SIP/2.0/UDP 198.51.100.80:5060;branch=z9hG4bK-524287-1---0d1e8b70365c4f2a;rport\r\n\
        Max-Forwards: 70\r\n\
        Route: <sip:203.0.113.17;lr;ftag=a73kszlfl>\r\n\
        To: \"Alice Example\" <sip:alice@example.com>;tag=a73kszlfl\r\n\
        From: \"Weekly Meeting\" <sip:room.4711@conference.example.com>;tag=8f3b0c2d\r\n\
        Call-ID: 1j9FpLxk3uxtm8tn@192.0.2.44\r\n\
        CSeq: 2 BYE\r\n\
        Reason: Q.850;cause=16;text=\"Terminated\"\r\n\
        User-Agent: ExampleBridge 3.2\r\n";
    with_body(head, "")
}

fn with_body(head: &str, body: &str) -> Vec<u8> {
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn messages() -> [(&'static str, Vec<u8>); 4] {
    [
        ("INVITE", invite()),
        ("200", ok()),
        ("BYE", bye()),
        ("100", trying()),
    ]
}

/// The message for the other leg, as a B2BUA that hides the first leg writes it.
fn rewrite(message: &Message<'_>, buffer: &mut [u8]) -> usize {
    let mut writer = Writer::new(buffer);
    if message.is_request() {
        writer.request_line(message.method_text(), b"sip:room.4711@198.51.100.90:5060");
    } else {
        writer.status_line(message.status(), message.reason());
    }
    writer.put(b"Via: SIP/2.0/UDP 198.51.100.80:5060;branch=z9hG4bK");
    writer.put(b"00d1e8b70365c4f2a\r\n");
    writer.header(b"Max-Forwards", b"68");
    let from = NameAddr::parse(message.from()).unwrap();
    let to = NameAddr::parse(message.to()).unwrap();
    for (name, address, tag) in [("From", from, "b7f31c"), ("To", to, "")] {
        writer.put(name.as_bytes());
        writer.put(b": ");
        writer.put(address.display);
        writer.put(b" <");
        writer.put(address.uri);
        writer.put(b">");
        if !tag.is_empty() {
            writer.put(b";tag=");
            writer.put(tag.as_bytes());
        }
        writer.put(b"\r\n");
    }
    writer.header(b"Call-ID", b"7c0e11f29b3d4a5f8877aa@198.51.100.80");
    writer.put(b"CSeq: ");
    writer.number(message.cseq());
    writer.put(b" ");
    writer.put(message.cseq_method_text());
    writer.put(b"\r\n");
    writer.header(b"Contact", b"<sip:198.51.100.80:5060>");
    writer.pass(message, is_passed);
    writer.body(message.body());
    writer.finish().unwrap()
}

fn is_passed(line: &Line<'_>) -> bool {
    !matches!(
        line.name,
        HeaderName::Via
            | HeaderName::MaxForwards
            | HeaderName::From
            | HeaderName::To
            | HeaderName::CallId
            | HeaderName::Cseq
            | HeaderName::Contact
            | HeaderName::RecordRoute
            | HeaderName::Route
            | HeaderName::ContentLength
    )
}

/// What a B2BUA asks an INVITE for beyond the index.
fn typed(message: &Message<'_>) -> usize {
    let via = Via::parse(message.top_via()).unwrap();
    let from = NameAddr::parse(message.from()).unwrap();
    let to = NameAddr::parse(message.to()).unwrap();
    let uri = Uri::parse(message.request_uri()).unwrap();
    let contact = NameAddr::parse(message.header(HeaderName::Contact).unwrap()).unwrap();
    let target = Uri::parse(contact.uri).unwrap();
    let timer = SessionExpires::parse(message.header(HeaderName::SessionExpires).unwrap()).unwrap();
    let supported = message.values(HeaderName::Supported).count();
    via.host.len()
        + from.uri.len()
        + to.uri.len()
        + uri.host.len()
        + target.host.len()
        + usize::from(timer.refresher.is_some())
        + supported
}

mod rsip_side {
    //! The same with rsip 0.4.

    use rsip::prelude::*;
    use rsip::{Header, SipMessage};

    pub(crate) fn parse(bytes: &[u8]) -> SipMessage {
        SipMessage::try_from(bytes).unwrap()
    }

    pub(crate) fn typed(message: &SipMessage) -> usize {
        let via = message.via_header().unwrap().typed().unwrap();
        let from = message.from_header().unwrap().typed().unwrap();
        let to = message.to_header().unwrap().typed().unwrap();
        let cseq = message.cseq_header().unwrap().typed().unwrap();
        via.params.len() + from.params.len() + to.params.len() + usize::try_from(cseq.seq).unwrap()
    }

    pub(crate) fn step(bytes: &[u8]) -> Vec<u8> {
        let mut message = parse(bytes);
        let from = message.from_header().unwrap().typed().unwrap();
        let mut to = message.to_header().unwrap().typed().unwrap();
        let cseq = message.cseq_header().unwrap().typed().unwrap();
        let from = from.with_tag("b7f31c".into());
        to.params.clear();
        message.headers_mut().retain(|header| {
            !matches!(
                header,
                Header::Via(_)
                    | Header::MaxForwards(_)
                    | Header::From(_)
                    | Header::To(_)
                    | Header::CallId(_)
                    | Header::CSeq(_)
                    | Header::Contact(_)
                    | Header::RecordRoute(_)
                    | Header::Route(_)
            )
        });
        let via = "SIP/2.0/UDP 198.51.100.80:5060;branch=z9hG4bK00d1e8b70365c4f2a";
        for header in [
            Header::Via(via.into()),
            Header::MaxForwards("68".into()),
            Header::From(from.into()),
            Header::To(to.into()),
            Header::CallId("7c0e11f29b3d4a5f8877aa@198.51.100.80".into()),
            Header::CSeq(cseq.into()),
            Header::Contact("<sip:198.51.100.80:5060>".into()),
        ] {
            message.headers_mut().push(header);
        }
        message.to_string().into_bytes()
    }
}

#[cfg(feature = "compare")]
mod rsipstack_side {
    //! The same with rsipstack 0.7.

    use rsipstack::sip::SipMessage;

    pub(crate) fn parse(bytes: &[u8]) -> SipMessage {
        SipMessage::try_from(bytes).unwrap()
    }

    pub(crate) fn again(bytes: &[u8]) -> Vec<u8> {
        parse(bytes).to_string().into_bytes()
    }
}

fn count(work: impl FnOnce()) -> u64 {
    // Relaxed: one thread.
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    work();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// One of those that are compared.
struct Contender<'a> {
    name: &'static str,
    work: Box<dyn FnMut() + 'a>,
    nanoseconds: Vec<f64>,
}

impl<'a> Contender<'a> {
    fn new(name: &'static str, work: impl FnMut() + 'a) -> Self {
        Self {
            name,
            work: Box::new(work),
            nanoseconds: Vec::new(),
        }
    }

    /// A batch short enough to be seldom interrupted.
    fn run_batch(&mut self) {
        const BATCH: u16 = 20;
        let start = Instant::now();
        for _ in 0..BATCH {
            (self.work)();
        }
        let time = start.elapsed().as_secs_f64() * 1e9;
        self.nanoseconds.push(time / f64::from(BATCH));
    }
}

/// Minimum and median of batches that alternate between the contenders, so that a noisy machine is
/// as noisy for each, and the allocations of one message.
#[expect(clippy::print_stdout, reason = "the table is what this is for")]
fn side_by_side(_: &mut Criterion) {
    println!("message  bytes  what                  allocations  min ns  median ns  index = 1");
    for (name, bytes) in messages() {
        let (mut first, mut second) =
            (Index::new(Limits::default()), Index::new(Limits::default()));
        let mut buffer = vec![0; 4096];
        let mut contenders = vec![
            Contender::new("index", || {
                black_box(first.read(black_box(&bytes), Framing::Datagram).branch());
            }),
            Contender::new("index and rewrite", || {
                let message = second.read(black_box(&bytes), Framing::Datagram);
                black_box(rewrite(&message, &mut buffer));
            }),
            Contender::new("rsip parse", || drop(black_box(rsip_side::parse(&bytes)))),
            Contender::new("rsip step", || drop(black_box(rsip_side::step(&bytes)))),
        ];
        #[cfg(feature = "compare")]
        contenders.extend([
            Contender::new("rsipstack parse", || {
                drop(black_box(rsipstack_side::parse(&bytes)))
            }),
            Contender::new("rsipstack again", || {
                drop(black_box(rsipstack_side::again(&bytes)))
            }),
        ]);
        for _ in 0..2_000 {
            contenders.iter_mut().for_each(Contender::run_batch);
        }
        let mut unit = None;
        for contender in &mut contenders {
            let count = count(|| (contender.work)());
            contender.nanoseconds.sort_by(f64::total_cmp);
            let minimum = contender.nanoseconds.first().copied().unwrap();
            let median = contender.nanoseconds.get(1_000).copied().unwrap();
            let ratio = minimum / *unit.get_or_insert(minimum);
            println!(
                "{name:7} {:6}  {:20}  {count:11} {minimum:7.0} {median:10.0} {ratio:10.1}",
                bytes.len(),
                contender.name,
            );
        }
    }
}

fn speed(criterion: &mut Criterion) {
    let mut index = Index::new(Limits::default());
    let mut buffer = vec![0; 4096];
    for (name, bytes) in messages() {
        let message = index.read(&bytes, Framing::Datagram);
        assert_eq!(message.fault(), None, "{name}");
        let mut group = criterion.benchmark_group(name);
        group.bench_function("index", |bencher| {
            bencher.iter(|| {
                index
                    .read(black_box(&bytes), Framing::Datagram)
                    .branch()
                    .is_some()
            });
        });
        group.bench_function("index+rewrite", |bencher| {
            bencher.iter(|| {
                rewrite(
                    &index.read(black_box(&bytes), Framing::Datagram),
                    &mut buffer,
                )
            });
        });
        if name == "INVITE" {
            let message = index.read(&bytes, Framing::Datagram);
            group.bench_function("typed values", |bencher| {
                bencher.iter(|| typed(black_box(&message)));
            });
            let parsed = rsip_side::parse(&bytes);
            group.bench_function("rsip typed values", |bencher| {
                bencher.iter(|| rsip_side::typed(black_box(&parsed)));
            });
        }
        group.bench_function("rsip parse", |bencher| {
            bencher.iter(|| rsip_side::parse(black_box(&bytes)));
        });
        group.bench_function("rsip step", |bencher| {
            bencher.iter(|| rsip_side::step(black_box(&bytes)));
        });
        #[cfg(feature = "compare")]
        {
            group.bench_function("rsipstack parse", |bencher| {
                bencher.iter(|| rsipstack_side::parse(black_box(&bytes)));
            });
            group.bench_function("rsipstack parse+write", |bencher| {
                bencher.iter(|| rsipstack_side::again(black_box(&bytes)));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, side_by_side, speed);
criterion_main!(benches);
