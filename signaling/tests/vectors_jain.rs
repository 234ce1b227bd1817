//! The torture file of JAIN-SIP: 400 cases, some with the exception that parser was to throw.
//!
//! The file is older than RFC 3261 in places; where Baton judges otherwise than the file, the case
//! is listed with the reason.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use signaling::sip::message::{
    Fault, Framing, HeaderName, Index, Limits, MediaType, NameAddr, RetryAfter, TokenValue, Uri,
    Values,
};
use support::exhaust::{exhaust, exhaust_value};
use support::{vectors, with_crlf};

/// Cases without exception that are refused all the same.
const REFUSED: [(usize, Fault); 5] = [
    // RFC 3261 §25.1, addr-spec: no white space within the angle brackets.
    (14, Fault::BadTo),
    // §25.1, HCOLON: spaces and tabs may stand before the colon, a fold may not.
    (18, Fault::BadHeaderLine),
    // §8.1.1, §20: From, To and Call-ID are mandatory in every message.
    (25, Fault::Missing(HeaderName::From)),
    // §7.3.1: the second header line, `m =video`, is none. The case wants the octets after a body
    // of no length ignored, but lacks the empty line before them.
    (359, Fault::BadHeaderLine),
    // §8.1.1: one value each; the description itself asks for 400.
    (392, Fault::Duplicate(HeaderName::Cseq)),
];

/// Cases with an exception that the message layer takes.
const TAKEN: [usize; 5] = [
    // RFC 3261 §8.2.2.1: an unknown scheme in the Request-URI is a 416 of the layer above.
    7,  // §8.2.1: an unknown method is a 501 or 405 of the layer above.
    24, // Call-Info and Contact are not looked into unless somebody asks.
    54,
    // RFC 4475 §3.1.2.12: a Date of another zone should be ignored by who does not need it.
    376,
    // §20.10: a Contact without brackets has no headers; who asks for its address is told so.
    377,
];

struct Case {
    number: usize,
    text: String,
}

impl Case {
    fn element(&self, name: &str) -> Option<Vec<u8>> {
        let (_, rest) = self.text.split_once(&format!("<{name}>"))?;
        let (_, rest) = rest.split_once("<![CDATA[")?;
        let (text, _) = rest.split_once("]]>")?;
        Some(with_crlf(&expand_hex(text)))
    }

    fn has_exception(&self) -> bool {
        self.text.contains("<expect-exception")
    }
}

/// `<hex>2040</hex>` stands for two octets.
fn expand_hex(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<hex>") {
        let (digits, after) = after.split_once("</hex>").unwrap();
        out.extend_from_slice(before.as_bytes());
        let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_hexdigit).collect();
        for pair in digits.chunks(2) {
            out.push(u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn cases() -> Vec<Case> {
    let Some(folder) = vectors("jain-sip") else {
        return Vec::new();
    };
    let bytes = std::fs::read(folder.join("torture.xml")).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let parts = text.split("<testcase>").skip(1).enumerate();
    parts
        .map(|(at, text)| Case {
            number: at + 1,
            text: text.to_owned(),
        })
        .collect()
}

#[test]
fn messages_are_taken_or_refused_as_the_file_says() {
    let mut index = Index::new(Limits::default());
    let mut count = 0;
    for case in cases() {
        let Some(mut bytes) = case.element("message") else {
            continue;
        };
        exhaust(&bytes);
        // The file leaves out the empty line where there is no body (§7 asks for it).
        bytes.extend_from_slice(b"\r\n\r\n");
        exhaust(&bytes);
        let fault = index.read(&bytes, Framing::Datagram).fault();
        let number = case.number;
        match (case.has_exception(), fault) {
            (false, Some(fault)) => {
                assert!(REFUSED.contains(&(number, fault)), "{number}: {fault:?}");
            }
            (true, None) => assert!(TAKEN.contains(&number), "{number} is taken"),
            (false, None) => assert!(
                REFUSED.iter().all(|(of, _)| *of != number),
                "{number} is taken"
            ),
            (true, Some(_)) => assert!(!TAKEN.contains(&number), "{number} is refused"),
        }
        count += 1;
    }
    assert!(count == 0 || count == 374, "{count}");
}

#[test]
fn single_headers_are_read() {
    let mut count = 0;
    for case in cases() {
        let Some(header) = case.element("sip-header") else {
            continue;
        };
        let colon = header.iter().position(|byte| *byte == b':').unwrap();
        let (name, value) = header.split_at(colon);
        let value = value.get(1..).unwrap();
        exhaust_value(value);
        let is_read = is_read(HeaderName::from_bytes(name), value);
        assert!(is_read && !case.has_exception(), "{}", case.number);
        count += 1;
    }
    assert!(count == 0 || count == 16, "{count}");
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the file has these fields only"
)]
fn is_read(name: HeaderName, value: &[u8]) -> bool {
    match name {
        HeaderName::From | HeaderName::To => NameAddr::parse(value).is_ok(),
        HeaderName::RetryAfter => RetryAfter::parse(value).is_ok(),
        HeaderName::ContentType => MediaType::parse(value).is_ok(),
        HeaderName::Contact
        | HeaderName::CallInfo
        | HeaderName::AlertInfo
        | HeaderName::ErrorInfo => Values::new(value).all(|value| NameAddr::parse(value).is_ok()),
        HeaderName::Accept => Values::new(value).all(|value| MediaType::parse(value).is_ok()),
        HeaderName::AcceptLanguage | HeaderName::Supported => {
            Values::new(value).all(|value| TokenValue::parse(value).is_ok())
        }
        _ => false,
    }
}

#[test]
fn single_uris_are_read() {
    let mut count = 0;
    for case in cases() {
        let Some(uri) = case.element("sip-url") else {
            continue;
        };
        exhaust_value(&uri);
        assert!(
            Uri::parse(&uri).is_ok() && !case.has_exception(),
            "{}",
            case.number
        );
        count += 1;
    }
    assert!(count == 0 || count == 10, "{count}");
}
