//! Names of header fields (RFC 3261 §7.3.1, §20 and the registry that grew from it).
//!
//! A name is read as three words and found by one look into a table built at compile time. Unknown
//! names are [`HeaderName::Other`]; their text stays in the message.

macro_rules! header_names {
    ($($variant:ident = $text:literal,)*) => {
        /// A header field by name, whatever its case and whether it came in its compact form.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// Any other name.
            Other,
        }

        const ALL: &[HeaderName] = &[$(HeaderName::$variant,)*];
        const TEXTS: &[&str] = &[$($text,)* "Other"];
    };
}

header_names! {
    Accept = "Accept",
    AcceptContact = "Accept-Contact",
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AcceptResourcePriority = "Accept-Resource-Priority",
    AlertInfo = "Alert-Info",
    Allow = "Allow",
    AllowEvents = "Allow-Events",
    AnswerMode = "Answer-Mode",
    AuthenticationInfo = "Authentication-Info",
    Authorization = "Authorization",
    CallId = "Call-ID",
    CallInfo = "Call-Info",
    Contact = "Contact",
    ContentDisposition = "Content-Disposition",
    ContentEncoding = "Content-Encoding",
    ContentId = "Content-ID",
    ContentLanguage = "Content-Language",
    ContentLength = "Content-Length",
    ContentType = "Content-Type",
    Cseq = "CSeq",
    Date = "Date",
    Diversion = "Diversion",
    ErrorInfo = "Error-Info",
    Event = "Event",
    Expires = "Expires",
    FeatureCaps = "Feature-Caps",
    FlowTimer = "Flow-Timer",
    From = "From",
    Geolocation = "Geolocation",
    GeolocationError = "Geolocation-Error",
    GeolocationRouting = "Geolocation-Routing",
    HistoryInfo = "History-Info",
    Identity = "Identity",
    IdentityInfo = "Identity-Info",
    InfoPackage = "Info-Package",
    InReplyTo = "In-Reply-To",
    Join = "Join",
    MaxBreadth = "Max-Breadth",
    MaxForwards = "Max-Forwards",
    MimeVersion = "MIME-Version",
    MinExpires = "Min-Expires",
    MinSe = "Min-SE",
    Organization = "Organization",
    PAccessNetworkInfo = "P-Access-Network-Info",
    PAssertedIdentity = "P-Asserted-Identity",
    PCalledPartyId = "P-Called-Party-ID",
    PChargingVector = "P-Charging-Vector",
    PEarlyMedia = "P-Early-Media",
    PPreferredIdentity = "P-Preferred-Identity",
    Path = "Path",
    Priority = "Priority",
    Privacy = "Privacy",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    ProxyRequire = "Proxy-Require",
    Rack = "RAck",
    Reason = "Reason",
    RecordRoute = "Record-Route",
    RecvInfo = "Recv-Info",
    ReferSub = "Refer-Sub",
    ReferTo = "Refer-To",
    ReferredBy = "Referred-By",
    RejectContact = "Reject-Contact",
    RemotePartyId = "Remote-Party-ID",
    Replaces = "Replaces",
    ReplyTo = "Reply-To",
    RequestDisposition = "Request-Disposition",
    Require = "Require",
    ResourcePriority = "Resource-Priority",
    RetryAfter = "Retry-After",
    Route = "Route",
    Rseq = "RSeq",
    SecurityClient = "Security-Client",
    SecurityServer = "Security-Server",
    SecurityVerify = "Security-Verify",
    Server = "Server",
    ServiceRoute = "Service-Route",
    SessionExpires = "Session-Expires",
    SessionId = "Session-ID",
    SipEtag = "SIP-ETag",
    SipIfMatch = "SIP-If-Match",
    Subject = "Subject",
    SubscriptionState = "Subscription-State",
    Supported = "Supported",
    TargetDialog = "Target-Dialog",
    Timestamp = "Timestamp",
    To = "To",
    Unsupported = "Unsupported",
    UserAgent = "User-Agent",
    UserToUser = "User-to-User",
    Via = "Via",
    Warning = "Warning",
    WwwAuthenticate = "WWW-Authenticate",
}

impl HeaderName {
    /// How many there are: `name as usize` is below.
    pub const COUNT: usize = TEXTS.len();

    /// All names but [`HeaderName::Other`].
    pub const ALL: &'static [Self] = ALL;

    /// The name of this spelling, in any case, long or compact (RFC 3261 §7.3.3).
    #[must_use]
    pub fn from_bytes(text: &[u8]) -> Self {
        if let [letter] = text {
            return Self::from_compact(*letter);
        }
        let mut padded = [0; NAME_BYTES_MAX];
        let Some(place) = padded.get_mut(..text.len()) else {
            return Self::Other;
        };
        if text.contains(&b'\r') {
            return Self::Other;
        }
        for (small, letter) in place.iter_mut().zip(text) {
            *small = letter | SMALL_BIT;
        }
        Self::from_words(words(&padded)).unwrap_or(Self::Other)
    }

    /// The known name at the start of a header line, and its length, if a colon follows directly.
    #[inline]
    pub(super) fn before_colon(line: &[u8; NAME_BYTES_MAX]) -> Option<(Self, usize)> {
        let [first, second, third] = words(line);
        let bits = u64::from_le_bytes([SMALL_BIT; 8]);
        let (colon, words) = if let Some(at) = colon(first) {
            (at, [(first | bits) & below(at), 0, 0])
        } else if let Some(at) = colon(second) {
            (
                at.saturating_add(8),
                [first | bits, (second | bits) & below(at), 0],
            )
        } else {
            let at = colon(third)?;
            (
                at.saturating_add(16),
                [first | bits, second | bits, (third | bits) & below(at)],
            )
        };
        let name = if colon == 1 {
            line.first().map(|letter| Self::from_compact(*letter))
        } else {
            Self::from_words(words)
        };
        name.filter(|name| *name != Self::Other)
            .map(|name| (name, colon))
    }

    #[inline]
    fn from_words(small: [u64; 3]) -> Option<Self> {
        let name = TABLE.get(hash(small)).copied().flatten()?;
        // Word by word: comparing the arrays would go through memory and stall there.
        let [first, second, third] = small;
        let [known_first, known_second, known_third] = SMALL.get(name as usize)?;
        let difference = (first ^ known_first) | (second ^ known_second) | (third ^ known_third);
        (difference == 0).then_some(name)
    }

    /// The canonical spelling; `Other` for a name that has none here.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        TEXTS.get(self as usize).copied().unwrap_or("Other")
    }

    /// The letters registered as compact forms.
    fn from_compact(letter: u8) -> Self {
        match letter.to_ascii_lowercase() {
            b'a' => Self::AcceptContact,
            b'b' => Self::ReferredBy,
            b'c' => Self::ContentType,
            b'd' => Self::RequestDisposition,
            b'e' => Self::ContentEncoding,
            b'f' => Self::From,
            b'i' => Self::CallId,
            b'j' => Self::RejectContact,
            b'k' => Self::Supported,
            b'l' => Self::ContentLength,
            b'm' => Self::Contact,
            b'n' => Self::IdentityInfo,
            b'o' => Self::Event,
            b'r' => Self::ReferTo,
            b's' => Self::Subject,
            b't' => Self::To,
            b'u' => Self::AllowEvents,
            b'v' => Self::Via,
            b'x' => Self::SessionExpires,
            b'y' => Self::Identity,
            _ => Self::Other,
        }
    }
}

impl std::fmt::Display for HeaderName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The longest name there is.
pub(super) const NAME_BYTES_MAX: usize = 24;

/// With this bit a letter is small and a hyphen stays. The one other byte that becomes a letter's or
/// a hyphen's equal is CR, which no line holds before its end.
const SMALL_BIT: u8 = 0x20;

const SLOTS: usize = 512;

/// The names by [`hash`].
static TABLE: [Option<HeaderName>; SLOTS] = table();

/// The names in small letters, padded with zeros, as three words.
static SMALL: [[u64; 3]; ALL.len()] = small_names();

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a miss fails"
)]
const fn table() -> [Option<HeaderName>; SLOTS] {
    let mut table = [None; SLOTS];
    let names = small_names();
    let mut at = 0;
    while at < ALL.len() {
        let slot = hash(names[at]);
        assert!(
            table[slot].is_none(),
            "two names meet: look for other factors"
        );
        table[slot] = Some(ALL[at]);
        at += 1;
    }
    table
}

#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a miss fails"
)]
const fn small_names() -> [[u64; 3]; ALL.len()] {
    let mut names = [[0; 3]; ALL.len()];
    let mut at = 0;
    while at < ALL.len() {
        let text = TEXTS[at].as_bytes();
        let mut padded = [0; NAME_BYTES_MAX];
        let mut letter = 0;
        while letter < text.len() {
            padded[letter] = text[letter] | SMALL_BIT;
            letter += 1;
        }
        names[at] = words(&padded);
        at += 1;
    }
    names
}

#[inline]
const fn words(bytes: &[u8; NAME_BYTES_MAX]) -> [u64; 3] {
    let (words, _) = bytes.as_chunks::<8>();
    let [first, second, third] = words else {
        return [0; 3];
    };
    [
        u64::from_le_bytes(*first),
        u64::from_le_bytes(*second),
        u64::from_le_bytes(*third),
    ]
}

/// The factors were searched for until no two names met in a slot.
#[inline]
const fn hash(words: [u64; 3]) -> usize {
    let [first, second, third] = words;
    let sum = first.wrapping_mul(0x75d1_7c64_8772_8361)
        ^ second.wrapping_mul(0x90d9_698d_0a8f_c713)
        ^ third.wrapping_mul(0x6dcc_3d08_eb1c_c74b);
    (sum >> 55) as usize
}

/// Which byte of the word is the first colon.
#[inline]
const fn colon(word: u64) -> Option<usize> {
    let difference = word ^ u64::from_le_bytes([b':'; 8]);
    let low = u64::from_le_bytes([0x01; 8]);
    let high = u64::from_le_bytes([0x80; 8]);
    // Above the first zero byte this may be wrong, the first is right.
    let zeros = difference.wrapping_sub(low) & !difference & high;
    if zeros == 0 {
        None
    } else {
        Some(zeros.trailing_zeros() as usize / 8)
    }
}

/// A mask for the bytes below this one, which is at most the last.
#[inline]
const fn below(byte: usize) -> u64 {
    (1 << (byte * 8)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for name in HeaderName::ALL {
            let text = name.as_str();
            assert_eq!(HeaderName::from_bytes(text.as_bytes()), *name);
            assert_eq!(
                HeaderName::from_bytes(text.to_uppercase().as_bytes()),
                *name
            );
            assert_eq!(
                HeaderName::from_bytes(text.to_lowercase().as_bytes()),
                *name
            );
        }
    }

    #[test]
    fn a_name_is_found_at_the_start_of_its_line() {
        for name in HeaderName::ALL {
            let line = format!("{name}: a:b{:30}", "");
            let found = HeaderName::before_colon(line.as_bytes().first_chunk().unwrap());
            let length = name.as_str().len();
            assert_eq!(
                found,
                (length < NAME_BYTES_MAX).then_some((*name, length)),
                "{name}"
            );
        }
        for line in [
            "Vi: a",
            "To : a",
            ": a",
            "To\r\nVia: b",
            "To\rVia: b",
            "X-Y: a",
            "\u{c0}:",
        ] {
            let line = format!("{line:30}");
            assert_eq!(
                HeaderName::before_colon(line.as_bytes().first_chunk().unwrap()),
                None,
                "{line}"
            );
        }
    }

    #[test]
    fn a_name_like_another_is_other() {
        for text in [
            "",
            "V1a",
            "Vi",
            "Vias",
            "C%6Fntact",
            "Call_ID",
            "Call\rID",
            "z",
            "\u{e9}",
        ] {
            assert_eq!(
                HeaderName::from_bytes(text.as_bytes()),
                HeaderName::Other,
                "{text:?}"
            );
        }
    }

    #[test]
    fn compact_forms_are_the_registered_ones() {
        let known =
            (0..=255_u8).filter(|letter| HeaderName::from_bytes(&[*letter]) != HeaderName::Other);
        assert_eq!(known.count(), 40);
        assert_eq!(HeaderName::from_bytes(b"I"), HeaderName::CallId);
        assert_eq!(HeaderName::from_bytes(b"x"), HeaderName::SessionExpires);
    }
}
