//! Many datagrams a system call: `recvmmsg` into one arena, `sendmmsg` from wherever the bytes are.
//!
//! All memory is taken once: a slot of the arena holds the largest datagram there is, so nothing is cut short, and pages
//! that no datagram reached are never touched. One [`Inbound`] and one [`Outbound`] serve all sockets of a worker.

use super::check;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Most datagrams of one call.
pub(crate) const BATCH: usize = 64;

/// Bytes from one slot to the next: 64 KiB and a little, so that the first lines of all slots do not share the few cache
/// sets that multiples of 64 KiB fall into.
const STRIDE: usize = 65_536 + 4_096 + 320;
/// A datagram's largest payload is smaller (65,507 over IPv4, 65,527 over IPv6).
const SLOT: usize = 65_536;

/// `sockaddr_in` or `sockaddr_in6`, as bytes.
#[derive(Clone, Copy)]
#[repr(C, align(4))]
struct Address([u8; Self::SIZE]);

/// Room for two control messages: how many were dropped (32 bits) and a time (two words).
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; Self::SIZE]);

/// One datagram of a batch.
pub(crate) struct Datagram<'a> {
    /// Who sent it.
    pub(crate) source: SocketAddr,
    /// Its payload, whole.
    pub(crate) bytes: &'a [u8],
}

/// Where datagrams arrive.
pub(crate) struct Inbound {
    // Vectors and not boxes: the kernel writes through pointers into them, and a box claims to be the only way to its
    // content.
    arena: Vec<u8>,
    addresses: Vec<Address>,
    controls: Vec<Control>,
    // Pointed to by `headers`.
    parts: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    filled: usize,
}

impl Inbound {
    pub(crate) fn new() -> Self {
        let nowhere = libc::iovec {
            iov_base: ptr::null_mut(),
            iov_len: SLOT,
        };
        let mut inbound = Self {
            arena: vec![0; STRIDE * BATCH],
            addresses: vec![Address([0; Address::SIZE]); BATCH],
            controls: vec![Control([0; Control::SIZE]); BATCH],
            parts: vec![nowhere; BATCH],
            headers: vec![empty_header(); BATCH],
            filled: BATCH,
        };
        inbound.refresh();
        inbound
    }

    /// Takes what waits in the socket, at most [`BATCH`] datagrams; 0 when there is nothing.
    pub(crate) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.refresh();
        let headers = self.headers.as_mut_ptr();
        // SAFETY: `headers` are BATCH headers whose name, control and single part point into vectors of this object that
        // are never resized, each with the length written beside it (see `refresh`).
        let result = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers,
                length(BATCH),
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        match check(result) {
            Ok(count) => self.filled = count,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(error) => return Err(error),
        }
        Ok(self.filled)
    }

    /// One datagram of the last batch; `None` when its sender's address is of no family that we know.
    pub(crate) fn datagram(&self, position: usize) -> Option<Datagram<'_>> {
        debug_assert!(position < self.filled, "only what was received is read");
        let length = usize::try_from(self.headers.get(position)?.msg_len).ok()?;
        let start = position * STRIDE;
        let bytes = self.arena.get(start..start + length.min(SLOT))?;
        Some(Datagram {
            source: self.addresses.get(position)?.read()?,
            bytes,
        })
    }

    /// How many datagrams the kernel has dropped at this socket since it was opened, if it said so with the last batch.
    pub(crate) fn dropped(&self) -> Option<u32> {
        let last = self.filled.checked_sub(1)?;
        let value = self.control(last, libc::SO_RXQ_OVFL)?;
        Some(u32::from_ne_bytes(value))
    }

    /// How long the first datagram of the last batch, the oldest, had waited; nothing where the socket does not stamp.
    pub(crate) fn waited(&self) -> Duration {
        let Some(stamp) = self.control(0, libc::SO_TIMESTAMPNS).and_then(time) else {
            return Duration::ZERO;
        };
        // Both are of the clock on the wall; if it is set in between, one batch is misjudged.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.unwrap_or(Duration::ZERO).saturating_sub(stamp)
    }

    /// The value of a control message that came with a datagram.
    fn control<const N: usize>(&self, position: usize, kind: libc::c_int) -> Option<[u8; N]> {
        let used = self.headers.get(position)?.msg_hdr.msg_controllen;
        self.controls.get(position)?.value(used, kind)
    }

    /// Makes the slots of the last batch ready again: the kernel shortens name and control to what it wrote, and a pointer
    /// through which it writes must not be older than the references through which we read since.
    fn refresh(&mut self) {
        // `as_mut_ptr` of a vector makes no reference to its content, and `wrapping_add` stays within it: there are BATCH
        // of each.
        let arena = self.arena.as_mut_ptr();
        let addresses = self.addresses.as_mut_ptr();
        let controls = self.controls.as_mut_ptr();
        let parts = self.parts.as_mut_ptr();
        for (position, part) in self.parts.iter_mut().take(self.filled).enumerate() {
            part.iov_base = arena.wrapping_add(position * STRIDE).cast();
        }
        for (position, header) in self.headers.iter_mut().take(self.filled).enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_name = addresses.wrapping_add(position).cast();
            header.msg_namelen = length(Address::SIZE);
            header.msg_iov = parts.wrapping_add(position);
            header.msg_iovlen = 1;
            header.msg_control = controls.wrapping_add(position).cast();
            header.msg_controllen = Control::SIZE;
        }
        self.filled = 0;
    }

    /// Does to the first datagrams what the kernel does, through the same pointers. miri knows no `recvmmsg`.
    #[cfg(test)]
    fn fill(&mut self, source: SocketAddr, texts: &[&[u8]]) {
        self.refresh();
        for (header, text) in self.headers.iter_mut().zip(texts) {
            let message = &header.msg_hdr;
            // SAFETY: the pointers lead into vectors of this object, to as much as is written here; `fill` holds the only
            // reference to it.
            unsafe {
                let base = (*message.msg_iov).iov_base.cast::<u8>();
                ptr::copy_nonoverlapping(text.as_ptr(), base, text.len());
                let mut address = Address([0; Address::SIZE]);
                address.write(source);
                message.msg_name.cast::<Address>().write(address);
            }
            header.msg_len = length(text.len());
            header.msg_hdr.msg_controllen = 0;
        }
        self.filled = texts.len();
    }
}

/// What became of a batch that was offered.
pub(crate) struct Sent {
    /// How many were offered: the rest of the iterator was not taken.
    pub(crate) offered: usize,
    /// How many of them, from the first, are on their way.
    pub(crate) accepted: usize,
    /// Why the next one is not, if the first one failed.
    pub(crate) error: Option<io::Error>,
}

/// Where datagrams leave from.
pub(crate) struct Outbound {
    addresses: Vec<Address>,
    parts: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl Outbound {
    pub(crate) fn new() -> Self {
        Self {
            addresses: vec![Address([0; Address::SIZE]); BATCH],
            parts: vec![
                libc::iovec {
                    iov_base: ptr::null_mut(),
                    iov_len: 0
                };
                BATCH
            ],
            headers: vec![empty_header(); BATCH],
        }
    }

    /// Sends the first [`BATCH`] datagrams of an iterator in one call.
    pub(crate) fn send<'a>(
        &mut self,
        socket: BorrowedFd<'_>,
        datagrams: impl Iterator<Item = (SocketAddr, &'a [u8])>,
    ) -> Sent {
        let places = self
            .headers
            .iter_mut()
            .zip(self.parts.iter_mut().zip(&mut self.addresses));
        let mut offered = 0;
        for ((header, (part, address)), (remote, bytes)) in places.zip(datagrams) {
            part.iov_base = bytes.as_ptr().cast_mut().cast();
            part.iov_len = bytes.len();
            header.msg_hdr.msg_namelen = address.write(remote);
            header.msg_hdr.msg_name = ptr::from_mut(address).cast();
            header.msg_hdr.msg_iov = ptr::from_mut(part);
            header.msg_hdr.msg_iovlen = 1;
            offered += 1;
        }
        if offered == 0 {
            return Sent {
                offered,
                accepted: 0,
                error: None,
            };
        }
        let count = u32::try_from(offered).expect("at most BATCH");
        // SAFETY: the first `offered` headers were written above: each points to an address and a part of this object, and
        // the part to bytes borrowed for 'a, which outlives this call. sendmmsg only reads them.
        let result = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT,
            )
        };
        match check(result) {
            Ok(accepted) => Sent {
                offered,
                accepted,
                error: None,
            },
            Err(error) => Sent {
                offered,
                accepted: 0,
                error: Some(error),
            },
        }
    }
}

impl Address {
    const SIZE: usize = size_of::<libc::sockaddr_in6>();

    /// Writes an address and returns its length.
    fn write(&mut self, address: SocketAddr) -> libc::socklen_t {
        let Self([family0, family1, port0, port1, rest @ ..]) = self;
        [*port0, *port1] = address.port().to_be_bytes();
        let (family, length) = match address {
            SocketAddr::V4(address) => {
                let [a, b, c, d, ..] = rest;
                [*a, *b, *c, *d] = address.ip().octets();
                (libc::AF_INET, size_of::<libc::sockaddr_in>())
            }
            SocketAddr::V6(address) => {
                let (flow, rest) = rest.split_at_mut(4);
                let (ip, scope) = rest.split_at_mut(16);
                flow.copy_from_slice(&address.flowinfo().to_be_bytes());
                ip.copy_from_slice(&address.ip().octets());
                scope.copy_from_slice(&address.scope_id().to_ne_bytes());
                (libc::AF_INET6, size_of::<libc::sockaddr_in6>())
            }
        };
        [*family0, *family1] = u16::try_from(family).expect("a small number").to_ne_bytes();
        u32::try_from(length).expect("a small number")
    }

    fn read(&self) -> Option<SocketAddr> {
        let Self([family0, family1, port0, port1, rest @ ..]) = self;
        let port = u16::from_be_bytes([*port0, *port1]);
        match libc::c_int::from(u16::from_ne_bytes([*family0, *family1])) {
            libc::AF_INET => {
                let [a, b, c, d, ..] = rest;
                Some(SocketAddr::new(
                    IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d)),
                    port,
                ))
            }
            libc::AF_INET6 => {
                let (_flow, rest) = rest.split_first_chunk::<4>()?;
                let (ip, rest) = rest.split_first_chunk::<16>()?;
                let (scope, _) = rest.split_first_chunk::<4>()?;
                let address =
                    SocketAddrV6::new(Ipv6Addr::from(*ip), port, 0, u32::from_ne_bytes(*scope));
                Some(SocketAddr::V6(address))
            }
            _ => None,
        }
    }
}

impl Control {
    // SAFETY: CMSG_SPACE is arithmetic.
    const SIZE: usize = unsafe {
        libc::CMSG_SPACE(length(size_of::<u32>()))
            + libc::CMSG_SPACE(length(size_of::<libc::timespec>()))
    } as usize;

    /// The value of the message of this kind among the first `used` octets.
    fn value<const N: usize>(&self, used: usize, kind: libc::c_int) -> Option<[u8; N]> {
        const HEAD: usize = size_of::<libc::cmsghdr>();
        let mut rest = self.0.get(..used)?;
        loop {
            let head = rest.first_chunk::<HEAD>()?;
            // SAFETY: there are as many octets as a cmsghdr has, and any bits are a valid one.
            let head = unsafe { head.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
            if head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == kind {
                return rest.get(HEAD..)?.first_chunk().copied();
            }
            // The next one is aligned for its own head.
            let next = head
                .cmsg_len
                .max(HEAD)
                .next_multiple_of(align_of::<usize>());
            rest = rest.get(next..)?;
        }
    }
}

/// A `timespec` as a time since 1970.
fn time(octets: [u8; size_of::<libc::timespec>()]) -> Option<Duration> {
    // SAFETY: there are as many octets as a timespec has, and any bits are a valid one.
    let time = unsafe { octets.as_ptr().cast::<libc::timespec>().read_unaligned() };
    let seconds = u64::try_from(time.tv_sec).ok()?;
    Some(Duration::new(seconds, u32::try_from(time.tv_nsec).ok()?))
}

/// A length as the system calls take it.
const fn length(size: usize) -> u32 {
    assert!(
        size <= 65_536,
        "addresses, control messages and batches are small"
    );
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked above; try_from is not const"
    )]
    let length = size as u32;
    length
}

fn empty_header() -> libc::mmsghdr {
    // SAFETY: a header of zeros is valid: null pointers with lengths of zero.
    unsafe { std::mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    fn pair(host: &str) -> (UdpSocket, UdpSocket) {
        (
            UdpSocket::bind((host, 0)).unwrap(),
            UdpSocket::bind((host, 0)).unwrap(),
        )
    }

    #[test]
    fn what_is_sent_in_one_call_is_received_in_one_call() {
        for host in ["127.0.0.1", "::1"] {
            let (here, there) = pair(host);
            // One of the largest size, the others small: a socket's buffer holds them all.
            let length = |position| {
                if position == 5 {
                    65_507
                } else {
                    1 + position * 20
                }
            };
            let texts: Vec<Vec<u8>> = (0..BATCH + 3)
                .map(|position| vec![b'a'; length(position)])
                .collect();
            let to = there.local_addr().unwrap();
            let mut outbound = Outbound::new();
            let mut inbound = Inbound::new();
            let sent = outbound.send(here.as_fd(), texts.iter().map(|text| (to, text.as_slice())));
            assert_eq!(
                (sent.offered, sent.accepted),
                (BATCH, BATCH),
                "{:?}",
                sent.error
            );
            let mut received = 0;
            while received < BATCH {
                let count = inbound.receive(there.as_fd()).unwrap();
                assert!(count > 0, "loopback delivers at once");
                for position in 0..count {
                    let datagram = inbound.datagram(position).unwrap();
                    assert_eq!(datagram.source, here.local_addr().unwrap());
                    assert_eq!(datagram.bytes, texts[received + position]);
                }
                received += count;
            }
            assert_eq!(
                inbound.receive(there.as_fd()).unwrap(),
                0,
                "nothing is left, nothing blocks"
            );
            assert_eq!(inbound.dropped(), None);
        }
    }

    #[test]
    fn a_datagram_that_cannot_be_sent_says_why() {
        let (here, there) = pair("127.0.0.1");
        let huge = vec![0; 65_535];
        let sent = Outbound::new().send(
            here.as_fd(),
            [(there.local_addr().unwrap(), &huge[..])].into_iter(),
        );
        assert_eq!((sent.offered, sent.accepted), (1, 0));
        assert_eq!(sent.error.unwrap().raw_os_error(), Some(libc::EMSGSIZE));
    }

    #[test]
    fn the_kernel_tells_how_many_it_dropped() {
        let (here, there) = pair("127.0.0.1");
        super::super::option::count_drops(there.as_fd()).unwrap();
        socket2::SockRef::from(&there)
            .set_recv_buffer_size(4096)
            .unwrap();
        let to = there.local_addr().unwrap();
        for _ in 0..100 {
            here.send_to(&[0; 1000], to).unwrap();
        }
        let mut inbound = Inbound::new();
        let kept = inbound.receive(there.as_fd()).unwrap();
        here.send_to(b"one more, which brings the news", to)
            .unwrap();
        assert_eq!(inbound.receive(there.as_fd()).unwrap(), 1);
        assert_eq!(inbound.dropped(), Some(u32::try_from(100 - kept).unwrap()));
    }

    #[test]
    fn slots_are_written_again_after_they_were_read() {
        let source: SocketAddr = "192.0.2.1:5060".parse().unwrap();
        let mut inbound = Inbound::new();
        for round in 0..3u8 {
            let text = [b'a' + round; 100];
            inbound.fill(source, &[&text, &text[..50]]);
            for (position, length) in [(0, 100), (1, 50)] {
                let datagram = inbound.datagram(position).unwrap();
                assert_eq!(datagram.source, source);
                assert_eq!(datagram.bytes, &text[..length]);
            }
            assert_eq!(inbound.dropped(), None);
        }
    }

    #[test]
    fn a_stamped_datagram_tells_how_long_it_waited() {
        let (here, there) = pair("127.0.0.1");
        super::super::option::count_drops(there.as_fd()).unwrap();
        let to = there.local_addr().unwrap();
        let mut inbound = Inbound::new();
        here.send_to(b"without", to).unwrap();
        assert_eq!(inbound.receive(there.as_fd()).unwrap(), 1);
        assert_eq!(inbound.waited(), Duration::ZERO);
        super::super::option::stamp(there.as_fd(), true).unwrap();
        // The kernel begins to stamp a little later.
        let wait = Duration::from_millis(5);
        let is_seen = (0..1000).any(|_| {
            here.send_to(b"first", to).unwrap();
            std::thread::sleep(wait);
            here.send_to(b"second", to).unwrap();
            assert_eq!(inbound.receive(there.as_fd()).unwrap(), 2);
            inbound.waited() >= wait
        });
        assert!(is_seen, "the wait shows");
        assert!(inbound.waited() < Duration::from_secs(60));
        super::super::option::stamp(there.as_fd(), false).unwrap();
        here.send_to(b"without", to).unwrap();
        assert_eq!(inbound.receive(there.as_fd()).unwrap(), 1);
        assert_eq!(inbound.waited(), Duration::ZERO);
    }

    #[test]
    fn addresses_survive() {
        let mut place = Address([0xff; Address::SIZE]);
        for text in ["192.0.2.1:5060", "[2001:db8::1]:5061", "[fe80::1%3]:5062"] {
            let address: SocketAddr = text.parse().unwrap();
            place.write(address);
            assert_eq!(place.read(), Some(address));
        }
        assert_eq!(Address([0; Address::SIZE]).read(), None);
    }
}
