//! What the index finds: positions in the message, and the few values every layer asks for.

use super::{Fault, HeaderName, Method};

/// Positions are 16 bits wide, which no datagram exceeds.
pub(super) const MESSAGE_BYTES_MAX: usize = 65_535;

/// A part of the message by position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Span {
    start: u16,
    end: u16,
}

impl Span {
    #[inline]
    pub(super) fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= MESSAGE_BYTES_MAX, "{start}..{end}");
        Self {
            start: offset(start),
            end: offset(end),
        }
    }

    /// Where `part`, which must be a slice of `whole`, stands in it.
    #[inline]
    pub(super) fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr());
        let end = start.wrapping_add(part.len());
        // An empty part may be a constant and no part of the message at all.
        if end <= whole.len() && start <= end {
            Self::new(start, end)
        } else {
            Self::default()
        }
    }

    #[inline]
    pub(super) fn text(self, bytes: &[u8]) -> &[u8] {
        bytes
            .get(usize::from(self.start)..usize::from(self.end))
            .unwrap_or_default()
    }

    pub(super) fn start(self) -> usize {
        usize::from(self.start)
    }

    pub(super) fn end(self) -> usize {
        usize::from(self.end)
    }
}

#[inline]
pub(super) fn offset(at: usize) -> u16 {
    debug_assert!(at <= MESSAGE_BYTES_MAX);
    // With the mask the compiler knows that it fits, and does not look again for each line.
    u16::try_from(at & MESSAGE_BYTES_MAX).unwrap_or(0)
}

/// One header line by position.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineSpan {
    pub(super) raw: Span,
    pub(super) value: Span,
    pub(super) name_bytes: u16,
    pub(super) name: HeaderName,
}

/// Which of the two a message is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Neither,
    Request,
    Response,
}

/// What is looked up on every message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) fault: Option<Fault>,
    pub(super) method: Method,
    pub(super) cseq_method: Method,
    pub(super) status: u16,
    pub(super) cseq: u32,
    pub(super) max_forwards: Option<u32>,
    pub(super) content_length: Option<usize>,
    pub(super) method_text: Span,
    pub(super) request_uri: Span,
    pub(super) reason: Span,
    pub(super) call_id: Span,
    pub(super) from: Span,
    pub(super) to: Span,
    pub(super) cseq_method_text: Span,
    pub(super) top_via: Span,
    pub(super) from_tag: Option<Span>,
    pub(super) to_tag: Option<Span>,
    pub(super) branch: Option<Span>,
    pub(super) body: Span,
    pub(super) whole: Span,
}

impl Found {
    pub(super) const fn nothing() -> Self {
        const NONE: Span = Span { start: 0, end: 0 };
        Self {
            kind: Kind::Neither,
            fault: None,
            method: Method::Other,
            cseq_method: Method::Other,
            status: 0,
            cseq: 0,
            max_forwards: None,
            content_length: None,
            method_text: NONE,
            request_uri: NONE,
            reason: NONE,
            call_id: NONE,
            from: NONE,
            to: NONE,
            cseq_method_text: NONE,
            top_via: NONE,
            from_tag: None,
            to_tag: None,
            branch: None,
            body: NONE,
            whole: NONE,
        }
    }
}
