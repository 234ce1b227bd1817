//! Session descriptions that both ends can compute from the number of a call, so that each checks the other's byte for
//! byte without having heard it.
//!
//! They hold what a B2BUA must not tidy: trailing spaces, media that no audio software knows, bytes above 127, a length
//! that differs from call to call.

/// What the caller of this call describes, in its INVITE or (delayed offer) in its ACK.
#[must_use]
pub fn of_caller(number: u64) -> Vec<u8> {
    text("caller", number, 40_000)
}

/// What the peer describes in its 2xx; each of several forked answers has its own.
#[must_use]
pub fn of_peer(number: u64, fork: u8) -> Vec<u8> {
    text(
        &format!("peer-{fork}"),
        number,
        50_000 + u32::from(fork) * 1000,
    )
}

/// What an end describes inside the dialog, in its offers and answers of this order.
#[must_use]
pub fn of_inside(number: u64, is_caller: bool, order: u8) -> Vec<u8> {
    let who = if is_caller { "caller" } else { "peer" };
    text(
        &format!("{who}-inside-{order}"),
        number,
        30_000 + u32::from(order) * 10,
    )
}

fn text(who: &str, number: u64, port: u32) -> Vec<u8> {
    let video = port + 2;
    let slides = port + 4;
    let padding = "x".repeat(usize::try_from(number % 97).unwrap_or(0));
    format!(
        "v=0\r\n\
         o={who} {number} 1 IN IP4 192.0.2.1\r\n\
         s=call {number} of b\u{e9}la \r\n\
         c=IN IP4 192.0.2.1\r\n\
         b=AS:4096\r\n\
         t=0 0\r\n\
         m=audio {port} RTP/AVP 9 0 101\r\n\
         a=rtpmap:9 G722/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15  \r\n\
         m=video {video} RTP/AVP 97\r\n\
         b=TIAS:4000000\r\n\
         a=rtpmap:97 H264/90000\r\n\
         a=fmtp:97 profile-level-id=428016;max-mbps=245000;max-fs=9000\r\n\
         a=rtcp-fb:* nack pli\r\n\
         m=application {slides} UDP/BFCP *\r\n\
         a=floorctrl:c-s\r\n\
         a=x-padding:{padding}\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_calls_or_ends_describe_the_same() {
        let all = [
            of_caller(1),
            of_caller(98),
            of_peer(1, 0),
            of_peer(1, 1),
            of_peer(2, 0),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all.iter().skip(at + 1).all(|other| other != one));
            assert!(one.len() < 800, "an INVITE with it fits an Ethernet frame");
        }
    }
}
