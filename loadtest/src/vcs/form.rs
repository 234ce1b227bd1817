//! The form that a VCS posts: names in alphabetical order, values percent-encoded (POLICY.md section 4).

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

/// What is asked for (`POLICY_TYPE`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Call Policy: whether the call may be made.
    Admin,
    /// User Policy: where a person is.
    User,
    /// A search rule: where an alias leads.
    Search,
}

impl Kind {
    /// The order in which a VCS asks (POLICY.md section 4.4).
    pub const IN_ORDER: [Self; 3] = [Self::Admin, Self::User, Self::Search];

    /// As it stands in the form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::User => "USER",
            Self::Search => "SEARCH",
        }
    }
}

/// The facts of one call that do not change while it is decided.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls; unauthenticated.
    pub source: String,
    /// Where the call came from.
    pub source_at: SocketAddr,
    /// The same on every VCS that the call passes.
    pub global_serial: String,
    /// On this VCS.
    pub local_serial: String,
}

/// The zone that all calls come from.
pub const ZONE: &str = "DefaultZone";
/// The name of the cluster that this VCS stands for.
pub const CLUSTER: &str = "loadtest";

/// The body of one request.
#[must_use]
pub fn write(kind: Kind, alias: &str, call: &Call, now: SystemTime) -> String {
    let network = if call.source_at.is_ipv6() {
        "IPV6"
    } else {
        "IPV4"
    };
    let ip = call.source_at.ip().to_string();
    let port = call.source_at.port().to_string();
    let time = utc(now);
    let fields: [(&str, &str); 19] = [
        ("ALLOW_INTERWORKING", "TRUE"),
        ("AUTHENTICATED", "FALSE"),
        ("AUTHENTICATION_USER_NAME", ""),
        ("CLUSTER_NAME", CLUSTER),
        ("DESTINATION_ALIAS", alias),
        ("GLOBAL_CALL_SERIAL_NUMBER", &call.global_serial),
        ("LOCAL_CALL_SERIAL_NUMBER", &call.local_serial),
        ("METHOD", "INVITE"),
        ("NETWORK_TYPE", network),
        ("POLICY_TYPE", kind.as_str()),
        ("PROTOCOL", "SIP"),
        ("REGISTERED_ALIAS", ""),
        ("SOURCE_ADDRESS", &ip),
        ("SOURCE_IP", &ip),
        ("SOURCE_PORT", &port),
        ("TRAVERSAL_TYPE", "TYPE_UNDEF"),
        ("UNAUTHENTICATED_SOURCE_ALIAS", &call.source),
        ("UTCTIME", &time),
        ("ZONE_NAME", ZONE),
    ];
    let mut body = String::with_capacity(640);
    for (name, value) in fields {
        if !body.is_empty() {
            body.push('&');
        }
        body.push_str(name);
        body.push('=');
        encode(&mut body, value);
    }
    body
}

/// Everything but what RFC 3986 calls unreserved is escaped, a space as `%20`, as in the vendor's trace.
fn encode(out: &mut String, value: &str) {
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            *out += &format!("%{octet:02X}");
        }
    }
}

/// `2011-07-19 15:30:30`.
fn utc(now: SystemTime) -> String {
    let seconds = now
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let [hour, minute, second] = [of_day / 3600, of_day / 60 % 60, of_day % 60];
    format!(
        "{year}-{month:02}-{:02} {hour:02}:{minute:02}:{second:02}",
        days + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_body_is_that_of_the_vendors_trace() {
        let call = Call {
            source: "bob@example.com".into(),
            source_at: "192.0.2.10:5061".parse().unwrap(),
            global_serial: "094f761c-b21c-11e0-91a2-000c29e127de".into(),
            local_serial: "094f754a-b21c-11e0-91a2-000c29e127de".into(),
        };
        let at = UNIX_EPOCH + Duration::from_secs(1_311_089_430);
        assert_eq!(
            write(Kind::Admin, "alice@example.com", &call, at),
            "ALLOW_INTERWORKING=TRUE&AUTHENTICATED=FALSE&AUTHENTICATION_USER_NAME=&CLUSTER_NAME=loadtest\
             &DESTINATION_ALIAS=alice%40example.com\
             &GLOBAL_CALL_SERIAL_NUMBER=094f761c-b21c-11e0-91a2-000c29e127de\
             &LOCAL_CALL_SERIAL_NUMBER=094f754a-b21c-11e0-91a2-000c29e127de\
             &METHOD=INVITE&NETWORK_TYPE=IPV4&POLICY_TYPE=ADMIN&PROTOCOL=SIP&REGISTERED_ALIAS=\
             &SOURCE_ADDRESS=192.0.2.10&SOURCE_IP=192.0.2.10&SOURCE_PORT=5061&TRAVERSAL_TYPE=TYPE_UNDEF\
             &UNAUTHENTICATED_SOURCE_ALIAS=bob%40example.com&UTCTIME=2011-07-19%2015%3A30%3A30\
             &ZONE_NAME=DefaultZone"
        );
    }

    #[test]
    fn days_are_counted_over_leap_years() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_735_689_599, "2024-12-31 23:59:59"),
            (1_740_787_200, "2025-03-01 00:00:00"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
    }
}
