//! The view on one indexed message.

use super::found::{Kind, LineSpan, Span};
use super::value::list::Values;
use super::{Fault, HeaderName, Index, Method};

/// One message: its bytes and its index. Copying it copies two references.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    index: &'a Index,
}

/// One header line, its folds included.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Which field it is.
    pub name: HeaderName,
    /// The name as it was sent.
    pub name_text: &'a [u8],
    /// The value without the white space round it; folds stay in it.
    pub value: &'a [u8],
    /// The whole line with the line end that closes it.
    pub raw: &'a [u8],
}

impl<'a> Message<'a> {
    pub(super) fn new(bytes: &'a [u8], index: &'a Index) -> Self {
        Self { bytes, index }
    }

    /// The first thing found wrong. What could still be read is there nevertheless.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.index.found().fault
    }

    /// The message from its start line to the end of its body.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.text(self.index.found().whole)
    }

    /// Whether the first line is a request line, be it a broken one.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.index.found().kind == Kind::Request
    }

    /// Whether the first line is a status line, be it a broken one.
    #[must_use]
    pub fn is_response(&self) -> bool {
        self.index.found().kind == Kind::Response
    }

    /// The method of the request line; of a response, the method in CSeq.
    #[must_use]
    pub fn method(&self) -> Method {
        let found = self.index.found();
        if found.kind == Kind::Request {
            found.method
        } else {
            found.cseq_method
        }
    }

    /// The text of [`Message::method`] as it was sent.
    #[must_use]
    pub fn method_text(&self) -> &'a [u8] {
        let found = self.index.found();
        let is_request = found.kind == Kind::Request;
        self.text(if is_request {
            found.method_text
        } else {
            found.cseq_method_text
        })
    }

    /// The Request-URI; empty for a response.
    #[must_use]
    pub fn request_uri(&self) -> &'a [u8] {
        self.text(self.index.found().request_uri)
    }

    /// The status; 0 for a request, and for a response with a broken one.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.index.found().status
    }

    /// The reason phrase; empty for a request.
    #[must_use]
    pub fn reason(&self) -> &'a [u8] {
        self.text(self.index.found().reason)
    }

    /// The Call-ID; empty if it is missing.
    #[must_use]
    pub fn call_id(&self) -> &'a [u8] {
        self.text(self.index.found().call_id)
    }

    /// The whole value of From; empty if it is missing.
    #[must_use]
    pub fn from(&self) -> &'a [u8] {
        self.text(self.index.found().from)
    }

    /// The whole value of To; empty if it is missing.
    #[must_use]
    pub fn to(&self) -> &'a [u8] {
        self.text(self.index.found().to)
    }

    /// The tag of From.
    #[must_use]
    pub fn from_tag(&self) -> Option<&'a [u8]> {
        self.index.found().from_tag.map(|tag| self.text(tag))
    }

    /// The tag of To.
    #[must_use]
    pub fn to_tag(&self) -> Option<&'a [u8]> {
        self.index.found().to_tag.map(|tag| self.text(tag))
    }

    /// The number in CSeq; 0 if it is missing.
    #[must_use]
    pub fn cseq(&self) -> u32 {
        self.index.found().cseq
    }

    /// The method in CSeq.
    #[must_use]
    pub fn cseq_method(&self) -> Method {
        self.index.found().cseq_method
    }

    /// The method in CSeq as it was sent; empty if it is missing.
    #[must_use]
    pub fn cseq_method_text(&self) -> &'a [u8] {
        self.text(self.index.found().cseq_method_text)
    }

    /// The first Via value, without those that follow it on the same line.
    #[must_use]
    pub fn top_via(&self) -> &'a [u8] {
        self.text(self.index.found().top_via)
    }

    /// The branch of the first Via value.
    #[must_use]
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.index.found().branch.map(|branch| self.text(branch))
    }

    /// Max-Forwards; `None` if it is missing.
    #[must_use]
    pub fn max_forwards(&self) -> Option<u32> {
        self.index.found().max_forwards
    }

    /// Content-Length as it was sent; `None` if it is missing.
    #[must_use]
    pub fn content_length(&self) -> Option<usize> {
        self.index.found().content_length
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.text(self.index.found().body)
    }

    /// The header lines in order.
    pub fn lines(&self) -> impl Iterator<Item = Line<'a>> + use<'a> {
        let bytes = self.bytes;
        self.index.lines().iter().map(move |span| line(bytes, span))
    }

    /// The value of the first line of this name.
    #[must_use]
    pub fn header(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.index
            .lines_from(name)
            .first()
            .map(|span| self.text(span.value))
    }

    /// The values of all lines of this name, one a line.
    pub fn headers(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let bytes = self.bytes;
        let lines = self.index.lines_from(name).iter();
        lines
            .filter(move |span| span.name == name)
            .map(move |span| span.value.text(bytes))
    }

    /// The elements of all lines of this name whose value is a list with commas, as Via, Route,
    /// Contact and Require are; not for Authorization and its kin, nor for dates.
    pub fn values(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.headers(name).flat_map(Values::new)
    }

    pub(super) fn whole(&self) -> &'a [u8] {
        self.bytes
    }

    pub(super) fn spans(&self) -> impl Iterator<Item = (std::ops::Range<usize>, Line<'a>)> {
        let bytes = self.bytes;
        self.index
            .lines()
            .iter()
            .map(move |span| (span.raw.start()..span.raw.end(), line(bytes, span)))
    }

    fn text(&self, span: Span) -> &'a [u8] {
        span.text(self.bytes)
    }
}

#[inline]
fn line<'a>(bytes: &'a [u8], span: &LineSpan) -> Line<'a> {
    let raw = span.raw.text(bytes);
    Line {
        name: span.name,
        name_text: raw.get(..usize::from(span.name_bytes)).unwrap_or_default(),
        value: span.value.text(bytes),
        raw,
    }
}
