//! The first line: a request line or a status line (RFC 3261 §7.1, §7.2).

use super::scan::{self, LWS, TOKEN};
use super::{Fault, Method, Uri};

/// What the first line says, as far as it can be read.
#[derive(Clone, Copy)]
pub(super) enum StartLine<'a> {
    Neither,
    Request {
        method: Method,
        method_text: &'a [u8],
        uri: &'a [u8],
    },
    Response {
        status: u16,
        reason: &'a [u8],
    },
}

/// Reads the line, and says what is wrong with it first.
pub(super) fn read(line: &[u8]) -> (StartLine<'_>, Option<Fault>) {
    if starts_with_sip(line) {
        status_line(line)
    } else {
        request_line(line)
    }
}

/// Whether the line has a SIP version where a start line has it.
pub(super) fn has_version(line: &[u8]) -> bool {
    let trimmed = scan::trim_end(line);
    let last = trimmed
        .rsplit(|byte| scan::is(*byte, LWS))
        .next()
        .unwrap_or_default();
    starts_with_sip(trimmed) || (last.len() < trimmed.len() && starts_with_sip(last))
}

fn request_line(line: &[u8]) -> (StartLine<'_>, Option<Fault>) {
    let trimmed = scan::trim_end(line);
    let space = trimmed.iter().rposition(|byte| scan::is(*byte, LWS));
    let Some((head, version)) = space.and_then(|at| trimmed.split_at_checked(at)) else {
        return (StartLine::Neither, Some(Fault::NotSip));
    };
    if !has_version(line) {
        return (StartLine::Neither, Some(Fault::NotSip));
    }
    let end = head
        .iter()
        .position(|byte| scan::is(*byte, LWS))
        .unwrap_or(head.len());
    let (method_text, rest) = head.split_at_checked(end).unwrap_or_default();
    let uri = scan::trim(rest);
    let start = StartLine::Request {
        method: Method::from_bytes(method_text),
        method_text,
        uri,
    };
    // RFC 3261 §7.1: single spaces between the elements, none elsewhere.
    let has_single_spaces = rest.len() == uri.len().saturating_add(1)
        && rest.first() == Some(&b' ')
        && version.first() == Some(&b' ')
        && trimmed.len() == line.len();
    let fault = if !version.get(1..).is_some_and(is_sip_2_0) {
        Some(Fault::BadVersion)
    } else if !has_single_spaces || !scan::all(method_text, TOKEN) {
        Some(Fault::BadStartLine)
    } else if !is_request_uri(uri) {
        Some(Fault::BadRequestUri)
    } else {
        None
    };
    (start, fault)
}

// RFC 3261 §19.1.1, table 1: header parameters are not allowed in a Request-URI.
fn is_request_uri(uri: &[u8]) -> bool {
    Uri::parse(uri).is_ok_and(|uri| uri.headers.is_empty())
}

fn status_line(line: &[u8]) -> (StartLine<'_>, Option<Fault>) {
    let end = scan::find(line, b' ').unwrap_or(line.len());
    let (version, rest) = line.split_at_checked(end).unwrap_or_default();
    let rest = rest.strip_prefix(b" ").unwrap_or(rest);
    let end = scan::find(rest, b' ').unwrap_or(rest.len());
    let (digits, reason) = rest.split_at_checked(end).unwrap_or_default();
    // A status line that ends after the status is met; the missing space does no harm.
    let reason = reason.strip_prefix(b" ").unwrap_or(reason);
    // RFC 3261 §7.2: three digits, of the six classes.
    let status = (digits.len() == 3)
        .then(|| scan::number(digits))
        .flatten()
        .and_then(|status| u16::try_from(status).ok())
        .filter(|status| (100..700).contains(status));
    let fault = if !is_sip_2_0(version) {
        Some(Fault::BadVersion)
    } else if status.is_none() {
        Some(Fault::BadStatus)
    } else {
        None
    };
    (
        StartLine::Response {
            status: status.unwrap_or(0),
            reason,
        },
        fault,
    )
}

fn starts_with_sip(text: &[u8]) -> bool {
    text.first_chunk::<4>()
        .is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/"))
}

// RFC 3261 §7.1: the version is compared without regard to case, and literally: 2.00 is another.
fn is_sip_2_0(text: &[u8]) -> bool {
    text.eq_ignore_ascii_case(b"SIP/2.0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(line: &str) -> Option<Fault> {
        read(line.as_bytes()).1
    }

    #[test]
    fn a_request_line_is_read() {
        let (start, fault) = read(b"INVITE sip:a@b SIP/2.0");
        assert_eq!(fault, None);
        let StartLine::Request {
            method,
            method_text,
            uri,
        } = start
        else {
            panic!("no request")
        };
        assert_eq!(
            (method, method_text, uri),
            (Method::Invite, &b"INVITE"[..], &b"sip:a@b"[..])
        );
    }

    #[test]
    fn a_broken_request_line_is_still_a_request() {
        for (line, expected) in [
            ("INVITE  sip:a@b SIP/2.0", Fault::BadStartLine),
            ("INVITE sip:a@b  SIP/2.0", Fault::BadStartLine),
            ("INVITE sip:a@b SIP/2.0 ", Fault::BadStartLine),
            ("INVITE\tsip:a@b SIP/2.0", Fault::BadStartLine),
            ("INV(TE sip:a@b SIP/2.0", Fault::BadStartLine),
            ("INVITE sip:a@b SIP/3.0", Fault::BadVersion),
            ("INVITE sip:a@b SIP/2.00", Fault::BadVersion),
            ("INVITE sip:a@b SIP/", Fault::BadVersion),
            ("INVITE <sip:a@b> SIP/2.0", Fault::BadRequestUri),
            ("INVITE sip:a@b; lr SIP/2.0", Fault::BadRequestUri),
            (
                "INVITE sip:a@b?Route=%3Csip:c%3E SIP/2.0",
                Fault::BadRequestUri,
            ),
            ("INVITE sip:2001:db8::10 SIP/2.0", Fault::BadRequestUri),
        ] {
            assert_eq!(fault(line), Some(expected), "{line}");
            let (start, _) = read(line.as_bytes());
            assert!(matches!(start, StartLine::Request { .. }), "{line}");
        }
        assert_eq!(fault("INVITE sip:a@b sip/2.0"), None);
    }

    #[test]
    fn what_is_not_sip_is_neither() {
        for line in [
            "",
            " ",
            "INVITE",
            "INVITE sip:a@b",
            "GET / HTTP/1.1",
            "\0\0\0\0",
            "SIP",
        ] {
            assert_eq!(fault(line), Some(Fault::NotSip), "{line}");
        }
    }

    #[test]
    fn a_status_line_is_read() {
        for (line, status, expected) in [
            ("SIP/2.0 200 OK", 200, "OK"),
            (
                "sip/2.0 486 Alle Leitungen belegt",
                486,
                "Alle Leitungen belegt",
            ),
            ("SIP/2.0 100 ", 100, ""),
            ("SIP/2.0 100", 100, ""),
        ] {
            let (start, fault) = read(line.as_bytes());
            assert_eq!(fault, None, "{line}");
            let StartLine::Response {
                status: read,
                reason,
            } = start
            else {
                panic!("{line}")
            };
            assert_eq!((read, reason), (status, expected.as_bytes()), "{line}");
        }
    }

    #[test]
    fn a_status_outside_the_classes_is_a_fault() {
        for line in [
            "SIP/2.0 4294967301 x",
            "SIP/2.0 99 x",
            "SIP/2.0 700 x",
            "SIP/2.0 abc",
            "SIP/2.0",
        ] {
            assert_eq!(fault(line), Some(Fault::BadStatus), "{line}");
        }
        assert_eq!(fault("SIP/3.0 200 OK"), Some(Fault::BadVersion));
    }
}
