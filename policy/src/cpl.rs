//! An answer as CPL, in the few words that a VCS knows (POLICY.md sections 6 and 7).
//!
//! Head and tail are constant; only aliases, or status and reason, are written for a call. Values are
//! escaped, and no text of the request is ever among them.

use std::io::Write;

/// What a VCS is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Go on as if nobody had been asked.
    Proxy {
        /// How many seconds it may ring.
        timeout: Option<u32>,
    },
    /// Refuse.
    Reject {
        /// A SIP status, 400 to 699.
        status: u16,
        /// For people: printable, at most [`REASON_MAX`] octets.
        reason: &'a str,
    },
    /// Call these instead, all at one time.
    Route {
        /// At least one.
        aliases: &'a [&'a str],
        /// How many seconds they may ring.
        timeout: Option<u32>,
        /// Whom to call when that fails.
        on_failure: Option<&'a str>,
    },
}

/// The longest reason: it ends up in signalling.
pub const REASON_MAX: usize = 64;
/// The longest answer.
pub const ANSWER_MAX: usize = 4_096;

const HEAD: &str = concat!(
    r#"<cpl xmlns="urn:ietf:params:xml:ns:cpl""#,
    r#" xmlns:taa="http://www.tandberg.net/cpl-extensions""#,
    r#" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance""#,
    r#" xsi:schemaLocation="urn:ietf:params:xml:ns:cpl cpl.xsd"><taa:routed>"#
);
const TAIL: &str = "</taa:routed></cpl>";

/// Writes the document.
pub fn write(answer: &Answer<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    put(out, HEAD);
    match *answer {
        Answer::Proxy { timeout } => proxy(out, timeout, None),
        Answer::Reject { status, reason } => {
            debug_assert!((400..700).contains(&status), "a refusal is one");
            debug_assert!(is_reason(reason), "a reason is short and printable");
            put(out, "<reject status=\"");
            number(out, u32::from(status));
            put(out, "\" reason=\"");
            escaped(out, reason);
            put(out, "\"/>");
        }
        Answer::Route {
            aliases,
            timeout,
            on_failure,
        } => route(out, aliases, timeout, on_failure),
    }
    put(out, TAIL);
    debug_assert!(out.len() - start <= ANSWER_MAX, "answers are short");
}

/// Whether a text can be the reason of a refusal.
#[must_use]
pub fn is_reason(text: &str) -> bool {
    (1..=REASON_MAX).contains(&text.len())
        && text.bytes().all(|octet| (b' '..=b'~').contains(&octet))
}

/// Whether a text can be an alias in an answer: what SIP URIs and H.323 aliases are made of, and
/// short enough for eight of them.
#[must_use]
pub fn is_alias(text: &str) -> bool {
    const LENGTH_MAX: usize = 255;
    let is_legal = |octet: u8| octet.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&octet);
    (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(is_legal)
}

/// The first location clears what was dialled: without it the call would ring there too, and come to
/// the same rule again.
fn route(out: &mut Vec<u8>, aliases: &[&str], timeout: Option<u32>, on_failure: Option<&str>) {
    debug_assert!(!aliases.is_empty(), "a route leads somewhere");
    for (position, alias) in aliases.iter().enumerate() {
        debug_assert!(is_alias(alias), "{alias} is no alias");
        put(out, "<taa:location");
        if position == 0 {
            put(out, " clear=\"yes\"");
        }
        put(out, " url=\"");
        escaped(out, alias);
        put(out, "\">");
    }
    proxy(out, timeout, on_failure);
    for _ in aliases {
        put(out, "</taa:location>");
    }
}

fn proxy(out: &mut Vec<u8>, timeout: Option<u32>, on_failure: Option<&str>) {
    put(out, "<proxy");
    if let Some(seconds) = timeout {
        debug_assert!((1..=86_400).contains(&seconds), "as a VCS takes it");
        put(out, " timeout=\"");
        number(out, seconds);
        put(out, "\"");
    }
    let Some(alias) = on_failure else {
        put(out, "/>");
        return;
    };
    put(out, "><failure>");
    route(out, &[alias], None, None);
    put(out, "</failure></proxy>");
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn number(out: &mut Vec<u8>, number: u32) {
    // Writing to a vector cannot fail.
    let written = write!(out, "{number}");
    debug_assert!(written.is_ok(), "a vector grows");
}

fn escaped(out: &mut Vec<u8>, text: &str) {
    for octet in text.bytes() {
        match octet {
            b'&' => put(out, "&amp;"),
            b'<' => put(out, "&lt;"),
            b'>' => put(out, "&gt;"),
            b'"' => put(out, "&quot;"),
            b'\'' => put(out, "&apos;"),
            octet => out.push(octet),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(answer: &Answer<'_>) -> String {
        let mut out = Vec::new();
        write(answer, &mut out);
        let text = String::from_utf8(out).expect("ASCII");
        let node = text.strip_prefix(HEAD).expect("the head");
        node.strip_suffix(TAIL).expect("the tail").to_owned()
    }

    #[test]
    fn answers_are_those_of_the_guides() {
        let route = Answer::Route {
            aliases: &["6002101@bridges.example.com"],
            timeout: None,
            on_failure: None,
        };
        assert_eq!(
            node(&route),
            r#"<taa:location clear="yes" url="6002101@bridges.example.com"><proxy/></taa:location>"#
        );
        let mut whole = Vec::new();
        write(&route, &mut whole);
        assert_eq!(whole.len(), 315, "as POLICY.md says");
        assert_eq!(node(&Answer::Proxy { timeout: None }), "<proxy/>");
        let ring = Answer::Proxy { timeout: Some(30) };
        assert_eq!(node(&ring), r#"<proxy timeout="30"/>"#);
        let reject = Answer::Reject {
            status: 403,
            reason: "Not <here> & \"now\"'s",
        };
        assert_eq!(
            node(&reject),
            r#"<reject status="403" reason="Not &lt;here&gt; &amp; &quot;now&quot;&apos;s"/>"#
        );
    }

    #[test]
    fn a_fork_with_voicemail_is_nested() {
        let fork = Answer::Route {
            aliases: &["desk@example.com", "phone@example.com"],
            timeout: Some(86_400),
            on_failure: Some("voicemail@example.com"),
        };
        assert_eq!(
            node(&fork),
            concat!(
                r#"<taa:location clear="yes" url="desk@example.com"><taa:location url="phone@example.com">"#,
                r#"<proxy timeout="86400"><failure>"#,
                r#"<taa:location clear="yes" url="voicemail@example.com"><proxy/></taa:location>"#,
                r#"</failure></proxy></taa:location></taa:location>"#
            )
        );
    }

    #[test]
    fn what_cannot_stand_in_an_answer_is_seen() {
        for good in ["a", "9@h", "+49'30&x=1;y@[::1]", &"x".repeat(255)] {
            assert!(is_alias(good), "{good}");
        }
        for bad in ["", "a b", "a<b", "a\"", "\u{e4}", "a\n", &"x".repeat(256)] {
            assert!(!is_alias(bad), "{bad}");
        }
        assert!(is_reason(&"x".repeat(REASON_MAX)) && is_reason(" ~"));
        for bad in ["", "a\r\n", "\u{e4}", &"x".repeat(REASON_MAX + 1)] {
            assert!(!is_reason(bad), "{bad}");
        }
    }
}
