//! The message layers of SIP and RAS allocate nothing per message.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use signaling::sip::message::{
    Challenge, Credentials, Cseq, Framing, HeaderName, Index, Limits, MediaType, NameAddr, Rack,
    ReferTo, Replaces, RetryAfter, SessionExpires, Uri, Via, Writer, percent_decode, unescape,
};

#[path = "support/ras.rs"]
mod ras;

struct Counting;

thread_local! {
    // The test harness allocates on its own threads; only this thread's count matters.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count_one() {
    ALLOCATIONS.with(|count| count.set(count.get() + 1));
}

// SAFETY: every call goes to the system allocator unchanged; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count_one();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

const INVITE: &[u8] = b"INVITE sip:a%20b@c.example:5070;transport=tcp SIP/2.0\r\n\
    Via: SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bK1;rport, SIP/2.0/UDP h;received=192.0.2.1\r\n\
    From: \"A \\\"B\\\"\" <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x@y\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\
    Contact: <sip:a@192.0.2.1>;expires=60\r\nSession-Expires: 1800;refresher=uac\r\nRequire: a, b, c\r\n\
    Authorization: Digest username=\"u\\\"\", realm=\"r\", nonce=\"n\", uri=\"sip:c\", response=\"0\"\r\n\
    Replaces: a@b;to-tag=1;from-tag=2\r\nRefer-To: <sip:a@b?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\n\
    X-Unknown: folded\r\n value\r\nContent-Type: application/sdp\r\nContent-Length: 4\r\n\r\nbody";

#[test]
fn a_counted_allocation_is_counted() {
    assert_eq!(
        allocations(|| drop(std::hint::black_box(Vec::<u8>::with_capacity(9)))),
        1
    );
}

#[test]
fn index_values_and_writer_allocate_nothing() {
    let mut index = Index::new(Limits::default());
    let mut buffer = [0; 4096];
    let many = format!(
        "OPTIONS sip:a SIP/2.0\r\n{}\r\n",
        "X-Y: z\r\n".repeat(1_000)
    );
    let count = allocations(|| {
        let message = index.read(many.as_bytes(), Framing::Datagram);
        assert!(message.fault().is_some());
        let message = index.read(INVITE, Framing::Stream);
        assert_eq!(message.fault(), None);
        values(|name| message.header(name).unwrap());
        assert!(Uri::parse(message.request_uri()).is_ok());
        assert_eq!(message.values(HeaderName::Require).count(), 3);
        assert!(
            message
                .values(HeaderName::Via)
                .all(|via| Via::parse(via).is_ok())
        );
        let mut writer = Writer::new(&mut buffer);
        writer.request_line(b"INVITE", b"sip:a");
        writer.number(u32::MAX);
        writer.pass(&message, |line| line.name != HeaderName::ContentLength);
        writer.body(message.body());
        assert!(writer.finish().is_ok());
        assert!(Writer::new(&mut []).finish().is_ok());
    });
    assert_eq!(count, 0);
}

fn values<'a>(header: impl Fn(HeaderName) -> &'a [u8]) {
    let mut buffer = [0; 64];
    let contact = NameAddr::parse(header(HeaderName::Contact)).unwrap();
    assert!(Uri::parse(contact.uri).unwrap().ip().is_some());
    assert!(Cseq::parse(header(HeaderName::Cseq)).is_ok());
    assert!(SessionExpires::parse(header(HeaderName::SessionExpires)).is_ok());
    let credentials = Credentials::parse(header(HeaderName::Authorization)).unwrap();
    assert_eq!(
        unescape(credentials.username(), &mut buffer),
        Some(&b"u\""[..])
    );
    assert!(Replaces::parse(header(HeaderName::Replaces)).is_ok());
    let refer = ReferTo::parse(header(HeaderName::ReferTo)).unwrap();
    let replaces = percent_decode(refer.replaces().unwrap(), &mut buffer).unwrap();
    assert!(Replaces::parse(replaces).is_ok());
    assert!(MediaType::parse(header(HeaderName::ContentType)).is_ok());
    assert!(Rack::parse(b"1 2 INVITE").is_ok());
    assert!(RetryAfter::parse(b"5 (later);duration=3").is_ok());
    assert!(Challenge::parse(b"Digest realm=\"r\", nonce=\"n\"").is_ok());
}

#[test]
fn messages_of_ras_allocate_nothing() {
    let samples = ras::samples();
    let mut buffer = [0; 4096];
    let count = allocations(|| {
        for (_, message, _) in &samples {
            let length = message.encode(&mut buffer).unwrap();
            let bytes = buffer.get(..length).unwrap();
            assert!(signaling::h323::ras::Message::decode(bytes).unwrap() == *message);
        }
    });
    assert_eq!(count, 0);
}
