//! Names of hosts and domains, in the one form that compares and asks.

use super::Service;
use std::fmt;

/// Octets of a name, its dots counted (RFC 1035 §3.1).
const LENGTH_MAX: usize = 253;
/// Octets of a label.
const LABEL_MAX: usize = 63;

/// A host name or a domain: lower case, without the dot at its end, never an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

impl Name {
    /// A name as somebody wrote it. `None`: it is none (RFC 3261 §25.1 `hostname`, with the
    /// underscores that service names need), such as an address, the root or a name with an empty
    /// label.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let is_label = |label: &str| {
            (1..=LABEL_MAX).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
        };
        // The last label of a host name does not begin with a digit: `192.0.2.1` is no name.
        let top = text.rsplit('.').next().unwrap_or_default();
        let fits = text.len() <= LENGTH_MAX
            && text.split('.').all(is_label)
            && !top.starts_with(|first: char| first.is_ascii_digit());
        fits.then(|| Self(text.to_ascii_lowercase().into_boxed_str()))
    }

    /// Where the SRV records of a service of this domain are (RFC 3263 §4.1): `_sip._tcp.` and the
    /// domain. `None`: such a name would be too long.
    #[must_use]
    pub fn of_service(&self, service: Service) -> Option<Self> {
        Self::new(&format!("{}.{}", service.labels(), self.0))
    }

    /// The text, lower case and without a dot at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this host itself, which no server is asked for (RFC 6761 §6.3).
    #[must_use]
    pub fn is_localhost(&self) -> bool {
        &*self.0 == "localhost" || self.0.ends_with(".localhost")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_what_is_none() {
        let name = Name::new("Bridge-1.Example.COM.").expect("a name");
        assert_eq!(name.as_str(), "bridge-1.example.com");
        assert_eq!(Name::new("bridge-1.example.com"), Some(name.clone()));
        let service = name.of_service(Service::SipsD2t).expect("short");
        assert_eq!(service.as_str(), "_sips._tcp.bridge-1.example.com");
        let long = format!("{}.example", "a".repeat(64));
        let longest = ["a"; 128].join(".");
        for bad in [
            "",
            ".",
            "a..b",
            ".a",
            "a..",
            "-a.b",
            "a-.b",
            "192.0.2.1",
            "[::1]",
            "a b",
            "é.example",
            "a:5060",
            &long,
            &longest,
        ] {
            assert_eq!(Name::new(bad), None, "{bad}");
        }
        let nearly = ["a"; 126].join(".");
        assert_eq!(
            Name::new(&nearly).and_then(|n| n.of_service(Service::SipD2u)),
            None
        );
    }

    #[test]
    fn localhost_and_what_is_below_it() {
        let is = |text| Name::new(text).is_some_and(|name| name.is_localhost());
        assert!(is("localhost") && is("a.LocalHost.") && !is("localhost.example"));
        assert!(!is("mylocalhost"));
    }
}
